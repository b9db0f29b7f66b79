"""The node as a process of its own: signals in the middle of a frame, and starting again at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from live import Driver, Listener, wait_for
from rclpy.executors import SingleThreadedExecutor
from ros_scenes import make_rig

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]


class NodeProcess:
    """A slow node in a process, and a peer that feeds and hears it."""

    def __init__(self, peer, rig_file: Path):
        self._rig_file = rig_file
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(peer)
        self.driver = Driver(peer, make_rig())
        self.listener = Listener(peer)
        self.driver.rig.save(rig_file)

    def start(self) -> subprocess.Popen:
        options = {"rig.file": self._rig_file, "ros.autostart": "true", "ros.diagnostics_period_s": "0.2"}
        words = [word for name, value in options.items() for word in ("-p", f"{name}:={value}")]
        command = [sys.executable, str(Path(__file__).with_name("slow_node.py")), "--ros-args"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen([*command, "-r", "__ns:=/airside_perception", *words], cwd=ROOT, env=environment)

    def feed_until(self, condition) -> None:
        """Send frames until the condition holds."""

        def step() -> None:
            self.driver.send_frame()
            for _ in range(10):
                self._executor.spin_once(timeout_sec=0.01)

        wait_for(condition, step, 60.0)

    def in_work(self) -> bool:
        """The newest diagnostics say that a frame is in work."""
        arrays = self.listener.received["diagnostics"]
        statuses = [status for status in arrays[-1].status if status.name.endswith(": frames")] if arrays else []
        values = {item.key: item.value for status in statuses for item in status.values}
        return float(values.get("in_work_s", 0.0)) > 0.0

    def close(self) -> None:
        self._executor.shutdown()


@pytest.fixture
def process(middleware, tmp_path) -> Iterator[NodeProcess]:
    peer = middleware.create_node("process_peer")
    process = NodeProcess(peer, tmp_path / "rig.yaml")
    yield process
    process.close()
    peer.destroy_node()


def test_sigterm_in_the_middle_of_a_frame_and_a_start_within_a_second(process):
    running = [process.start()]
    try:
        process.feed_until(process.in_work)
        running[-1].send_signal(signal.SIGTERM)
        assert running[-1].wait(10) == 0, "the frame in work ends, then the node takes its leave"
        running.append(process.start())
        process.listener.forget()
        process.feed_until(lambda: process.listener.received["occupancy/grid"])
        assert running[-1].poll() is None
        running[-1].kill()
        running[-1].wait(10)
        running.append(process.start())
        process.listener.forget()
        process.feed_until(lambda: process.listener.received["occupancy/grid"])
        running[-1].send_signal(signal.SIGINT)
        assert running[-1].wait(10) == 0
    finally:
        for node in running:
            node.kill()
