"""Odometry as states, and what counts as a jump."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from live import odometry_message

from airside_perception.ego_motion import EgoState
from airside_perception.errors import AirsideError
from airside_perception.geometry import pose_from_xyz_yaw
from airside_perception.ros.odometry import JumpDetector, ego_state

pytestmark = pytest.mark.ros


def state(seconds: float, x: float, speed: float = 0.0, yaw: float = 0.0, rate: float = 0.0) -> EgoState:
    pose = pose_from_xyz_yaw(x, 0.0, 0.0, yaw)
    return EgoState(int(seconds * 1e9), pose, np.array([speed, 0.0, 0.0]), rate)


def test_a_message_is_a_state():
    message = odometry_message(1_500_000_000, x=3.0)
    message.twist.twist.linear.x, message.twist.twist.angular.z = 2.0, 0.1
    made = ego_state(message, 1_500_000_000)
    assert (made.odom_from_base[0, 3], made.linear_velocity[0], made.yaw_rate) == (3.0, 2.0, 0.1)


@pytest.mark.parametrize("broken", ["position", "rotation", "twist"])
def test_messages_that_nobody_filled_in_are_refused(broken):
    message = odometry_message(1)
    if broken == "position":
        message.pose.pose.position.y = float("inf")
    elif broken == "rotation":
        message.pose.pose.orientation.w = 0.0
    else:
        message.twist.twist.linear.x = float("nan")
    with pytest.raises(AirsideError, match="expected a"):
        ego_state(message, 1)


def test_what_the_velocity_explains_is_no_jump():
    jumps = JumpDetector(5.0)
    assert jumps.jumped(state(0.0, 0.0, 10.0)) == ""
    assert jumps.jumped(state(1.0, 14.0, 10.0)) == "", "10 m driven and 4 m of error"
    assert jumps.jumped(state(4.0, 44.0, 10.0)) == "", "a gap of three seconds"


def test_a_pose_that_moves_farther_has_jumped_once():
    jumps = JumpDetector(5.0)
    jumps.jumped(state(0.0, 0.0, 1.0))
    assert "the pose moved 20.0 m in 0.10 s at 1.0 m/s" in jumps.jumped(state(0.1, 20.0, 1.0))
    assert jumps.jumped(state(0.2, 20.1, 1.0)) == ""


def test_a_heading_that_turns_on_the_spot_has_jumped():
    jumps = JumpDetector(5.0)
    jumps.jumped(state(0.0, 0.0))
    assert "the heading turned 2.0 rad" in jumps.jumped(state(0.1, 0.0, yaw=2.0))


def test_time_that_goes_back_is_not_for_this_detector_and_zero_switches_it_off():
    jumps = JumpDetector(5.0)
    jumps.jumped(state(5.0, 0.0))
    assert jumps.jumped(state(0.0, 50.0)) == ""
    off = JumpDetector(0.0)
    off.jumped(state(0.0, 0.0))
    assert off.jumped(state(0.1, 500.0)) == ""
