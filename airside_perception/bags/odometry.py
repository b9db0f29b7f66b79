"""The vehicle's pose and motion from a recording: `nav_msgs/Odometry`, or /tf where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from airside_perception.bags.events import OdometryEvent
from airside_perception.bags.frame_tree import FrameTree, clean_frame, pose_of
from airside_perception.bags.storage import stamp_of
from airside_perception.geometry.se3 import invert_transform, log_se3

_PREFERRED_ROOTS = ("odom", "map")
_NS_PER_S = 1_000_000_000


class MessageOdometry:
    """Odometry from `nav_msgs/Odometry`; its child frame may be another fixed frame of the vehicle.

    Attributes:
        topics: the one topic to read.
        fixed_frame: frame of the poses.
    """

    def __init__(self, topic: str, first: Any, static: FrameTree, base_frame: str) -> None:
        self.topics = (topic,)
        self.fixed_frame = clean_frame(first.header.frame_id) or "odom"
        child = clean_frame(first.child_frame_id) or base_frame
        found = static.lookup(child, base_frame)
        self._child_from_base = np.eye(4) if found is None else found

    def events(self, message: Any, log_time: int) -> Iterator[OdometryEvent]:
        """The event of one message; none where the pose is not a number."""
        try:
            pose = pose_of(message.pose.pose) @ self._child_from_base
        except ValueError:
            return
        linear, angular = message.twist.twist.linear, message.twist.twist.angular
        spin = np.array([angular.x, angular.y, angular.z])
        rotation = self._child_from_base[:3, :3].T
        # A point away from the child frame's origin also moves by the rotation about it.
        velocity = rotation @ (np.array([linear.x, linear.y, linear.z]) + np.cross(spin, self._child_from_base[:3, 3]))
        values = np.concatenate([pose.ravel(), velocity, spin])
        if np.all(np.isfinite(values)):
            yield OdometryEvent(stamp_of(message.header, log_time), pose, velocity, float((rotation @ spin)[2]))


class TransformOdometry:
    """Odometry from /tf: poses of the base frame in odom (or map, or the tree's root).

    Velocities are differences of consecutive poses.

    Attributes:
        topics: the topics to read.
        fixed_frame: frame of the poses; empty until `try_to_root` found it.
    """

    def __init__(self, topics: tuple[str, ...], static: FrameTree, base_frame: str) -> None:
        self.topics = topics
        self.fixed_frame = ""
        self._base_frame = base_frame
        self._tree = static.copy()
        self._moving: set[str] = set()
        self._previous: OdometryEvent | None = None

    def try_to_root(self, message: Any) -> bool:
        """Look for the fixed frame with one more TFMessage; True once it is found for sure."""
        self._tree.add(message.transforms)
        self._moving |= {clean_frame(stamped.child_frame_id) for stamped in message.transforms}
        ancestors = self._tree.ancestors(self._base_frame)
        if not any(frame in self._moving for frame in ancestors[:-1]):
            return False
        preferred = [frame for frame in _PREFERRED_ROOTS if frame in ancestors]
        self.fixed_frame = preferred[0] if preferred else ancestors[-1]
        return self.fixed_frame == _PREFERRED_ROOTS[0]

    def events(self, message: Any, log_time: int) -> Iterator[OdometryEvent]:
        """The event of one TFMessage, if it moves the base frame."""
        self._tree.add(message.transforms)
        ancestors = self._tree.ancestors(self._base_frame)
        if self.fixed_frame not in ancestors:
            return
        links = set(ancestors[: ancestors.index(self.fixed_frame)])
        stamps = [stamp_of(t.header, log_time) for t in message.transforms if clean_frame(t.child_frame_id) in links]
        pose = self._tree.lookup(self.fixed_frame, self._base_frame)
        if not stamps or pose is None or not np.all(np.isfinite(pose)):
            return
        event = self._with_velocity(max(stamps), pose)
        if event is not None:
            self._previous = event
            yield event

    def _with_velocity(self, stamp_ns: int, pose: np.ndarray) -> OdometryEvent | None:
        previous = self._previous
        if previous is None or stamp_ns < previous.stamp_ns:
            return OdometryEvent(stamp_ns, pose, np.zeros(3), 0.0)
        if stamp_ns == previous.stamp_ns:
            return None
        seconds = (stamp_ns - previous.stamp_ns) / _NS_PER_S
        twist = log_se3(invert_transform(previous.odom_from_base) @ pose) / seconds
        return OdometryEvent(stamp_ns, pose, twist[:3], float(twist[5]))
