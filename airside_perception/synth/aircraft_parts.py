"""Wings, engines and landing gear of the procedural aircraft."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from airside_perception.synth.aircraft_families import AircraftFamily, Engine
from airside_perception.synth.colors import BLACK, DARK_GREY, MID_GREY, RED_LAMP
from airside_perception.synth.fuselage import Fuselage
from airside_perception.synth.liveries import Livery
from airside_perception.synth.mesh_parts import (
    EMISSIVE,
    METAL,
    PAINT,
    FloatArray,
    Mesh,
    box,
    cone,
    cylinder,
    ellipsoid,
    hexahedra,
    lathe,
    lifting_surface,
    wheel,
)

WingLine = Callable[[float], tuple[FloatArray, float]]
"""Distance from the centre line to the leading-edge point (3,) and the chord there."""

UP = np.array([0.0, 0.0, 1.0])


def _both(mesh: Mesh) -> list[Mesh]:
    return [mesh, mesh.mirrored()]


def wing(rng: np.random.Generator, shape: AircraftFamily, livery: Livery, ground: float) -> tuple[list[Mesh], WingLine]:
    """Both wings with tips, flap fairings and the fairing at the root; and where the wing is."""
    winglet = str(rng.choice(shape.winglets))
    side = 0.42 * shape.width
    half = shape.span / 2
    rise = {"blended": 0.1, "sharklet": 0.12, "split": 0.1}.get(winglet, 0.0) * half
    outer = half - 0.45 * rise if rise else half
    if winglet == "raked":
        outer = 0.92 * half
    root = shape.root * half
    slope, tilt = np.tan(np.radians(shape.sweep)), np.tan(np.radians(shape.dihedral))
    height = (0.44 if shape.high_wing else -0.3) * shape.body_height
    flex = 0.015 * half if not shape.high_wing else 0.0
    front = -shape.wing_at * shape.length
    kink = 0.36 * half
    tip = root * shape.tip

    def leading(y: float) -> FloatArray:
        out = max(y - side, 0.0)
        return np.array([front - out * slope, y, height + out * tilt + flex * (y / half) ** 2])

    def chord(y: float) -> float:
        linear = root + (tip - root) * (y - side) / (outer - side)
        inner = max(root - 1.05 * (kink - side) * slope, root + (tip - root) * (kink - side) / (outer - side) * 1.0)
        inner = min(inner, root)
        if slope < 0.2:
            return float(linear)
        if y <= kink:
            return float(root + (inner - root) * max(y - side, 0) / (kink - side))
        return float(inner + (tip - inner) * (y - kink) / (outer - kink))

    stations = [0.0, side, kink, 0.5 * (kink + outer), outer]
    points, chords, ups = [leading(y) for y in stations], [chord(y) for y in stations], [UP] * 5
    thick = [0.15, 0.14, 0.12, 0.11, 0.1]
    colors = [livery.wing] * 4
    paint_tip = livery.accent if rng.uniform() < 0.5 else livery.base
    if rise:
        for share, out, cant in ((0.12, 0.25, 0.6), (0.45, 0.36, 1.2), (1.0, 0.45, 1.35)):
            back = 0.75 * share * rise if winglet != "sharklet" else 0.9 * share * rise
            points.append(points[4] + np.array([-back, out * rise, share * rise]))
            chords.append(tip * (1 - 0.62 * share))
            ups.append(np.array([0.0, -np.sin(cant), np.cos(cant)]))
            thick.append(0.09)
            colors.append(paint_tip)
    elif winglet == "raked":
        points.append(leading(half) + np.array([-0.09 * half, 0, 0]))
        chords.append(0.22 * tip)
        ups.append(UP)
        thick.append(0.09)
        colors.append(livery.wing)
    parts = _both(lifting_surface(np.array(points), chords, thick, np.array(ups), np.array(colors), livery.metal))
    end = points[4]
    if winglet in ("fence", "split"):
        down = 0.045 * half
        up = 0.055 * half if winglet == "fence" else 0.0
        tips = np.array(
            [end + (-0.7 * tip, 0.05, -down), end + (-0.1 * tip, 0, 0.02), end + (-0.8 * tip, 0.05, max(up, 0.05))]
        )
        levels = np.tile([0.0, -1.0, 0.0], (3, 1))
        parts += _both(lifting_surface(tips, [0.3 * tip, 0.9 * tip, 0.3 * tip], [0.06] * 3, levels, paint_tip))
    for sign, lamp in ((1, RED_LAMP), (-1, (0.05, 0.75, 0.2))):
        parts.append(box(end * (1, sign, 1) + (-0.1, 0, 0), (0.3, 0.12, 0.1), lamp, EMISSIVE))
    for share in (0.3, 0.48, 0.68) if not shape.high_wing or slope > 0.2 else (0.5,):
        y = share * half
        size = 0.34 * chord(y)
        at = leading(y) + np.array([-0.88 * chord(y), 0, -0.045 * chord(y)])
        parts += _both(
            ellipsoid(at, (size, 0.07 * size + 0.06, 0.11 * size + 0.05), livery.wing, PAINT, 6, 4).rotated(
                "y", -0.06, at
            )
        )
    middle = front - 0.5 * root
    if shape.high_wing:
        parts.append(
            ellipsoid(
                (middle, 0, height - 0.02 * shape.body_height),
                (0.72 * root, 0.36 * shape.width, 0.13 * shape.body_height),
                livery.base,
                PAINT,
                14,
                6,
            )
        )
    else:
        parts.append(
            ellipsoid(
                (middle, 0, height + 0.02),
                (0.78 * root, 0.52 * shape.width, 0.27 * shape.body_height),
                livery.belly,
                PAINT,
                16,
                6,
            )
        )

    def line(y: float) -> tuple[FloatArray, float]:
        return leading(y), chord(y)

    return parts, line


def _turbofan(
    rng: np.random.Generator, diameter: float, length: float, livery: Livery, spinner: bool = True
) -> list[Mesh]:
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
    if spinner:
        tip = (0.75, 0.75, 0.75) if rng.uniform() < 0.6 else BLACK
        parts.append(cone((-0.21 * length, 0, 0), (-0.09 * length, 0, 0), 0.26 * r, tip, 8))
    core = np.array([(-0.55, 0.62), (-0.8, 0.56), (-1.0, 0.38)]) * (length, r)
    parts.append(lathe(core, (0.45, 0.43, 0.4), METAL, segments=12))
    parts.append(cone((-0.95 * length, 0, 0), (-1.12 * length, 0, 0), 0.26 * r, (0.3, 0.28, 0.26), 8))
    return parts


def _propeller(rng: np.random.Generator, center: FloatArray, radius: float, blades: int) -> list[Mesh]:
    parts = []
    turn = rng.uniform(0, 2 * np.pi)
    for k in range(blades):
        blade = hexahedra(
            np.array(
                [
                    [(s * 0.05 * w, s * 0.5 * w * t, z) for z, w in ((0.12, 0.16), (1.0, 0.13))]
                    for s in (-1, 1)
                    for t in (-1, 1)
                ]
            ).reshape(8, 3)
            * radius,
            (0.09, 0.09, 0.1),
        )
        parts.append(blade.rotated("z", 0.5).rotated("x", turn + 2 * np.pi * k / blades).translated(*center))
    return parts


def engine_pair(
    rng: np.random.Generator,
    shape: AircraftFamily,
    engine: Engine,
    body: Fuselage,
    livery: Livery,
    wing_line: WingLine,
    ground: float,
) -> tuple[list[Mesh], FloatArray]:
    """Left and right engine with pylons, and the left intake's centre."""
    diameter, length = engine.diameter * rng.uniform(0.94, 1.06), engine.length * rng.uniform(0.95, 1.05)
    parts: list[Mesh] = []
    if engine.mount == "prop":
        lead, chord = wing_line(engine.along * shape.span / 2)
        front = lead + np.array([0.42 * length, 0, -0.28 * diameter])
        profile = np.array([(0.0, 0.3), (-0.06, 0.42), (-0.25, 0.54), (-0.55, 0.56), (-0.85, 0.36), (-1.0, 0.12)]) * (
            length,
            diameter,
        )
        parts.append(
            lathe(profile, livery.base if rng.uniform() < 0.5 else livery.engine, center=front, segments=12).scaled(
                (1, 1, 1)
            )
        )
        parts.append(cone(front - (0.02, 0, 0), front + (0.7 * diameter, 0, 0), 0.3 * diameter, MID_GREY, 10))
        parts.append(
            box(front + (0.01 - 0.03 * length, 0, -0.36 * diameter), (0.3, 0.4 * diameter, 0.22 * diameter), BLACK)
        )
        parts += _propeller(
            rng,
            front + np.array([0.25 * diameter, 0, 0]),
            0.145 * shape.span / 2 + 1.0 * diameter * 0.5,
            int(rng.choice([4, 6])),
        )
        intake = front + np.array([0.3 * diameter, 0, 0])
    elif engine.mount == "tail":
        station = engine.along * body.length
        _, _, across = body.outline(np.asarray(station + 0.3 * length))
        intake = np.array([-station + 0.5 * length, float(across) + 0.68 * diameter, 0.14 * body.height])
        parts += [part.translated(*intake) for part in _turbofan(rng, diameter, length, livery)]
        inner, outer = float(across) * 0.6, float(intake[1]) - 0.45 * diameter
        z, x = float(intake[2]), float(intake[0])
        corners = [
            (xx, yy, z + s * 0.08 * diameter)
            for s in (-1, 1)
            for yy in (inner, outer)
            for xx in (x - 0.8 * length, x - 0.2 * length)
        ]
        parts.append(hexahedra(corners, livery.base))
    else:
        lead, chord = wing_line(engine.along * shape.span / 2)
        under = lead[2] - (0.66 if not shape.high_wing else 0.85) * diameter
        height = max(under, ground + 0.5 * diameter + 0.5)
        intake = np.array([lead[0] + 0.62 * length, lead[1], height])
        parts += [part.translated(*intake) for part in _turbofan(rng, diameter, length, livery)]
        low, thick = height + 0.42 * diameter, 0.09 * diameter
        rear_top = lead[2] - 0.02 * chord
        quad = [
            (intake[0] - 0.2 * length, low),
            (intake[0] - 0.95 * length, height + 0.25 * diameter),
            (lead[0] - 0.55 * chord, rear_top - 0.02 * chord),
            (lead[0] - 0.02 * chord, lead[2] + 0.03 * chord),
        ]
        corners = [(x, lead[1] + s * thick, z) for s in (-1, 1) for x, z in (quad[1], quad[0], quad[2], quad[3])]
        parts.append(hexahedra(corners, livery.engine if rng.uniform() < 0.5 else livery.wing))
    return [copy for part in parts for copy in _both(part)], intake


def gear_leg(
    shape: AircraftFamily, body: Fuselage, wing_line: WingLine, ground: float
) -> tuple[list[Mesh], dict[str, FloatArray]]:
    """Nose gear and main gear standing on `ground`, and their contact points."""
    parts: list[Mesh] = []
    anchors: dict[str, FloatArray] = {}
    small = 0.72 * shape.wheel
    steel = (0.7, 0.71, 0.72)
    x = -(0.62 * body.nose + 0.35 * body.height)
    keel = -0.4 * body.height
    parts.append(cylinder((x, 0, ground + small), (x - 0.05, 0, keel), 0.14 * shape.wheel + 0.05, steel))
    for sign in (1, -1):
        parts.append(wheel((x, sign * (0.3 * small + 0.08), ground + small), small, 0.45 * small, steel, segments=10))
        parts.append(
            box((x - 0.1, sign * 0.45 * small, keel - 0.12), (2.2 * small, 0.05, 0.9 * small), body_color(shape))
        )
    anchors["nose_gear"] = np.array([x, 0, ground])
    legs_a_side, row = shape.main_gear
    track = 0.56 * shape.width if shape.high_wing else max(0.105 * shape.span, 0.62 * shape.width)
    lead, chord = wing_line(track)
    for leg in range(legs_a_side):
        y = track if leg == 0 else 0.3 * shape.width
        at = np.array(
            [lead[0] - (0.66 if not shape.high_wing else 0.45) * chord - leg * 2.2 * shape.wheel * row, y, ground]
        )
        top = (
            np.array([at[0], y, lead[2] - 0.02 * chord])
            if not shape.high_wing
            else np.array([at[0], 0.3 * shape.width, -0.3 * body.height])
        )
        parts += _both(cylinder(at + (0, 0, shape.wheel), top, 0.16 * shape.wheel + 0.05, steel))
        spread = shape.wheel * 2.15
        first = -(row - 1) / 2
        for k in range(row):
            for side in (1, -1):
                hub = at + np.array([(first + k) * spread, side * (0.42 * shape.wheel + 0.06), shape.wheel])
                parts += _both(
                    wheel(hub, shape.wheel, 0.7 * shape.wheel, steel, segments=10 if row == 1 else 8, coarse=row > 1)
                )
        if row > 1:
            parts += _both(box(at + (0, 0, shape.wheel), (spread * row * 0.8, 0.16, 0.2), steel, METAL))
        outward = at + np.array([0, 0.5 * shape.wheel, 0.62 * (top[2] - ground)])
        if not shape.high_wing:
            parts += _both(box(outward, (1.2 * shape.wheel, 0.05, 0.5 * (top[2] - ground)), body_color(shape)))
        if leg == 0:
            anchors["main_gear_left"], anchors["main_gear_right"] = at, at * np.array([1, -1, 1])
    if shape.gear_fairing:
        at = anchors["main_gear_left"]
        parts += _both(
            ellipsoid(
                (at[0], 0.42 * shape.width, -0.34 * body.height),
                (1.5 * shape.body_height * 0.8, 0.24 * shape.width, 0.24 * body.height),
                (0.8, 0.8, 0.8),
                PAINT,
                8,
                6,
            )
        )
    return parts, anchors


def body_color(shape: AircraftFamily) -> tuple[float, float, float]:
    """Gear doors: light grey."""
    return (0.72, 0.73, 0.74)


__all__ = ["DARK_GREY", "engine_pair", "gear_leg", "wing"]
