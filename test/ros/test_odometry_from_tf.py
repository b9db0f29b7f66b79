"""Vehicle states from a stream of poses."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from live import wait_for
from rclpy.executors import SingleThreadedExecutor
from ros_scenes import STAMP_NS

from airside_perception.geometry import exp_se3
from airside_perception.ros.odometry_from_tf import MotionFromPoses, TfOdometry

pytestmark = pytest.mark.ros

TWIST = np.array([3.0, 0.0, 0.0, 0.0, 0.0, 0.4])
STEP_NS = 10_000_000


def pose(step: int) -> np.ndarray:
    return exp_se3(TWIST * step * STEP_NS / 1e9)


def test_a_steady_curve_gives_its_velocity_and_yaw_rate():
    motion = MotionFromPoses()
    states = [motion.add(STAMP_NS + step * STEP_NS, pose(step)) for step in range(50)]
    assert states[0].yaw_rate == 0.0
    for state in states[1:]:
        np.testing.assert_allclose(state.linear_velocity, TWIST[:3], atol=1e-9)
        assert state.yaw_rate == pytest.approx(0.4)


def test_noise_of_a_millimetre_at_100_hz_stays_below_2_centimetres_per_second():
    random = np.random.default_rng(0)
    motion = MotionFromPoses()
    speeds = []
    for step in range(200):
        noisy = pose(step)
        noisy[:3, 3] += random.normal(0.0, 0.001, 3)
        speeds.append(motion.add(STAMP_NS + step * STEP_NS, noisy).linear_velocity[0])
    assert np.std(speeds[30:]) < 0.02


def test_the_same_pose_again_is_nothing_new():
    motion = MotionFromPoses()
    assert motion.add(STAMP_NS, np.eye(4)) is not None
    assert motion.add(STAMP_NS, np.eye(4)) is None


@pytest.mark.parametrize("gap_ns", [-1_000_000_000, 2_000_000_000])
def test_velocities_are_not_taken_across_gaps_or_back_in_time(gap_ns):
    motion = MotionFromPoses()
    for step in range(5):
        motion.add(STAMP_NS + step * STEP_NS, pose(step))
    far = np.eye(4)
    far[0, 3] = 100.0
    assert not motion.add(STAMP_NS + 4 * STEP_NS + gap_ns, far).linear_velocity.any()


def test_a_node_asks_again_and_again_until_it_is_stopped(middleware):
    node = middleware.create_node("tf_odometry")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    asked, states = [], []

    def lookup():
        asked.append(len(asked))
        return None if len(asked) < 3 else (STAMP_NS + len(asked) * STEP_NS, pose(len(asked)))

    odometry = TfOdometry(node, lookup, states.append)
    odometry.start()
    wait_for(lambda: len(states) > 5, lambda: executor.spin_once(timeout_sec=0.05), 10.0)
    assert states[-1].linear_velocity[0] == pytest.approx(3.0)
    odometry.stop()
    count = len(asked)
    for _ in range(5):
        executor.spin_once(timeout_sec=0.03)
    assert len(asked) == count
