"""Apron buses, follow-me cars, vans and pick-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    BLACK,
    GLASS_COLOR,
    HAZARD_YELLOW,
    MID_GREY,
    ORANGE_LAMP,
    SIGNAL_RED,
    WHITE,
    Color,
    pick,
    random_hue,
)
from airside_perception.synth.fitted_parts import panel
from airside_perception.synth.ground_equipment.end_marks import CHEVRON_COLORS, chevrons, number_plate, open_doors
from airside_perception.synth.ground_equipment.vehicle import (
    at_work,
    axle,
    beacon,
    bumper,
    lamps,
    striped_bar,
    wheel_arches,
)
from airside_perception.synth.mesh_parts import (
    EMISSIVE,
    GLASS,
    PAINT,
    FloatArray,
    Mesh,
    box,
    boxes,
    chamfered_box,
    merge,
    prism,
    span_box,
)

Style = Mapping[str, Any]

BUS_PALETTE: tuple[tuple[Color, float], ...] = (
    (WHITE, 4.0),
    ((0.7, 0.72, 0.75), 1.0),
    ((0.1, 0.25, 0.5), 1.0),
    (HAZARD_YELLOW, 0.6),
    ((0.1, 0.45, 0.35), 0.5),
    ((0.6, 0.1, 0.1), 0.5),
)
VAN_PALETTE: tuple[tuple[Color, float], ...] = (
    (WHITE, 2.5),
    (HAZARD_YELLOW, 2.0),
    ((0.9, 0.45, 0.05), 0.6),
    ((0.1, 0.2, 0.45), 0.8),
    (MID_GREY, 0.8),
    ((0.1, 0.1, 0.11), 0.5),
)


@dataclass(frozen=True)
class Coachwork:
    """Where the sides and ends of a closed body are: half width at the sill, lean, glass heights."""

    rear: float
    front: float
    half: float
    floor: float
    line: float
    high: float
    lean_front: float
    lean_rear: float
    narrowing: float

    def half_at(self, z: float) -> float:
        """Half width at a height; the sides lean inwards."""
        return self.half * (1 - self.narrowing * (z - self.floor))

    def side(self, sign: int, x0: float, x1: float, z0: float, z1: float) -> list[tuple[float, float, float]]:
        """Upright rectangle on one side."""
        low, high = sign * self.half_at(z0), sign * self.half_at(z1)
        return [(x0, low, z0), (x1, low, z0), (x1, high, z1), (x0, high, z1)]


def _bus_side(
    body: Coachwork, sign: int, windows: int, doors: FloatArray, color: Color, stripe: Color, opened: bool
) -> list[Mesh]:
    """Window row, doors that are shut or stand open, and the stripe below."""
    parts = []
    x0, x1 = body.rear + body.lean_rear + 0.25, body.front - body.lean_front - 0.25
    quad = body.side(sign, x0, x1, body.line + 0.05, body.high)
    edges = np.linspace(0, 1, windows + 1)
    for a, b in zip(edges, edges[1:], strict=False):
        parts.append(panel(quad, GLASS_COLOR, GLASS, (a + 0.006, b - 0.006, 0.0, 1.0)))
    for x in doors:
        door = body.side(sign, x - 0.65, x + 0.65, body.floor + 0.08, body.high)
        if opened:  # both leaves slid along the side
            parts.append(panel(door, BLACK, PAINT, thickness=0.03))
            for slid in (-0.62, 0.62):
                leaf = body.side(sign, x + slid - 0.3, x + slid + 0.3, body.floor + 0.1, body.high)
                parts.append(panel(leaf, GLASS_COLOR, GLASS, thickness=0.06))
            continue
        parts.append(panel(door, np.multiply(color, 0.7), PAINT, thickness=0.03))
        for u in (0.05, 0.53):
            parts.append(panel(door, GLASS_COLOR, GLASS, (u, u + 0.42, 0.08, 0.95), 0.04))
    band = body.side(sign, body.rear + 0.05, body.front - 0.05, 0.75, 0.95)
    return [*parts, panel(band, stripe, PAINT, thickness=0.012)]


def _bus_ends(body: Coachwork, top: float) -> list[Mesh]:
    """Windscreen, rear window and the destination board."""
    parts = []
    width = 2 * body.half
    ends = ((body.front, body.front - body.lean_front, 1), (body.rear, body.rear + body.lean_rear, -1))
    for x0, x1, sign in ends:
        low, high = sign * 0.46 * width, sign * 0.44 * width
        sill = body.line + 0.05
        screen = [(x0, -low, sill), (x0, low, sill), (x1, high, body.high), (x1, -high, body.high)]
        parts.append(panel(screen, GLASS_COLOR, GLASS, (0.02, 0.98, 0.0 if sign > 0 else 0.3, 1.0), 0.025))
    x = body.front - body.lean_front
    parts.append(box((x - 0.1, 0, top - 0.16), (0.2, 0.6 * width, 0.22), BLACK))
    parts.append(box((x + 0.01, 0, top - 0.17), (0.1, 0.45 * width, 0.14), ORANGE_LAMP, EMISSIVE))
    return parts


def _bus(rng: np.random.Generator, style: Style) -> Build:
    length, width, top = rng.uniform(*style["length"]), rng.uniform(*style["width"]), rng.uniform(2.85, 3.15)
    color = pick(rng, BUS_PALETTE)
    stripe = random_hue(rng, (0.4, 1.0), (0.2, 0.9))
    front, rear, half = length / 2, -length / 2, width / 2
    floor, line = 0.3, rng.uniform(1.0, 1.3)
    lean = rng.uniform(0.05, 0.35)
    back = lean if style["symmetric"] else 0.08
    body = Coachwork(rear, front, half, floor, line, top - 0.32, lean, back, 0.05 / (top - floor))
    outline = [
        (0.0, floor),
        (front, floor),
        (front, line),
        (front - lean, top - 0.25),
        (front - lean - 0.2, top),
        (rear + back + 0.2, top),
        (rear + back, top - 0.25),
        (rear, line),
        (rear, floor),
    ]
    parts = [prism(outline, -half, half, color, taper=0.95)]
    stations = (front - rng.uniform(2.2, 2.9), rear + rng.uniform(2.4, 3.2))
    parts += [axle(x, width + 0.1, 0.45, 0.3, segments=12) for x in stations]
    parts.append(wheel_arches(stations, half, 0.45))
    windows = int(rng.integers(5, 9))
    doors = rear + np.linspace(0.14, 0.86, style["doors"]) * length
    opened = at_work(rng, style, 0.25)
    for sign in (1, -1):
        here = doors if sign < 0 or style["symmetric"] else doors[:0]
        parts += _bus_side(body, sign, windows, here, color, stripe, opened and sign < 0)
    parts += _bus_ends(body, top)
    parts += lamps(front, rear, width, 0.65, 0.9, size=0.2)
    grille = [(rear - 0.01, 0, z) for z in np.linspace(0.5, line - 0.12, 4)]
    parts.append(boxes(grille, (0.05, 0.5 * width, 0.06), BLACK))
    parts += [number_plate(front + 0.01, 0.5), number_plate(rear - 0.02, 0.38)]
    parts += [box((front - 0.1, s * (half + 0.08), 1.9), (0.08, 0.16, 0.4), BLACK) for s in (1, -1)]
    unit, size = (rng.uniform(-3, 2), 0, top + 0.1), (rng.uniform(1.5, 3), 0.7 * width, 0.24)
    parts.append(chamfered_box(unit, size, 0.05, np.multiply(color, 0.95)))
    return Build(merge(parts))


def _van_glass(cabin: Coachwork, foot: float, head: float, tail: float, crown: float, blind: float) -> list[Mesh]:
    """Windscreen from `foot` to `head`, rear window from `tail` to `crown`, two windows a side."""
    parts = []
    low, high = cabin.line + 0.05, cabin.high - 0.12
    share = (np.array([low, high]) - cabin.line) / (cabin.high - cabin.line)
    ahead, behind = foot + (head - foot) * share, tail + (crown - tail) * share
    for (x0, x1), gap, sign in ((ahead, 0.08, 1), (behind, 0.1, -1)):
        y0, y1 = sign * (cabin.half_at(low) - gap), sign * (cabin.half_at(high) - gap)
        parts.append(panel([(x0, -y0, low), (x0, y0, low), (x1, y1, high), (x1, -y1, high)], GLASS_COLOR, GLASS))
    for sign in (1, -1):
        y0, y1 = sign * cabin.half_at(low), sign * cabin.half_at(high)
        side = [(behind[0], y0, low), (ahead[0] - 0.05, y0, low), (ahead[1] - 0.1, y1, high), (behind[1], y1, high)]
        cuts = [blind, (blind + 0.97) / 2, 0.97]
        for a, b in zip(cuts, cuts[1:], strict=False):
            parts.append(panel(side, GLASS_COLOR, GLASS, (a + 0.015, b - 0.015, 0.0, 1.0)))
    return parts


def _roof_board(x: float, z: float) -> list[Mesh]:
    """Lit sign of a follow-me car."""
    letters = [(x - 0.06, y, z) for y in np.linspace(-0.45, 0.45, 6)]
    return [box((x, 0, z), (0.1, 1.2, 0.4), BLACK), boxes(letters, (0.03, 0.1, 0.2), HAZARD_YELLOW, EMISSIVE)]


def _service_van(rng: np.random.Generator, style: Style) -> Build:
    """Follow-me cars, vans and pick-ups."""
    length, width, tall = rng.uniform(*style["length"]), rng.uniform(1.75, 2.0), rng.uniform(*style["height"])
    color = pick(rng, VAN_PALETTE)
    front, rear, half = length / 2, -length / 2, width / 2
    radius, floor = rng.uniform(0.31, 0.36), 0.25
    line = rng.uniform(0.85, 1.0) if tall < 1.8 else rng.uniform(1.05, 1.2)
    bonnet = rng.uniform(*style["bonnet"])
    shape = style["shape"]
    tail = {"van": rear + 0.08, "car": rear + rng.uniform(0.3, 0.7), "pickup": rear + 0.38 * length}[shape]
    stations = (front - 0.18 * length, rear + 0.19 * length)
    parts = [axle(x, width + 0.06, radius, 0.2, segments=12) for x in stations]
    parts.append(wheel_arches(stations, half, radius))
    lower = [
        (0.0, floor),
        (front - 0.05, floor),
        (front, floor + 0.25),
        (front - 0.08, line - 0.12),
        (front - bonnet, line),
        (rear + 0.02, line),
        (rear, floor + 0.2),
        (rear + 0.1, floor),
    ]
    parts.append(prism(lower, -half, half, color))
    foot, head = front - bonnet, front - bonnet - rng.uniform(0.5, 0.75)
    crown = tail + {"van": 0.05, "car": rng.uniform(0.2, 0.6), "pickup": 0.1}[shape]
    upper = [(tail, line - 0.02), (foot, line - 0.02), (head, tall), (crown, tall)]
    parts.append(prism(upper, -half + 0.03, half - 0.03, color, taper=0.88))
    cabin = Coachwork(tail, foot, half - 0.03, line, line, tall, foot - head, crown - tail, 0.12 / (tall - line))
    parts += _van_glass(
        cabin,
        foot,
        head,
        tail,
        crown,
        0.45 if shape == "van" and not style.get("glazed") and rng.uniform() < 0.7 else 0.04,
    )
    if shape == "pickup":
        parts.append(span_box((rear + 0.1, -half + 0.1, line - 0.02), (tail - 0.05, half - 0.1, line + 0.01), BLACK))
    blocks = int(rng.integers(8, 16))
    if rng.uniform() < 0.5:
        checks = (color, BLACK if rng.uniform() < 0.4 else SIGNAL_RED)
        for y in (half - 0.015, -half - 0.005):
            parts.append(striped_bar((rear + 0.1, y, 0.62), (front - 0.2, y + 0.02, 0.78), 0, blocks, checks))
    parts += [bumper(x, width * 0.95, 0.45, 0.2) for x in (front, rear)]
    parts += lamps(front - 0.04, rear + 0.01, width, 0.68, 0.75)
    parts += [number_plate(front + 0.06, 0.45), number_plate(rear - 0.06, 0.45)]
    if shape == "van" and at_work(rng, style, 0.25):
        parts += open_doors(tail + 0.02, half - 0.08, 0.5, tall - 0.15, rng.uniform(1.3, 2.4), color)
    elif shape == "van" and rng.uniform() < 0.6:
        pair = CHEVRON_COLORS[int(rng.integers(len(CHEVRON_COLORS)))]
        parts.append(chevrons(rear - 0.02, half - 0.12, 0.58, line - 0.02, pair))
    middle = (tail + head) / 2
    parts.append(beacon(middle, 0, tall, "bar" if rng.uniform() < 0.6 else "dome"))
    if style.get("board"):
        parts += _roof_board(middle - 0.2, tall + 0.22)
    return Build(merge(parts))


PASSENGER_VEHICLE_KINDS = {
    "bus": Kind(
        "gse",
        {
            "apron": Family("train", {"length": (13.0, 14.0), "width": (2.75, 3.0), "symmetric": True, "doors": 3}),
            "city": Family("train", {"length": (11.8, 12.4), "width": (2.5, 2.6), "symmetric": False, "doors": 3}),
            "one_sided": Family("val", {"length": (12.5, 13.8), "width": (2.7, 3.0), "symmetric": False, "doors": 2}),
            "short_apron": Family("test", {"length": (10.5, 12.0), "width": (2.7, 3.0), "symmetric": True, "doors": 2}),
        },
        _bus,
    ),
    "service_van": Kind(
        "gse",
        {
            "van": Family("train", {"shape": "van", "length": (4.8, 5.9), "height": (1.9, 2.5), "bonnet": (0.6, 0.95)}),
            "car": Family(
                "train",
                {"shape": "car", "length": (4.1, 4.8), "height": (1.45, 1.75), "bonnet": (0.95, 1.25), "board": True},
            ),
            "minibus": Family(
                "train",
                {"shape": "van", "length": (5.2, 6.2), "height": (2.3, 2.75), "bonnet": (0.7, 1.0), "glazed": True},
            ),
            "compact_van": Family(
                "val", {"shape": "van", "length": (4.1, 4.6), "height": (1.75, 1.95), "bonnet": (0.8, 1.05)}
            ),
            "pickup": Family(
                "test", {"shape": "pickup", "length": (5.0, 5.5), "height": (1.7, 1.85), "bonnet": (1.1, 1.35)}
            ),
        },
        _service_van,
    ),
}
