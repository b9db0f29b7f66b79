"""What the image cells of an object say of the whole: every cell votes for centre, heading and size.

The network's object head answers in the image, cell by cell, where the detector's map has only coarse cells of
ground. Votes are gathered per detection by where they point to, so neighbours of one class and occluders fall away
without being rendered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.geometry.se3 import yaw_of
from airside_perception.refine.cell_votes import CameraVotes, CellVotes

GATE = {"aircraft": 6.0, "gse": 2.5, "person": 1.5}
"""Metres between a vote and the detection that it may belong to, and GATE_PER_METRE of distance on top."""

GATE_PER_METRE = 0.06

SCALE = {"aircraft": 4.0, "gse": 1.0, "person": 0.5}
"""Metres, and SCALE_PER_METRE of distance on top, over which a vote loses weight: of a neighbour that nobody detected,
in a train or a crowd, votes come here too, and a plain mean would lie between the two."""

SCALE_PER_METRE = 0.03

LEAST_ERROR = 0.02
"""Relative error of a distance that no cell is below, whatever the network expects."""

DEGREES = 3.0
"""Of freedom of Student's t: votes that tell their errors lose weight with their distance from the detection."""


@dataclass(frozen=True)
class ImageVotes:
    """Votes gathered per object; N objects. Values of an object without votes are zero.

    Attributes:
        count: (N,) float64, sum of the votes' probabilities.
        center: (N, 2) float64 odom, mean of the centres voted for.
        log_size: (N, 3) float64, mean log length, width, height.
        heading: (N, 2) float64, mean of (cos, sin) of the heading in odom; shorter than 1 where votes disagree.
        axis: (N, 2) float64, the same of twice the heading.
        range_std: (N,) float64 metres, the error that the network expects of the centre along the line of sight, NaN
            where it doesn't say.
    """

    count: np.ndarray
    center: np.ndarray
    log_size: np.ndarray
    heading: np.ndarray
    axis: np.ndarray
    range_std: np.ndarray


def gather_votes(
    votes: CameraVotes, odom_from_base: np.ndarray, boxes: np.ndarray, class_names: list[str]
) -> ImageVotes:
    """Gather the votes of all cameras for boxes.

    Args:
        votes: by camera and class, of cell_votes.votes_of_frame.
        odom_from_base: (4, 4) pose of the vehicle.
        boxes: (N, 7) odom, where the objects are thought to be.
        class_names: N names.
    """
    sums = _Sums(np.zeros((len(boxes), 9)), *(np.zeros(len(boxes)) for _ in range(4)))
    names = np.array(class_names)
    for of_camera in votes.values():
        for class_name, of_class in of_camera.items():
            own = np.flatnonzero(names == class_name)
            if len(own) and len(of_class.weight):
                _add_votes(of_class, odom_from_base, class_name, boxes, own, sums)
    mean = sums.values / np.maximum(sums.trust, 1e-9)[:, None]
    mean[:, :2] = sums.values[:, :2] / np.maximum(sums.precision, 1e-9)[:, None]
    # All cells of an object err alike: together they know its range as well as one of them does.
    told = sums.told > 0
    std = np.sqrt(np.divide(sums.told, sums.precision, out=np.full(len(boxes), np.nan), where=told))
    return ImageVotes(sums.count, mean[:, :2], mean[:, 2:5], mean[:, 5:7], mean[:, 7:9], std)


@dataclass
class _Sums:
    """Sums over the votes of N objects.

    Attributes:
        values: (N, 9) position times precision, then log sizes, heading and axis times weight.
        count: (N,) of the probabilities.
        trust: (N,) of the weights.
        precision: (N,) of weights over squared range errors; of weights alone where no errors are told.
        told: (N,) of the weights of votes that told their error.
    """

    values: np.ndarray
    count: np.ndarray
    trust: np.ndarray
    precision: np.ndarray
    told: np.ndarray


def _add_votes(
    votes: CellVotes, odom_from_base: np.ndarray, class_name: str, boxes: np.ndarray, own: np.ndarray, sums: _Sums
) -> None:
    """Add one camera's votes for the objects `own` of one class to the sums (in place)."""
    rotation, turn = odom_from_base[:2, :2], yaw_of(odom_from_base)
    center = votes.center @ rotation.T + odom_from_base[:2, 3]
    offset = center[:, None] - boxes[own, :2]
    gap = np.hypot(offset[..., 0], offset[..., 1])
    nearest = gap.argmin(axis=1)
    rows = np.arange(len(gap))
    told = np.isfinite(votes.range_error)
    # Of the distance that is expected: with their own, votes that are too near would count for more.
    expected = np.linalg.norm(boxes[own, :2] - odom_from_base[:2, 3], axis=1)[nearest]
    std = np.where(told, np.maximum(votes.range_error, LEAST_ERROR) * expected, 0.0)
    reach = SCALE[class_name] + SCALE_PER_METRE * votes.distance
    sight = center - odom_from_base[:2, 3]
    sight /= np.maximum(np.linalg.norm(sight, axis=1, keepdims=True), 1e-6)
    # A vote that is unsure of its range may lie far before or behind its object, but not beside it.
    along = (offset[rows, nearest] * sight).sum(axis=1)
    away_squared = (gap[rows, nearest] ** 2 - along**2) / reach**2 + along**2 / (reach**2 + std**2)
    weight = votes.weight / np.where(told, 1.0 + away_squared / DEGREES, (1.0 + away_squared) ** 2)
    precision = np.where(told, weight / np.maximum(std, 1e-3) ** 2, weight)
    twice = np.array([[np.cos(2 * turn), -np.sin(2 * turn)], [np.sin(2 * turn), np.cos(2 * turn)]])
    rest = np.column_stack([votes.log_size, votes.heading @ rotation.T, votes.axis @ twice.T])
    values = np.column_stack([center * precision[:, None], rest * weight[:, None]])
    keep = gap[rows, nearest] < GATE[class_name] + GATE_PER_METRE * votes.distance + std
    owner = own[nearest[keep]]
    for total, each in (
        (sums.values, values),
        (sums.count, votes.weight),
        (sums.trust, weight),
        (sums.precision, precision),
        (sums.told, np.where(told, weight, 0.0)),
    ):
        np.add.at(total, owner, each[keep])
