"""Which measurement belongs to which track: gated costs and a global assignment.

A cost is a weighted mean of terms that each lie in [0, 1], 0 being perfect, so that costs of pairs
with and without appearance codes can be compared and one limit serves all classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from airside_perception.geometry.boxes import giou_3d_pairs, ground_distance


@dataclass(frozen=True)
class CostTerms:
    """Costs of all pairs of T tracks and E estimates; meaningful where `allowed`.

    Attributes:
        distance: (T, E) ground distance over the gate in metres.
        iou: (T, E) (1 - generalised 3D IoU) / 2.
        codes: (T, E) (1 - cosine of shape and texture codes) / 2; NaN where a side has none.
        total: (T, E) weighted mean of the terms at hand.
        allowed: (T, E) bool, same class and inside both gates.
    """

    distance: np.ndarray
    iou: np.ndarray
    codes: np.ndarray
    total: np.ndarray
    allowed: np.ndarray

    def of_pair(self, track: int, estimate: int) -> dict[str, float]:
        """Terms of one pair by name, as Track.match_cost holds them; "codes" only where they were compared."""
        terms = {"distance": float(self.distance[track, estimate]), "iou": float(self.iou[track, estimate])}
        if np.isfinite(self.codes[track, estimate]):
            terms["codes"] = float(self.codes[track, estimate])
        terms["total"] = float(self.total[track, estimate])
        return terms

    def best_others(self, chosen: Mapping[int, int]) -> dict[int, int]:
        """Track -> its cheapest candidate inside the gate that is not `chosen`; tracks without one are absent."""
        if self.total.size == 0:
            return {}
        candidates = np.where(self.allowed, self.total, np.inf)
        candidates[list(chosen.keys()), list(chosen.values())] = np.inf
        best = np.argmin(candidates, axis=1)
        rows = np.flatnonzero(np.isfinite(candidates[np.arange(len(best)), best]))
        return {int(row): int(best[row]) for row in rows}


@dataclass(frozen=True)
class Weights:
    """Weights of the terms of a match."""

    distance: float
    iou: float
    codes: float


def match_costs(
    track_boxes: np.ndarray,
    estimate_boxes: np.ndarray,
    gates: np.ndarray,
    same_class: np.ndarray,
    codes: np.ndarray,
    weights: Weights,
    spreads: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> CostTerms:
    """Costs of all pairs that the gates allow.

    Args:
        track_boxes: (T, 7) predicted boxes.
        estimate_boxes: (E, 7) measured boxes.
        gates: (T,) farthest ground distance per track, metres.
        same_class: (T, E) bool.
        codes: (T, E) code term from `code_costs`, NaN where unknown.
        weights: of the terms; a term that is NaN drops out and the others share its weight.
        spreads: (T, 2, 2) and (E, 2, 2) ground covariances of predictions and measurements, and (T,) how many standard
            deviations may lie between: a track that knows well where it should be takes no measurement of its
            neighbour in a crowd; None: only metres gate.
    """
    distance = ground_distance(track_boxes, estimate_boxes)
    relative = distance / gates[:, None]
    allowed = same_class & (relative <= 1.0)
    if spreads is not None:
        predicted, measured, limits = spreads
        allowed &= _sigmas(track_boxes, estimate_boxes, predicted, measured) <= limits[:, None]
    iou = np.ones_like(distance)
    rows, columns = np.nonzero(allowed)
    iou[rows, columns] = 0.5 * (1.0 - giou_3d_pairs(track_boxes[rows], estimate_boxes[columns]))
    with_codes = np.isfinite(codes)
    weighted = weights.distance * relative + weights.iou * iou + weights.codes * np.where(with_codes, codes, 0.0)
    total = weighted / np.maximum(weights.distance + weights.iou + weights.codes * with_codes, 1e-9)
    return CostTerms(relative, iou, codes, total, allowed)


def _sigmas(
    track_boxes: np.ndarray, estimate_boxes: np.ndarray, track_spreads: np.ndarray, estimate_spreads: np.ndarray
) -> np.ndarray:
    """(T, E) Mahalanobis distances on the ground."""
    offset = estimate_boxes[None, :, :2] - track_boxes[:, None, :2]
    spread = track_spreads[:, None] + estimate_spreads[None]
    a, b, c = spread[..., 0, 0], spread[..., 0, 1], spread[..., 1, 1]
    x, y = offset[..., 0], offset[..., 1]
    return np.sqrt((c * x * x - 2.0 * b * x * y + a * y * y) / np.maximum(a * c - b * b, 1e-12))


def code_costs(
    tracks: Sequence[Sequence[np.ndarray | None]], estimates: Sequence[Sequence[np.ndarray | None]]
) -> np.ndarray:
    """(T, E) (1 - cosine) / 2 of the codes, NaN where a side has none or lengths differ.

    Args:
        tracks, estimates: (shape code, texture code) of each object. Both codes count alike, however long.
    """
    cosines = [_cosines([t[k] for t in tracks], [e[k] for e in estimates]) for k in (0, 1)]
    known = np.isfinite(cosines)
    mean = np.where(known, cosines, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known.any(axis=0), 0.5 * (1.0 - mean), np.nan)


def _cosines(left: Sequence[np.ndarray | None], right: Sequence[np.ndarray | None]) -> np.ndarray:
    """(len(left), len(right)) cosines of vectors of equal length, NaN elsewhere."""
    result = np.full((len(left), len(right)), np.nan)
    lengths = {len(code) for code in left if code is not None} & {len(code) for code in right if code is not None}
    for length in sorted(lengths):
        rows = [i for i, code in enumerate(left) if code is not None and len(code) == length]
        columns = [j for j, code in enumerate(right) if code is not None and len(code) == length]
        a = np.array([left[i] for i in rows], np.float64)
        b = np.array([right[j] for j in columns], np.float64)
        norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None, :]
        # A code of zeros points nowhere: neither for nor against the match.
        result[np.ix_(rows, columns)] = np.where(norms > 1e-9, a @ b.T / np.maximum(norms, 1e-9), np.nan)
    return result


def assign(total: np.ndarray, allowed: np.ndarray, max_cost: float) -> list[tuple[int, int]]:
    """The cheapest assignment (Hungarian) where leaving two alone costs as much as the worst match.

    So a good match is not given up for two poor ones, as an assignment of most pairs would.

    Args:
        total: (T, E) costs in [0, 1].
        allowed: (T, E) bool.
        max_cost: pairs that cost more are not made.

    Returns:
        (track, estimate) pairs in the order of the tracks.
    """
    possible = allowed & (total <= max_cost)
    if not possible.any():
        return []
    rows, columns = linear_sum_assignment(np.where(possible, total, max_cost))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if possible[i, j]]
