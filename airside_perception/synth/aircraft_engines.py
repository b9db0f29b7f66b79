"""Turbofans below the wing or at the tail, and propeller nacelles."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.aircraft_families import AircraftFamily, Engine
from airside_perception.synth.aircraft_sides import WingLine, both
from airside_perception.synth.colors import BLACK, MID_GREY
from airside_perception.synth.fuselage import Fuselage
from airside_perception.synth.liveries import Livery
from airside_perception.synth.mesh_parts import METAL, PAINT, FloatArray, Mesh, box, cone, hexahedra, lathe


def _turbofan(rng: np.random.Generator, diameter: float, length: float, livery: Livery) -> list[Mesh]:
    """Cowling with an open intake at x = 0 and the exhaust at -length; on the x axis."""
    r = diameter / 2
    dark = (0.05, 0.05, 0.055)
    profile = np.array(
        [
            (0.0, 0.9),
            (-0.04, 0.97),
            (-0.14, 1.0),
            (-0.45, 0.99),
            (-0.72, 0.86),
            (-0.78, 0.78),
            (-0.74, 0.66),
            (-0.2, 0.76),
            (-0.04, 0.82),
        ]
    )
    skin = np.asarray(livery.engine)
    colors = np.stack([livery.metal, livery.metal, skin, skin, skin, livery.metal, dark, dark, livery.metal])
    material = np.array([METAL, METAL, PAINT, PAINT, PAINT, METAL, METAL, METAL, METAL])
    parts = [lathe(profile * (length, r), colors, material, segments=14, loop=True)]
    parts.append(lathe(np.array([(-0.2, 0.78), (-0.24, 0.78)]) * (length, r), (0.1, 0.1, 0.11), METAL, segments=14))
    tip = (0.75, 0.75, 0.75) if rng.uniform() < 0.6 else BLACK
    parts.append(cone((-0.21 * length, 0, 0), (-0.09 * length, 0, 0), 0.26 * r, tip, 8))
    core = np.array([(-0.55, 0.62), (-0.8, 0.56), (-1.0, 0.38)]) * (length, r)
    parts.append(lathe(core, (0.45, 0.43, 0.4), METAL, segments=12))
    parts.append(cone((-0.95 * length, 0, 0), (-1.12 * length, 0, 0), 0.26 * r, (0.3, 0.28, 0.26), 8))
    return parts


def _propeller(rng: np.random.Generator, center: FloatArray, radius: float, blades: int) -> list[Mesh]:
    """Standing blades at a random angle."""
    turn = rng.uniform(0, 2 * np.pi)
    stations = ((0.12, 0.16), (1.0, 0.13))
    corners = [(s * 0.05 * w, s * 0.5 * w * t, z) for s in (-1, 1) for t in (-1, 1) for z, w in stations]
    blade = hexahedra(np.array(corners) * radius, (0.09, 0.09, 0.1)).rotated("z", 0.5)
    return [blade.rotated("x", turn + 2 * np.pi * k / blades).translated(*center) for k in range(blades)]


def _propeller_nacelle(
    rng: np.random.Generator,
    lead: FloatArray,
    diameter: float,
    length: float,
    half_span: float,
    livery: Livery,
    ground: float,
) -> tuple[list[Mesh], FloatArray]:
    """Nacelle at the leading edge `lead`, with spinner, air scoop and blades; above a low wing, below a high one."""
    front = lead + np.array([0.42 * length, 0, (-0.28 if lead[2] > 0 else 0.3) * diameter])
    profile = np.array([(0.0, 0.3), (-0.06, 0.42), (-0.25, 0.54), (-0.55, 0.56), (-0.85, 0.36), (-1.0, 0.12)])
    skin = livery.base if rng.uniform() < 0.5 else livery.engine
    parts = [lathe(profile * (length, diameter), skin, center=front, segments=12)]
    parts.append(cone(front - (0.02, 0, 0), front + (0.7 * diameter, 0, 0), 0.3 * diameter, MID_GREY, 10))
    scoop = front + (0.01 - 0.03 * length, 0, -0.36 * diameter)
    parts.append(box(scoop, (0.3, 0.4 * diameter, 0.22 * diameter), BLACK))
    hub = front + np.array([0.25 * diameter, 0, 0])
    radius = min(0.1 * half_span + 0.6 * diameter, 2.1, hub[2] - ground - 0.25)
    parts += _propeller(rng, hub, radius, int(rng.choice([4, 6])))
    return parts, front + np.array([0.3 * diameter, 0, 0])


def _tail_engine(
    rng: np.random.Generator, along: float, diameter: float, length: float, body: Fuselage, livery: Livery
) -> tuple[list[Mesh], FloatArray]:
    """Turbofan beside the rear fuselage on a stub."""
    station = along * body.length
    across = float(body.outline(np.asarray(station + 0.3 * length))[2])
    intake = np.array([-station + 0.5 * length, across + 0.68 * diameter, 0.14 * body.height])
    parts = [part.translated(*intake) for part in _turbofan(rng, diameter, length, livery)]
    x, y, z = intake
    ends, sides = (x - 0.8 * length, x - 0.2 * length), (across * 0.6, y - 0.45 * diameter)
    stub = [(a, b, z + s * 0.08 * diameter) for s in (-1, 1) for b in sides for a in ends]
    return [*parts, hexahedra(stub, livery.base)], intake


def _wing_engine(
    rng: np.random.Generator,
    shape: AircraftFamily,
    lead: FloatArray,
    chord: float,
    diameter: float,
    length: float,
    livery: Livery,
    ground: float,
) -> tuple[list[Mesh], FloatArray]:
    """Turbofan ahead of and below the wing on a pylon; never lower than half a metre above the ground."""
    under = lead[2] - (0.85 if shape.high_wing else 0.66) * diameter
    height = max(under, ground + 0.5 * diameter + 0.5)
    intake = np.array([lead[0] + 0.62 * length, lead[1], height])
    parts = [part.translated(*intake) for part in _turbofan(rng, diameter, length, livery)]
    lower = [
        (intake[0] - 0.95 * length, height + 0.25 * diameter),
        (intake[0] - 0.2 * length, height + 0.42 * diameter),
    ]
    upper = [(lead[0] - 0.55 * chord, lead[2] - 0.04 * chord), (lead[0] - 0.02 * chord, lead[2] + 0.03 * chord)]
    pylon = [(x, lead[1] + s * 0.09 * diameter, z) for s in (-1, 1) for x, z in (*lower, *upper)]
    return [*parts, hexahedra(pylon, livery.engine if rng.uniform() < 0.5 else livery.wing)], intake


def engine_pair(
    rng: np.random.Generator,
    shape: AircraftFamily,
    engine: Engine,
    body: Fuselage,
    livery: Livery,
    wing_line: WingLine,
    ground: float,
) -> tuple[list[Mesh], FloatArray]:
    """Left and right engine with their mounts, and the left intake's centre."""
    diameter, length = engine.diameter * rng.uniform(0.94, 1.06), engine.length * rng.uniform(0.95, 1.05)
    lead, chord = wing_line(engine.along * shape.span / 2)
    if engine.mount == "prop":
        parts, intake = _propeller_nacelle(rng, lead, diameter, length, shape.span / 2, livery, ground)
    elif engine.mount == "tail":
        parts, intake = _tail_engine(rng, engine.along, diameter, length, body, livery)
    else:
        parts, intake = _wing_engine(rng, shape, lead, chord, diameter, length, livery, ground)
    return [copy for part in parts for copy in both(part)], intake


def center_engine(rng: np.random.Generator, engine: Engine, intake: FloatArray, livery: Livery) -> list[Mesh]:
    """Third engine of a trijet, through the foot of the fin, and the collar that carries it."""
    length = engine.length * rng.uniform(0.95, 1.05)
    parts = [part.translated(*intake) for part in _turbofan(rng, engine.diameter, length, livery)]
    half, (x, _, z) = 0.16 * engine.diameter, intake
    corners = [
        (x - u * length, s * half, z + dz)
        for dz in (-0.75 * engine.diameter, 0.0)
        for s in (-1, 1)
        for u in (0.78, 0.2)
    ]
    return [*parts, hexahedra(corners, livery.tail)]
