"""Labels of the object head: for every image cell, the object that it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.classes import OBJECT_CLASSES, SEMANTIC_OF_CLASS
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.object_range import LEAST_RANGE, cell_angles, encode_range
from airside_perception.occupancy.heading import encode_heading
from airside_perception.occupancy.network_spec import DEPTH_STRIDE, LIFT_STRIDE, OBJECT_CHANNELS
from airside_perception.training.object_kinds import UNKNOWN_KIND, kind_labels
from airside_perception.training.occupancy_data import TrainingSample

SKIN = 0.15
"""Metres by which boxes grow before surface points are looked up in them."""


@dataclass(frozen=True)
class ObjectTargets:
    """Labels of N images.

    Attributes:
        objects: (N, OBJECT_CHANNELS, H/8, W/8) float32 in the layout of network_spec.OBJECT_CHANNELS.
        surface: (N, 3, H/8, W/8) float32, the point that a cell shows, ahead, left and up of its box's centre in
            lengths of the box's sides.
        ranges: (N, 2, H/8, W/8) float32, see object_range.encode_range.
        weight: (N, H/8, W/8) float32, 0 where no object is seen; the cells of an object share weight sqrt(count),
            so that near ones do not drown far ones.
        kinds: (N, H/8, W/8) int64, see object_kinds.kind_labels.
    """

    objects: np.ndarray
    surface: np.ndarray
    ranges: np.ndarray
    weight: np.ndarray
    kinds: np.ndarray


def object_targets(sample: TrainingSample) -> ObjectTargets:
    """Draw the boxes of a sample into its images.

    Every cell's surface point (from the depth label) is looked up in the boxes of its semantic class; where
    boxes overlap the smallest wins.

    Args:
        sample: with depth and semantic labels at LIFT_STRIDE.
    """
    step = DEPTH_STRIDE // LIFT_STRIDE
    count, height, width = sample.semantic[:, ::step, ::step].shape
    targets = ObjectTargets(
        np.zeros((count, OBJECT_CHANNELS, height, width), np.float32),
        np.zeros((count, 3, height, width), np.float32),
        np.zeros((count, 2, height, width), np.float32),
        np.zeros((count, height, width), np.float32),
        np.full((count, height, width), UNKNOWN_KIND),
    )
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
                owner = _draw(camera, boxes, pixels, rows, columns, depth[rows, columns], targets, index)
                targets.kinds[index, rows, columns] = np.append(box_kinds[of_class], UNKNOWN_KIND)[owner]
    return targets


def _draw(
    camera: Camera,
    boxes: np.ndarray,
    pixels: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    depth_cm: np.ndarray,
    targets: ObjectTargets,
    image: int,
) -> np.ndarray:
    """Write the targets of the cells of one class in one image; returns each cell's box, -1 for none."""
    rays = camera.unproject(pixels.astype(np.float64))
    forward = np.maximum(rays[:, 2], 1e-3)
    directions = rays @ camera.base_from_camera[:3, :3].T
    points = camera.position + directions * (depth_cm / 100.0 / forward)[:, None]
    all_owners = owner = _owners(points, boxes)
    found = owner >= 0
    if not found.any():
        return all_owners
    arrays = (pixels, rows, columns, owner, directions, points)
    pixels, rows, columns, owner, directions, points = (each[found] for each in arrays)
    bearing = np.arctan2(directions[:, 1], directions[:, 0])
    own = boxes[owner]
    offset = own[:, :2] - camera.position[:2]
    lateral = offset[:, 1] * np.cos(bearing) - offset[:, 0] * np.sin(bearing)
    distance = np.hypot(offset[:, 0], offset[:, 1])
    values = [
        *encode_heading(own[:, 6], np.cos(bearing), np.sin(bearing)),
        np.log(np.maximum(distance, LEAST_RANGE)),
        lateral,
        *np.log(own[:, 3:6]).T,
    ]
    targets.objects[image][:, rows, columns] = np.stack(values)
    along, across, up = _in_box_axes(points, own)
    targets.surface[image][:, rows, columns] = np.stack([along, across, up]) / own[:, 3:6].T
    depression, span = cell_angles(camera, pixels.astype(np.float64), DEPTH_STRIDE)
    ranges = encode_range(distance, float(camera.position[2]), depression, span)
    targets.ranges[image][:, rows, columns] = ranges
    targets.weight[image, rows, columns] = 1.0 / np.sqrt(np.bincount(owner, minlength=len(boxes)))[owner]
    return all_owners


def _owners(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(P,) index of the smallest box that holds each point (P, 3), -1 for none."""
    owner = np.full(len(points), -1)
    largest_first = np.argsort(-boxes[:, 3:6].prod(axis=1), kind="stable")
    for index in largest_first:
        offset = np.abs(_in_box_axes(points, boxes[index : index + 1]))
        owner[(offset < boxes[index, 3:6, None] / 2 + SKIN).all(axis=0)] = index
    return owner


def _in_box_axes(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(3, P) metres ahead, left and up of the box's centre, for points (P, 3) and a box (P or 1, 7) each."""
    dx, dy, dz = (points - boxes[:, :3]).T
    cosine, sine = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    return np.stack([dx * cosine + dy * sine, dy * cosine - dx * sine, dz])
