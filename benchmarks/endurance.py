"""The node under steady load for minutes: frames processed, dropped and lost, latency, growth of memory.

python benchmarks/endurance.py --minutes 15 --json

Six cameras at 10 Hz on the real middleware and the real pipeline, in processes of their own. Growth
is the node's resident memory at the end over that after the first minute.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import rclpy
from _cameras import CameraPublishers
from _machine import describe_machine, machine_line
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from tqdm import tqdm

from airside_perception.geometry import Rig
from airside_perception.resources import share_path
from airside_perception.ros.middleware import use_shared_memory_profile

RIG = "config/rigs/six_surround.yaml"


class Watch:
    """Hears the node's diagnostics and looks at its memory."""

    def __init__(self, node: Any, process: subprocess.Popen):
        self.figures: dict[str, dict[str, str]] = {}
        self.memory_mib: list[tuple[float, float]] = []
        self._process = process
        node.create_subscription(DiagnosticArray, "/diagnostics", self._heard, 10)

    def _heard(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.figures[status.name.partition(": ")[2]] = {item.key: item.value for item in status.values}
        self.memory_mib.append((time.monotonic(), self._resident_mib()))

    def _resident_mib(self) -> float:
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def growth(self, after_s: float) -> float:
        """Memory now over memory `after_s` seconds after the first look, minus one."""
        start = self.memory_mib[0][0]
        early = [mib for at, mib in self.memory_mib if at - start >= after_s] or [self.memory_mib[-1][1]]
        return self.memory_mib[-1][1] / early[0] - 1.0


def run(minutes: float, rate: float) -> dict[str, Any]:
    """Start the node, feed it, stop it."""
    rig_file = share_path(RIG)
    rig = Rig.load(rig_file)
    first = rig.cameras[rig.names[0]]
    options = {"rig.file": str(rig_file), "ros.autostart": "true"}
    words = [word for name, value in options.items() for word in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", "airside_perception.ros.tracking_node", "--ros-args", *words]
    use_shared_memory_profile()
    began = time.monotonic()
    process = subprocess.Popen(command)
    rclpy.init()
    node = rclpy.create_node("endurance")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    watch = Watch(node, process)
    cameras = CameraPublishers(node, rig.names, (first.width, first.height))
    spin = lambda: executor.spin_once(timeout_sec=0.01)  # noqa: E731
    cameras.wait_for_subscribers(spin)
    active_s = time.monotonic() - began
    start = time.monotonic()
    for index in tqdm(range(int(60 * minutes * rate)), unit="frame", disable=None):
        while time.monotonic() < start + index / rate:
            spin()
        cameras.send()
        if process.poll() is not None:
            raise SystemExit(f"the node ended with code {process.returncode}")
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        spin()
    process.terminate()
    summary = summarize(watch, cameras.sent, len(rig.names), min(60.0, 30.0 * minutes))
    rclpy.try_shutdown()
    return {"minutes": minutes, "active_after_s": active_s, "exit_code": process.wait(20), **summary}


def summarize(watch: Watch, sent: int, cameras: int, after_s: float) -> dict[str, Any]:
    """The figures of the run."""
    frames = watch.figures["frames"]
    received = sum(int(values["received"]) for name, values in watch.figures.items() if name.startswith("camera "))
    return {
        "frames_sent": sent,
        "images_delivered": received / (sent * cameras),
        "frames": int(frames["sync_sets"]),
        "processed": int(frames["processed"]),
        "dropped": int(frames.get("frames_dropped", 0)),
        "failed": int(frames.get("frames_failed", 0)),
        "total_p50_ms": float(frames["total_p50_ms"]),
        "total_p95_ms": float(frames["total_p95_ms"]),
        "end_to_end_p95_ms": float(frames["end_to_end_p95_ms"]),
        "memory_mib": watch.memory_mib[-1][1],
        "memory_growth": watch.growth(after_s),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long to feed it (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="frames per second (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    machine = describe_machine()
    summary = run(arguments.minutes, arguments.rate)
    if arguments.json:
        print(json.dumps({**summary, "machine": machine}))
        return
    for name, value in summary.items():
        print(f"{name:<20} {value:.3f}" if isinstance(value, float) else f"{name:<20} {value}")
    print(machine_line(machine))


if __name__ == "__main__":
    main()
