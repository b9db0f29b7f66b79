"""Landing gear of the procedural aircraft."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.aircraft_families import AircraftFamily
from airside_perception.synth.aircraft_sides import WingLine, both
from airside_perception.synth.fitted_parts import wheel
from airside_perception.synth.fuselage import Fuselage
from airside_perception.synth.mesh_parts import METAL, PAINT, FloatArray, Mesh, box, cylinder, ellipsoid

STEEL = (0.7, 0.71, 0.72)
DOOR = (0.72, 0.73, 0.74)


def _nose_gear(shape: AircraftFamily, body: Fuselage, x: float, ground: float) -> list[Mesh]:
    """Strut with two wheels and open doors."""
    small, keel = 0.72 * shape.wheel, -0.4 * body.height
    parts = [cylinder((x, 0, ground + small), (x - 0.05, 0, keel), 0.14 * shape.wheel + 0.05, STEEL)]
    for sign in (1, -1):
        parts.append(wheel((x, sign * (0.3 * small + 0.08), ground + small), small, 0.45 * small, STEEL))
        parts.append(box((x - 0.1, sign * 0.45 * small, keel - 0.12), (2.2 * small, 0.05, 0.9 * small), DOOR))
    return parts


def _main_leg(shape: AircraftFamily, at: FloatArray, top: FloatArray) -> list[Mesh]:
    """Strut from the contact point `at` to `top`, with a bogie of `main_gear[1]` wheel pairs."""
    radius, row = shape.wheel, shape.main_gear[1]
    parts = both(cylinder(at + (0, 0, radius), top, 0.16 * radius + 0.05, STEEL))
    spread = 2.15 * radius
    for k in range(row):
        for side in (1, -1):
            hub = at + np.array([(k - (row - 1) / 2) * spread, side * (0.42 * radius + 0.06), radius])
            segments = 10 if row == 1 else 8
            parts += both(wheel(hub, radius, 0.7 * radius, STEEL, segments=segments, coarse=row > 1))
    if row > 1:
        parts += both(box(at + (0, 0, radius), (spread * row * 0.8, 0.16, 0.2), STEEL, METAL))
    if not shape.high_wing:
        tall = top[2] - at[2]
        parts += both(box(at + (0, 0.5 * radius, 0.62 * tall), (1.2 * radius, 0.05, 0.5 * tall), DOOR))
    return parts


def landing_gear(
    shape: AircraftFamily, body: Fuselage, wing_line: WingLine, ground: float
) -> tuple[list[Mesh], dict[str, FloatArray]]:
    """Nose gear and main gear standing on `ground`, and their contact points."""
    x = -(0.62 * body.nose + 0.35 * body.height)
    parts = _nose_gear(shape, body, x, ground)
    legs, row = shape.main_gear
    track = 0.56 * shape.width if shape.high_wing else max(0.105 * shape.span, 0.62 * shape.width)
    lead, chord = wing_line(track)
    main = np.array([lead[0] - (0.45 if shape.high_wing else 0.66) * chord, track, ground])
    for leg in range(legs):
        y = track if leg == 0 else 0.3 * shape.width
        at = np.array([main[0] - leg * 2.2 * shape.wheel * row, y, ground])
        top = np.array([at[0], y, lead[2] - 0.02 * chord])
        if shape.high_wing:
            top = np.array([at[0], 0.3 * shape.width, -0.3 * body.height])
        parts += _main_leg(shape, at, top)
    if shape.gear_fairing:
        center = (main[0], 0.42 * shape.width, -0.34 * body.height)
        radii = (1.2 * body.height, 0.24 * shape.width, 0.24 * body.height)
        parts += both(ellipsoid(center, radii, (0.8, 0.8, 0.8), PAINT, 8, 6))
    mirrored = main * np.array([1, -1, 1])
    return parts, {"nose_gear": np.array([x, 0, ground]), "main_gear_left": main, "main_gear_right": mirrored}
