"""Listens to everything that the live node publishes, and writes it down."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

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

from airside_perception.bags import decode_compressed
from airside_perception.errors import AirsideError
from airside_perception.geometry import Rig, matrix_to_quaternion, rotation_z
from airside_perception.ros.messages import POINT_DTYPE, VOXEL_DTYPE, stamp_from_message

_CONFIGURE_TIMEOUT_S = 600.0
_SILENT_END_S = 15.0


class Running(Protocol):
    """Another process."""

    @property
    def running(self) -> bool: ...

    def complaint(self) -> str:
        """Why it ended."""
        ...


class LiveRecorder:
    """Subscribes to all outputs of one tracking node and keeps what results and summary need.

    Args:
        rig: cameras whose overlays are kept (the latest of each).
        context: of rclpy.
        node_name: fully qualified name of the tracking node.

    Attributes:
        messages: topic -> how many came.
        tracks: stamp_ns -> "tracks" of `~/explanations/tracks`.
        overlays: camera -> JPEG of the latest overlay.
        voxels: stamp_ns -> points of `~/occupancy/voxels` (`VOXEL_DTYPE`).
        unobserved: stamp_ns -> points of `~/occupancy/unobserved` (`POINT_DTYPE`).
        figures: name of a diagnostic status -> its latest values.
    """

    def __init__(self, rig: Rig, context: Context, node_name: str):
        self._node_name = node_name
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

    def wait_for_node(self, node: Running) -> None:
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

    def record(self, node: Running, player: Running, frames: int) -> None:
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

        self._node.create_subscription(kind, f"{self._node_name}/{topic}", received, qos)

    def _on_tracks(self, message: String) -> None:
        content = json.loads(message.data)
        self.tracks[int(content["stamp_ns"])] = content["tracks"]

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            node, _, name = status.name.partition(": ")
            if node == self._node_name.lstrip("/"):
                self.figures[name] = {item.key: item.value for item in status.values}


def _cloud_keeper(clouds: dict[int, np.ndarray], dtype: np.dtype) -> Callable[[PointCloud2], None]:
    """A callback that puts points of `dtype` under their stamp."""

    def keep(message: PointCloud2) -> None:
        clouds[stamp_from_message(message.header.stamp)] = np.frombuffer(bytes(message.data), dtype)

    return keep


def write_live_results(recorder: LiveRecorder, out: Path, frames: int, rate: float) -> dict[str, Any]:
    """Write results.json and, into `out`/live, the overlay pictures.

    Args:
        recorder: what was heard.
        out: folder.
        frames: how many were sent.
        rate: times real time at which they were sent.

    Returns:
        The summary of the run; see `live_run.LiveRun`.
    """
    results = {
        str(stamp_ns): [_result_entry(track) for track in tracks]
        for stamp_ns, tracks in sorted(recorder.tracks.items())
    }
    path = out / "results.json"
    path.write_text(json.dumps({"meta": {"source": "live node"}, "results": results}) + "\n", encoding="utf-8")
    (out / "live").mkdir(parents=True, exist_ok=True)
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
