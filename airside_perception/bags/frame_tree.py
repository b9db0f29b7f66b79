"""The transform tree of a recording: fixed mounts, and the vehicle's pose where only /tf has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from airside_perception.geometry.se3 import invert_transform, make_transform, quaternion_to_matrix


def clean_frame(frame: str) -> str:
    """Frame name without the leading slash of ROS 1 times."""
    return frame.lstrip("/")


def transform_of(message: Any) -> np.ndarray:
    """(4, 4) of a `geometry_msgs/Transform` (quaternions there are x, y, z, w)."""
    q, t = message.rotation, message.translation
    return make_transform(quaternion_to_matrix([q.w, q.x, q.y, q.z]), [t.x, t.y, t.z])


def pose_of(message: Any) -> np.ndarray:
    """(4, 4) of a `geometry_msgs/Pose`."""
    q, p = message.orientation, message.position
    return make_transform(quaternion_to_matrix([q.w, q.x, q.y, q.z]), [p.x, p.y, p.z])


class FrameTree:
    """Parent, pose and children of each frame; the newest transform of a frame wins."""

    def __init__(self) -> None:
        self._parents: dict[str, tuple[str, np.ndarray]] = {}

    def add(self, transforms: Iterable[Any]) -> None:
        """Take in the `geometry_msgs/TransformStamped` of a TFMessage; malformed rotations are left out."""
        for stamped in transforms:
            try:
                pose = transform_of(stamped.transform)
            except ValueError:
                continue
            self._parents[clean_frame(stamped.child_frame_id)] = (clean_frame(stamped.header.frame_id), pose)

    def copy(self) -> FrameTree:
        """A tree with the same content that can grow on its own."""
        other = FrameTree()
        other._parents = dict(self._parents)
        return other

    def ancestors(self, frame: str) -> list[str]:
        """The frame itself, its parent, and so on up to the root."""
        return list(self._path_to_root(frame))

    def __contains__(self, frame: str) -> bool:
        return frame in self._parents or any(parent == frame for parent, _ in self._parents.values())

    def lookup(self, target: str, source: str) -> np.ndarray | None:
        """(4, 4) target_from_source, or None where the two frames are not connected."""
        upwards = self._path_to_root(source)
        downwards = self._path_to_root(target)
        shared = next((frame for frame in upwards if frame in downwards), None)
        if shared is None:
            return None
        return invert_transform(downwards[shared]) @ upwards[shared]

    def _path_to_root(self, frame: str) -> dict[str, np.ndarray]:
        """Ancestor -> ancestor_from_frame, nearest first, the frame itself included."""
        path = {frame: np.eye(4)}
        current = frame
        while current in self._parents:
            parent, pose = self._parents[current]
            if parent in path:  # a loop in the tree
                break
            path[parent] = pose @ path[current]
            current = parent
        return path
