"""Catering trucks and passenger stairs: bodies that rise to a cabin door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    ALUMINIUM,
    BLACK,
    DARK_GREY,
    HAZARD_YELLOW,
    LIGHT_GREY,
    MID_GREY,
    SIGNAL_RED,
    WHITE,
    Color,
    equipment_color,
    jitter,
    pick,
    random_hue,
)
from airside_perception.synth.fitted_parts import panel
from airside_perception.synth.ground_equipment.end_marks import CHEVRON_COLORS, chevrons
from airside_perception.synth.ground_equipment.vehicle import at_work, axle, cab, lamps, lifted, rail, truck_chassis
from airside_perception.synth.mesh_parts import (
    METAL,
    PAINT,
    FloatArray,
    Mesh,
    box,
    boxes,
    chamfered_box,
    cylinder,
    hexahedra,
    merge,
    span_box,
    tube,
)

Style = Mapping[str, Any]

STAIRS_PALETTE: tuple[tuple[Color, float], ...] = (
    (WHITE, 4.0),
    (ALUMINIUM, 1.0),
    ((0.15, 0.25, 0.5), 1.0),
    (HAZARD_YELLOW, 0.6),
    (SIGNAL_RED, 0.4),
)


def scissors(x: float, reach: float, low: float, high: float, y: float, color: Color) -> list[Mesh]:
    """Crossed lifting arms on both sides between two heights."""
    parts = []
    for s in (1, -1):
        for d in (1, -1):
            parts.append(
                tube(
                    [(x - d * reach / 2, s * y, low), (x + d * reach / 2, s * (y - 0.02), high)],
                    0.07,
                    color,
                    segments=4,
                )
            )
    return parts


def _rear_shutter(
    rng: np.random.Generator, style: Style, x: float, width: float, floor: float, tall: float, color: FloatArray
) -> list[Mesh]:
    """Rolling door of a body's rear, at times raised part of the way, with a chevron board on what is closed."""
    raised = rng.uniform(0.3, 0.95) if at_work(rng, style, 0.3) else 0.0
    low, high = floor + 0.03 * tall, floor + 0.93 * tall
    parts = []
    if raised:
        parts.append(box((x, 0, (low + high) / 2), (0.06, width * 0.84, high - low), BLACK))
        low += raised * (high - low)
    parts.append(box((x, 0, (low + high) / 2), (0.08, width * 0.86, high - low), color, METAL))
    if not raised and rng.uniform() < 0.5:
        pair = CHEVRON_COLORS[int(rng.integers(len(CHEVRON_COLORS)))]
        parts.append(chevrons(x - 0.05, 0.42 * width, low + 0.03, low + rng.uniform(0.35, 0.8), pair))
    return parts


def _catering_truck(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(2.4, 2.6)
    color = equipment_color(rng)
    parts, behind, frame = truck_chassis(rng, length, width, color, style)
    rear = -length / 2
    raised = lifted(rng, style, 0.5, (0.3, 2.4))
    tall = rng.uniform(2.2, 2.6)
    floor = frame + 0.15 + raised
    over = style["over_cab"]
    front = behind - 0.1 if not over else length / 2 - rng.uniform(0.1, 0.5)
    if over:
        floor = max(floor, frame + 0.25)
    floor = floor if not over or raised > 0.6 else frame + 0.15
    forward = raised > 0.6 and floor > 2.8 and "lift" not in style
    box_front = front if not over or forward else behind - 0.1
    body = pick(rng, ((WHITE, 4.0), (ALUMINIUM, 1.0), (color, 1.0), (LIGHT_GREY, 1.0)))
    center_x = (rear + 0.1 + box_front) / 2
    span = box_front - rear - 0.1
    parts.append(chamfered_box((center_x, 0, floor + tall / 2), (span, width, tall), 0.05, body))
    stripe = random_hue(rng, (0.5, 1.0), (0.15, 0.85))
    low = rng.uniform(0.1, 0.6)
    for s in (1, -1):
        side = [
            (rear + 0.15, s * width / 2, floor),
            (box_front - 0.05, s * width / 2, floor),
            (box_front - 0.05, s * width / 2, floor + tall),
            (rear + 0.15, s * width / 2, floor + tall),
        ]
        if rng.uniform() < 0.7:
            parts.append(panel(side, stripe, PAINT, (0.0, 1.0, low, low + rng.uniform(0.06, 0.3)), 0.01))
        for u in np.linspace(0.1, 0.9, 6):
            parts.append(panel(side, np.multiply(body, 0.85), METAL, (u, u + 0.008, 0.03, 0.97), 0.012))
        letters = rng.uniform(0.2, 0.5)
        for k in range(int(rng.integers(4, 9))):
            parts.append(
                panel(
                    side,
                    stripe,
                    PAINT,
                    (letters + 0.05 * k, letters + 0.05 * k + rng.uniform(0.02, 0.042), 0.72, 0.86),
                    0.012,
                )
            )
    parts += _rear_shutter(rng, style, rear + 0.08, width, floor, tall, np.multiply(body, 0.9))
    deck = floor + 0.02
    bridge = rng.uniform(0.9, 1.5)
    if box_front < behind + 0.1:  # front platform over the cab
        high = max(deck + 0.1, 2.85 if raised > 0.4 or "lift" in style else deck)
        if high > 2.7:
            parts.append(box((box_front + bridge / 2, 0, high), (bridge + 0.3, width * 0.8, 0.1), MID_GREY, METAL))
            foot = [(box_front + bridge, 0.38 * width, high), (box_front, 0.38 * width, high)]
            parts += [rail(foot, 1.0, LIGHT_GREY), rail([(x, -y, z) for x, y, z in foot], 1.0, LIGHT_GREY)]
    if raised > 0.25 or "lift" in style:
        parts += scissors(center_x, 0.75 * span, frame, floor, 0.45, MID_GREY)
    parts.append(box((center_x, 0, floor - 0.06), (span, 0.9, 0.14), DARK_GREY, METAL))
    for x in (behind - 0.35, rear + 0.5):  # outriggers
        parts.append(box((x, 0, frame - 0.2), (0.14, width - 0.16, 0.16), DARK_GREY, METAL))
        parts += [box((x, s * (width / 2 - 0.16), 0.45), (0.14, 0.14, 0.8), LIGHT_GREY, METAL) for s in (1, -1)]
    return Build(merge(parts), {"bridge": np.array([box_front + bridge, 0, deck])})


@dataclass(frozen=True)
class Flight:
    """A flight of stairs: foot, upper end, landing length and clear width."""

    foot: FloatArray
    head: FloatArray
    landing: float
    wide: float

    @property
    def front(self) -> float:
        return float(self.head[0]) + self.landing


def _stairs_base(
    rng: np.random.Generator, drive: str, length: float, width: float, top: float, color: Color, trim: Color
) -> tuple[list[Mesh], FloatArray, float]:
    """What the stairs stand on; also returns the foot of the flight and the frame's height."""
    front, rear = length / 2, -length / 2
    if drive == "truck":
        base, _, frame = truck_chassis(rng, length - 0.8, width, color, {"cab": "low"})
        return [part.translated(x=-0.2) for part in base], np.array([rear + 0.25, 0, 0.55]), frame
    frame = 0.6
    parts = [axle(x, width, 0.34, 0.2) for x in (front - 1.6, rear + 1.4)]
    parts.append(span_box((rear + 0.4, -width / 2 + 0.25, 0.35), (front - 0.8, width / 2 - 0.25, frame), color))
    parts.append(tube([(rear + 0.5, 0, 0.4), (rear - 0.0, 0, 0.35)], 0.05, trim))
    if drive == "self":
        roof, y = min(1.9, top - 0.2), width / 2 - 0.5
        parts.append(cab(front - 2.6, front - 1.4, 0.5, roof, 1.0, color, 0.1, 0.03, 0.45, trim, y=y))
        parts += lamps(front - 0.8, rear + 0.4, width - 0.4, 0.5)
    return parts, np.array([rear + 0.1, 0, 0.3]), frame


def _stairs_sides(flight: Flight, bulwark: float, wall: float, color: Color) -> list[Mesh]:
    """Side walls and handrails of the flight and its landing."""
    foot, head = flight.foot, flight.head
    parts = []
    for sign in (1, -1):
        sheet = (sign * flight.wide / 2, sign * (flight.wide / 2 + 0.07))
        corners = [(p[0], y, p[2] + h) for h in (-0.35, bulwark * wall) for y in sheet for p in (foot, head)]
        parts.append(hexahedra(corners, color))
        y = sign * (flight.wide / 2 + 0.03)
        path = [foot + (0, y, 0.0), head + (0, y, 0.0), head + (flight.landing - 0.1, y, 0.0)]
        parts.append(rail(path, 1.05, LIGHT_GREY, radius=0.03, bars=1 if wall > 0.5 else 3))
        middle = (head[0] + flight.landing / 2, y, head[2] + 0.45 * wall)
        parts.append(box(middle, (flight.landing, 0.06, 0.3 + 0.9 * wall), color))
    return parts


def _stairs_supports(flight: Flight, frame: float, color: Color, trim: Color) -> list[Mesh]:
    """Columns from the frame to the landing and half-way up, and a brace."""
    foot, head, y = flight.foot, flight.head, 0.35 * flight.wide
    inner, outer, top = head[0] + 0.3, flight.front - 0.5, head[2]
    columns = [(inner, top - 0.1), (outer, top - 0.1), ((foot[0] + head[0]) / 2, (foot[2] + top) / 2 - 0.2)]
    parts = [cylinder((x, s * y, frame), (x, s * y, z), 0.07, color, segments=5) for x, z in columns for s in (1, -1)]
    brace = 0.3 * flight.wide
    return [*parts, tube([(inner, brace, frame), (outer, brace, top - 0.2)], 0.05, trim, segments=4)]


def _stairs_canopy(flight: Flight, color: Color) -> list[Mesh]:
    """Roof over the flight and the landing, on slim posts."""
    foot, head, y = flight.foot, flight.head, flight.wide / 2 + 0.03
    posts = [foot + (0.4, 0, 0), (foot + head) / 2, head, head + (flight.landing - 0.3, 0, 0)]
    parts = [
        cylinder((p[0], s * y, p[2]), (p[0], s * y, p[2] + 2.1), 0.03, LIGHT_GREY, segments=4)
        for p in posts
        for s in (1, -1)
    ]
    ends = (posts[0], head)
    corners = [(p[0], s * (y + 0.07), p[2] + h) for h in (2.05, 2.15) for s in (-1, 1) for p in ends]
    parts.append(hexahedra(corners, color))
    middle = (head[0] + flight.landing / 2 - 0.1, 0, head[2] + 2.1)
    return [*parts, box(middle, (flight.landing, flight.wide + 0.2, 0.1), color)]


def _passenger_stairs(rng: np.random.Generator, style: Style) -> Build:
    """Passenger stairs: climb from the rear to a platform at the front."""
    width, length, top = rng.uniform(1.9, 2.4), rng.uniform(8.0, 9.0), rng.uniform(2.6, 4.2)
    front = length / 2
    color = pick(rng, STAIRS_PALETTE)
    trim = jitter(rng, DARK_GREY, 0.1)
    parts, foot, frame = _stairs_base(rng, style["drive"], length, width, top, color, trim)
    landing = rng.uniform(1.6, 2.2)
    flight = Flight(foot, np.array([front - landing, 0, top]), landing, min(width - 0.3, rng.uniform(1.4, 1.8)))
    steps = int(np.clip((top - foot[2]) / 0.2, 8, 22))
    share = (np.arange(steps) + 0.5) / steps
    run = (flight.head[0] - foot[0]) / steps
    parts.append(boxes(foot + (flight.head - foot) * share[:, None], (run * 1.05, flight.wide, 0.06), MID_GREY, METAL))
    side_color = color if rng.uniform() < 0.7 else random_hue(rng, (0.2, 0.9), (0.2, 0.9))
    parts += _stairs_sides(flight, rng.uniform(0.75, 1.05), style["wall"], side_color)
    deck = (front - landing / 2 - 0.05, 0, top - 0.08)
    parts.append(box(deck, (landing + 0.1, flight.wide + 0.1, 0.14), MID_GREY, METAL))
    parts.append(box((front - 0.03, 0, top - 0.1), (0.12, flight.wide + 0.1, 0.2), BLACK))
    parts += _stairs_supports(flight, frame, color, trim)
    if style.get("canopy"):
        parts += _stairs_canopy(flight, WHITE if rng.uniform() < 0.6 else (0.4, 0.5, 0.55))
    return Build(merge(parts), {"landing": np.array([front, 0, top])})


LIFTING_TRUCK_KINDS = {
    "catering_truck": Kind(
        "gse",
        {
            "standard": Family("train", {"length": (7.0, 8.2), "over_cab": False}),
            "short": Family("train", {"length": (6.4, 7.2), "over_cab": False, "cab": "low"}),
            "over_cab": Family("val", {"length": (7.0, 8.0), "over_cab": True, "cab": "low"}),
            "bonnet": Family("test", {"length": (7.8, 8.8), "over_cab": False, "bonnet": True, "tandem": True}),
        },
        _catering_truck,
    ),
    "passenger_stairs": Kind(
        "gse",
        {
            "truck": Family("train", {"drive": "truck", "wall": 1.0}),
            "towed": Family("train", {"drive": "towed", "wall": 0.3}),
            "towed_canopy": Family("val", {"drive": "towed", "wall": 0.8, "canopy": True}),
            "self_driven": Family("test", {"drive": "self", "wall": 0.9}),
        },
        _passenger_stairs,
    ),
}
