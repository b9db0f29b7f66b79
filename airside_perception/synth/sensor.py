"""From linear radiance to the bytes a cheap automotive camera delivers."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import warp as wp

from airside_perception.rendering.warp_runtime import start_warp
from airside_perception.synth.scene import SensorStyle
from airside_perception.synth.sensor_kernels import develop

_STEPS_PER_SIGMA = 28.0


def random_sensor(rng: np.random.Generator, night: bool) -> SensorStyle:
    """A plausible sensor; night raises the noise."""
    noise = rng.uniform(1.5, 4.0) if night else rng.uniform(0.3, 1.5)
    return SensorStyle(
        gain=float(np.exp(rng.normal(0, 0.2))),
        white_balance=tuple(np.exp(rng.normal(0, 0.06, 3))),
        shot_noise=0.012 * noise,
        read_noise=0.006 * noise,
        blur_px=float(rng.uniform(0.0, 0.9)),
        vignette=float(rng.uniform(0.0, 0.35)),
        saturation=float(rng.uniform(0.6, 1.35)),
        gamma=float(rng.uniform(1.9, 2.6)),
    )


def expose(radiance: np.ndarray, style: SensorStyle, rng: np.random.Generator) -> np.ndarray:
    """Develop one image.

    Args:
        radiance: (H, W, 3) float32 linear, already scaled so that 1 is about white.
        style: the sensor.
        rng: noise source.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    start_warp()
    if style.blur_px > 0.15:
        radiance = cv2.GaussianBlur(radiance, (0, 0), style.blur_px)
    # Unit noise is cut from a fixed tile at a random place: drawing it afresh would cost more than the image.
    tile = _noise_tile()
    offset = wp.vec2i(int(rng.integers(tile.shape[0])), int(rng.integers(tile.shape[1])))
    image = np.empty(radiance.shape, np.uint8)
    inputs = [
        wp.array(np.ascontiguousarray(radiance, np.float32), dtype=float, device="cpu", copy=False),
        wp.vec3(*(float(style.gain * balance) for balance in style.white_balance)),
        float(style.vignette),
        float(style.read_noise),
        float(style.shot_noise),
        float(style.saturation),
        wp.array(tile, dtype=wp.int8, device="cpu", copy=False),
        offset,
        1.0 / _STEPS_PER_SIGMA,
        wp.array(_gamma_table(style.gamma), dtype=wp.uint8, device="cpu", copy=False),
        wp.array(image, dtype=wp.uint8, device="cpu", copy=False),
    ]
    wp.launch(develop, dim=image.shape[:2], inputs=inputs, device="cpu")
    return image


def _gamma_table(gamma: float) -> np.ndarray:
    return np.round(255 * (np.arange(4096) / 4095.0) ** (1 / gamma)).astype(np.uint8)


@lru_cache(maxsize=1)
def _noise_tile() -> np.ndarray:
    """(rows, columns, 3) int8 Gaussian noise; the odd sizes keep its repetition out of step with images."""
    drawn = np.random.default_rng(20240607).standard_normal((709, 1103, 3), dtype=np.float32)
    return np.clip(np.round(drawn * _STEPS_PER_SIGMA), -127, 127).astype(np.int8)
