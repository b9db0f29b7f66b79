"""What a camera sees of a room with textured walls and floor: still, so that all motion is the vehicle's."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from airside_perception.doctor.image_motion import View
from airside_perception.geometry import Camera, Rig, pose_from_xyz_yaw, rotate_vectors, transform_points

WALL_M = 12.0
"""Half the edge of the room, whose middle is the origin of odom."""

_NOISE = np.random.default_rng(5).random((48, 48, 48)).astype(np.float32)


def see(camera: Camera, odom_from_base: np.ndarray) -> np.ndarray:
    """Grey image (H, W) uint8."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float64)
    odom_from_camera = odom_from_base @ camera.base_from_camera
    rays = rotate_vectors(odom_from_camera, camera.unproject(pixels))
    origin = transform_points(odom_from_camera, np.zeros((1, 3)))[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        walls = (np.sign(rays[:, :2]) * WALL_M - origin[:2]) / rays[:, :2]
        floor = np.where(rays[:, 2] < 0, -origin[2] / rays[:, 2], np.inf)
    distance = np.minimum(np.nanmin(walls, axis=1), floor)
    points = origin + distance[:, None] * rays
    shades = sum(map_coordinates(_NOISE, (points * scale).T, order=1, mode="grid-wrap") for scale in (1.3, 4.0))
    return np.clip(127 * shades, 0, 255).astype(np.uint8).reshape(camera.height, camera.width)


def drive(rig: Rig, steps: int = 4) -> dict[str, list[View]]:
    """Views of every camera while the vehicle drives ahead and to the left, 0.4 m a step."""
    poses = [pose_from_xyz_yaw(0.4 * step - 1.0, 0.02 * step**2, 0.0, 0.06 * step) for step in range(steps)]
    return {name: [View(see(camera, pose), pose) for pose in poses] for name, camera in rig.cameras.items()}
