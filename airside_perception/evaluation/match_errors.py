"""Errors of single matches between tracks and ground truth, for plots: where is the tracker off, and by how much?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.evaluation.scored_tracks import MIN_VISIBILITY
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.geometry.boxes import ground_distance
from airside_perception.geometry.se3 import quaternion_to_matrix, wrap_angle, yaw_of
from airside_perception.records import Track

MATCH_DISTANCE = 2.0


@dataclass(frozen=True)
class MatchErrors:
    """One row per match of a track with an object, M in all.

    Attributes:
        class_index: (M,) int, index into OBJECT_CLASSES.
        distance: (M,) metres from the vehicle.
        translation: (M,) metres on the ground.
        yaw: (M,) radians, absolute.
    """

    class_index: np.ndarray
    distance: np.ndarray
    translation: np.ndarray
    yaw: np.ndarray


def match_errors(frames: list[tuple[int, tuple[Track, ...]]], truth: TruthLabels, max_range: float) -> MatchErrors:
    """Match tracks and visible objects of every frame, nearest on the whole, below 2 m on the ground.

    Args:
        frames: (stamp_ns, tracks).
        truth: ground truth of the sequence.
        max_range: objects farther away do not count, metres.
    """
    rows: list[np.ndarray] = [np.zeros((0, 4))]
    for stamp_ns, tracks in frames:
        index = truth.index_of(stamp_ns)
        if index is None:
            continue
        objects = [
            o
            for o in truth.frame(index)["objects"]
            if o.get("visibility", 1.0) >= MIN_VISIBILITY and _range_of(o, truth.poses[index]) <= max_range
        ]
        for number, name in enumerate(OBJECT_CLASSES):
            ours = np.array([track.box for track in tracks if track.class_name == name]).reshape(-1, 7)
            theirs = np.array([_box(o) for o in objects if o["class"] == name]).reshape(-1, 7)
            rows.append(_matched(number, ours, theirs, truth.poses[index][:2, 3]))
    table = np.concatenate(rows)
    return MatchErrors(table[:, 0].astype(int), table[:, 1], table[:, 2], table[:, 3])


def _matched(number: int, ours: np.ndarray, theirs: np.ndarray, ego: np.ndarray) -> np.ndarray:
    """(M, 4) class, distance, translation error, yaw error."""
    if not len(ours) or not len(theirs):
        return np.zeros((0, 4))
    distance = ground_distance(ours, theirs)
    a, b = linear_sum_assignment(np.minimum(distance, MATCH_DISTANCE))
    near = distance[a, b] < MATCH_DISTANCE
    a, b = a[near], b[near]
    away = np.linalg.norm(theirs[b, :2] - ego, axis=1)
    yaw = np.abs(wrap_angle(ours[a, 6] - theirs[b, 6]))
    return np.stack([np.full(len(a), float(number)), away, distance[a, b], yaw], axis=1)


def _box(entry: dict) -> list[float]:
    return [*entry["translation"], *entry["size"], float(yaw_of(quaternion_to_matrix(entry["rotation"])))]


def _range_of(entry: dict, pose: np.ndarray) -> float:
    return float(np.hypot(entry["translation"][0] - pose[0, 3], entry["translation"][1] - pose[1, 3]))
