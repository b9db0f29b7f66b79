"""From linear radiance to the bytes a cheap automotive camera delivers."""

from __future__ import annotations

import cv2
import numpy as np

from airside_perception.synth.scene import SensorStyle


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
    height, width = radiance.shape[:2]
    image = radiance * (style.gain * np.asarray(style.white_balance, np.float32))
    if style.vignette > 0:
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
        x = np.linspace(-1, 1, width, dtype=np.float32)[None] ** 2
        image *= (1 - style.vignette * (x + y) / 2)[..., None]
    if style.blur_px > 0.15:
        image = cv2.GaussianBlur(image, (0, 0), style.blur_px)
    noise = _noise_field(rng, image.shape)
    image += noise * np.sqrt(style.read_noise**2 + style.shot_noise**2 * np.clip(image, 0, 4))
    # A filmic shoulder keeps sunlit white fuselages from clipping to flat 255.
    image = np.clip(image, 0, None)
    image = image * (1 + image / 6.0) / (1 + image * 0.75)
    if style.saturation != 1.0:
        grey = image.mean(axis=-1, keepdims=True)
        image = grey + style.saturation * (image - grey)
    encoded = _gamma_table(style.gamma)[(np.clip(image, 0, 1) * 4095).astype(np.uint16)]
    return encoded


def _gamma_table(gamma: float) -> np.ndarray:
    return np.round(255 * (np.arange(4096) / 4095.0) ** (1 / gamma)).astype(np.uint8)


def _noise_field(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Unit Gaussian noise, cut from a fixed tile at a random place: drawing it afresh would cost more than the image."""
    tile = _noise_tile()
    rows, columns = tile.shape[0] - shape[0], tile.shape[1] - shape[1]
    if rows < 0 or columns < 0:
        return rng.standard_normal(shape, dtype=np.float32)
    r, c = int(rng.integers(0, rows + 1)), int(rng.integers(0, columns + 1))
    return tile[r : r + shape[0], c : c + shape[1]]


_TILE: list[np.ndarray] = []


def _noise_tile() -> np.ndarray:
    if not _TILE:
        _TILE.append(np.random.default_rng(20240607).standard_normal((1400, 2200, 3), dtype=np.float32))
    return _TILE[0]
