"""What `airside doctor --live` hears: topics, rates, sizes, stamps and calibration of a running vehicle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from airside_perception.config import Config, RosConfig
from airside_perception.errors import AirsideError
from airside_perception.findings import Finding
from airside_perception.geometry import Rig
from airside_perception.resources import find_file
from airside_perception.ros.calibration import (
    camera_from_message,
    camera_info_topic,
    discover_cameras,
    image_topic,
    same_calibration,
)
from airside_perception.ros.live_image import decode_message
from airside_perception.ros.messages import stamp_from_message
from airside_perception.ros.middleware import use_shared_memory_profile
from airside_perception.ros.odometry import ego_state
from airside_perception.ros.transforms import TransformListener, has_tf

_DISCOVERY_S = 6.0
"""The middleware takes up to some seconds to tell of topics that exist."""

_SETTLE_S = 1.0
"""After the first camera the others are waited for."""

_OLD_S = 0.5
"""Images that are older than this when they arrive are told of."""


@dataclass
class _Stream:
    """What came on one topic."""

    topic: str
    publishers: int = 0
    count: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    ages_s: list[float] = field(default_factory=list)
    latest: Any = None

    def heard(self, message: Any, now_ns: int) -> None:
        now_s = time.monotonic()
        self.first_s = self.first_s if self.count else now_s
        self.last_s = now_s
        self.count += 1
        self.latest = message
        self.ages_s.append((now_ns - stamp_from_message(message.header.stamp)) / 1e9)

    @property
    def rate_hz(self) -> float:
        return (self.count - 1) / (self.last_s - self.first_s) if self.count > 1 and self.last_s > self.first_s else 0.0

    @property
    def age_s(self) -> float:
        """Median age on arrival."""
        return sorted(self.ages_s)[len(self.ages_s) // 2] if self.ages_s else 0.0


def examine_live(config: Config, seconds: float) -> Iterator[Finding]:
    """Listen for a while, as the tracking node would, and tell what came.

    Args:
        config: topics, rig file and cameras.
        seconds: how long to listen.

    Raises:
        AirsideError: the rig file cannot be used.
    """
    use_shared_memory_profile()
    context = Context()
    context.init()
    listener = _Listener(config, context)
    try:
        listener.listen(seconds)
        yield from listener.findings()
    finally:
        listener.close()
        context.try_shutdown()


class _Listener:
    """Subscribes to all cameras of the rig, or to all that publish camera_info, and to the odometry."""

    def __init__(self, config: Config, context: Context):
        self._ros: RosConfig = config.ros
        self._node: Node = rclpy.create_node("airside_doctor", context=context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        rig = Rig.load(find_file(config.rig.file, "rig file (rig.file)")) if config.rig.file else None
        self._rig = rig.subset(config.rig.cameras) if rig and config.rig.cameras else rig
        self._wanted = self._rig.names if self._rig else config.rig.cameras
        self._images: dict[str, _Stream] = {}
        self._infos: dict[str, _Stream] = {}
        self._odometry = _Stream(config.ros.odometry_topic)
        self._transforms: TransformListener | None = None

    def listen(self, seconds: float) -> None:
        """Find the topics, then count what comes."""
        for name in self._find_cameras():
            rig = self._rig or Rig({})
            self._subscribe_image(name, image_topic(rig, self._ros, name))
            self._infos[name] = self._subscribe(CameraInfo, camera_info_topic(rig, self._ros, name))
        if self._ros.odometry_source == "topic":
            self._odometry = self._subscribe(Odometry, self._ros.odometry_topic)
        elif has_tf():
            self._transforms = TransformListener(self._node)
        self._spin(seconds)

    def findings(self) -> Iterator[Finding]:
        """One line per camera and one for the odometry."""
        if not self._images:
            advice = "start the cameras, set ros.camera_info_topic, or check ROS_DOMAIN_ID"
            yield Finding("live cameras", "fail", f"no topic matches {self._ros.camera_info_topic}", advice)
        for name in self._images:
            yield self._camera_finding(name)
        yield self._odometry_finding() if self._ros.odometry_source == "topic" else self._transform_finding()

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()

    def _find_cameras(self) -> tuple[str, ...]:
        """The cameras asked for, or else all that publish camera_info, once the middleware knows of them."""
        deadline = time.monotonic() + _DISCOVERY_S
        while time.monotonic() < deadline and not list(discover_cameras(self._node, self._ros)):
            self._spin(0.1)
        self._spin(_SETTLE_S)
        return self._wanted or tuple(sorted(discover_cameras(self._node, self._ros)))

    def _spin(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)

    def _subscribe_image(self, name: str, topic: str) -> None:
        compressed = not self._node.count_publishers(topic) and self._node.count_publishers(f"{topic}/compressed")
        kind, topic = (CompressedImage, f"{topic}/compressed") if compressed else (Image, topic)
        self._images[name] = self._subscribe(kind, topic)

    def _subscribe(self, kind: type, topic: str) -> _Stream:
        stream = _Stream(topic, self._node.count_publishers(topic))
        clock = self._node.get_clock()
        self._node.create_subscription(
            kind, topic, lambda message: stream.heard(message, clock.now().nanoseconds), qos_profile_sensor_data
        )
        return stream

    def _camera_finding(self, name: str) -> Finding:
        topic, stream = f"live {name}", self._images[name]
        if not stream.count:
            if not stream.publishers:
                advice = "start the driver, or set ros.image_topic (rig file: key topic)"
                return Finding(topic, "fail", f"nobody publishes {stream.topic}", advice)
            advice = "check the driver, its QoS, and config/fastdds_shm.xml on both sides"
            return Finding(topic, "fail", f"{stream.topic} has a publisher, but nothing came", advice)
        detail = f"{stream.topic}: {stream.rate_hz:.1f} Hz, {1e3 * stream.age_s:.0f} ms old on arrival"
        complaint, advice = self._complaint(name, stream)
        return Finding(topic, "warn", f"{detail}; {complaint}", advice) if complaint else Finding(topic, "ok", detail)

    def _complaint(self, name: str, stream: _Stream) -> tuple[str, str]:
        """What is wrong with a camera that delivers, and what to do; empty where nothing is."""
        info = self._infos[name].latest
        known = self._rig.cameras.get(name) if self._rig else None
        try:
            # Where the camera is mounted plays no part in any of this.
            told = known if info is None else camera_from_message(name, info, np.eye(4))
            if told is None:
                return "no camera_info", "publish it, or give a rig file (rig.file)"
            decode_message(stream.latest, told)
        except ValueError as error:
            return str(error), "the tracking node will leave this camera out until that is mended"
        if known is not None and not same_calibration(known.with_pose(told.base_from_camera), told):
            return "camera_info differs from the rig file", "the tracking node will use camera_info; mend one of them"
        if abs(stream.age_s) > _OLD_S:
            return "stamps are not of this clock", "synchronise the clocks (PTP, NTP), or set use_sim_time for bags"
        return "", ""

    def _transform_finding(self) -> Finding:
        name, frames = "live odometry", f"TF {self._ros.odom_frame} -> {self._ros.base_frame}"
        if self._transforms is None:
            return Finding(name, "fail", "tf2_ros is not installed", "install it, or set ros.odometry_source to topic")
        try:
            found = self._transforms.lookup(self._ros.odom_frame, self._ros.base_frame)
        except AirsideError as error:
            return Finding(name, "fail", f"{frames}: {error}", "mend who publishes it")
        if found is None:
            advice = "start who publishes it, or set ros.odom_frame and ros.base_frame"
            return Finding(name, "fail", f"{frames}: not known", advice)
        return Finding(name, "ok", frames)

    def _odometry_finding(self) -> Finding:
        stream = self._odometry
        if not stream.count:
            advice = "start it, or set ros.odometry_topic: without odometry no frame is processed"
            return Finding("live odometry", "fail", f"nothing on {stream.topic}", advice)
        detail = f"{stream.topic}: {stream.rate_hz:.1f} Hz, {1e3 * stream.age_s:.0f} ms old on arrival"
        try:
            ego_state(stream.latest, stamp_from_message(stream.latest.header.stamp))
        except AirsideError as error:
            return Finding("live odometry", "fail", f"{detail}; {error}", "mend the odometry")
        return Finding("live odometry", "ok", detail)
