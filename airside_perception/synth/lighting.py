"""Random light and air: clear days, low sun, overcast, fog, wet concrete, floodlit nights."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.scene import Lighting

CONDITIONS = {"clear": 0.34, "low_sun": 0.16, "overcast": 0.22, "fog": 0.06, "wet": 0.10, "night": 0.12}
"""Conditions and how often each is drawn."""


def random_lighting(rng: np.random.Generator, condition: str | None = None) -> tuple[Lighting, str]:
    """Draw a lighting; returns it with the name of its condition."""
    names = list(CONDITIONS)
    if condition is None:
        condition = str(rng.choice(names, p=np.array(list(CONDITIONS.values())) / sum(CONDITIONS.values())))
    azimuth = rng.uniform(-np.pi, np.pi)
    elevation = {"low_sun": rng.uniform(0.08, 0.35), "night": rng.uniform(0.7, 1.3)}.get(
        condition, rng.uniform(0.4, 1.25)
    )
    direction = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    warmth = rng.uniform(0, 1) if condition != "low_sun" else rng.uniform(1.5, 3.0)
    sun = np.array([1.0, 1 - 0.07 * warmth, 1 - 0.16 * warmth]) * rng.uniform(0.9, 1.7)
    sky_zenith = np.array([0.18, 0.34, 0.72]) * rng.uniform(0.6, 1.2)
    sky_horizon = np.array([0.65, 0.76, 0.9]) * rng.uniform(0.8, 1.15)
    ambient = np.array([0.30, 0.34, 0.42]) * rng.uniform(0.7, 1.4)
    fog, wetness, cloudiness = 0.0002, 0.0, rng.uniform(0.0, 0.6)
    if condition in ("overcast", "fog", "wet"):
        sun = sun * rng.uniform(0.05, 0.3)
        grey = rng.uniform(0.55, 0.95)
        sky_zenith, sky_horizon = np.full(3, grey) * [0.95, 0.98, 1.03], np.full(3, grey * 1.1)
        ambient, cloudiness = np.full(3, rng.uniform(0.5, 0.8)), rng.uniform(0.3, 1.0)
        fog = rng.uniform(0.008, 0.03) if condition == "fog" else rng.uniform(0.0005, 0.003)
        wetness = rng.uniform(0.4, 1.0) if condition == "wet" else 0.0
    exposure = rng.uniform(0.75, 1.25)
    if condition == "night":
        tint = np.array([1.0, rng.uniform(0.75, 1.0), rng.uniform(0.45, 1.0)])
        sun, ambient = tint * rng.uniform(0.35, 0.9), tint * rng.uniform(0.06, 0.18)
        sky_zenith, sky_horizon = np.array([0.006, 0.008, 0.014]), np.array([0.03, 0.03, 0.035])
        fog, wetness = rng.uniform(0.0, 0.002), float(rng.random() < 0.3) * rng.uniform(0.3, 0.9)
        exposure = rng.uniform(1.0, 1.8)
    lighting = Lighting(
        direction, sun, ambient, sky_zenith, sky_horizon, float(fog), float(wetness), float(cloudiness), float(exposure)
    )
    return lighting, condition
