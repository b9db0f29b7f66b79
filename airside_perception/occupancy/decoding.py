"""From the centre head's maps to boxes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter

from airside_perception.occupancy.heading import decode_heading
from airside_perception.occupancy.network_spec import NetworkSpec

LEAST_SEPARATION = 0.5
"""Two objects of one class are never nearer than this (metres) or 0.4 of the better one's width."""

SIZE_RANGE = (0.1, 100.0)
"""Metres; a size outside it is clipped, whatever the network says."""


def decode_centers(
    heatmap: np.ndarray, boxes: np.ndarray, spec: NetworkSpec, threshold: float = 0.1, limit: int = 100
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Peaks of the heatmap as boxes, duplicates removed.

    Args:
        heatmap: (K, X, Y) float32 probabilities.
        boxes: (K, 10, X, Y) float32, see network_spec.BOX_CHANNELS.
        spec: network spec.
        threshold: least score.
        limit: most boxes, the best ones.

    Returns:
        boxes (M, 7) float64 in the grid's frame, class index (M,) int64, score (M,) float64; best first.
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
    decoded, class_id, score = decoded[finite], class_id[finite], score[finite]
    keep = _without_duplicates(decoded, class_id)[:limit]
    return decoded[keep], class_id[keep], score[keep]


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
