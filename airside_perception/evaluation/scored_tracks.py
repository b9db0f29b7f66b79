"""Results and ground truth brought onto one timeline, as the metrics need them.

The order is nuScenes': leave out what is not scored, average each track's score, then fill gaps of
tracks by interpolation. So an object that is hidden for a while between two sightings stays in the
ground truth, and a tracker that finds it again under its old id need not have guessed in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.errors import AirsideError
from airside_perception.geometry.se3 import quaternion_to_matrix, wrap_angle, yaw_of

MIN_VISIBILITY = 0.05
"""Ground truth that is seen less is not scored."""


@dataclass(frozen=True)
class FrameBoxes:
    """Objects of one class in one frame, N of them.

    Attributes:
        ids: (N,) int, index of the track within its sequence and class.
        boxes: (N, 7) x, y, z, length, width, height, yaw in the fixed frame.
        scores: (N,) mean score of the whole track; 1 for ground truth.
        interpolated: (N,) bool, True where the file has no scored entry in this frame.
    """

    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    interpolated: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def pick(self, selection: np.ndarray) -> FrameBoxes:
        """The selected objects (mask or indices)."""
        return FrameBoxes(
            self.ids[selection], self.boxes[selection], self.scores[selection], self.interpolated[selection]
        )


@dataclass(frozen=True)
class ScoredSequence:
    """One class in one sequence.

    Attributes:
        truth, predictions: per frame, gaps filled.
        ignored: per frame, (K, 7) boxes of ground truth that is not scored: too far, or seen by no camera.
            A prediction of such an object is neither right nor wrong.
    """

    truth: tuple[FrameBoxes, ...]
    predictions: tuple[FrameBoxes, ...]
    ignored: tuple[np.ndarray, ...]


def scored_sequence(
    results: Mapping[str, Any],
    ground_truth: Mapping[str, Any],
    max_range: float | None = 50.0,
    min_visibility: float = MIN_VISIBILITY,
    fill_gaps: bool = True,
) -> dict[str, ScoredSequence]:
    """Objects to score by class, for the classes that the ground truth has.

    Args:
        results: content of results.json.
        ground_truth: content of tracks.json, frames in any order.
        max_range: ground distance from the vehicle, metres, beyond which neither side counts; None: no limit.
        min_visibility: see MIN_VISIBILITY.
        fill_gaps: interpolate tracks over frames where they are missing; false for single frames.

    Raises:
        AirsideError: results and ground truth have no time in common.
    """
    frames = sorted(ground_truth["frames"], key=lambda frame: frame["stamp_ns"])
    stamps = np.array([frame["stamp_ns"] for frame in frames], np.int64)
    entries = _entries_per_frame(results["results"], stamps, float(ground_truth.get("rate_hz", 10.0)))
    reach = np.inf if max_range is None else float(max_range)
    sequences = {}
    for name in OBJECT_CLASSES:
        truth, ignored = _truth_of_class(frames, stamps, name, reach, min_visibility, fill_gaps)
        if any(len(frame) for frame in truth):
            predictions = _predictions_of_class(entries, frames, stamps, name, reach, fill_gaps)
            sequences[name] = ScoredSequence(truth, predictions, ignored)
    return sequences


def _entries_per_frame(results: Mapping[str, Any], stamps: np.ndarray, rate_hz: float) -> list[list[dict[str, Any]]]:
    """The entries of the result frame nearest to each ground-truth stamp, within half a period."""
    if not results or not len(stamps):
        return [[] for _ in stamps]
    keys = sorted(results, key=int)
    times = np.array([int(key) for key in keys], np.int64)
    after = np.clip(np.searchsorted(times, stamps), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(times[before] - stamps) < np.abs(times[after] - stamps), before, after)
    offsets = np.abs(times[nearest] - stamps)
    near = offsets <= 0.5e9 / rate_hz
    if not near.any():
        raise AirsideError(
            f"results and ground truth share no time: the nearest stamps are {offsets.min() * 1e-9:.3f} s apart; "
            "score results against the ground truth of the same sequence"
        )
    return [results[keys[k]] if ok else [] for k, ok in zip(nearest, near, strict=True)]


def _box(entry: Mapping[str, Any]) -> list[float]:
    return [*entry["translation"], *entry["size"], float(yaw_of(quaternion_to_matrix(entry["rotation"])))]


def _ground_range(entry: Mapping[str, Any], frame: Mapping[str, Any]) -> float:
    """Ground distance of an entry from the vehicle, metres."""
    ego = frame["ego_pose"]["translation"]
    return float(np.hypot(entry["translation"][0] - ego[0], entry["translation"][1] - ego[1]))


def _truth_of_class(
    frames: list[dict[str, Any]], stamps: np.ndarray, name: str, reach: float, min_visibility: float, fill_gaps: bool
) -> tuple[tuple[FrameBoxes, ...], tuple[np.ndarray, ...]]:
    """Scored ground truth with its gaps filled, and the boxes that are not scored."""
    tracks: dict[str, dict[int, tuple[list[float], float]]] = {}
    left_out: list[dict[str, list[float]]] = []
    for number, frame in enumerate(frames):
        left_out.append({})
        for entry in frame["objects"]:
            if entry["class"] != name:
                continue
            if entry.get("visibility", 1.0) >= min_visibility and _ground_range(entry, frame) <= reach:
                tracks.setdefault(str(entry["id"]), {})[number] = (_box(entry), 1.0)
            else:
                left_out[number][str(entry["id"])] = _box(entry)
    for identity, track in tracks.items() if fill_gaps else ():
        for number in range(min(track), max(track) + 1):
            left_out[number].pop(identity, None)
    ignored = tuple(np.array(list(boxes.values()), np.float64).reshape(-1, 7) for boxes in left_out)
    return _as_frames(list(tracks.values()), stamps, fill_gaps), ignored


def _predictions_of_class(
    entries: list[list[dict[str, Any]]],
    frames: list[dict[str, Any]],
    stamps: np.ndarray,
    name: str,
    reach: float,
    fill_gaps: bool,
) -> tuple[FrameBoxes, ...]:
    """Predicted tracks within range, gaps filled."""
    tracks: dict[str, dict[int, tuple[list[float], float]]] = {}
    for number, (frame_entries, frame) in enumerate(zip(entries, frames, strict=True)):
        for entry in frame_entries:
            if entry["tracking_name"] == name and _ground_range(entry, frame) <= reach:
                track = tracks.setdefault(str(entry["tracking_id"]), {})
                track[number] = (_box(entry), float(entry["tracking_score"]))
    return _as_frames(list(tracks.values()), stamps, fill_gaps)


def _as_frames(
    tracks: list[dict[int, tuple[list[float], float]]], stamps: np.ndarray, fill_gaps: bool
) -> tuple[FrameBoxes, ...]:
    """Tracks {frame: (box, score)} as frames, each track with its mean score throughout."""
    rows: list[list[tuple[int, np.ndarray, float, bool]]] = [[] for _ in stamps]
    for identity, track in enumerate(tracks):
        known = np.array(sorted(track))
        boxes = np.array([track[number][0] for number in known])
        score = float(np.mean([track[number][1] for number in known]))
        numbers = np.arange(known[0], known[-1] + 1) if fill_gaps else known
        for number, box in zip(numbers, _interpolate(stamps[known], boxes, stamps[numbers]), strict=True):
            rows[number].append((identity, box, score, int(number) not in track))
    return tuple(
        FrameBoxes(
            np.array([row[0] for row in frame], int),
            np.array([row[1] for row in frame], np.float64).reshape(-1, 7),
            np.array([row[2] for row in frame], np.float64),
            np.array([row[3] for row in frame], bool),
        )
        for frame in rows
    )


def _interpolate(known: np.ndarray, boxes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Boxes (M, 7) at stamps `wanted`, linear between the boxes at stamps `known`, yaw along the shorter arc."""
    unrolled = boxes.copy()
    unrolled[:, 6] = np.unwrap(boxes[:, 6])
    # Nanoseconds since the epoch do not fit into a float: count from the first one.
    x, at = (known - known[0]).astype(np.float64), (wanted - known[0]).astype(np.float64)
    result = np.stack([np.interp(at, x, column) for column in unrolled.T], axis=1)
    result[:, 6] = wrap_angle(result[:, 6])
    return result
