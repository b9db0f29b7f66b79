"""The network's own detections as a second opinion on boxes that come from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from airside_perception.geometry.boxes import ground_distance
from airside_perception.records import Detection3D, ObjectEstimate
from airside_perception.refine.class_spread import ClassSpread

GATE = {"aircraft": 6.0, "gse": 1.5, "person": 0.8}
"""Metres between a detection from elsewhere and the network's of the same object; GATE_PER_METRE comes on top.
Wider, and in a train or a crowd the box of a neighbour that nobody else detected would be taken."""

GATE_PER_METRE = 0.04


class NetworkBoxes(NamedTuple):
    """What the network says of N objects.

    Attributes:
        boxes: (N, 7) odom; zeros where it has none.
        found: (N,) bool, where it has one.
        velocity: (N, 2) m/s in odom; NaN where it doesn't tell.
        velocity_gap_s: (N,) seconds over which it saw them.
    """

    boxes: np.ndarray
    found: np.ndarray
    velocity: np.ndarray
    velocity_gap_s: np.ndarray


def match_network_boxes(
    boxes: np.ndarray, class_names: Sequence[str], network: Sequence[Detection3D], viewpoint: np.ndarray
) -> NetworkBoxes:
    """The network's box of every object, one to one, nearest on the whole.

    Args:
        boxes: (N, 7) odom, boxes from elsewhere.
        class_names: N names.
        network: the network's detections.
        viewpoint: (3,) odom position of the vehicle.

    Returns:
        The network's boxes; none where it has none near enough.
    """
    count = len(boxes)
    nobody_knows = np.full((count, 2), np.nan), np.full(count, np.nan)
    found = NetworkBoxes(np.zeros((count, 7)), np.zeros(count, bool), *nobody_knows)
    if not len(boxes) or not network:
        return found
    theirs = np.stack([each.box for each in network])
    distance = ground_distance(boxes, theirs)
    away = np.linalg.norm(boxes[:, :2] - viewpoint[:2], axis=1)
    gates = np.array([GATE[name] for name in class_names]) + GATE_PER_METRE * away
    same = np.array([[name == each.class_name for each in network] for name in class_names])
    cost = np.where(same & (distance < gates[:, None]), distance / gates[:, None], 1e3)
    for i, j in zip(*linear_sum_assignment(cost), strict=True):
        if cost[i, j] < 1e3:
            found.boxes[i], found.found[i] = theirs[j], True
            told = network[j].velocity
            found.velocity[i] = np.nan if told is None else told
            found.velocity_gap_s[i] = network[j].velocity_gap_s
    return found


def with_velocities(
    estimates: Sequence[ObjectEstimate], network: NetworkBoxes, spreads: Mapping[str, ClassSpread]
) -> list[ObjectEstimate]:
    """Estimates whose detector tells no velocity with the network's, where it has one.

    Args:
        estimates: N estimates.
        network: of the same objects.
        spreads: errors of the detector by class, those of the network beside it.
    """
    told = np.isfinite(network.velocity).all(axis=1)
    result = []
    for index, estimate in enumerate(estimates):
        spread = spreads[estimate.class_name].network
        if told[index] and spread is not None and estimate.velocity is None:
            velocity, std = spread.velocity(network.velocity[index], network.velocity_gap_s[index])
            estimate = replace(estimate, velocity=velocity, velocity_std=std)
        result.append(estimate)
    return result
