"""How good is the detector that boxes come from? Measured while driving, by how far they are off what the image says.

Nobody knows the errors of a detector that a user brings, and beliefs that are twice too wide or too narrow cost more
than all silhouettes win. Across the line of sight, image cells vote for an object's place to within a few decimetres,
whatever the detector says: how much farther apart the two are is the detector's doing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from airside_perception.refine.class_spread import ClassSpread
from airside_perception.refine.image_votes import ImageVotes

VOTE_STD = {"gse": (0.02, 0.0155), "person": (0.04, 0.0062)}
"""Standard deviation (metres, metres per metre of distance) of the image's votes across the line of sight. Found on
`val` sequences with detectors of half, the same and twice the usual errors; too few aircraft to measure theirs."""

LEAST_VOTES = 2.0
"""Sum of probabilities below which the votes for an object don't count."""

FACTORS = np.exp(np.linspace(np.log(0.4), np.log(2.5), 31))
"""Factors on the expected errors that are weighed against each other."""

PRIOR_STD = 0.5
"""Of the logarithm of the factor, before anything was seen."""

ERRORS_LAST_S = 1.5
"""An object's error hardly changes in this time: so long, its frames together count once."""

MEMORY_S = 60.0
"""Time constant with which old frames are forgotten."""

DEGREES = 4.0
"""Of freedom of Student's t: some boxes and some votes belong to something else."""


class DetectorQuality:
    """Factor between the errors that a detector makes and those that are expected of it.

    Attributes:
        factor: the present estimate; 1 before anything was seen.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all frames."""
        self._log_likelihood = np.zeros(len(FACTORS))
        self._last_ns: int | None = None
        self.factor = 1.0

    def update(
        self,
        stamp_ns: int,
        boxes: np.ndarray,
        class_names: Sequence[str],
        votes: ImageVotes,
        viewpoint: np.ndarray,
        spreads: Mapping[str, ClassSpread],
    ) -> None:
        """Take in one frame.

        Args:
            stamp_ns: of the frame; before the last one: everything is forgotten.
            boxes: (N, 7) odom, as detected.
            class_names: N names.
            votes: gathered for the same objects.
            viewpoint: (3,) odom position of the vehicle.
            spreads: errors that are expected, factor 1.
        """
        if self._last_ns is not None and stamp_ns < self._last_ns:
            self.reset()
        # Of the first frame nobody knows how long it stands for; it may count like a short one.
        passed_s = 0.1 if self._last_ns is None else (stamp_ns - self._last_ns) * 1e-9
        self._last_ns = stamp_ns
        known = [i for i, name in enumerate(class_names) if name in VOTE_STD and votes.count[i] >= LEAST_VOTES]
        self._log_likelihood *= np.exp(-passed_s / MEMORY_S)
        if known:
            sight = boxes[known, :2] - viewpoint[:2]
            distance = np.maximum(np.linalg.norm(sight, axis=1), 1e-3)
            apart = votes.center[known] - boxes[known, :2]
            across = (sight[:, 0] * apart[:, 1] - sight[:, 1] * apart[:, 0]) / distance
            names = [class_names[i] for i in known]
            expected = np.array([spreads[n].stds(float(d))[1] for n, d in zip(names, distance, strict=True)])
            constant, slope = np.array([VOTE_STD[name] for name in names]).T
            variance = (FACTORS[:, None] * expected) ** 2 + (constant + slope * distance) ** 2
            surprise = 0.5 * np.log(variance) + 0.5 * (DEGREES + 1) * np.log1p(across**2 / variance / DEGREES)
            self._log_likelihood -= min(passed_s / ERRORS_LAST_S, 1.0) * surprise.sum(axis=1)
        log_factors = np.log(FACTORS)
        belief = self._log_likelihood - 0.5 * (log_factors / PRIOR_STD) ** 2
        weight = np.exp(belief - belief.max())
        self.factor = float(np.exp(np.sum(weight * log_factors) / np.sum(weight)))
