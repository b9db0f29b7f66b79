"""The vehicle's state from TF, for vehicles that publish odom -> base_link and no nav_msgs/Odometry."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from airside_perception.ego_motion import EgoState
from airside_perception.geometry import invert_transform, log_se3

_PERIOD_S = 0.02
_BASELINE_S = 0.2
_LONGEST_GAP_S = 1.0

Lookup = Callable[[], tuple[int, np.ndarray] | None]
"""() -> (stamp in integer nanoseconds, (4, 4) odom_from_base) of the latest transform; None while unknown."""


class MotionFromPoses:
    """Velocity and yaw rate from the poses of the last fifth of a second.

    The difference of neighbouring poses would multiply their noise by the rate (100 Hz and 1 mm are 0.14 m/s).
    """

    def __init__(self) -> None:
        self._recent: deque[tuple[int, np.ndarray]] = deque()

    def add(self, stamp_ns: int, odom_from_base: np.ndarray) -> EgoState | None:
        """State at a pose, or None for a pose that is known already.

        The first pose, and the first after a gap or after time went back, counts as standing.

        Args:
            stamp_ns: integer nanoseconds.
            odom_from_base: (4, 4).
        """
        if self._recent and stamp_ns == self._recent[-1][0]:
            return None
        if self._recent and not 0 < stamp_ns - self._recent[-1][0] < _LONGEST_GAP_S * 1e9:
            self._recent.clear()
        self._recent.append((stamp_ns, odom_from_base))
        while len(self._recent) > 2 and stamp_ns - self._recent[1][0] >= _BASELINE_S * 1e9:
            self._recent.popleft()
        first_ns, first = self._recent[0]
        if first_ns == stamp_ns:
            return EgoState(stamp_ns, odom_from_base, np.zeros(3), 0.0)
        twist = log_se3(invert_transform(first) @ odom_from_base) / ((stamp_ns - first_ns) / 1e9)
        return EgoState(stamp_ns, odom_from_base, twist[:3], float(twist[5]))

    def forget(self) -> None:
        """Begin anew, after a jump of the fixed frame."""
        self._recent.clear()


class TfOdometry:
    """Asks TF for the latest pose, fifty times a second, while started.

    Args:
        node: owns the timer.
        lookup: tells the latest transform, such as `TransformListener.lookup_stamped` of two frames.
        handler: told of each new state, on the node's thread.
    """

    def __init__(self, node: Node, lookup: Lookup, handler: Callable[[EgoState], None]):
        self._node = node
        self._lookup = lookup
        self._handler = handler
        self._motion = MotionFromPoses()
        self._timer: Any = None

    def start(self) -> None:
        """Begin to ask."""
        # Wall time: simulated time may stand still, and then nothing new is known, which is cheap to find out.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self._node.create_timer(_PERIOD_S, self._ask, clock=clock)

    def stop(self) -> None:
        """Ask no more; may be called again."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        self._motion.forget()

    def forget(self) -> None:
        """After a jump: velocities must not be taken across it."""
        self._motion.forget()

    def _ask(self) -> None:
        latest = self._lookup()
        state = self._motion.add(*latest) if latest is not None else None
        if state is not None:
            self._handler(state)
