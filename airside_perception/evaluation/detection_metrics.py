"""Mean average precision of 3D detections by ground distance (nuScenes detection protocol)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from airside_perception.evaluation.results_format import detection_entry
from airside_perception.evaluation.scored_tracks import ScoredSequence, scored_sequence
from airside_perception.geometry.boxes import ground_distance
from airside_perception.records import Detection3D

DISTANCES = (0.5, 1.0, 2.0, 4.0)
"""Matching distances on the ground over which precision is averaged, metres."""

_LOWEST = 0.1
"""Recall and precision below this are noise and left out."""


def evaluate_detections(
    detections: Mapping[int, Sequence[Detection3D]], ground_truth: Mapping[str, Any], max_range: float | None = 50.0
) -> dict[str, Any]:
    """Average precision per class and distance.

    Args:
        detections: stamp_ns -> detections in the frame of the ground truth.
        ground_truth: content of tracks.json.
        max_range: ground distance from the vehicle, metres; None: no limit.

    Returns:
        {"map": mean over the classes that the ground truth has, or None,
        "per_class": {class: {"ap": mean over distances, "ap_0.5m": ..., "recall_2m": ..., "objects": ...}}}.
    """
    return evaluate_detection_sequences([(detections, ground_truth)], max_range)


def evaluate_detection_sequences(
    pairs: Iterable[tuple[Mapping[int, Sequence[Detection3D]], Mapping[str, Any]]], max_range: float | None = 50.0
) -> dict[str, Any]:
    """The same over several sequences: detections of all are ranked together, each matched in its own frame.

    Args:
        pairs: detections and ground truth of each sequence, as of `evaluate_detections`.
        max_range: ground distance from the vehicle, metres; None: no limit.
    """
    by_class: dict[str, list[ScoredSequence]] = {}
    for detections, ground_truth in pairs:
        results = {"results": {str(stamp): _entries(stamp, items) for stamp, items in detections.items()}}
        for name, sequence in scored_sequence(results, ground_truth, max_range, fill_gaps=False).items():
            by_class.setdefault(name, []).append(sequence)
    per_class = {}
    for name, sequences in by_class.items():
        hits = {distance: _ranked_hits(sequences, distance) for distance in DISTANCES}
        objects = sum(len(frame) for sequence in sequences for frame in sequence.truth)
        precision = {f"ap_{d:g}m": average_precision(found, objects) for d, found in hits.items()}
        recall = float(np.sum(hits[2.0]) / objects)
        per_class[name] = {"ap": sum(precision.values()) / len(DISTANCES), **precision}
        per_class[name].update(recall_2m=recall, objects=objects)
    mean = sum(figures["ap"] for figures in per_class.values()) / len(per_class) if per_class else None
    return {"map": mean, "per_class": per_class}


def average_precision(hits: np.ndarray, objects: int) -> float:
    """Area under the precision-recall curve above 10 % of both, scaled to 0..1.

    Args:
        hits: (N,) bool, best score first, True where a detection found an object.
        objects: number of objects to find.
    """
    if not len(hits) or not hits.any():
        return 0.0
    found = np.cumsum(hits)
    precision, recall = found / np.arange(1, len(hits) + 1), found / objects
    at = np.linspace(0.0, 1.0, 101)
    curve = np.interp(at, recall, precision, right=0.0)[at > _LOWEST + 1e-9]
    return float(np.mean(np.maximum(curve - _LOWEST, 0.0)) / (1.0 - _LOWEST))


def _entries(stamp: int, detections: Sequence[Detection3D]) -> list[dict[str, Any]]:
    """Detections as entries of results, each a track of its own."""
    return [
        {
            **detection_entry(detection),
            "tracking_id": f"{stamp}-{number}",
            "tracking_name": detection.class_name,
            "tracking_score": float(detection.score),
        }
        for number, detection in enumerate(detections)
    ]


def _ranked_hits(sequences: Sequence[ScoredSequence], limit: float) -> np.ndarray:
    """(N,) bool, best detection first; those near ground truth that is not scored are left out."""
    scored: list[tuple[float, bool]] = []
    frames = [frame for each in sequences for frame in zip(each.truth, each.predictions, each.ignored, strict=True)]
    for truth, predictions, ignored in frames:
        distance = ground_distance(predictions.boxes, truth.boxes)
        excused = np.any(ground_distance(predictions.boxes, ignored) < limit, axis=1)
        free = np.ones(len(truth), bool)
        # Frames are independent, so taking the best first within each is taking the best first overall.
        for row in np.argsort(-predictions.scores, kind="stable"):
            candidates = np.where(free, distance[row], np.inf)
            column = int(np.argmin(candidates)) if len(candidates) else -1
            hit = column >= 0 and candidates[column] < limit
            if hit:
                free[column] = False
            if hit or not excused[row]:
                scored.append((float(predictions.scores[row]), bool(hit)))
    scored.sort(key=lambda item: -item[0])
    return np.array([hit for _, hit in scored], bool)
