"""mIoU and RayIoU worked by hand."""

import numpy as np
import pytest

from airside_perception.evaluation.occupancy_metrics import ConfusionAccumulator, RayIouAccumulator, ray_origins
from airside_perception.geometry import pose_from_xyz_yaw
from airside_perception.records import GridSpec


def test_miou_by_hand():
    truth = np.array([[[1, 1, 1, 1, 2, 2, 0, 0, 3]]], np.uint8)
    predicted = np.array([[[1, 1, 1, 2, 2, 0, 0, 4, 3]]], np.uint8)
    seen = np.array([[[True] * 8 + [False]]])
    confusion = ConfusionAccumulator()
    confusion.add(predicted, truth, seen)
    iou = confusion.iou()
    # ground: 3 of 4; aircraft: 1 of (2 + 2 - 1); class 4 is predicted but not in the ground truth; 3 is unseen.
    np.testing.assert_allclose(iou[[1, 2]], [3 / 4, 1 / 3])
    assert np.isnan(iou[[3, 4, 5, 6]]).all()
    assert confusion.miou() == pytest.approx((3 / 4 + 1 / 3) / 2)
    # occupied: 6 in the truth, 6 in the prediction, 5 in both.
    assert confusion.geometric_iou() == pytest.approx(5 / 7)
    summary = confusion.summary()
    assert summary["voxels"] == 8
    assert summary["per_class"]["person"] is None
    assert "free" not in summary["per_class"]


def test_confusion_is_summed_over_frames_not_averaged():
    one, two = ConfusionAccumulator(), ConfusionAccumulator()
    seen = np.ones((1, 1, 4), bool)
    one.add(np.array([[[1, 1, 1, 1]]], np.uint8), np.array([[[1, 1, 1, 1]]], np.uint8), seen)
    two.add(np.array([[[0, 0, 0, 0]]], np.uint8), np.array([[[0, 0, 0, 1]]], np.uint8), seen)
    one.merge(two)
    assert one.miou() == pytest.approx(4 / 5)


def test_nothing_to_score_is_none():
    assert ConfusionAccumulator().miou() is None
    assert ConfusionAccumulator().geometric_iou() is None
    assert RayIouAccumulator().ray_iou() is None
    assert RayIouAccumulator().summary()["ray_iou_1m"] is None


def test_wrong_grids_are_refused():
    grid = np.zeros((2, 2, 2), np.uint8)
    with pytest.raises(ValueError, match="one shape"):
        ConfusionAccumulator().add(grid, grid, np.ones((2, 2), bool))
    with pytest.raises(ValueError, match=r"ids 0\.\.6, got 17"):
        ConfusionAccumulator().add(grid + 17, grid, np.ones((2, 2, 2), bool))
    with pytest.raises(ValueError, match="expected grids of shape"):
        RayIouAccumulator().add(grid, grid, GridSpec((0, 0, 0), (1, 1, 1), (2, 2, 3)), np.zeros((1, 3)))


def test_ray_iou_by_hand():
    spec = GridSpec((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (9, 9, 1))
    truth, predicted = np.zeros(spec.shape, np.uint8), np.zeros(spec.shape, np.uint8)
    truth[7, 4], predicted[8, 4] = 2, 2  # right class, one metre too far
    truth[4, 7], predicted[4, 7] = 2, 3  # right place, wrong class
    truth[1, 4], predicted[1, 4] = 3, 3  # right
    predicted[4, 0] = 3  # ground truth free: the ray does not count
    rays = RayIouAccumulator()
    rays._directions = np.array([[1.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0], [0, -1.0, 0]])
    rays.add(predicted, truth, spec, np.array([[4.5, 4.5, 0.5]]))
    np.testing.assert_allclose(rays.iou()[:, 2], [0.0, 0.5, 0.5])
    np.testing.assert_allclose(rays.iou()[:, 3], [0.5, 0.5, 0.5])
    assert rays.ray_iou() == pytest.approx((0.25 + 0.5 + 0.5) / 3)
    summary = rays.summary()
    assert (summary["ray_iou_1m"], summary["ray_iou_2m"], summary["rays"]) == (0.25, 0.5, 3)
    assert summary["ray_iou_per_class"]["ground"] is None


def test_ray_iou_of_a_perfect_and_of_an_empty_prediction():
    spec = GridSpec((-8.0, -8.0, -1.0), (0.8, 0.8, 0.8), (20, 20, 8))
    truth = np.zeros(spec.shape, np.uint8)
    truth[:, :, 0] = 1
    truth[15, 5:9, 1:5] = 3
    origins = np.array([[0.0, 0.0, 1.84], [1.0, 0.5, 1.84]])
    perfect, empty = RayIouAccumulator(), RayIouAccumulator()
    perfect.add(truth, truth, spec, origins)
    empty.add(np.zeros_like(truth), truth, spec, origins)
    assert perfect.ray_iou() == pytest.approx(1.0)
    assert empty.ray_iou() == pytest.approx(0.0)


def test_thick_walls_cost_ray_iou_but_not_before_the_tolerance():
    spec = GridSpec((-20.0, -20.0, 0.0), (0.5, 0.5, 4.0), (80, 80, 1))
    truth = np.zeros(spec.shape, np.uint8)
    truth[[10, 69]], truth[:, [10, 69]] = 5, 5
    thick = truth.copy()
    thick[[13, 66]], thick[:, [13, 66]] = 5, 5
    rays = RayIouAccumulator()
    rays.add(thick, truth, spec, np.array([[0.0, 0.0, 2.0]]))
    # 1.5 m too near along the axes, up to sqrt(2) times that (2.1 m) in the corners.
    one, two, four = rays.iou()[:, 5]
    assert one == 0.0
    assert 0.5 < two < 1.0
    assert four == pytest.approx(1.0)


def test_origins_are_the_places_of_the_vehicle_in_the_grids_frame():
    x = np.arange(0.0, 100.0, 5.0)
    poses = pose_from_xyz_yaw(x, 0.0 * x, 0.0 * x, 0.0 * x + np.pi / 2)
    origins = ray_origins(poses, 4, height=1.5)
    # From x = 20 m, looking along +y of the fixed frame: the others lie on the y axis, 39 m to both sides at most.
    assert len(origins) == 8
    np.testing.assert_allclose(origins[:, 0], 0.0, atol=1e-9)
    np.testing.assert_allclose(origins[:, 2], 1.5)
    assert origins[:, 1].max() == pytest.approx(20.0)
    assert origins[:, 1].min() == pytest.approx(-35.0)
