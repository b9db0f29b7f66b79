"""The node under steady load for minutes: frames processed, dropped and lost, latency, growth of memory.

python benchmarks/endurance.py --minutes 15 --folder out/bench/accuracy/test_9001_six_surround_10s_5hz --json
python benchmarks/endurance.py --minutes 1 --cycles 3

Six cameras at 10 Hz on the real middleware and the real pipeline, in processes of their own: the images of a generated
sequence, forth and back, so that the vehicle never jumps, or noise. Growth is the node's resident memory at the end
over that after the first minute. With --cycles, the node is then cleaned up and started anew so many times; what stays
resident after each cleanup tells whether it gives back what it took.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rclpy
from _cameras import CameraPublishers
from _machine import describe_machine, machine_line
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from tqdm import tqdm
from visualization_msgs.msg import MarkerArray

from airside_perception.config import load_config
from airside_perception.errors import AirsideError
from airside_perception.evaluation.sequence_frames import SequenceFrames
from airside_perception.geometry import Rig
from airside_perception.records import RigFrame
from airside_perception.resources import share_path
from airside_perception.ros.middleware import use_shared_memory_profile

RIG = "config/rigs/six_surround.yaml"

START = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
STOP = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)

READY_S = 60.0
"""Seconds that the node may take to appear."""

CYCLE_S = 15.0
"""Seconds of feeding between a new start and its cleanup."""


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
        self.memory_mib.append((time.monotonic(), self.resident_mib()))

    def resident_mib(self) -> float:
        """Memory of the node now."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def growth(self, after_s: float) -> float:
        """Memory now over memory `after_s` seconds after the first look, minus one."""
        start = self.memory_mib[0][0]
        early = [mib for at, mib in self.memory_mib if at - start >= after_s] or [self.memory_mib[-1][1]]
        return self.memory_mib[-1][1] / early[0] - 1.0


class Lifecycle:
    """Drives the node through its states."""

    def __init__(self, node: Any, spin: Callable[[], None]):
        self._client = node.create_client(ChangeState, "/tracking/change_state")
        self._spin = spin
        deadline = time.monotonic() + READY_S
        while not self._client.service_is_ready():
            if time.monotonic() > deadline:
                raise SystemExit(f"endurance: error: expected the node within {READY_S:g} s, it did not come up")
            spin()

    def go(self, *transitions: int) -> None:
        """Take transitions in turn."""
        for transition in transitions:
            answer = self._client.call_async(ChangeState.Request(transition=Transition(id=transition)))
            while not answer.done():
                self._spin()
            if not answer.result().success:
                raise SystemExit(f"the node refused transition {transition}")


def recorded_drive(folder: Path) -> tuple[Rig, list[RigFrame]]:
    """Rig and decoded frames of a sequence."""
    with SequenceFrames(folder, load_config(None, {})) as frames:
        return frames.rig, list(frames)


def run(minutes: float, rate: float, folder: Path | None, cycles: int) -> dict[str, Any]:
    """Start the node, feed it, stop it."""
    rig, drive = recorded_drive(folder) if folder else (Rig.load(share_path(RIG)), None)
    first = rig.cameras[rig.names[0]]
    use_shared_memory_profile()
    with tempfile.TemporaryDirectory() as scratch:
        rig.save(Path(scratch) / "rig.yaml")
        options = {"rig.file": str(Path(scratch) / "rig.yaml"), "ros.autostart": "false"}
        words = [word for name, value in options.items() for word in ("-p", f"{name}:={value}")]
        process = subprocess.Popen([sys.executable, "-m", "airside_perception.ros.tracking_node", "--ros-args", *words])
        try:
            result = _feed(process, rig, (first.width, first.height), drive, minutes, rate, cycles)
        finally:
            process.terminate()
        return {
            "minutes": minutes,
            "sequence": folder.name if folder else "noise",
            **result,
            "exit_code": process.wait(20),
        }


def _feed(
    process: subprocess.Popen,
    rig: Rig,
    size: tuple[int, int],
    drive: Sequence[RigFrame] | None,
    minutes: float,
    rate: float,
    cycles: int,
) -> dict[str, Any]:
    rclpy.init()
    node = rclpy.create_node("endurance")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    watch = Watch(node, process)
    cameras = CameraPublishers(node, rig.names, size, drive=drive)
    spin = lambda: executor.spin_once(timeout_sec=0.01)  # noqa: E731
    lifecycle = Lifecycle(node, spin)
    # It reports its state once it has loaded its libraries.
    while not watch.memory_mib:
        spin()
    fresh_mib = watch.resident_mib()
    outputs: list[float] = []
    node.create_subscription(MarkerArray, "/tracking/tracks/markers", lambda _: outputs.append(time.monotonic()), 5)
    began = time.monotonic()
    lifecycle.go(*START)
    active_s = time.monotonic() - began
    cameras.wait_for_subscribers(spin)

    def feed(seconds: float) -> None:
        start = time.monotonic()
        for index in tqdm(range(int(seconds * rate)), unit="frame", disable=None):
            while time.monotonic() < start + index / rate:
                spin()
            cameras.send()
            if process.poll() is not None:
                raise SystemExit(f"the node ended with code {process.returncode}")
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            spin()

    feed(60 * minutes)
    summary = summarize(watch, cameras.sent, len(rig.names), min(60.0, 30.0 * minutes))
    first_output_s = outputs[0] - began if outputs else None
    lifecycle.go(*STOP)
    cleaned = [watch.resident_mib()]
    for _ in range(cycles):
        lifecycle.go(*START)
        cameras.wait_for_subscribers(spin)
        feed(CYCLE_S)
        lifecycle.go(*STOP)
        cleaned.append(watch.resident_mib())
    rclpy.try_shutdown()
    return {
        "active_after_s": active_s,
        "first_output_after_s": first_output_s,
        **summary,
        "unconfigured_mib": fresh_mib,
        "cleaned_up_mib": [round(each, 1) for each in cleaned],
    }


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
    parser.add_argument("--folder", type=Path, help="generated sequence to show; without it, noise")
    parser.add_argument("--cycles", type=int, default=0, help="clean up and start anew so often afterwards")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    machine = describe_machine()
    try:
        summary = run(arguments.minutes, arguments.rate, arguments.folder, arguments.cycles)
    except AirsideError as error:
        raise SystemExit(f"endurance: error: {error}") from None
    if arguments.json:
        print(json.dumps({**summary, "machine": machine}))
        return
    for name, value in summary.items():
        print(f"{name:<20} {value:.3f}" if isinstance(value, float) else f"{name:<20} {value}")
    print(machine_line(machine))


if __name__ == "__main__":
    main()
