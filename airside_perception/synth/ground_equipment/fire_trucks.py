"""Airport crash tenders."""

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
    SIGNAL_RED,
    WHITE,
    Color,
    pick,
)
from airside_perception.synth.fitted_parts import panel
from airside_perception.synth.ground_equipment.end_marks import chevrons, number_plate
from airside_perception.synth.ground_equipment.vehicle import (
    axle,
    beacon,
    bumper,
    lamps,
    wheel_arches,
)
from airside_perception.synth.mesh_parts import GLASS, METAL, PAINT, Mesh, box, boxes, cylinder, merge, prism, tube

Style = Mapping[str, Any]
BLUE_LAMP: Color = (0.08, 0.2, 0.95)


def _fire_cab(front: float, half: float, floor: float, top: float, long: float, color: Color) -> list[Mesh]:
    """Wide cab with a high windscreen and a black band of side windows."""
    back = front - long
    outline = [(back, floor), (front - 0.15, floor), (front, floor + 0.5), (front - 0.12, floor + 1.1)]
    outline += [(front - 0.6, top - 0.1), (front - 0.8, top), (back, top)]
    parts = [prism(outline, -half, half, color, taper=0.94)]
    low, high = floor + 1.12, top - 0.18
    ahead = [front - 0.12, front - 0.12 - 0.48 * (high - low) / (top - 0.1 - floor - 1.1)]
    y0, y1 = 0.93 * half, 0.9 * half
    screen = [(ahead[0], -y0, low), (ahead[0], y0, low), (ahead[1], y1, high), (ahead[1], -y1, high)]
    parts.append(panel(screen, GLASS_COLOR, GLASS, thickness=0.03))
    for sign in (1, -1):
        a, b = sign * half * 0.975, sign * half * 0.953
        side = [(back + 0.3, a, low), (ahead[0] - 0.12, a, low), (ahead[1] - 0.12, b, high), (back + 0.3, b, high)]
        for u0, u1 in ((0.0, 0.47), (0.52, 1.0)):
            parts.append(panel(side, GLASS_COLOR, GLASS, (u0, u1, 0.0, 1.0), 0.03))
        parts.append(box((front - 0.3, sign * (half + 0.16), floor + 1.5), (0.1, 0.22, 0.5), BLACK))
    return [*parts, box((front - 0.02, 0, floor + 0.45), (0.16, 1.5 * half, 0.4), BLACK)]


def _fire_truck(rng: np.random.Generator, style: Style) -> Build:
    """Airport crash tender: big wheels, water cannon on the roof, equipment shutters."""
    length, width, top = rng.uniform(*style["length"]), rng.uniform(2.7, 3.0), rng.uniform(3.1, 3.5)
    color = pick(rng, ((SIGNAL_RED, 3.0), ((0.75, 0.9, 0.1), 1.5), ((0.95, 0.4, 0.05), 0.6)))
    front, rear, half = length / 2, -length / 2, width / 2
    floor, radius, long = 0.75, 0.62, rng.uniform(2.2, 2.7)
    stations = [front - 0.16 * length + 0.1]
    stations += [rear + 1.6 + 1.5 * k for k in range(style["axles"] - 1)]
    if style["axles"] == 4:
        stations = [front - 1.5, front - 3.0, rear + 3.1, rear + 1.6]
    parts = [axle(x, width + 0.06, radius, 0.42, segments=12) for x in stations]
    parts += _fire_cab(front, half, floor, top, long, color)
    start, low = front - long, rng.uniform(0.0, 0.5)
    body = np.array([(rear, floor), (start + 0.02, floor), (start + 0.02, top - low), (rear, top - low)])
    parts.append(prism(body, -half, half, color))
    parts.append(wheel_arches(stations, half, radius))
    stripe = WHITE if color[0] > 0.5 and color[1] < 0.6 else SIGNAL_RED
    for sign in (1, -1):
        side = [(x, sign * half, z) for x, z in body]
        shutters = int(rng.integers(3, 5))
        for k in range(shutters):
            inset = (0.04 + 0.9 * k / shutters, 0.9 * (k + 0.85) / shutters + 0.04, 0.42, 0.92)
            parts.append(panel(side, ALUMINIUM, METAL, inset, 0.02))
        band = [
            (rear + 0.02, floor + 0.75),
            (front - 0.2, floor + 0.75),
            (front - 0.2, floor + 0.95),
            (rear + 0.02, floor + 0.95),
        ]
        parts.append(panel([(x, sign * half, z) for x, z in band], stripe, PAINT, thickness=0.015))
    pivot = np.array([start - 0.6 if not style.get("boom") else rear + 1.4, 0, top - low])
    parts.append(cylinder(pivot - (0, 0, 0.1), pivot + (0, 0, 0.3), 0.3, DARK_GREY, segments=8))
    reach = rng.uniform(4.5, 6.0) if style.get("boom") else rng.uniform(0.9, 1.4)
    lift = rng.uniform(0.02, 0.15) if rng.uniform() < 0.6 else rng.uniform(0.15, 0.6)
    tip = pivot + np.array([reach * np.cos(lift), 0, 0.25 + reach * np.sin(lift)])
    parts.append(
        tube([pivot + (0, 0, 0.25), tip], 0.14 if style.get("boom") else 0.08, color if style.get("boom") else BLACK)
    )
    parts.append(tube([(front + 0.02, 0, 0.95), (front + 0.5, 0, 1.05)], 0.06, BLACK))
    parts += [bumper(front, width * 0.96, 0.62, 0.4, WHITE if rng.uniform() < 0.5 else DARK_GREY, 0.3)]
    parts += [bumper(rear, width * 0.96, 0.6, 0.3, DARK_GREY), number_plate(rear - 0.08, 0.62)]
    parts += lamps(front + 0.1, rear - 0.02, width, 0.95, 0.95, size=0.22)
    parts += [beacon(front - 1.2, s * 0.6 * half, top - 0.02, "dome", BLUE_LAMP) for s in (1, -1)]
    parts += [beacon(rear + 0.3, s * 0.8 * half, top - low - 0.02, "dome", BLUE_LAMP) for s in (1, -1)]
    if rng.uniform() < 0.7:
        parts.append(chevrons(rear - 0.02, 0.92 * half, floor + 0.4, floor + 1.3, (HAZARD_YELLOW, SIGNAL_RED)))
    ladder = [(rear - 0.06, y, (floor + top - low) / 2) for y in (0.25 - half, 0.65 - half)]
    parts.append(boxes(ladder, (0.05, 0.05, top - low - floor), LIGHT_GREY, METAL))
    return Build(merge(parts))


FIRE_TRUCK_KINDS = {
    "fire_truck": Kind(
        "gse",
        {
            "three_axles": Family("train", {"axles": 3, "length": (10.2, 11.8)}),
            "two_axles": Family("train", {"axles": 2, "length": (7.8, 9.2)}),
            "four_axles": Family("val", {"axles": 4, "length": (11.6, 12.6)}),
            "boom": Family("test", {"axles": 3, "length": (10.6, 12.0), "boom": True}),
        },
        _fire_truck,
    ),
}
