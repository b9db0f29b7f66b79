"""HOTA: detection and association in one figure (Luiten et al. 2021, arXiv 2009.07736)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from airside_perception.evaluation.clear import assign_nearest, near_ignored
from airside_perception.evaluation.scored_tracks import FrameBoxes, ScoredSequence
from airside_perception.geometry.boxes import ground_distance

ALPHAS = np.arange(0.05, 0.99, 0.05)
"""Localisation thresholds."""

ZERO_DISTANCE = 4.0
"""Ground distance at which similarity ends, metres: similarity = 1 - distance / 4 m."""


@dataclass(frozen=True)
class Hota:
    """Means over the localisation thresholds, fractions 0..1."""

    hota: float
    detection: float
    association: float


def hota(sequences: Iterable[ScoredSequence], match_distance: float = 2.0) -> Hota | None:
    """Score all predictions of one class, whatever their score; boxes that were interpolated take no part.

    Args:
        sequences: of one class.
        match_distance: predictions this near to ground truth that is not scored are left out, metres.

    Returns:
        None without ground truth.
    """
    true_positives, misses, false_positives = (np.zeros(len(ALPHAS)) for _ in range(3))
    association = np.zeros(len(ALPHAS))
    for sequence in sequences:
        frames = [
            _scored(truth, predictions, ignored, match_distance)
            for truth, predictions, ignored in zip(sequence.truth, sequence.predictions, sequence.ignored, strict=True)
        ]
        hits, weighted, objects, predictions = _score_sequence(frames)
        true_positives += hits
        association += weighted
        misses += objects - hits
        false_positives += predictions - hits
    if not np.any(true_positives + misses):
        return None
    detection = true_positives / (true_positives + misses + false_positives)
    association = association / np.maximum(true_positives, 1.0)
    return Hota(
        float(np.mean(np.sqrt(detection * association))), float(np.mean(detection)), float(np.mean(association))
    )


def _scored(
    truth: FrameBoxes, predictions: FrameBoxes, ignored: np.ndarray, match_distance: float
) -> tuple[FrameBoxes, FrameBoxes]:
    """One frame without interpolated boxes and without predictions of ground truth that is not scored."""
    # An object in a gap of the ground truth was there, only not seen: who still holds it is not wrong.
    ignored = np.concatenate([ignored, truth.boxes[truth.interpolated]])
    truth, predictions = truth.pick(~truth.interpolated), predictions.pick(~predictions.interpolated)
    distance = ground_distance(truth.boxes, predictions.boxes)
    matched = [j for _, j in assign_nearest(distance, distance < match_distance)]
    free = np.setdiff1d(np.arange(len(predictions)), matched)
    dropped = free[near_ignored(predictions.boxes[free], ignored, match_distance)]
    return truth, predictions.pick(np.setdiff1d(np.arange(len(predictions)), dropped))


def _score_sequence(
    frames: list[tuple[FrameBoxes, FrameBoxes]],
) -> tuple[np.ndarray, np.ndarray, int, int]:
    """True positives and their summed association score per alpha; numbers of objects and predictions."""
    rows = 1 + max((int(truth.ids.max()) for truth, _ in frames if len(truth)), default=-1)
    columns = 1 + max((int(predictions.ids.max()) for _, predictions in frames if len(predictions)), default=-1)
    row_count, column_count, potential = np.zeros(rows), np.zeros(columns), np.zeros((rows, columns))
    similarities = []
    for truth, predictions in frames:
        similarity = np.maximum(1.0 - ground_distance(truth.boxes, predictions.boxes) / ZERO_DISTANCE, 0.0)
        similarities.append(similarity)
        row_count[truth.ids] += 1
        column_count[predictions.ids] += 1
        overlap = similarity.sum(axis=0)[None, :] + similarity.sum(axis=1)[:, None] - similarity
        potential[np.ix_(truth.ids, predictions.ids)] += similarity / np.maximum(overlap, 1e-12)
    alignment = potential / np.maximum(row_count[:, None] + column_count[None, :] - potential, 1e-12)

    matches = np.zeros((len(ALPHAS), rows, columns))
    for (truth, predictions), similarity in zip(frames, similarities, strict=True):
        if not similarity.size:
            continue
        gain = alignment[np.ix_(truth.ids, predictions.ids)] * similarity
        i, j = linear_sum_assignment(gain, maximize=True)
        near = similarity[i, j][None, :] >= ALPHAS[:, None] - 1e-9
        matches[:, truth.ids[i], predictions.ids[j]] += near
    jaccard = matches / np.maximum(row_count[:, None] + column_count[None, :] - matches, 1.0)
    hits = matches.sum(axis=(1, 2))
    return hits, (matches * jaccard).sum(axis=(1, 2)), int(row_count.sum()), int(column_count.sum())
