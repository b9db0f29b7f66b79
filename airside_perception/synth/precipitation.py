"""Rain and snow between camera and scene, drawn into the image before the lens."""

from __future__ import annotations

import cv2
import numpy as np

_SUBPIXEL = 4
"""Fractional bits of drawn coordinates."""


def precipitation(radiance: np.ndarray, rain: float, snowfall: float, rng: np.random.Generator) -> np.ndarray:
    """Add streaks of rain and blurred flakes.

    Args:
        radiance: (H, W, 3) float32 linear, exposed.
        rain, snowfall: 0 none .. 1 dense.
        rng: where they are in this image; not drawn from in dry weather.

    Returns:
        (H, W, 3) float32; `radiance` itself in dry weather.
    """
    if rain <= 0.0 and snowfall <= 0.0:
        return radiance
    height, width = radiance.shape[:2]
    layer = np.zeros((height, width), np.uint8)
    area = width * height / (640 * 400)
    if rain > 0.0:
        _streaks(layer, int(260 * rain * area), rng)
    if snowfall > 0.0:
        _flakes(layer, int(420 * snowfall * area), rng)
    # Drops and flakes bring light from elsewhere to where they are: a share of the picture's mean.
    share = cv2.GaussianBlur(layer, (0, 0), 0.6).astype(np.float32)[..., None] / 255.0
    light = float(radiance[::8, ::8].mean()) * (1.3 if rain > 0 else 1.6) + 0.05
    return radiance + (light - radiance * 0.7) * share


def _streaks(layer: np.ndarray, count: int, rng: np.random.Generator) -> None:
    height, width = layer.shape
    slant = rng.normal(0, 0.12)
    start = rng.uniform((-20, -40), (width + 20, height), (count, 2))
    long = np.exp(rng.normal(np.log(0.05 * height), 0.6, count))
    ends = start + np.stack([slant + rng.normal(0, 0.02, count), np.ones(count)], axis=1) * long[:, None]
    for a, b, strength in zip(start, ends, rng.uniform(25, 110, count), strict=True):
        points = np.round(np.stack([a, b]) * 2**_SUBPIXEL).astype(int)
        cv2.line(layer, points[0].tolist(), points[1].tolist(), float(strength), 1, cv2.LINE_AA, _SUBPIXEL)


def _flakes(layer: np.ndarray, count: int, rng: np.random.Generator) -> None:
    height, width = layer.shape
    places = rng.uniform((0, 0), (width, height), (count, 2))
    # Few are near, and those are large and out of focus.
    radius = np.clip(0.0016 * height * (1 + rng.pareto(2.2, count)), 0.4, 0.025 * height)
    for place, r in zip(places, radius, strict=True):
        strength = float(np.clip(230 / (1 + 0.35 * r), 30, 230))
        center = np.round(place * 2**_SUBPIXEL).astype(int).tolist()
        cv2.circle(layer, center, int(r * 2**_SUBPIXEL), strength, -1, cv2.LINE_AA, _SUBPIXEL)
