"""A rig of cameras that publishes at a steady rate, for benchmarks of the middleware and the node."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from geometry_msgs.msg import Quaternion
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Image

from airside_perception.geometry.se3 import matrix_to_quaternion
from airside_perception.records import RigFrame
from airside_perception.ros.messages import header, image_message


def sensor_qos(reliable: bool) -> QoSProfile:
    """Keep the last two images, as the node does."""
    reliability = QoSReliabilityPolicy.RELIABLE if reliable else QoSReliabilityPolicy.BEST_EFFORT
    return QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=2, reliability=reliability)


class CameraPublishers:
    """Raw images of all cameras and odometry of a vehicle that drives at 2 m/s.

    Args:
        node: publishes.
        names: of the cameras.
        size: width, height in pixels.
        reliable: reliability of the publishers.
        drive: recorded frames to show forth and back, with their poses, so that the vehicle never jumps; None: noise.
    """

    def __init__(
        self,
        node: Node,
        names: tuple[str, ...],
        size: tuple[int, int],
        reliable: bool = False,
        drive: Sequence[RigFrame] | None = None,
    ):
        qos = sensor_qos(reliable)
        self._node = node
        self._images = {name: node.create_publisher(Image, f"/camera/{name}/image_raw", qos) for name in names}
        self._odometry = node.create_publisher(Odometry, "/odom", 10)
        self._picture = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        self._drive = drive
        self.sent = 0

    def wait_for_subscribers(self, spin: Callable[[], None], timeout_s: float = 120.0) -> bool:
        """Until every camera is subscribed to; False after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if all(publisher.get_subscription_count() for publisher in self._images.values()):
                return True
            spin()
        return False

    def send(self) -> None:
        """One frame, stamped now."""
        stamp_ns = self._node.get_clock().now().nanoseconds
        odometry = Odometry(header=header(stamp_ns, "odom"), child_frame_id="base_link")
        odometry.twist.twist.linear.x = 2.0
        if self._drive is None:
            odometry.pose.pose.position.x = 0.2 * self.sent
            odometry.pose.pose.orientation.w = 1.0
            # Rolled, so that no two frames are alike.
            picture = np.ascontiguousarray(np.roll(self._picture, 3 * self.sent, axis=1))
            pictures = dict.fromkeys(self._images, picture)
        else:
            step = self.sent % max(2 * len(self._drive) - 2, 1)
            frame = self._drive[min(step, 2 * len(self._drive) - 2 - step)]
            w, x, y, z = (float(value) for value in matrix_to_quaternion(frame.odom_from_base[:3, :3]))
            odometry.pose.pose.orientation = Quaternion(w=w, x=x, y=y, z=z)
            position = odometry.pose.pose.position
            position.x, position.y, position.z = (float(value) for value in frame.odom_from_base[:3, 3])
            pictures = {name: image.image for name, image in frame.images.items()}
        self._odometry.publish(odometry)
        for name, picture in pictures.items():
            self._images[name].publish(image_message(picture, stamp_ns, f"{name}_optical_frame"))
        self.sent += 1
