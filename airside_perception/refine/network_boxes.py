"""The network's own detections as a second opinion on boxes that come from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from airside_perception.geometry.boxes import ground_distance
from airside_perception.records import Detection3D

GATE = {"aircraft": 6.0, "gse": 1.5, "person": 0.8}
"""Metres between a detection from elsewhere and the network's of the same object; GATE_PER_METRE comes on top.
Wider, and in a train or a crowd the box of a neighbour that nobody else detected would be taken."""

GATE_PER_METRE = 0.04


def match_network_boxes(
    boxes: np.ndarray, class_names: Sequence[str], network: Sequence[Detection3D], viewpoint: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The network's box of every object, one to one, nearest on the whole.

    Args:
        boxes: (N, 7) odom, boxes from elsewhere.
        class_names: N names.
        network: the network's detections.
        viewpoint: (3,) odom position of the vehicle.

    Returns:
        (N, 7) boxes and (N,) bool, False where the network has none near enough (its box is zeros then).
    """
    found, known = np.zeros((len(boxes), 7)), np.zeros(len(boxes), bool)
    if not len(boxes) or not network:
        return found, known
    theirs = np.stack([each.box for each in network])
    distance = ground_distance(boxes, theirs)
    away = np.linalg.norm(boxes[:, :2] - viewpoint[:2], axis=1)
    gates = np.array([GATE[name] for name in class_names]) + GATE_PER_METRE * away
    same = np.array([[name == each.class_name for each in network] for name in class_names])
    cost = np.where(same & (distance < gates[:, None]), distance / gates[:, None], 1e3)
    for i, j in zip(*linear_sum_assignment(cost), strict=True):
        if cost[i, j] < 1e3:
            found[i], known[i] = theirs[j], True
    return found, known
