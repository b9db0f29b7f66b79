"""Trains of dollies: a box over several vehicles in a row is none of them, several were no single vehicle, and all of a
row move together."""

from __future__ import annotations

import numpy as np

LONGER = 1.5
"""A box this many times longer than what stands in it may hold several."""

APART = 0.6
"""Vehicles in a row stand at least this part of their mean length apart, along the row."""

ROW_REACH = 2.2
"""Neighbours in a row stand at most this many of their mean lengths apart, one that nobody found yet between them."""

ROW_WIDTH, ROW_TURN = 1.2, 0.4
"""Metres off its neighbour's path, and sine of the angle to it, up to which a vehicle is in its row."""


def several_in_one(long_boxes: np.ndarray, short_boxes: np.ndarray) -> np.ndarray:
    """Which boxes stand in which long one, where at least two do, one behind the other.

    Args:
        long_boxes: (L, 7) boxes that may hold several.
        short_boxes: (S, 7) boxes that may be held.

    Returns:
        (L, S) bool; rows of long boxes that hold fewer than two are False.
    """
    much_longer = LONGER * short_boxes[None, :, 3] <= long_boxes[:, None, 3]
    if not much_longer.any():
        return much_longer
    heading = np.stack([np.cos(long_boxes[:, 6]), np.sin(long_boxes[:, 6])], axis=1)
    along, across = _along_and_across(short_boxes[None, :, :2] - long_boxes[:, None, :2], heading[:, None])
    held = (
        much_longer & (np.abs(along) < 0.5 * long_boxes[:, None, 3]) & (np.abs(across) < 0.5 * long_boxes[:, None, 4])
    )
    for row in np.flatnonzero(held.any(axis=1)):
        if not _one_behind_the_other(along[row, held[row]], short_boxes[held[row], 3]):
            held[row] = False
    return held


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


def _one_behind_the_other(along: np.ndarray, lengths: np.ndarray) -> bool:
    """True where two of several places (M,) on a line are far enough apart for their lengths (M,), metres."""
    first, last = np.argmin(along), np.argmax(along)
    return bool(along[last] - along[first] >= APART * 0.5 * (lengths[first] + lengths[last]) and first != last)


def _along_and_across(offset: np.ndarray, heading: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parts of offsets (..., 2) along and left of headings (..., 2)."""
    along = offset[..., 0] * heading[..., 0] + offset[..., 1] * heading[..., 1]
    return along, offset[..., 1] * heading[..., 0] - offset[..., 0] * heading[..., 1]
