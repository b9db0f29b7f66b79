"""Labels of the object head: for every image cell, the object that it shows."""

from __future__ import annotations

import numpy as np

from airside_perception.classes import OBJECT_CLASSES, SEMANTIC_OF_CLASS
from airside_perception.geometry.cameras import Camera
from airside_perception.occupancy.heading import encode_heading
from airside_perception.occupancy.network_spec import DEPTH_STRIDE, LIFT_STRIDE, OBJECT_CHANNELS
from airside_perception.training.object_kinds import UNKNOWN_KIND, kind_labels
from airside_perception.training.occupancy_data import TrainingSample

SKIN = 0.15
"""Metres by which boxes grow before surface points are looked up in them."""

LEAST_RANGE = 0.5


def object_targets(sample: TrainingSample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the boxes of a sample into its images.

    Every cell's surface point (from the depth label) is looked up in the boxes of its semantic class; where
    boxes overlap the smallest wins.

    Args:
        sample: with depth and semantic labels at LIFT_STRIDE.

    Returns:
        (N, OBJECT_CHANNELS, H/8, W/8) float32 in the layout of network_spec.OBJECT_CHANNELS,
        (N, H/8, W/8) float32 weights, 0 where no object is seen; the cells of an object share weight
        sqrt(count), so that near ones do not drown far ones,
        and (N, H/8, W/8) int64 kinds, see object_kinds.kind_labels.
    """
    step = DEPTH_STRIDE // LIFT_STRIDE
    count, height, width = sample.semantic[:, ::step, ::step].shape
    targets = np.zeros((count, OBJECT_CHANNELS, height, width), np.float32)
    weights = np.zeros((count, height, width), np.float32)
    kinds = np.full((count, height, width), UNKNOWN_KIND)
    box_kinds = kind_labels(sample.box_kind)
    for index, camera in enumerate(sample.cameras):
        semantic = sample.semantic[index, ::step, ::step]
        depth = sample.depth[index, ::step, ::step]
        for class_id, name in enumerate(OBJECT_CLASSES):
            of_class = sample.box_class == class_id
            boxes = sample.boxes[of_class].astype(np.float64)
            rows, columns = np.nonzero((semantic == SEMANTIC_OF_CLASS[name]) & (depth > 0))
            if len(boxes) and len(rows):
                pixels = np.stack([columns, rows], 1) * DEPTH_STRIDE + LIFT_STRIDE // 2
                owner = _draw(
                    camera, boxes, pixels, rows, columns, depth[rows, columns], targets[index], weights[index]
                )
                kinds[index, rows, columns] = np.append(box_kinds[of_class], UNKNOWN_KIND)[owner]
    return targets, weights, kinds


def _draw(
    camera: Camera,
    boxes: np.ndarray,
    pixels: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    depth_cm: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Write the targets of the cells of one class in one image (in place); returns each cell's box, -1 for none."""
    rays = camera.unproject(pixels.astype(np.float64))
    forward = np.maximum(rays[:, 2], 1e-3)
    directions = rays @ camera.base_from_camera[:3, :3].T
    points = camera.position + directions * (depth_cm / 100.0 / forward)[:, None]
    all_owners = owner = _owners(points, boxes)
    found = owner >= 0
    if not found.any():
        return all_owners
    rows, columns, owner, directions = rows[found], columns[found], owner[found], directions[found]
    bearing = np.arctan2(directions[:, 1], directions[:, 0])
    own = boxes[owner]
    offset = own[:, :2] - camera.position[:2]
    lateral = offset[:, 1] * np.cos(bearing) - offset[:, 0] * np.sin(bearing)
    values = [
        *encode_heading(own[:, 6], np.cos(bearing), np.sin(bearing)),
        np.log(np.maximum(np.hypot(offset[:, 0], offset[:, 1]), LEAST_RANGE)),
        lateral,
        *np.log(own[:, 3:6]).T,
    ]
    targets[:, rows, columns] = np.stack(values)
    weights[rows, columns] = 1.0 / np.sqrt(np.bincount(owner, minlength=len(boxes)))[owner]
    return all_owners


def _owners(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(P,) index of the smallest box that holds each point (P, 3), -1 for none."""
    owner = np.full(len(points), -1)
    largest_first = np.argsort(-boxes[:, 3:6].prod(axis=1), kind="stable")
    for index in largest_first:
        x, y, z, length, width, height, yaw = boxes[index]
        dx, dy = points[:, 0] - x, points[:, 1] - y
        along, across = dx * np.cos(yaw) + dy * np.sin(yaw), dy * np.cos(yaw) - dx * np.sin(yaw)
        inside = (np.abs(along) < length / 2 + SKIN) & (np.abs(across) < width / 2 + SKIN)
        owner[inside & (np.abs(points[:, 2] - z) < height / 2 + SKIN)] = index
    return owner
