"""Headings as the network learns them: relative to the line of sight, with the axis apart from its sign.

What an image shows is how an object is turned towards the camera, not towards the map, and a convolution
over the map doesn't know where it stands. So the head regresses the heading relative to the direction from
base_link to the cell (the local angle of Mousavian et al., arXiv 1612.00496, section 4). The doubled angle
beside it keeps the axis sharp where front and rear look alike and the single angle averages out to nothing.
"""

from __future__ import annotations

import numpy as np

HEADING_CHANNELS = 4
"""sin, cos of the local angle; sin, cos of twice the local angle."""


def encode_heading(yaw: np.ndarray | float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(4, ...) float64 targets of headings `yaw` (radians) at cells `x`, `y` (metres, base_link)."""
    local = np.asarray(yaw) - np.arctan2(y, x)
    return np.stack([np.sin(local), np.cos(local), np.sin(2 * local), np.cos(2 * local)])


def decode_heading(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Heading of each row.

    Args:
        values: (M, 4) regressed numbers in the order of `encode_heading`.
        x, y: (M,) cell centres, metres, base_link.

    Returns:
        (M,) float64 radians in [-pi, pi]: the axis of the doubled angle, on the side that the single angle favours.
    """
    axis = 0.5 * np.arctan2(values[:, 2], values[:, 3])
    forward = values[:, 0] * np.sin(axis) + values[:, 1] * np.cos(axis)
    yaw = axis + np.where(forward < 0, np.pi, 0.0) + np.arctan2(y, x)
    return np.arctan2(np.sin(yaw), np.cos(yaw))
