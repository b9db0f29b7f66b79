"""Labels of a sample in the form in which the losses need them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.occupancy.heading import encode_heading
from airside_perception.occupancy.network_spec import (
    BOX_CHANNELS,
    DEPTH_STRIDE,
    DISPLACEMENT_CHANNELS,
    LIFT_STRIDE,
    NetworkSpec,
)
from airside_perception.training.occupancy_data import TrainingSample

LEAST_VISIBILITY = 0.08
"""Boxes seen less than this are neither objects nor background for the centre head."""


@dataclass(frozen=True)
class CenterTargets:
    """Targets of the centre head, K object classes.

    Attributes:
        heatmap: (K, X, Y) float32, exactly 1 at centre cells.
        heatmap_mask: (K, X, Y) bool, False where the truth is not asked for.
        boxes: (K, 10, X, Y) float32 in the layout of network_spec.BOX_CHANNELS; offsets in cells
            from the cell's centre, z in metres.
        box_weight: (K, X, Y) float32, above 0 where a box is regressed.
        velocity: (K, 2, X, Y) float32 m/s along x and y of base_link, where a box is regressed.
    """

    heatmap: np.ndarray
    heatmap_mask: np.ndarray
    boxes: np.ndarray
    box_weight: np.ndarray
    velocity: np.ndarray


def depth_target(depth: np.ndarray) -> np.ndarray:
    """Depth labels at the resolution of the depth head.

    The nearest surface of each cell wins: thin things must not drown in what is behind them.

    Args:
        depth: (N, h, w) uint16 centimetres at stride 4, 0 = sky.

    Returns:
        (N, h/2, w/2) float32 metres; sky becomes 1000 m (the last bin).
    """
    factor = DEPTH_STRIDE // LIFT_STRIDE
    count, height, width = depth.shape
    metres = np.where(depth == 0, 1000.0, depth.astype(np.float32) / 100.0)
    blocks = metres.reshape(count, height // factor, factor, width // factor, factor)
    return blocks.min(axis=(2, 4)).astype(np.float32)


def voxel_coverage(spec: NetworkSpec, covered: np.ndarray) -> np.ndarray:
    """(X, Y, Z) bool: voxels whose nearest lifting plane some camera covers.

    Args:
        spec: network spec.
        covered: (V,) bool of LiftingTables.
    """
    heights = spec.grid.origin[2] + (np.arange(spec.grid.shape[2]) + 0.5) * spec.grid.voxel_size[2]
    plane = np.abs(heights[:, None] - np.asarray(spec.lift_heights)[None]).argmin(axis=1)
    per_plane = covered.reshape(*spec.grid.shape[:2], len(spec.lift_heights))
    return per_plane[:, :, plane]


def center_targets(sample: TrainingSample, spec: NetworkSpec, covered_columns: np.ndarray) -> CenterTargets:
    """Draw the boxes of a sample into heatmaps (CenterPoint, arXiv 2006.11275, section 4).

    Args:
        sample: boxes in base_link.
        spec: network spec.
        covered_columns: (X, Y) bool, some camera sees the column.
    """
    size_x, size_y, _ = spec.grid.shape
    classes = len(spec.object_classes)
    targets = CenterTargets(
        np.zeros((classes, size_x, size_y), np.float32),
        np.broadcast_to(covered_columns, (classes, size_x, size_y)).copy(),
        np.zeros((classes, BOX_CHANNELS, size_x, size_y), np.float32),
        np.zeros((classes, size_x, size_y), np.float32),
        np.zeros((classes, DISPLACEMENT_CHANNELS, size_x, size_y), np.float32),
    )
    cells = (sample.boxes[:, :2] - np.asarray(spec.grid.origin[:2])) / np.asarray(spec.grid.voxel_size[:2]) - 0.5
    for box, velocity, cell, class_id, visibility in zip(
        sample.boxes, sample.box_velocity, cells, sample.box_class, sample.box_visibility, strict=True
    ):
        sigma = float(np.clip(0.15 * min(box[3], box[4]) / spec.grid.voxel_size[0], 0.6, 3.0))
        _draw(spec, targets, box, velocity, cell, int(class_id), sigma, visibility >= LEAST_VISIBILITY)
    return targets


def _cell_centers(spec: NetworkSpec, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres of grid columns, metres, base_link."""
    origin, voxel = spec.grid.origin, spec.grid.voxel_size
    return origin[0] + (x + 0.5) * voxel[0], origin[1] + (y + 0.5) * voxel[1]


def _draw(
    spec: NetworkSpec,
    targets: CenterTargets,
    box: np.ndarray,
    velocity: np.ndarray,
    cell: np.ndarray,
    class_id: int,
    sigma: float,
    seen: bool,
) -> None:
    size_x, size_y = targets.heatmap.shape[1:]
    center = np.round(cell).astype(int)
    if not (0 <= center[0] < size_x and 0 <= center[1] < size_y):
        return
    radius = int(np.ceil(2.5 * sigma))
    x0, x1 = max(center[0] - radius, 0), min(center[0] + radius + 1, size_x)
    y0, y1 = max(center[1] - radius, 0), min(center[1] + radius + 1, size_y)
    window = (class_id, slice(x0, x1), slice(y0, y1))
    if not seen:
        targets.heatmap_mask[window] = False
        return
    grid_x, grid_y = np.mgrid[x0:x1, y0:y1]
    squared = (grid_x - center[0]) ** 2 + (grid_y - center[1]) ** 2
    bump = np.exp(-squared / (2.0 * sigma**2)).astype(np.float32)
    np.maximum(targets.heatmap[window], bump, out=targets.heatmap[window])
    # Neighbours regress too (weighted by the bump): several times the gradient per object, and a
    # peak that is one cell off still yields the right box. The nearest object owns a cell.
    own = (bump >= 0.2) & (bump > targets.box_weight[window])
    targets.box_weight[window][own] = bump[own]
    values = [
        cell[0] - grid_x[own],
        cell[1] - grid_y[own],
        *(np.full(int(own.sum()), value) for value in (box[2], *np.log(box[3:6]))),
        *encode_heading(box[6], *_cell_centers(spec, grid_x[own], grid_y[own])),
    ]
    for channel, value in enumerate(values):
        targets.boxes[class_id, channel, x0:x1, y0:y1][own] = value
    targets.velocity[class_id, :, x0:x1, y0:y1][:, own] = velocity[:, None]
