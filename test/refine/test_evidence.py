"""Sources of boxes, weighed against each other."""

from dataclasses import replace

import numpy as np
import pytest

from airside_perception.refine.class_spread import ClassSpread
from airside_perception.refine.evidence import BoxEvidence, box_evidence, combine
from airside_perception.refine.image_votes import ImageVotes
from airside_perception.refine.priors import OUTSIDE_SPREAD, pose_prior
from airside_perception.refine.residuals import Poses

SPREAD = ClassSpread(0.5, 0.0, 0.25, 0.0, 0.4, (0.1, 0.1, 0.1), (0.0, 0.0))
VIEWPOINT = np.zeros(3)


def evidence(x: float, y: float, log_length: float = 1.0, spread: ClassSpread = SPREAD, known: bool = True):
    size = np.array([[log_length, 0.5, 0.5]])
    return box_evidence(np.array([[x, y]]), size, [spread], VIEWPOINT, np.array([known]))


def test_errors_lie_along_and_across_the_line_of_sight():
    ahead, beside = evidence(20.0, 0.0).covariance[0], evidence(0.0, 20.0).covariance[0]
    np.testing.assert_allclose(np.diag(ahead)[:2], [0.25, 0.0625])
    np.testing.assert_allclose(np.diag(beside)[:2], [0.0625, 0.25], atol=1e-12)


def test_a_lone_detection_stays_as_it_is():
    mean, information = combine(evidence(20.0, 1.0), [])
    np.testing.assert_allclose(mean[0], [20.0, 1.0, 1.0, 0.5, 0.5])
    np.testing.assert_allclose(np.linalg.inv(information[0]), evidence(20.0, 1.0).covariance[0], atol=1e-12)


def test_two_like_sources_meet_in_the_middle_and_are_surer_than_one():
    mean, information = combine(evidence(20.0, 0.0), [evidence(20.4, 0.0)])
    assert mean[0, 0] == pytest.approx(20.2, abs=0.02)
    assert np.linalg.inv(information[0])[0, 0] == pytest.approx(0.125, rel=0.05)


def test_a_silent_source_says_nothing():
    mean, information = combine(evidence(20.0, 0.0), [evidence(0.0, 0.0, known=False)])
    alone, alone_information = combine(evidence(20.0, 0.0), [])
    np.testing.assert_allclose(mean, alone)
    np.testing.assert_allclose(information, alone_information)


def test_a_source_that_is_wholly_wrong_hardly_moves_the_detection_and_leaves_doubt():
    near, _ = combine(evidence(20.0, 0.0), [evidence(20.5, 0.0)])
    far, information = combine(evidence(20.0, 0.0), [evidence(26.0, 0.0)])
    assert 0.2 < near[0, 0] - 20.0 < 0.3
    assert far[0, 0] - 20.0 < 0.6
    assert np.linalg.inv(information[0])[0, 0] > SPREAD.radial**2


def test_two_witnesses_outweigh_one_detection():
    mean, _ = combine(evidence(20.0, 0.0), [evidence(21.0, 0.0), evidence(21.0, 0.0)])
    assert mean[0, 0] > 20.5


def test_who_corrects_the_range_corrects_the_size():
    tied = replace(SPREAD, range_with_size=0.7)
    nearer = evidence(19.5, 0.0, spread=replace(SPREAD, radial=0.1, log_size=(5.0, 5.0, 5.0)))
    free, _ = combine(evidence(20.0, 0.0), [nearer])
    bound, _ = combine(evidence(20.0, 0.0, spread=tied), [nearer])
    assert free[0, 2] == pytest.approx(1.0, abs=0.01)
    # One standard deviation too far, so 0.7 of one too big.
    assert bound[0, 2] == pytest.approx(1.0 - 0.7 * 0.1, abs=0.02)


def test_the_stated_spread_is_the_true_one():
    rng = np.random.default_rng(3)
    count, spreads = 400, [SPREAD] * 400
    truth = np.column_stack([np.full(count, 20.0), np.zeros(count)])
    sizes = np.zeros((count, 3))

    def drawn() -> BoxEvidence:
        return box_evidence(truth + rng.normal(0, [0.5, 0.25], (count, 2)), sizes, spreads, VIEWPOINT)

    mean, information = combine(drawn(), [drawn(), drawn()])
    offset = mean[:, :2] - truth
    spread = np.linalg.inv(information)[:, :2, :2]
    squared = np.einsum("ni,nij,nj->n", offset, np.linalg.inv(spread), offset) / 2
    assert 0.8 < np.sqrt(np.mean(squared)) < 1.3


def test_an_answer_that_tells_its_error_is_weighed_by_it():
    source = ClassSpread(0.5, 0.05, 0.2, 0.01, 0.4, (0.1, 0.1, 0.1), (1.0, 1.0), told_range=1.2)
    radial, lateral = source.with_told_range(2.0).stds(20.0)
    assert radial == pytest.approx(2.4)
    assert lateral == pytest.approx(0.4), "ranges say nothing of what lies across"
    assert source.with_told_range(float("nan")) == source
    silent = replace(source, told_range=0.0)
    assert silent.with_told_range(2.0) == silent


def test_sure_votes_move_a_belief_farther_than_unsure_ones():
    detected = Poses(np.array([[20.0, 0.0, 0.0]]), np.zeros(1), np.log([[4.0, 2.0, 2.0]]), np.zeros((1, 2)))
    nothing = np.zeros((1, 2))
    told = [
        ImageVotes(np.ones(1), np.array([[18.0, 0.0]]), detected.log_size, nothing, nothing, np.array([std]))
        for std in (0.3, 3.0)
    ]
    sure, unsure = (
        pose_prior(detected, ["gse"], np.zeros(3), OUTSIDE_SPREAD, votes).mean.ground[0, 0] for votes in told
    )
    assert 18.0 < sure < 19.0 < unsure < 20.0


def test_a_leading_detection_moves_less_and_says_no_more_of_itself():
    detected = Poses(np.array([[20.0, 0.0, 0.0]]), np.zeros(1), np.log([[4.0, 2.0, 2.0]]), np.zeros((1, 2)))
    nothing = np.zeros((1, 2))
    votes = ImageVotes(np.ones(1), np.array([[18.0, 0.0]]), detected.log_size, nothing, nothing, np.array([1.0]))
    plain = OUTSIDE_SPREAD["gse"]
    leading = replace(plain, lead=0.5)
    places = [
        pose_prior(detected, ["gse"], np.zeros(3), {"gse": spread}, votes).mean.ground[0, 0]
        for spread in (plain, leading)
    ]
    assert 18.0 < places[0] < places[1] - 0.1 < 20.0
    assert leading.stds(20.0) == plain.stds(20.0), "box tracks keep the errors as measured"
