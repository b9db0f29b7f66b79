"""Which way does an object face? All that bears on it, added up over the circle.

Each source gives a log-likelihood of the form a cos(d) + b cos(2 d) in the difference d to its own answer: the
first term knows front from back, the second only the axis. Sums of such terms stay of that form, the best heading
and its rivals (half turns, mostly) are read off a grid, and the weights of the sources are a convex fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from airside_perception.geometry.se3 import wrap_angle
from airside_perception.records import Track
from airside_perception.refine.image_votes import ImageVotes
from airside_perception.refine.priors import ClassSpread

BINS = 144

GRID = np.arange(BINS) * (2 * np.pi / BINS) - np.pi
"""Headings at which beliefs are held, radians."""

LEAST_STD, LARGEST_STD = 0.03, 1.5
"""Standard deviation of a heading, radians, however peaked or flat the belief is."""


TRACK_HITS = 5
FULL_SPEED = 1.0
"""Metres per second; below, the direction of travel counts in proportion to the square of the speed."""

VOTES_HALF = 4.0
"""Weight of votes at which they count half as much as a crowd of them."""

TRACK_WEIGHT = {"aircraft": 1.0, "gse": 1.0, "person": 0.7}
"""Nats of cos d for the track's heading, after TRACK_HITS measurements. It only tells front from back, because the
tracker adds the measurement to its own estimate again."""

MOTION_WEIGHT = {"aircraft": 0.0, "gse": 1.0, "person": 3.0}
"""Nats of cos d for the direction of travel at FULL_SPEED and faster; aircraft are also pushed back."""


def frame_beliefs(
    class_names: Sequence[str],
    detected_yaw: np.ndarray,
    votes: ImageVotes | None,
    spreads: Mapping[str, ClassSpread],
) -> np.ndarray:
    """Log-belief over GRID of each object from one frame alone.

    Args:
        class_names: N names.
        detected_yaw: (N,) radians, the detections' own.
        votes: of the image cells; None: there are none.
        spreads: errors of the detections by class.

    Returns:
        (N, BINS) float64, up to a constant of each row.
    """
    belief = np.zeros((len(class_names), BINS))
    for index, name in enumerate(class_names):
        row = belief[index]
        (side, axis), difference = spreads[name].heading, GRID - detected_yaw[index]
        row += side * np.cos(difference) + axis * np.cos(2 * difference)
        voted = spreads[name].votes
        if votes is not None and voted is not None and votes.count[index] > 0:
            trust = votes.count[index] / (votes.count[index] + VOTES_HALF)
            (x, y), (x2, y2) = votes.heading[index], votes.axis[index]
            side, axis = voted.heading
            row += trust * side * (x * np.cos(GRID) + y * np.sin(GRID))
            row += trust * axis * (x2 * np.cos(2 * GRID) + y2 * np.sin(2 * GRID))
    return belief


def with_tracks(belief: np.ndarray, class_names: Sequence[str], tracks: Sequence[Track | None]) -> np.ndarray:
    """Log-belief over GRID of each object from its frame and its track.

    Args:
        belief: (N, BINS) of the frame alone.
        class_names: N names.
        tracks: N predictions, None where an object is new.

    Returns:
        (N, BINS) float64, largest value of each row 0.
    """
    belief = belief.copy()
    for row, name, track in zip(belief, class_names, tracks, strict=True):
        if track is not None:
            row += TRACK_WEIGHT[name] * min(track.hits / TRACK_HITS, 1.0) * np.cos(GRID - track.box[6])
            speed = float(np.hypot(*track.velocity))
            share = min((speed / FULL_SPEED) ** 2, 1.0)
            row += MOTION_WEIGHT[name] * share * np.cos(GRID - np.arctan2(track.velocity[1], track.velocity[0]))
    return belief - belief.max(axis=1, keepdims=True)


def front_odds(belief: np.ndarray, yaw: float) -> float:
    """Nats by which one belief (BINS,) prefers the heading `yaw` to its opposite."""
    ahead, behind = np.interp([yaw, yaw + np.pi], GRID, belief, period=2 * np.pi)
    return float(ahead - behind)


def peaks(belief: np.ndarray, depth: float, limit: int) -> list[tuple[float, float, float]]:
    """Local maxima of one belief, best first.

    Args:
        belief: (BINS,) log-belief.
        depth: nats below the best at which a maximum is no longer listed.
        limit: most maxima.

    Returns:
        (heading in radians, log-belief, standard deviation in radians) of each.
    """
    before, after = np.roll(belief, 1), np.roll(belief, -1)
    tops = np.flatnonzero((belief >= before) & (belief > after) & (belief >= belief.max() - depth))
    if not len(tops):
        tops = np.array([int(belief.argmax())])
    step = 2 * np.pi / BINS
    result = []
    for top in sorted(tops, key=lambda each: -belief[each])[:limit]:
        curvature = (2 * belief[top] - before[top] - after[top]) / step**2
        # The vertex of the parabola through the three bins.
        shift = 0.5 * (after[top] - before[top]) / max(curvature * step**2, 1e-12)
        std = 1.0 / np.sqrt(max(curvature, 1.0 / LARGEST_STD**2))
        heading = float(wrap_angle(GRID[top] + step * np.clip(shift, -0.5, 0.5)))
        result.append((heading, float(belief[top]), float(np.clip(std, LEAST_STD, LARGEST_STD))))
    return result
