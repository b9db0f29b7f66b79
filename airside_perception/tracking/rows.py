"""Vehicles in a row that move together, as a train of dollies does."""

from __future__ import annotations

import numpy as np

ROW_REACH = 2.2
"""Neighbours in a row stand at most this many of their mean lengths apart, one that nobody found yet between them."""

ROW_WIDTH, ROW_TURN = 1.2, 0.4
"""Metres off its neighbour's path, and sine of the angle to it, up to which a vehicle is in its row."""


def velocity_of_row(box: np.ndarray, boxes: np.ndarray, velocities: np.ndarray) -> np.ndarray | None:
    """How a vehicle moves, if it is one of a row of moving ones: those ahead and behind on its path move as it does.

    Args:
        box: (7,) of the vehicle.
        boxes: (N, 7) of others that move.
        velocities: (N, 2) of those, m/s, none of them zero.

    Returns:
        (2,) velocity of the nearest one in its row, None where there is none.
    """
    heading = velocities / np.maximum(np.hypot(*velocities.T), 1e-9)[:, None]
    along, across = _along_and_across(boxes[:, :2] - box[:2], heading)
    in_row = (np.abs(along) < ROW_REACH * 0.5 * (boxes[:, 3] + box[3])) & (np.abs(across) < ROW_WIDTH)
    in_row &= np.abs(np.cos(box[6]) * heading[:, 1] - np.sin(box[6]) * heading[:, 0]) < ROW_TURN
    if not in_row.any():
        return None
    return velocities[np.argmin(np.where(in_row, np.abs(along), np.inf))].copy()


def _along_and_across(offset: np.ndarray, heading: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parts of offsets (..., 2) along and left of headings (..., 2)."""
    along = offset[..., 0] * heading[..., 0] + offset[..., 1] * heading[..., 1]
    return along, offset[..., 1] * heading[..., 0] - offset[..., 0] * heading[..., 1]
