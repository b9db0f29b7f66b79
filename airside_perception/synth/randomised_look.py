"""Looks far beyond realism: a network that sees these, too, trusts shapes more than colours and textures.

Domain randomisation as of Tobin et al. 2017 (arXiv 1703.06907): what training never shows twice the same, the
network learns not to rely on, and reality is one more variation.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from airside_perception.synth.colors import random_hue
from airside_perception.synth.ground import smooth_noise
from airside_perception.synth.lighting import random_lighting
from airside_perception.synth.scene import PATTERNS, GroundTexture, Lighting, Pattern, Scene, SensorStyle
from airside_perception.synth.sensor import random_sensor

_TEXTURE = 1000
"""Texels along the edge of a made-up ground, before it is scaled up."""


def randomised(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same scene with made-up coats, ground, light and camera; its geometry and labels stay as they are."""
    lighting, sensor = randomised_lighting(rng), randomised_sensor(rng)
    return replace(
        scene,
        lighting=lighting,
        sensor=sensor,
        ground=randomised_ground(scene.ground, rng),
        patterns=randomised_patterns(len(scene.objects), rng),
    )


def randomised_patterns(count: int, rng: np.random.Generator) -> tuple[Pattern | None, ...]:
    """A coat for most of `count` objects."""
    return tuple(_pattern(rng) if rng.random() < 0.85 else None for _ in range(count))


def _pattern(rng: np.random.Generator) -> Pattern:
    return Pattern(
        PATTERNS[int(rng.integers(len(PATTERNS)))],
        np.array([_any_color(rng), _any_color(rng)]),
        float(np.exp(rng.uniform(np.log(0.08), np.log(4.0)))),
        float(rng.uniform(0.4, 1.0)),
    )


def _any_color(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.25:
        return np.full(3, rng.uniform(0.02, 0.9))
    return np.array(random_hue(rng, (0.1, 1.0), (0.05, 1.0)))


def randomised_lighting(rng: np.random.Generator) -> Lighting:
    """Sun, sky and lamps of any colour from any side, over the weather of any condition."""
    real, _ = random_lighting(rng)
    azimuth, height = rng.uniform(-np.pi, np.pi), rng.uniform(0.08, 1.0)
    level = np.sqrt(1 - height**2)
    lamps = int(rng.integers(0, 7))
    places = np.column_stack([rng.uniform(-30, 30, (lamps, 2)), rng.uniform(1, 15, lamps)])
    colors = np.array([_any_color(rng) * np.exp(rng.uniform(1.5, 5.0)) for _ in range(lamps)]).reshape(-1, 3)
    return replace(
        real,
        sun_direction=np.array([level * np.cos(azimuth), level * np.sin(azimuth), height]),
        sun_color=_any_color(rng) * rng.uniform(0.0, 2.5),
        ambient_color=_any_color(rng) * rng.uniform(0.3, 1.2) + 0.05,
        sky_zenith=_any_color(rng) * rng.uniform(0.2, 1.2),
        sky_horizon=_any_color(rng) * rng.uniform(0.2, 1.2),
        cloudiness=float(rng.uniform(0, 2.5)),
        cloud_color=_any_color(rng) * rng.uniform(0.1, 1.3),
        cloud_scale=float(np.exp(rng.uniform(-1.2, 2.3))),
        spots=np.concatenate([places, colors], axis=1),
        glow=float(rng.uniform(0.2, 6)),
    )


def randomised_sensor(rng: np.random.Generator) -> SensorStyle:
    """A camera at the far ends of all its errors."""
    usual = random_sensor(rng, night=rng.random() < 0.3, wet=rng.random() < 0.15)
    return replace(
        usual,
        gain=float(np.exp(rng.normal(0, 0.5))),
        metering=float(rng.uniform(0.6, 1.0)),
        white_balance=tuple(np.exp(rng.normal(0, 0.35, 3))),
        shot_noise=usual.shot_noise * float(rng.uniform(0.5, 3)),
        read_noise=usual.read_noise * float(rng.uniform(0.5, 3)),
        blur_px=float(rng.uniform(0, 1.8)),
        vignette=float(rng.uniform(0, 0.8)),
        saturation=float(rng.uniform(-0.3, 2.5)),
        gamma=float(rng.uniform(1.2, 3.4)),
        shoulder=float(rng.uniform(0.0, 2.5)),
        contrast=float(rng.uniform(-0.5, 1.0)),
        monochrome=bool(rng.random() < 0.1),
        jpeg_quality=int(rng.integers(8, 90)) if rng.random() < 0.5 else None,
    )


def randomised_ground(ground: GroundTexture, rng: np.random.Generator) -> GroundTexture:
    """The apron in made-up colours; its lines stay visible to some degree in half of all cases."""
    count = ground.albedo.shape[0]
    share = _share(PATTERNS[int(rng.integers(len(PATTERNS)))], rng)
    if rng.random() < 0.4:
        share = 0.6 * share + 0.4 * _share(PATTERNS[int(rng.integers(len(PATTERNS)))], rng)
    first, second = (_any_color(rng).astype(np.float32) for _ in range(2))
    made = first + (second - first) * share[..., None]
    made *= 1 + rng.uniform(0, 0.3) * smooth_noise(rng, share.shape, int(rng.integers(5, 200)))[..., None]
    made = cv2.resize(np.clip(255 * made, 0, 255).astype(np.uint8), (count, count), interpolation=cv2.INTER_LINEAR)
    kept = float(rng.uniform(0.1, 0.8)) if rng.random() < 0.5 else 0.0
    return replace(ground, albedo=cv2.addWeighted(ground.albedo, kept, made, 1 - kept, 0))


def _share(kind: str, rng: np.random.Generator) -> np.ndarray:
    """(_TEXTURE, _TEXTURE) float32 in 0..1 of the second colour."""
    shape = (_TEXTURE, _TEXTURE)
    if kind == "plain":
        return np.zeros(shape, np.float32)
    if kind == "blotches":
        noise = smooth_noise(rng, shape, int(rng.integers(6, 150)))
        return np.clip(noise * rng.uniform(0.5, 6) + 0.5, 0, 1)
    if kind == "grain":
        return cv2.resize(rng.random((_TEXTURE // 2,) * 2, dtype=np.float32), shape[::-1])
    rows, columns = np.mgrid[0:_TEXTURE, 0:_TEXTURE].astype(np.float32)
    angle, cell = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(3), np.log(80)))
    along = (columns * np.cos(angle) + rows * np.sin(angle)) / cell
    across = (rows * np.cos(angle) - columns * np.sin(angle)) / cell
    if kind == "stripes":
        return ((along % 2) < rng.uniform(0.2, 1.8)).astype(np.float32)
    return ((np.floor(along) + np.floor(across)) % 2).astype(np.float32)
