"""Ground power and air start units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    BLACK,
    DARK_GREY,
    GLASS_COLOR,
    HAZARD_YELLOW,
    LIGHT_GREY,
    MID_GREY,
    ORANGE_LAMP,
    WHITE,
    Color,
    equipment_color,
    jitter,
    random_hue,
)
from airside_perception.synth.fitted_parts import panel
from airside_perception.synth.ground_equipment.vehicle import axle, beacon, striped_bar
from airside_perception.synth.mesh_parts import (
    EMISSIVE,
    METAL,
    PAINT,
    RUBBER,
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


def _unit_body(
    rng: np.random.Generator, kind: str, length: float, width: float, floor: float, tall: float, color: Color
) -> tuple[list[Mesh], float]:
    """Housing, and the height of its straight sides."""
    front, rear = length / 2, -length / 2
    if kind == "box":
        return [
            chamfered_box((0, 0, (floor + tall) / 2), (length - 0.06, width, tall - floor), 0.08, color)
        ], tall - 0.15
    if kind == "slanted":
        drop = rng.uniform(0.25, 0.5)
        face = [(rear + 0.02, floor), (front - 0.02, floor), (front - 0.02, tall - drop)]
        outline = [*face, (front - 0.5, tall), (rear + 0.15, tall), (rear + 0.02, tall - 0.15)]
        return [prism(outline, -width / 2, width / 2, color, taper=0.95)], tall - 0.15
    # Air start unit: lower body with a big exhaust stack.
    low = 0.85 * tall
    housing = chamfered_box((0.1, 0, (floor + low) / 2), (length - 0.3, width, low - floor), 0.1, color)
    start, end = (rear + 0.6, 0.2, tall * 0.7), (rear + 0.6, 0.2, tall + 0.1)
    return [housing, cylinder(start, end, 0.18, MID_GREY, METAL, segments=10)], low - 0.12


def _unit_side(
    rng: np.random.Generator, sign: int, rear: float, front: float, half: float, floor: float, high: float, color: Color
) -> list[Mesh]:
    """Doors, louvres, a label and perhaps the cable on its hooks."""
    low_y, high_y = sign * half * 0.985, sign * half * 0.965
    x0, x1, z0 = rear + 0.25, front - 0.55, floor + 0.1
    quad = [(x0, low_y, z0), (x1, low_y, z0), (x1, high_y, high), (x0, high_y, high)]
    parts = []
    doors = int(rng.integers(2, 4))
    for k in range(doors):
        inset = (k / doors + 0.02, (k + 1) / doors - 0.02, 0.05, 0.95)
        parts.append(panel(quad, np.multiply(color, 0.85), PAINT, inset, 0.03))
    for level in np.linspace(0.55, 0.8, 5):
        parts.append(panel(quad, BLACK, METAL, (0.08, 0.08 + 0.7 / doors, level, level + 0.025), 0.04))
    parts.append(panel(quad, random_hue(rng, (0.2, 1.0), (0.1, 0.9)), PAINT, (0.6, 0.9, 0.1, 0.3), 0.04))
    if rng.uniform() < 0.6:
        a, b, y = front - 0.7, rear + 0.5, sign * (half + 0.06)
        cable = [(a, y, floor + 0.45), ((a + b) / 2, y, floor + 0.2), (b, y, floor + 0.4)]
        parts.append(tube(cable, 0.04, BLACK, RUBBER, segments=5))
    return parts


def _ground_power_unit(rng: np.random.Generator, style: Style) -> Build:
    length, width, tall = rng.uniform(2.6, 3.4), rng.uniform(1.5, 1.75), rng.uniform(1.6, 1.95)
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear, half = length / 2, -length / 2, width / 2
    radius = rng.uniform(0.24, 0.3)
    parts: list[Mesh] = [axle(front - 0.55, width - 0.1, radius, 0.18), axle(rear + 0.5, width - 0.1, radius, 0.18)]
    floor = 2 * radius - 0.05
    parts.append(span_box((rear, -half + 0.12, floor - 0.15), (front, half - 0.12, floor + 0.05), trim, METAL))
    body, high = _unit_body(rng, style["body"], length, width, floor, tall, color)
    parts += body
    for sign in (1, -1):
        parts += _unit_side(rng, sign, rear, front, half, floor, high, color)
    x, z = front - 0.03, floor + 0.5
    board = [(x, -0.3, z - 0.2), (x, 0.3, z - 0.2), (x, 0.3, z + 0.2), (x, -0.3, z + 0.2)]
    parts.append(panel(board, GLASS_COLOR if rng.uniform() < 0.5 else LIGHT_GREY, thickness=0.04))
    parts.append(box((-0.3, 0, high + 0.16), (0.7, 0.7 * width, 0.05), BLACK, METAL))
    bar = rng.uniform(0.2, 0.35)
    if style["bar"] == "down":
        path = [(front - 0.1, 0.3, 0.35), (front + bar, 0, 0.32), (front - 0.1, -0.3, 0.35)]
    else:
        path = [(front + 0.03, 0.15, 0.4), (front + 0.12, 0, 1.3), (front + 0.03, -0.15, 0.4)]
    parts.append(tube(path, 0.035, trim, segments=5))
    parts.append(cylinder((front - 0.6, -0.2, high), (front - 0.6, -0.2, high + 0.32), 0.06, BLACK))
    if rng.uniform() < 0.6:
        parts.append(beacon(rear + 0.3, 0.3, high + 0.1, color=ORANGE_LAMP))
    if rng.uniform() < 0.5:
        pair = (HAZARD_YELLOW, BLACK) if rng.uniform() < 0.6 else (WHITE, (0.75, 0.06, 0.05))
        low, top = (rear - 0.02, -half + 0.1, floor + 0.02), (rear + 0.03, half - 0.1, floor + 0.16)
        parts.append(striped_bar(low, top, 1, 8, pair))
    tail_lamps = [(rear, s * 0.35 * width, floor + 0.3) for s in (1, -1)]
    parts.append(boxes(tail_lamps, (0.05, 0.12, 0.12), (0.8, 0.05, 0.04), EMISSIVE))
    return Build(merge(parts))


POWER_UNIT_KINDS = {
    "ground_power_unit": Kind(
        "gse",
        {
            "box": Family("train", {"body": "box", "bar": "down"}),
            "slanted": Family("train", {"body": "slanted", "bar": "up"}),
            "box_bar_up": Family("val", {"body": "box", "bar": "up"}),
            "air_start": Family("test", {"body": "stack", "bar": "down"}),
        },
        _ground_power_unit,
    ),
}
