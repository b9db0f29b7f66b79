"""What is believed of an object before a pixel is looked at: detector's box, track's size, prior's codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.geometry.se3 import wrap_angle
from airside_perception.refine.residuals import Poses


@dataclass(frozen=True)
class ClassSpread:
    """Standard deviations of a detection, for one class.

    Attributes:
        radial, radial_per_m: metres along the line of sight, and its growth with distance.
        lateral, lateral_per_m: metres across it.
        yaw: radians.
        log_size: relative error of length, width, height.
        shape: standard deviations of the class's own code distribution.
    """

    radial: float
    radial_per_m: float
    lateral: float
    lateral_per_m: float
    yaw: float
    log_size: float
    shape: float = 1.0


SPREAD = {
    "aircraft": ClassSpread(1.0, 0.03, 0.8, 0.02, 0.3, 0.15),
    "gse": ClassSpread(0.5, 0.03, 0.3, 0.025, 0.6, 0.25),
    "person": ClassSpread(0.3, 0.03, 0.12, 0.012, 1.2, 0.08),
}
"""Errors of the shipped network, found on generated `val` sequences, never on `test`."""


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


def pose_prior(
    mean: Poses, class_names: list[str], viewpoint: np.ndarray, log_size_std: np.ndarray | None = None
) -> PosePrior:
    """Prior around detections.

    Args:
        mean: N states, the detections.
        class_names: N names.
        viewpoint: (3,) odom position of the vehicle; radial errors point away from it.
        log_size_std: (N, 3) overrides the class's spread of log size, for objects whose size a track knows.
    """
    count, parameters = len(class_names), 6 + mean.shape.shape[1]
    information = np.zeros((count, parameters, parameters))
    offsets = mean.ground[:, :2] - viewpoint[:2]
    distance = np.linalg.norm(offsets, axis=1)
    for i, name in enumerate(class_names):
        spread = SPREAD[name]
        radial = spread.radial + spread.radial_per_m * distance[i]
        lateral = spread.lateral + spread.lateral_per_m * distance[i]
        along = offsets[i] / max(distance[i], 1e-6)
        across = np.array([-along[1], along[0]])
        information[i, :2, :2] = np.outer(along, along) / radial**2 + np.outer(across, across) / lateral**2
        information[i, 2, 2] = 1 / spread.yaw**2
        size = np.full(3, spread.log_size) if log_size_std is None else log_size_std[i]
        information[i, range(3, 6), range(3, 6)] = 1 / np.asarray(size) ** 2
        information[i, range(6, parameters), range(6, parameters)] = 1 / spread.shape**2
    return PosePrior(mean, information)
