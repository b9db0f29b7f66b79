"""Network answers in which chosen image cells speak for chosen boxes."""

from dataclasses import replace

import numpy as np

from airside_perception.classes import SEMANTIC_OF_CLASS
from airside_perception.geometry.cameras import Camera
from airside_perception.records import CameraImage, GridSpec, NetworkOutput, RigFrame
from airside_perception.refine.cell_votes import LABEL_PLACE

GRID = GridSpec((-40.0, -40.0, -1.2), (0.8, 0.8, 0.8), (100, 100, 16))


def camera_at(yaw=0.0, x=1.0):
    pose = np.eye(4)
    pose[:3, :3] = np.array([[np.sin(yaw), 0, np.cos(yaw)], [-np.cos(yaw), 0, np.sin(yaw)], [0, -1, 0]])
    pose[:3, 3] = [x, 0.2, 2.0]
    return Camera("front", 640, 400, np.array([[380.0, 0, 320], [0, 380, 200], [0, 0, 1]]), pose)


def said(camera, frame_pose, boxes, block, class_name="gse"):
    """Network answers in which the cells of `block` (rows, columns) each speak for one of the boxes, in turns."""
    maps = np.zeros((9, 48, 80), np.float32)
    semantics = np.zeros((7, 96, 160), np.float32)
    semantics[0] = 1.0
    base = boxes.copy()
    odom_from_camera = frame_pose @ camera.base_from_camera
    for turn, (row, column) in enumerate(block):
        box = base[turn % len(base)]
        pixel = (np.array([column, row]) + LABEL_PLACE) * [640 / 80, 400 / 48] - 0.5
        ray = odom_from_camera[:3, :3] @ camera.unproject(pixel)
        bearing = np.arctan2(ray[1], ray[0])
        offset = box[:2] - odom_from_camera[:2, 3]
        local = box[6] - bearing
        maps[:4, row, column] = [np.sin(local), np.cos(local), np.sin(2 * local), np.cos(2 * local)]
        maps[4, row, column] = np.log(np.hypot(*offset))
        maps[5, row, column] = offset[1] * np.cos(bearing) - offset[0] * np.sin(bearing)
        maps[6:, row, column] = np.log(box[3:6])
        patch = semantics[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        patch[:] = 0.0
        patch[SEMANTIC_OF_CLASS[class_name]] = 1.0
    return NetworkOutput(
        GRID,
        np.zeros((100, 100, 16), np.uint8),
        np.zeros((100, 100, 16), np.float32),
        (),
        {camera.name: semantics},
        {camera.name: maps},
    )


def with_ranges(network, camera, distances, log_spreads):
    """The same answers, whose cells also tell distances (columns -> metres) and the log of their relative errors."""
    maps = np.zeros((4, 48, 80), np.float32)
    maps[3] = 3.5
    maps[0], maps[1] = np.log(distances), log_spreads
    return replace(network, image_ranges={camera.name: maps})


def frame_of(camera, pose):
    return RigFrame(0, {camera.name: CameraImage(camera, np.zeros((400, 640, 3), np.uint8), 0)}, (), pose)
