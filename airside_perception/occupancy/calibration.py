"""Probabilities that mean what they say: reliability of a head's answers, and its correction after training.

Losses that lift rare classes leave a network too sure of them. One temperature and one bias per head (Platt scaling;
Guo et al., arXiv 1706.04599, section 4.2, find it about as good as anything richer), fitted on validation samples,
travel in the metadata of the ONNX file and are applied where answers are decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from airside_perception.errors import AirsideError

_LIMIT = 16.0
_STEPS_PER_UNIT = 16
_SMALLEST = 1e-7


@dataclass(frozen=True)
class Calibration:
    """sigmoid(logit(p) / temperature + bias).

    Attributes:
        temperature: above 0; larger: less sure.
        bias: in logits; below 0: rarer.
    """

    temperature: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature > 0 and np.isfinite(self.bias)):
            raise AirsideError(
                f"calibration: expected a temperature above 0 and a finite bias, got {self.temperature}, {self.bias}; "
                "fit it again or export the network again"
            )

    def apply(self, probability: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, any shape, float32."""
        if self == Calibration():
            return np.asarray(probability, np.float32)
        return sigmoid(logit(probability) / self.temperature + self.bias).astype(np.float32)

    @staticmethod
    def of_metadata(metadata: Mapping[str, str], head: str) -> Calibration:
        """What the exporter wrote for a head; no correction where it wrote nothing.

        Raises:
            AirsideError: the entries are no numbers.
        """
        try:
            return Calibration(
                float(metadata.get(f"{head}_temperature", 1.0)), float(metadata.get(f"{head}_bias", 0.0))
            )
        except ValueError as error:
            raise AirsideError(f"network metadata: calibration of {head}: {error}; export the network again") from error

    def to_metadata(self, head: str) -> dict[str, str]:
        return {f"{head}_temperature": f"{self.temperature:.4f}", f"{head}_bias": f"{self.bias:.4f}"}


class Reliability:
    """How often answers of each confidence are right; a histogram over logits, fine enough to fit on.

    Attributes:
        count, hits: (bins,) int64, answers and right answers.
    """

    def __init__(self) -> None:
        bins = 2 * int(_LIMIT) * _STEPS_PER_UNIT
        self.count = np.zeros(bins, np.int64)
        self.hits = np.zeros(bins, np.int64)

    def add(self, probability: np.ndarray, truth: np.ndarray) -> None:
        """Count answers: (N,) probabilities and (N,) bool."""
        place = ((logit(probability) + _LIMIT) * _STEPS_PER_UNIT).astype(np.int64).clip(0, len(self.count) - 1)
        self.count += np.bincount(place, minlength=len(self.count))
        self.hits += np.bincount(place[np.asarray(truth, bool)], minlength=len(self.count))

    def merge(self, other: Reliability) -> None:
        """Add the counts of another."""
        self.count += other.count
        self.hits += other.hits

    @property
    def probability(self) -> np.ndarray:
        """(bins,) probability in the middle of each bin."""
        return sigmoid((np.arange(len(self.count)) + 0.5) / _STEPS_PER_UNIT - _LIMIT)

    def expected_error(
        self, calibration: Calibration | None = None, bins: int = 15, least: float = 0.0
    ) -> float | None:
        """Expected calibration error: |confidence - frequency|, mean over answers.

        Args:
            calibration: applied first.
            bins: equal steps of probability (15 in Guo et al.).
            least: answers below this probability are left out; grids are mostly free, and answers that say so
                flatter the mean.

        Returns:
            0..1, None without an answer.
        """
        probability = (calibration or Calibration()).apply(self.probability)
        used = (self.count > 0) & (probability >= least)
        if not used.any():
            return None
        row = np.minimum((probability[used] * bins).astype(int), bins - 1)
        answers = np.bincount(row, self.count[used], bins)
        confidence = np.bincount(row, self.count[used] * probability[used], bins)
        right = np.bincount(row, self.hits[used], bins)
        return float(np.abs(confidence - right).sum() / answers.sum())

    def fit(self, steps: int = 50) -> Calibration:
        """Temperature and bias of greatest likelihood (Newton's method; two numbers, convex)."""
        used = self.count > 0
        if not used.any() or not self.hits.any():
            return Calibration()
        x = np.stack([logit(self.probability[used]), np.ones(int(used.sum()))], axis=1)
        count, hits = self.count[used], self.hits[used]
        weights = np.array([1.0, 0.0])
        for _ in range(steps):
            guess = sigmoid(x @ weights)
            gradient = x.T @ (hits - count * guess)
            curvature = (x * (count * guess * (1 - guess))[:, None]).T @ x + 1e-6 * np.eye(2)
            step = np.linalg.solve(curvature, gradient)
            # Newton may leap where nearly all answers are sure: no farther than a unit of logits at a time.
            weights = weights + step * min(1.0, 1.0 / max(np.abs(step).max(), 1e-12))
            if np.abs(step).max() < 1e-9:
                break
        if weights[0] < 0.05:
            return Calibration(1.0, float(weights[1]))  # answers that say nothing: only their mean can be mended
        return Calibration(float(1.0 / weights[0]), float(weights[1]))

    def threshold_for_share(self, largest_share: float, calibration: Calibration | None = None) -> float:
        """The greatest probability below which at most `largest_share` of the answers are hits.

        Returns:
            1 where even all answers together are below the share, 0 where none are.
        """
        probability = (calibration or Calibration()).apply(self.probability)
        below, wrong = np.cumsum(self.count), np.cumsum(self.hits)
        good = np.flatnonzero((below > 0) & (wrong <= largest_share * below))
        if not len(good):
            return 0.0
        if good[-1] == len(self.count) - 1:
            return 1.0
        return float(0.5 * (probability[good[-1]] + probability[good[-1] + 1]))


def logit(probability: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), finite for 0 and 1."""
    clipped = np.clip(np.asarray(probability, np.float64), _SMALLEST, 1.0 - _SMALLEST)
    return np.log(clipped) - np.log1p(-clipped)


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(values)))
