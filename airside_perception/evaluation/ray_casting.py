"""The first occupied voxel along many rays, exact and all rays at once (Amanatides and Woo 1987)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from airside_perception.classes import FREE
from airside_perception.records import GridSpec


def evaluation_directions() -> np.ndarray:
    """(14040, 3) unit directions of RayIoU: 39 pitches like those of a spinning lidar, 360 azimuths.

    The first ten pitches hit flat ground at equal steps from one sensor height to ten; from there
    the last step is repeated up to 0.21 rad (SparseOcc, arXiv 2312.17118).
    """
    pitches = [-(0.5 * math.pi - math.atan(k + 1)) for k in range(10)]
    while pitches[-1] < 0.21:
        pitches.append(2.0 * pitches[-1] - pitches[-2])
    pitch, azimuth = np.meshgrid(pitches, np.deg2rad(np.arange(360.0)), indexing="ij")
    directions = [np.cos(pitch) * np.cos(azimuth), np.cos(pitch) * np.sin(azimuth), np.sin(pitch)]
    return np.stack(directions, axis=-1).reshape(-1, 3)


def first_hits(
    grids: np.ndarray, spec: GridSpec, origins: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """March rays through several grids of one shape together.

    Args:
        grids: (K, X, Y, Z) uint8 semantic ids, 0 = free.
        spec: their geometry.
        origins: (R, 3) metres, in the frame of the grid; may lie outside.
        directions: (R, 3) unit vectors.

    Returns:
        (K, R) uint8 id of the first occupied voxel, 0 where the ray leaves the grid or never meets it;
        (K, R) float64 distance in metres from the origin to where the ray leaves that voxel, NaN where free.
    """
    labels = np.zeros((len(grids), len(origins)), np.uint8)
    depths = np.full((len(grids), len(origins)), np.nan)
    voxel, shape = np.asarray(spec.voxel_size), np.asarray(spec.shape)
    start, rate = (origins - np.asarray(spec.origin)) / voxel, directions / voxel
    entry, inside = _entry(start, rate, shape)
    rays = np.flatnonzero(inside)
    start, rate, entry = start[rays], rate[rays], entry[rays]

    # On entry a rounding error may put the point on the wrong side of the border.
    cell = np.clip(np.floor(start + entry[:, None] * rate).astype(np.int64), 0, shape - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = np.where(rate == 0.0, np.inf, 1.0 / np.abs(rate))
        crossing = np.where(rate == 0.0, np.inf, (cell + (rate > 0.0) - start) / rate)
    margin = [(0, 0)] + [(_STEPS, _STEPS)] * 3
    volumes = np.pad(grids, margin, constant_values=_OUTSIDE)
    strides = np.array([volumes.shape[2] * volumes.shape[3], volumes.shape[3], 1])
    march = _March(
        rays=rays,
        flat=(cell + _STEPS) @ strides,
        crossing=list(np.ascontiguousarray(crossing.T)),
        delta=list(np.ascontiguousarray(delta.T)),
        step=list(np.ascontiguousarray((np.where(rate >= 0.0, 1, -1) * strides).T)),
        open=np.ones((len(grids), len(rays)), bool),
    )
    volumes = volumes.reshape(len(grids), -1)
    while len(march.rays):
        for _ in range(_STEPS):
            march.advance(volumes, labels, depths)
        march.drop_finished()
    return labels, depths


_OUTSIDE = 255
"""Label of the margin around the grids."""

_STEPS = 4
"""Steps between two clean-ups, and voxels of margin, so that no ray can step out of memory in between."""


@dataclass
class _March:
    """Rays on their way; lists hold one array per axis.

    Attributes:
        rays: index of each ray among the caller's.
        flat: index of the present voxel in a flattened grid with its margin.
        crossing: distance at which the ray leaves the present voxel along each axis, metres.
        delta: distance between two crossings.
        step: change of `flat` at a crossing.
        open: (K, R) bool, nothing met yet in this grid.
    """

    rays: np.ndarray
    flat: np.ndarray
    crossing: list[np.ndarray]
    delta: list[np.ndarray]
    step: list[np.ndarray]
    open: np.ndarray

    def advance(self, volumes: np.ndarray, labels: np.ndarray, depths: np.ndarray) -> None:
        """Look at the present voxels, write down what was met, and go one voxel on."""
        x, y, z = self.crossing
        leave = np.minimum(np.minimum(x, y), z)
        for k, volume in enumerate(volumes):
            seen = volume.take(self.flat)
            found = np.flatnonzero(self.open[k] & (seen != FREE))
            self.open[k, found] = False
            found = found[seen[found] != _OUTSIDE]
            labels[k, self.rays[found]] = seen[found]
            depths[k, self.rays[found]] = leave[found]
        moves_x = x <= leave
        moves_y = (y <= leave) & ~moves_x
        for axis, moves in enumerate((moves_x, moves_y, ~(moves_x | moves_y))):
            np.add(self.flat, self.step[axis], out=self.flat, where=moves)
            np.add(self.crossing[axis], self.delta[axis], out=self.crossing[axis], where=moves)

    def drop_finished(self) -> None:
        """Forget rays that have met something, or the margin, in every grid."""
        keep = self.open.any(axis=0)
        self.rays, self.flat, self.open = self.rays[keep], self.flat[keep], self.open[:, keep]
        for name in ("crossing", "delta", "step"):
            setattr(self, name, [values[keep] for values in getattr(self, name)])


def _entry(start: np.ndarray, rate: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R,) distance at which rays enter the grid (0 inside), and whether they meet it; in voxel units."""
    with np.errstate(divide="ignore", invalid="ignore"):
        near, far = (0.0 - start) / rate, (shape - start) / rate
    parallel = rate == 0.0
    between = (start >= 0.0) & (start < shape)
    low = np.where(parallel, np.where(between, -np.inf, np.inf), np.minimum(near, far)).max(axis=1)
    high = np.where(parallel, np.inf, np.maximum(near, far)).min(axis=1)
    entry = np.maximum(low, 0.0)
    return np.where(np.isfinite(entry), entry, 0.0), entry < high
