"""Baggage tractors and pushback tractors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import BLACK, DARK_GREY, MID_GREY, WHITE, equipment_color, jitter
from airside_perception.synth.ground_equipment.vehicle import axle, beacon, bumper, cab, lamps, striped_bar
from airside_perception.synth.mesh_parts import (
    FABRIC,
    GLASS,
    METAL,
    Mesh,
    box,
    chamfered_box,
    cylinder,
    merge,
    panel,
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


def _baggage_tractor(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(1.35, 1.62)
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear = length / 2, -length / 2
    wheel_radius = rng.uniform(0.3, 0.38)
    deck, hood = rng.uniform(0.62, 0.72), rng.uniform(0.9, 1.08)
    top = rng.uniform(*style["height"])
    nose = rng.uniform(*style["nose"]) * length
    dash = front - nose
    half = width / 2
    parts = [
        axle(front - 0.24 * length, width, wheel_radius, 0.22),
        axle(rear + 0.2 * length, width, wheel_radius, 0.24),
    ]
    parts.append(span_box((rear + 0.06, -half + 0.22, 0.28), (front - 0.06, half - 0.22, deck), trim))
    slope = rng.uniform(*style["slope"])
    bonnet = [
        (dash, 0.42),
        (front, 0.42),
        (front, hood - slope - 0.06),
        (front - 0.1, hood - slope),
        (dash + 0.08, hood),
        (dash, hood),
    ]
    parts.append(prism(bonnet, -half + 0.02, half - 0.02, color, taper=0.94))
    parts.append(
        panel(
            [
                (front, -0.4 * width, 0.5),
                (front, 0.4 * width, 0.5),
                (front, 0.36 * width, hood - slope - 0.08),
                (front, -0.36 * width, hood - slope - 0.08),
            ],
            trim,
            inset=(0.22, 0.78, 0.1, 0.95),
        )
    )
    tail = dash - rng.uniform(1.0, 1.25)
    parts.append(
        chamfered_box(
            ((rear + tail) / 2 + 0.02, 0, (deck + 0.36) / 2 + 0.1),
            (tail - rear, width - 0.04, deck - 0.16),
            0.06,
            color,
        )
    )
    parts.append(span_box((tail - 0.05, -half + 0.04, 0.32), (dash + 0.05, half - 0.04, 0.48), color))
    style_cab = style["cab"]
    if style_cab == "closed":
        parts.append(
            cab(tail - 0.1, dash + 0.12, 0.45, top, width - 0.06, color, rng.uniform(0.15, 0.4), 0.05, 0.36, trim)
        )
    else:
        for y in (0.22 * width, -0.22 * width):
            parts += _seat(tail + 0.35, y, deck + 0.05)
        parts.append(_steering(dash - 0.15, 0.2 * width, hood + 0.08))
        if style_cab == "canopy":
            roof = color if rng.uniform() < 0.5 else WHITE
            parts.append(
                chamfered_box(((tail + dash) / 2, 0, top - 0.05), (dash - tail + 0.35, width - 0.08, 0.1), 0.04, roof)
            )
            lean = rng.uniform(0.05, 0.3)
            for y in (half - 0.1, 0.1 - half):
                parts.append(tube([(dash, y, hood - 0.05), (dash - lean, y, top - 0.08)], 0.035, trim, segments=4))
                parts.append(tube([(tail, y, deck), (tail + 0.05, y, top - 0.08)], 0.035, trim, segments=4))
            screen = [
                (dash, -half + 0.12, hood),
                (dash, half - 0.12, hood),
                (dash - lean * 0.9, half - 0.12, top - 0.14),
                (dash - lean * 0.9, 0.12 - half, top - 0.14),
            ]
            if rng.uniform() < 0.7:
                parts.append(panel(screen, (0.12, 0.15, 0.17), GLASS, thickness=0.012))
        else:
            bar = [
                (tail - 0.05, half - 0.12, deck),
                (tail - 0.05, half - 0.12, top),
                (tail - 0.05, 0.12 - half, top),
                (tail - 0.05, 0.12 - half, deck),
            ]
            parts.append(tube(bar, 0.04, trim, segments=5))
    parts.append(bumper(front, width - 0.1, 0.42, 0.2, trim))
    parts.append(bumper(rear, width - 0.1, 0.45, 0.2, trim))
    if rng.uniform() < 0.4:
        parts.append(striped_bar((rear - 0.09, -half + 0.1, 0.5), (rear + 0.02, half - 0.1, 0.62), 1, 8))
    parts.append(tube([(rear - 0.16, 0, 0.3), (rear - 0.16, 0, 0.55)], 0.035, trim, segments=5))
    parts += lamps(front, rear + 0.0, width, 0.7, deck - 0.08)
    if rng.uniform() < 0.7:
        parts.append(beacon(tail, 0.3 * width if style_cab != "none" else half - 0.12, top, "dome"))
    return Build(merge(parts), {"hitch_rear": np.array([rear - 0.16, 0, 0.35])})


def _pushback_tractor(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(*style["width"])
    height = rng.uniform(*style["height"])
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear, half = length / 2, -length / 2, width / 2
    radius = rng.uniform(0.5, 0.62)
    deck = rng.uniform(*style["deck"])
    parts = [
        axle(front - 0.22 * length, width, radius, 0.42, segments=12),
        axle(rear + 0.22 * length, width, radius, 0.42, segments=12),
    ]
    cut = rng.uniform(0.12, 0.35)
    hull = [
        (rear, 0.35),
        (front, 0.35),
        (front, deck - cut),
        (front - 0.3, deck),
        (rear + 0.2, deck),
        (rear, deck - cut),
    ]
    core = width - 0.95
    parts.append(prism(hull, -core / 2, core / 2, color))
    # Fenders: the upper body reaches the full width above the wheels.
    over = [
        (rear, 2 * radius - 0.02 if deck > 2 * radius else deck - 0.25),
        (front, 2 * radius - 0.02 if deck > 2 * radius else deck - 0.25),
        (front, deck - cut),
        (front - 0.3, deck),
        (rear + 0.2, deck),
        (rear, deck - cut),
    ]
    over = [(x, max(z, 0.5)) for x, z in over]
    if over[0][1] > deck - cut - 0.05:
        over[0], over[1] = (rear, deck - cut - 0.1), (front, deck - cut - 0.1)
    parts.append(prism(over, -half, half, color))
    middle = [(rear + 0.22 * length + radius + 0.1, 0.38), (front - 0.22 * length - radius - 0.1, 0.38)]
    parts.append(span_box((middle[0][0], -half + 0.01, 0.38), (middle[1][0], half - 0.01, deck - 0.05), color))
    place = style["cab"]
    cab_length = rng.uniform(1.3, 1.7)
    if place == "front":
        parts.append(
            cab(
                front - 0.15 - cab_length,
                front - 0.15,
                deck - 0.3,
                height,
                width * rng.uniform(0.55, 0.95),
                color,
                0.2,
                0.04,
                0.42,
                trim,
            )
        )
    elif place == "offset":
        parts.append(
            cab(
                front - 0.4 - cab_length,
                front - 0.4,
                deck - 0.2,
                height,
                1.2,
                color,
                0.15,
                0.04,
                0.4,
                trim,
                y=half - 0.65,
            )
        )
    elif place == "middle":
        parts.append(cab(-cab_length / 2, cab_length / 2, deck - 0.3, height, width * 0.7, color, 0.2, 0.04, 0.4, trim))
    else:  # rear low cab of towbarless tractors: cradle at the back
        parts.append(
            cab(front - 0.1 - cab_length, front - 0.1, 0.45, height, width * 0.96, color, 0.25, 0.05, 0.45, trim)
        )
        for y in (0.62, -0.62):
            parts.append(box((rear + 0.5, y, 0.35), (1.0, 0.25, 0.4), MID_GREY, METAL))
        parts.append(box((rear + 0.95, 0, 0.3), (0.5, 1.4, 0.25), trim, METAL))
    if place != "cradle":
        engine_rear = rear + 0.25
        parts.append(chamfered_box((engine_rear + 0.7, 0, deck + 0.08), (1.3, width * 0.7, 0.24), 0.06, color))
        for x in np.linspace(engine_rear + 0.3, engine_rear + 1.1, 4):
            parts.append(box((x, 0, deck + 0.2), (0.08, width * 0.55, 0.03), trim))
    parts += [bumper(front, width * 0.96, 0.55, 0.35, trim, 0.2), bumper(rear, width * 0.96, 0.55, 0.35, trim, 0.2)]
    if rng.uniform() < 0.6:
        parts.append(striped_bar((front + 0.08, -half + 0.1, 0.48), (front + 0.12, half - 0.1, 0.64), 1, 10))
        parts.append(striped_bar((rear - 0.12, -half + 0.1, 0.48), (rear - 0.08, half - 0.1, 0.64), 1, 10))
    parts += lamps(front + 0.02, rear - 0.02, width, deck - cut - 0.1, size=0.18)
    parts.append(tube([(front + 0.16, 0, 0.4), (front + 0.16, 0, 0.8)], 0.05, trim, segments=5))
    parts.append(beacon(rear + 0.4 if place == "cradle" else 0.0, 0, (deck if place != "middle" else height), "dome"))
    return Build(
        merge(parts), {"hitch_front": np.array([front + 0.16, 0, 0.5]), "hitch_rear": np.array([rear - 0.1, 0, 0.5])}
    )


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
