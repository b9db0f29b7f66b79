"""From the centre head's maps to boxes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter

from airside_perception.occupancy.heading import decode_heading
from airside_perception.occupancy.network_spec import NetworkSpec

LEAST_SEPARATION = 0.5
"""Two objects of one class are never nearer than this (metres) or 0.4 of the better one's width."""

SIZE_RANGE = (0.1, 100.0)
"""Metres; a size outside it is clipped, whatever the network says."""


class Centers(NamedTuple):
    """M boxes, best first.

    Attributes:
        boxes: (M, 7) float64 in the grid's frame.
        class_id: (M,) int64.
        score: (M,) float64.
        cell: (M, 2) int64, x and y of the peak that each was read at.
    """

    boxes: np.ndarray
    class_id: np.ndarray
    score: np.ndarray
    cell: np.ndarray

    def at_cells(self, maps: np.ndarray) -> np.ndarray:
        """(M, C) values of maps per class, (K, C, X, Y), at the peaks."""
        return np.asarray(maps[self.class_id, :, self.cell[:, 0], self.cell[:, 1]], np.float64)


def decode_centers(
    heatmap: np.ndarray, boxes: np.ndarray, spec: NetworkSpec, threshold: float = 0.1, limit: int = 100
) -> Centers:
    """Peaks of the heatmap as boxes, duplicates removed.

    Args:
        heatmap: (K, X, Y) float32 probabilities.
        boxes: (K, 10, X, Y) float32, see network_spec.BOX_CHANNELS.
        spec: network spec.
        threshold: least score.
        limit: most boxes, the best ones.

    Returns:
        M boxes, duplicates removed.
    """
    peaks = (heatmap == maximum_filter(heatmap, size=(1, 3, 3), mode="constant")) & (heatmap >= threshold)
    class_id, x, y = np.nonzero(peaks)
    score = heatmap[class_id, x, y].astype(np.float64)
    order = np.argsort(-score, kind="stable")[: 4 * limit]
    class_id, x, y, score = class_id[order], x[order], y[order], score[order]
    values = boxes[class_id, :, x, y].astype(np.float64)
    voxel = np.asarray(spec.grid.voxel_size)
    cells = np.asarray(spec.grid.origin)[:2] + (np.stack([x, y], 1) + 0.5) * voxel[:2]
    center = cells + values[:, :2] * voxel[:2]
    size = np.exp(np.clip(values[:, 3:6], *np.log(SIZE_RANGE)))
    yaw = decode_heading(values[:, 6:10], cells[:, 0], cells[:, 1])
    decoded = np.concatenate([center, values[:, 2:3], size, yaw[:, None]], axis=1)
    # A diverged or foreign network may answer NaN; such boxes are not detections.
    finite = np.isfinite(decoded).all(axis=1)
    peak = np.stack([x, y], axis=1)
    found = Centers(*(each[finite] for each in (decoded, class_id, score, peak)))
    keep = _without_duplicates(found.boxes, found.class_id)[:limit]
    return Centers(*(each[keep] for each in found))


def _without_duplicates(boxes: np.ndarray, class_id: np.ndarray) -> np.ndarray:
    """Indices that survive greedy suppression by centre distance; input sorted best first."""
    distance = np.hypot(boxes[:, None, 0] - boxes[None, :, 0], boxes[:, None, 1] - boxes[None, :, 1])
    radius = np.maximum(LEAST_SEPARATION, 0.4 * np.minimum(boxes[:, 3], boxes[:, 4]))
    clash = (distance < radius[:, None]) & (class_id[:, None] == class_id[None, :])
    alive = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if alive[index]:
            alive[index + 1 :] &= ~clash[index, index + 1 :]
    return np.flatnonzero(alive)
