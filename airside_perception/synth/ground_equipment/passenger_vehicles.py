"""Apron buses, follow-me cars, vans and pick-ups."""

from __future__ import annotations

from collections.abc import Mapping
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
    pick,
    random_hue,
)
from airside_perception.synth.ground_equipment.vehicle import axle, beacon, bumper, lamps, striped_bar, wheel_arches
from airside_perception.synth.mesh_parts import (
    EMISSIVE,
    GLASS,
    PAINT,
    box,
    boxes,
    chamfered_box,
    merge,
    panel,
    prism,
    span_box,
)

Style = Mapping[str, Any]


def _bus(rng: np.random.Generator, style: Style) -> Build:
    length, width, tall = rng.uniform(*style["length"]), rng.uniform(*style["width"]), rng.uniform(2.85, 3.15)
    color = pick(
        rng,
        (
            (WHITE, 4.0),
            ((0.7, 0.72, 0.75), 1.0),
            ((0.1, 0.25, 0.5), 1.0),
            (HAZARD_YELLOW, 0.6),
            ((0.1, 0.45, 0.35), 0.5),
            ((0.6, 0.1, 0.1), 0.5),
        ),
    )
    stripe = random_hue(rng, (0.4, 1.0), (0.2, 0.9))
    front, rear, half = length / 2, -length / 2, width / 2
    floor, line, top = 0.3, rng.uniform(1.0, 1.3), tall
    lean = rng.uniform(0.05, 0.35)
    back = lean if style["symmetric"] else 0.08
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
    radius = 0.45
    stations = (front - rng.uniform(2.2, 2.9), rear + rng.uniform(2.4, 3.2))
    parts += [axle(x, width + 0.1, radius, 0.3, segments=12) for x in stations]
    parts.append(wheel_arches(stations, half, radius))

    def half_at(z: float) -> float:
        return half * (1 - 0.05 * (z - floor) / (top - floor))

    high = top - 0.32
    windows = int(rng.integers(5, 9))
    for s in (1, -1):
        side = [
            (rear + back + 0.25, s * half_at(line), line + 0.05),
            (front - lean - 0.25, s * half_at(line), line + 0.05),
            (front - lean - 0.25, s * half_at(high), high),
            (rear + back + 0.25, s * half_at(high), high),
        ]
        edges = np.linspace(0, 1, windows + 1)
        for a, b in zip(edges, edges[1:], strict=False):
            parts.append(panel(side, GLASS_COLOR, GLASS, (a + 0.006, b - 0.006, 0.0, 1.0)))
        doors = np.linspace(0.14, 0.86, style["doors"])
        for u in doors if s < 0 or style["symmetric"] else []:
            x = rear + u * length
            z0, z1 = floor + 0.08, high
            quad = [
                (x - 0.65, s * half_at(z0), z0),
                (x + 0.65, s * half_at(z0), z0),
                (x + 0.65, s * half_at(z1), z1),
                (x - 0.65, s * half_at(z1), z1),
            ]
            parts.append(panel(quad, np.multiply(color, 0.7), PAINT, thickness=0.03))
            parts.append(panel(quad, GLASS_COLOR, GLASS, (0.05, 0.47, 0.08, 0.95), 0.04))
            parts.append(panel(quad, GLASS_COLOR, GLASS, (0.53, 0.95, 0.08, 0.95), 0.04))
        band = [
            (rear + 0.05, s * half_at(0.8), 0.75),
            (front - 0.05, s * half_at(0.8), 0.75),
            (front - 0.05, s * half_at(0.95), 0.95),
            (rear + 0.05, s * half_at(0.95), 0.95),
        ]
        parts.append(panel(band, stripe, PAINT, thickness=0.012))
    for x0, x1, sign in ((front, front - lean, 1), (rear, rear + back, -1)):
        screen = [
            (x0, -sign * 0.46 * width, line + 0.05),
            (x0, sign * 0.46 * width, line + 0.05),
            (x1, sign * 0.44 * width, high),
            (x1, -sign * 0.44 * width, high),
        ]
        parts.append(panel(screen, GLASS_COLOR, GLASS, (0.02, 0.98, 0.0 if sign > 0 else 0.3, 1.0), 0.025))
    parts.append(box((front - lean - 0.1, 0, top - 0.16), (0.2, 0.6 * width, 0.22), BLACK))
    parts.append(box((front - lean + 0.01, 0, top - 0.17), (0.1, 0.45 * width, 0.14), ORANGE_LAMP, EMISSIVE))
    parts += lamps(front, rear, width, 0.65, 0.9, size=0.2)
    parts += [box((front - 0.1, s * (half + 0.08), 1.9), (0.08, 0.16, 0.4), BLACK) for s in (1, -1)]
    parts.append(
        chamfered_box(
            (rng.uniform(-3, 2), 0, top + 0.1), (rng.uniform(1.5, 3), 0.7 * width, 0.24), 0.05, np.multiply(color, 0.95)
        )
    )
    return Build(merge(parts))


def _service_van(rng: np.random.Generator, style: Style) -> Build:
    """Follow-me cars, vans and pick-ups."""
    length, width, tall = rng.uniform(*style["length"]), rng.uniform(1.75, 2.0), rng.uniform(*style["height"])
    color = pick(
        rng,
        (
            (WHITE, 2.5),
            (HAZARD_YELLOW, 2.0),
            ((0.9, 0.45, 0.05), 0.6),
            ((0.1, 0.2, 0.45), 0.8),
            (MID_GREY, 0.8),
            ((0.1, 0.1, 0.11), 0.5),
        ),
    )
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
    back_slope = {"van": 0.05, "car": rng.uniform(0.2, 0.6), "pickup": 0.1}[shape]
    upper = [(tail, line - 0.02), (foot, line - 0.02), (head, tall), (tail + back_slope, tall)]
    parts.append(prism(upper, -half + 0.03, half - 0.03, color, taper=0.88))
    rise = tall - line

    def half_at(z: float) -> float:
        return (half - 0.03) * (1 - 0.12 * (z - line) / rise)

    z0, z1 = line + 0.05, tall - 0.12
    share = np.array([(z0 - line) / rise, (z1 - line) / rise])
    fx, bx = foot + (head - foot) * share, tail + back_slope * share
    parts.append(
        panel(
            [
                (fx[0], -half_at(z0) + 0.08, z0),
                (fx[0], half_at(z0) - 0.08, z0),
                (fx[1], half_at(z1) - 0.08, z1),
                (fx[1], -half_at(z1) + 0.08, z1),
            ],
            GLASS_COLOR,
            GLASS,
        )
    )
    parts.append(
        panel(
            [
                (bx[0], half_at(z0) - 0.1, z0),
                (bx[0], -half_at(z0) + 0.1, z0),
                (bx[1], -half_at(z1) + 0.1, z1),
                (bx[1], half_at(z1) - 0.1, z1),
            ],
            GLASS_COLOR,
            GLASS,
        )
    )
    blind = 0.45 if shape == "van" and rng.uniform() < 0.7 else 0.04
    for s in (1, -1):
        side = [
            (bx[0], s * half_at(z0), z0),
            (fx[0] - 0.05, s * half_at(z0), z0),
            (fx[1] - 0.1, s * half_at(z1), z1),
            (bx[1], s * half_at(z1), z1),
        ]
        cuts = [blind, (blind + 0.97) / 2, 0.97]
        for a, b in zip(cuts, cuts[1:], strict=False):
            parts.append(panel(side, GLASS_COLOR, GLASS, (a + 0.015, b - 0.015, 0.0, 1.0)))
    if shape == "pickup":
        parts.append(span_box((rear + 0.1, -half + 0.1, line - 0.02), (tail - 0.05, half - 0.1, line + 0.01), BLACK))
    count = int(rng.integers(8, 16))
    if rng.uniform() < 0.5:
        second = BLACK if rng.uniform() < 0.4 else SIGNAL_RED
        for s in (1, -1):
            y = s * (half + 0.005)
            parts.append(
                striped_bar(
                    (rear + 0.1, min(y, y - s * 0.02), 0.62),
                    (front - 0.2, max(y, y - s * 0.02), 0.78),
                    0,
                    count,
                    (color, second),
                )
            )
    parts += [bumper(front, width * 0.95, 0.45, 0.2), bumper(rear, width * 0.95, 0.45, 0.2)]
    parts += lamps(front - 0.04, rear + 0.01, width, 0.68, 0.75)
    parts.append(beacon((tail + head) / 2, 0, tall, "bar" if rng.uniform() < 0.6 else "dome"))
    if style.get("board"):
        parts.append(box(((tail + head) / 2 - 0.2, 0, tall + 0.22), (0.1, 1.2, 0.4), BLACK))
        parts.append(
            boxes(
                [((tail + head) / 2 - 0.26, y, tall + 0.22) for y in np.linspace(-0.45, 0.45, 6)],
                (0.03, 0.1, 0.2),
                HAZARD_YELLOW,
                EMISSIVE,
            )
        )
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
            "pickup": Family(
                "test", {"shape": "pickup", "length": (5.0, 5.5), "height": (1.7, 1.85), "bonnet": (1.1, 1.35)}
            ),
        },
        _service_van,
    ),
}
