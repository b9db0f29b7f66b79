"""Air start units and air conditioning units, towed or on a truck, with their hoses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    BLACK,
    DARK_GREY,
    HAZARD_YELLOW,
    LIGHT_GREY,
    MID_GREY,
    WHITE,
    Color,
    equipment_color,
    jitter,
    pick,
)
from airside_perception.synth.fitted_parts import panel
from airside_perception.synth.ground_equipment.end_marks import chevrons, fleet_number, number_plate
from airside_perception.synth.ground_equipment.vehicle import at_work, axle, beacon, lamps, truck_chassis
from airside_perception.synth.mesh_parts import (
    FABRIC,
    METAL,
    Mesh,
    box,
    boxes,
    chamfered_box,
    cylinder,
    merge,
    span_box,
    tube,
)

Style = Mapping[str, Any]


def _housing(
    rng: np.random.Generator, x0: float, x1: float, half: float, floor: float, top: float, color: Color
) -> list[Mesh]:
    """Machine housing with doors, louvres and a control board on the left."""
    middle, level = (x0 + x1) / 2, (floor + top) / 2
    parts = [chamfered_box((middle, 0, level), (x1 - x0, 2 * half, top - floor), 0.08, color)]
    doors = int(rng.integers(2, 5))
    for sign in (1, -1):
        side = [(x0, sign * half, floor), (x1, sign * half, floor), (x1, sign * half, top), (x0, sign * half, top)]
        for k in range(doors):
            inset = (0.04 + 0.92 * k / doors, 0.04 + 0.92 * (k + 0.9) / doors, 0.08, 0.9)
            parts.append(panel(side, np.multiply(color, 0.86), inset=inset, thickness=0.012))
            if rng.uniform() < 0.7:
                for z in np.linspace(0.5, 0.8, 4):
                    parts.append(panel(side, BLACK, METAL, (inset[0] + 0.02, inset[1] - 0.02, z, z + 0.03), 0.02))
    parts.append(box((x1 - 0.4, half, level + 0.1), (0.4, 0.05, 0.35), LIGHT_GREY))
    parts.append(boxes([(middle + d, 0, top + 0.01) for d in (-0.3, 0.0, 0.3)], (0.2, 1.2 * half, 0.05), BLACK, METAL))
    return parts


def _hose(laid: bool, rear: float, half: float, top: float, radius: float, color: Color) -> list[Mesh]:
    """Hose coiled in its rack behind the housing, or laid out beside the unit."""
    if not laid:
        turn = np.linspace(0, 1.7 * np.pi, 9)
        ring = 0.65 * half
        coil = np.stack(
            [np.full(9, rear - 0.1), ring * np.cos(turn), 0.45 * top + 0.25 + 0.8 * ring * np.sin(turn)], -1
        )
        return [tube(coil, radius, color, FABRIC)]
    side = half + radius + 0.05
    share = np.linspace(0, 1, 7)
    path = np.stack([rear + 0.1 + 1.6 * share, side + 0.12 * np.sin(5 * share), np.full(7, radius)], -1)
    drop = np.array([(rear - 0.05, 0.3 * half, 0.5 * top), (rear - 0.15, side, radius)])
    return [tube(np.concatenate([drop, path]), radius, color, FABRIC)]


def _unit(rng: np.random.Generator, style: Style, stacks: int, hose: Color, radius: float) -> Build:
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    if style["drive"] == "truck":
        length = rng.uniform(5.8, 7.0)
        parts, behind, floor = truck_chassis(rng, length, 2.2, color, {"cab": "low"})
        x0, x1, half, top = -length / 2 + 0.3, behind - 0.15, 1.05, rng.uniform(2.1, 2.5)
        parts += _housing(rng, x0, x1, half, floor + 0.02, top, WHITE if rng.uniform() < 0.4 else color)
    else:
        length, width = rng.uniform(*style["length"]), rng.uniform(1.6, 2.0)
        x0, x1, half, wheels = -length / 2, length / 2, width / 2, rng.uniform(0.27, 0.34)
        floor, top = 2 * wheels, rng.uniform(1.7, 2.1)
        parts = [axle(x, width + 0.05, wheels, 0.2) for x in (x1 - 0.6, x0 + 0.6)]
        parts.append(span_box((x0, 0.15 - half, floor - 0.2), (x1, half - 0.15, floor + 0.02), trim, METAL))
        parts += _housing(rng, x0 + 0.1, x1 - 0.1, half, floor, top, color)
        bar = [(x1 - 0.1, 0.35, 0.4), (x1 + rng.uniform(0.5, 0.8), 0, 0.34), (x1 - 0.1, -0.35, 0.4)]
        if at_work(rng, style, 0.3):  # folded up: parked
            bar = [(x1, 0.2, 0.45), (x1 + 0.1, 0, 1.35), (x1, -0.2, 0.45)]
        parts.append(tube(bar, 0.04, trim, segments=5))
        parts.append(chevrons(x0 - 0.02 + 0.1, 0.85 * half, floor + 0.05, floor + 0.35, (HAZARD_YELLOW, BLACK)))
        parts += [number_plate(x0 + 0.0, floor - 0.1), *lamps(x1, x0, width - 0.1, floor - 0.1, size=0.12)[1:]]
        if rng.uniform() < 0.5:
            parts.append(beacon(x0 + 0.5, 0.4 * half, top))
    for k in range(stacks):
        y = (k - (stacks - 1) / 2) * 0.7
        parts.append(cylinder((x0 + 0.7, y, top - 0.05), (x0 + 0.7, y, top + 0.3), 0.19, MID_GREY, METAL, segments=10))
        parts.append(cylinder((x0 + 0.7, y, top + 0.29), (x0 + 0.7, y, top + 0.31), 0.15, BLACK, segments=10))
    parts += _hose(at_work(rng, style, 0.5), x0 - 0.03, half, top, radius, hose)
    parts.append(fleet_number(rng, x1 - 1.0, half + 0.01, top - 0.15, BLACK if sum(color) > 1.2 else WHITE))
    return Build(merge(parts))


def _air_start_unit(rng: np.random.Generator, style: Style) -> Build:
    return _unit(rng, style, int(style["stacks"]), jitter(rng, (0.12, 0.11, 0.1), 0.1), rng.uniform(0.07, 0.1))


def _air_conditioning_unit(rng: np.random.Generator, style: Style) -> Build:
    duct = pick(rng, ((HAZARD_YELLOW, 2.0), ((0.15, 0.3, 0.6), 1.0), (LIGHT_GREY, 1.0), ((0.9, 0.4, 0.1), 0.6)))
    return _unit(rng, style, 0, duct, rng.uniform(0.14, 0.2))


AIR_UNIT_KINDS = {
    "air_start_unit": Kind(
        "gse",
        {
            "trailer": Family("train", {"drive": "towed", "stacks": 1, "length": (3.2, 4.0)}),
            "truck": Family("train", {"drive": "truck", "stacks": 1}),
            "twin_stacks": Family("val", {"drive": "towed", "stacks": 2, "length": (3.6, 4.4)}),
            "twin_truck": Family("test", {"drive": "truck", "stacks": 2}),
        },
        _air_start_unit,
    ),
    "air_conditioning_unit": Kind(
        "gse",
        {
            "trailer": Family("train", {"drive": "towed", "length": (3.4, 4.4)}),
            "truck": Family("train", {"drive": "truck"}),
            "long_trailer": Family("val", {"drive": "towed", "length": (4.6, 5.4)}),
            "short_trailer": Family("test", {"drive": "towed", "length": (2.6, 3.2)}),
        },
        _air_conditioning_unit,
    ),
}
