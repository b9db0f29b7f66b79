"""CLEAR MOT: which prediction is which object, frame by frame (Bernardin and Stiefelhagen 2008).

An established pair stays together as long as it is within the matching distance; the rest is
assigned anew at least total distance. An object that changes its prediction is an identity switch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from airside_perception.evaluation.scored_tracks import FrameBoxes, ScoredSequence
from airside_perception.geometry.boxes import ground_distance

_FORBIDDEN = 1e6
"""Cost of a pair beyond the matching distance; any number of allowed pairs is cheaper."""


@dataclass
class ClearCounts:
    """Sums over frames and sequences of one class.

    Attributes:
        objects: scored ground-truth boxes.
        matches: pairs that are no identity switch.
        switches, misses, false_positives, fragmentations: counts.
        distance: sum of the ground distances of all pairs, metres.
        match_scores: track score of each match, in no order.
        pairs: (truth box, predicted box), (7,) each, of pairs where both files hold the object.
    """

    objects: int = 0
    matches: int = 0
    switches: int = 0
    misses: int = 0
    false_positives: int = 0
    fragmentations: int = 0
    distance: float = 0.0
    match_scores: list[float] = field(default_factory=list)
    pairs: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    @property
    def detections(self) -> int:
        """Pairs of any kind."""
        return self.matches + self.switches

    @property
    def recall(self) -> float | None:
        """Share of objects that were found."""
        return self.detections / self.objects if self.objects else None

    @property
    def mota(self) -> float | None:
        """1 - (misses + switches + false positives) / objects, not below 0 (as nuScenes)."""
        if not self.objects:
            return None
        return max(0.0, 1.0 - (self.misses + self.switches + self.false_positives) / self.objects)

    @property
    def motp(self) -> float | None:
        """Mean ground distance of pairs, metres."""
        return self.distance / self.detections if self.detections else None

    @property
    def motar(self) -> float | None:
        """MOTA normalised by the recall that was reached, not below 0; None without a match."""
        if not self.matches:
            return None
        recall = self.matches / self.objects
        errors = self.misses + self.switches + self.false_positives
        return max(0.0, 1.0 - (errors - (1.0 - recall) * self.objects) / (recall * self.objects))


def count(sequences: Iterable[ScoredSequence], match_distance: float, threshold: float | None = None) -> ClearCounts:
    """Match all frames of all sequences.

    Args:
        sequences: of one class.
        match_distance: pairs must be closer than this on the ground, metres.
        threshold: predictions of tracks that score less are left out; None: all count.
    """
    counts = ClearCounts()
    for sequence in sequences:
        _count_sequence(sequence, match_distance, threshold, counts)
    return counts


def _count_sequence(
    sequence: ScoredSequence, match_distance: float, threshold: float | None, counts: ClearCounts
) -> None:
    partner: dict[int, int] = {}
    found: dict[int, list[bool]] = {}
    for truth, predictions, ignored in zip(sequence.truth, sequence.predictions, sequence.ignored, strict=True):
        if threshold is not None:
            predictions = predictions.pick(predictions.scores >= threshold)
        pairs = match_frame(truth, predictions, partner, match_distance)
        for i, j in pairs:
            identity, prediction = int(truth.ids[i]), int(predictions.ids[j])
            if partner.get(identity, prediction) == prediction:
                counts.matches += 1
                counts.match_scores.append(float(predictions.scores[j]))
            else:
                counts.switches += 1
            partner[identity] = prediction
            counts.distance += float(np.linalg.norm(truth.boxes[i, :2] - predictions.boxes[j, :2]))
            if not (truth.interpolated[i] or predictions.interpolated[j]):
                counts.pairs.append((truth.boxes[i], predictions.boxes[j]))
        matched = {i for i, _ in pairs}
        for i, identity in enumerate(truth.ids.tolist()):
            found.setdefault(identity, []).append(i in matched)
        counts.objects += len(truth)
        counts.misses += len(truth) - len(pairs)
        free = np.setdiff1d(np.arange(len(predictions)), [j for _, j in pairs])
        counts.false_positives += len(free) - len(near_ignored(predictions.boxes[free], ignored, match_distance))
    counts.fragmentations += sum(_gaps(seen) for seen in found.values())


def match_frame(
    truth: FrameBoxes, predictions: FrameBoxes, partner: dict[int, int], match_distance: float
) -> list[tuple[int, int]]:
    """Pairs (truth, prediction) of one frame: known partners first, then the best assignment of the rest."""
    distance = ground_distance(truth.boxes, predictions.boxes)
    allowed = distance < match_distance
    column = {int(identity): j for j, identity in enumerate(predictions.ids)}
    pairs = []
    for i, identity in enumerate(truth.ids.tolist()):
        j = column.get(partner.get(identity, -1))
        if j is not None and allowed[i, j]:
            pairs.append((i, j))
            allowed[i, :] = False
            allowed[:, j] = False
    return sorted(pairs + assign_nearest(distance, allowed))


def assign_nearest(distance: np.ndarray, allowed: np.ndarray) -> list[tuple[int, int]]:
    """As many allowed pairs as possible, at least total distance."""
    if not allowed.any():
        return []
    rows, columns = linear_sum_assignment(np.where(allowed, distance, _FORBIDDEN))
    return [(i, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if allowed[i, j]]


def near_ignored(boxes: np.ndarray, ignored: np.ndarray, match_distance: float) -> list[int]:
    """Rows of `boxes` (N, 7) that are predictions of ground truth (K, 7) which is not scored, one each at most."""
    distance = ground_distance(boxes, ignored)
    return [i for i, _ in assign_nearest(distance, distance < match_distance)]


def _gaps(found: list[bool]) -> int:
    """How often a found object was lost and later found again."""
    hits = np.flatnonzero(found)
    return int(np.sum(np.diff(hits) > 1))
