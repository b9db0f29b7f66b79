"""Finding free ground: footprints that must not meet at any sampled time, and solid space above them."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.mesh import Mesh
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.surface_samples import surface_samples


def _corners(rectangles: np.ndarray) -> np.ndarray:
    """(..., 5) x, y, length, width, yaw -> (..., 4, 2) corners."""
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
    local = rectangles[..., None, 2:4] * signs
    cosine, sine = np.cos(rectangles[..., 4])[..., None], np.sin(rectangles[..., 4])[..., None]
    x = cosine * local[..., 0] - sine * local[..., 1]
    y = sine * local[..., 0] + cosine * local[..., 1]
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


def rectangles_gap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Metres between oriented rectangles; 0 where they share area.

    Args:
        a, b: (..., 5) x, y, length, width, yaw; broadcastable.

    Returns:
        (...) float64.
    """
    a, b = np.broadcast_arrays(a, b)
    gap = np.full(a.shape[:-1], np.inf)
    # Two convex outlines are nearest at a corner of one of them.
    for rectangle, corners in ((a, _corners(b)), (b, _corners(a))):
        offset = corners - rectangle[..., None, :2]
        cosine, sine = np.cos(rectangle[..., 4])[..., None], np.sin(rectangle[..., 4])[..., None]
        along = np.abs(cosine * offset[..., 0] + sine * offset[..., 1]) - rectangle[..., None, 2] / 2
        across = np.abs(cosine * offset[..., 1] - sine * offset[..., 0]) - rectangle[..., None, 3] / 2
        gap = np.minimum(gap, np.hypot(np.maximum(along, 0), np.maximum(across, 0)).min(axis=-1))
    return np.where(rectangles_overlap(a, b), 0.0, gap)


class GroundPlan:
    """Which ground is taken, over the sampled times of a scene.

    Args:
        times: (T,) seconds; close enough that nothing drives through anything in between.
    """

    def __init__(self, times: np.ndarray):
        self._times = np.asarray(times, float)
        self._taken = np.zeros((0, len(self._times), 5))

    def _footprint(self, trajectory: Trajectory, length: float, width: float, ahead: float = 0.0) -> np.ndarray:
        poses = trajectory.sample(self._times)
        heading = np.stack([np.cos(poses[:, 2]), np.sin(poses[:, 2])], axis=1)
        sizes = np.broadcast_to([length, width], (len(self._times), 2))
        return np.concatenate([poses[:, :2] + ahead * heading, sizes, poses[:, 2:]], axis=1)

    def fits(self, trajectory: Trajectory, length: float, width: float, margin: float = 0.3) -> bool:
        """True where the rectangle, grown by `margin` metres, meets nothing taken."""
        footprint = self._footprint(trajectory, length + 2 * margin, width + 2 * margin)
        # Circles first: most of the apron is far away.
        reach = (np.hypot(length, width) / 2 + margin) + np.hypot(self._taken[..., 2], self._taken[..., 3]) / 2
        distance = np.linalg.norm(self._taken[..., :2] - footprint[None, :, :2], axis=-1)
        near, time = np.nonzero(distance < reach)
        return not bool(rectangles_overlap(footprint[time], self._taken[near, time]).any())

    def take(self, trajectory: Trajectory, length: float, width: float, ahead: float = 0.0) -> None:
        """Mark the rectangle's ground as taken; its centre lies `ahead` metres before the trajectory's point."""
        self._taken = np.concatenate([self._taken, self._footprint(trajectory, length, width, ahead)[None]])


class SolidSpace:
    """What standing objects fill above the ground: wings over trucks, bridges over roads.

    Footprints can't tell a belt loader under a wing from a catering truck in it; this grid can.

    Args:
        half_extent: metres that the grid reaches from the origin along x and y.
        cell: edge of its cells, metres.
        height: metres above the ground.
    """

    def __init__(self, half_extent: float = 110.0, cell: float = 0.4, height: float = 16.0):
        self._half_extent, self._cell = half_extent, cell
        side = int(2 * half_extent / cell)
        self._filled = np.zeros((side, side, int(height / cell)), bool)
        self._swept = np.zeros_like(self._filled)

    def cells(self, mesh: Mesh, trajectory: Trajectory, times: np.ndarray) -> np.ndarray:
        """(N,) flat indices of the cells that a box-centred mesh, put on the ground, touches.

        Args:
            mesh: its surface counts.
            trajectory: where it is.
            times: (T,) seconds; one is enough for what stands.
        """
        points, _ = surface_samples(mesh.vertices[mesh.faces], 0.8 * self._cell, least=1)
        lattice = np.round(points / (0.6 * self._cell)).astype(np.int64) + 4096
        _, first = np.unique((lattice[:, 0] << 26) | (lattice[:, 1] << 13) | lattice[:, 2], return_index=True)
        points = points[first].astype(np.float64)
        poses = trajectory.sample(times)
        cosine, sine = np.cos(poses[:, 2:3]), np.sin(poses[:, 2:3])
        x = poses[:, 0:1] + self._half_extent + cosine * points[:, 0] - sine * points[:, 1]
        y = poses[:, 1:2] + self._half_extent + sine * points[:, 0] + cosine * points[:, 1]
        z = np.broadcast_to(points[:, 2] - float(mesh.vertices[:, 2].min()), x.shape)
        row, column, layer = (np.floor(values / self._cell).astype(np.int64) for values in (x, y, z))
        rows, columns, layers = self._filled.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns) & (layer >= 0) & (layer < layers)
        return ((row * columns + column) * layers + layer)[inside]

    def free(self, cells: np.ndarray, standing: bool) -> bool:
        """True where nothing solid is in the cells; what stands must also stay out of the way of what moves."""
        return not bool(self._filled.ravel()[cells].any() or (standing and self._swept.ravel()[cells].any()))

    def fill(self, cells: np.ndarray) -> None:
        """Make cells solid."""
        self._filled.ravel()[cells] = True

    def sweep(self, cells: np.ndarray) -> None:
        """Keep what stands out of the cells: something drives through them."""
        self._swept.ravel()[cells] = True
