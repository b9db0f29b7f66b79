import numpy as np
import pytest

from airside_perception.evaluation.rendered_voxels import RenderedVoxels
from airside_perception.geometry.cameras import Camera
from airside_perception.records import GridSpec

GRID = GridSpec((0.0, -2.0, -2.0), (1.0, 1.0, 1.0), (8, 4, 4))
FORWARD = np.array([[0.0, 0, 1, 0.5], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def camera(size=16):
    middle = (size - 1) / 2
    return Camera("front", size, size, np.array([[60.0, 0, middle], [0, 60.0, middle], [0, 0, 1]]), FORWARD, "pinhole")


def wall(x, label):
    voxels = np.zeros(GRID.shape, np.uint8)
    voxels[x] = label
    return voxels


def test_a_wall_at_a_known_depth():
    """Voxels from x = 5 to 6 are met at depth 4.5 to 5.5 of a camera at x = 0.5; the labels say 4.7 m."""
    scores = RenderedVoxels()
    scores.add(wall(5, 3), GRID, camera(), np.full((16, 16), 4.7), np.full((16, 16), 3, np.uint8), stride=2)
    summary = scores.summary()
    assert summary["depth_abs_m"] == pytest.approx(0.3, abs=1e-3)
    assert summary["depth_abs_rel"] == pytest.approx(0.3 / 4.7, abs=1e-3)
    assert summary["semantic_miou"] == 1.0
    assert summary["hit"] == 1.0
    assert summary["pixels"] == 64


def test_classes_and_holes_are_counted_by_hand():
    """The left half of the wall is missing and the right half is called aircraft; gse is true everywhere."""
    voxels = wall(5, 2)
    voxels[5, 2:] = 0
    scores = RenderedVoxels()
    scores.add(voxels, GRID, camera(), np.full((16, 16), 4.7), np.full((16, 16), 3, np.uint8), stride=2)
    summary = scores.summary()
    assert summary["hit"] == 0.5
    assert summary["semantic_miou"] == 0.0
    # Nothing that was labelled was met with its class; depth is scored apart from it.
    assert summary["depth_median_m"] == pytest.approx(0.3, abs=1e-3)


def test_only_surfaces_inside_the_grid_count():
    scores = RenderedVoxels()
    depth = np.full((16, 16), 30.0)
    depth[:8] = 0.0
    scores.add(wall(5, 3), GRID, camera(), depth, np.full((16, 16), 3, np.uint8))
    assert scores.summary() is None


def test_labels_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"expected labels of shape \(16, 16\)"):
        RenderedVoxels().add(wall(5, 3), GRID, camera(), np.zeros((8, 8)), np.zeros((8, 8), np.uint8))
