"""Motion models: Jacobians, turns, and what parks."""

import numpy as np
import pytest

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


def test_parked_objects_lose_their_speed_and_stay():
    states = random_states(3)
    held, jacobian, noise = motion.hold(states, 0.5, ALL_CLASSES)
    np.testing.assert_array_equal(held[:, : motion.VX], states[:, : motion.VX])
    assert not held[:, motion.VX :].any()
    np.testing.assert_array_equal(jacobian[:, motion.VX :], 0.0)
    assert np.all(np.linalg.eigvalsh(noise) > 0.0)
