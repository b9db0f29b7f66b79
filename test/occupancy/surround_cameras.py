"""Cameras that the tests of this room share."""

import numpy as np

from airside_perception.geometry.cameras import Camera


def surround_camera(yaw, name="camera", size=(128, 64), focal=60.0, model="pinhole", distortion=()):
    """A level camera at 2 m height that looks along `yaw` in base_link."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    pose = np.eye(4)
    pose[:3, :3] = np.array([[sin, 0, cos], [-cos, 0, sin], [0, -1, 0]])
    pose[:3, 3] = [0.5 * cos, 0.5 * sin, 2.0]
    intrinsics = np.array([[focal, 0, size[0] / 2 - 0.5], [0, focal, size[1] / 2 - 0.5], [0, 0, 1]])
    return Camera(name, *size, intrinsics, pose, model, np.asarray(distortion, np.float64))
