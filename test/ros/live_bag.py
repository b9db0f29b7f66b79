"""A small bag, a small network and detections of one moving tractor: inputs of the whole-chain test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ros_scenes import STAMP_NS, make_rig
from small_network import SMALL_SPEC, write_untrained_network

from airside_perception.bags import ApronBagWriter
from airside_perception.geometry import Rig, pose_from_xyz_yaw

PERIOD_NS = 100_000_000
GRID = SMALL_SPEC.grid
EGO_SPEED, OBJECT_SPEED = 1.0, 2.0


@dataclass(frozen=True)
class LiveCase:
    """Files of the case; `options` are config options by dotted name."""

    bag: Path
    rig_file: Path
    detections: Path
    options: dict[str, object]
    stamps: tuple[int, ...]


def object_position(stamp_ns: int) -> np.ndarray:
    """Where the tractor is, in odom."""
    return np.array([6.0 + OBJECT_SPEED * (stamp_ns - STAMP_NS) / 1e9, 2.0, 0.9])


def write_case(folder: Path, frames: int = 20) -> LiveCase:
    rig = make_rig(128, 80)
    stamps = tuple(STAMP_NS + index * PERIOD_NS for index in range(frames))
    write_bag(folder / "bag", rig, stamps)
    rig.save(folder / "rig.yaml")
    write_detections(folder / "detections.json", stamps)
    write_untrained_network(folder / "network.onnx", (128, 64))
    options: dict[str, object] = {
        "rig.file": str(folder / "rig.yaml"),
        "network.engine": str(folder / "network.onnx"),
        "network.occupancy_threshold": 0.5,
        "network.threads": 1,
        "network.runtime": "onnxruntime",
        "grid.origin": list(GRID.origin),
        "grid.voxel_size": list(GRID.voxel_size),
        "grid.shape": list(GRID.shape),
        "refine.prior": "",
        "refine.enabled": False,
    }
    return LiveCase(folder / "bag", folder / "rig.yaml", folder / "detections.json", options, stamps)


def write_bag(path: Path, rig: Rig, stamps: tuple[int, ...]) -> None:
    """Front images raw, rear images as JPEG; the vehicle drives ahead at EGO_SPEED."""
    random = np.random.default_rng(3)
    backdrop = random.integers(0, 255, (80, 128, 3), dtype=np.uint8)
    with ApronBagWriter(path, rig) as writer:
        writer.write_static(stamps[0])
        for index, stamp_ns in enumerate(stamps):
            x = EGO_SPEED * (stamp_ns - STAMP_NS) / 1e9
            writer.write_odometry(stamp_ns, pose_from_xyz_yaw(x, 0.0, 0.0, 0.0), [EGO_SPEED, 0.0, 0.0], 0.0)
            image = np.roll(backdrop, index, axis=1)
            writer.write_image("front", stamp_ns, image)
            writer.write_image("rear", stamp_ns, image, jpeg_quality=90)


def write_detections(path: Path, stamps: tuple[int, ...]) -> None:
    content = {
        str(stamp_ns): [
            {
                "translation": object_position(stamp_ns).tolist(),
                "size": [3.5, 1.5, 1.8],
                "rotation": [1.0, 0.0, 0.0, 0.0],
                "class": "gse",
                "score": 0.9,
            }
        ]
        for stamp_ns in stamps
    }
    path.write_text(json.dumps(content))
