"""Lavatory and water trucks, winter service vehicles."""

from __future__ import annotations

from collections.abc import Mapping
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
)
from airside_perception.synth.fitted_parts import panel
from airside_perception.synth.ground_equipment.lifting_trucks import scissors
from airside_perception.synth.ground_equipment.vehicle import (
    at_work,
    axle,
    lamps,
    rail,
    striped_bar,
    truck_chassis,
)
from airside_perception.synth.mesh_parts import (
    FABRIC,
    METAL,
    PAINT,
    RUBBER,
    Mesh,
    box,
    boxes,
    chamfered_box,
    cylinder,
    loft,
    merge,
    prism,
    span_box,
    tube,
)

Style = Mapping[str, Any]


def _work_platform(
    rng: np.random.Generator, x: float, half: float, deck: float, lift: float, trim: Color
) -> list[Mesh]:
    """Railed stand at the rear that rises to the service panel."""
    level = deck + lift
    parts = [box((x, 0, level), (1.0, 1.6 * half, 0.08), MID_GREY, METAL)]
    if lift > 0.1:
        parts += scissors(x, 0.7, deck, level, 0.4, trim)
    edge = [(x + s * 0.45, t * 0.75 * half, level) for s, t in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    return [*parts, rail(edge, 1.0, HAZARD_YELLOW if rng.uniform() < 0.6 else LIGHT_GREY)]


def _cart(rng: np.random.Generator, length: float, width: float, color: Color, trim: Color, blue: Color) -> list[Mesh]:
    """Towed tank on two axles with its drawbar, filler and hose."""
    front, rear, half, radius = length / 2, -length / 2, width / 2, 0.26
    parts = [axle(x, width - 0.1, radius, 0.17, segments=8) for x in (front - 0.5, rear + 0.5)]
    parts.append(span_box((rear, 0.15 - half, 0.4), (front, half - 0.15, 0.55), trim, METAL))
    tall = rng.uniform(1.15, 1.45)
    parts.append(
        chamfered_box((-0.1, 0, (0.55 + tall) / 2), (0.8 * length, width - 0.2, tall - 0.55), 0.12, color, METAL)
    )
    parts.append(box((front - 0.3, 0, 0.85), (0.45, width - 0.4, 0.6), blue))
    parts.append(cylinder((-0.1, 0, tall - 0.02), (-0.1, 0, tall + 0.12), 0.2, trim))
    parts.append(
        tube([(rear + 0.3, half - 0.05, 0.7), (0, half, 0.6), (front - 0.4, half - 0.05, 0.8)], 0.06, BLACK, RUBBER)
    )
    parts.append(
        tube([(front - 0.1, 0.3, 0.4), (front + 0.5, 0, 0.32), (front - 0.1, -0.3, 0.4)], 0.035, trim, segments=5)
    )
    parts.append(striped_bar((rear - 0.03, -half + 0.15, 0.42), (rear + 0.02, half - 0.15, 0.53), 1, 8))
    return [*parts, *lamps(front, rear, width, 0.47)[1:]]


def _tank_service(rng: np.random.Generator, style: Style, accent: Color) -> Build:
    """Tank with a hose cabinet on a truck, or on a cart."""
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    skin = pick(rng, ((ALUMINIUM, 2.0), (WHITE, 2.0), (color, 2.0)))
    if style["body"] == "cart":
        return Build(merge(_cart(rng, rng.uniform(2.5, 3.2), rng.uniform(1.4, 1.65), skin, trim, accent)))
    length, width = rng.uniform(*style["length"]), rng.uniform(2.0, 2.35)
    parts, behind, frame = truck_chassis(rng, length, width, color, style)
    rear, half = -length / 2, width / 2
    room = 1.25 if style["body"] == "platform" else 0.15
    x0, x1, tall = rear + room, behind - 0.12, rng.uniform(1.9, 2.35)
    middle, level = (x0 + x1) / 2, (frame + tall) / 2
    if style["body"] == "round":
        parts.append(
            cylinder((x0, 0, level + 0.05), (x1, 0, level + 0.05), 0.55 * (tall - frame), skin, METAL, segments=14)
        )
        parts += [box((x, 0, frame + 0.1), (0.15, 1.2, 0.5), trim, METAL) for x in (x0 + 0.4, x1 - 0.4)]
        parts.append(box((x0 + 0.4, 0, frame + 0.35), (0.7, width - 0.1, 0.8), color))
    else:
        parts.append(chamfered_box((middle, 0, level), (x1 - x0, width - 0.06, tall - frame), 0.08, skin))
    for sign in (1, -1):
        if style["body"] != "round":
            side = [(x0, frame + 0.05), (x1, frame + 0.05), (x1, tall), (x0, tall)]
            quad = [(x, sign * (half - 0.03), z) for x, z in side]
            parts.append(panel(quad, accent, PAINT, (0.03, 0.97, 0.62, 0.78), 0.012))
            parts.append(panel(quad, np.multiply(skin, 0.8), METAL, (0.1, 0.45, 0.08, 0.5), 0.015))
        parts.append(
            cylinder(
                (x1 - 0.7, sign * (half - 0.3), 0.62), (x1 - 0.7, sign * half, 0.62), 0.24, BLACK, METAL, segments=10
            )
        )
    if style["body"] == "platform":
        lift = rng.uniform(0.2, 1.5) if at_work(rng, style, 0.45) else 0.0
        parts += _work_platform(rng, rear + 0.6, half, frame + 0.05, lift, trim)
    if style["body"] != "platform":  # hose hung in a loop over the rear panel
        turn = np.linspace(-0.2, np.pi + 0.2, 7)
        hose = np.stack([np.full(7, x0 - 0.07), 0.5 * np.cos(turn), tall - 0.25 - 0.6 * np.sin(turn)], -1)
        parts.append(tube(hose, 0.06, BLACK if accent[2] < 0.7 else (0.2, 0.45, 0.7), FABRIC))
    return Build(merge(parts))


def _lavatory_truck(rng: np.random.Generator, style: Style) -> Build:
    return _tank_service(rng, style, jitter(rng, (0.55, 0.38, 0.12) if rng.uniform() < 0.4 else (0.1, 0.2, 0.6), 0.1))


def _water_truck(rng: np.random.Generator, style: Style) -> Build:
    return _tank_service(rng, style, jitter(rng, (0.15, 0.5, 0.85), 0.1))


def _blade(front: float, wide: float, tall: float, turn: float, color: Color) -> list[Mesh]:
    """Curved plough blade before a truck, turned about z, and its frame."""
    share = np.linspace(0, 1, 6)
    bow = 0.28 * tall * np.sin(np.pi * share)
    ring = [(b, z) for b, z in zip(-bow, 0.06 + tall * share, strict=True)]
    outline = np.array(ring + [(x - 0.07, z) for x, z in ring[::-1]])
    sections = [np.column_stack([outline[:, 0], np.full(12, y), outline[:, 1]]) for y in (-wide / 2, 0.0, wide / 2)]
    blade = loft(np.stack(sections), color)
    edge = striped_bar((-0.06, -wide / 2, tall + 0.02), (0.02, wide / 2, tall + 0.14), 1, 10, (SIGNAL_RED, WHITE))
    at = (front + 0.95, 0.0, 0.0)
    parts = [part.rotated("z", turn).translated(*at) for part in (blade, edge)]
    return [
        *parts,
        *(tube([(front - 0.1, s * 0.4, 0.55), (front + 0.85, s * 0.5, 0.45)], 0.07, BLACK) for s in (1, -1)),
    ]


def _snow_sweeper(rng: np.random.Generator, style: Style) -> Build:
    """Plough at the front, a brush below the middle or the rear, a hopper or blower on top."""
    length, width = rng.uniform(*style["length"]), rng.uniform(2.3, 2.55)
    color = pick(rng, ((HAZARD_YELLOW, 3.0), ((0.95, 0.45, 0.05), 2.0), (WHITE, 0.7)))
    trim = jitter(rng, DARK_GREY, 0.1)
    parts, behind, frame = truck_chassis(rng, length, width, color, style)
    front, rear = length / 2, -length / 2
    wide = rng.uniform(*style["blade"])
    if wide > 0:
        shade = color if rng.uniform() < 0.5 else pick(rng, ((HAZARD_YELLOW, 1.0), (SIGNAL_RED, 0.6), (DARK_GREY, 0.6)))
        parts += _blade(front, wide, rng.uniform(0.8, 1.1), rng.uniform(-0.5, 0.5), shade)
    x0, x1 = rear + 0.3, behind - 0.2
    top = rng.uniform(2.2, 2.7)
    if style["load"] == "hopper":
        ring = [(x0, frame + 0.35), (x0 + 0.5, frame), (x1 - 0.5, frame), (x1, frame + 0.35), (x1, top), (x0, top)]
        parts.append(prism(ring, -width / 2 + 0.05, width / 2 - 0.05, color if rng.uniform() < 0.6 else ALUMINIUM))
        parts.append(box(((x0 + x1) / 2, 0, top), (x1 - x0 - 0.2, width - 0.4, 0.06), BLACK))
        parts.append(cylinder((rear - 0.15, 0, 0.4), (rear - 0.15, 0, 0.5), 0.45, trim, segments=10))
        parts.append(box((rear - 0.05, 0, 0.85), (0.3, 0.5, 0.7), trim))
    else:  # engine and blower of a sweeper
        parts.append(
            chamfered_box(((x0 + x1) / 2, 0, (frame + top) / 2), (x1 - x0, width - 0.15, top - frame), 0.15, color)
        )
        for sign in (1, -1):
            parts.append(
                boxes(
                    [(x0 + 0.5 + 0.25 * k, sign * (width / 2 - 0.07), top - 0.5) for k in range(4)],
                    (0.12, 0.04, 0.5),
                    BLACK,
                )
            )
        parts.append(tube([(x0 + 0.4, 0.5, top - 0.1), (x0 + 0.4, 0.5, top + 0.4)], 0.1, MID_GREY))
    if style["brush"]:
        turn = rng.uniform(0.2, 0.5) * rng.choice([-1, 1])
        brush = cylinder((0, -1.35, 0.38), (0, 1.35, 0.38), 0.36, (0.12, 0.12, 0.3), FABRIC, segments=12)
        parts.append(
            brush.rotated("z", turn).translated(x=0.15 * length - 0.4 if style["brush"] == "middle" else rear - 0.9)
        )
        if style["brush"] == "rear":
            hood = box((rear - 0.9, 0, 0.85), (0.9, 2.2, 0.12), color).rotated("z", turn, (rear - 0.9, 0, 0))
            parts += [hood, tube([(rear + 0.1, 0, 0.7), (rear - 0.9, 0, 0.85)], 0.08, trim)]
    return Build(merge(parts))


SERVICE_TRUCK_KINDS = {
    "lavatory_truck": Kind(
        "gse",
        {
            "platform": Family("train", {"body": "platform", "length": (5.8, 7.0)}),
            "cart": Family("train", {"body": "cart"}),
            "box": Family("val", {"body": "box", "length": (5.2, 6.0), "cab": "low"}),
            "low_platform": Family("test", {"body": "platform", "length": (5.6, 6.4), "cab": "low"}),
        },
        _lavatory_truck,
    ),
    "water_truck": Kind(
        "gse",
        {
            "box": Family("train", {"body": "box", "length": (5.4, 6.6)}),
            "low_platform": Family("train", {"body": "platform", "length": (5.6, 6.6), "cab": "low"}),
            "cart": Family("val", {"body": "cart"}),
            "round": Family("test", {"body": "round", "length": (5.6, 6.8)}),
        },
        _water_truck,
    ),
    "snow_sweeper": Kind(
        "gse",
        {
            "plough": Family(
                "train", {"length": (7.4, 8.8), "blade": (3.2, 4.2), "load": "hopper", "brush": "", "tandem": True}
            ),
            "plough_brush": Family(
                "train", {"length": (7.6, 8.8), "blade": (3.0, 3.8), "load": "blower", "brush": "middle"}
            ),
            "sweeper": Family("val", {"length": (6.2, 7.0), "blade": (0.0, 0.0), "load": "blower", "brush": "middle"}),
            "bonnet_brush": Family(
                "test", {"length": (7.8, 8.8), "blade": (3.4, 4.4), "load": "blower", "brush": "rear", "bonnet": True}
            ),
        },
        _snow_sweeper,
    ),
}  # fmt: skip
