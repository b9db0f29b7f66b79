"""What the image cells of an object say of the whole: every cell votes for centre, heading and size.

The network's object head answers in the image, cell by cell, where the detector's map has only coarse cells of
ground. Votes are gathered per detection by where they point to, so neighbours of one class and occluders fall away
without being rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from airside_perception.geometry.se3 import yaw_of
from airside_perception.refine.cell_votes import CellVotes

GATE = {"aircraft": 6.0, "gse": 2.5, "person": 1.5}
"""Metres between a vote and the detection that it may belong to, and GATE_PER_METRE of distance on top."""

GATE_PER_METRE = 0.06

SCALE = {"aircraft": 4.0, "gse": 1.0, "person": 0.5}
"""Metres, and SCALE_PER_METRE of distance on top, over which a vote loses weight: of a neighbour that nobody detected,
in a train or a crowd, votes come here too, and a plain mean would lie between the two."""

SCALE_PER_METRE = 0.03


@dataclass(frozen=True)
class ImageVotes:
    """Votes gathered per object; N objects. Values of an object without votes are zero.

    Attributes:
        count: (N,) float64, sum of the votes' probabilities.
        center: (N, 2) float64 odom, mean of the centres voted for.
        log_size: (N, 3) float64, mean log length, width, height.
        heading: (N, 2) float64, mean of (cos, sin) of the heading in odom; shorter than 1 where votes disagree.
        axis: (N, 2) float64, the same of twice the heading.
    """

    count: np.ndarray
    center: np.ndarray
    log_size: np.ndarray
    heading: np.ndarray
    axis: np.ndarray


def gather_votes(
    votes: Mapping[str, Mapping[str, CellVotes]], odom_from_base: np.ndarray, boxes: np.ndarray, class_names: list[str]
) -> ImageVotes:
    """Gather the votes of all cameras for boxes.

    Args:
        votes: by camera and class, of cell_votes.votes_of_frame.
        odom_from_base: (4, 4) pose of the vehicle.
        boxes: (N, 7) odom, where the objects are thought to be.
        class_names: N names.
    """
    count = len(boxes)
    sums = np.zeros((count, 9))
    total, trust = np.zeros(count), np.zeros(count)
    names = np.array(class_names)
    for of_camera in votes.values():
        for class_name, of_class in of_camera.items():
            own = np.flatnonzero(names == class_name)
            if len(own):
                _add_votes(of_class, odom_from_base, class_name, boxes, own, sums, total, trust)
    mean = sums / np.maximum(trust, 1e-9)[:, None]
    return ImageVotes(total, mean[:, :2], mean[:, 2:5], mean[:, 5:7], mean[:, 7:9])


def _add_votes(
    votes: CellVotes,
    odom_from_base: np.ndarray,
    class_name: str,
    boxes: np.ndarray,
    own: np.ndarray,
    sums: np.ndarray,
    total: np.ndarray,
    trust: np.ndarray,
) -> None:
    """Add one camera's votes for the objects `own` of one class to the sums (in place)."""
    if not len(votes.weight):
        return
    rotation, turn = odom_from_base[:2, :2], yaw_of(odom_from_base)
    center = votes.center @ rotation.T + odom_from_base[:2, 3]
    gap = np.hypot(center[:, :1] - boxes[own, 0], center[:, 1:] - boxes[own, 1])
    nearest = gap.argmin(axis=1)
    keep = gap[np.arange(len(gap)), nearest] < GATE[class_name] + GATE_PER_METRE * votes.distance
    twice = np.array([[np.cos(2 * turn), -np.sin(2 * turn)], [np.sin(2 * turn), np.cos(2 * turn)]])
    values = np.column_stack([center, votes.log_size, votes.heading @ rotation.T, votes.axis @ twice.T])
    away = gap[np.arange(len(gap)), nearest] / (SCALE[class_name] + SCALE_PER_METRE * votes.distance)
    weight = votes.weight / (1.0 + away**2) ** 2
    owner = own[nearest[keep]]
    np.add.at(sums, owner, (values * weight[:, None])[keep])
    np.add.at(trust, owner, weight[keep])
    np.add.at(total, owner, votes.weight[keep])
