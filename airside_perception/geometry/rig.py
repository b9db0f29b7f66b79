"""Rigs: the cameras of one vehicle, in a fixed order, and their YAML files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import matrix_to_quaternion, transform_from_pose_dict

_REQUIRED = ("width", "height", "fx", "fy", "cx", "cy", "translation", "rotation")
_OPTIONAL = ("distortion_model", "distortion", "topic")


@dataclass(frozen=True, eq=False)
class Rig:
    """Cameras by name, in the order in which every per-camera array lists them.

    Attributes:
        cameras: camera name -> camera.
        name: what the rig is called.
        topics: camera name -> image topic, for cameras whose topic differs from
            /camera/<name>/image_raw.
    """

    cameras: dict[str, Camera]
    name: str = "rig"
    topics: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Camera names in order."""
        return tuple(self.cameras)

    def resized(self, width: int, height: int) -> Rig:
        """The rig with every camera resampled to `width` x `height`."""
        return Rig({name: c.resized(width, height) for name, c in self.cameras.items()}, self.name, self.topics)

    def subset(self, names: Iterable[str]) -> Rig:
        """The rig with only these cameras, in the given order.

        Raises:
            AirsideError: a name that is not in the rig.
        """
        names = tuple(names)
        unknown = [name for name in names if name not in self.cameras]
        if unknown:
            raise AirsideError(
                f"rig {self.name!r} has no camera {unknown[0]!r}; its cameras are {', '.join(self.names) or 'none'}"
            )
        topics = {name: topic for name, topic in self.topics.items() if name in names}
        return Rig({name: self.cameras[name] for name in names}, self.name, topics)

    @classmethod
    def load(cls, path: str | Path) -> Rig:
        """Read a rig file (YAML; see config/rigs/).

        Raises:
            AirsideError: the file is missing, no YAML, or lacks a field; the message names it.
        """
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise AirsideError(f"rig file {path}: cannot be read ({error.__class__.__name__})") from error
        except yaml.YAMLError as error:
            raise AirsideError(f"rig file {path}: no valid YAML ({str(error).splitlines()[0]})") from error
        try:
            return cls.from_dict(content)
        except AirsideError as error:
            raise AirsideError(f"rig file {path}: {error}") from error

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Rig:
        """Rig from the content of a rig file."""
        if not isinstance(content, Mapping) or not isinstance(content.get("cameras"), Mapping):
            raise AirsideError("expected a mapping with the key 'cameras'")
        unknown = set(content) - {"name", "cameras"}
        if unknown:
            raise AirsideError(f"unknown key {min(map(str, unknown))!r}; expected name, cameras")
        cameras = {str(name): _camera_from_dict(str(name), entry) for name, entry in content["cameras"].items()}
        if not cameras:
            raise AirsideError("expected at least one camera, got none")
        topics = {str(name): str(entry["topic"]) for name, entry in content["cameras"].items() if entry.get("topic")}
        return cls(cameras, str(content.get("name", "rig")), topics)

    def to_dict(self) -> dict[str, Any]:
        """The content of a rig file: plain numbers, lists and strings."""
        return {
            "name": self.name,
            "cameras": {
                name: _camera_to_dict(camera) | ({"topic": self.topics[name]} if name in self.topics else {})
                for name, camera in self.cameras.items()
            },
        }

    def save(self, path: str | Path) -> None:
        """Write the rig as YAML."""
        text = yaml.safe_dump(self.to_dict(), sort_keys=False, default_flow_style=None, width=120)
        Path(path).write_text(text, encoding="utf-8")


def _camera_from_dict(name: str, entry: Any) -> Camera:
    if not isinstance(entry, Mapping):
        raise AirsideError(f"camera {name!r}: expected a mapping with {', '.join(_REQUIRED)}")
    missing = [key for key in _REQUIRED if key not in entry]
    unknown = [key for key in entry if key not in _REQUIRED + _OPTIONAL]
    if missing or unknown:
        problem = f"{missing[0]!r} is missing" if missing else f"unknown key {unknown[0]!r}"
        raise AirsideError(f"camera {name!r}: {problem}; keys are {', '.join(_REQUIRED + _OPTIONAL)}")
    try:
        fx, fy, cx, cy = (float(entry[key]) for key in ("fx", "fy", "cx", "cy"))
        pose = transform_from_pose_dict({key: entry[key] for key in ("translation", "rotation")})
        size = int(entry["width"]), int(entry["height"])
        distortion = np.array(entry.get("distortion") or [], np.float64)
    except (TypeError, ValueError) as error:
        raise AirsideError(f"camera {name!r}: {error}") from error
    intrinsics = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return Camera(name, *size, intrinsics, pose, str(entry.get("distortion_model", "pinhole")), distortion)


def _camera_to_dict(camera: Camera) -> dict[str, Any]:
    k = camera.intrinsics
    return {
        "width": camera.width,
        "height": camera.height,
        "fx": float(k[0, 0]),
        "fy": float(k[1, 1]),
        "cx": float(k[0, 2]),
        "cy": float(k[1, 2]),
        "distortion_model": camera.distortion_model,
        "distortion": [float(value) for value in camera.distortion],
        "translation": [float(value) for value in camera.position],
        "rotation": [float(value) for value in matrix_to_quaternion(camera.base_from_camera)],
    }
