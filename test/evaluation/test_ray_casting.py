"""Ray casting against a slow reference that intersects every voxel of the grid with every ray."""

import math

import numpy as np
import pytest

from airside_perception.evaluation.ray_casting import evaluation_directions, first_hits
from airside_perception.records import GridSpec

SPEC = GridSpec((-3.0, -2.0, -1.0), (0.5, 0.4, 0.7), (9, 11, 6))


def reference_hit(grid, spec, origin, direction):
    """Label of the first occupied voxel and the distance at which the ray leaves it, by slab tests of all voxels."""
    best = (np.inf, 0, math.nan)
    for index in np.argwhere(grid != 0):
        low = np.asarray(spec.origin) + index * np.asarray(spec.voxel_size)
        high = low + np.asarray(spec.voxel_size)
        with np.errstate(divide="ignore"):
            a, b = (low - origin) / direction, (high - origin) / direction
        enter, leave = np.minimum(a, b).max(), np.maximum(a, b).min()
        if leave > max(enter, 0.0) and max(enter, 0.0) < best[0]:
            best = (max(enter, 0.0), int(grid[tuple(index)]), leave)
    return best[1], best[2]


@pytest.mark.parametrize("outside", [False, True])
def test_first_hits_equal_the_reference(outside):
    rng = np.random.default_rng(11)
    grids = np.where(rng.random((2, *SPEC.shape)) < 0.12, rng.integers(1, 7, (2, *SPEC.shape)), 0).astype(np.uint8)
    directions = rng.normal(size=(150, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    if outside:
        # From outside towards a point within, so that most rays meet the grid.
        targets = np.asarray(SPEC.origin) + rng.random((150, 3)) * np.asarray(SPEC.voxel_size) * np.asarray(SPEC.shape)
        origins = targets - 8.0 * directions
    else:
        origins = np.asarray(SPEC.origin) + rng.random((150, 3)) * np.asarray(SPEC.voxel_size) * np.asarray(SPEC.shape)
    labels, depths = first_hits(grids, SPEC, origins, directions)
    for k in range(2):
        expected = [reference_hit(grids[k], SPEC, o, d) for o, d in zip(origins, directions, strict=True)]
        np.testing.assert_array_equal(labels[k], [label for label, _ in expected])
        np.testing.assert_allclose(depths[k], [depth for _, depth in expected], atol=1e-9)
    assert 0.3 < np.mean(labels != 0) < 0.95


def test_axis_aligned_rays():
    grid = np.zeros((1, 4, 4, 4), np.uint8)
    grid[0, 3, 1, 1] = 5
    spec = GridSpec((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (4, 4, 4))
    origins = np.array([[0.5, 1.5, 1.5], [0.5, 2.5, 1.5], [3.5, 1.5, 1.5], [-2.0, 1.5, 1.5], [-2.0, 1.5, 9.0]])
    labels, depths = first_hits(grid, spec, origins, np.tile([1.0, 0.0, 0.0], (5, 1)))
    assert labels[0].tolist() == [5, 0, 5, 5, 0]
    np.testing.assert_allclose(depths[0], [3.5, np.nan, 0.5, 6.0, np.nan])


def test_directions_are_those_of_rayiou():
    directions = evaluation_directions()
    assert directions.shape == (14040, 3)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    pitches = np.arcsin(directions[::360, 2])
    assert pitches[0] == pytest.approx(-math.pi / 4)
    assert pitches[9] == pytest.approx(-(math.pi / 2 - math.atan(10)))
    assert np.diff(pitches)[9:] == pytest.approx(pitches[9] - pitches[8])
    assert pitches[-2] < 0.21 <= pitches[-1]
