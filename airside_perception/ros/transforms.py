"""Between transforms of the package (4x4, target_from_source) and ROS messages, and the rig from live topics.

tf2_ros and tf2_msgs belong to ROS distributions and are not on PyPI: they are imported where they
are needed. Where they are missing, extrinsics come from the rig file, never from an identity.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose, Quaternion, TransformStamped
from rclpy.node import Node

from airside_perception.errors import AirsideError
from airside_perception.geometry import Rig, make_transform, matrix_to_quaternion, quaternion_to_matrix
from airside_perception.ros.messages import header, point, stamp_from_message, vector


def quaternion_message(rotation: np.ndarray) -> Quaternion:
    """(3, 3) or (4, 4) as geometry_msgs/Quaternion (x, y, z, w)."""
    w, x, y, z = (float(value) for value in matrix_to_quaternion(rotation))
    return Quaternion(x=x, y=y, z=z, w=w)


def pose_message(transform: np.ndarray) -> Pose:
    """(4, 4) as geometry_msgs/Pose."""
    return Pose(position=point(transform[:3, 3]), orientation=quaternion_message(transform))


def transform_from_parts(translation: Any, rotation: Quaternion) -> np.ndarray:
    """(4, 4) from a message's position (x, y, z) and quaternion.

    Raises:
        AirsideError: not finite, or a quaternion of length zero (a message nobody filled in).
    """
    position = np.array([translation.x, translation.y, translation.z])
    quaternion = np.array([rotation.w, rotation.x, rotation.y, rotation.z])
    if not (np.isfinite(position).all() and np.isfinite(quaternion).all()):
        raise AirsideError(f"expected a finite pose, got translation {position.tolist()}")
    if abs(float(np.linalg.norm(quaternion)) - 1.0) > 0.1:
        raise AirsideError(f"expected a unit quaternion, got (w, x, y, z) = {quaternion.tolist()}")
    return make_transform(quaternion_to_matrix(quaternion), position)


def transform_message(target_from_source: np.ndarray, stamp_ns: int, target: str, source: str) -> TransformStamped:
    """A (4, 4) pose of frame `source` in frame `target` as geometry_msgs/TransformStamped."""
    message = TransformStamped(header=header(stamp_ns, target), child_frame_id=source)
    message.transform.translation = vector(target_from_source[:3, 3])
    message.transform.rotation = quaternion_message(target_from_source)
    return message


def has_tf() -> bool:
    """True where tf2_ros is installed."""
    return importlib.util.find_spec("tf2_ros") is not None


class TransformListener:
    """Transforms from TF.

    Raises:
        AirsideError: tf2_ros is not installed.
    """

    def __init__(self, node: Node):
        if not has_tf():
            raise AirsideError(
                "extrinsics from TF need tf2_ros, which is not installed; give a rig file (parameter rig.file)"
            )
        import tf2_ros

        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def lookup(self, target: str, source: str) -> np.ndarray | None:
        """(4, 4) target_from_source, the latest known; None while it is unknown (never an identity)."""
        found = self.lookup_stamped(target, source)
        return None if found is None else found[1]

    def lookup_stamped(self, target: str, source: str) -> tuple[int, np.ndarray] | None:
        """The same with its stamp, integer nanoseconds; 0 for a chain of static transforms."""
        import tf2_ros
        from rclpy.time import Time

        try:
            stamped = self._buffer.lookup_transform(target, source, Time())
        except tf2_ros.TransformException:
            return None
        pose = transform_from_parts(stamped.transform.translation, stamped.transform.rotation)
        return stamp_from_message(stamped.header.stamp), pose

    def close(self) -> None:
        """Unsubscribe from /tf and /tf_static."""
        self._listener.unregister()


def broadcast_rig(node: Node, rig: Rig, base_frame: str, optical_frames: Iterable[str], stamp_ns: int) -> Any:
    """Publish the rig's extrinsics as latched static transforms.

    Args:
        node: publishes.
        rig: extrinsics.
        base_frame: parent of all.
        optical_frames: child frame of each camera, in the rig's order.
        stamp_ns: stamp of the transforms.

    Returns:
        The broadcaster: keep it for as long as the transforms shall be heard.

    Raises:
        AirsideError: tf2_ros is not installed.
    """
    if not has_tf():
        raise AirsideError("ros.publish_tf needs tf2_ros, which is not installed; set it to false")
    import tf2_ros

    broadcaster = tf2_ros.StaticTransformBroadcaster(node)
    broadcaster.sendTransform(
        [
            transform_message(camera.base_from_camera, stamp_ns, base_frame, frame)
            for camera, frame in zip(rig.cameras.values(), optical_frames, strict=True)
        ]
    )
    return broadcaster
