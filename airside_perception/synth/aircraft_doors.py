"""Cabin doors, hold doors and cargo doors of the procedural aircraft, shut or open."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.colors import BLACK, DARK_GREY
from airside_perception.synth.fuselage import Fuselage
from airside_perception.synth.liveries import Livery
from airside_perception.synth.mesh_parts import METAL, PAINT, FloatArray, Mesh, box, hexahedra

LEFT, RIGHT = 1, -1


def _slab(body: Fuselage, stations: FloatArray, angles: FloatArray, out: FloatArray, livery: Livery, side: int) -> Mesh:
    """A leaf 8 cm thick between two stations and two angles of the skin, moved by `out` metres."""
    grid = [body.points(np.asarray(x), np.asarray(a), o) for o in (-0.08, 0.0) for a in angles for x in stations]
    mesh = hexahedra(np.array(grid) + out, livery.base)
    return mesh if side == LEFT else mesh.mirrored()


def cabin_doors(
    rng: np.random.Generator, body: Fuselage, livery: Livery, stations: FloatArray, width: float,
    heights: tuple[float, float], chance: float,
) -> list[Mesh]:  # fmt: skip
    """Doors on both sides: rims, and on some the leaf swung forward beside a dark opening.

    Args:
        rng: draws which stand open.
        body, livery: of the aircraft.
        stations: (N,) of the doors' middles, metres from the nose.
        width: of a door, metres.
        heights: sill and lintel above the axis, in body heights.
        chance: that a left door is open; right ones (service) are open half as often.
    """
    sill, lintel = heights
    tall = body.height
    rim = np.array([-0.05, 0.05])
    parts = []
    painted = livery.door > 0.85 or livery.scheme in ("two_tone", "cheatline")
    for side in (LEFT, RIGHT):
        for station in stations:
            span = np.array([station - width / 2, station + width / 2])
            angle = body.angle_at(np.full(2, station), np.array([lintel, sill]) * tall)
            shade = np.asarray(livery.base) * livery.door
            parts.append(body.patches((span + rim)[None], (angle + rim / tall)[None], shade, PAINT, 0.012, 3, (side,)))
            if rng.uniform() < (chance if side == LEFT else 0.5 * chance):
                parts.append(body.patches(span[None], angle[None], BLACK, PAINT, 0.03, 3, (side,)))
                # Plug doors move out and forward, parallel to the skin.
                shift = np.array([1.1 * width, 0.32, 0.0])
                parts.append(_slab(body, span, angle, shift, livery, side))
                hinge = body.points(np.asarray(span[0]), np.asarray(angle.mean()), 0.15) * (1, side, 1)
                parts.append(box(hinge + (0.15, 0, 0), (0.5, 0.2, 0.08), DARK_GREY, METAL))
            elif painted:
                inner = angle - 0.4 * rim / tall
                parts.append(body.patches((span - 0.4 * rim)[None], inner[None], livery.base, PAINT, 0.03, 3, (side,)))
    return parts


def _hinged(
    body: Fuselage, span: FloatArray, angle: FloatArray, side: int, turn: float, livery: Livery, inside: bool
) -> list[Mesh]:
    """A leaf that hinges at its upper edge, turned up by an angle, and the opening below it."""
    if not inside:
        shade = np.asarray(livery.base) * livery.door
        edge = np.array([-0.05, 0.05])
        lines = body.patches((span + edge)[None], (angle + edge / body.height)[None], shade, PAINT, 0.012, 6, (side,))
        inner = (angle - 0.4 * edge / body.height)[None]
        return [lines, body.patches((span - 0.4 * edge)[None], inner, livery.base, PAINT, 0.024, 6, (side,))]
    opening = body.patches(span[None], angle[None], BLACK, PAINT, 0.03, 6, (side,))
    top = body.points(span, np.full(2, angle[0]), 0.05)
    foot = body.points(span, np.full(2, angle[1]), 0.05)
    drop = foot - top
    length = np.linalg.norm(drop, axis=1, keepdims=True)
    hang = np.arctan2(drop[:, 1:2], -drop[:, 2:3]) + turn
    lifted = top + length * np.concatenate([np.zeros((2, 1)), np.sin(hang), -np.cos(hang)], axis=1)
    corners = np.concatenate([top, lifted, top + (0, 0, 0.08), lifted + (0, 0, 0.08)])
    leaf = hexahedra(corners, np.asarray(livery.base) * 0.9)
    return [opening, leaf if side == LEFT else leaf.mirrored()]


def hold_doors(
    rng: np.random.Generator, body: Fuselage, livery: Livery, stations: FloatArray, chance: float
) -> list[Mesh]:
    """Doors of the holds below the cabin, on the right side, open with a chance each."""
    wide = min(0.45 * body.height, 2.7) if body.height > 4.5 else 0.38 * body.height
    parts: list[Mesh] = []
    for station in stations:
        span = np.array([station - wide / 2, station + wide / 2])
        angle = body.angle_at(np.full(2, station), np.array([-0.14, -0.4]) * body.height)
        opened = bool(rng.uniform() < chance)
        parts += _hinged(body, span, angle, RIGHT, rng.uniform(1.5, 2.1), livery, opened)
    return parts


def cargo_door(rng: np.random.Generator, body: Fuselage, livery: Livery, station: float, chance: float) -> list[Mesh]:
    """The large door of a freighter's main deck, on the left side ahead of the wing."""
    wide = min(3.6, 0.7 * body.height)
    span = np.array([station - wide / 2, station + wide / 2])
    angle = body.angle_at(np.full(2, station), np.array([0.36, -0.1]) * body.height)
    opened = bool(rng.uniform() < chance)
    return _hinged(body, span, angle, LEFT, rng.uniform(1.0, 2.2), livery, opened)
