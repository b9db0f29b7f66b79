"""Baggage tractors and pushback tractors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import BLACK, DARK_GREY, MID_GREY, WHITE, Color, equipment_color, jitter
from airside_perception.synth.fitted_parts import panel
from airside_perception.synth.ground_equipment.end_marks import fleet_number, number_plate, rear_end
from airside_perception.synth.ground_equipment.vehicle import axle, beacon, bumper, cab, lamps, striped_bar
from airside_perception.synth.mesh_parts import (
    FABRIC,
    GLASS,
    METAL,
    Mesh,
    box,
    boxes,
    chamfered_box,
    cylinder,
    merge,
    prism,
    span_box,
    tube,
)

Style = Mapping[str, Any]


def _seat(x: float, y: float, z: float, color: tuple[float, float, float] = BLACK) -> list[Mesh]:
    return [
        box((x, y, z), (0.45, 0.45, 0.12), color, FABRIC),
        box((x - 0.22, y, z + 0.3), (0.1, 0.45, 0.55), color, FABRIC),
    ]


def _steering(x: float, y: float, z: float) -> Mesh:
    column = cylinder((x + 0.15, y, z - 0.35), (x, y, z), 0.03, BLACK, segments=4)
    return merge([column, cylinder((x, y, z), (x - 0.02, y, z + 0.03), 0.18, BLACK, segments=8)])


def _bonnet(
    dash: float, front: float, hood: float, slope: float, width: float, color: Color, trim: Color
) -> list[Mesh]:
    """Engine cover ahead of the dash board, with its grille."""
    half, low = width / 2 - 0.02, hood - slope
    outline = [(dash, 0.42), (front, 0.42), (front, low - 0.06), (front - 0.1, low), (dash + 0.08, hood), (dash, hood)]
    foot, head = 0.4 * width, 0.36 * width
    face = [(front, -foot, 0.5), (front, foot, 0.5), (front, head, low - 0.08), (front, -head, low - 0.08)]
    return [prism(outline, -half, half, color, taper=0.94), panel(face, trim, inset=(0.22, 0.78, 0.1, 0.95))]


def _canopy(
    rng: np.random.Generator,
    tail: float,
    dash: float,
    deck: float,
    hood: float,
    top: float,
    width: float,
    color: Color,
    trim: Color,
) -> list[Mesh]:
    """Roof on four posts, often with a windscreen."""
    half = width / 2
    roof = color if rng.uniform() < 0.5 else WHITE
    size = (dash - tail + 0.35, width - 0.08, 0.1)
    parts = [chamfered_box(((tail + dash) / 2, 0, top - 0.05), size, 0.04, roof)]
    lean = rng.uniform(0.05, 0.3)
    for y in (half - 0.1, 0.1 - half):
        parts.append(tube([(dash, y, hood - 0.05), (dash - lean, y, top - 0.08)], 0.035, trim, segments=4))
        parts.append(tube([(tail, y, deck), (tail + 0.05, y, top - 0.08)], 0.035, trim, segments=4))
    if rng.uniform() < 0.7:
        y, head = half - 0.12, dash - lean * 0.9
        screen = [(dash, -y, hood), (dash, y, hood), (head, y, top - 0.14), (head, -y, top - 0.14)]
        parts.append(panel(screen, (0.12, 0.15, 0.17), GLASS, thickness=0.012))
    return parts


def _baggage_tractor(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(1.35, 1.62)
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear, half = length / 2, -length / 2, width / 2
    radius = rng.uniform(0.3, 0.38)
    deck, hood = rng.uniform(0.62, 0.72), rng.uniform(0.9, 1.08)
    top = rng.uniform(*style["height"])
    dash = front - rng.uniform(*style["nose"]) * length
    parts = [axle(front - 0.24 * length, width, radius, 0.22), axle(rear + 0.2 * length, width, radius, 0.24)]
    parts.append(span_box((rear + 0.06, -half + 0.22, 0.28), (front - 0.06, half - 0.22, deck), trim))
    parts += _bonnet(dash, front, hood, rng.uniform(*style["slope"]), width, color, trim)
    tail = dash - rng.uniform(1.0, 1.25)
    hump, size = ((rear + tail) / 2 + 0.02, 0, (deck + 0.36) / 2 + 0.1), (tail - rear, width - 0.04, deck - 0.16)
    parts.append(chamfered_box(hump, size, 0.06, color))
    parts.append(span_box((tail - 0.05, -half + 0.04, 0.32), (dash + 0.05, half - 0.04, 0.48), color))
    if style["cab"] == "closed":
        rake = rng.uniform(0.15, 0.4)
        parts.append(cab(tail - 0.1, dash + 0.12, 0.45, top, width - 0.06, color, rake, 0.05, 0.36, trim))
    else:
        for y in (0.22 * width, -0.22 * width):
            parts += _seat(tail + 0.35, y, deck + 0.05)
        parts.append(_steering(dash - 0.15, 0.2 * width, hood + 0.08))
        if style["cab"] == "canopy":
            parts += _canopy(rng, tail, dash, deck, hood, top, width, color, trim)
        else:  # roll bar
            x, y = tail - 0.05, half - 0.12
            parts.append(tube([(x, y, deck), (x, y, top), (x, -y, top), (x, -y, deck)], 0.04, trim, segments=5))
    parts += [bumper(front, width - 0.1, 0.42, 0.2, trim), bumper(rear, width - 0.1, 0.45, 0.2, trim)]
    if rng.uniform() < 0.4:
        parts.append(striped_bar((rear - 0.09, -half + 0.1, 0.5), (rear + 0.02, half - 0.1, 0.62), 1, 8))
    parts.append(tube([(rear - 0.16, 0, 0.3), (rear - 0.16, 0, 0.55)], 0.035, trim, segments=5))
    parts += lamps(front, rear + 0.0, width, 0.7, deck - 0.08)
    parts.append(number_plate(rear - 0.005, deck - 0.02))
    if rng.uniform() < 0.5:
        parts.append(fleet_number(rng, tail - 0.1, half - 0.02, deck, BLACK if sum(color) > 1.2 else WHITE))
    if rng.uniform() < 0.7:
        parts.append(beacon(tail, 0.3 * width if style["cab"] != "none" else half - 0.12, top, "dome"))
    return Build(merge(parts), {"hitch_rear": np.array([rear - 0.16, 0, 0.35])})


def _hull(front: float, rear: float, width: float, radius: float, deck: float, cut: float, color: Color) -> list[Mesh]:
    """Heavy body: a narrow core between the wheels, and full width above and between them."""
    length, half, core = front - rear, width / 2, width / 2 - 0.475

    def profile(low: float) -> list[tuple[float, float]]:
        ends = [(rear, low), (front, low), (front, deck - cut)]
        return [*ends, (front - 0.3, deck), (rear + 0.2, deck), (rear, deck - cut)]

    fender = max(min(2 * radius - 0.02, deck - 0.25) if deck <= 2 * radius else 2 * radius - 0.02, 0.5)
    if fender > deck - cut - 0.05:
        fender = deck - cut - 0.1
    parts = [prism(profile(0.35), -core, core, color), prism(profile(fender), -half, half, color)]
    reach = 0.22 * length + radius + 0.1
    parts.append(span_box((rear + reach, 0.01 - half, 0.38), (front - reach, half - 0.01, deck - 0.05), color))
    return parts


def _pushback_cab(
    rng: np.random.Generator,
    place: str,
    front: float,
    rear: float,
    deck: float,
    height: float,
    width: float,
    color: Color,
    trim: Color,
) -> list[Mesh]:
    """Driver's cab, and the engine cover or the nose-wheel cradle behind it."""
    long = rng.uniform(1.3, 1.7)
    if place == "cradle":  # towbarless: a low cab across the front
        x = front - 0.1
        parts = [cab(x - long, x, 0.45, height, width * 0.96, color, 0.25, 0.05, 0.45, trim)]
        parts += [box((rear + 0.5, y, 0.35), (1.0, 0.25, 0.4), MID_GREY, METAL) for y in (0.62, -0.62)]
        return [*parts, box((rear + 0.95, 0, 0.3), (0.5, 1.4, 0.25), trim, METAL)]
    if place == "front":
        x, wide = front - 0.15, width * rng.uniform(0.55, 0.95)
        parts = [cab(x - long, x, deck - 0.3, height, wide, color, 0.2, 0.04, 0.42, trim)]
    elif place == "offset":
        x, y = front - 0.4, width / 2 - 0.65
        parts = [cab(x - long, x, deck - 0.2, height, 1.2, color, 0.15, 0.04, 0.4, trim, y=y)]
    else:
        parts = [cab(-long / 2, long / 2, deck - 0.3, height, width * 0.7, color, 0.2, 0.04, 0.4, trim)]
    parts.append(chamfered_box((rear + 0.95, 0, deck + 0.08), (1.3, width * 0.7, 0.24), 0.06, color))
    slots = [(rear + x, 0, deck + 0.2) for x in np.linspace(0.55, 1.35, 4)]
    return [*parts, boxes(slots, (0.08, width * 0.55, 0.03), trim)]


def _pushback_tractor(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(*style["width"])
    height = rng.uniform(*style["height"])
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear, half = length / 2, -length / 2, width / 2
    radius = rng.uniform(0.5, 0.62)
    deck, cut = rng.uniform(*style["deck"]), rng.uniform(0.12, 0.35)
    parts = [axle(x, width, radius, 0.42, segments=12) for x in (front - 0.22 * length, rear + 0.22 * length)]
    parts += _hull(front, rear, width, radius, deck, cut, color)
    parts += _pushback_cab(rng, style["cab"], front, rear, deck, height, width, color, trim)
    parts += [bumper(x, width * 0.96, 0.55, 0.35, trim, 0.2) for x in (front, rear)]
    if rng.uniform() < 0.6:
        for x in (front + 0.1, rear - 0.1):
            parts.append(striped_bar((x - 0.02, -half + 0.1, 0.48), (x + 0.02, half - 0.1, 0.64), 1, 10))
    parts += lamps(front + 0.02, rear - 0.02, width, deck - cut - 0.1, size=0.18)
    parts += rear_end(rng, rear - 0.01, 0.6 * width, 0.78, max(deck - cut, 1.0))
    if rng.uniform() < 0.6:
        parts.append(fleet_number(rng, 0.0, half, deck - 0.35, BLACK if sum(color) > 1.2 else WHITE))
    parts.append(tube([(front + 0.16, 0, 0.4), (front + 0.16, 0, 0.8)], 0.05, trim, segments=5))
    lamp_at = rear + 0.4 if style["cab"] == "cradle" else 0.0
    parts.append(beacon(lamp_at, 0, height if style["cab"] == "middle" else deck, "dome"))
    anchors = {"hitch_front": np.array([front + 0.16, 0, 0.5]), "hitch_rear": np.array([rear - 0.1, 0, 0.5])}
    return Build(merge(parts), anchors)


TRACTOR_KINDS = {
    "baggage_tractor": Kind(
        "gse",
        {
            "open": Family(
                "train",
                {
                    "cab": "none",
                    "length": (2.9, 3.5),
                    "height": (1.65, 1.85),
                    "nose": (0.36, 0.44),
                    "slope": (0.02, 0.12),
                },
            ),
            "canopy": Family(
                "train",
                {
                    "cab": "canopy",
                    "length": (3.0, 3.7),
                    "height": (1.85, 2.05),
                    "nose": (0.3, 0.4),
                    "slope": (0.02, 0.2),
                },
            ),
            "closed": Family(
                "train",
                {
                    "cab": "closed",
                    "length": (3.2, 3.9),
                    "height": (1.85, 2.1),
                    "nose": (0.26, 0.36),
                    "slope": (0.05, 0.25),
                },
            ),
            "electric_low": Family(
                "val",
                {"cab": "none", "length": (2.7, 3.1), "height": (1.5, 1.65), "nose": (0.24, 0.3), "slope": (0.0, 0.05)},
            ),
            "long_canopy": Family(
                "test",
                {
                    "cab": "canopy",
                    "length": (3.5, 3.9),
                    "height": (1.8, 1.95),
                    "nose": (0.42, 0.48),
                    "slope": (0.2, 0.3),
                },
            ),
            "cab_forward": Family(
                "test",
                {
                    "cab": "closed",
                    "length": (3.0, 3.5),
                    "height": (1.95, 2.15),
                    "nose": (0.14, 0.2),
                    "slope": (0.0, 0.1),
                },
            ),
        },
        _baggage_tractor,
    ),
    "pushback_tractor": Kind(
        "gse",
        {
            "front_cab": Family(
                "train",
                {
                    "cab": "front",
                    "length": (5.0, 6.2),
                    "width": (2.3, 2.6),
                    "height": (1.85, 2.15),
                    "deck": (1.15, 1.35),
                },
            ),
            "middle_cab": Family(
                "train",
                {
                    "cab": "middle",
                    "length": (5.4, 7.5),
                    "width": (2.4, 2.8),
                    "height": (2.0, 2.3),
                    "deck": (1.25, 1.45),
                },
            ),
            "cradle": Family(
                "train",
                {"cab": "cradle", "length": (5.6, 7.5), "width": (2.6, 3.2), "height": (1.7, 2.0), "deck": (1.0, 1.2)},
            ),
            "heavy": Family(
                "val",
                {"cab": "offset", "length": (8.0, 9.8), "width": (2.8, 3.2), "height": (2.2, 2.6), "deck": (1.4, 1.6)},
            ),
            "offset_cab": Family(
                "test",
                {"cab": "offset", "length": (5.0, 6.5), "width": (2.4, 2.7), "height": (1.9, 2.2), "deck": (1.2, 1.4)},
            ),
        },
        _pushback_tractor,
    ),
}
