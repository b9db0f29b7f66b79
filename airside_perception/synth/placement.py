"""Finding free ground: oriented rectangles that must not meet at any sampled time."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.scene import Trajectory


def _corners(rectangles: np.ndarray) -> np.ndarray:
    """(..., 5) x, y, length, width, yaw -> (..., 4, 2) corners."""
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
    local = rectangles[..., None, 2:4] * signs
    cosine, sine = np.cos(rectangles[..., 4]), np.sin(rectangles[..., 4])
    x = cosine[..., None] * local[..., 0] - sine[..., None] * local[..., 1]
    y = sine[..., None] * local[..., 0] + cosine[..., None] * local[..., 1]
    return np.stack([x, y], axis=-1) + rectangles[..., None, :2]


def rectangles_overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Separating-axis test of oriented rectangles.

    Args:
        a, b: (..., 5) x, y, length, width, yaw; broadcastable.

    Returns:
        (...) bool, True where they share area.
    """
    a, b = np.broadcast_arrays(a, b)
    corners_a, corners_b = _corners(a), _corners(b)
    overlap = np.ones(a.shape[:-1], bool)
    for rectangle in (a, b):
        for turn in (0.0, np.pi / 2):
            axis = np.stack([np.cos(rectangle[..., 4] + turn), np.sin(rectangle[..., 4] + turn)], axis=-1)
            along_a = (corners_a * axis[..., None, :]).sum(-1)
            along_b = (corners_b * axis[..., None, :]).sum(-1)
            overlap &= (along_a.max(-1) > along_b.min(-1)) & (along_b.max(-1) > along_a.min(-1))
    return overlap


class GroundPlan:
    """Which ground is taken, over the sampled times of a scene."""

    def __init__(self, times: np.ndarray):
        self._times = np.asarray(times, float)
        self._taken = np.zeros((0, len(self._times), 5))

    def _footprint(self, trajectory: Trajectory, length: float, width: float) -> np.ndarray:
        poses = np.array([trajectory.at(t) for t in self._times])
        sizes = np.broadcast_to([length, width], (len(self._times), 2))
        return np.concatenate([poses[:, :2], sizes, poses[:, 2:]], axis=1)

    def fits(self, trajectory: Trajectory, length: float, width: float, margin: float = 0.3) -> bool:
        """True where the rectangle, grown by `margin` metres, meets nothing taken."""
        if not len(self._taken):
            return True
        footprint = self._footprint(trajectory, length + 2 * margin, width + 2 * margin)
        return not bool(rectangles_overlap(footprint[None], self._taken).any())

    def take(self, trajectory: Trajectory, length: float, width: float) -> None:
        """Mark the rectangle's ground as taken."""
        self._taken = np.concatenate([self._taken, self._footprint(trajectory, length, width)[None]])
