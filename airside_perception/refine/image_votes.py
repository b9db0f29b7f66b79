"""What the image cells of an object say of the whole: every cell votes for centre, heading and size.

The network's object head answers in the image, cell by cell, where the detector's map has only coarse cells of
ground. Votes are gathered per detection by where they point to, so neighbours of one class and occluders fall away
without being rendered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.classes import OBJECT_CLASSES, SEMANTIC_OF_CLASS
from airside_perception.geometry.se3 import wrap_angle
from airside_perception.records import CameraImage, NetworkOutput, RigFrame

LEAST_PROBABILITY = 0.35
"""Cells below this probability of a class don't vote for its objects."""

LABEL_PLACE = 2.5 / 8
"""Where in its cell the pixel lies that the network was taught to speak for (rows and columns, 0..1)."""

GATE = {"aircraft": 6.0, "gse": 2.5, "person": 1.5}
"""Metres between a vote and the detection that it may belong to, and GATE_PER_METRE of distance on top."""

GATE_PER_METRE = 0.06


@dataclass(frozen=True)
class ImageVotes:
    """Votes gathered per object; N objects. Values of an object without votes are zero.

    Attributes:
        count: (N,) float64, sum of the votes' weights.
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


def gather_votes(frame: RigFrame, network: NetworkOutput, boxes: np.ndarray, class_names: list[str]) -> ImageVotes:
    """Gather the votes of all cameras for boxes.

    Args:
        frame: cameras and vehicle pose.
        network: its image_semantics and image_objects; cameras without them don't vote.
        boxes: (N, 7) odom, where the objects are thought to be.
        class_names: N names.
    """
    count = len(boxes)
    sums = np.zeros((count, 9))
    total = np.zeros(count)
    names = np.array(class_names)
    for camera_name, image in frame.images.items():
        maps = network.image_objects.get(camera_name)
        semantics = network.image_semantics.get(camera_name)
        if maps is None or semantics is None:
            continue
        for class_name in OBJECT_CLASSES:
            own = np.flatnonzero(names == class_name)
            if len(own):
                _add_votes(frame, image, maps, _at_cells(semantics, maps), class_name, boxes, own, sums, total)
    mean = sums / np.maximum(total, 1e-9)[:, None]
    return ImageVotes(total, mean[:, :2], mean[:, 2:5], mean[:, 5:7], mean[:, 7:9])


def _at_cells(semantics: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Semantics (C, h, w) at the coarser cells of `maps`, at the pixel for which a cell speaks."""
    rows, columns = semantics.shape[1] // maps.shape[1], semantics.shape[2] // maps.shape[2]
    return semantics[:, ::rows, ::columns]


def _add_votes(
    frame: RigFrame,
    image: CameraImage,
    maps: np.ndarray,
    semantics: np.ndarray,
    class_name: str,
    boxes: np.ndarray,
    own: np.ndarray,
    sums: np.ndarray,
    total: np.ndarray,
) -> None:
    """Add one camera's votes for the objects `own` of one class to the sums (in place)."""
    probability = semantics[SEMANTIC_OF_CLASS[class_name]]
    rows, columns = np.nonzero(probability > LEAST_PROBABILITY)
    if not len(rows):
        return
    camera = image.camera
    scale = np.array([camera.width / maps.shape[2], camera.height / maps.shape[1]])
    pixels = (np.stack([columns, rows], 1) + LABEL_PLACE) * scale - 0.5
    odom_from_camera = frame.odom_from_base @ camera.base_from_camera
    rays = camera.unproject(pixels) @ odom_from_camera[:3, :3].T
    bearing = np.arctan2(rays[:, 1], rays[:, 0])
    values = maps[:, rows, columns].astype(np.float64)
    distance = np.exp(np.clip(values[4], -1.0, 5.0))
    towards = bearing + np.arcsin(np.clip(values[5] / distance, -0.95, 0.95))
    center = odom_from_camera[:2, 3] + distance[:, None] * np.stack([np.cos(towards), np.sin(towards)], 1)
    gap = np.hypot(center[:, :1] - boxes[own, 0], center[:, 1:] - boxes[own, 1])
    nearest = gap.argmin(axis=1)
    keep = gap[np.arange(len(gap)), nearest] < GATE[class_name] + GATE_PER_METRE * distance
    if not keep.any():
        return
    sine, cosine, sine2, cosine2 = values[:4]
    votes = np.column_stack(
        [
            center,
            values[6:9].T,
            cosine * np.cos(bearing) - sine * np.sin(bearing),
            sine * np.cos(bearing) + cosine * np.sin(bearing),
            cosine2 * np.cos(2 * bearing) - sine2 * np.sin(2 * bearing),
            sine2 * np.cos(2 * bearing) + cosine2 * np.sin(2 * bearing),
        ]
    )
    weight = probability[rows, columns].astype(np.float64)
    owner = own[nearest[keep]]
    np.add.at(sums, owner, (votes * weight[:, None])[keep])
    np.add.at(total, owner, weight[keep])


def heading_of(votes: ImageVotes) -> np.ndarray:
    """(N,) radians: the axis that the votes agree on, on the side that their single angles favour."""
    axis = 0.5 * np.arctan2(votes.axis[:, 1], votes.axis[:, 0])
    forward = votes.heading[:, 0] * np.cos(axis) + votes.heading[:, 1] * np.sin(axis)
    return wrap_angle(axis + np.where(forward < 0, np.pi, 0.0))
