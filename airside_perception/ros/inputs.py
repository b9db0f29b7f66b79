"""The node's subscriptions. Callbacks only take note of the message: decoding is the worker's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from airside_perception.config import RosConfig
from airside_perception.errors import AirsideError
from airside_perception.geometry import Rig
from airside_perception.ros.calibration import camera_info_topic, image_topic

_TRANSPORT_CHECK_S = 0.2


@dataclass(frozen=True)
class InputHandlers:
    """Who is told of what; all are called on the receiving thread."""

    image: Callable[[str, Image | CompressedImage], None]
    camera_info: Callable[[str, CameraInfo], None]
    odometry: Callable[[Odometry], None]


class Inputs:
    """Subscribes to every camera of the rig and to the odometry (unless TF tells it), from `start` until `stop`.

    With `ros.image_transport: auto`, each camera's raw topic is taken where somebody publishes it,
    else its compressed one; this is looked at again all the time, so that drivers and bags may come
    and go. Subscribing to both would make image_transport compress for nobody.

    Raises:
        AirsideError: a topic name that ROS does not take, or one topic for several cameras.
    """

    def __init__(self, node: LifecycleNode, rig: Rig, ros: RosConfig, handlers: InputHandlers):
        self._node = node
        self._rig = rig
        self._ros = ros
        self._handlers = handlers
        self._refuse_bad_topics()
        self._fixed: list[Subscription] = []
        self._images: dict[str, tuple[str, Subscription]] = {}
        reliability = getattr(QoSReliabilityPolicy, ros.reliability.upper())
        self._image_qos = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=ros.queue_depth, reliability=reliability)
        # Odometry is interpolated to the anchor stamp: a few samples either side must survive a busy moment.
        self._odometry_qos = QoSProfile(
            history=QoSHistoryPolicy.KEEP_LAST, depth=50, reliability=QoSReliabilityPolicy.BEST_EFFORT
        )
        self._timer: Any = None

    def _refuse_bad_topics(self) -> None:
        """A topic name that ROS does not take is told now, not when images are due."""
        topics = {"ros.odometry_topic": self._ros.odometry_topic}
        for camera in self._rig.names:
            topics[f"image topic of camera {camera}"] = image_topic(self._rig, self._ros, camera)
            topics[f"camera_info topic of camera {camera}"] = camera_info_topic(self._rig, self._ros, camera)
        for what, topic in topics.items():
            try:
                self._node.resolve_topic_name(topic)
            except Exception as error:  # rclpy has one exception class per way to be wrong
                raise AirsideError(f"{what}: {' '.join(str(error).split())}") from error
        if len(set(topics.values())) < len(topics):
            raise AirsideError(
                "ros.image_topic, ros.camera_info_topic: expected a topic of its own for each camera, got "
                f"{self._ros.image_topic!r} and {self._ros.camera_info_topic!r}; put {{camera}} into them"
            )

    def start(self) -> None:
        """Subscribe."""
        if self._ros.odometry_source == "topic":
            odometry = self._subscribe(Odometry, self._ros.odometry_topic, self._handlers.odometry, self._odometry_qos)
            self._fixed.append(odometry)
        for camera in self._rig.names:
            topic = camera_info_topic(self._rig, self._ros, camera)
            self._fixed.append(self._subscribe(CameraInfo, topic, self._bound("camera_info", camera), self._image_qos))
        if self._ros.image_transport == "auto":
            # Wall time: transports must be found while simulated time stands still, too.
            self._timer = self._node.create_timer(
                _TRANSPORT_CHECK_S, self._choose_transports, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )
            self._choose_transports()
        else:
            for camera in self._rig.names:
                self._take(camera, self._ros.image_transport)

    def stop(self) -> None:
        """Unsubscribe; may be called again."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        for subscription in [*self._fixed, *(subscription for _, subscription in self._images.values())]:
            self._node.destroy_subscription(subscription)
        self._fixed.clear()
        self._images.clear()

    def transport(self, camera: str) -> str:
        """ "raw", "compressed", or "none" where neither is published."""
        return self._images[camera][0] if camera in self._images else "none"

    def _choose_transports(self) -> None:
        for camera in self._rig.names:
            topic = image_topic(self._rig, self._ros, camera)
            if self._is_published(topic):
                self._take(camera, "raw")
            elif self._is_published(f"{topic}/compressed"):
                self._take(camera, "compressed")

    def _is_published(self, topic: str) -> bool:
        # Counting does not remap by itself, subscribing does.
        return self._node.count_publishers(self._node.resolve_topic_name(topic)) > 0

    def _take(self, camera: str, transport: str) -> None:
        if self.transport(camera) == transport:
            return
        if camera in self._images:
            self._node.destroy_subscription(self._images.pop(camera)[1])
        topic = image_topic(self._rig, self._ros, camera)
        callback = self._bound("image", camera)
        if transport == "raw":
            subscription = self._subscribe(Image, topic, callback, self._image_qos)
        else:
            subscription = self._subscribe(CompressedImage, f"{topic}/compressed", callback, self._image_qos)
        self._images[camera] = (transport, subscription)
        self._node.get_logger().info(f"camera {camera}: {transport} images from {subscription.topic_name}")

    def _bound(self, handler: str, camera: str) -> Callable[[Any], None]:
        """Callback for one camera's messages."""
        call = getattr(self._handlers, handler)
        return lambda message: call(camera, message)

    def _subscribe(self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile) -> Subscription:
        return self._node.create_subscription(
            kind, topic, callback, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
