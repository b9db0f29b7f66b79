"""A tracking node and a peer that talks to it, in one process but over the real middleware."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from ros_scenes import STAMP_NS, RepeatingPipeline, make_rig
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Float64, String
from visualization_msgs.msg import MarkerArray

from airside_perception.geometry import Camera, Rig
from airside_perception.ros.messages import header, image_message, jpeg_message
from airside_perception.ros.tracking_node import TrackingNode

PERIOD_NS = 300_000_000
"""Of the stamps; longer than a busy machine needs for a frame, so that slowness is no finding by itself."""
NAMESPACE = "airside_perception"
PREFIX = f"/{NAMESPACE}/tracking"


def wait_for(condition: Callable[[], Any], spin: Callable[[], None], timeout_s: float = 60.0) -> Any:
    """Spin until the condition holds; its value, or an assertion error."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        spin()
    raise AssertionError(f"did not happen within {timeout_s} s: {condition}")


class Listener:
    """Subscribes to the node's outputs and keeps what came, by topic."""

    def __init__(self, node: Any, cameras: tuple[str, ...] = (), prefix: str = PREFIX):
        self.received: dict[str, list[Any]] = defaultdict(list)
        self._node, self._prefix = node, prefix
        latched = QoSProfile(
            depth=10, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL
        )
        topics: list[tuple[type, str, Any]] = [
            (MarkerArray, "tracks/markers", 10),
            (PointCloud2, "occupancy/voxels", 10),
            (PointCloud2, "occupancy/unobserved", 10),
            (OccupancyGrid, "occupancy/grid", latched),
            (String, "explanations/tracks", latched),
            (Float64, "latency/total", 10),
        ]
        for kind, topic, qos in topics:
            node.create_subscription(kind, f"{prefix}/{topic}", self.received[topic].append, qos)
        node.create_subscription(DiagnosticArray, "/diagnostics", self.received["diagnostics"].append, 10)
        for camera in cameras:
            self.watch_overlay(camera)

    def watch_overlay(self, camera: str) -> Any:
        """Subscribe to a camera's overlays (the node imports torch and renders for it); returns the subscription."""
        topic = f"explanations/{camera}/compressed"
        return self._node.create_subscription(
            CompressedImage, f"{self._prefix}/{topic}", self.received[topic].append, 10
        )

    def forget(self) -> None:
        """As if nothing had been received."""
        for messages in self.received.values():
            messages.clear()

    def stamps(self, topic: str) -> list[int]:
        return [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in self.received[topic]]


class Driver:
    """Publishes camera images, calibration and odometry as drivers would."""

    def __init__(self, node: Any, rig: Rig, compressed: tuple[str, ...] = ()):
        self._node = node
        self.rig = rig
        self.images = {}
        for name in rig.names:
            topic = f"/camera/{name}/image_raw"
            self.images[name] = (
                node.create_publisher(CompressedImage, f"{topic}/compressed", 10)
                if name in compressed
                else node.create_publisher(Image, topic, 10)
            )
        self.infos = {n: node.create_publisher(CameraInfo, f"/camera/{n}/camera_info", 10) for n in rig.names}
        self.odometry = node.create_publisher(Odometry, "/odom", 10)
        self._compressed = compressed
        self.index = 0

    def next_stamp(self) -> int:
        """Stamp of the next frame."""
        self.index += 1
        return STAMP_NS + (self.index - 1) * PERIOD_NS

    def send_frame(
        self, without: tuple[str, ...] = (), shade: int = 80, x: float | None = 0.0, replaced: Any = None
    ) -> int:
        """Odometry and one image of each camera; returns the stamp.

        Args:
            without: cameras that stay silent.
            shade: grey level of the images.
            x: position of the vehicle; None: no odometry.
            replaced: (camera name, function of the stamp): publishes that instead of the camera's image.
        """
        stamp_ns = self.next_stamp()
        if x is not None:
            self.odometry.publish(odometry_message(stamp_ns, x))
        for name in self.rig.names:
            if replaced is not None and name == replaced[0]:
                self.images[name].publish(replaced[1](stamp_ns))
            elif name not in without:
                self.images[name].publish(self.image(name, stamp_ns, shade))
        return stamp_ns

    def image(self, name: str, stamp_ns: int, shade: int = 80) -> Image | CompressedImage:
        camera = self.rig.cameras[name]
        rgb = np.full((camera.height, camera.width, 3), shade, np.uint8)
        if name in self._compressed:
            return jpeg_message(rgb, stamp_ns, f"{name}_optical_frame")
        return image_message(rgb, stamp_ns, f"{name}_optical_frame")


def odometry_message(stamp_ns: int, x: float = 0.0) -> Odometry:
    message = Odometry(header=header(stamp_ns, "odom"), child_frame_id="base_link")
    message.pose.pose.position.x = x
    message.pose.pose.orientation.w = 1.0
    return message


def info_message(camera: Camera, stamp_ns: int) -> CameraInfo:
    return CameraInfo(
        header=header(stamp_ns, f"{camera.name}_optical_frame"),
        width=camera.width,
        height=camera.height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=camera.intrinsics.ravel(),
    )


class LiveSetup:
    """Node under test and a peer node, each on its own executor, spun in turns by the test."""

    def __init__(
        self,
        folder: Path,
        compressed: tuple[str, ...] = (),
        remaps: tuple[str, ...] = (),
        rig: Rig | None = None,
        namespace: str = NAMESPACE,
        **parameters: Any,
    ):
        self.rig = rig or make_rig()
        self.prefix = f"/{namespace}/tracking"
        rig_file = folder / "rig.yaml"
        self.rig.save(rig_file)
        self.pipelines: list[RepeatingPipeline] = []
        overrides = {"rig.file": str(rig_file), "ros.diagnostics_period_s": 0.2, **parameters}
        self.node = TrackingNode(
            self._build,
            namespace=namespace,
            cli_args=["--ros-args", *(word for remap in remaps for word in ("-r", remap))],
            parameter_overrides=[Parameter(name, value=value) for name, value in overrides.items()],
        )
        self.peer = rclpy.create_node("peer")
        self.executors = [SingleThreadedExecutor(), SingleThreadedExecutor()]
        for executor, node in zip(self.executors, (self.node, self.peer), strict=True):
            executor.add_node(node)
        self.driver = Driver(self.peer, self.rig, compressed)
        self.listener = Listener(self.peer, prefix=self.prefix)

    def _build(self, config: Any, rig: Rig) -> RepeatingPipeline:
        self.pipelines.append(RepeatingPipeline(config))
        return self.pipelines[-1]

    def spin(self) -> None:
        for executor in self.executors:
            executor.spin_once(timeout_sec=0.002)

    def wait(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        return wait_for(condition, self.spin, timeout_s)

    def connect(self) -> None:
        """Wait until the node hears every camera and the odometry, and the peer hears the node."""
        publishers = [*self.driver.images.values(), *self.driver.infos.values(), self.driver.odometry]
        self.wait(lambda: all(publisher.get_subscription_count() for publisher in publishers))
        self.wait(lambda: self.peer.count_publishers(f"{self.prefix}/tracks/markers"))

    @property
    def pipeline(self) -> RepeatingPipeline:
        """The one built last."""
        return self.pipelines[-1]

    def activate(self) -> None:
        """Configure if need be, activate, and wait until everybody hears everybody."""
        if self.node.state == "unconfigured":
            assert self.node.trigger_configure() == TransitionCallbackReturn.SUCCESS, self.node.failure
        assert self.node.trigger_activate() == TransitionCallbackReturn.SUCCESS, self.node.failure
        self.connect()

    def rest(self) -> None:
        """Deactivate and forget what was heard, so that the next test finds the node as new."""
        self.pipeline.go_on.set()
        self.pipeline.delay_s, self.pipeline.failure = 0.0, None
        if self.node.state == "active":
            self.node.trigger_deactivate()
        for _ in range(20):
            self.spin()
        self.pipeline.frames.clear()
        self.listener.forget()

    def frames_until(self, condition: Callable[[], Any], **changes: Any) -> Any:
        """Send frames at the usual pace until the condition holds."""
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            self.driver.send_frame(**changes)
            pause = time.monotonic() + 0.03
            # One round serves one message: on a busy machine the node must not fall behind its own test.
            rounds = 2 * len(self.rig.names)
            while time.monotonic() < pause or rounds > 0:
                self.spin()
                rounds -= 1
        raise AssertionError(f"did not happen within 60 s: {condition}; diagnostics: {self.status('summary')}")

    def status(self, name: str) -> tuple[int, str, dict[str, str]]:
        """The node's newest diagnostic status of that name, as (level, message, values); stale while there is none."""
        for array in reversed(self.listener.received["diagnostics"]):
            for status in array.status:
                if status.name == f"{self.prefix[1:]}: {name}":
                    return status.level[0], status.message, {item.key: item.value for item in status.values}
        return 3, "", {}

    def node_time_s(self) -> float:
        """Time by the node's clock."""
        return self.node.get_clock().now().nanoseconds / 1e9

    def figures(self, name: str) -> dict[str, str]:
        """Values of that status."""
        return self.status(name)[2]

    def close(self) -> None:
        self.node.trigger_shutdown()
        for executor in self.executors:
            executor.shutdown()
        self.node.destroy_node()
        self.peer.destroy_node()
