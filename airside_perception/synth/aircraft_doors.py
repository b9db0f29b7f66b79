"""Cabin doors, hold doors and cargo doors of the procedural aircraft, shut or open."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

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
    opened = {side: rng.uniform(size=len(stations)) < share * chance for side, share in ((LEFT, 1.0), (RIGHT, 0.5))}
    spans = np.stack([stations - width / 2, stations + width / 2], -1)
    angles = body.angle_at(stations[:, None], np.array([lintel, sill])[None] * body.height)
    plain = not (livery.door > 0.85 or livery.scheme in ("two_tone", "cheatline"))
    parts = _leaves(body, livery, spans, angles, {side: opened[side] | plain for side in opened}, 3)
    for side in (LEFT, RIGHT):
        for span, angle in zip(spans[opened[side]], angles[opened[side]], strict=True):
            parts.append(body.patches(span[None], angle[None], BLACK, PAINT, 0.03, 3, (side,)))
            # Plug doors move out and forward, parallel to the skin.
            parts.append(_slab(body, span, angle, np.array([1.1 * width, 0.32, 0.0]), livery, side))
            hinge = body.points(np.asarray(span[0]), np.asarray(angle.mean()), 0.15) * (1, side, 1)
            parts.append(box(hinge + (0.15, 0, 0), (0.5, 0.2, 0.08), DARK_GREY, METAL))
    return parts


def _leaves(
    body: Fuselage,
    livery: Livery,
    spans: FloatArray,
    angles: FloatArray,
    bare: Mapping[int, NDArray[np.bool_]],
    rows: int,
) -> list[Mesh]:
    """Rims (N, 2) of doors on the sides that `bare` names, and shut leaves where it doesn't say True."""
    rim = np.array([-0.05, 0.05])
    shade = np.asarray(livery.base) * livery.door
    parts = [body.patches(spans + rim, angles + rim / body.height, shade, PAINT, 0.012, rows, tuple(bare))]
    inner = spans - 0.4 * rim, angles - 0.4 * rim / body.height
    for side, without in bare.items():
        if not without.all():
            leaf = (inner[0][~without], inner[1][~without])
            parts.append(body.patches(*leaf, livery.base, PAINT, 0.03, rows, (side,)))
    return parts


def _hinged(body: Fuselage, span: FloatArray, angle: FloatArray, side: int, turn: float, livery: Livery) -> list[Mesh]:
    """An opening, and its leaf that hinges at the upper edge, turned up by an angle."""
    opening = body.patches(span[None], angle[None], BLACK, PAINT, 0.03, 6, (side,))
    top, foot = (body.points(span, np.full(2, edge), 0.05) for edge in angle)
    drop = foot - top
    length = np.linalg.norm(drop, axis=1, keepdims=True)
    hang = np.arctan2(drop[:, 1:2], -drop[:, 2:3]) + turn
    lifted = top + length * np.concatenate([np.zeros((2, 1)), np.sin(hang), -np.cos(hang)], axis=1)
    corners = np.concatenate([top, lifted, top + (0, 0, 0.08), lifted + (0, 0, 0.08)])
    leaf = hexahedra(corners, np.asarray(livery.base) * 0.9)
    return [opening, leaf if side == LEFT else leaf.mirrored()]


def _upward_doors(
    rng: np.random.Generator, body: Fuselage, livery: Livery, stations: FloatArray, wide: float,
    heights: tuple[float, float], side: int, chance: float,
) -> list[Mesh]:  # fmt: skip
    """Doors of one side that swing up, between two heights (lower, upper) in body heights."""
    spans = np.stack([stations - wide / 2, stations + wide / 2], -1)
    angles = body.angle_at(stations[:, None], np.array(heights[::-1])[None] * body.height)
    opened = rng.uniform(size=len(stations)) < chance
    parts = _leaves(body, livery, spans, angles, {side: opened}, 6)
    for span, angle in zip(spans[opened], angles[opened], strict=True):
        parts += _hinged(body, span, angle, side, rng.uniform(1.2, 2.1), livery)
    return parts


def hold_doors(
    rng: np.random.Generator, body: Fuselage, livery: Livery, stations: FloatArray, chance: float
) -> list[Mesh]:
    """Doors of the holds below the cabin, on the right side, open with a chance each."""
    wide = min(0.45 * body.height, 2.7) if body.height > 4.5 else 0.38 * body.height
    return _upward_doors(rng, body, livery, stations, wide, (-0.4, -0.14), RIGHT, chance)


def cargo_door(rng: np.random.Generator, body: Fuselage, livery: Livery, station: float, chance: float) -> list[Mesh]:
    """The large door of a freighter's main deck, on the left side ahead of the wing."""
    wide = min(3.6, 0.7 * body.height)
    return _upward_doors(rng, body, livery, np.array([station]), wide, (-0.1, 0.36), LEFT, chance)
