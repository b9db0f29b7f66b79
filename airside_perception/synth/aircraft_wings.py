"""Wings of the procedural aircraft, with their tips and fairings."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.aircraft_families import AircraftFamily
from airside_perception.synth.aircraft_sides import WingLine, both
from airside_perception.synth.colors import GREEN_LAMP, RED_LAMP, Color
from airside_perception.synth.fitted_parts import lifting_surface
from airside_perception.synth.liveries import Livery
from airside_perception.synth.mesh_parts import EMISSIVE, PAINT, FloatArray, Mesh, box, ellipsoid

UP = np.array([0.0, 0.0, 1.0])


def _tip_device(kind: str, end: FloatArray, tip: float, half: float, color: Color) -> list[Mesh]:
    """Fence above and below the tip, or the lower blade of a split winglet."""
    if kind not in ("fence", "split"):
        return []
    down, up = 0.045 * half, 0.055 * half if kind == "fence" else 0.05
    corners = [(-0.7 * tip, 0.05, -down), (-0.1 * tip, 0, 0.02), (-0.8 * tip, 0.05, up)]
    normals = np.tile([0.0, -1.0, 0.0], (3, 1))
    return both(lifting_surface(end + np.array(corners), [0.3 * tip, 0.9 * tip, 0.3 * tip], [0.06] * 3, normals, color))


def _fairings(shape: AircraftFamily, livery: Livery, line: WingLine) -> list[Mesh]:
    """Flap track fairings below the wings, and the bulge where wing and fuselage meet."""
    parts = []
    half = shape.span / 2
    for share in (0.3, 0.48, 0.68) if not shape.high_wing or shape.sweep > 12 else (0.5,):
        leading, chord = line(share * half)
        size = 0.34 * chord
        at = leading + np.array([-0.88 * chord, 0, -0.045 * chord])
        pod = ellipsoid(at, (size, 0.07 * size + 0.06, 0.11 * size + 0.05), livery.wing, PAINT, 6, 4)
        parts += both(pod.rotated("y", -0.06, at))
    (x, _, z), root = line(0.0)
    width, tall = shape.width, shape.body_height
    if shape.high_wing:
        center, radii = (x - 0.5 * root, 0, z - 0.02 * tall), (0.72 * root, 0.36 * width, 0.13 * tall)
        return [*parts, ellipsoid(center, radii, livery.base, PAINT, 14, 6)]
    center, radii = (x - 0.5 * root, 0, z + 0.02), (0.78 * root, 0.52 * width, 0.27 * tall)
    return [*parts, ellipsoid(center, radii, livery.belly, PAINT, 16, 6)]


def _planform(shape: AircraftFamily, outer: float) -> WingLine:
    """Leading edge and chord of the basic wing, which ends at `outer`; swept wings have a kink inboard."""
    side, half = 0.42 * shape.width, shape.span / 2
    root = shape.root * half
    tip = root * shape.tip
    slope, tilt = np.tan(np.radians(shape.sweep)), np.tan(np.radians(shape.dihedral))
    height = (0.44 if shape.high_wing else -0.3) * shape.body_height
    flex = 0.0 if shape.high_wing else 0.015 * half
    kink = 0.36 * half

    def straight(y: float) -> float:
        return float(root + (tip - root) * (y - side) / (outer - side))

    inner = min(max(root - 1.05 * (kink - side) * slope, straight(kink)), root)

    def line(y: float) -> tuple[FloatArray, float]:
        out = max(y - side, 0.0)
        leading = np.array(
            [-shape.wing_at * shape.length - out * slope, y, height + out * tilt + flex * (y / half) ** 2]
        )
        if slope < 0.2:
            return leading, straight(y)
        if y <= kink:
            return leading, float(root + (inner - root) * out / (kink - side))
        return leading, float(inner + (tip - inner) * (y - kink) / (outer - kink))

    return line


def wing(rng: np.random.Generator, shape: AircraftFamily, livery: Livery) -> tuple[list[Mesh], WingLine]:
    """Both wings with tips and fairings; and where the wing is."""
    winglet = str(rng.choice(shape.winglets))
    half = shape.span / 2
    rise = {"blended": 0.1, "sharklet": 0.12, "split": 0.1}.get(winglet, 0.0) * half
    outer = 0.92 * half if winglet == "raked" else half - 0.45 * rise
    tip = shape.root * half * shape.tip
    line = _planform(shape, outer)
    kink = 0.36 * half
    basic = [line(y) for y in (0.0, 0.42 * shape.width, kink, 0.5 * (kink + outer), outer)]
    points, chords = [leading for leading, _ in basic], [chord for _, chord in basic]
    ups, thick, colors = [UP] * 5, [0.15, 0.14, 0.12, 0.11, 0.1], [livery.wing] * 4
    tip_paint = livery.accent if rng.uniform() < 0.5 else livery.base
    end = points[-1]
    if rise:
        swept = 0.9 if winglet == "sharklet" else 0.75
        for share, out, cant in ((0.12, 0.25, 0.6), (0.45, 0.36, 1.2), (1.0, 0.45, 1.35)):
            points.append(end + np.array([-swept * share * rise, out * rise, share * rise]))
            chords.append(tip * (1 - 0.62 * share))
            ups.append(np.array([0.0, -np.sin(cant), np.cos(cant)]))
            thick.append(0.09)
            colors.append(tip_paint)
    elif winglet == "raked":
        points.append(line(half)[0] + np.array([-0.09 * half, 0, 0]))
        chords.append(0.22 * tip)
        ups.append(UP)
        thick.append(0.09)
        colors.append(livery.wing)
    parts = both(lifting_surface(np.array(points), chords, thick, np.array(ups), np.array(colors), livery.metal))
    parts += _tip_device(winglet, end, tip, half, tip_paint)
    for sign, lamp in ((1, RED_LAMP), (-1, GREEN_LAMP)):
        parts.append(box(end * (1, sign, 1) + (-0.1, 0, 0), (0.3, 0.12, 0.1), lamp, EMISSIVE))
    return parts + _fairings(shape, livery, line), line
