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
    equipment_color,
    jitter,
    random_hue,
)
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
    panel,
    prism,
    span_box,
    tube,
)

Style = Mapping[str, Any]


def _ground_power_unit(rng: np.random.Generator, style: Style) -> Build:
    length, width, tall = rng.uniform(2.6, 3.4), rng.uniform(1.5, 1.75), rng.uniform(1.6, 1.95)
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear, half = length / 2, -length / 2, width / 2
    radius = rng.uniform(0.24, 0.3)
    parts: list[Mesh] = [axle(front - 0.55, width - 0.1, radius, 0.18), axle(rear + 0.5, width - 0.1, radius, 0.18)]
    floor = 2 * radius - 0.05
    parts.append(span_box((rear, -half + 0.12, floor - 0.15), (front, half - 0.12, floor + 0.05), trim, METAL))
    if style["body"] == "box":
        parts.append(chamfered_box((0, 0, (floor + tall) / 2), (length - 0.06, width, tall - floor), 0.08, color))
    elif style["body"] == "slanted":
        drop = rng.uniform(0.25, 0.5)
        outline = [
            (rear + 0.02, floor),
            (front - 0.02, floor),
            (front - 0.02, tall - drop),
            (front - 0.5, tall),
            (rear + 0.15, tall),
            (rear + 0.02, tall - 0.15),
        ]
        parts.append(prism(outline, -half, half, color, taper=0.95))
    else:  # air start unit: lower body with a big exhaust stack
        parts.append(
            chamfered_box((0.1, 0, (floor + tall * 0.85) / 2), (length - 0.3, width, tall * 0.85 - floor), 0.1, color)
        )
        parts.append(
            cylinder((rear + 0.6, 0.2, tall * 0.7), (rear + 0.6, 0.2, tall + 0.1), 0.18, MID_GREY, METAL, segments=10)
        )
    side_high = tall * 0.85 - 0.12 if style["body"] == "stack" else tall - 0.15
    for s in (1, -1):
        quad = [
            (rear + 0.25, s * half * 0.985, floor + 0.1),
            (front - 0.55, s * half * 0.985, floor + 0.1),
            (front - 0.55, s * half * 0.965, side_high),
            (rear + 0.25, s * half * 0.965, side_high),
        ]
        doors = int(rng.integers(2, 4))
        for k in range(doors):
            parts.append(
                panel(
                    quad, np.multiply(color, 0.85), PAINT, (k / doors + 0.02, (k + 1) / doors - 0.02, 0.05, 0.95), 0.03
                )
            )
        for level in np.linspace(0.55, 0.8, 5):
            parts.append(panel(quad, BLACK, METAL, (0.08, 0.08 + 0.7 / doors, level, level + 0.025), 0.04))
        parts.append(panel(quad, random_hue(rng, (0.2, 1.0), (0.1, 0.9)), PAINT, (0.6, 0.9, 0.1, 0.3), 0.04))
        hook = [(front - 0.7, s * (half + 0.06), floor + 0.45), (rear + 0.5, s * (half + 0.06), floor + 0.4)]
        if rng.uniform() < 0.6:
            parts.append(
                tube(
                    [hook[0], ((hook[0][0] + hook[1][0]) / 2, hook[0][1], floor + 0.2), hook[1]],
                    0.04,
                    BLACK,
                    RUBBER,
                    segments=5,
                )
            )
    parts.append(
        panel(
            [
                (front - 0.03, -0.3, floor + 0.3),
                (front - 0.03, 0.3, floor + 0.3),
                (front - 0.03, 0.3, floor + 0.7),
                (front - 0.03, -0.3, floor + 0.7),
            ],
            GLASS_COLOR if rng.uniform() < 0.5 else LIGHT_GREY,
            thickness=0.04,
        )
    )
    parts.append(box((-0.3, 0, side_high + 0.16), (0.7, 0.7 * width, 0.05), BLACK, METAL))
    bar = rng.uniform(0.2, 0.35)
    if style["bar"] == "down":
        parts.append(
            tube([(front - 0.1, 0.3, 0.35), (front + bar, 0, 0.32), (front - 0.1, -0.3, 0.35)], 0.035, trim, segments=5)
        )
    else:
        parts.append(
            tube(
                [(front + 0.03, 0.15, 0.4), (front + 0.12, 0, 1.3), (front + 0.03, -0.15, 0.4)], 0.035, trim, segments=5
            )
        )
    parts.append(cylinder((front - 0.6, -0.2, side_high), (front - 0.6, -0.2, side_high + 0.32), 0.06, BLACK))
    if rng.uniform() < 0.6:
        parts.append(beacon(rear + 0.3, 0.3, side_high + 0.1, color=ORANGE_LAMP))
    if rng.uniform() < 0.5:
        parts.append(
            striped_bar(
                (rear - 0.02, -half + 0.1, floor + 0.02),
                (rear + 0.03, half - 0.1, floor + 0.16),
                1,
                8,
                (HAZARD_YELLOW, BLACK) if rng.uniform() < 0.6 else (WHITE, (0.75, 0.06, 0.05)),
            )
        )
    parts.append(
        boxes([(rear, s * 0.35 * width, floor + 0.3) for s in (1, -1)], (0.05, 0.12, 0.12), (0.8, 0.05, 0.04), EMISSIVE)
    )
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
