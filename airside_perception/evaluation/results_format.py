"""Files that hold tracks and detections: results.json, tracks.json and detections from elsewhere.

Everything is checked when it is read, so that scoring and replay can trust it; an error names the
file, the entry and the field. Formats: docs/formats.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.evaluation.json_fields import (
    check_box,
    check_class,
    check_rotation,
    check_stamp,
    entries_of,
    kind_of,
    member,
    number,
    numbers,
)
from airside_perception.geometry.se3 import matrix_to_quaternion, quaternion_to_matrix, rotation_z, yaw_of
from airside_perception.records import Detection3D, Track

NUSCENES_META = {
    "use_camera": True,
    "use_lidar": False,
    "use_radar": False,
    "use_map": False,
    "use_external": False,
}
"""What nuScenes' tools want to know about a submission."""


def track_entry(track: Track, nuscenes: bool = False, sample_token: str = "") -> dict[str, Any]:
    """One track as an entry of results.json.

    Args:
        track: in the fixed frame.
        nuscenes: size as width, length, height and a `sample_token`, for nuScenes' own tools.
        sample_token: key of the frame, only with `nuscenes`.
    """
    x, y, z, length, width, height, yaw = (float(value) for value in track.box)
    entry: dict[str, Any] = {"sample_token": sample_token} if nuscenes else {}
    entry.update(
        translation=[x, y, z],
        size=[width, length, height] if nuscenes else [length, width, height],
        rotation=matrix_to_quaternion(rotation_z(yaw)).tolist(),
        velocity=[float(value) for value in track.velocity],
        tracking_id=track.track_id,
        tracking_name=track.class_name,
        tracking_score=float(track.score),
    )
    if not nuscenes:
        entry["reasons"] = list(track.reasons)
    return entry


def make_results(
    frames: Iterable[tuple[int, Sequence[Track]]], meta: Mapping[str, Any] | None = None, nuscenes: bool = False
) -> dict[str, Any]:
    """The content of results.json.

    Args:
        frames: (stamp_ns, tracks of that frame).
        meta: free notes; with `nuscenes` its flags on used sensors are added.
        nuscenes: nuScenes' field order and fields.
    """
    notes = {**(NUSCENES_META if nuscenes else {}), **(meta or {})}
    results = {str(stamp): [track_entry(track, nuscenes, str(stamp)) for track in tracks] for stamp, tracks in frames}
    return {"meta": notes, "results": results}


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file; NaN is not JSON and would stop other readers, so it is refused.

    Raises:
        AirsideError: the file cannot be written.
    """
    try:
        Path(path).write_text(json.dumps(content, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise AirsideError(f"{path}: cannot be written ({error.strerror})") from error


def read_json(path: str | Path, what: str) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: file.
        what: name of the kind of file for errors, such as "results".

    Raises:
        AirsideError: missing, unreadable, not JSON, or not an object.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise AirsideError(f"{what} file {path}: cannot be read ({error.strerror})") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AirsideError(f"{what} file {path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise AirsideError(f"{what} file {path}: expected a JSON object, got {kind_of(content)}")
    return content


def read_results(path: str | Path) -> dict[str, Any]:
    """Read and check results.json; also in nuScenes' field order where its `meta` says so.

    Returns:
        {"meta": ..., "results": ...} with sizes as length, width, height.

    Raises:
        AirsideError: naming the wrong field.
    """
    content = read_json(path, "results")
    check_results(content, str(path))
    if "use_camera" not in content.get("meta", {}):
        return content
    for entries in content["results"].values():
        for entry in entries:
            width, length, height = entry["size"]
            entry["size"] = [length, width, height]
    content["meta"] = {key: value for key, value in content["meta"].items() if key not in NUSCENES_META}
    return content


def check_results(content: Mapping[str, Any], source: str = "results") -> None:
    """Raise AirsideError unless `content` has the form of results.json."""
    frames = member(content, "results", dict, source)
    for stamp, entries in frames.items():
        check_stamp(stamp, f"{source}: results")
        where = f"{source}: results[{stamp}]"
        for index, entry in enumerate(entries_of(entries, where)):
            place = f"{where}[{index}]"
            check_box(entry, place)
            numbers(entry, "velocity", (2, 3), place)
            member(entry, "tracking_id", (str, int), place)
            check_class(entry, "tracking_name", place)
            number(entry, "tracking_score", place)


def read_ground_truth(path: str | Path) -> dict[str, Any]:
    """Read and check tracks.json.

    Raises:
        AirsideError: naming the wrong field.
    """
    content = read_json(path, "ground truth")
    check_ground_truth(content, str(path))
    return content


def check_ground_truth(content: Mapping[str, Any], source: str = "ground truth") -> None:
    """Raise AirsideError unless `content` has the form of tracks.json."""
    for position, frame in enumerate(member(content, "frames", list, source)):
        where = f"{source}: frames[{position}]"
        if not isinstance(frame, dict):
            raise AirsideError(f"{where}: expected an object, got {kind_of(frame)}")
        stamp = member(frame, "stamp_ns", int, where)
        if isinstance(stamp, bool):
            raise AirsideError(f"{where}.stamp_ns: expected integer nanoseconds, got {stamp!r}")
        pose = member(frame, "ego_pose", dict, where)
        numbers(pose, "translation", (3,), f"{where}.ego_pose")
        check_rotation(pose, f"{where}.ego_pose")
        for index, entry in enumerate(entries_of(member(frame, "objects", list, where), f"{where}.objects")):
            place = f"{where}.objects[{index}]"
            member(entry, "id", (str, int), place)
            check_class(entry, "class", place)
            check_box(entry, place)
            if "visibility" in entry:
                number(entry, "visibility", place)


def read_detections(path: str | Path) -> dict[int, tuple[Detection3D, ...]]:
    """Read a detections file (`airside eval --detections`).

    Returns:
        stamp_ns -> detections in odom, best first, in ascending order of stamps.

    Raises:
        AirsideError: naming the wrong field.
    """
    content = read_json(path, "detections")
    frames = {}
    for stamp, entries in content.items():
        stamp_ns = check_stamp(stamp, f"detections file {path}")
        where = f"detections file {path}: [{stamp}]"
        detections = [parse_detection(entry, f"{where}[{k}]") for k, entry in enumerate(entries_of(entries, where))]
        frames[stamp_ns] = tuple(sorted(detections, key=lambda detection: -detection.score))
    return dict(sorted(frames.items()))


def parse_detection(entry: Mapping[str, Any], where: str = "detection") -> Detection3D:
    """One checked entry of a detections file.

    Raises:
        AirsideError: `where` and the wrong field.
    """
    check_box(entry, where)
    check_class(entry, "class", where)
    score = number(entry, "score", where)
    if not 0.0 <= score <= 1.0:
        raise AirsideError(f"{where}.score: expected 0 to 1, got {score!r}")
    velocity = numbers(entry, "velocity", (2, 3), where) if entry.get("velocity") is not None else None
    return Detection3D(
        class_name=entry["class"],
        center=np.array(entry["translation"], np.float64),
        size=np.array(entry["size"], np.float64),
        yaw=float(yaw_of(quaternion_to_matrix(entry["rotation"]))),
        score=score,
        velocity=None if velocity is None else np.array(velocity[:2], np.float64),
    )


def detection_entry(detection: Detection3D) -> dict[str, Any]:
    """One detection as an entry of a detections file."""
    entry: dict[str, Any] = {
        "translation": [float(value) for value in detection.center],
        "size": [float(value) for value in detection.size],
        "rotation": matrix_to_quaternion(rotation_z(detection.yaw)).tolist(),
        "class": detection.class_name,
        "score": float(detection.score),
    }
    if detection.velocity is not None:
        entry["velocity"] = [float(value) for value in detection.velocity]
    return entry
