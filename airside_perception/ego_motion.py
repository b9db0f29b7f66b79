"""The vehicle's pose at any stamp, from odometry that comes at its own times."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from airside_perception.geometry.se3 import exp_se3, interpolate_transform

_NS_PER_S = 1_000_000_000
_KEEP_S = 5.0


@dataclass(frozen=True, eq=False)
class EgoState:
    """Pose and motion of the vehicle at one stamp.

    Attributes:
        stamp_ns: integer nanoseconds.
        odom_from_base: (4, 4) float64.
        linear_velocity: (3,) float64 m/s, base_link.
        yaw_rate: rad/s about base_link z.
    """

    stamp_ns: int
    odom_from_base: np.ndarray
    linear_velocity: np.ndarray
    yaw_rate: float


class EgoMotion:
    """Recent odometry, interpolated between two messages and extrapolated a little beyond the last.

    Args:
        max_gap_s: farthest distance of a stamp from the nearest odometry message, seconds.
    """

    def __init__(self, max_gap_s: float = 0.5) -> None:
        self._max_gap_ns = round(max_gap_s * _NS_PER_S)
        self._stamps: list[int] = []
        self._states: list[EgoState] = []

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest message, or None."""
        return self._stamps[-1] if self._stamps else None

    def add(self, state: EgoState) -> None:
        """Take in a message; late ones are sorted in, a second one of the same stamp replaces the first."""
        index = bisect_left(self._stamps, state.stamp_ns)
        if index < len(self._stamps) and self._stamps[index] == state.stamp_ns:
            self._states[index] = state
        else:
            self._stamps.insert(index, state.stamp_ns)
            self._states.insert(index, state)
        old = bisect_left(self._stamps, self._stamps[-1] - round(_KEEP_S * _NS_PER_S))
        del self._stamps[:old], self._states[:old]

    def clear(self) -> None:
        """Forget everything."""
        self._stamps.clear()
        self._states.clear()

    def at(self, stamp_ns: int) -> EgoState | None:
        """State at a stamp, or None where no message is within `max_gap_s`.

        Outside the recorded span the nearest message's velocity and yaw rate carry on.
        """
        index = bisect_left(self._stamps, stamp_ns)
        around = self._states[max(index - 1, 0) : index + 1]
        if not around or min(abs(state.stamp_ns - stamp_ns) for state in around) > self._max_gap_ns:
            return None
        if len(around) == 1 or stamp_ns == around[-1].stamp_ns:
            return _carried_on(around[-1], stamp_ns)
        return _between(around[0], around[1], stamp_ns)


def _between(before: EgoState, after: EgoState, stamp_ns: int) -> EgoState:
    alpha = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    return EgoState(
        stamp_ns,
        interpolate_transform(before.odom_from_base, after.odom_from_base, alpha),
        (1 - alpha) * before.linear_velocity + alpha * after.linear_velocity,
        (1 - alpha) * before.yaw_rate + alpha * after.yaw_rate,
    )


def _carried_on(state: EgoState, stamp_ns: int) -> EgoState:
    seconds = (stamp_ns - state.stamp_ns) / _NS_PER_S
    if seconds == 0.0:
        return state
    step = exp_se3(seconds * np.concatenate([state.linear_velocity, [0.0, 0.0, state.yaw_rate]]))
    return EgoState(stamp_ns, state.odom_from_base @ step, state.linear_velocity, state.yaw_rate)
