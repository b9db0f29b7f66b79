"""Ground truth of a frame on disk; docs/generator.md describes the files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import matrix_to_quaternion
from airside_perception.synth.frames import LabelledFrame
from airside_perception.synth.image_files import write_png
from airside_perception.synth.pixel_layers import PixelLayers, write_layer


def make_truth_folders(truth: Path, cameras: Sequence[str], layers: Sequence[str]) -> None:
    """Folders for the labels of every camera, and for voxels."""
    for kind in ("depth", "semantic", *layers):
        for camera in cameras:
            (truth / kind / camera).mkdir(parents=True)
    (truth / "occupancy").mkdir()


class GrowingJson:
    """A JSON file whose entries come one by one: hours of them never lie in memory together.

    Args:
        path: file to write.
        before, after: what stands around the entries; entries are separated by commas.
    """

    def __init__(self, path: Path, before: str, after: str) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._file.write(before)
        self._after, self._separator = after, ""

    def __enter__(self) -> GrowingJson:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._file.write(self._after)
        self._file.close()

    def add(self, entry: object, name: str | None = None) -> None:
        """One more element of a list, or with a `name`, member of an object."""
        label = "" if name is None else f"{json.dumps(name)}: "
        self._file.write(f"{self._separator}{label}{json.dumps(entry)}")
        self._separator = ", "


def track_entry(frame: LabelledFrame, stamp_ns: int) -> dict[str, Any]:
    """A frame's entry in tracks.json."""
    pose = {
        "translation": [round(float(v), 5) for v in frame.odom_from_base[:3, 3]],
        "rotation": [round(float(v), 7) for v in matrix_to_quaternion(frame.odom_from_base[:3, :3])],
    }
    return {"stamp_ns": stamp_ns, "ego_pose": pose, "objects": frame.objects}


def write_labels(truth: Path, index: int, frame: LabelledFrame) -> None:
    """Depth and semantics of every image of the frame, and its voxels."""
    for name, layers in frame.layers.items():
        centimetres = np.clip(np.round(layers.depth * 100), 0, 65535).astype(np.uint16)
        write_png(truth / "depth" / name / f"{index:04d}.png", centimetres)
        write_png(truth / "semantic" / name / f"{index:04d}.png", layers.semantic)
    if frame.occupancy is not None and frame.observed is not None:
        path = truth / "occupancy" / f"{index:04d}.npz"
        np.savez_compressed(path, class_id=frame.occupancy, observed=frame.observed)


def write_layers(
    truth: Path, index: int, extra: PixelLayers, rig: Rig, frame: LabelledFrame, names: tuple[str, ...]
) -> None:
    """Further layers of every image, each at its own time of exposure."""
    for camera_name, time_s in frame.exposures.items():
        for name, layer in extra.render(time_s, rig.cameras[camera_name], names).items():
            write_layer(truth / name / camera_name / f"{index:04d}.png", name, layer)
