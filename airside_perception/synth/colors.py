"""Palettes of the apron and draws from them; albedo values in 0..1."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

Color = tuple[float, float, float]

WHITE: Color = (0.88, 0.88, 0.87)
BLACK: Color = (0.04, 0.04, 0.045)
DARK_GREY: Color = (0.13, 0.13, 0.14)
MID_GREY: Color = (0.42, 0.43, 0.44)
LIGHT_GREY: Color = (0.66, 0.67, 0.68)
ALUMINIUM: Color = (0.62, 0.63, 0.65)
GLASS_COLOR: Color = (0.05, 0.07, 0.09)
ORANGE_LAMP: Color = (1.0, 0.5, 0.05)
RED_LAMP: Color = (0.85, 0.05, 0.04)
GREEN_LAMP: Color = (0.05, 0.75, 0.2)
WHITE_LAMP: Color = (0.98, 0.97, 0.9)
HAZARD_YELLOW: Color = (0.95, 0.75, 0.05)
SIGNAL_RED: Color = (0.75, 0.06, 0.05)
SIGN_YELLOW: Color = (0.85, 0.7, 0.08)

EQUIPMENT_PALETTE: tuple[tuple[Color, float], ...] = (
    (WHITE, 4.0),
    (HAZARD_YELLOW, 2.5),
    ((0.9, 0.42, 0.05), 1.0),
    ((0.1, 0.22, 0.5), 1.2),
    ((0.12, 0.4, 0.22), 0.8),
    (SIGNAL_RED, 0.8),
    (MID_GREY, 0.8),
    ((0.2, 0.21, 0.23), 0.4),
    ((0.35, 0.62, 0.78), 0.6),
    ((0.55, 0.75, 0.2), 0.4),
)
"""Body colours of ground equipment with their weights."""


def jitter(rng: np.random.Generator, color: Sequence[float], amount: float = 0.05) -> Color:
    """A colour near the given one: common brightness and a little per channel."""
    bright = rng.uniform(1 - 2 * amount, 1 + amount)
    base = np.asarray(color)
    # Tints scale with the colour, or dark trim would turn purple and green.
    channels = np.clip(base * bright + rng.uniform(-amount, amount, 3) * 0.3 * (0.1 + base), 0.01, 0.97)
    return (float(channels[0]), float(channels[1]), float(channels[2]))


def pick(rng: np.random.Generator, palette: Sequence[tuple[Color, float]], amount: float = 0.06) -> Color:
    """A jittered colour drawn by weight."""
    weights = np.array([weight for _, weight in palette])
    return jitter(rng, palette[int(rng.choice(len(palette), p=weights / weights.sum()))][0], amount)


def random_hue(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Color:
    """A colour of any hue."""
    return colorsys.hsv_to_rgb(float(rng.uniform()), float(rng.uniform(*saturation)), float(rng.uniform(*value)))


def equipment_color(rng: np.random.Generator) -> Color:
    """Body colour of a vehicle: mostly the usual fleet paints, sometimes anything."""
    if rng.uniform() < 0.15:
        return random_hue(rng, (0.2, 0.9), (0.2, 0.9))
    return pick(rng, EQUIPMENT_PALETTE)


def brand_color(rng: np.random.Generator) -> Color:
    """Colour of a logo or livery: blues and reds lead, as on real aprons, but every hue occurs."""
    draw = rng.uniform()
    if draw < 0.3:
        hue = rng.uniform(0.54, 0.68)
    elif draw < 0.52:
        hue = rng.uniform(0.96, 1.03) % 1.0
    elif draw < 0.6:
        return jitter(rng, (0.06, 0.07, 0.1), 0.2)
    else:
        hue = rng.uniform()
    return colorsys.hsv_to_rgb(float(hue), float(rng.uniform(0.45, 1.0)), float(rng.uniform(0.15, 0.85)))


def facade_glass(rng: np.random.Generator) -> Color:
    """Tint of building glass."""
    tints: tuple[tuple[Color, float], ...] = (
        ((0.08, 0.11, 0.14), 2.0),
        ((0.1, 0.17, 0.2), 1.0),
        ((0.15, 0.2, 0.22), 1.0),
        ((0.06, 0.1, 0.08), 0.5),
    )
    return pick(rng, tints)
