"""What is believed of an object before it is rendered: detector's box, image votes, track's size, prior's codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from airside_perception.geometry.se3 import wrap_angle
from airside_perception.refine.image_votes import ImageVotes
from airside_perception.refine.residuals import Poses


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

    def ground_information(self, offset: np.ndarray) -> np.ndarray:
        """(2, 2) inverse covariance of a position at `offset` (2,) from the viewpoint, metres."""
        distance = float(np.hypot(*offset))
        along = offset / max(distance, 1e-6)
        across = np.array([-along[1], along[0]])
        radial = self.radial + self.radial_per_m * distance
        lateral = self.lateral + self.lateral_per_m * distance
        return np.outer(along, along) / radial**2 + np.outer(across, across) / lateral**2


def _with_votes(boxes: Mapping[str, ClassSpread], votes: Mapping[str, ClassSpread]) -> dict[str, ClassSpread]:
    return {name: replace(spread, votes=votes[name]) for name, spread in boxes.items()}


NETWORK_SPREAD = _with_votes(
    {
        "aircraft": ClassSpread(0.26, 0.0451, 0.34, 0.0168, 0.5, (0.222, 0.141, 0.137), (0.0, 0.45)),
        "gse": ClassSpread(0.27, 0.0177, 0.21, 0.0073, 0.8, (0.169, 0.121, 0.156), (0.08, 0.62)),
        "person": ClassSpread(0.18, 0.0123, 0.08, 0.0011, 1.4, (0.310, 0.082, 0.070), (0.16, 0.13)),
    },
    votes={
        "aircraft": ClassSpread(1.5, 0.26, 1.9, 0.096, 0.5, (0.41, 0.30, 0.137), (4.5, 16.8)),
        "gse": ClassSpread(0.47, 0.031, 0.27, 0.0093, 0.8, (0.23, 0.109, 0.213), (5.4, 9.75)),
        "person": ClassSpread(0.54, 0.037, 0.114, 0.0016, 1.4, (0.36, 0.47, 0.051), (5.5, 4.0)),
    },
)
"""Errors of the shipped network's boxes. Like the table below found on generated `val` sequences, never on `test`, by
evaluation.refiner_errors; votes are widened until their share beside a detection is the one that errs least, but is at
most half for sizes of aircraft: the few families of `val` say little of what others get wrong."""

OUTSIDE_SPREAD = _with_votes(
    {
        "aircraft": ClassSpread(0.3, 0.025, 0.15, 0.0125, 0.3, (0.08, 0.08, 0.08), (2.1, 30.0)),
        "gse": ClassSpread(0.3, 0.02, 0.15, 0.0125, 0.4, (0.08, 0.08, 0.08), (1.75, 5.8)),
        "person": ClassSpread(0.3, 0.015, 0.1, 0.0125, 0.8, (0.07, 0.08, 0.07), (1.65, 0.4)),
    },
    votes={
        "aircraft": ClassSpread(0.81, 0.068, 0.85, 0.071, 0.5, (0.35, 0.17, 0.146), (3.7, 14.3)),
        "gse": ClassSpread(0.43, 0.0285, 0.26, 0.0217, 0.8, (0.35, 0.35, 0.35), (5.1, 10.9)),
        "person": ClassSpread(0.43, 0.0214, 0.033, 0.0042, 1.4, (0.305, 0.27, 0.10), (5.8, 3.7)),
    },
)
"""Errors expected of an outside camera detector of good quality; `refine.outside_error` scales those of its boxes."""


_LENGTHS = ("radial", "radial_per_m", "lateral", "lateral_per_m", "yaw")


def scaled_spreads(spreads: Mapping[str, ClassSpread], factor: float) -> dict[str, ClassSpread]:
    """All standard deviations but those of the shape codes times `factor`; headings count for less accordingly."""
    result = {}
    for name, spread in spreads.items():
        values = {field: factor * getattr(spread, field) for field in _LENGTHS}
        length, width, height = (factor * value for value in spread.log_size)
        side, axis = (weight / factor**2 for weight in spread.heading)
        result[name] = replace(spread, **values, log_size=(length, width, height), heading=(side, axis))
    return result


@dataclass(frozen=True)
class PosePrior:
    """A Gaussian over the solver's parameters.

    Attributes:
        mean: N states.
        information: (N, D, D) float64 inverse covariance in the order of residuals.POSE_PARAMETERS.
    """

    mean: Poses
    information: np.ndarray

    def deviation(self, poses: Poses) -> np.ndarray:
        """(N, D): `poses` minus the mean, yaw wrapped."""
        return np.concatenate(
            [
                poses.ground[:, :2] - self.mean.ground[:, :2],
                wrap_angle(poses.yaw - self.mean.yaw)[:, None],
                poses.log_size - self.mean.log_size,
                poses.shape - self.mean.shape,
            ],
            axis=1,
        )

    def energy(self, poses: Poses) -> np.ndarray:
        """(N,) half the squared Mahalanobis distance."""
        deviation = self.deviation(poses)
        return 0.5 * np.einsum("ni,nij,nj->n", deviation, self.information, deviation)

    def with_heading(self, yaw: np.ndarray, std: np.ndarray) -> PosePrior:
        """The same belief with headings (N,) and their standard deviations (N,), radians."""
        information = self.information.copy()
        information[:, 2, 2] = 1.0 / std**2
        return PosePrior(Poses(self.mean.ground, yaw, self.mean.log_size, self.mean.shape), information)


def pose_prior(
    detected: Poses,
    class_names: list[str],
    viewpoint: np.ndarray,
    spreads: Mapping[str, ClassSpread],
    votes: ImageVotes | None = None,
    log_size_std: np.ndarray | None = None,
) -> PosePrior:
    """Belief from detections and, where there are any, votes of the image.

    Args:
        detected: N states, the detections (shape offsets: zeros or the track's).
        class_names: N names.
        viewpoint: (3,) odom position of the vehicle; radial errors point away from it.
        spreads: errors of the detections by class.
        votes: gathered for the same N objects.
        log_size_std: (N, 3) overrides the class's spread of log size, for objects whose size a track knows.
    """
    count, parameters = len(class_names), 6 + detected.shape.shape[1]
    information = np.zeros((count, parameters, parameters))
    ground, log_size = detected.ground.copy(), detected.log_size.copy()
    for i, name in enumerate(class_names):
        spread = spreads[name]
        block = spread.ground_information(detected.ground[i, :2] - viewpoint[:2])
        size = np.asarray(spread.log_size if log_size_std is None else log_size_std[i]) ** -2.0
        voted = spread.votes
        if votes is not None and voted is not None and votes.count[i] > 0:
            vote_block = voted.ground_information(votes.center[i] - viewpoint[:2])
            total = block + vote_block
            ground[i, :2] = np.linalg.solve(total, block @ ground[i, :2] + vote_block @ votes.center[i])
            vote_size = np.asarray(voted.log_size) ** -2.0
            log_size[i] = (size * log_size[i] + vote_size * votes.log_size[i]) / (size + vote_size)
            block, size = total, size + vote_size
        information[i, :2, :2] = block
        information[i, 2, 2] = 1 / spread.yaw**2
        information[i, range(3, 6), range(3, 6)] = size
        information[i, range(6, parameters), range(6, parameters)] = 1 / spread.shape**2
    return PosePrior(Poses(ground, detected.yaw, log_size, np.zeros_like(detected.shape)), information)
