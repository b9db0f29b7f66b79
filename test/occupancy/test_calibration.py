import numpy as np
import pytest

from airside_perception.errors import AirsideError
from airside_perception.occupancy.calibration import Calibration, Reliability, logit, sigmoid


def filled(probability, truth):
    reliability = Reliability()
    reliability.add(np.asarray(probability), np.asarray(truth))
    return reliability


def test_expected_error_by_hand():
    """Ten answers of 0.9 of which six are right, ten of 0.1 of which one is."""
    reliability = filled([0.9] * 10 + [0.1] * 10, [True] * 6 + [False] * 4 + [True] + [False] * 9)
    assert reliability.expected_error() == pytest.approx((0.3 + 0.0) / 2, abs=0.01)
    assert reliability.expected_error(least=0.5) == pytest.approx(0.3, abs=0.01)
    assert Reliability().expected_error() is None


def test_what_is_calibrated_has_no_error():
    random = np.random.default_rng(0)
    probability = random.random(200_000)
    reliability = filled(probability, random.random(200_000) < probability)
    assert reliability.expected_error() < 0.01
    fitted = reliability.fit()
    assert fitted.temperature == pytest.approx(1.0, abs=0.03)
    assert fitted.bias == pytest.approx(0.0, abs=0.03)


def test_fit_finds_temperature_and_bias():
    """Answers that are twice as sure as they should be, and one unit of logits too high."""
    random = np.random.default_rng(1)
    true = sigmoid(random.normal(0.0, 2.0, 300_000))
    told = sigmoid(2.0 * (logit(true) + 1.0))
    reliability = filled(told, random.random(300_000) < true)
    fitted = reliability.fit()
    assert fitted.temperature == pytest.approx(2.0, rel=0.05)
    assert fitted.bias == pytest.approx(-1.0, abs=0.05)
    assert reliability.expected_error() > 0.1
    assert reliability.expected_error(fitted) < 0.01
    assert fitted.apply(told[:1000]) == pytest.approx(true[:1000], abs=0.03)


def test_answers_without_meaning_keep_their_order():
    random = np.random.default_rng(2)
    reliability = filled(random.random(10_000), random.random(10_000) < 0.2)
    assert reliability.fit().temperature > 0


def test_threshold_keeps_the_share_of_misses():
    probability = np.concatenate([np.full(990, 0.01), np.full(10, 0.01), np.full(50, 0.3), np.full(50, 0.3)])
    truth = np.array([False] * 990 + [True] * 10 + [False] * 50 + [True] * 50)
    reliability = filled(probability, truth)
    assert 0.01 < reliability.threshold_for_share(0.02) < 0.31
    assert reliability.threshold_for_share(0.005) == pytest.approx(0.01, abs=0.01)
    assert reliability.threshold_for_share(0.5) == 1.0


def test_merging_adds_up():
    first, second = filled([0.2, 0.8], [False, True]), filled([0.8], [False])
    first.merge(second)
    assert first.count.sum() == 3
    assert first.hits.sum() == 1


def test_metadata_round_trip_and_garbage():
    calibration = Calibration(1.5, -0.25)
    assert Calibration.of_metadata(calibration.to_metadata("voxel"), "voxel") == calibration
    assert Calibration.of_metadata({}, "voxel") == Calibration()
    with pytest.raises(AirsideError, match="calibration of voxel"):
        Calibration.of_metadata({"voxel_temperature": "warm"}, "voxel")
    with pytest.raises(AirsideError, match="temperature above 0"):
        Calibration.of_metadata({"voxel_temperature": "-1"}, "voxel")


def test_extremes_stay_finite():
    assert np.isfinite(Calibration(0.5, 3.0).apply(np.array([0.0, 1.0, 0.5]))).all()
