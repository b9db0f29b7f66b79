"""AMOTA and AMOTP by the nuScenes tracking protocol.

CLEAR figures at 40 score thresholds, one for each recall from 0.1 to 1; recalls that are not
reached count as the worst value. Everything that is no average is taken where MOTA is best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airside_perception.evaluation.clear import ClearCounts, count
from airside_perception.evaluation.scored_tracks import ScoredSequence

RECALLS = np.linspace(0.1, 1.0, 40).round(12)
"""Recalls at which AMOTA and AMOTP are averaged."""

MATCH_DISTANCE = 2.0
"""Predictions must be nearer than this on the ground, metres."""

_WORST_MOTAR, _WORST_MOTP = 0.0, 2.0


@dataclass(frozen=True)
class ClassScore:
    """One class.

    Attributes:
        amota, amotp: averages over RECALLS; amotp in metres.
        threshold: track score at which MOTA is best; None where no recall of RECALLS is reached:
            then all predictions count.
        counts: CLEAR counts at `threshold`.
    """

    amota: float
    amotp: float
    threshold: float | None
    counts: ClearCounts


def score_class(sequences: Sequence[ScoredSequence], match_distance: float = MATCH_DISTANCE) -> ClassScore:
    """Score all sequences of one class together.

    Args:
        sequences: with at least one ground-truth box.
        match_distance: metres; nuScenes has 2.
    """
    everything = count(sequences, match_distance)
    thresholds = recall_thresholds(everything.match_scores, everything.objects)
    counts = {t: count(sequences, match_distance, t) for t in sorted({t for t in thresholds if t is not None})}
    motar = [_WORST_MOTAR if t is None else _or(counts[t].motar, _WORST_MOTAR) for t in thresholds]
    motp = [_WORST_MOTP if t is None else _or(counts[t].motp, _WORST_MOTP) for t in thresholds]
    # On a tie the lowest threshold, that is the highest recall, wins.
    best = max(counts, key=lambda t: (_or(counts[t].mota, 0.0), -t), default=None)
    chosen = everything if best is None else counts[best]
    return ClassScore(float(np.mean(motar)), float(np.mean(motp)), best, chosen)


def recall_thresholds(match_scores: Sequence[float], objects: int) -> list[float | None]:
    """Track score that gives each recall of RECALLS, None where it is out of reach.

    Args:
        match_scores: track score of every match when all predictions count.
        objects: number of ground-truth boxes.
    """
    if not len(match_scores):
        return [None] * len(RECALLS)
    scores = np.sort(np.asarray(match_scores, np.float64))[::-1]
    reached = np.arange(1, len(scores) + 1) / objects
    thresholds = np.interp(RECALLS, reached, scores)
    return [float(t) if recall <= reached[-1] else None for t, recall in zip(thresholds, RECALLS, strict=True)]


def _or(value: float | None, fallback: float) -> float:
    return fallback if value is None else value
