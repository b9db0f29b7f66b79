"""The figures of `tracking.py`: of one run, and their means and spreads over seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _tracking_runs import Run
from scipy.optimize import linear_sum_assignment

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.evaluation.results_format import make_results
from airside_perception.evaluation.scored_tracks import MIN_VISIBILITY
from airside_perception.evaluation.tracking_metrics import evaluate_sequences
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.geometry.boxes import ground_distance
from airside_perception.geometry.se3 import quaternion_to_matrix, wrap_angle, yaw_of

NEAR_M = 30.0
"""Range of the ground position figures."""

MATCH_M = 2.0

EPISODE_S = (1.0, 5.0)
"""Lengths of the occlusions after which the id is looked for."""

BEFORE_S, AFTER_S = 1.0, 3.0
"""An object must be tracked in this time before an occlusion; its id is kept if it shows up in this time after."""


@dataclass
class Matches:
    """Pairs of measured tracks and visible objects of one class, M in all.

    Attributes:
        distance: (M,) of the object from the vehicle, metres.
        ground: (M,) error of the centre on the ground, metres.
        position: (M,) squared Mahalanobis length of that error over its two degrees of freedom.
        yaw: (M,) error of the axis, half turns forgiven, over its standard deviation.
    """

    distance: list[float] = field(default_factory=list)
    ground: list[float] = field(default_factory=list)
    position: list[float] = field(default_factory=list)
    yaw: list[float] = field(default_factory=list)


def tracking_figures(parts: Sequence[tuple[Run, TruthLabels, Path]], max_range: float) -> dict[str, Any]:
    """All figures of one column and seed over several sequences.

    Args:
        parts: what came of each sequence, its truth and its folder.
        max_range: metres from the vehicle beyond which nothing is scored.
    """
    pairs = [(make_results(run.frames), truth.tracks) for run, truth, _ in parts]
    summary = evaluate_sequences(pairs, max_range)
    matches = {name: Matches() for name in OBJECT_CLASSES}
    kept = asked = 0
    for run, truth, folder in parts:
        add_matches(run, truth, max_range, matches)
        found = same_identity(run, truth, episodes(folder))
        kept, asked = kept + sum(found), asked + len(found)
    refined, seconds = sum(run.refined for run, _, _ in parts), sum(run.refine_s for run, _, _ in parts)
    return {
        **{name: value for name, value in summary.items() if isinstance(value, (int, float))},
        "per_class": {
            name: {**summary["per_class"].get(name, {}), **_class_figures(each)} for name, each in matches.items()
        },
        "occlusions": asked,
        "same_id": kept / asked if asked else None,
        "ms_per_object": 1e3 * seconds / refined if refined else None,
    }


def _class_figures(matches: Matches) -> dict[str, float | None]:
    near = np.array(matches.ground)[np.array(matches.distance) < NEAR_M] if matches.ground else np.zeros(0)
    return {
        "ground_rmse_30_m": _root_mean(near**2),
        "normalised_position": _root_mean(np.array(matches.position)),
        "normalised_yaw": _root_mean(np.array(matches.yaw) ** 2),
    }


def _root_mean(squares: np.ndarray) -> float | None:
    return float(np.sqrt(np.mean(squares))) if len(squares) else None


def add_matches(run: Run, truth: TruthLabels, max_range: float, matches: Mapping[str, Matches]) -> None:
    """Pair tracks that were measured in a frame with visible objects, nearest on the whole and below MATCH_M."""
    for stamp_ns, tracks in run.frames:
        index = truth.index_of(stamp_ns)
        if index is None:
            continue
        ego = truth.poses[index][:2, 3]
        for name in OBJECT_CLASSES:
            boxes = _boxes(
                o for o in truth.frame(index)["objects"] if o["class"] == name and o["visibility"] >= MIN_VISIBILITY
            )
            own = [track for track in tracks if track.class_name == name and not track.misses]
            for i, j in _paired(np.array([track.box for track in own]).reshape(-1, 7), boxes):
                distance = float(np.linalg.norm(boxes[j, :2] - ego))
                if distance <= max_range:
                    _add(matches[name], own[i].box, own[i].covariance, boxes[j], distance)


def _add(matches: Matches, box: np.ndarray, covariance: np.ndarray, wanted: np.ndarray, distance: float) -> None:
    offset = box[:2] - wanted[:2]
    matches.distance.append(distance)
    matches.ground.append(float(np.linalg.norm(offset)))
    matches.position.append(float(offset @ np.linalg.solve(covariance[:2, :2], offset)) / 2)
    turned = 0.5 * float(wrap_angle(2.0 * (box[6] - wanted[6])))
    matches.yaw.append(turned / math.sqrt(covariance[6, 6]))


def _boxes(entries: Iterable[Mapping[str, Any]]) -> np.ndarray:
    rows = [[*e["translation"], *e["size"], float(yaw_of(quaternion_to_matrix(e["rotation"])))] for e in entries]
    return np.array(rows).reshape(-1, 7)


def _paired(ours: np.ndarray, theirs: np.ndarray) -> list[tuple[int, int]]:
    if not len(ours) or not len(theirs):
        return []
    distance = ground_distance(ours, theirs)
    pairs = zip(*linear_sum_assignment(np.minimum(distance, MATCH_M)), strict=True)
    return [(int(i), int(j)) for i, j in pairs if distance[i, j] < MATCH_M]


def episodes(folder: Path) -> list[dict[str, Any]]:
    """The occlusions of a generated sequence that last as long as `EPISODE_S` says."""
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    lasts = [(e, e["end_s"] - e["start_s"]) for e in content["episodes"] if e["kind"] == "occlusion"]
    return [e for e, duration in lasts if EPISODE_S[0] - 1e-6 <= duration <= EPISODE_S[1] + 1e-6]


def same_identity(run: Run, truth: TruthLabels, wanted: Sequence[Mapping[str, Any]]) -> list[bool]:
    """For every occlusion before which the object was tracked: does it have the same id afterwards?"""
    followed = _identities(run, truth, {str(e["object_id"]) for e in wanted})
    found = []
    for episode in wanted:
        times, names = followed.get(str(episode["object_id"]), ([], []))
        before = [
            n for t, n in zip(times, names, strict=True) if episode["start_s"] - BEFORE_S <= t < episode["start_s"]
        ]
        after = [n for t, n in zip(times, names, strict=True) if episode["end_s"] < t <= episode["end_s"] + AFTER_S]
        if before:
            found.append(bool(after) and after[0] == before[-1])
    return found


def _identities(run: Run, truth: TruthLabels, wanted: set[str]) -> dict[str, tuple[list[float], list[str]]]:
    """Object id -> (seconds since the first frame, track id) of every frame in which a measured track is on it."""
    result: dict[str, tuple[list[float], list[str]]] = {}
    first = run.frames[0][0] if run.frames else 0
    for stamp_ns, tracks in run.frames:
        index = truth.index_of(stamp_ns)
        if index is None:
            continue
        for name in OBJECT_CLASSES:
            objects = [
                o for o in truth.frame(index)["objects"] if o["class"] == name and o["visibility"] >= MIN_VISIBILITY
            ]
            own = [track for track in tracks if track.class_name == name and not track.misses]
            for i, j in _paired(np.array([t.box for t in own]).reshape(-1, 7), _boxes(objects)):
                identity = str(objects[j]["id"])
                if identity in wanted:
                    times, names = result.setdefault(identity, ([], []))
                    times.append((stamp_ns - first) * 1e-9)
                    names.append(own[i].track_id)
    return result


def mean_and_spread(values: Sequence[float | None]) -> tuple[float, float] | None:
    """Mean and standard deviation over seeds; None where a seed has no figure."""
    known = [float(value) for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
