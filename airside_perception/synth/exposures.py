"""When each camera of a rig exposes, and which images never arrive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def draw_exposures(
    rng: np.random.Generator, cameras: Sequence[str], times_s: Sequence[float], jitter_s: float, drop: float
) -> list[dict[str, float]]:
    """Times of exposure of a whole sequence.

    The first camera is the anchor: it exposes at the frame's own time, the others up to `jitter_s` later.
    Nothing is dropped from the first frame: a recording starts when all cameras run.

    Args:
        rng: random source; the same number of draws whatever the options, so that a sequence with dropped
            images is else the one without.
        cameras: names, the anchor first.
        times_s: time of each frame, seconds.
        jitter_s: largest delay after the anchor, seconds.
        drop: share of single images that are lost, 0..1.

    Returns:
        for each frame camera name -> time of exposure, seconds; a lost image has none.
    """
    delays, luck = rng.random((2, len(times_s), len(cameras)))
    delays[:, 0], luck[0] = 0.0, 1.0
    return [
        {
            name: time_s + jitter_s * delays[index, column]
            for column, name in enumerate(cameras)
            if luck[index, column] >= drop
        }
        for index, time_s in enumerate(times_s)
    ]
