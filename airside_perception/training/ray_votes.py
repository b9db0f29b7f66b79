"""Point-query supervision: rays vote which voxels are free and which hold what.

Rendering losses blur depth (everything that a ray crosses shares its error); asking at points doesn't: before the
measured surface there is nothing, at it there is its class (QueryOcc, ShelfOcc). Here the queries of all rays that
fall into one voxel are counted first, so that a voxel is asked once and not told both that it is free (by rays
which graze it) and that it is not (by rays which end in it).
"""

from __future__ import annotations

import numpy as np
import warp as wp

from airside_perception.classes import FREE, GROUND, SEMANTIC_NAMES
from airside_perception.occupancy.visibility_kernels import carve_rays
from airside_perception.records import GridSpec
from airside_perception.rendering.warp_runtime import start_warp
from airside_perception.training.label_rays import LabelRays

BEHIND = 0.02
"""Metres behind the measured surface at which its class is asked: a surface on a voxel's face belongs to what it
bounds, not to the air before it."""


def query_voxels(rays: LabelRays, grid: GridSpec) -> tuple[np.ndarray, np.ndarray]:
    """What rays say of the voxels of a grid.

    Args:
        rays: in the grid's frame.
        grid: cubic voxels.

    Returns:
        (X, Y, Z) uint8 semantic ids, 0 = free or unknown;
        (X, Y, Z) bool, voxels that are known: a ray ends in them with a class, or rays cross them and none ends there.
    """
    origin, size = np.asarray(grid.origin), np.asarray(grid.voxel_size)
    ends = np.isfinite(rays.distance)
    places = rays.origins[ends] + rays.directions[ends] * (rays.distance[ends] + BEHIND)[:, None]
    cells = np.floor((places - origin) / size).astype(np.int64)
    inside = ((cells >= 0) & (cells < grid.shape)).all(axis=1)
    flat = np.ravel_multi_index(tuple(cells[inside].T), grid.shape)
    classes = len(SEMANTIC_NAMES)
    votes = np.bincount(flat * classes + rays.label[ends][inside], minlength=int(np.prod(grid.shape)) * classes)
    votes = votes.reshape(-1, classes)
    label = thing_first(votes)
    met = votes.any(axis=1)
    known = (label != FREE) | (crossed_voxels(rays, grid).reshape(-1) & ~met)
    return label.reshape(grid.shape), known.reshape(grid.shape)


def crossed_voxels(rays: LabelRays, grid: GridSpec) -> np.ndarray:
    """(X, Y, Z) bool: voxels that some ray crosses before its surface; exact (Amanatides and Woo 1987).

    Raises:
        ValueError: voxels that aren't cubes.
    """
    size = np.asarray(grid.voxel_size, np.float64)
    if not np.allclose(size, size[0]):
        raise ValueError(f"queries: expected cubic voxels, got {grid.voxel_size}")
    crossed = np.zeros(int(np.prod(grid.shape)), np.uint8)
    if len(rays):
        start_warp()
        inputs = [
            wp.array(((rays.origins - np.asarray(grid.origin)) / size).astype(np.float32), dtype=wp.vec3, device="cpu"),
            wp.array(np.ascontiguousarray(rays.directions), dtype=wp.vec3, device="cpu"),
            wp.array(np.minimum(rays.distance / size[0], 1e6).astype(np.float32), dtype=wp.float32, device="cpu"),
            wp.vec3i(*grid.shape),
            wp.array(crossed, dtype=wp.uint8, device="cpu", copy=False),
        ]
        wp.launch(carve_rays, dim=len(rays), inputs=inputs, device="cpu")
    return crossed.reshape(grid.shape).astype(bool)


def thing_first(votes: np.ndarray) -> np.ndarray:
    """(V,) uint8 class of voxels by votes (V, 7): the commonest thing, the ground where nothing stands on it.

    A voxel in which a wheel meets the concrete belongs to the wheel, as in the generator's voxel labels.
    """
    things = votes[:, GROUND + 1 :]
    best = things.argmax(axis=1) + GROUND + 1
    return np.where(things.any(axis=1), best, np.where(votes[:, GROUND] > 0, GROUND, FREE)).astype(np.uint8)
