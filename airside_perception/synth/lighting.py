"""Random light and air: the sky by time of day, and the weather in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from airside_perception.synth.scene import Lighting

CONDITIONS = {
    "clear": 0.28, "low_sun": 0.14, "overcast": 0.18, "fog": 0.06, "wet": 0.12, "night": 0.13, "dusk": 0.05,
    "snow": 0.04,
}  # fmt: skip
"""Conditions and how often each is drawn."""

_ELEVATIONS = np.radians([-6.0, -1.0, 3.0, 9.0, 20.0, 45.0, 90.0])
_DAY = {
    # Linear red, green and blue at these elevations of the sun.
    "sun": [(0, 0, 0), (0.01, 0.006, 0.004), (0.75, 0.38, 0.15), (0.95, 0.68, 0.42), (1, 0.86, 0.68), (1, 0.96, 0.9),
            (1, 0.97, 0.93)],
    "zenith": [(0.012, 0.016, 0.035), (0.06, 0.085, 0.17), (0.10, 0.16, 0.34), (0.14, 0.24, 0.5), (0.17, 0.31, 0.65),
               (0.18, 0.34, 0.72), (0.17, 0.33, 0.72)],
    "horizon": [(0.04, 0.04, 0.055), (0.22, 0.2, 0.24), (0.46, 0.4, 0.4), (0.58, 0.58, 0.62), (0.64, 0.71, 0.82),
                (0.65, 0.76, 0.9), (0.65, 0.77, 0.92)],
    "ambient": [(0.02, 0.022, 0.03), (0.09, 0.1, 0.135), (0.16, 0.18, 0.24), (0.23, 0.26, 0.33), (0.28, 0.32, 0.4),
                (0.30, 0.34, 0.42), (0.31, 0.35, 0.43)],
    "glow": [(0.12, 0.05, 0.03), (0.55, 0.22, 0.08), (0.75, 0.32, 0.1), (0.35, 0.18, 0.07), (0.08, 0.05, 0.02),
             (0, 0, 0), (0, 0, 0)],
}  # fmt: skip

_LOWEST_LIGHT = 0.02
"""Radians: shadows of a light at the horizon would have no end."""


@dataclass(frozen=True)
class Daylight:
    """Light of a cloudless sky at one time of day; (3,) float64 linear colours as in `Lighting`."""

    sun: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    ambient: np.ndarray
    glow: np.ndarray


def daylight(elevation: float) -> Daylight:
    """The cloudless sky with the sun `elevation` radians above (below 0: under) the horizon."""
    tables = {name: np.array(values, float) for name, values in _DAY.items()}
    return Daylight(
        **{
            name: np.array([np.interp(elevation, _ELEVATIONS, table[:, k]) for k in range(3)])
            for name, table in tables.items()
        }
    )


def random_lighting(rng: np.random.Generator, condition: str | None = None) -> tuple[Lighting, str]:
    """Draw a lighting; returns it with the name of its condition."""
    if condition is None:
        weights = np.array(list(CONDITIONS.values()))
        condition = str(rng.choice(list(CONDITIONS), p=weights / weights.sum()))
    elevation = {
        "low_sun": rng.uniform(0.05, 0.35), "dusk": rng.uniform(-0.09, 0.05), "night": rng.uniform(0.5, 1.3),
    }.get(condition, rng.uniform(0.3, 1.25))  # fmt: skip
    azimuth = rng.uniform(-np.pi, np.pi)
    day = daylight(elevation)
    tint = 1 + rng.normal(0, 0.03, 3)
    lighting = Lighting(
        _towards(azimuth, max(elevation, _LOWEST_LIGHT)),
        day.sun * rng.uniform(0.9, 1.7),
        day.ambient * rng.uniform(0.7, 1.4) * tint,
        day.zenith * rng.uniform(0.6, 1.2) * tint,
        day.horizon * rng.uniform(0.8, 1.15) * tint,
        fog_density=0.0002,
        cloudiness=float(rng.uniform(0.0, 0.6)),
        exposure=float(rng.uniform(0.75, 1.25)),
        cloud_scale=float(np.exp(rng.normal(0, 0.4))),
        sun_glow=day.glow * rng.uniform(0.3, 1.2),
    )
    if condition in ("overcast", "fog", "wet", "snow"):
        lighting = _overcast(rng, lighting, condition)
    if condition == "night":
        lighting = _night(rng, lighting)
    if condition == "dusk":
        lighting = replace(lighting, **_lamps_on(rng, 0.5), exposure=float(rng.uniform(0.9, 1.5)))
    elif condition in ("fog", "wet", "snow", "overcast") and rng.random() < 0.4:
        lighting = replace(lighting, headlights=float(rng.uniform(2, 6)), beacons=float(rng.uniform(2, 6)))
    return lighting, condition


def _towards(azimuth: float, elevation: float) -> np.ndarray:
    level = np.cos(elevation)
    return np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])


def _overcast(rng: np.random.Generator, lighting: Lighting, condition: str) -> Lighting:
    """Grey light from everywhere, and what falls from the clouds or lies on the ground."""
    grey = rng.uniform(0.55, 0.95)
    weather: dict[str, Any] = {"fog_density": rng.uniform(0.0005, 0.003)}
    if condition == "fog":
        weather = {"fog_density": rng.uniform(0.008, 0.03)}
        if rng.random() < 0.4:
            weather["mist"] = rng.uniform(0.01, 0.06)
    if condition == "wet":
        weather["wetness"] = rng.uniform(0.4, 1.0)
        if rng.random() < 0.6:
            weather["rain"] = rng.uniform(0.1, 1.0)
            weather["mist"] = weather["rain"] * rng.uniform(0.0, 0.03)
            weather["fog_density"] += 0.004 * weather["rain"]
    if condition == "snow":
        weather["snow"] = rng.uniform(0.25, 1.0)
        if rng.random() < 0.5:
            weather["snowfall"] = rng.uniform(0.1, 1.0)
            weather["fog_density"] += 0.006 * weather["snowfall"]
    return replace(
        lighting,
        # A broken cloud cover lets much of the sun through to the puddles.
        sun_color=lighting.sun_color * (rng.uniform(0.3, 0.8) if rng.random() < 0.15 else rng.uniform(0.05, 0.3)),
        sky_zenith=np.full(3, grey) * [0.95, 0.98, 1.03],
        sky_horizon=np.full(3, grey * 1.1),
        ambient_color=np.full(3, rng.uniform(0.5, 0.8)),
        cloudiness=float(rng.uniform(0.3, 1.0)),
        sun_glow=np.zeros(3),
        **dict[str, Any]((name, float(value)) for name, value in weather.items()),
    )


def _night(rng: np.random.Generator, lighting: Lighting) -> Lighting:
    """Floodlit: the strongest mast far off stands in for the sun, others and lamps of vehicles stand about."""
    tint = np.array([1.0, rng.uniform(0.75, 1.0), rng.uniform(0.45, 1.0)])
    wet = rng.random() < 0.3
    rainy = wet and rng.random() < 0.5
    return replace(
        lighting,
        sun_color=tint * rng.uniform(0.1, 0.8),
        ambient_color=tint * rng.uniform(0.03, 0.16),
        sky_zenith=np.array([0.006, 0.008, 0.014]),
        sky_horizon=np.array([0.03, 0.03, 0.035]) * rng.uniform(0.2, 1.2),
        fog_density=float(rng.uniform(0.0, 0.002)),
        wetness=float(rng.uniform(0.3, 0.9)) if wet else 0.0,
        rain=float(rng.uniform(0.1, 0.8)) if rainy else 0.0,
        exposure=float(rng.uniform(0.4, 1.5)),
        sun_glow=np.zeros(3),
        **_lamps_on(rng, 1.0),
    )


def _lamps_on(rng: np.random.Generator, strength: float) -> dict[str, Any]:
    """Fields of `Lighting` for masts, headlights, beacons and lit windows."""
    tint = np.array([1.0, rng.uniform(0.7, 1.0), rng.uniform(0.4, 1.0)])
    count = int(rng.integers(2, 7))
    places = np.column_stack([rng.uniform(-70, 70, (count, 2)), rng.uniform(12, 28, count)])
    return {
        "mast_color": tint * strength * rng.uniform(40, 200),
        "masts": places,
        "headlights": float(strength * rng.uniform(4, 20)),
        "beacons": float(strength * rng.uniform(3, 14)),
        "glow": float(1.5 + strength * rng.uniform(0, 4)),
        "window_glow": float(strength * rng.uniform(0.1, 0.9)),
    }
