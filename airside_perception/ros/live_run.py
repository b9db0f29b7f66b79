"""A bag played to the live node, in processes of their own, and what the node says written down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import OccupancyGrid
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CompressedImage, PointCloud2
from std_msgs.msg import String
from tqdm import tqdm
from visualization_msgs.msg import MarkerArray

from airside_perception.bags import BagReader, decode_compressed
from airside_perception.config import Config, dump_yaml
from airside_perception.errors import AirsideError
from airside_perception.geometry import Rig, matrix_to_quaternion, rotation_z
from airside_perception.ros.messages import POINT_DTYPE, VOXEL_DTYPE, stamp_from_message
from airside_perception.ros.middleware import use_shared_memory_profile

NODE = "/airside_perception/tracking"
_CONFIGURE_TIMEOUT_S = 600.0
_SILENT_END_S = 15.0


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
    recorder = _Recorder(rig, context)
    try:
        with _Process(folder / "node.log", *_node_command(folder, rig, config)) as node:
            recorder.wait_for_node(node)
            play = ("airside_perception.cli", "replay", str(sequence), "--rate", str(rate), "--wait", "30")
            with _Process(folder / "player.log", *play) as player:
                recorder.record(node, player, frames)
    finally:
        recorder.close()
        context.try_shutdown()
    summary = _write(recorder, out, frames, rate)
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


class _Process:
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

    def __enter__(self) -> _Process:
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


class _Recorder:
    """Subscribes to all outputs and keeps what results and summary need."""

    def __init__(self, rig: Rig, context: Context):
        self.messages: Counter[str] = Counter()
        self.tracks: dict[int, list[dict[str, Any]]] = {}
        self.overlays: dict[str, bytes] = {}
        self.voxels: dict[int, np.ndarray] = {}
        self.unobserved: dict[int, np.ndarray] = {}
        self.figures: dict[str, dict[str, str]] = {}
        self._node = rclpy.create_node("live_run", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._last_output_s = 0.0
        latched = QoSProfile(
            depth=50, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL
        )
        self._listen(String, "explanations/tracks", latched, self._on_tracks)
        self._listen(MarkerArray, "tracks/markers", 10)
        self._listen(OccupancyGrid, "occupancy/grid", latched)
        for topic, clouds, dtype in (
            ("voxels", self.voxels, VOXEL_DTYPE),
            ("unobserved", self.unobserved, POINT_DTYPE),
        ):
            self._listen(PointCloud2, f"occupancy/{topic}", 10, _cloud_keeper(clouds, dtype))
        for camera in rig.names:
            topic = f"explanations/{camera}/compressed"
            keep = lambda message, camera=camera: self.overlays.update({camera: bytes(message.data)})  # noqa: E731
            self._listen(CompressedImage, topic, 10, keep)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def wait_for_node(self, node: _Process) -> None:
        """Until the node is active.

        Raises:
            AirsideError: it ended, or is not active after ten minutes.
        """
        deadline = time.monotonic() + _CONFIGURE_TIMEOUT_S
        while "frames" not in self.figures:
            self._executor.spin_once(timeout_sec=0.1)
            if not node.running:
                raise AirsideError(f"the live node could not start: {node.complaint()}")
            if time.monotonic() > deadline:
                raise AirsideError(f"the live node is not active after {_CONFIGURE_TIMEOUT_S:.0f} s")

    def record(self, node: _Process, player: _Process, frames: int) -> None:
        """Until the player has ended and the node has nothing more to say."""
        with tqdm(total=frames, desc="live", unit="frame") as progress:
            while node.running and (player.running or not self._is_finished(frames)):
                self._executor.spin_once(timeout_sec=0.1)
                if len(self.tracks) > progress.n:
                    progress.update(len(self.tracks) - progress.n)
        if not node.running:
            raise AirsideError(f"the live node ended while the bag was played: {node.complaint()}")

    def _is_finished(self, frames: int) -> bool:
        """Every frame is accounted for, or the node has been silent for long."""
        figures = self.figures["frames"]
        processed = int(figures.get("processed", 0))
        accounted = processed + int(figures.get("frames_dropped", 0)) >= frames and len(self.tracks) >= processed
        return accounted or time.monotonic() - self._last_output_s > _SILENT_END_S

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()

    def _listen(self, kind: type, topic: str, qos: Any, callback: Any = None) -> None:
        def received(message: Any) -> None:
            self.messages[topic] += 1
            self._last_output_s = time.monotonic()
            if callback is not None:
                callback(message)

        self._node.create_subscription(kind, f"{NODE}/{topic}", received, qos)

    def _on_tracks(self, message: String) -> None:
        content = json.loads(message.data)
        self.tracks[int(content["stamp_ns"])] = content["tracks"]

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            node, _, name = status.name.partition(": ")
            if node == NODE.lstrip("/"):
                self.figures[name] = {item.key: item.value for item in status.values}


def _cloud_keeper(clouds: dict[int, np.ndarray], dtype: np.dtype) -> Callable[[PointCloud2], None]:
    """A callback that puts points of `dtype` under their stamp."""

    def keep(message: PointCloud2) -> None:
        clouds[stamp_from_message(message.header.stamp)] = np.frombuffer(bytes(message.data), dtype)

    return keep


def _write(recorder: _Recorder, out: Path, frames: int, rate: float) -> dict[str, Any]:
    """results.json, overlay pictures and the summary of the run."""
    results = {
        str(stamp_ns): [_result_entry(track) for track in tracks]
        for stamp_ns, tracks in sorted(recorder.tracks.items())
    }
    path = out / "results.json"
    path.write_text(json.dumps({"meta": {"source": "live node"}, "results": results}) + "\n", encoding="utf-8")
    for camera, data in recorder.overlays.items():
        picture = cv2.cvtColor(decode_compressed(data), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(out / "live" / f"overlay_{camera}.png"), picture)
    figures = recorder.figures.get("frames", {})
    return {
        "live": {
            "frames_sent": frames,
            "frames_processed": int(figures.get("processed", 0)),
            "frames_dropped": int(figures.get("frames_dropped", 0)),
            "rate": rate,
            "messages": dict(sorted(recorder.messages.items())),
        },
        "timing_ms": _timings(figures),
        "results": str(path),
        "overlays": str(out / "live"),
    }


def _result_entry(track: dict[str, Any]) -> dict[str, Any]:
    """One track of `~/explanations/tracks` as an entry of results.json."""
    x, y, z, length, width, height, yaw = track["box"]
    return {
        "translation": [x, y, z],
        "size": [length, width, height],
        "rotation": matrix_to_quaternion(rotation_z(yaw)).tolist(),
        "velocity": track["velocity"],
        "tracking_id": track["id"],
        "tracking_name": track["class"],
        "tracking_score": track["score"],
    }


def _timings(figures: dict[str, str]) -> dict[str, dict[str, float]]:
    """Stage -> p50 and p95 milliseconds, from the node's own diagnostics."""
    stages: Sequence[str] = [name.removesuffix("_p50_ms") for name in figures if name.endswith("_p50_ms")]
    return {s: {"p50": float(figures[f"{s}_p50_ms"]), "p95": float(figures[f"{s}_p95_ms"])} for s in stages}
