"""Playing bags: bytes, clock, pause, loop, and errors of the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from live import wait_for
from live_bag import write_bag
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from ros_scenes import STAMP_NS, make_rig
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from airside_perception.bags import BagReader, ImageEvent, decode_image
from airside_perception.errors import AirsideError
from airside_perception.ros.bag_player_node import BagPlayer
from airside_perception.ros.messages import stamp_from_message
from airside_perception.ros.playback_clock import PlaybackClock

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
PERIOD_NS = 100_000_000
COUNT = 6


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("player") / "bag"
    write_bag(path, make_rig(128, 80), tuple(STAMP_NS + index * PERIOD_NS for index in range(COUNT)))
    return path


class Stage:
    """A player on a thread of its own and a listener that is spun by the test."""

    def __init__(self, middleware, bag: Path, **options):
        self.player = BagPlayer(bag, rate=5.0, wait_s=5.0, **options)
        self.peer = middleware.create_node("player_listener")
        self.executor = SingleThreadedExecutor()
        for node in (self.peer, self.player):
            self.executor.add_node(node)
        self.heard: dict[str, list] = {"raw": [], "jpeg": [], "info": [], "clock": []}
        subscriptions = [
            (Image, "/camera/front/image_raw", "raw"),
            (CompressedImage, "/camera/rear/image_raw/compressed", "jpeg"),
            (CameraInfo, "/camera/front/camera_info", "info"),
            (Clock, "/clock", "clock"),
        ]
        for kind, topic, key in subscriptions:
            self.peer.create_subscription(kind, topic, self.heard[key].append, qos_profile_sensor_data)
        self.published: list[int] = []
        self.thread = threading.Thread(target=lambda: self.published.append(self.player.play()), daemon=True)
        self.thread.start()

    def spin(self) -> None:
        self.executor.spin_once(timeout_sec=0.01)

    def wait(self, condition, timeout_s: float = 10.0) -> None:
        wait_for(condition, self.spin, timeout_s)

    def stamps(self, key: str) -> list[int]:
        return [stamp_from_message(m.clock if key == "clock" else m.header.stamp) for m in self.heard[key]]

    def close(self) -> None:
        self.player.stop()
        self.thread.join(5.0)
        self.executor.shutdown()
        self.player.close()
        self.peer.destroy_node()


@pytest.fixture
def stage(middleware, bag):
    created = []

    def make(**options):
        created.append(Stage(middleware, bag, **options))
        return created[-1]

    yield make
    for one in created:
        one.close()


def test_messages_come_out_as_they_were_recorded(stage, bag):
    one = stage()
    one.wait(lambda: len(one.heard["raw"]) == COUNT and len(one.heard["jpeg"]) == COUNT)
    one.wait(lambda: one.published)
    with BagReader(bag) as reader:
        recorded = [event for event in reader.messages() if isinstance(event, ImageEvent) and event.camera == "front"]
    for message, event in zip(one.heard["raw"], recorded, strict=True):
        assert stamp_from_message(message.header.stamp) == event.stamp_ns
        pixels = decode_image(
            message.encoding, message.height, message.width, message.step, False, np.frombuffer(message.data, np.uint8)
        )
        np.testing.assert_array_equal(pixels, event.decode())
    assert one.heard["info"][0].k[0] == 30.0


def test_clock_runs_from_the_first_to_the_last_message(stage):
    one = stage()
    one.wait(lambda: one.published)
    one.wait(lambda: one.stamps("clock")[-1] == STAMP_NS + (COUNT - 1) * PERIOD_NS)
    clock = one.stamps("clock")
    assert clock == sorted(clock)
    assert clock[0] >= STAMP_NS


def test_a_paused_player_waits_for_its_service(stage):
    one = stage(start_paused=True)
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        one.spin()
    assert not one.heard["raw"]
    from std_srvs.srv import SetBool

    client = one.peer.create_client(SetBool, "/bag_player/pause")
    one.wait(client.service_is_ready)
    answer = client.call_async(SetBool.Request(data=False))
    one.wait(lambda: answer.done() and one.heard["raw"])
    assert answer.result().message == "playing"


def test_a_loop_jumps_back_to_the_first_stamp(stage):
    one = stage(loop=True)
    one.wait(lambda: one.stamps("raw").count(STAMP_NS) >= 2)
    stamps = one.stamps("raw")
    again = stamps.index(STAMP_NS, 1)
    assert stamps[again - 1] == STAMP_NS + (COUNT - 1) * PERIOD_NS
    one.wait(lambda: min(np.diff(one.stamps("clock"))) < 0)


def test_a_path_that_is_no_bag_is_refused(middleware, tmp_path):
    with pytest.raises(AirsideError, match="bag"):
        BagPlayer(tmp_path)


def test_the_clock_keeps_its_rate_and_stands_still_when_paused():
    clock = PlaybackClock(rate=100.0)
    clock.start(1000)
    ticks: list[int] = []
    assert clock.wait_until(1000 + 2_000_000_000, lambda: True, ticks.append)
    assert clock.now_ns() >= 2_000_001_000
    clock.pause(True)
    assert clock.now_ns() == clock.now_ns()
    assert not clock.wait_until(clock.now_ns() + 1, lambda: len(ticks) < 5, ticks.append)


def command(*arguments: str) -> subprocess.Popen:
    line = [sys.executable, "-m", "airside_perception.cli", "replay", *arguments]
    return subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ)


def test_command_line_plays_to_the_end(bag):
    process = command(str(bag), "--rate", "10", "--wait", "0")
    assert process.wait(30) == 0


def test_command_line_says_why_it_cannot(tmp_path):
    process = command(str(tmp_path))
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 2
    assert len(complaint.strip().splitlines()) == 1
    assert str(tmp_path) in complaint


def test_ctrl_c_ends_a_loop_in_order(bag):
    process = command(str(bag), "--loop", "--wait", "0")
    lines = iter(process.stderr.readline, "")
    assert any("starting again" in line for line in lines)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode in (0, 130)
    assert "Traceback" not in complaint
