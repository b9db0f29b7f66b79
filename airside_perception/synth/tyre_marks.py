"""Tracks of tyres on concrete: along the road, round its corners, to the stands."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.ground import GroundPainter

STEP = 0.8
"""Metres between two points of a track."""


def paint_tyre_marks(painter: GroundPainter, rng: np.random.Generator) -> None:
    """Darken the ground under vehicles that have passed.

    Args:
        painter: what to paint on.
        rng: draws how many tracks there are, and where; a clean apron has none.
    """
    for _ in range(int(rng.integers(0, 24))):
        gauge, width = rng.uniform(1.1, 2.4), rng.uniform(0.16, 0.4)
        middle = _way(rng)
        along = np.gradient(middle, axis=0)
        across = np.stack([-along[:, 1], along[:, 0]], axis=1) / STEP
        wheels = [middle + side * gauge / 2 * across for side in (-1.0, 1.0)]
        painter.tracks(rng, wheels, width, strength=float(rng.uniform(0.6, 0.95)))


def _way(rng: np.random.Generator) -> np.ndarray:
    """(N, 2) world metres: straight, one bend, straight; most ways begin along the road, which runs along x."""
    length = rng.uniform(15, 60)
    count = int(length / STEP)
    on_road = rng.random() < 0.6
    start = rng.uniform((-70, -4), (70, 4)) if on_road else rng.uniform((-60, -50), (60, 50))
    heading = (0.0 if rng.random() < 0.5 else np.pi) + rng.normal(0, 0.02) if on_road else rng.uniform(-np.pi, np.pi)
    radius = rng.choice([-1.0, 1.0]) * rng.uniform(4.0, 14.0)
    turn = rng.uniform(0.3, 1.7) if rng.random() < 0.7 else 0.0
    first = rng.uniform(0.2, 0.7) * length
    arc = np.arange(count) * STEP
    yaw = heading + np.clip((arc - first) / radius, min(0.0, np.sign(radius) * turn), max(0.0, np.sign(radius) * turn))
    steps = STEP * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    return start + np.cumsum(steps, axis=0)
