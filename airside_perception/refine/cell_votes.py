"""From the object head's maps of one camera to votes on the ground.

The head says, for an image cell, where the object that the cell shows has its centre (log distance from the camera,
metres beside the cell's ray), its heading relative to the ray, and its size; newer networks say in maps of their own
how far away it is and how sure that is. Layouts: occupancy.network_spec.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from airside_perception.classes import OBJECT_CLASSES, SEMANTIC_OF_CLASS
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.object_range import LOG_DISTANCE_RANGE, cell_angles, decode_range
from airside_perception.records import NetworkOutput, RigFrame

LEAST_PROBABILITY = 0.35
"""Cells below this probability of a class don't vote for its objects."""

LABEL_PLACE = 2.5 / 8
"""Where in its cell the pixel lies that the network was taught to speak for (rows and columns, 0..1)."""

LOG_SIZE_RANGE = (float(np.log(0.1)), float(np.log(100.0)))
"""A size outside 0.1 to 100 m is clipped, whatever the network says."""


@dataclass(frozen=True)
class CellVotes:
    """Votes of one camera for one class; K votes, base_link.

    Attributes:
        shape: (h, w) of the maps that they came from.
        cells: (K, 2) int, row and column of the cells.
        center: (K, 2) float64 metres.
        distance: (K,) float64 metres from the camera to the centre.
        range_error: (K,) float64, the relative error that the network expects of it; NaN where it doesn't say.
        log_size: (K, 3) float64 log length, width, height.
        heading: (K, 2) float64 cos, sin of the heading, as long as the network is sure of it.
        axis: (K, 2) float64 the same of twice the heading.
        weight: (K,) float64 probability that the cell shows the class.
    """

    shape: tuple[int, int]
    cells: np.ndarray
    center: np.ndarray
    distance: np.ndarray
    range_error: np.ndarray
    log_size: np.ndarray
    heading: np.ndarray
    axis: np.ndarray
    weight: np.ndarray


CameraVotes = Mapping[str, Mapping[str, CellVotes]]
"""By camera and class."""


def votes_of_frame(frame: RigFrame, network: NetworkOutput) -> CameraVotes:
    """Votes of every camera for every class; cameras that the network has no object maps of are absent."""
    return {
        camera_name: {
            class_name: decode_votes(
                image.camera,
                network.image_objects[camera_name],
                network.image_semantics[camera_name][SEMANTIC_OF_CLASS[class_name]],
                LEAST_PROBABILITY,
                network.image_ranges.get(camera_name),
            )
            for class_name in OBJECT_CLASSES
        }
        for camera_name, image in frame.images.items()
        if camera_name in network.image_objects and camera_name in network.image_semantics
    }


def decode_votes(
    camera: Camera, maps: np.ndarray, probability: np.ndarray, least: float, ranges: np.ndarray | None = None
) -> CellVotes:
    """Votes of the cells whose probability of a class is above `least`.

    Args:
        camera: of any image size; the maps cover its whole image.
        maps: (9, h, w) float32 of the object head.
        probability: (H, W) of the class, H and W multiples of h and w.
        least: 0..1.
        ranges: (4, h, w) float32 of the range head, or None.
    """
    step_rows, step_columns = probability.shape[0] // maps.shape[1], probability.shape[1] // maps.shape[2]
    sampled = probability[::step_rows, ::step_columns]
    rows, columns = np.nonzero(sampled > least)
    height, width = maps.shape[1:]
    values = maps[:, rows, columns].astype(np.float64)
    # A diverged or foreign network may answer NaN; such cells don't vote.
    finite = np.isfinite(values).all(axis=0)
    values, rows, columns = values[:, finite], rows[finite], columns[finite]
    bearing, depression, span = (each[rows, columns] for each in _cell_rays(camera, height, width))
    if ranges is None:
        distance, range_error = np.exp(np.clip(values[4], *LOG_DISTANCE_RANGE)), np.full(len(rows), np.nan)
    else:
        distance, range_error = _told_ranges(camera, ranges[:, rows, columns], depression, span)
    towards = bearing + np.arcsin(np.clip(values[5] / distance, -0.95, 0.95))
    center = camera.position[:2] + distance[:, None] * np.stack([np.cos(towards), np.sin(towards)], 1)
    return CellVotes(
        (height, width),
        np.stack([rows, columns], axis=1),
        center,
        distance,
        range_error,
        np.clip(values[6:9].T, *LOG_SIZE_RANGE),
        _turned(values[1], values[0], bearing),
        _turned(values[3], values[2], 2 * bearing),
        sampled[rows, columns].astype(np.float64),
    )


@lru_cache(maxsize=64)
def _cell_rays(camera: Camera, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(height, width) each: bearing of the cells' rays in base_link, and their `cell_angles`, all radians.

    They depend on the rig alone.
    """
    rows, columns = np.indices((height, width)).reshape(2, -1)
    scale = np.array([camera.width / width, camera.height / height])
    pixels = (np.stack([columns, rows], 1) + LABEL_PLACE) * scale - 0.5
    rays = camera.unproject(pixels) @ camera.base_from_camera[:3, :3].T
    angles = np.arctan2(rays[:, 1], rays[:, 0]), *cell_angles(camera, pixels, scale[0])
    bearing, depression, span = (each.reshape(height, width) for each in angles)
    return bearing, depression, span


def _told_ranges(
    camera: Camera, values: np.ndarray, depression: np.ndarray, span: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(K,) metres and their relative errors, of values (4, K) for cells of such `cell_angles` (K,)."""
    # What isn't a number is sure of nothing.
    told = np.where(np.isfinite(values).all(axis=0), values, np.array([[2.5], [0.5], [0.0], [3.5]]))
    return decode_range(told.astype(np.float64), float(camera.position[2]), depression, span)


def _turned(cosine: np.ndarray, sine: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(K, 2) vectors (cosine, sine) turned by `angle`."""
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([cosine * c - sine * s, sine * c + cosine * s], axis=1)
