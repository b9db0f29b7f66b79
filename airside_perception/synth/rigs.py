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

PRESETS = ("front_mono", "four_surround", "four_fisheye", "six_surround", "six_mixed", "eight_surround")
"""Shipped rigs, files of config/rigs."""

LENSES = {"pinhole": 0.5, "plumb_bob": 0.2, "rational_polynomial": 0.06, "equidistant": 0.24}
"""Lens models of random rigs and how often each is drawn."""

NARROWEST, WIDEST_PINHOLE, WIDEST = (float(np.radians(angle)) for angle in (50, 125, 190))
"""Horizontal fields of view of random cameras; beyond `WIDEST_PINHOLE` a lens is a fisheye."""


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
    return mounted(name, width, height, width / 2 / np.tan(hfov / 2), position, (yaw, pitch_down, roll))


def fisheye(
    name: str, width: int, height: int, hfov: float, position, yaw: float, pitch_down: float, roll: float = 0.0
) -> Camera:
    """An equidistant `Camera` without further distortion; arguments as of `pinhole`, `hfov` up to a full circle."""
    return mounted(name, width, height, width / hfov, position, (yaw, pitch_down, roll), "equidistant")


def mounted(
    name: str,
    width: int,
    height: int,
    focal: float,
    position,
    angles: tuple[float, float, float],
    model: str = "pinhole",
    distortion: np.ndarray | None = None,
    center_offset: tuple[float, float] = (0.0, 0.0),
) -> Camera:
    """A camera with square pixels on the vehicle.

    Args:
        name, width, height: as of `Camera`.
        focal: pixels.
        position: (3,) metres, base_link.
        angles: yaw, pitch down and roll, radians.
        model, distortion: lens model and its coefficients.
        center_offset: of the principal point from the middle of the image, pixels.
    """
    cx, cy = (width - 1) / 2 + center_offset[0], (height - 1) / 2 + center_offset[1]
    intrinsics = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])
    pose = make_transform(rotation_from_angles(*angles), position)
    return Camera(name, width, height, intrinsics, pose, model, np.zeros(0) if distortion is None else distortion)


def preset_rig(name: str) -> Rig:
    """A shipped rig from config/rigs by its name.

    Raises:
        AirsideError: unknown name; the message lists the presets.
    """
    if name not in PRESETS:
        raise AirsideError(f"rig preset: expected one of {', '.join(PRESETS)}, got '{name}'. Or pass a rig YAML file.")
    return Rig.load(share_path(f"config/rigs/{name}.yaml"))


def random_rig(
    rng: np.random.Generator, image_size: tuple[int, int], cameras: int | None = None, lens: str | None = None
) -> Rig:
    """A rig of random mounting, tilt, roll, field of view and lens.

    All cameras of a rig are of one kind, as a vehicle's are, each with its own small errors; now and then one
    of them looks through quite another lens.

    Args:
        rng: random source.
        image_size: (width, height) of every camera, pixels.
        cameras: number of cameras; None draws 1 to 8, mostly 4 to 6.
        lens: a name of `LENSES`; None draws one.

    Returns:
        Cameras spread around the vehicle.

    Raises:
        AirsideError: unknown lens.
    """
    if lens is not None and lens not in LENSES:
        raise AirsideError(f"lens: expected one of {', '.join(LENSES)}, got '{lens}'")
    count = cameras or int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8], p=[0.06, 0.05, 0.08, 0.36, 0.1, 0.25, 0.03, 0.07]))
    usual = lens or _drawn_lens(rng)
    hfov = _field_of_view(rng, usual, count)
    mount_height = rng.uniform(0.8, 4.0) if rng.random() < 0.5 else rng.uniform(1.4, 2.8)
    # What is mounted high looks further down.
    tilt = np.radians(rng.uniform(-4, 10) + 3.5 * (mount_height - 0.8) * rng.uniform(0, 1.6))
    half_length, half_width = rng.uniform(0.2, 2.4), rng.uniform(0.2, 1.3)
    start = rng.choice([0.0, np.pi / count]) if rng.random() < 0.7 else rng.uniform(-np.pi, np.pi)
    sloppy = rng.uniform(0.3, 2.0)
    # One data sheet for all cameras of a rig, or a calibration of each.
    one_calibration, shared = rng.random() < 0.5, int(rng.integers(2**31))
    rig = {}
    for index in range(count):
        yaw = start + 2 * np.pi * index / count + rng.normal(0, 0.06)
        position = np.array(
            [
                1.0 + half_length * np.cos(yaw) + rng.normal(0, 0.1),
                half_width * np.sin(yaw) + rng.normal(0, 0.05),
                np.clip(mount_height + rng.normal(0, 0.1), 0.8, 4.0),
            ]
        )
        own, own_hfov = usual, hfov
        if lens is None and count > 1 and rng.random() < 0.04:
            own = _drawn_lens(rng)
            own_hfov = _field_of_view(rng, own, count)
        angles = (yaw, tilt + sloppy * rng.normal(0, 0.03), sloppy * float(rng.normal(0, 0.02)))
        lens_rng = np.random.default_rng(shared) if one_calibration and own == usual else rng
        own_hfov = float(np.clip(own_hfov * np.exp(lens_rng.normal(0, 0.04)), NARROWEST, WIDEST))
        rig[f"camera_{index}"] = _random_camera(
            lens_rng, f"camera_{index}", image_size, own, own_hfov, position, angles
        )
    return Rig(rig, name="random")


def _drawn_lens(rng: np.random.Generator) -> str:
    return str(rng.choice(list(LENSES), p=list(LENSES.values())))


def _field_of_view(rng: np.random.Generator, lens: str, count: int) -> float:
    """Horizontal, radians; few cameras tend to look wider."""
    if lens == "equidistant":
        return float(rng.uniform(np.radians(100), WIDEST))
    share = rng.beta(2.0, 2.0 + 0.25 * max(count - 4, 0))
    return float(NARROWEST + share * (WIDEST_PINHOLE - NARROWEST))


def _random_camera(
    rng: np.random.Generator,
    name: str,
    image_size: tuple[int, int],
    lens: str,
    hfov: float,
    position: np.ndarray,
    angles: tuple[float, float, float],
) -> Camera:
    width, height = image_size
    offset = tuple(float(each) for each in rng.normal(0, 0.012, 2) * (width, height))
    if lens == "pinhole":
        focal, distortion = width / 2 / np.tan(min(hfov, WIDEST_PINHOLE) / 2), np.zeros(0)
    elif lens == "equidistant":
        distortion = np.array([rng.uniform(-0.03, 0.04), rng.uniform(-0.006, 0.006), 0.0, 0.0])
        focal = width / 2 / _equidistant_radius(distortion, hfov / 2)
    else:
        # Barrel distortion shrinks the image's edge: the view asked for is that of the bent image.
        slope = np.tan(min(hfov, WIDEST_PINHOLE) / 2)
        distortion, edge = _radial_lens(rng, lens, slope, height / width)
        focal = width / 2 / edge
    return mounted(name, width, height, focal, position, angles, lens, distortion, (offset[0], offset[1]))


def _equidistant_radius(distortion: np.ndarray, angle: float) -> float:
    return float(angle * (1 + distortion[0] * angle**2 + distortion[1] * angle**4))


def _radial_lens(rng: np.random.Generator, lens: str, slope: float, aspect: float) -> tuple[np.ndarray, float]:
    """Coefficients of a lens that bends by up to a third at `slope`, and the distorted radius there.

    A rational lens may bend more; `plumb_bob` folds early where its polynomial is steep, so that its bend is kept
    to what stays one to one as far as the image's corners.
    """
    corner = slope * np.hypot(1.0, aspect)
    tangential = rng.normal(0, 0.0007, 2)
    if lens == "rational_polynomial":
        # k4 alone in the denominator bends without ever folding inside x = 1 / sqrt(k4).
        bend = rng.uniform(0.02, 0.30) / corner**2
        return np.array([0.0, 0.0, *tangential, 0.0, bend, 0.0, 0.0]), float(slope / (1 + bend * slope**2))
    bend = rng.uniform(-0.22, 0.06) / corner**2
    # A quarter of the bend comes back with the fourth power, as calibrated lenses have it.
    back = -0.25 * bend / corner**2
    return np.array([bend, back, *tangential, 0.0]), float(slope * (1 + bend * slope**2 + back * slope**4))
