"""Belt loaders and container loaders."""

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
    WHITE,
    Color,
    equipment_color,
    jitter,
)
from airside_perception.synth.ground_equipment.end_marks import fleet_number, rear_end
from airside_perception.synth.ground_equipment.vehicle import (
    axle,
    beacon,
    bumper,
    cab,
    lamps,
    lifted,
    rail,
    striped_bar,
)
from airside_perception.synth.mesh_parts import (
    FABRIC,
    METAL,
    RUBBER,
    FloatArray,
    Mesh,
    box,
    chamfered_box,
    cylinder,
    hexahedra,
    merge,
    prism,
    span_box,
    tube,
)

Style = Mapping[str, Any]


def _belt_chassis(
    rng: np.random.Generator,
    style: Style,
    rear: float,
    front: float,
    width: float,
    deck: float,
    color: Color,
    trim: Color,
) -> list[Mesh]:
    """Low body with the driver at the left front."""
    half = width / 2
    radius = rng.uniform(0.34, 0.4)
    parts = [axle(rear + 0.8, width, radius, 0.22), axle(front - 0.9, width, radius, 0.22)]
    parts.append(span_box((rear, 0.28 - half, 0.28), (front, half - 0.28, 0.5), trim))
    ends = [(rear, 0.35), (front, 0.35), (front, deck - rng.uniform(0.1, 0.25))]
    hull = [*ends, (front - 0.25, deck), (rear + 0.1, deck), (rear, deck - 0.15)]
    parts += [prism(hull, half - 0.26, half, color), prism(hull, -half, 0.26 - half, color)]
    parts.append(span_box((rear + 0.5, 0.05, 0.4), (front - 0.05, half - 0.05, deck - 0.08), color))
    seat = front - rng.uniform(1.0, 1.5)
    if style["cab"]:
        top, y = rng.uniform(1.85, 2.05), half - 0.45
        parts.append(cab(seat - 0.6, front - 0.05, 0.5, top, 0.85, color, 0.2, 0.05, 0.4, trim, y=y))
        return parts
    y, wheel_at = half - 0.4, seat + 0.6
    parts.append(box((seat, y, deck + 0.05), (0.45, 0.42, 0.12), BLACK, FABRIC))
    parts.append(box((seat - 0.22, y, deck + 0.32), (0.1, 0.42, 0.5), BLACK, FABRIC))
    parts.append(cylinder((wheel_at + 0.15, y, deck - 0.1), (wheel_at, y, deck + 0.35), 0.03, BLACK, segments=4))
    parts.append(cylinder((wheel_at, y, deck + 0.35), (wheel_at - 0.02, y, deck + 0.38), 0.18, BLACK, segments=8))
    return [*parts, box((front - 0.2, y, deck + 0.08), (0.3, 0.7, 0.3), color)]


def _belt(rear: FloatArray, pivot: FloatArray, front: FloatArray, wide: float, color: Color, trim: Color) -> list[Mesh]:
    """Conveyor of two straight pieces with drums at the ends and a buffer at the head."""
    parts = []
    for a, b in ((rear, pivot), (pivot, front)):
        frame = [(p[0], p[1] + s * wide / 2, p[2] + h) for h in (-0.14, 0.08) for s in (-1, 1) for p in (a, b)]
        band = [(p[0], p[1] + s * (wide / 2 - 0.08), p[2] + h) for h in (0.0, 0.1) for s in (-1, 1) for p in (a, b)]
        parts += [hexahedra(frame, color, METAL), hexahedra(band, BLACK, RUBBER)]
    for p in (rear, front):
        parts.append(cylinder(p + (0, -wide / 2, -0.03), p + (0, wide / 2, -0.03), 0.12, trim))
    return [*parts, box(front + (-0.02, 0.0, 0.0), (0.14, wide + 0.1, 0.26), BLACK, RUBBER)]


def _belt_loader(rng: np.random.Generator, style: Style) -> Build:
    """Conveyor that rises forward over a low chassis; the boom reaches beyond both ends."""
    length, width = rng.uniform(7.0, 8.4), rng.uniform(1.85, 2.15)
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    chassis, back = rng.uniform(0.52, 0.64) * length, rng.uniform(0.15, 0.3) * length
    c0, c1 = -length / 2 + back, -length / 2 + back + chassis
    deck = rng.uniform(0.75, 0.9)
    parts = _belt_chassis(rng, style, c0, c1, width, deck, color, trim)
    # The foot stays low at the rear, the head rises to the hold door.
    lift = lifted(rng, style, 0.6, (0.1, 0.36), (0.0, 0.1))
    drop, wide = rng.uniform(0.0, 0.1), rng.uniform(0.72, 0.9)
    across = -width / 2 + 0.42 if style["seat"] == "side" else 0.0
    pivot = np.array([c0 + 0.25 * chassis, across, deck + 0.3])
    front = pivot + np.array([1.0, 0.0, np.tan(lift)]) * (length / 2 - pivot[0])
    sink = max(lift - drop, 0.0) if style["straight"] else -rng.uniform(-0.02, 0.12)
    rear = pivot - np.array([np.cos(sink), 0, np.sin(sink)]) * (pivot[0] + length / 2) * 0.98
    rear[2] = max(rear[2], 0.4)
    parts += _belt(rear, pivot, front, wide, color if rng.uniform() < 0.5 else LIGHT_GREY, trim)
    if style["rails"]:
        path = [p + np.array([0, wide / 2, 0.06]) for p in (pivot, (pivot + front) / 2, front)]
        tall = 0.9 if rng.uniform() < 0.6 else 0.35
        parts.append(rail(path, tall, HAZARD_YELLOW if rng.uniform() < 0.5 else LIGHT_GREY, bars=2))
    held = pivot + 0.55 * (front - pivot)
    if held[2] > deck + 0.5 or "lift" in style:
        for s in (0.25, -0.25):
            ram, arm = np.array([c1 - 0.7, across + s, deck - 0.2]), np.array([pivot[0] + 0.3, across + 1.2 * s, deck])
            parts.append(cylinder(ram, held + (0, s, -0.1), 0.06, ALUMINIUM))
            parts.append(cylinder(arm, held + (0.2, 1.2 * s, -0.1), 0.05, trim, segments=4))
    parts += [bumper(c1, width, 0.42, 0.22, trim), bumper(c0, width, 0.42, 0.2, trim)]
    if rng.uniform() < 0.5:
        parts.append(striped_bar((c1 + 0.05, -width / 2 + 0.05, 0.38), (c1 + 0.09, width / 2 - 0.05, 0.5), 1, 8))
    parts += lamps(c1 + 0.04, c0, width, 0.62)
    parts += rear_end(rng, c0 - 0.08, 0.7 * width, 0.36, 0.62)
    if rng.uniform() < 0.5:
        parts.append(fleet_number(rng, (c0 + c1) / 2, width / 2, 0.62, BLACK if sum(color) > 1.2 else WHITE))
    if rng.uniform() < 0.7:
        x, y = c0 + 0.4, width / 2 - 0.12
        parts += [tube([(x, y, deck), (x, y, deck + 0.7)], 0.03, trim, segments=4), beacon(x, y, deck + 0.7)]
    return Build(merge(parts), {"belt_head": front + (0, 0, 0.1), "belt_foot": rear + (0, 0, 0.1)})


def _container_loader(rng: np.random.Generator, style: Style) -> Build:
    """Main platform and bridge at the front, both on scissor lifts."""
    length, width = rng.uniform(8.0, 9.8), rng.uniform(3.0, 3.6)
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear, half = length / 2, -length / 2, width / 2
    radius = 0.42
    parts: list[Mesh] = [
        axle(front - 1.4, width - 0.3, radius, 0.34),
        axle(rear + 1.5, width - 0.3, radius, 0.34),
        axle(rear + 2.5, width - 0.3, radius, 0.34),
    ]
    for s in (1, -1):
        parts.append(box((0, s * (half - 0.75), 0.62), (length - 0.4, 0.3, 0.4), trim, METAL))
    split = front - rng.uniform(2.4, 3.2)
    bridge = top = rng.uniform(1.8, 3.2)
    if style.get("moving"):
        bridge = rng.uniform(1.5, 1.9)
    top = max(top, bridge + 0.4)
    bridge += style.get("lift", 0.0) * (top - bridge)
    main = lifted(rng, style, 0.5, (0.8 * top, top) if "lift" in style else (1.0, bridge), (0.95, 1.3))

    def platform(x0: float, x1: float, z: float, shade: Any) -> None:
        parts.append(box(((x0 + x1) / 2, 0, z - 0.12), (x1 - x0, width - 0.3, 0.24), shade, METAL))
        count = int((x1 - x0) / 0.42)
        for x in np.linspace(x0 + 0.2, x1 - 0.2, count):
            parts.append(box((x, 0, z + 0.02), (0.16, width - 0.7, 0.07), ALUMINIUM, METAL))
        for d in (1, -1):
            for s in (1, -1):
                reach = 0.8 * (x1 - x0)
                middle = (x0 + x1) / 2
                a, b = (
                    (middle - d * reach / 2, s * (half - 0.5), 0.75),
                    (middle + d * reach / 2, s * (half - 0.52), z - 0.2),
                )
                parts.append(tube([a, b], 0.09, trim if rng.uniform() < 0.5 else color, segments=4))

    platform(rear + 0.1, split - 0.1, main, color)
    platform(split, front, bridge, color)
    for s in (1, -1):
        foot = [
            (split + 0.1, s * (half - 0.2), bridge),
            ((split + front) / 2, s * (half - 0.2), bridge),
            (front - 0.1, s * (half - 0.2), bridge),
        ]
        parts.append(rail(foot, 1.05, HAZARD_YELLOW if rng.uniform() < 0.6 else LIGHT_GREY))
        parts.append(
            box(((rear + split) / 2, s * (half - 0.12), main + 0.06), (split - rear - 0.3, 0.12, 0.25), HAZARD_YELLOW)
        )
    parts.append(box((front - 0.02, 0, bridge - 0.05), (0.14, width - 0.2, 0.3), BLACK, RUBBER))
    # Operator stand beside the bridge, with or without a cab.
    y = half - 0.35
    if style["cab"]:
        parts.append(
            cab(split + 0.2, split + 1.5, bridge + 0.05, bridge + 1.95, 0.9, color, 0.1, 0.03, 0.35, trim, y=y)
        )
    else:
        parts.append(box((split + 0.5, y, bridge + 0.55), (0.4, 0.5, 1.0), color))
        if style["canopy"]:
            corners = [
                (split + 0.1, y + 0.35, bridge),
                (split + 0.1, y - 0.4, bridge),
                (split + 1.3, y + 0.35, bridge),
                (split + 1.3, y - 0.4, bridge),
            ]
            parts += [cylinder(np.array(c), np.array(c) + (0, 0, 2.0), 0.03, trim, segments=4) for c in corners]
            parts.append(box((split + 0.7, y, bridge + 2.02), (1.4, 0.95, 0.08), color))
    parts.append(chamfered_box((split - 1.0, half - 0.35, 0.95), (1.6, 0.6, 0.7), 0.06, color))
    parts.append(chamfered_box((split - 1.0, 0.35 - half, 0.95), (1.6, 0.6, 0.7), 0.06, color))
    parts += [bumper(front - 0.15, width - 0.4, 0.5, 0.25, trim), bumper(rear + 0.15, width - 0.4, 0.5, 0.25, trim)]
    parts.append(striped_bar((rear + 0.04, -half + 0.3, 0.42), (rear + 0.08, half - 0.3, 0.58), 1, 12))
    parts += rear_end(rng, rear + 0.03, width - 0.6, 0.66, 0.84)
    parts += lamps(front - 0.1, rear + 0.1, width - 0.3, 0.8)
    parts.append(beacon(split - 0.3, half - 0.35, 1.3))
    return Build(merge(parts), {"bridge": np.array([front, 0, bridge])})


LOADER_KINDS = {
    "belt_loader": Kind(
        "gse",
        {
            "open_centre": Family("train", {"seat": "centre", "cab": False, "rails": True, "straight": True}),
            "open_side": Family("train", {"seat": "side", "cab": False, "rails": False, "straight": False}),
            "cab_side": Family("train", {"seat": "side", "cab": True, "rails": True, "straight": True}),
            "open_side_rails": Family("val", {"seat": "side", "cab": False, "rails": True, "straight": True}),
            "cab_bent": Family("test", {"seat": "side", "cab": True, "rails": False, "straight": False}),
        },
        _belt_loader,
    ),
    "container_loader": Kind(
        "gse",
        {
            "open": Family("train", {"cab": False, "canopy": False}),
            "canopy": Family("train", {"cab": False, "canopy": True}),
            "cab_canopy": Family("val", {"cab": True, "canopy": True}),
            "cab": Family("test", {"cab": True, "canopy": False}),
        },
        _container_loader,
    ),
}
