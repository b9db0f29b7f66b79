"""Aircraft of many families, assembled from a fuselage, lifting surfaces, engines and gear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from airside_perception.synth.aircraft_doors import cabin_doors, cargo_door, hold_doors
from airside_perception.synth.aircraft_engines import center_engine, engine_pair
from airside_perception.synth.aircraft_families import AIRCRAFT_FAMILIES, AircraftFamily
from airside_perception.synth.aircraft_gear import landing_gear
from airside_perception.synth.aircraft_wings import wing
from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import BLACK, GLASS_COLOR, RED_LAMP, WHITE, WHITE_LAMP, Color
from airside_perception.synth.fitted_parts import lifting_surface
from airside_perception.synth.fuselage import Fuselage
from airside_perception.synth.liveries import Livery, draw_livery
from airside_perception.synth.mesh_parts import EMISSIVE, GLASS, PAINT, FloatArray, Mesh, cylinder, ellipsoid, merge
from airside_perception.synth.variation import blend


def _vary(rng: np.random.Generator, family: AircraftFamily) -> AircraftFamily:
    """A sibling of the family: stretched or shortened, with slightly different proportions."""

    def about(value: float, spread: float) -> float:
        return value * rng.uniform(1 - spread, 1 + spread)

    return replace(
        family,
        length=family.length * rng.uniform(*family.stretch),
        span=about(family.span, 0.025),
        height=about(family.height, 0.02),
        width=about(family.width, 0.015),
        body_height=about(family.body_height, 0.015),
        nose=about(family.nose, 0.08),
        tail=about(family.tail, 0.08),
        wing_at=about(family.wing_at, 0.03),
        root=about(family.root, 0.06),
        tip=about(family.tip, 0.12),
        sweep=family.sweep + rng.uniform(-2, 2),
        dihedral=family.dihedral + rng.uniform(-0.7, 0.7),
        clearance=about(family.clearance, 0.06),
        fin_chord=about(family.fin_chord, 0.06),
        fin_sweep=family.fin_sweep + rng.uniform(-3, 3),
        nose_drop=about(family.nose_drop, 0.1),
        nose_power=about(family.nose_power, 0.08),
    )


def _layout(shape: AircraftFamily) -> tuple[object, ...]:
    third = shape.center_engine is not None
    return shape.high_wing, shape.t_tail, shape.decks, third, tuple(engine.mount for engine in shape.engines)


def _sibling(rng: np.random.Generator, family: AircraftFamily) -> AircraftFamily:
    """Half of the time an aircraft between two training families of one layout."""
    others = [
        shape
        for shape in AIRCRAFT_FAMILIES.values()
        if shape is not family and shape.split == "train" and _layout(shape) == _layout(family)
    ]
    if not others or rng.random() < 0.5:
        return family
    return blend(rng, family, others[int(rng.integers(len(others)))])


def _windows(shape: AircraftFamily, body: Fuselage, first: float, last: float, doors: FloatArray, gap: float) -> Mesh:
    """Rows of cabin windows between the doors, one row a deck."""
    tall = body.height
    rows = [(0.06, 0.06 + 0.38 / tall, last)]
    if shape.decks == 2:
        rows = [(-0.12, -0.12 + 0.4 / tall, last), (0.2, 0.2 + 0.38 / tall, last)]
    if shape.hump:
        rows.append((0.42, 0.42 + 0.36 / tall, shape.hump_end * body.length - 0.5 * tall))
    half = min(0.24, 0.26 * shape.window_pitch)
    rows_each = 1 if tall > 2.2 else 2  # a tall pane would sink into a narrow round body
    centers = np.arange(first + 0.9, last - 0.4, shape.window_pitch)
    centers = centers[np.abs(centers[:, None] - doors).min(axis=1) > gap]
    parts = []
    for low, high, end in rows:
        here = centers[centers < end]
        angles = body.angle_at(here[:, None], np.array([high, low])[None] * tall)
        parts.append(
            body.patches(np.stack([here - half, here + half], -1), angles, GLASS_COLOR, GLASS, 0.02, rows_each)
        )
    return merge(parts)


def _letters(
    rng: np.random.Generator, body: Fuselage, start: float, height: float, letter: float, count: int, color: Color
) -> Mesh:
    """A word of blocks on both sides; `height` of its lower edge in body heights, `letter` in metres."""
    starts = start + 1.45 * letter * np.arange(count)
    widths = letter * rng.uniform(0.6, 1.15, count)
    angles = body.angle_at(starts[:, None], np.array([height + 1.6 * letter / body.height, height])[None] * body.height)
    return body.patches(np.stack([starts, starts + widths], -1), angles, color, PAINT, 0.02, 2)


def _cabin(rng: np.random.Generator, shape: AircraftFamily, body: Fuselage, livery: Livery, parked: bool) -> list[Mesh]:
    """Windows, doors, titles and cockpit glass."""
    tall, length = body.height, body.length
    first, last = body.nose + 0.1 * tall, length - body.tail * 0.82
    freighter = shape.freighter or (shape.decks == 1 and length > 30 and rng.uniform() < 0.12)
    fractions = [0.02] if freighter else [0.02, 0.98] if length < 45 else [0.02, 0.22, 0.62, 0.98]
    doors = np.array([first + share * (last - first) for share in fractions])
    width = 0.95 if tall > 2.5 else 0.7
    parts = []
    if not freighter:
        parts.append(_windows(shape, body, first, last, doors, 0.5 * width + 0.3))
    # Someone works on most parked aircraft: then half of the doors are open.
    chance = 0.5 if parked and rng.uniform() < 0.6 else 0.0
    sill = (-0.19, 0.29) if shape.decks == 1 else (-0.24, 0.06)
    parts += cabin_doors(rng, body, livery, doors, width, sill, chance)
    if tall > 2.2 and not shape.high_wing:
        holds = first + np.array([0.18, 0.72]) * (last - first)
        parts += hold_doors(rng, body, livery, holds, 1.2 * chance)
    if freighter:
        parts += cargo_door(rng, body, livery, first + 0.17 * (last - first), chance)
    if livery.titles is not None:
        letter = tall * (rng.uniform(0.07, 0.13) if rng.uniform() < 0.75 or not freighter else rng.uniform(0.16, 0.24))
        count, above = int(rng.integers(5, 11)), 0.26
        if tall < 2.5:  # the windows reach higher up a small body
            above, letter = 0.1 + 0.38 / tall, 0.055 * tall
        parts.append(_letters(rng, body, first + 0.12 * (last - first), above, letter, count, livery.titles))
    register = BLACK if sum(livery.tail) > 1.2 else WHITE
    parts.append(_letters(rng, body, last + 0.1 * body.tail, 0.17, 0.055 * tall, 5, register))
    panes = (0.0, 0.16, 0.34, 0.5) if rng.uniform() < 0.6 else (0.0, 0.2, 0.42)
    parts.append(body.cockpit_glass(*shape.screen, panes, GLASS_COLOR, 0.8))
    return parts


def _tail(rng: np.random.Generator, shape: AircraftFamily, body: Fuselage, livery: Livery, top: float) -> list[Mesh]:
    """Fin, stabilisers and badge; `top` is the fin tip's height above the fuselage axis."""
    foot = 0.36 * body.height
    rise = top - foot
    root = shape.fin_chord * rise
    tip = root * (0.62 if shape.t_tail else rng.uniform(0.34, 0.42))
    slope = np.tan(np.radians(shape.fin_sweep))
    rear = -(0.955 if shape.t_tail else 0.95) * body.length
    levels = np.array([-0.12, 0.0, 0.12, 0.35, 0.6, 1.0])
    chord = root + (tip - root) * np.clip(levels, 0, 1)
    leading = rear + root - levels * rise * slope
    # The dorsal fillet lengthens the lowest sections forward.
    fillet = np.array([0.25, 0.18, 0.0, 0.0, 0.0, 0.0]) * root
    points = np.stack([leading + fillet, np.zeros(6), foot + levels * rise], -1)
    side = np.tile([0.0, 1.0, 0.0], (6, 1))
    colors = np.tile(np.asarray(livery.tail), (5, 1))
    if rng.uniform() < 0.25:
        colors[int(rng.integers(2, 5))] = livery.second
    if rng.uniform() < 0.25:
        colors[:2] = livery.base
    edge = livery.metal if rng.uniform() < 0.5 else None
    parts = [lifting_surface(points, chord + fillet, np.full(6, 0.11), side, colors, edge)]
    if livery.emblem is not None:
        level = 0.52
        middle = (leading[0] - (level + 0.12) * rise * slope) - 0.5 * (root + (tip - root) * level)
        radius = 0.3 * (root + (tip - root) * level) * rng.uniform(0.6, 1.0)
        thick = 0.055 * (root + (tip - root) * (level - 0.3)) + 0.02
        center = np.array([middle, 0.0, foot + level * rise])
        badge = cylinder((0, -thick, 0), (0, thick, 0), 1.0, livery.emblem, PAINT, segments=int(rng.choice([3, 4, 12])))
        parts.append(
            badge.rotated("y", rng.uniform(0, 6))
            .scaled((radius, 1.0, radius * rng.uniform(0.6, 1.0)))
            .translated(*center)
        )
    half = shape.stabilizer * shape.span / 2
    if shape.t_tail:
        at, height = leading[-1] + 0.02 * root, foot + 0.985 * rise
        inner = 0.95 * tip
    else:
        at, height = rear + 0.42 * root, 0.22 * body.height
        inner = 0.42 * half if shape.high_wing else 0.46 * half
    sweep = np.tan(np.radians(shape.sweep * 0.85 + 6))
    tilt = np.tan(np.radians(0.0 if shape.t_tail else shape.dihedral))
    spans = np.array([0.0, 0.5, 1.0]) * half
    leading = np.stack([at - spans * sweep, spans, height + spans * tilt], -1)
    chords = inner * np.array([1.0, 0.71, 0.42])
    left = lifting_surface(
        leading, chords, np.full(3, 0.1), np.tile([0.0, 0.0, 1.0], (3, 1)), livery.wing, livery.metal
    )
    parts += [left, left.mirrored()]
    if shape.t_tail:
        parts.append(ellipsoid((at - 0.45 * inner, 0, height), (0.6 * inner, 0.11 * inner, 0.11 * inner), livery.tail))
    return parts


def _lamps(shape: AircraftFamily, body: Fuselage) -> Mesh:
    """Anti-collision lamps on the roof and the keel, white tail lamp."""
    half = body.height / 2
    middle = -0.47 * body.length
    return merge(
        [
            ellipsoid((middle, 0, half), (0.16, 0.09, 0.12), RED_LAMP, EMISSIVE, 6, 3),
            ellipsoid((middle, 0, -half), (0.16, 0.09, 0.12), RED_LAMP, EMISSIVE, 6, 3),
            ellipsoid((-body.length, 0, shape.tail_rise * body.height), (0.1, 0.08, 0.08), WHITE_LAMP, EMISSIVE, 6, 3),
            cylinder(
                (-0.36 * body.length, 0, half - 0.1), (-0.37 * body.length, 0, half + 0.35), 0.12, BLACK, PAINT, 0.05, 4
            ),
        ]
    )


def _aircraft(rng: np.random.Generator, style: Mapping[str, Any]) -> Build:
    shape = _vary(rng, _sibling(rng, style["shape"]) if style["varied"] else style["shape"])
    livery = draw_livery(rng)
    tall = shape.body_height
    body = Fuselage(
        length=shape.length,
        width=shape.width,
        height=tall,
        nose=shape.nose * tall,
        tail=shape.tail * tall,
        nose_drop=shape.nose_drop,
        nose_power=shape.nose_power,
        tail_rise=shape.tail_rise,
        hump=shape.hump,
        hump_end=shape.hump_end,
    )
    ground = -tall / 2 - shape.clearance
    marks = (livery.tail_start, *livery.marks, *(start + 0.035 for start in livery.marks))
    if shape.hump:  # the skin bends where the upper deck ends
        marks = (*marks, *(shape.hump_end - share for share in (0.0, 0.04, 0.08, 0.12)))
    stations = tuple(share * body.length for share in marks)
    skin = body.skin(lambda s, a: livery.paint(s / body.length, a), stations, livery.slope, 28 if tall > 5 else 24)
    parts = [skin, *_cabin(rng, shape, body, livery, not style["moving"]), _lamps(shape, body)]
    parts += _tail(rng, shape, body, livery, top=ground + shape.height)
    anchors: dict[str, FloatArray] = {"nose": np.array([0.0, 0.0, -shape.nose_drop * tall])}

    wings, wing_line = wing(rng, shape, livery)
    parts += wings
    for index, engine in enumerate(shape.engines):
        pair, intake = engine_pair(rng, shape, engine, body, livery, wing_line, ground)
        parts += pair
        anchors[f"engine_left_{index + 1}"] = intake
        anchors[f"engine_right_{index + 1}"] = intake * np.array([1, -1, 1])
    if shape.center_engine is not None:
        foot = 0.36 * tall
        rise = ground + shape.height - foot
        ahead = -0.95 * body.length + rise * (shape.fin_chord - 0.3 * np.tan(np.radians(shape.fin_sweep)))
        parts += center_engine(rng, shape.center_engine, np.array([ahead + 1.6, 0.0, foot + 0.3 * rise]), livery)
    legs, leg_anchors = landing_gear(shape, body, wing_line, ground)
    parts += legs
    first = body.nose + 0.1 * tall
    last = body.length - body.tail * 0.82
    for name, share, height in (
        ("door_front", 0.02, -0.19),
        ("hold_front", 0.18, -0.3),
        ("hold_rear", 0.72, -0.3),
        ("door_rear", 0.98, -0.19),
    ):
        station = first + share * (last - first)
        point = body.points(np.asarray(station), body.angle_at(np.asarray(station), np.asarray(height * tall)))
        anchors[f"{name}_left"], anchors[f"{name}_right"] = point, point * np.array([1, -1, 1])
    anchors |= leg_anchors
    return Build(merge(parts), anchors)


AIRCRAFT_KINDS = {
    "aircraft": Kind(
        "aircraft",
        {name: Family(shape.split, {"shape": shape}) for name, shape in AIRCRAFT_FAMILIES.items()},
        _aircraft,
    )
}
