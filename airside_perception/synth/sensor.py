"""From linear radiance to the bytes a cheap automotive camera delivers."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import warp as wp

from airside_perception.rendering.warp_runtime import start_warp
from airside_perception.synth.lens import through_lens
from airside_perception.synth.scene import SensorStyle
from airside_perception.synth.sensor_kernels import develop

_STEPS_PER_SIGMA = 28.0
_GRAINS = (0.0, 0.6, 1.1, 2.0)
"""Widths of noise grain that have a tile."""


def random_sensor(rng: np.random.Generator, night: bool, wet: bool = False) -> SensorStyle:
    """A plausible camera.

    Most effects are rare and weak, as they are on cameras that somebody looks after.

    Args:
        rng: random source.
        night: raises the noise and lets the shutter stay open longer.
        wet: drops on most lenses.
    """

    def sometimes(share: float, low: float, high: float) -> float:
        return float(rng.uniform(low, high)) if rng.random() < share else 0.0

    noise = rng.uniform(1.5, 4.0) if night else rng.uniform(0.3, 1.5)
    motion = sometimes(0.35 if night else 0.12, 1.0, 5.0)
    heading = rng.normal(0, 0.4)
    return SensorStyle(
        # Exposure control errs now and then by a whole stop.
        gain=float(np.exp(rng.normal(0, 0.5 if rng.random() < 0.12 else 0.2))),
        white_balance=tuple(np.exp(rng.normal(0, 0.14 if rng.random() < 0.15 else 0.06, 3))),
        shot_noise=0.012 * noise,
        read_noise=0.006 * noise,
        blur_px=float(rng.uniform(0.9, 2.2) if rng.random() < 0.07 else rng.uniform(0.0, 0.9)),
        vignette=float(rng.uniform(0.0, 0.35)),
        saturation=float(rng.uniform(0.6, 1.35)),
        gamma=float(rng.uniform(1.9, 2.6)),
        metering=float(rng.uniform(0.45, 0.95)),
        noise_grain=float(rng.choice(_GRAINS, p=[0.4, 0.3, 0.2, 0.1])),
        motion_px=(float(motion * np.cos(heading)), float(motion * np.sin(heading))),
        aberration_px=float(rng.normal(0, 0.7)) if rng.random() < 0.4 else 0.0,
        bloom=sometimes(0.8 if night else 0.4, 0.02, 0.3),
        flare=sometimes(0.3, 0.02, 0.25),
        dirt=sometimes(0.2, 0.1, 0.8),
        drops=sometimes(0.65 if wet else 0.02, 0.05, 1.0),
        lens_seed=int(rng.integers(2**31)),
        shoulder=float(rng.uniform(0.25, 1.4)),
        contrast=float(rng.uniform(-0.25, 0.6)),
        sharpen=sometimes(0.45, 0.2, 1.4),
        monochrome=bool(rng.random() < 0.03),
        jpeg_quality=int(rng.integers(25, 92)) if rng.random() < 0.4 else None,
    )


def expose(radiance: np.ndarray, style: SensorStyle, rng: np.random.Generator, camera: int = 0) -> np.ndarray:
    """Develop one image: lens, sensor, image processor, link.

    Args:
        radiance: (H, W, 3) float32 linear, already scaled so that 1 is about white.
        style: the camera.
        rng: noise source.
        camera: a number of the camera's own; see `lens.through_lens`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    start_warp()
    radiance = through_lens(radiance, style, camera)
    # Unit noise is cut from a fixed tile at a random place: drawing it afresh would cost more than the image.
    tile = _noise_tile(min(_GRAINS, key=lambda width: abs(width - style.noise_grain)))
    offset = wp.vec2i(int(rng.integers(tile.shape[0])), int(rng.integers(tile.shape[1])))
    image = np.empty(radiance.shape, np.uint8)
    inputs = [
        wp.array(np.ascontiguousarray(radiance, np.float32), dtype=float, device="cpu", copy=False),
        wp.vec3(*(float(style.gain * balance) for balance in style.white_balance)),
        float(style.vignette),
        float(style.read_noise),
        float(style.shot_noise),
        0.0 if style.monochrome else float(style.saturation),
        float(style.shoulder),
        wp.array(tile, dtype=wp.int8, device="cpu", copy=False),
        offset,
        1.0 / _STEPS_PER_SIGMA,
        wp.array(_tone_table(style.gamma, style.contrast), dtype=wp.uint8, device="cpu", copy=False),
        wp.array(image, dtype=wp.uint8, device="cpu", copy=False),
    ]
    wp.launch(develop, dim=len(image), inputs=inputs, device="cpu")
    return _processed(image, style)


def _processed(image: np.ndarray, style: SensorStyle) -> np.ndarray:
    """Sharpened, and packed for the way to the computer."""
    if style.sharpen > 0:
        soft = cv2.GaussianBlur(image, (0, 0), 1.3)
        image = np.asarray(cv2.addWeighted(image, 1 + style.sharpen, soft, -style.sharpen, 0))
    if style.jpeg_quality is not None:
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, style.jpeg_quality])
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return image


def _tone_table(gamma: float, contrast: float) -> np.ndarray:
    """(4096,) uint8 from linear values to bytes: gamma, then an S-curve about the middle."""
    level = (np.arange(4096) / 4095.0) ** (1 / gamma)
    level = level + contrast * (level * level * (3 - 2 * level) - level)
    return np.round(255 * np.clip(level, 0, 1)).astype(np.uint8)


@lru_cache(maxsize=len(_GRAINS))
def _noise_tile(grain: float) -> np.ndarray:
    """(rows, columns, 3) int8 Gaussian noise of unit strength, by the width of its grain in pixels; the odd sizes
    keep its repetition out of step with images."""
    drawn: np.ndarray = np.random.default_rng(20240607).standard_normal((709, 1103, 3), dtype=np.float32)
    if grain > 0:
        drawn = np.asarray(cv2.GaussianBlur(drawn, (0, 0), grain))
        drawn = drawn / drawn.std()
    return np.clip(np.round(drawn * _STEPS_PER_SIGMA), -127, 127).astype(np.int8)
