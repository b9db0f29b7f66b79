"""How boxes of one source err."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class ClassSpread:
    """Standard deviations of a source of boxes, for one class.

    Attributes:
        radial, radial_per_m: metres along the line of sight, and its growth with distance.
        lateral, lateral_per_m: metres across it.
        yaw: radians.
        log_size: relative errors of length, width, height.
        heading: weights in nats of cos d and cos 2 d in the log-likelihood of a heading that is off by d: how well
            the source tells front from back, and how well it knows the axis (heading_belief).
        shape: standard deviations of the class's own code distribution.
        votes: errors of the image's votes as far as they count beside this source, with which they share mistakes;
            None: they don't count.
        network: the same of the network's own boxes, beside boxes from elsewhere.
        doubt: factors on the standard deviations that refinement states for position, sizes and heading: what the
            solver can't know is how far silhouettes and shapes are off together.
        told_range: factor on the range error that the source tells of each answer, which then replaces `radial`; 0:
            what it tells doesn't count.
        range_with_size: correlation of the error along the line of sight with those of the sizes, 0..1.
        lead: factor on the standard deviation along the line of sight with which a detection enters refinement; below 1
            it counts for more than it would by itself, as votes and outlines err with it and pull one way together.
        displacement: metres along each axis by which the source errs of how far things went between two frames; NaN:
            nobody knows, and what it tells of motion doesn't count.
    """

    radial: float
    radial_per_m: float
    lateral: float
    lateral_per_m: float
    yaw: float
    log_size: tuple[float, float, float]
    heading: tuple[float, float]
    shape: float = 1.0
    votes: ClassSpread | None = None
    network: ClassSpread | None = None
    doubt: tuple[float, float, float] = (1.0, 1.0, 1.0)
    range_with_size: float = 0.0
    told_range: float = 0.0
    lead: float = 1.0
    displacement: float = float("nan")

    def velocity(self, told: np.ndarray | None, gap_s: float) -> tuple[np.ndarray | None, float]:
        """What counts of a velocity, and the standard deviation (m/s) of each of its components.

        Args:
            told: (2,) m/s, or None.
            gap_s: seconds between the two frames that showed it; NaN: it came without errors and starts tracks only.

        Returns:
            The velocity or None, and its standard deviation: NaN where nobody knows it.
        """
        if told is None or not np.isfinite(gap_s):
            return told, float("nan")
        if gap_s <= 0 or not np.isfinite(self.displacement):
            return None, float("nan")
        return told, self.displacement / gap_s

    def with_told_range(self, std: float) -> ClassSpread:
        """For one answer that comes with an error (metres) of its own, NaN for none."""
        if self.told_range <= 0 or not np.isfinite(std):
            return self
        return replace(self, radial=self.told_range * std, radial_per_m=0.0)

    def leading(self) -> ClassSpread:
        """As it enters refinement, see `lead`."""
        return replace(self, radial=self.lead * self.radial, radial_per_m=self.lead * self.radial_per_m)

    def stds(self, distance: float) -> tuple[float, float]:
        """Standard deviations along and across the line of sight at a distance, metres."""
        return self.radial + self.radial_per_m * distance, self.lateral + self.lateral_per_m * distance

    def ground_information(self, offset: np.ndarray) -> np.ndarray:
        """(2, 2) inverse covariance of a position at `offset` (2,) from the viewpoint, metres."""
        distance = float(np.hypot(*offset))
        along = offset / max(distance, 1e-6)
        across = np.array([-along[1], along[0]])
        radial, lateral = self.stds(distance)
        return np.outer(along, along) / radial**2 + np.outer(across, across) / lateral**2
