"""Association: costs by hand, gates, codes, and the assignment."""

import numpy as np
import pytest

from airside_perception.tracking.association import Weights, assign, code_costs, match_costs

UNIT = np.array([0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.0])


def boxes_at(*positions: tuple[float, float]) -> np.ndarray:
    boxes = np.tile(UNIT, (len(positions), 1))
    boxes[:, :2] = positions
    return boxes


def costs(tracks, estimates, codes=None, gate=2.0, weights=Weights(1.0, 1.0, 0.5)):  # noqa: B008
    shape = (len(tracks), len(estimates))
    codes = np.full(shape, np.nan) if codes is None else codes
    return match_costs(tracks, estimates, np.full(len(tracks), gate), np.ones(shape, bool), codes, weights)


def test_terms_by_hand():
    terms = costs(boxes_at((0, 0)), boxes_at((0, 0), (1, 0), (1.5, 0), (2.5, 0)))
    np.testing.assert_allclose(terms.distance[0, :3], [0.0, 0.5, 0.75])
    # Generalised IoU: 1 for the same box, 0 for touching ones, -0.5 / 2.5 with a gap of half a metre.
    np.testing.assert_allclose(terms.iou[0, :3], [0.0, 0.5, 0.6], atol=1e-9)
    np.testing.assert_allclose(terms.total[0, :3], [0.0, 0.5, 0.675], atol=1e-9)
    assert terms.allowed.tolist() == [[True, True, True, False]]


def test_what_is_surely_elsewhere_takes_no_measurement_of_its_neighbour():
    tracks, estimates = boxes_at((0, 0)), boxes_at((1.5, 0), (0, 1.5))
    shape = (1, 2)
    sure_along_x = np.array([[[0.04, 0.0], [0.0, 1.0]]])
    noise = np.tile(0.04 * np.eye(2), (2, 1, 1))
    terms = match_costs(
        tracks,
        estimates,
        np.full(1, 5.0),
        np.ones(shape, bool),
        np.full(shape, np.nan),
        Weights(1.0, 1.0, 0.5),
        (sure_along_x, noise, np.full(1, 4.0)),
    )
    # 1.5 m are 5.3 standard deviations along x and 1.5 along y; four are the limit.
    assert terms.allowed.tolist() == [[False, True]]


def test_codes_share_in_the_total_only_where_known():
    codes = np.array([[0.2, np.nan]])
    terms = costs(boxes_at((0, 0)), boxes_at((1, 0), (1, 0)), codes)
    assert terms.total[0, 0] == pytest.approx((0.5 + 0.5 + 0.5 * 0.2) / 2.5)
    assert terms.total[0, 1] == pytest.approx(0.5)
    assert set(terms.of_pair(0, 0)) == {"distance", "iou", "codes", "total"}
    assert set(terms.of_pair(0, 1)) == {"distance", "iou", "total"}


def test_code_costs_by_hand():
    x, y = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    tracks = [(x, x), (x, None), (None, None)]
    estimates = [(x, -x), (y, y), (np.ones(3), None)]
    np.testing.assert_allclose(code_costs(tracks, estimates)[0, :2], [0.5, 0.5])
    np.testing.assert_allclose(code_costs(tracks, estimates)[1, :2], [0.0, 0.5])
    assert np.isnan(code_costs(tracks, estimates)[2]).all()
    assert np.isnan(code_costs(tracks, estimates)[:, 2]).all()


def test_assignment_is_global_not_greedy():
    total = np.array([[0.1, 0.2], [0.15, 0.7]])
    assert assign(total, np.ones((2, 2), bool), 0.8) == [(0, 1), (1, 0)]


def test_a_good_match_is_not_given_up_for_two_poor_ones():
    total = np.array([[0.05, 0.7], [0.6, 1.0]])
    assert assign(total, np.ones((2, 2), bool), 0.8) == [(0, 0)]


def test_gate_and_limit_forbid_pairs():
    total = np.array([[0.1, 0.9]])
    assert assign(total, np.array([[False, True]]), 0.8) == []
    assert assign(np.zeros((0, 3)), np.zeros((0, 3), bool), 0.8) == []


def test_best_other_candidate():
    terms = costs(boxes_at((0, 0), (0.4, 0)), boxes_at((0, 0), (0.5, 0), (9, 0)))
    assert terms.best_others({0: 0}) == {0: 1, 1: 1}
    assert terms.best_others({0: 0, 1: 1}) == {0: 1, 1: 0}
    assert costs(boxes_at((0, 0)), boxes_at((9, 0))).best_others({}) == {}


def test_appearance_decides_between_neighbours():
    # Two people pass each other: distances say "swap", codes say "go on".
    tracks, estimates = boxes_at((0, 0), (0.6, 0)), boxes_at((0.35, 0), (0.25, 0))
    same, other = 0.0, 1.0
    codes = np.array([[same, other], [other, same]])
    plain = costs(tracks, estimates)
    assert assign(plain.total, plain.allowed, 0.8) == [(0, 1), (1, 0)]
    seen = costs(tracks, estimates, codes)
    assert assign(seen.total, seen.allowed, 0.8) == [(0, 0), (1, 1)]
