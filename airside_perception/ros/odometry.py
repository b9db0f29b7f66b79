"""Odometry messages as states of the vehicle, and whether one fits the one before."""

from __future__ import annotations

import numpy as np
from nav_msgs.msg import Odometry

from airside_perception.ego_motion import EgoState
from airside_perception.errors import AirsideError
from airside_perception.geometry import invert_transform, log_se3
from airside_perception.ros.transforms import transform_from_parts

_JUMP_RAD = 0.5
"""A heading that turns farther than this beyond its rate is a jump, too."""


def ego_state(message: Odometry, stamp_ns: int) -> EgoState:
    """State of the vehicle that a nav_msgs/Odometry tells.

    Raises:
        AirsideError: pose or twist not finite, or no unit quaternion.
    """
    pose, twist = message.pose.pose, message.twist.twist
    velocity = np.array([twist.linear.x, twist.linear.y, twist.linear.z])
    if not np.isfinite([*velocity, twist.angular.z]).all():
        raise AirsideError(f"expected a finite twist, got linear {velocity.tolist()}, angular z {twist.angular.z}")
    odom_from_base = transform_from_parts(pose.position, pose.orientation)
    return EgoState(stamp_ns, odom_from_base, velocity, float(twist.angular.z))


class JumpDetector:
    """Tells when the pose moved farther between two messages than the vehicle can have driven.

    Odometry that starts anew, or a localisation that corrects itself, moves the fixed frame under
    all tracks: they must be forgotten.

    Args:
        jump_m: distance beyond what the velocity explains, metres; 0: never a jump.
    """

    def __init__(self, jump_m: float):
        self._jump_m = jump_m
        self._last: EgoState | None = None

    def jumped(self, state: EgoState) -> str:
        """What jumped, in words; empty where `state` follows from the one before, or time went back."""
        last, self._last = self._last, state
        if last is None or self._jump_m <= 0:
            return ""
        seconds = (state.stamp_ns - last.stamp_ns) / 1e9
        if seconds < 0:
            return ""
        motion = log_se3(invert_transform(last.odom_from_base) @ state.odom_from_base)
        moved, turned = float(np.linalg.norm(motion[:3])), float(np.linalg.norm(motion[3:]))
        speed = max(np.linalg.norm(last.linear_velocity), np.linalg.norm(state.linear_velocity))
        rate = max(abs(last.yaw_rate), abs(state.yaw_rate))
        if moved > self._jump_m + speed * seconds:
            return f"the pose moved {moved:.1f} m in {seconds:.2f} s at {speed:.1f} m/s"
        if turned > _JUMP_RAD + rate * seconds:
            return f"the heading turned {turned:.1f} rad in {seconds:.2f} s at {rate:.1f} rad/s"
        return ""
