"""Several answers to where objects stand and how large they are, weighed against each other.

The detection leads. What the image says besides comes from a network that is now and then wholly wrong about things
it never saw: such answers count as drawn from Student's t, so that the farther they are off, the less they say, and
sources that disagree leave a doubt behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airside_perception.refine.class_spread import ClassSpread

DEGREES = 2.0
"""Of freedom of Student's t: errors of images have heavy tails."""

STEPS = 5
"""Of the reweighting; it settles after three or four."""


@dataclass(frozen=True)
class BoxEvidence:
    """What one source says of N objects.

    Attributes:
        mean: (N, 5) x, y (odom, metres) of the centre, log length, width, height.
        covariance: (N, 5, 5).
        known: (N,) bool, False where the source is silent.
    """

    mean: np.ndarray
    covariance: np.ndarray
    known: np.ndarray


def box_evidence(
    center: np.ndarray,
    log_size: np.ndarray,
    spreads: Sequence[ClassSpread],
    viewpoint: np.ndarray,
    known: np.ndarray | None = None,
) -> BoxEvidence:
    """Evidence of one source whose errors lie along and across the line of sight.

    A camera hardly tells far and big from near and small: errors of sizes go with those of range
    (`ClassSpread.range_with_size`), so that whoever corrects the range corrects the size, too.

    Args:
        center: (N, 2) odom.
        log_size: (N, 3).
        spreads: N of them.
        viewpoint: (2,) or (3,) odom position of the vehicle.
        known: (N,) bool; None: all.
    """
    count = len(center)
    covariance = np.zeros((count, 5, 5))
    for i, spread in enumerate(spreads):
        offset = center[i] - viewpoint[:2]
        distance = float(np.hypot(*offset))
        along = offset / distance if distance > 1e-6 else np.array([1.0, 0.0])
        size = np.asarray(spread.log_size)
        radial, lateral = spread.stds(distance)
        # Errors are a sum of independent ones and of one that moves range and sizes together.
        common = np.concatenate([radial * along, spread.range_with_size * size])
        across = np.array([-along[1], along[0]])
        covariance[i, :2, :2] = lateral**2 * np.outer(across, across)
        covariance[i, range(2, 5), range(2, 5)] = (1 - spread.range_with_size**2) * size**2
        covariance[i] += np.outer(common, common)
    return BoxEvidence(
        np.column_stack([center, log_size]), covariance, np.ones(count, bool) if known is None else known
    )


def combine(first: BoxEvidence, others: Sequence[BoxEvidence]) -> tuple[np.ndarray, np.ndarray]:
    """The most likely answer, and how sure it is.

    Args:
        first: of the detections, known for all.
        others: independent of it; counted as far as they agree with it and with each other in position.

    Returns:
        (N, 5) means and (N, 5, 5) information (inverse covariance), in the order of `BoxEvidence.mean`.
    """
    own = np.linalg.inv(first.covariance)
    information = [np.where(other.known[:, None, None], np.linalg.inv(other.covariance), 0.0) for other in others]
    positions = [np.linalg.inv(other.covariance[:, :2, :2]) for other in others]
    means = [np.where(other.known[:, None], other.mean, 0.0) for other in others]
    mean, total = first.mean, own
    weights = [other.known.astype(float) for other in others]
    for _ in range(STEPS if others else 0):
        total, sums = own.copy(), np.einsum("nij,nj->ni", own, first.mean)
        for weight, each, value in zip(weights, information, means, strict=True):
            total += weight[:, None, None] * each
            sums += weight[:, None] * np.einsum("nij,nj->ni", each, value)
        mean = np.linalg.solve(total, sums[..., None])[..., 0]
        weights = [
            other.known * np.minimum((DEGREES + 2) / (DEGREES + _squared(value - mean, each)), 1.0)
            for other, value, each in zip(others, means, positions, strict=True)
        ]
    return mean, total / _doubt(first, others, mean, weights)[:, None, None]


def _squared(difference: np.ndarray, information: np.ndarray) -> np.ndarray:
    """(N,) squared Mahalanobis lengths of positions."""
    return np.einsum("ni,nij,nj->n", difference[:, :2], information, difference[:, :2])


def _doubt(
    first: BoxEvidence, others: Sequence[BoxEvidence], mean: np.ndarray, weights: Sequence[np.ndarray]
) -> np.ndarray:
    """(N,) factor >= 1 on the covariance: by how much sources disagree more than their errors would make them."""
    surprise = _squared(first.mean - mean, np.linalg.inv(first.covariance[:, :2, :2]))
    degrees = np.zeros(len(mean))
    for other, weight in zip(others, weights, strict=True):
        value = np.where(other.known[:, None], other.mean, mean)
        surprise = surprise + weight * _squared(value - mean, np.linalg.inv(other.covariance[:, :2, :2]))
        degrees += 2.0 * other.known
    return np.where(degrees > 0, np.maximum(surprise / np.maximum(degrees, 1.0), 1.0), 1.0)
