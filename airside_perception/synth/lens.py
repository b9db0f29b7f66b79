"""What a lens does to light before it meets the sensor: blur, ghosts, fringes, dirt and drops of water."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from airside_perception.synth.scene import SensorStyle

_COARSE = 4
"""Broad effects are computed on every fourth pixel."""
_GLARE_THRESHOLD = 0.9
"""Exposed radiance above which light spreads visibly."""
_GHOSTS = ((-0.55, 0.5), (-1.0, 0.3), (0.4, 0.2))
"""Scale about the image's middle and strength of each flare ghost."""
_GHOST_TINTS = np.array([[0.5, 1.0, 0.6], [0.9, 0.6, 1.0], [1.0, 0.8, 0.5]], np.float32)


def through_lens(radiance: np.ndarray, style: SensorStyle, camera: int = 0) -> np.ndarray:
    """The image behind the lens.

    Args:
        radiance: (H, W, 3) float32 linear, exposed.
        style: its optical fields are used.
        camera: a number of the camera's own: each has dirt and drops at other places.

    Returns:
        (H, W, 3) float32; `radiance` itself where the style asks for nothing.
    """
    if style.drops > 0:
        radiance = _with_drops(radiance, style.drops, style.lens_seed + camera)
    if style.aberration_px:
        radiance = _fringed(radiance, style.aberration_px)
    if style.blur_px > 0.15:
        radiance = cv2.GaussianBlur(radiance, (0, 0), style.blur_px)
    if max(np.abs(style.motion_px)) > 0.3:
        radiance = cv2.filter2D(radiance, -1, _motion_kernel(*style.motion_px))
    if style.bloom > 0 or style.flare > 0 or style.dirt > 0:
        radiance = _scattered(radiance, style, camera)
    return radiance


def _scattered(radiance: np.ndarray, style: SensorStyle, camera: int) -> np.ndarray:
    """Glare about bright lights, their ghosts, and dirt that dims and glows."""
    height, width = radiance.shape[:2]
    size = (max(width // _COARSE, 8), max(height // _COARSE, 8))
    coarse = cv2.resize(radiance, size, interpolation=cv2.INTER_AREA)
    added: np.ndarray = np.zeros_like(coarse)
    if style.bloom > 0 or style.flare > 0:
        bright = np.minimum(np.maximum(coarse - _GLARE_THRESHOLD, 0), 20.0)
        near, far = (cv2.GaussianBlur(bright, (0, 0), size[0] * s) for s in (0.012, 0.06))
        added += style.bloom * (0.6 * near + 1.2 * far)
        if style.flare > 0:
            added += style.flare * _ghosts(near)
    if style.dirt > 0:
        dirt = style.dirt * _dirt_mask(style.lens_seed + camera, size)[..., None]
        veil = cv2.GaussianBlur(coarse, (0, 0), size[0] * 0.08)
        added += dirt * (0.9 * veil - 0.75 * coarse)
    return np.maximum(radiance + cv2.resize(added, (width, height), interpolation=cv2.INTER_LINEAR), 0)


def _ghosts(bright: np.ndarray) -> np.ndarray:
    height, width = bright.shape[:2]
    total = np.zeros_like(bright)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    for (scale, strength), tint in zip(_GHOSTS, _GHOST_TINTS, strict=True):
        place = np.column_stack([np.eye(2) * scale, middle * (1 - scale)])
        moved = cv2.warpAffine(bright, place, (width, height), flags=cv2.INTER_LINEAR)
        total += strength * tint * cv2.GaussianBlur(moved, (0, 0), width * 0.015)
    return total


def _fringed(radiance: np.ndarray, corner_px: float) -> np.ndarray:
    """Red drawn a little larger and blue a little smaller (below 0: the other way)."""
    height, width = radiance.shape[:2]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    planes = list(cv2.split(radiance))
    for channel, sign in ((0, 1.0), (2, -1.0)):
        scale = 1 + sign * corner_px / np.hypot(*middle)
        place = np.column_stack([np.eye(2) * scale, middle * (1 - scale)])
        planes[channel] = cv2.warpAffine(
            planes[channel], place, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return cv2.merge(planes)


def _motion_kernel(right: float, down: float) -> np.ndarray:
    """(K, K) float32 line of the given way, sum 1."""
    half = int(np.ceil(max(abs(right), abs(down)) / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for t in np.linspace(-0.5, 0.5, 16 * half):
        x, y = half + t * right, half + t * down
        c, r = int(x), int(y)
        u, v = x - c, y - r
        kernel[r : r + 2, c : c + 2] += np.outer([1 - v, v], [1 - u, u]).astype(np.float32)
    return kernel / kernel.sum()


@lru_cache(maxsize=16)
def _dirt_mask(seed: int, size: tuple[int, int]) -> np.ndarray:
    """(h, w) float32 in 0..1: dust, smears of a wiper and dried spots."""
    rng = np.random.default_rng(seed)
    width, height = size
    film = cv2.resize(rng.random((5, 8), dtype=np.float32), size, interpolation=cv2.INTER_CUBIC)
    grit = cv2.GaussianBlur(rng.random((height, width), dtype=np.float32), (0, 0), 1.2)
    mask = np.clip(film - 0.35, 0, 1) * 0.8 + np.clip((grit - grit.mean()) / grit.std() - 1.5, 0, 3) * 0.15
    for _ in range(int(rng.integers(0, 25))):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        spot = np.zeros((height, width), np.float32)
        cv2.circle(spot, center, int(rng.integers(1, max(height // 12, 2))), float(rng.uniform(0.2, 0.9)), -1)
        mask = np.maximum(mask, cv2.GaussianBlur(spot, (0, 0), 1.5))
    return np.clip(mask, 0, 1)


def _with_drops(radiance: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Drops show the scene small, upside down and out of focus, with dark rims."""
    height, width = radiance.shape[:2]
    map_x, map_y, cover, rim = _drop_maps(seed, strength, (width, height))
    soft = cv2.GaussianBlur(radiance, (0, 0), 0.004 * height + 0.8)
    inside = cv2.remap(soft, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return radiance * (1 - cover) + inside * (cover * rim)


@lru_cache(maxsize=12)
def _drop_maps(
    seed: int, strength: float, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where each pixel looks through the drops: (H, W) x and y, (H, W, 1) cover 0..1 and brightness."""
    rng = np.random.default_rng(seed)
    width, height = size
    map_x, map_y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    cover, rim = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    for _ in range(int(2 + 38 * strength)):
        x, y = rng.uniform((0, 0), (width, height))
        radius = height * 0.012 * (1 + rng.pareto(2.0))
        radius, tall = min(radius, 0.09 * height), rng.uniform(0.9, 1.5)
        r0, r1 = int(max(y - radius * tall, 0)), int(min(y + radius * tall + 2, height))
        c0, c1 = int(max(x - radius, 0)), int(min(x + radius + 2, width))
        if r1 <= r0 or c1 <= c0:
            continue
        rows, columns = np.mgrid[r0:r1, c0:c1].astype(np.float32)
        out = np.hypot((columns - x) / radius, (rows - y) / (radius * tall))
        own = out < 1
        bend = rng.uniform(4.0, 9.0)
        map_x[r0:r1, c0:c1] = np.where(own, x - (columns - x) * bend, map_x[r0:r1, c0:c1])
        map_y[r0:r1, c0:c1] = np.where(own, y - (rows - y) * bend, map_y[r0:r1, c0:c1])
        cover[r0:r1, c0:c1] = np.maximum(cover[r0:r1, c0:c1], np.clip((1 - out) * 6, 0, 1) * rng.uniform(0.5, 0.95))
        rim[r0:r1, c0:c1] = np.where(own, 1.05 - 0.5 * out**4, rim[r0:r1, c0:c1])
    return map_x, map_y, cover[..., None], rim[..., None]
