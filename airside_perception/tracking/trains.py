"""Trains of dollies: a box over several vehicles in a row is none of them, and several were no single vehicle."""

from __future__ import annotations

import numpy as np

LONGER = 1.5
"""A box this many times longer than what stands in it may hold several."""

APART = 0.6
"""Vehicles in a row stand at least this part of their mean length apart, along the row."""


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
    offset = short_boxes[None, :, :2] - long_boxes[:, None, :2]
    cosine, sine = np.cos(long_boxes[:, 6, None]), np.sin(long_boxes[:, 6, None])
    along = cosine * offset[..., 0] + sine * offset[..., 1]
    across = cosine * offset[..., 1] - sine * offset[..., 0]
    held = (
        much_longer & (np.abs(along) < 0.5 * long_boxes[:, None, 3]) & (np.abs(across) < 0.5 * long_boxes[:, None, 4])
    )
    for row in np.flatnonzero(held.any(axis=1)):
        if not _one_behind_the_other(along[row, held[row]], short_boxes[held[row], 3]):
            held[row] = False
    return held


def _one_behind_the_other(along: np.ndarray, lengths: np.ndarray) -> bool:
    """True where two of several places (M,) on a line are far enough apart for their lengths (M,), metres."""
    first, last = np.argmin(along), np.argmax(along)
    return bool(along[last] - along[first] >= APART * 0.5 * (lengths[first] + lengths[last]) and first != last)
