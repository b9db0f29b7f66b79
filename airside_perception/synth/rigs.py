"""Camera rigs for generated sequences: the shipped ones by name, and random ones for training."""

from __future__ import annotations

import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import make_transform
from airside_perception.resources import share_path

OPTICAL_FROM_BODY = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
"""Rows: optical x (right), y (down), z (forward) in body axes x forward, y left, z up."""

PRESETS = ("four_surround", "six_surround")


def rotation_from_angles(yaw: float, pitch_down: float, roll: float) -> np.ndarray:
    """(3, 3) base_from_camera rotation of a camera that looks along `yaw`, tilted down, rolled about its axis."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch_down, roll) for f in (np.cos, np.sin))
    turn = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1.0]])
    tilt = np.array([[cp, 0, sp], [0, 1.0, 0], [-sp, 0, cp]])
    spin = np.array([[1.0, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return turn @ tilt @ spin @ OPTICAL_FROM_BODY.T


def pinhole(
    name: str, width: int, height: int, hfov: float, position, yaw: float, pitch_down: float, roll: float = 0.0
):
    """A pinhole `Camera` by horizontal field of view (radians) and mounting (metres, radians, base_link)."""
    focal = width / 2 / np.tan(hfov / 2)
    intrinsics = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    return Camera(
        name, width, height, intrinsics, make_transform(rotation_from_angles(yaw, pitch_down, roll), position)
    )


def preset_rig(name: str) -> Rig:
    """A shipped rig from config/rigs by its name.

    Raises:
        AirsideError: unknown name; the message lists the presets.
    """
    if name not in PRESETS:
        raise AirsideError(f"rig preset: expected one of {', '.join(PRESETS)}, got '{name}'. Or pass a rig YAML file.")
    return Rig.load(share_path(f"config/rigs/{name}.yaml"))


def random_rig(rng: np.random.Generator, image_size: tuple[int, int], cameras: int | None = None) -> Rig:
    """A plausible rig with random mounting, tilt and field of view.

    Args:
        rng: random source.
        image_size: (width, height) of every camera, pixels.
        cameras: number of cameras; None draws 1 to 6, mostly 4 to 6.

    Returns:
        Cameras spread around the vehicle, each with its own small errors.
    """
    count = cameras or int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.05, 0.05, 0.1, 0.4, 0.1, 0.3]))
    width, height = image_size
    hfov = rng.uniform(np.radians(60), np.radians(112))
    mount_height, tilt = rng.uniform(1.2, 3.2), np.radians(rng.uniform(-2, 14))
    half_length, half_width = rng.uniform(0.4, 2.0), rng.uniform(0.3, 1.2)
    start = rng.choice([0.0, np.pi / count]) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi)
    rig = {}
    for index in range(count):
        yaw = start + 2 * np.pi * index / count + rng.normal(0, 0.06)
        position = np.array(
            [
                1.0 + half_length * np.cos(yaw) + rng.normal(0, 0.1),
                half_width * np.sin(yaw) + rng.normal(0, 0.05),
                mount_height + rng.normal(0, 0.1),
            ]
        )
        own_hfov = hfov * np.exp(rng.normal(0, 0.05))
        name = f"camera_{index}"
        rig[name] = pinhole(
            name, width, height, own_hfov, position, yaw, tilt + rng.normal(0, 0.03), float(rng.normal(0, 0.015))
        )
    return Rig(rig, name="random")
