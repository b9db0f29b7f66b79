"""Detections that are not rendered: the box as it came."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from airside_perception.records import Detection3D, ObjectEstimate, RigFrame, Track
from airside_perception.refine.priors import ClassSpread


def box_only(
    detection: Detection3D,
    frame: RigFrame,
    reasons: tuple[str, ...],
    spreads: Mapping[str, ClassSpread],
    track: Track | None = None,
) -> ObjectEstimate:
    """A detection as it came, with the covariance that its class and distance suggest."""
    spread = spreads[detection.class_name]
    covariance = np.zeros((7, 7))
    information = spread.ground_information(detection.center[:2] - frame.odom_from_base[:2, 3])
    covariance[:2, :2] = np.linalg.inv(information)
    covariance[2, 2] = 0.2**2
    covariance[range(3, 6), range(3, 6)] = (np.asarray(spread.log_size) * np.maximum(detection.size, 0.1)) ** 2
    covariance[6, 6] = spread.yaw**2
    velocity, velocity_std = spread.velocity(detection.velocity, detection.velocity_gap_s)
    return ObjectEstimate(
        class_name=detection.class_name,
        box=detection.box.astype(np.float64),
        covariance=covariance,
        score=detection.score,
        velocity=velocity,
        velocity_std=velocity_std,
        reasons=reasons,
        track_hint=track.track_id if track is not None else None,
    )
