"""The tables of a nuScenes dataset, filled record by record; tokens follow from what they name.

Schema: nuScenes' own documentation of v1.0. Its boxes have size (width, length, height), quaternions are
(w, x, y, z), timestamps are microseconds, and every image has the vehicle's pose at its own time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import matrix_to_quaternion

VERSION = "v1.0-airside"
"""Folder of the tables, and the version that the devkit asks for."""

TABLES = (
    "attribute", "calibrated_sensor", "category", "ego_pose", "instance", "log", "map", "sample",
    "sample_annotation", "sample_data", "scene", "sensor", "visibility",
)  # fmt: skip
"""Names of all tables; each is a JSON file with a list of records."""

_VISIBILITY = (("v0-40", 0.0), ("v40-60", 0.4), ("v60-80", 0.6), ("v80-100", 0.8))
_ATTRIBUTES = ("moving", "standing")
_MOVES = 0.2
"""m/s above which an object counts as moving."""


def token(*names: object) -> str:
    """32 hexadecimal digits that stand for the thing these names name."""
    return hashlib.md5("/".join(map(str, names)).encode(), usedforsecurity=False).hexdigest()


class NuscenesTables:
    """Records of all tables.

    Attributes:
        records: table -> list of records.
    """

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self._known: set[str] = set()
        for number, (level, _) in enumerate(_VISIBILITY, start=1):
            described = f"visibility of the whole object, over all cameras, is {level[1:]} %"
            self.records["visibility"].append({"token": str(number), "level": level, "description": described})
        for kind in ("vehicle", "pedestrian"):
            for name in _ATTRIBUTES:
                text = f"{kind} that is {name}"
                self._add("attribute", token("attribute", kind, name), name=f"{kind}.{name}", description=text)

    def add_scene(self, name: str, stamps_ns: Sequence[int], location: str, description: str) -> None:
        """A scene with its log and its samples, one for each stamp."""
        samples = [token("sample", name, stamp) for stamp in stamps_ns]
        log = self._add("log", token("log", name), logfile=name, vehicle="airside", date_captured="", location=location)
        scene = self._add(
            "scene", token("scene", name), log_token=log, nbr_samples=len(samples), first_sample_token=samples[0],
            last_sample_token=samples[-1], name=name, description=description,
        )  # fmt: skip
        for index, (stamp, sample) in enumerate(zip(stamps_ns, samples, strict=True)):
            links = _links(samples, index)
            self._add("sample", sample, timestamp=stamp // 1000, scene_token=scene, **links)

    def add_map(self, filename: str) -> None:
        """The one map that all logs share; nuScenes asks for a mask image."""
        logs = [record["token"] for record in self.records["log"]]
        self._add("map", token("map"), log_tokens=logs, category="semantic_prior", filename=filename)

    def add_camera(self, scene: str, camera: Camera) -> None:
        """A pinhole camera of one scene."""
        channel = channel_of(camera.name)
        sensor = self._add("sensor", token("sensor", channel), channel=channel, modality="camera")
        self._add(
            "calibrated_sensor", token("calibrated_sensor", scene, channel), sensor_token=sensor,
            camera_intrinsic=camera.intrinsics.tolist(), **_pose(camera.base_from_camera),
        )  # fmt: skip

    def add_image(
        self, scene: str, camera: Camera, sample_ns: int, stamp_ns: int, odom_from_base: np.ndarray, filename: str
    ) -> None:
        """An image of a sample, and the vehicle's (4, 4) pose when it was taken."""
        channel = channel_of(camera.name)
        own = token("sample_data", scene, channel, stamp_ns)
        pose = self._add("ego_pose", own, timestamp=stamp_ns // 1000, **_pose(odom_from_base))
        self._add(
            "sample_data", own, sample_token=token("sample", scene, sample_ns), ego_pose_token=pose,
            calibrated_sensor_token=token("calibrated_sensor", scene, channel), timestamp=stamp_ns // 1000,
            fileformat=Path(filename).suffix[1:], is_key_frame=True, height=camera.height, width=camera.width,
            filename=filename, prev="", next="",
        )  # fmt: skip

    def add_object(self, scene: str, frames: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
        """One object with its entries of tracks.json, in order of time."""
        first = frames[0][1]
        category_name = f"{first['class']}.{first['subtype']}"
        category = self._add(
            "category", token("category", category_name), name=category_name,
            description=f"{first['subtype'].replace('_', ' ')} ({first['class']})",
        )  # fmt: skip
        own = [token("annotation", scene, first["id"], stamp) for stamp, _ in frames]
        instance = self._add(
            "instance", token("instance", scene, first["id"]), category_token=category, nbr_annotations=len(own),
            first_annotation_token=own[0], last_annotation_token=own[-1],
        )  # fmt: skip
        for index, (stamp, entry) in enumerate(frames):
            length, width, height = entry["size"]
            kind = "pedestrian" if entry["class"] == "person" else "vehicle"
            state = _ATTRIBUTES[0] if np.hypot(*entry["velocity"][:2]) > _MOVES else _ATTRIBUTES[1]
            level = sum(entry["visibility"] >= least for _, least in _VISIBILITY)
            self._add(
                "sample_annotation", own[index], sample_token=token("sample", scene, stamp), instance_token=instance,
                visibility_token=str(level), attribute_tokens=[token("attribute", kind, state)],
                translation=entry["translation"], size=[width, length, height], rotation=entry["rotation"],
                **_links(own, index),
                # There is no lidar; nuScenes' tools leave out boxes of which no sensor has a point.
                num_lidar_pts=entry["num_pixels"], num_radar_pts=0,
            )  # fmt: skip

    def write(self, folder: Path) -> None:
        """Write all tables; images of each channel are linked in order of time first."""
        chains: dict[tuple[str, str], list[dict[str, Any]]] = {}
        scene_of = {record["token"]: record["scene_token"] for record in self.records["sample"]}
        for record in self.records["sample_data"]:
            chains.setdefault((scene_of[record["sample_token"]], record["calibrated_sensor_token"]), []).append(record)
        for chain in chains.values():
            chain.sort(key=lambda record: record["timestamp"])
            tokens = [record["token"] for record in chain]
            for index, record in enumerate(chain):
                record.update(_links(tokens, index))
        folder.mkdir(parents=True)
        for name, records in self.records.items():
            (folder / f"{name}.json").write_text(json.dumps(records, indent=0), encoding="utf-8")

    def _add(self, table: str, own: str, /, **values: Any) -> str:
        """Append a record unless its table has it already; returns its token."""
        if table + own not in self._known:
            self._known.add(table + own)
            self.records[table].append({"token": own, **values})
        return own


def channel_of(camera: str) -> str:
    """nuScenes' name of a camera: CAM_FRONT for "front" and for "cam_front"."""
    name = camera.upper()
    return name if name.startswith("CAM") else f"CAM_{name}"


def _links(tokens: Sequence[str], index: int) -> dict[str, str]:
    before, after = tokens[index - 1] if index else "", tokens[index + 1] if index + 1 < len(tokens) else ""
    return {"prev": before, "next": after}


def _pose(transform: np.ndarray) -> dict[str, list[float]]:
    return {
        "translation": [float(value) for value in transform[:3, 3]],
        "rotation": [float(value) for value in matrix_to_quaternion(transform)],
    }
