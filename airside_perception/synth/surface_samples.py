"""Points spread evenly over triangles."""

from __future__ import annotations

import numpy as np


def surface_samples(corners: np.ndarray, spacing: float, least: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Low-discrepancy samples on triangles.

    Args:
        corners: (F, 3, 3) float, metres.
        spacing: one sample for each `spacing` squared.
        least: samples of each triangle, however small.

    Returns:
        (N, 3) points and (N,) int64 index of each point's triangle.
    """
    edge_u, edge_v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = 0.5 * np.linalg.norm(np.cross(edge_u, edge_v), axis=1)
    counts = np.maximum(np.ceil(area / spacing**2).astype(np.int64), least)
    owner = np.repeat(np.arange(len(corners)), counts)
    serial = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    # The R2 sequence (Roberts 2018): additive recurrence with the plastic number.
    u, v = (0.5 + serial * 0.7548776662466927) % 1.0, (0.5 + serial * 0.5698402909980532) % 1.0
    fold = u + v > 1
    u, v = (np.where(fold, 1 - each, each).astype(corners.dtype)[:, None] for each in (u, v))
    return corners[owner, 0] + u * edge_u[owner] + v * edge_v[owner], owner
