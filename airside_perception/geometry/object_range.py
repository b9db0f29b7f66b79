"""How far away an object is, as an image cell tells it: two answers, each with the error to be expected of it.

One answer is the distance itself, read from how large things look. The other is how far below the cell the ground
under the object's centre lies in the image; with the height of the camera that is a distance, too. Near objects are
ranged well by where they stand, far ones by their size, and of half hidden ones neither may be known.
"""

from __future__ import annotations

import numpy as np

from airside_perception.geometry.cameras import Camera

LEAST_RANGE = 0.5
"""Metres; nearer is told as this."""

LEAST_HEIGHT = 0.2
"""Metres above the ground that a camera is taken to have at least."""

LOG_RANGE_SPREAD = (-4.5, 0.5)
"""Range of the logarithm of the relative error of a distance: 1 % to more than all of it."""

LOG_GROUND_SPREAD = (-3.0, 3.5)
"""Range of the logarithm of the error of the ground's place, in cells."""

LEAST_DEPRESSION = 0.25
"""Cells below the horizon where ground begins to say how far it is."""

LOG_DISTANCE_RANGE = (-1.0, 5.0)
"""0.4 to 150 m: a distance outside is clipped, whatever the network says."""

LARGEST_SPREAD = 10.0
"""Relative error above which an answer says nothing; its square still fits the half floats of a vehicle's engine."""


def cell_angles(camera: Camera, pixels: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Depression below the horizon and angular size of image cells.

    Args:
        camera: whose pixels they are.
        pixels: (K, 2) float, the places in the image that cells speak for.
        cell: width of a cell, pixels.

    Returns:
        (K,) radians below the horizon, and (K,) radians that its width spans.
    """
    rays = _unit(camera.unproject(pixels))
    beside = _unit(camera.unproject(pixels + np.array([1.0, 0.0])))
    span = cell * np.linalg.norm(beside - rays, axis=1)
    up = rays @ camera.base_from_camera[2, :3]
    return -np.arcsin(np.clip(up, -1.0, 1.0)), np.maximum(span, 1e-5)


def encode_range(distance: np.ndarray, height: float, depression: np.ndarray, span: np.ndarray) -> np.ndarray:
    """(2, K): log distance, and the cells by which the ground under the centre lies below the cell.

    Args:
        distance: (K,) horizontal metres from the camera to the centre.
        height: metres of the camera above the ground.
        depression, span: of `cell_angles`.
    """
    distance = np.maximum(distance, LEAST_RANGE)
    below = np.arctan2(max(height, LEAST_HEIGHT), distance)
    return np.stack([np.log(distance), (below - depression) / span])


def decode_range(
    values: np.ndarray, height: float, depression: np.ndarray, span: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both answers as one distance.

    Args:
        values: (4, K), see network_spec.RANGE_CHANNELS.
        height: metres of the camera above the ground.
        depression, span: of `cell_angles`.

    Returns:
        (K,) metres, and (K,) its relative error as the network expects it.
    """
    spread = np.exp(np.clip(values[1], *LOG_RANGE_SPREAD))
    below = np.clip(depression + values[2] * span, LEAST_DEPRESSION * span, np.pi / 2 - 1e-3)
    # A change of the angle moves the logarithm of the distance by 1 / (sin cos).
    slope = 1.0 / (np.sin(below) * np.cos(below))
    ground_spread = np.minimum(np.exp(np.clip(values[3], *LOG_GROUND_SPREAD)) * span * slope, LARGEST_SPREAD)
    log_ground = np.log(max(height, LEAST_HEIGHT) / np.tan(below))
    both = np.sqrt(spread**2 + ground_spread**2)
    share = (spread / both) ** 2
    log_distance = (1.0 - share) * values[0] + share * log_ground
    return np.exp(np.clip(log_distance, *LOG_DISTANCE_RANGE)), spread * ground_spread / both


def _unit(rays: np.ndarray) -> np.ndarray:
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)
