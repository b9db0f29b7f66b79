"""What tells a vehicle's rear from its front: chevron boards, number plates, exhausts, fleet numbers."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.colors import (
    BLACK,
    DARK_GREY,
    HAZARD_YELLOW,
    MID_GREY,
    SIGNAL_RED,
    WHITE,
    Color,
    pick,
)
from airside_perception.synth.mesh_parts import METAL, Mesh, box, boxes, cylinder, hexahedra

CHEVRON_COLORS: tuple[tuple[Color, Color], ...] = (
    (HAZARD_YELLOW, SIGNAL_RED),
    (WHITE, SIGNAL_RED),
    (HAZARD_YELLOW, BLACK),
)


def chevrons(x: float, half: float, low: float, high: float, colors: tuple[Color, Color], stripes: int = 4) -> Mesh:
    """Board across the rear at station x; its stripes lean outwards and down from the middle.

    Args:
        x: station of the board's face, metres.
        half: half its width. low, high: heights of its edges.
        colors: of the board and of the stripes.
        stripes: on each half.
    """
    lean = min(high - low, 0.5 * half)
    step = (half - lean) / (stripes - 0.5)
    corners, shades = [], [colors[0]]
    board = [(x + d, y, z) for z in (low, high) for y in (-half, half) for d in (0.0, 0.05)]
    corners.append(board)
    for sign in (1, -1):
        for k in range(stripes):
            ends = ((low + 0.01, k * step + lean), (high - 0.01, k * step))
            corners.append(
                [(x + d, sign * (y + w), z) for z, y in ends for w in (0.0, 0.5 * step) for d in (-0.012, 0.03)]
            )
            shades.append(colors[1])
    return hexahedra(np.array(corners), np.array(shades))


def number_plate(x: float, z: float, color: Color = WHITE) -> Mesh:
    """Plate with dark characters, on both sides of its station so that either end may carry it."""
    letters = [(x, y, z) for y in np.linspace(-0.17, 0.17, 5)]
    centers = [(x, 0.0, z), *letters]
    sizes = np.array([(0.05, 0.5, 0.13), *[(0.06, 0.045, 0.075)] * 5])
    return boxes(centers, sizes, np.array([color, *[BLACK] * 5]))


def fleet_number(rng: np.random.Generator, x: float, half: float, z: float, color: Color) -> Mesh:
    """Large characters on both sides around a station."""
    count, tall = int(rng.integers(2, 5)), rng.uniform(0.16, 0.3)
    offsets = (np.arange(count) - (count - 1) / 2) * 0.75 * tall
    centers = np.array([(x + dx, sign * half, z) for sign in (1, -1) for dx in offsets])
    sizes = np.column_stack(
        [np.tile(tall * rng.uniform(0.3, 0.55, count), 2), np.full(2 * count, 0.03), np.full(2 * count, tall)]
    )
    return boxes(centers, sizes, color)


def exhaust(x: float, y: float, low: float, high: float) -> list[Mesh]:
    """Upright silencer with its tip, as behind a truck's cab."""
    middle = low + 0.6 * (high - low)
    return [
        cylinder((x, y, low), (x, y, middle), 0.1, MID_GREY, METAL, segments=8),
        cylinder((x, y, middle - 0.02), (x, y, high), 0.05, DARK_GREY, METAL, segments=6),
    ]


def rear_end(rng: np.random.Generator, x: float, width: float, low: float, high: float) -> list[Mesh]:
    """Number plate and, on most vehicles, a chevron board at the rear face."""
    parts = [number_plate(x, low - 0.02, pick(rng, ((WHITE, 2.0), (HAZARD_YELLOW, 1.0)), 0.03))]
    if rng.uniform() < 0.6:
        pair = CHEVRON_COLORS[int(rng.integers(len(CHEVRON_COLORS)))]
        parts.append(chevrons(x - 0.01, 0.46 * width, low + 0.08, high, pair, int(rng.integers(3, 6))))
    return parts


def open_doors(
    x: float, half: float, low: float, high: float, turn: float, color: Color, thickness: float = 0.05
) -> list[Mesh]:
    """Two rear doors swung open by `turn` radians, and the dark inside between them."""
    parts = [box((x + 0.02, 0, (low + high) / 2), (0.06, 2 * half, high - low), BLACK)]
    for sign in (1, -1):
        leaf = box((x, sign * half / 2, (low + high) / 2), (thickness, half, high - low - 0.04), color)
        parts.append(leaf.rotated("z", sign * turn, (x, sign * half, 0)))
    return parts
