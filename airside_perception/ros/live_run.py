"""A bag played to the live node, in processes of their own, and what the node says written down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from rclpy.context import Context

from airside_perception.bags import BagReader
from airside_perception.config import Config, dump_yaml
from airside_perception.geometry import Rig
from airside_perception.ros.live_recorder import LiveRecorder, write_live_results
from airside_perception.ros.middleware import use_shared_memory_profile

NODE = "/airside_perception/tracking"


@dataclass(frozen=True)
class LiveRun:
    """What was heard of the live node.

    Attributes:
        summary: {"live": {"frames_sent", "frames_processed", "frames_dropped", "rate", "messages": {topic: count}},
            "timing_ms": {stage: {"p50", "p95"}}, "results": path of results.json, "overlays": folder}.
        tracks: stamp_ns -> "tracks" of `~/explanations/tracks`.
        voxels: stamp_ns -> points of `~/occupancy/voxels` (`VOXEL_DTYPE`).
        unobserved: stamp_ns -> points of `~/occupancy/unobserved` (`POINT_DTYPE`).
    """

    summary: dict[str, Any]
    tracks: Mapping[int, list[dict[str, Any]]]
    voxels: Mapping[int, np.ndarray]
    unobserved: Mapping[int, np.ndarray]


def run_live(sequence: str | Path, out: str | Path, config: Config, rate: float = 0.2) -> LiveRun:
    """Play a sequence to the live node and record its outputs.

    Args:
        sequence: sequence or bag.
        out: folder; gets results.json, live/ with the latest overlay of each camera, the node's options and logs.
        config: of the node; calibration comes from the bag.
        rate: times real time; frames that the machine cannot keep up with are dropped and counted.

    Raises:
        AirsideError: not a usable bag, or the node could not start; the message gives its reason.
    """
    out = Path(out)
    folder = out / "live"
    folder.mkdir(parents=True, exist_ok=True)
    with BagReader(sequence) as reader:
        rig, frames = reader.rig(), reader.counts[reader.cameras[0]]
    # What happens in a demonstration concerns nobody else on the network.
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    use_shared_memory_profile()
    context = Context()
    context.init()
    recorder = LiveRecorder(rig, context, NODE)
    try:
        with PackageProcess(folder / "node.log", *_node_command(folder, rig, config)) as node:
            recorder.wait_for_node(node)
            play = ("airside_perception.cli", "replay", str(sequence), "--rate", str(rate), "--wait", "30")
            with PackageProcess(folder / "player.log", *play) as player:
                recorder.record(node, player, frames)
    finally:
        recorder.close()
        context.try_shutdown()
    summary = write_live_results(recorder, out, frames, rate)
    return LiveRun(summary, recorder.tracks, recorder.voxels, recorder.unobserved)


def _node_command(folder: Path, rig: Rig, config: Config) -> tuple[str, ...]:
    """Module and arguments of the node, its rig and options written into `folder`."""
    rig.save(folder / "rig.yaml")
    (folder / "tracking.yaml").write_text(dump_yaml(config), encoding="utf-8")
    options: dict[str, object] = {"rig.file": folder / "rig.yaml", "ros.autostart": "true", "use_sim_time": "true"}
    # No image may get lost unnoticed here: what comes too late the node drops itself, and counts.
    options |= {"ros.reliability": "reliable", "ros.queue_depth": 20}
    overrides = [word for name, value in options.items() for word in ("-p", f"{name}:={value}")]
    files = ["--params-file", str(folder / "tracking.yaml"), *overrides]
    namespace = NODE.rsplit("/", 1)[0]
    return ("airside_perception.ros.tracking_node", "--ros-args", "-r", f"__ns:={namespace}", *files)


class PackageProcess:
    """A module of this package run in a process of its own; ended with the block."""

    def __init__(self, log: Path, *command: str):
        package_root = str(Path(__file__).resolve().parents[2])
        search = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")]))
        self._log_path = log
        self._log: IO[str] = log.open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": search},
        )

    def __enter__(self) -> PackageProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._log.close()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def complaint(self) -> str:
        """The line with the reason why it ended."""
        lines = self._log_path.read_text(encoding="utf-8").splitlines() or ["no output"]
        reasons = [line.split(": error: ", 1)[1] for line in lines if ": error: " in line]
        return reasons[-1] if reasons else lines[-1]
