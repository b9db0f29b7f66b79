"""The "tracking" part of summary.json: nuScenes figures, HOTA and box errors, per class and over classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airside_perception.evaluation.box_errors import ERROR_NAMES, box_errors
from airside_perception.evaluation.hota import hota
from airside_perception.evaluation.nuscenes_metrics import MATCH_DISTANCE, score_class
from airside_perception.evaluation.results_format import read_ground_truth, read_results
from airside_perception.evaluation.scored_tracks import ScoredSequence, scored_sequence

DEFAULT_RANGE = 50.0
"""Ground distance from the vehicle, metres, up to which objects are scored."""

_MEANS = ("amota", "amotp", "mota", "motp", "recall", "hota", *ERROR_NAMES)
_SUMS = ("id_switches", "fragmentations")


def evaluate_tracking(
    results: Mapping[str, Any],
    ground_truth: Mapping[str, Any],
    max_range: float | None = DEFAULT_RANGE,
    match_distance: float = MATCH_DISTANCE,
) -> dict[str, Any]:
    """Score one sequence; see `evaluate_sequences`."""
    return evaluate_sequences([(results, ground_truth)], max_range, match_distance)


def evaluate_sequences(
    sequences: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    max_range: float | None = DEFAULT_RANGE,
    match_distance: float = MATCH_DISTANCE,
) -> dict[str, Any]:
    """Score several sequences as one data set.

    Args:
        sequences: (content of results.json, content of tracks.json) of each, checked (results_format).
        max_range: ground distance from the vehicle, metres, beyond which nothing counts; None: no limit.
        match_distance: a match must be nearer than this on the ground, metres.

    Returns:
        The "tracking" part of summary.json: figures over classes (means over the classes that the ground
        truth has; sums for switches and fragmentations) and "per_class". What cannot be scored is None.

    Raises:
        AirsideError: results and ground truth of a sequence have no time in common.
    """
    by_class: dict[str, list[ScoredSequence]] = {}
    for results, ground_truth in sequences:
        for name, sequence in scored_sequence(results, ground_truth, max_range).items():
            by_class.setdefault(name, []).append(sequence)
    per_class = {name: _class_figures(parts, match_distance) for name, parts in sorted(by_class.items())}
    summary: dict[str, Any] = {name: _mean([c[name] for c in per_class.values()]) for name in _MEANS}
    summary.update({name: sum(c[name] for c in per_class.values()) if per_class else None for name in _SUMS})
    frames = sum(len(ground_truth["frames"]) for _, ground_truth in sequences)
    settings = {"frames": frames, "max_range_m": max_range, "match_distance_m": match_distance}
    return {**summary, **settings, "per_class": per_class}


def score_files(
    results_path: str | Path,
    ground_truth_path: str | Path,
    max_range: float | None = DEFAULT_RANGE,
    match_distance: float = MATCH_DISTANCE,
) -> dict[str, Any]:
    """Score a results file against a ground-truth file (`airside score`).

    Raises:
        AirsideError: a file cannot be read or has a wrong field, or the files share no time.
    """
    results, ground_truth = read_results(results_path), read_ground_truth(ground_truth_path)
    return evaluate_tracking(results, ground_truth, max_range, match_distance)


def _class_figures(sequences: Sequence[ScoredSequence], match_distance: float) -> dict[str, Any]:
    """All figures of one class that has ground truth."""
    score = score_class(sequences, match_distance)
    counts, higher_order = score.counts, hota(sequences, match_distance)
    return {
        "amota": score.amota,
        "amotp": score.amotp,
        "mota": counts.mota,
        "motp": counts.motp,
        "recall": counts.recall,
        "id_switches": counts.switches,
        "fragmentations": counts.fragmentations,
        "hota": higher_order.hota if higher_order else None,
        "deta": higher_order.detection if higher_order else None,
        "assa": higher_order.association if higher_order else None,
        **box_errors(counts.pairs),
        "objects": counts.objects,
        "matches": counts.matches,
        "misses": counts.misses,
        "false_positives": counts.false_positives,
        "score_threshold": score.threshold,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
