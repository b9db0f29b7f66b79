"""Ambulifts, scissor and boom lifts: people raised to a door or to the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    ALUMINIUM,
    BLACK,
    DARK_GREY,
    GLASS_COLOR,
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
from airside_perception.synth.ground_equipment.end_marks import chevrons, number_plate
from airside_perception.synth.ground_equipment.lifting_trucks import scissors
from airside_perception.synth.ground_equipment.vehicle import (
    at_work,
    axle,
    beacon,
    lamps,
    lifted,
    rail,
    striped_bar,
    truck_chassis,
)
from airside_perception.synth.mesh_parts import (
    GLASS,
    METAL,
    PAINT,
    RUBBER,
    FloatArray,
    Mesh,
    box,
    chamfered_box,
    cylinder,
    merge,
    span_box,
    tube,
)

Style = Mapping[str, Any]
LIFT_PALETTE: tuple[tuple[Color, float], ...] = (
    ((0.9, 0.4, 0.05), 2.0),
    ((0.1, 0.25, 0.6), 1.5),
    (HAZARD_YELLOW, 1.0),
    ((0.15, 0.5, 0.25), 0.8),
    (SIGNAL_RED, 0.6),
    (LIGHT_GREY, 0.5),
)


def _cabin_sides(rng: np.random.Generator, x0: float, x1: float, half: float, floor: float, tall: float) -> list[Mesh]:
    """Window row, a coloured band and the wheelchair sign of an ambulift's cabin."""
    parts, blue, windows = [], jitter(rng, (0.05, 0.2, 0.65), 0.1), int(rng.integers(3, 6))
    for sign in (1, -1):
        side = [
            (x0, sign * half, floor),
            (x1, sign * half, floor),
            (x1, sign * half, floor + tall),
            (x0, sign * half, floor + tall),
        ]
        edges = np.linspace(0.18, 0.96, windows + 1)
        for a, b in zip(edges, edges[1:], strict=False):
            parts.append(panel(side, GLASS_COLOR, GLASS, (a + 0.01, b - 0.01, 0.48, 0.86), 0.025))
        parts.append(panel(side, blue, PAINT, (0.02, 0.98, 0.1, 0.16), 0.012))
        parts.append(panel(side, blue, PAINT, (0.04, 0.14, 0.5, 0.82), 0.015))
        parts.append(panel(side, WHITE, PAINT, (0.07, 0.11, 0.56, 0.76), 0.02))
    return parts


def _ambulift(rng: np.random.Generator, style: Style) -> Build:
    """High lift for passengers who can't climb: a windowed cabin on scissors, with a bridge over the cab."""
    length, width = rng.uniform(*style["length"]), rng.uniform(2.4, 2.55)
    color = pick(rng, ((WHITE, 4.0), (HAZARD_YELLOW, 1.0), ((0.7, 0.75, 0.8), 1.0), (equipment_color(rng), 1.0)))
    parts, behind, frame = truck_chassis(rng, length, width, color, {**style, "cab": "low"})
    rear, half = -length / 2, width / 2
    raised = lifted(rng, style, 0.55, (0.5, 2.6))
    floor, tall = frame + 0.18 + raised, rng.uniform(2.1, 2.35)
    x0, x1 = rear + (0.5 if style["tail_lift"] else 0.12), behind - 0.08
    middle = (x0 + x1) / 2
    parts.append(
        chamfered_box(
            (middle, 0, floor + tall / 2), (x1 - x0, width, tall), 0.07, color if rng.uniform() < 0.6 else WHITE
        )
    )
    parts += _cabin_sides(rng, x0, x1, half, floor, tall)
    parts.append(box((x1, 0, floor + 0.48 * tall), (0.06, 1.0, 0.86 * tall), MID_GREY, METAL))
    parts.append(box((x0, 0, floor + 0.48 * tall), (0.06, 1.3, 0.88 * tall), ALUMINIUM, METAL))
    if floor > 2.35 and "lift" not in style:  # bridge over the cab to the aircraft's door
        reach = rng.uniform(1.2, 1.9)
        parts.append(box((x1 + reach / 2, 0, floor), (reach, 1.6, 0.1), MID_GREY, METAL))
        for y in (0.75, -0.75):
            parts.append(rail([(x1, y, floor), (x1 + reach - 0.05, y, floor)], 1.05, HAZARD_YELLOW))
        parts.append(box((x1 + reach, 0, floor), (0.1, 1.6, 0.2), BLACK, RUBBER))
    if raised > 0.3 or "lift" in style:
        parts += scissors(middle, 0.7 * (x1 - x0), frame, floor, 0.5, MID_GREY)
    parts.append(box((middle, 0, floor - 0.06), (x1 - x0, 1.0, 0.14), DARK_GREY, METAL))
    if style["tail_lift"]:
        up = not at_work(rng, style, 0.4)
        size, at = (
            ((0.08, 1.8, 1.5), (x0 - 0.12, 0, floor + 0.75))
            if up
            else ((1.4, 1.8, 0.07), (x0 - 0.7, 0, rng.uniform(0.1, 1.0)))
        )
        parts.append(box(at, size, ALUMINIUM, METAL))
    for x in (behind - 0.3, rear + 0.6):
        parts += [box((x, s * (half - 0.14), 0.45), (0.16, 0.16, 0.8), LIGHT_GREY, METAL) for s in (1, -1)]
    return Build(merge(parts), {"bridge": np.array([x1, 0, floor])})


def _basket(center: FloatArray, long: float, wide: float, color: Color) -> list[Mesh]:
    """Work platform with rails all round and its control box."""
    parts = [box(center, (long, wide, 0.12), MID_GREY, METAL)]
    a, b = long / 2 - 0.04, wide / 2 - 0.04
    ring = [center + (x, y, 0.05) for x, y in ((a, b), (-a, b), (-a, -b), (a, -b), (a, b))]
    return [*parts, rail(ring, 1.1, color), box(center + (a - 0.1, 0.2, 0.9), (0.18, 0.35, 0.25), DARK_GREY)]


def _scissor_lift(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(*style["width"])
    color, trim = pick(rng, LIFT_PALETTE), jitter(rng, DARK_GREY, 0.1)
    half, radius = width / 2, rng.uniform(0.2, 0.34)
    high = rng.uniform(1.6, style["reach"]) if at_work(rng, style, 0.6) else rng.uniform(1.2, 1.5)
    parts = [axle(x, width, radius, 0.2, segments=8) for x in (0.34 * length, -0.34 * length)]
    parts.append(span_box((-length / 2, 0.12 - half, 0.3), (length / 2, half - 0.12, 0.85), color))
    stages = max(1, int((high - 0.8) / 0.9))
    levels = np.linspace(0.9, high - 0.05, stages + 1)
    for low, top in zip(levels, levels[1:], strict=False):
        parts += scissors(0.0, 0.8 * length, low, top, half - 0.3, trim)
    parts += _basket(
        np.array([0.0, 0.0, high]), length - 0.05, width - 0.05, color if rng.uniform() < 0.5 else HAZARD_YELLOW
    )
    parts.append(_rear_steps(-length / 2, half))
    parts.append(striped_bar((-length / 2 - 0.02, 0.15 - half, 0.32), (-length / 2 + 0.02, half - 0.15, 0.46), 1, 8))
    return Build(merge([*parts, *lamps(length / 2, -length / 2, width - 0.3, 0.6, size=0.1)]))


def _rear_steps(rear: float, half: float) -> Mesh:
    """Steps at the rear up to the platform."""
    return merge([box((rear - 0.03, 0, z), (0.1, 0.7 * half, 0.04), LIGHT_GREY, METAL) for z in (0.45, 0.7)])


def _boom(rng: np.random.Generator, base: FloatArray, style: Style, color: Color, trim: Color) -> list[Mesh]:
    """Turntable arms: folded over the chassis or risen in two pieces, with the basket at the end."""
    folded = not at_work(rng, style, 0.65)
    lower, upper = rng.uniform(2.6, 3.4), rng.uniform(3.0, 4.2)
    first = rng.uniform(0.05, 0.12) if folded else rng.uniform(0.7, 1.25)
    second = rng.uniform(-0.02, 0.05) if folded else rng.uniform(0.0, 0.9)
    elbow = base + np.array([-lower * np.cos(first), 0, lower * np.sin(first)])
    tip = elbow + np.array([upper * np.cos(second), 0, upper * np.sin(second) + (0.35 if folded else 0.0)])
    parts = [
        tube([base, elbow], 0.15, color, PAINT, segments=4),
        tube([elbow + (0, 0, 0.1), tip], 0.12, color, PAINT, segments=4),
    ]
    parts.append(cylinder(elbow + (0, -0.22, 0.05), elbow + (0, 0.22, 0.05), 0.2, trim))
    ram = base + 0.5 * (elbow - base)
    parts.append(cylinder(base + (-0.2, 0, -0.25), ram + (0, 0, -0.1), 0.06, ALUMINIUM))
    return [
        *parts,
        *_basket(tip + (0.55, 0.0, -0.4), 0.9, rng.uniform(1.2, 1.9), color if style["truck"] else LIGHT_GREY),
    ]


def _boom_lift(rng: np.random.Generator, style: Style) -> Build:
    color, trim = pick(rng, LIFT_PALETTE), jitter(rng, DARK_GREY, 0.1)
    if style["truck"]:
        length = rng.uniform(6.0, 7.2)
        parts, behind, frame = truck_chassis(rng, length, 2.2, equipment_color(rng), {"cab": "low"})
        parts.append(
            box(((behind - length / 2) / 2, 0, frame + 0.1), (behind + length / 2 - 0.2, 2.1, 0.2), MID_GREY, METAL)
        )
        base = np.array([behind - 0.7, 0, frame + 0.7])
        parts.append(cylinder(base - (0, 0, 0.6), base, 0.4, trim, segments=10))
        return Build(merge(parts + _boom(rng, base, style, color if rng.uniform() < 0.6 else WHITE, trim)))
    length, width = rng.uniform(2.6, 3.6), rng.uniform(1.8, 2.4)
    radius = rng.uniform(0.38, 0.5)
    parts = [axle(x, width, radius, 0.3) for x in (0.34 * length, -0.34 * length)]
    parts.append(span_box((-0.45 * length, 0.3 - width / 2, 0.35), (0.45 * length, width / 2 - 0.3, 0.8), trim))
    parts.append(cylinder((0, 0, 0.75), (0, 0, 0.95), 0.6, BLACK, segments=12))
    housing = (-0.1, 0, 1.2), (0.85 * length, width * 0.8, 0.6)
    parts.append(chamfered_box(*housing, 0.12, color))
    parts.append(chevrons(-0.1 - 0.43 * length, 0.36 * width, 1.0, 1.4, (HAZARD_YELLOW, BLACK)))
    parts += [number_plate(-0.46 * length, 0.55), *lamps(0.46 * length, -0.46 * length, width - 0.7, 0.6, size=0.1)]
    parts.append(beacon(-0.3 * length, 0.3 * width, 1.5))
    return Build(merge(parts + _boom(rng, np.array([0.2, 0, 1.5]), style, color, trim)))


def _maintenance_lift(rng: np.random.Generator, style: Style) -> Build:
    return _scissor_lift(rng, style) if style["lift"] == "scissor" else _boom_lift(rng, style)


LIFT_KINDS = {
    "ambulift": Kind(
        "gse",
        {
            "standard": Family("train", {"length": (7.6, 9.0), "tail_lift": True}),
            "short": Family("train", {"length": (6.6, 7.6), "tail_lift": False}),
            "plain_long": Family("val", {"length": (8.6, 9.6), "tail_lift": False}),
            "tandem": Family("test", {"length": (8.8, 10.0), "tail_lift": True, "tandem": True}),
        },
        _ambulift,
    ),
    "maintenance_lift": Kind(
        "gse",
        {
            "scissor": Family("train", {"lift": "scissor", "length": (2.2, 3.2), "width": (1.1, 1.5), "reach": 5.5}),
            "boom": Family("train", {"lift": "boom", "truck": False}),
            "truck_boom": Family("val", {"lift": "boom", "truck": True}),
            "large_scissor": Family(
                "test", {"lift": "scissor", "length": (3.6, 4.6), "width": (1.8, 2.3), "reach": 7.5}
            ),
        },
        _maintenance_lift,
    ),
}
