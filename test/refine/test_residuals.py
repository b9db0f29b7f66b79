"""Silhouettes against pixels: every derivative against finite differences, every blur against its sum."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from refine_scenes import TRACTOR, VAN, Thing, look, poses_of, small_rig, views_of

from airside_perception.refine.residuals import POSE_PARAMETERS, Poses, SilhouetteBatch, blur

PARAMETERS = POSE_PARAMETERS + 4
THINGS = [Thing("gse", 10, 3.0, 0.5, VAN), Thing("gse", 12, -5.0, -0.9, TRACTOR)]


def batch_of(things, library, rig=None):
    frame, network = look(things, library, rig)
    return SilhouetteBatch(views_of(things, frame, network), [t.shape(library) for t in things])


@pytest.fixture(scope="module")
def batch(library):
    return batch_of(THINGS, library)


def moved(poses: Poses, parameter: int, amount: float) -> Poses:
    step = np.zeros((len(poses.yaw), PARAMETERS))
    step[:, parameter] = amount
    return poses.moved(step)


def test_states_and_boxes_are_the_same_thing():
    poses = poses_of(THINGS)
    np.testing.assert_allclose(poses.boxes(), [t.box for t in THINGS])
    picked = moved(poses, 0, 1.0).where(np.array([True, False]), poses)
    np.testing.assert_allclose(picked.ground[:, 0], [11.0, 12.0])


def test_surface_lies_in_the_box_and_stands_on_the_ground(batch):
    points = batch.surface(poses_of(THINGS))
    own = batch.object_of_view[batch._view_of_vertex] == 0
    assert points[own, 2].min() == pytest.approx(0.0, abs=1e-4)
    assert points[own, 2].max() == pytest.approx(VAN[2], abs=1e-4)
    cosine, sine = np.cos(0.5), np.sin(0.5)
    along = (points[own, :2] - [10, 3.0]) @ [cosine, sine]
    assert np.abs(along).max() == pytest.approx(VAN[0] / 2, abs=1e-4)


@pytest.mark.parametrize("parameter", range(PARAMETERS))
def test_flow_is_that_of_finite_differences(batch, parameter):
    poses = poses_of(THINGS)
    poses = replace(poses, shape=np.array([[0.5, -0.3, 0.2, 0.1], [-0.4, 0.0, 0.6, 0.3]]))
    h = 1e-3

    def pixels(amount):
        clip = batch.project(batch.surface(moved(poses, parameter, amount)))
        return (clip[:, :2] / clip[:, 3:]) * batch.size / 2

    flow = batch.flow(poses, batch.project(batch.surface(poses)))
    assert flow.shape[2] == PARAMETERS
    np.testing.assert_allclose(flow[:, :, parameter], (pixels(h) - pixels(-h)) / (2 * h), rtol=2e-3, atol=5e-3)


@pytest.mark.parametrize("parameter", range(POSE_PARAMETERS))
def test_curvature_predicts_what_a_step_costs(batch, parameter):
    """Target := own render. A step d then costs d^2 H / 2, with H from the analytic Jacobian."""
    poses = poses_of(THINGS)
    sigma, cost = 2.0, 4.0
    own = SilhouetteBatch(batch.views, batch.shapes)
    own.weight = torch.ones_like(own.weight)
    own._target = batch._soften(batch.evaluate(poses, sigma, sigma).mask[:, None], 0.0)[:, 0]
    terms = own.evaluate(poses, sigma, sigma)
    np.testing.assert_allclose(terms.cost, 0, atol=2e-3)
    for view in range(len(own.views)):
        # Steps of equal predicted cost move the outline by about a pixel: more than the raster's own steps.
        step = np.sqrt(2 * cost / terms.hessian[view, parameter, parameter])
        ends = [own.evaluate(moved(poses, parameter, s * step), sigma, sigma, with_jacobian=False) for s in (-1, 1)]
        assert np.mean([end.energy[view] for end in ends]) == pytest.approx(cost, rel=0.5)


def test_gradient_points_uphill(batch):
    poses = poses_of(THINGS)
    for parameter, amount in ((0, 0.5), (1, 0.4), (2, 0.15), (3, 0.12), (5, 0.15)):
        for sign in (-1, 1):
            terms = batch.evaluate(moved(poses, parameter, sign * amount), 2.0, 2.0)
            assert (np.sign(terms.gradient[:, parameter]) == sign).all(), f"parameter {parameter}"


def test_energy_is_least_at_the_truth(batch):
    poses = poses_of(THINGS)
    truth = batch.evaluate(poses, 1.5, 1.5, with_jacobian=False)
    assert truth.hessian is None
    assert truth.cost.max() < 0.1
    for parameter, amount in ((0, 0.6), (1, 0.5), (2, 0.2), (3, 0.15), (4, 0.2), (5, 0.2)):
        for sign in (-1, 1):
            away = batch.evaluate(moved(poses, parameter, sign * amount), 1.5, 1.5, with_jacobian=False)
            assert (away.energy > truth.energy).all(), f"parameter {parameter}"


def test_views_without_weight_say_nothing(library):
    batch = batch_of(THINGS[:1], library)
    batch.discount(torch.ones_like(batch.weight))
    terms = batch.evaluate(moved(poses_of(THINGS[:1]), 0, 0.5), 2.0, 2.0)
    assert not terms.hessian.any()
    assert not terms.gradient.any()
    assert terms.cost == terms.energy == 0


def test_factors_scale_a_view_s_information(library):
    batch = batch_of(THINGS, library)
    before = batch.evaluate(poses_of(THINGS), 2.0, 2.0)
    batch.scale(np.array([1.0, 0.25]))
    after = batch.evaluate(poses_of(THINGS), 2.0, 2.0)
    np.testing.assert_allclose(after.hessian, before.hessian * np.array([1.0, 0.25])[:, None, None], rtol=1e-4)
    np.testing.assert_allclose(after.cost, before.cost, rtol=1e-4)


def test_some_views_alone_give_the_same_terms(library):
    batch = batch_of(THINGS, library)
    batch.blurred_target(2.0)
    batch.scale(np.array([1.0, 0.25]))
    part = batch.only(np.array([1]))
    assert batch.only(np.arange(2)) is batch
    poses = moved(poses_of(THINGS), 1, 0.3)
    whole, alone = batch.evaluate(poses, 2.0, 1.3), part.evaluate(poses, 2.0, 1.3)
    for name in ("hessian", "gradient", "cost", "energy"):
        np.testing.assert_allclose(getattr(alone, name), getattr(whole, name)[1:], rtol=1e-5, atol=1e-6)
    true = batch.evaluate(poses_of(THINGS), 2.0, 1.3)
    mixed = true.with_views(np.array([1]), alone, np.array([True]))
    np.testing.assert_allclose(mixed.energy, [true.energy[0], whole.energy[1]], rtol=1e-5)
    np.testing.assert_allclose(mixed.hessian[0], true.hessian[0])


def test_objects_behind_the_camera_stay_finite(library):
    batch = batch_of(THINGS[:1], library)
    poses = poses_of(THINGS[:1])
    behind = replace(poses, ground=np.array([[-3.0, 0.0, 0.0]]))
    terms = batch.evaluate(behind, 2.0, 2.0)
    assert np.isfinite(terms.hessian).all()
    assert np.isfinite(terms.gradient).all()
    assert not terms.mask.any()


def test_distorted_and_plain_lenses_agree_where_there_is_no_distortion(library):
    van = THINGS[:1]
    plain = batch_of(van, library)
    zero = batch_of(van, library, small_rig("plumb_bob", (1e-12, 0.0, 0.0, 0.0, 0.0)))
    assert plain._linear.all()
    assert not zero._linear.any()
    a, b = (each.evaluate(poses_of(van), 2.0, 2.0) for each in (plain, zero))
    assert (a.mask != b.mask).float().mean() < 1e-3
    np.testing.assert_allclose(a.hessian, b.hessian, rtol=1e-2, atol=1.0)


@pytest.mark.parametrize("sigma", [0.8, 1.3, 2.5, 4.0])
def test_blur_keeps_the_sum_of_what_is_far_from_the_border(sigma):
    image = torch.zeros(2, 1, 64, 64)
    image[0, 0, 32, 30], image[1, 0, 28:36, 30:34] = 1.0, 0.5
    blurred = blur(image, sigma)
    torch.testing.assert_close(blurred.sum(dim=(1, 2, 3)), torch.tensor([1.0, 16.0]), rtol=1e-3, atol=0)
    columns = torch.arange(64.0)
    mean = (blurred[0, 0].sum(0) * columns).sum()
    spread = (blurred[0, 0].sum(0) * (columns - mean) ** 2).sum().sqrt()
    assert float(mean) == pytest.approx(30.0, abs=1e-3)
    assert float(spread) == pytest.approx(sigma, rel=0.05)


def test_blur_of_nothing_and_by_nothing():
    image = torch.rand(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    assert blur(image, 0.0) is image
    assert not blur(torch.zeros(1, 1, 16, 16), 2.0).any()
    assert blur(torch.ones(1, 1, 16, 16), 2.0)[0, 0, 0, 0] < 0.5, "outside the crop is nothing"
