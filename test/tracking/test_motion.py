"""Motion models: Jacobians, turns, headings, and measurement noise that cannot break a filter."""

import numpy as np
import pytest
from filterpy.kalman import ExtendedKalmanFilter

from airside_perception.config import TrackingConfig
from airside_perception.tracking import motion
from airside_perception.tracking.motion import MotionParameters

CONFIG = TrackingConfig()
ALL_CLASSES = MotionParameters.from_configs([CONFIG.aircraft, CONFIG.gse, CONFIG.person])


def random_states(count: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    states = rng.normal(size=(count, motion.STATE_SIZE))
    states[:, 3:6] = np.abs(states[:, 3:6]) + 0.5
    states[:, motion.YAW] *= 0.5
    return states


@pytest.mark.parametrize("yaw_rate", [0.0, 1e-5, 0.8, -1.7])
def test_jacobian_is_the_derivative_of_the_motion(yaw_rate):
    states = random_states(3)
    states[:, motion.YAW_RATE] = yaw_rate
    _, jacobian, _ = motion.propagate(states, 0.3, ALL_CLASSES)
    step = 1e-6
    for column in range(motion.STATE_SIZE):
        forward, backward = states.copy(), states.copy()
        forward[:, column] += step
        backward[:, column] -= step
        difference = motion.propagate(forward, 0.3, ALL_CLASSES)[0] - motion.propagate(backward, 0.3, ALL_CLASSES)[0]
        np.testing.assert_allclose(jacobian[:, :, column], difference / (2 * step), atol=1e-6)


def test_vehicle_drives_a_circle_and_person_a_line():
    state = np.zeros((1, motion.STATE_SIZE))
    state[0, motion.VX], state[0, motion.YAW_RATE] = 2.0, 0.5
    gse, person = MotionParameters.from_configs([CONFIG.gse]), MotionParameters.from_configs([CONFIG.person])
    moved, _, _ = motion.propagate(state, 1.0, gse)
    # Radius v / w = 4 m, a turn of half a radian.
    np.testing.assert_allclose(moved[0, :2], [4.0 * np.sin(0.5), 4.0 * (1.0 - np.cos(0.5))], atol=1e-12)
    np.testing.assert_allclose(moved[0, [motion.VX, motion.VY]], [2 * np.cos(0.5), 2 * np.sin(0.5)], atol=1e-12)
    assert moved[0, motion.YAW] == pytest.approx(0.5)
    walked, _, _ = motion.propagate(state, 1.0, person)
    np.testing.assert_allclose(walked[0, :2], [2.0, 0.0], atol=1e-12)


def test_process_noise_adds_up_over_time():
    # Constant velocity: one step of 0.2 s must equal two of 0.1 s (white acceleration is divisible).
    states = np.zeros((1, motion.STATE_SIZE))
    person = MotionParameters.from_configs([CONFIG.person])
    _, whole_jacobian, whole = motion.propagate(states, 0.2, person)
    _, half_jacobian, half = motion.propagate(states, 0.1, person)
    twice = half_jacobian[0] @ half[0] @ half_jacobian[0].T + half[0]
    axes = np.ix_([0, 1, 2, 3, 7, 8], [0, 1, 2, 3, 7, 8])
    np.testing.assert_allclose(twice[axes], whole[0][axes], atol=1e-12)
    np.testing.assert_allclose(half_jacobian[0] @ half_jacobian[0], whole_jacobian[0], atol=0.02)


def new_gse(yaw: float = 0.0, speed: float = 0.0):
    box = np.array([0.0, 0.0, 1.0, 4.0, 2.0, 2.0, yaw])
    velocity = speed * np.array([np.cos(yaw), np.sin(yaw)])
    return motion.new_filter(box, 0.04 * np.eye(7), velocity, CONFIG.gse)


def test_correction_equals_filterpys_extended_filter():
    parameters = MotionParameters.from_configs([CONFIG.gse])
    ours, box = new_gse(yaw=0.4, speed=2.0), np.array([0.2, -0.1, 1.05, 4.1, 1.9, 2.0, 0.5])
    noise = 0.09 * np.eye(7)
    reference = ExtendedKalmanFilter(motion.STATE_SIZE, 8)
    reference.x, reference.P = ours.x.copy(), ours.P.copy()

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
    motion.correct([ours], box[None], noise[None], parameters)
    np.testing.assert_allclose(ours.x, reference.x, atol=1e-12)
    np.testing.assert_allclose(ours.P, reference.P, atol=1e-12)


def test_yaw_is_averaged_across_the_wrap():
    kalman = new_gse(yaw=np.pi - 0.05)
    measured = np.array([[0, 0, 1, 4, 2, 2, -np.pi + 0.05]])
    flipped = motion.correct([kalman], measured, 0.04 * np.eye(7)[None], MotionParameters.from_configs([CONFIG.gse]))
    assert not flipped[0]
    assert abs(abs(kalman.x[motion.YAW]) - np.pi) < 1e-3


def test_opposite_heading_counts_as_flipped():
    kalman = new_gse(yaw=0.1)
    measured = np.array([[0, 0, 1, 4, 2, 2, 0.2 - np.pi]])
    flipped = motion.correct([kalman], measured, 0.04 * np.eye(7)[None], MotionParameters.from_configs([CONFIG.gse]))
    assert flipped[0]
    assert kalman.x[motion.YAW] == pytest.approx(0.15, abs=0.01)


def test_outlier_moves_the_state_less_than_its_covariance_claims():
    near, far = new_gse(), new_gse()
    parameters = MotionParameters.from_configs([CONFIG.gse])
    noise = np.diag([0.04, 0.04, 0.01, 0.01, 0.01, 0.01, 0.01])[None]
    motion.correct([near], np.array([[0.4, 0, 1, 4, 2, 2, 0]]), noise, parameters)
    motion.correct([far], np.array([[4.0, 0, 1, 4, 2, 2, 0]]), noise, parameters)
    assert near.x[0] == pytest.approx(0.2, abs=0.01)
    assert far.x[0] < 0.5 * 4.0 * 0.5


def test_sideways_rule_turns_velocity_into_the_heading():
    kalman = new_gse(yaw=0.0)
    kalman.x[motion.VX], kalman.x[motion.VY] = 2.0, 1.0
    parameters = MotionParameters.from_configs([CONFIG.gse])
    motion.correct([kalman], kalman.x[None, :7].copy(), 0.04 * np.eye(7)[None], parameters)
    assert abs(kalman.x[motion.VY]) < 0.2
    assert kalman.x[motion.VX] == pytest.approx(2.0, abs=0.2)


def test_unusable_covariances_fall_back():
    bad = np.stack([np.full((7, 7), np.nan), -np.eye(7), np.eye(7), np.eye(7), np.zeros((7, 7))])
    bad[3, 0, 1] = bad[3, 1, 0] = 5.0
    safe = motion.safe_covariances(bad, 2.0, np.full((5, 7), 0.5))
    assert np.all(np.linalg.eigvalsh(safe) > 0.0)
    for row in (0, 1, 3):
        assert safe[row, 0, 0] == pytest.approx(0.25 + motion.MINIMUM_STD[0] ** 2)
    assert safe[2, 0, 0] == pytest.approx(2.0, abs=1e-2)
    assert safe[4, 6, 6] == pytest.approx(motion.MINIMUM_STD[6] ** 2)
