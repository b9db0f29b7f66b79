"""Plays a bag on ROS 2 topics: the serialized messages go out byte for byte, with /clock beside them."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool

from airside_perception.bags import open_sequence
from airside_perception.bags.storage import BagStorage
from airside_perception.errors import AirsideError
from airside_perception.ros.executable import run_with_parameters
from airside_perception.ros.messages import time_message
from airside_perception.ros.middleware import use_shared_memory_profile
from airside_perception.ros.playback_clock import PlaybackClock

_STATIC_PERIOD_S = 1.0
_IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_CALIBRATION_TYPE = "sensor_msgs/msg/CameraInfo"


class BagPlayer(Node):
    """Publishes one bag; `~/pause` (std_srvs/SetBool) stops and resumes.

    Args:
        bag: sequence folder, bag folder or bag file.
        rate: bag seconds per wall second.
        loop: start again at the end; stamps and /clock then jump backwards.
        start_paused: wait for `~/pause` with data: false.
        publish_clock: publish bag time on /clock.
        wait_s: before the first message, wait at most this long until every image topic is subscribed to.

    Raises:
        AirsideError: not a bag, or nothing in it can be published here.
    """

    def __init__(
        self,
        bag: str | Path,
        rate: float = 1.0,
        loop: bool = False,
        start_paused: bool = False,
        publish_clock: bool = True,
        wait_s: float = 0.0,
    ):
        if not rate > 0:
            raise AirsideError(f"rate: expected a number > 0, got {rate}")
        super().__init__("bag_player")
        self._bag = BagStorage(open_sequence(bag).bag_path)
        self._loop = loop
        self._wait_s = wait_s
        self._clock_publisher = self.create_publisher(Clock, "/clock", 10) if publish_clock else None
        self._playback = PlaybackClock(rate, start_paused)
        self._publishers_by_topic: dict[str, Publisher] = {}
        self._image_publishers: list[Publisher] = []
        self._calibrations: dict[str, bytes] = {}
        self._calibrations_sent_s = time.monotonic()
        self._stopping = False
        self.create_service(SetBool, "~/pause", self._on_pause)

    def play(self) -> int:
        """Publish until the bag ends (or for ever with `loop`); returns how many messages went out."""
        published = 0
        self._advertise()
        self._wait_for_subscribers()
        while self._running():
            published += self._play_once()
            if not self._loop:
                break
            self.get_logger().info("starting again from the beginning")
        for publisher in self._publishers_by_topic.values():
            if self.context.ok():
                publisher.wait_for_all_acked(Duration(seconds=2.0))
        return published

    def stop(self) -> None:
        """End `play` soon; from any thread."""
        self._stopping = True

    def _running(self) -> bool:
        return self.context.ok() and not self._stopping

    def close(self) -> None:
        """Close the bag and leave the graph."""
        self._bag.close()
        self.destroy_node()

    def _play_once(self) -> int:
        self._playback.start(self._bag.start_ns)
        published = 0
        for connection, bag_ns, data in self._bag.raw_messages(self._publishers_by_topic):
            if not self._playback.wait_until(bag_ns, self._running, self._tick):
                break
            self._send_clock(bag_ns)
            payload = data if isinstance(data, bytes) else bytes(data)
            if connection.msgtype == _CALIBRATION_TYPE:
                self._calibrations[connection.topic] = payload
            self._publish(self._publishers_by_topic[connection.topic], payload)
            published += 1
        return published

    def _publish(self, publisher: Publisher, message: Any) -> None:
        try:
            publisher.publish(message)
        except rclpy_implementation.RCLError:
            # A signal may shut the middleware down between the check and the call.
            if self.context.ok():
                raise

    def _advertise(self) -> None:
        """One publisher per topic whose message package is installed."""
        skipped: list[str] = []
        for topic, (kind, _) in self._bag.topics.items():
            if topic == "/clock":
                continue
            message_type = _message_type(kind)
            if message_type is None:
                skipped.append(f"{topic} ({kind})")
                continue
            publisher = self.create_publisher(message_type, topic, _qos(topic))
            self._publishers_by_topic[topic] = publisher
            if kind in _IMAGE_TYPES:
                self._image_publishers.append(publisher)
        if skipped:
            self.get_logger().warning(f"not published, message package not installed: {', '.join(sorted(skipped))}")
        if not self._publishers_by_topic:
            raise AirsideError(f"bag {self._bag.path}: no topic of it can be published here")

    def _wait_for_subscribers(self) -> None:
        if self._wait_s > 0:
            self.get_logger().info(f"waiting up to {self._wait_s:g} s until every image topic has a subscriber")
        deadline = time.monotonic() + self._wait_s
        while self._running() and time.monotonic() < deadline:
            if all(publisher.get_subscription_count() for publisher in self._image_publishers):
                # Matched on this side; give the subscriber's side the moment it needs to agree.
                time.sleep(0.2)
                return
            time.sleep(0.05)

    def _tick(self, bag_ns: int) -> None:
        """Between messages: time goes on, and calibration is repeated as a live driver would."""
        self._send_clock(bag_ns)
        if time.monotonic() - self._calibrations_sent_s >= _STATIC_PERIOD_S:
            self._calibrations_sent_s = time.monotonic()
            for topic, data in self._calibrations.items():
                self._publish(self._publishers_by_topic[topic], data)

    def _send_clock(self, bag_ns: int) -> None:
        if self._clock_publisher is not None:
            self._publish(self._clock_publisher, Clock(clock=time_message(bag_ns)))

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._playback.pause(request.data)
        response.success, response.message = True, "paused" if request.data else "playing"
        return response


def _message_type(name: str) -> Any:
    """Python class of "package/msg/Name", or None where the package is not installed."""
    package, _, kind = name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), kind, None)
    except ModuleNotFoundError:
        return None


def _qos(topic: str) -> QoSProfile:
    """Reliable, which serves best-effort subscribers, too; static transforms and maps are latched."""
    static = topic.endswith("/tf_static")
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=100 if static else 10,
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if static else QoSDurabilityPolicy.VOLATILE,
    )


def replay(
    bag: str | Path,
    rate: float = 1.0,
    loop: bool = False,
    start_paused: bool = False,
    publish_clock: bool = True,
    wait_s: float = 5.0,
) -> int:
    """Play a bag from a process that does nothing else; see BagPlayer.

    Returns:
        How many messages were published.
    """
    use_shared_memory_profile()
    rclpy.init()
    try:
        return _spin_while_playing(BagPlayer(bag, rate, loop, start_paused, publish_clock, wait_s))
    finally:
        rclpy.try_shutdown()


def _spin_while_playing(player: BagPlayer) -> int:
    """Serve the player's services on a second thread while this one publishes."""
    executor = SingleThreadedExecutor()
    executor.add_node(player)
    done = threading.Event()
    thread = threading.Thread(target=_spin, args=(executor, done), name="services", daemon=True)
    thread.start()
    try:
        return player.play()
    finally:
        # The thread must be out of its wait before what it waits on is destroyed, else the process crashes.
        done.set()
        executor.wake()
        thread.join(2.0)
        executor.shutdown()
        player.close()


def _spin(executor: SingleThreadedExecutor, done: threading.Event) -> None:
    try:
        while not done.is_set():
            executor.spin_once(timeout_sec=0.5)
    except ExternalShutdownException:
        return


def main(arguments: Sequence[str] | None = None) -> int:
    """Executable `bag_player_node`: the options of `replay` as ROS parameters, `bag` required."""
    defaults = {
        "bag": "",
        "rate": 1.0,
        "loop": False,
        "start_paused": False,
        "publish_clock": True,
        "wait_s": 5.0,
    }
    return run_with_parameters("bag_player", defaults, "bag", _play, arguments)


def _play(values: dict[str, Any]) -> None:
    _spin_while_playing(BagPlayer(**values))


if __name__ == "__main__":
    sys.exit(main())
