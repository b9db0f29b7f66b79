"""Filters that believe in parking: corrections, headings, modes, and measurement noise that cannot break them."""

import numpy as np
import pytest
from filterpy.kalman import ExtendedKalmanFilter, IMMEstimator, KalmanFilter

from airside_perception.config import TrackingConfig
from airside_perception.tracking import mode_filter, motion
from airside_perception.tracking.mode_filter import MOVING, PARKED
from airside_perception.tracking.motion import MotionParameters

CONFIG = TrackingConfig()
GSE = MotionParameters.from_configs([CONFIG.gse])


def new_gse(yaw: float = 0.0, speed: float = 0.0):
    box = np.array([0.0, 0.0, 1.0, 4.0, 2.0, 2.0, yaw])
    velocity = speed * np.array([np.cos(yaw), np.sin(yaw)])
    return mode_filter.new_filter(box, 0.04 * np.eye(7), velocity, CONFIG.gse)


def test_correction_equals_filterpys_extended_filter():
    parameters = GSE
    ours, box = new_gse(yaw=0.4, speed=2.0), np.array([0.2, -0.1, 1.05, 4.1, 1.9, 2.0, 0.5])
    noise = 0.09 * np.eye(7)
    reference = ExtendedKalmanFilter(motion.STATE_SIZE, 8)
    reference.x, reference.P = ours.states[MOVING].copy(), ours.covariances[MOVING].copy()

    def sideways(x):
        return -x[7] * np.sin(x[6]) + x[8] * np.cos(x[6])

    def jacobian(x):
        matrix = np.eye(8, motion.STATE_SIZE)
        matrix[7] = 0.0
        matrix[7, 6] = -x[7] * np.cos(x[6]) - x[8] * np.sin(x[6])
        matrix[7, 7], matrix[7, 8] = -np.sin(x[6]), np.cos(x[6])
        return matrix

    full = np.zeros((8, 8))
    full[:7, :7], full[7, 7] = noise, CONFIG.gse.sideways_std**2
    reference.update(np.append(box, 0.0), jacobian, lambda x: np.append(x[:7], sideways(x)), R=full)
    mode_filter.correct([ours], box[None], noise[None], parameters)
    np.testing.assert_allclose(ours.states[MOVING], reference.x, atol=1e-12)
    np.testing.assert_allclose(ours.covariances[MOVING], reference.P, atol=1e-12)


def test_measured_velocities_correct_as_filterpys_extended_filter_does():
    ours, box, noise = new_gse(yaw=0.4, speed=2.0), np.array([0.2, -0.1, 1.05, 4.1, 1.9, 2.0, 0.5]), 0.09 * np.eye(7)
    told, without = np.array([[2.5, 0.3]]), new_gse(yaw=0.4, speed=2.0)
    mode_filter.correct([without], box[None], noise[None], GSE)
    mode_filter.correct([ours], box[None], noise[None], GSE, (told, np.array([0.4])))
    reference = ExtendedKalmanFilter(motion.STATE_SIZE, 2)
    reference.x, reference.P = without.states[MOVING].copy(), without.covariances[MOVING].copy()
    pick = np.eye(motion.STATE_SIZE)[[motion.VX, motion.VY]]
    reference.update(told[0], lambda x: pick, lambda x: pick @ x, R=0.16 * np.eye(2))
    np.testing.assert_allclose(ours.states[MOVING], reference.x, atol=1e-12)
    np.testing.assert_allclose(ours.covariances[MOVING], reference.P, atol=1e-12)


@pytest.mark.parametrize(("told_std", "spread"), [(0.2, 0.2), (np.nan, 1.0), (50.0, CONFIG.gse.initial_speed_std)])
def test_a_first_velocity_is_believed_as_far_as_its_errors_allow(told_std, spread):
    box = np.array([0.0, 0.0, 1.0, 4.0, 2.0, 2.0, 0.3])
    velocity = np.array([2.0, 1.0])
    kalman = mode_filter.new_filter(box, 0.04 * np.eye(7), velocity, CONFIG.gse, velocity_std=told_std)
    assert kalman.states[MOVING, motion.VX : motion.VY + 1].tolist() == [2.0, 1.0]
    variances = np.diag(kalman.covariances[MOVING])[motion.VX : motion.VY + 1]
    np.testing.assert_allclose(variances, spread**2)
    assert CONFIG.gse.initial_speed_std > 1.0


def test_a_measured_velocity_tells_what_moves_from_what_is_parked():
    box, noise = np.array([0.0, 0.0, 1.0, 4.0, 2.0, 2.0, 0.0]), 0.25 * np.eye(7)
    parked = {}
    for name, velocity in (("stands", (0.0, 0.0)), ("drives", (3.0, 0.0)), ("untold", (np.nan, np.nan))):
        kalman = mode_filter.new_filter(box, noise, None, CONFIG.gse)
        mode_filter.predict([kalman], 0.2, GSE)
        told = np.array([velocity]), np.array([0.5])
        mode_filter.correct([kalman], box[None], noise[None], GSE, told)
        parked[name] = kalman.probabilities[PARKED]
    assert parked["stands"] > parked["untold"] + 0.1
    assert parked["drives"] < 0.05


def test_yaw_is_averaged_across_the_wrap():
    kalman = new_gse(yaw=np.pi - 0.05)
    measured = np.array([[0, 0, 1, 4, 2, 2, -np.pi + 0.05]])
    flipped = mode_filter.correct([kalman], measured, 0.04 * np.eye(7)[None], GSE)
    assert not flipped[0]
    assert abs(abs(kalman.x[motion.YAW]) - np.pi) < 1e-3


def test_opposite_heading_counts_as_flipped():
    kalman = new_gse(yaw=0.1)
    measured = np.array([[0, 0, 1, 4, 2, 2, 0.2 - np.pi]])
    flipped = mode_filter.correct([kalman], measured, 0.04 * np.eye(7)[None], GSE)
    assert flipped[0]
    assert kalman.x[motion.YAW] == pytest.approx(0.15, abs=0.01)


def test_outlier_moves_the_state_less_than_its_covariance_claims():
    near, far = new_gse(), new_gse()
    parameters = GSE
    noise = np.diag([0.04, 0.04, 0.01, 0.01, 0.01, 0.01, 0.01])[None]
    mode_filter.correct([near], np.array([[0.4, 0, 1, 4, 2, 2, 0]]), noise, parameters)
    mode_filter.correct([far], np.array([[4.0, 0, 1, 4, 2, 2, 0]]), noise, parameters)
    assert near.x[0] == pytest.approx(0.2, abs=0.01)
    assert far.x[0] < 0.5 * 4.0 * 0.5


def test_sideways_rule_turns_velocity_into_the_heading():
    kalman = new_gse(yaw=0.0)
    kalman.states[MOVING, motion.VX], kalman.states[MOVING, motion.VY] = 2.0, 1.0
    mode_filter.correct([kalman], kalman.x[None, :7].copy(), 0.04 * np.eye(7)[None], GSE)
    assert abs(kalman.states[MOVING, motion.VY]) < 0.2
    assert kalman.states[MOVING, motion.VX] == pytest.approx(2.0, abs=0.2)


def follow(positions, dt=0.2, std=0.5, seed=5):
    """Filter noisy views of an object that is at `positions` (T, 2); returns the filter after each frame."""
    rng, noise = np.random.default_rng(seed), np.diag([std**2, std**2, 0.01, 0.01, 0.01, 0.01, 0.05])
    kalman, history = None, []
    for x, y in positions:
        box = np.array([x, y, 1.0, 4.0, 2.0, 2.0, 0.0])
        box[:2] += rng.normal(0.0, std, 2)
        if kalman is None:
            kalman = mode_filter.new_filter(box, noise, None, CONFIG.gse)
        else:
            mode_filter.predict([kalman], dt, GSE)
            mode_filter.correct([kalman], box[None], noise[None], GSE)
        history.append((kalman.x.copy(), float(kalman.probabilities[PARKED])))
    return history


def test_what_is_parked_is_averaged_over_all_views():
    ends = np.array([follow(np.zeros((60, 2)), seed=seed)[-1][0] for seed in range(12)])
    # 60 views with errors of 0.5 m: 0.065 m if all were remembered; a filter that expects motion keeps 0.2 m.
    assert np.sqrt((ends[:, :2] ** 2).mean()) < 0.11
    assert np.abs(ends[:, motion.VX : motion.VY + 1]).max() < 0.1
    assert all(follow(np.zeros((60, 2)), seed=seed)[-1][1] > 0.9 for seed in range(4))


def test_what_drives_off_is_followed_and_what_stops_is_parked_again():
    time = np.arange(0, 24, 0.2)
    along = np.where(time < 8, 0.0, np.where(time < 14, 2.0 * (time - 8), 12.0))
    history = follow(np.stack([along, 0 * along], axis=1), std=0.3)
    parked = np.array([probability for _, probability in history])
    speed = np.array([state[motion.VX] for state, _ in history])
    assert parked[time < 8][-1] > 0.9
    assert parked[(time > 10) & (time < 14)].max() < 0.5
    assert speed[(time > 11) & (time < 14)].mean() == pytest.approx(2.0, abs=0.3)
    assert parked[-1] > 0.8
    late = np.array([state[0] for state, _ in history])[time > 10.5]
    assert np.abs(late - along[time > 10.5]).max() < 0.8


def test_modes_mix_as_in_filterpys_estimator():
    """Two linear modes of one axis: our mixing and probabilities against filterpy's."""
    kalman = new_gse()
    kalman.states[MOVING, motion.VX] = 0.3
    dt, switch = 0.2, mode_filter._transitions(0.2, GSE)[0]
    references = []
    for mode, model in ((PARKED, motion.hold), (MOVING, motion.propagate)):
        _, jacobian, noise = model(kalman.states[mode][None], dt, GSE)
        reference = KalmanFilter(motion.STATE_SIZE, 7)
        reference.x, reference.P = kalman.states[mode].copy(), kalman.covariances[mode].copy()
        reference.F, reference.Q, reference.H = jacobian[0], noise[0], np.eye(7, motion.STATE_SIZE)
        references.append(reference)
    estimator = IMMEstimator(references, kalman.probabilities.copy(), switch)
    estimator.predict()
    mode_filter.predict([kalman], dt, GSE)
    np.testing.assert_allclose(kalman.states[PARKED], estimator.filters[0].x, atol=1e-9)
    # What starts to move gets a new speed, which plain mixing does not know; its mean is the same.
    np.testing.assert_allclose(kalman.states[MOVING, :6], estimator.filters[1].x[:6], atol=1e-3)
    np.testing.assert_allclose(kalman.probabilities, np.asarray(estimator.cbar), atol=1e-12)


def test_unusable_covariances_fall_back():
    bad = np.stack([np.full((7, 7), np.nan), -np.eye(7), np.eye(7), np.eye(7), np.zeros((7, 7))])
    bad[3, 0, 1] = bad[3, 1, 0] = 5.0
    safe = mode_filter.safe_covariances(bad, 2.0, np.full((5, 7), 0.5))
    assert np.all(np.linalg.eigvalsh(safe) > 0.0)
    for row in (0, 1, 3):
        assert safe[row, 0, 0] == pytest.approx(0.25 + mode_filter.MINIMUM_STD[0] ** 2)
    assert safe[2, 0, 0] == pytest.approx(2.0, abs=1e-2)
    assert safe[4, 6, 6] == pytest.approx(mode_filter.MINIMUM_STD[6] ** 2)
