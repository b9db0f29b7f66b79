"""The solver alone: known starts, known answers."""

import time
from dataclasses import replace

import numpy as np
import pytest
from refine_scenes import TRACTOR, VAN, Thing, look, poses_of, views_of

from airside_perception.refine.gauss_newton import _worth_most, solve
from airside_perception.refine.priors import ClassSpread, pose_prior
from airside_perception.refine.residuals import Poses, SilhouetteBatch

THINGS = [Thing("gse", 10, 3.0, 0.5, VAN), Thing("gse", 12, -5.0, -0.9, TRACTOR)]
NAMES = ["gse", "gse"]
SPREADS = {
    name: ClassSpread(0.5, 0.03, 0.3, 0.025, 0.6, (0.25, 0.25, 0.25), (1.0, 2.0))
    for name in ("aircraft", "gse", "person")
}


@pytest.fixture(scope="module")
def batch(library):
    frame, network = look(THINGS, library)
    return SilhouetteBatch(views_of(THINGS, frame, network), [t.shape(library) for t in THINGS])


def displaced():
    """Half a metre to the left and 7 degrees turned: what one camera can see (range is the detector's business)."""
    step = np.zeros((2, 10))
    step[:, :3] = 0.0, 0.5, 0.12
    return poses_of(THINGS).moved(step)


def solved(batch, start, trust=1.0, **options):
    """Solution from `start`, with a prior around it whose information is scaled by `trust`."""
    prior = pose_prior(start, NAMES, np.zeros(3), SPREADS)
    settings = {"iterations": 6, "damping": 1e-3} | options
    return solve(batch, start, replace(prior, information=trust * prior.information), **settings)


def test_a_displaced_start_comes_back_where_the_detector_is_hardly_trusted(batch):
    truth = poses_of(THINGS)
    end = solved(batch, displaced(), trust=0.01, iterations=15)
    np.testing.assert_allclose(end.poses.ground[:, 1], truth.ground[:, 1], atol=0.15)
    np.testing.assert_allclose(end.poses.yaw, truth.yaw, atol=0.06)
    assert (end.loss_after < 0.25 * end.loss_before).all()


def test_a_displaced_start_comes_half_way_and_more_where_it_is_trusted_as_usual(batch):
    truth = poses_of(THINGS)
    end = solved(batch, displaced())
    assert (np.abs(end.poses.ground[:, 1] - truth.ground[:, 1]) < 0.25).all()
    assert (np.abs(end.poses.yaw - truth.yaw) < 0.12).all()
    assert (end.loss_after < 0.5 * end.loss_before).all()


def test_a_true_start_stays(batch):
    truth = poses_of(THINGS)
    end = solved(batch, truth)
    np.testing.assert_allclose(end.poses.ground, truth.ground, atol=0.1)
    np.testing.assert_allclose(end.poses.yaw, truth.yaw, atol=0.03)


def test_loss_never_rises_and_objects_do_not_wait_for_each_other(batch):
    start = displaced()
    mixed = replace(start, ground=np.stack([poses_of(THINGS).ground[0], start.ground[1]]))
    end = solved(batch, mixed)
    alone = solved(batch, start)
    assert (end.loss_after <= end.loss_before + 1e-3).all()
    np.testing.assert_allclose(end.poses.ground[1], alone.poses.ground[1], atol=0.05)


def test_no_iterations_give_back_the_start(batch):
    start = displaced()
    end = solved(batch, start, iterations=0)
    assert (end.steps == 0).all()
    assert end.poses is start
    np.testing.assert_array_equal(end.loss_before, end.loss_after)


def test_no_step_is_begun_after_the_deadline(batch):
    late = solved(batch, displaced(), deadline_s=time.perf_counter() - 1.0)
    assert (late.steps == 0).all()
    early = solved(batch, displaced(), deadline_s=time.perf_counter() + 60.0)
    np.testing.assert_array_equal(early.poses.ground, solved(batch, displaced()).poses.ground)


def test_time_goes_to_the_objects_that_gain_most_for_their_views():
    going, views = np.array([True, True, False, True]), np.array([2, 1, 1, 2])
    gain = np.array([3.0, 2.0, 9.0, 1.0])
    np.testing.assert_array_equal(_worth_most(going, gain, views, 3.0), [True, True, False, False])
    np.testing.assert_array_equal(_worth_most(going, gain, views, 1.0), [False, True, False, False])
    np.testing.assert_array_equal(_worth_most(going, gain, views, 5.0), going)
    assert not _worth_most(going, gain, views, -1.0).any()


def test_an_object_stops_by_itself_and_the_other_goes_on_as_if_alone(batch):
    there = solved(batch, displaced(), iterations=15).poses
    mixed = displaced().where(np.array([False, True]), there)
    end = solved(batch, mixed, iterations=15)
    assert end.steps[0] < end.steps[1]
    alone = SilhouetteBatch([replace(v, object_index=0) for v in batch.views if v.object_index == 1], batch.shapes[1:])
    start = Poses(mixed.ground[1:], mixed.yaw[1:], mixed.log_size[1:], mixed.shape[1:])
    prior = pose_prior(mixed, NAMES, np.zeros(3), SPREADS)
    own = replace(prior, mean=start, information=prior.information[1:])
    np.testing.assert_allclose(solve(alone, start, own, 15, 1e-3).poses.ground, end.poses.ground[1:], atol=1e-4)


def test_covariance_is_smaller_than_the_prior_s_and_positive(batch):
    start = displaced()
    prior = pose_prior(start, NAMES, np.zeros(3), SPREADS)
    end = solved(batch, start)
    for covariance, information in zip(end.covariance, prior.information, strict=True):
        assert np.linalg.eigvalsh(covariance).min() > 0
        assert (np.diag(covariance) <= np.diag(np.linalg.inv(information)) + 1e-9).all()
        assert covariance[1, 1] < 0.6 * np.linalg.inv(information)[1, 1], "pixels say more than the detector"


def test_without_weight_the_prior_alone_decides(batch):
    start = displaced()
    blind = SilhouetteBatch(batch.views, batch.shapes)
    blind.scale(np.zeros(len(batch.views)))
    prior = pose_prior(poses_of(THINGS), NAMES, np.zeros(3), SPREADS)
    end = solve(blind, start, prior, iterations=8, damping=1e-6)
    np.testing.assert_allclose(end.poses.ground, prior.mean.ground, atol=1e-4)
    np.testing.assert_allclose(end.poses.yaw, prior.mean.yaw, atol=1e-4)
    np.testing.assert_allclose(end.covariance, np.linalg.inv(prior.information), rtol=1e-6, atol=1e-12)


def test_prior_wraps_headings_and_trusts_bearing_more_than_range():
    mean = poses_of([Thing("gse", 20, 0.0, 3.1, VAN)])
    prior = pose_prior(mean, ["gse"], np.zeros(3), SPREADS)
    turned = replace(mean, yaw=np.array([-3.1]))
    assert prior.deviation(turned)[0, 2] == pytest.approx(2 * np.pi - 6.2)
    assert prior.information[0, 0, 0] < prior.information[0, 1, 1]
    assert prior.energy(mean) == 0
