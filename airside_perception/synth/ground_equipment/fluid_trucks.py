"""Fuel trucks, hydrant dispensers and de-icers."""

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
    random_hue,
)
from airside_perception.synth.fitted_parts import panel
from airside_perception.synth.ground_equipment.vehicle import at_work, cab, rail, truck_chassis
from airside_perception.synth.mesh_parts import (
    METAL,
    PAINT,
    Mesh,
    box,
    boxes,
    chamfered_box,
    cylinder,
    loft,
    merge,
    tube,
)

Style = Mapping[str, Any]


def _tank(
    rng: np.random.Generator, rear: float, front: float, low: float, high: float, half: float, body: Color
) -> Mesh:
    """Shell between a box and an ellipse in section, with dished ends and perhaps a coloured band."""
    angle = np.arange(16) * 2 * np.pi / 16
    squash = rng.uniform(0.5, 1.0)
    side, up = np.sin(angle), np.cos(angle)
    y = np.sign(side) * np.abs(side) ** squash * half
    z = np.sign(up) * np.abs(up) ** squash * (high - low) / 2
    sections = ((rear, 0.75), (rear + 0.2, 1.0), (front - 0.2, 1.0), (front, 0.75))
    rings = [np.stack([np.full(16, x), y * k, (low + high) / 2 + z * k], -1) for x, k in sections]
    bands = np.broadcast_to(np.asarray(body, dtype=np.float32), (3, 16, 3)).copy()
    if rng.uniform() < 0.5:
        bands[:, [3, 4, 11, 12]] = random_hue(rng, (0.4, 1.0), (0.2, 0.8))
    return loft(np.stack(rings), bands, METAL if rng.uniform() < 0.4 else PAINT)


def _tank_body(
    rng: np.random.Generator,
    style: Style,
    rear: float,
    start: float,
    frame: float,
    width: float,
    body: Color,
    trim: Color,
) -> list[Mesh]:
    """Tank with manholes, walkway rail, side boxes, placards and a pump cabinet behind the cab."""
    module = rng.uniform(0.0, 1.3)
    low, high, half = frame + 0.08, rng.uniform(2.7, 3.05), width / 2 - 0.05
    x0, x1 = rear + 0.15, start - module
    parts = [_tank(rng, x0, x1, low, high, half, body)]
    for x in np.linspace(x0 + 0.6, x1 - 0.6, 3):
        parts.append(cylinder((x, 0, high - 0.05), (x, 0, high + 0.12), 0.28, trim, METAL))
    walkway = [(x0 + 0.3, 0.35, high - 0.05), (x1 - 0.3, 0.35, high - 0.05)]
    parts.append(rail(walkway, 0.35, LIGHT_GREY, bars=1))
    middle, level = (x0 + x1) / 2, (low + high) / 2
    for sign in (1, -1):
        parts.append(box((middle, sign * (half - 0.2), frame + 0.05), (x1 - x0 - 0.3, 0.4, 0.12), trim))
        corners = [(-0.3, -0.2), (0.3, -0.2), (0.3, 0.2), (-0.3, 0.2)]
        quad = [(middle + dx, sign * (half + 0.005), level + dz) for dx, dz in corners]
        parts.append(panel(quad, SIGNAL_RED if body[1] > 0.2 else WHITE))
    if module > 0.4:
        x = start - module / 2
        parts.append(box((x, 0, (frame + 2.1) / 2), (module, width - 0.1, 2.1 - frame), body))
        parts.append(box((x, 0, frame + 0.6), (module * 0.7, width - 0.04, 0.7), trim))
    return parts


def _dispenser_body(
    rng: np.random.Generator,
    style: Style,
    rear: float,
    start: float,
    frame: float,
    width: float,
    body: Color,
    trim: Color,
) -> list[Mesh]:
    """Hydrant dispenser: low body, hose reels, lifting platform."""
    low = rng.uniform(1.5, 1.9)
    level, size = (frame + low) / 2, (start - rear - 0.2, width - 0.1, low - frame + 0.2)
    parts = [chamfered_box(((rear + start) / 2, 0, level), size, 0.08, body)]
    y, reel = width / 2 - 0.02, 0.36 * (low - frame) + 0.1
    for x in np.linspace(rear + 0.8, start - 0.8, 3):
        parts.append(cylinder((x, -y, level), (x, y, level), reel, BLACK, METAL, segments=12))
    deck = low + (rng.uniform(0.1, 1.0) if at_work(rng, style, 0.5) else 0.05)
    at = rear + 0.9
    parts.append(box((at, 0, deck), (1.2, width - 0.4, 0.1), MID_GREY, METAL))
    arms = [(dx, dy) for dx in (0.45, -0.45) for dy in (0.5, -0.5)]
    parts += [cylinder((at + dx, dy, low - 0.1), (at - dx, dy, deck), 0.05, trim) for dx, dy in arms]
    edge = [(at + 0.55, 0.9, deck), (at - 0.55, 0.9, deck), (at - 0.55, -0.9, deck), (at + 0.55, -0.9, deck)]
    return [*parts, rail(edge, 0.95, HAZARD_YELLOW)]


def _fuel_truck(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(2.35, 2.6)
    color = equipment_color(rng)
    parts, behind, frame = truck_chassis(rng, length, width, color, style)
    body = pick(rng, ((WHITE, 2.0), (ALUMINIUM, 2.0), (color, 2.0), (HAZARD_YELLOW, 0.8), ((0.1, 0.35, 0.2), 0.6)))
    trim = jitter(rng, DARK_GREY, 0.1)
    equip = _tank_body if style["body"] == "tank" else _dispenser_body
    parts += equip(rng, style, -length / 2, behind - 0.15, frame, width, body, trim)
    return Build(merge(parts))


def _deicer(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(8.2, 9.6), rng.uniform(2.4, 2.6)
    color = pick(
        rng,
        (
            (WHITE, 2.0),
            (HAZARD_YELLOW, 1.5),
            ((0.95, 0.45, 0.05), 1.0),
            ((0.1, 0.25, 0.5), 0.8),
            ((0.3, 0.6, 0.3), 0.5),
        ),
    )
    parts, behind, frame = truck_chassis(rng, length, width, color, style)
    rear = -length / 2
    tank = rng.uniform(2.1, 2.5)
    tank_color = color if rng.uniform() < 0.5 else WHITE
    x0, x1 = rear + 0.2, behind - 0.9
    parts.append(
        chamfered_box(
            ((x0 + x1) / 2, 0, (frame + tank) / 2 + 0.1), (x1 - x0, width - 0.1, tank - frame), 0.18, tank_color
        )
    )
    parts.append(
        box((behind - 0.5, 0, (frame + 2.0) / 2), (0.7, width - 0.2, 2.0 - frame), jitter(rng, LIGHT_GREY, 0.1))
    )
    for s in (1, -1):
        side = [
            (x0, s * (width / 2 - 0.05), frame + 0.1),
            (x1, s * (width / 2 - 0.05), frame + 0.1),
            (x1, s * (width / 2 - 0.05), tank),
            (x0, s * (width / 2 - 0.05), tank),
        ]
        parts.append(panel(side, random_hue(rng, (0.4, 1.0), (0.2, 0.9)), PAINT, (0.05, 0.95, 0.45, 0.6), 0.015))
        parts.append(panel(side, jitter(rng, MID_GREY, 0.1), PAINT, (0.1, 0.4, 0.05, 0.4), 0.015))
    # Boom: a turret, one or two arms, a basket or a closed operator cabin at the end.
    base = np.array(
        [
            behind - 0.5 if style["turret"] == "front" else rear + 1.1,
            0,
            2.05 if style["turret"] == "front" else tank + 0.1,
        ]
    )
    parts.append(cylinder(base - (0, 0, 0.2), base + (0, 0, 0.35), 0.42, DARK_GREY, METAL, segments=10))
    lift = rng.uniform(0.12, 0.45) if at_work(rng, style, 0.5) else rng.uniform(0.02, 0.12)
    direction = -1.0 if style["turret"] == "front" else 1.0
    reach = rng.uniform(4.6, 5.4)
    elbow = base + np.array([direction * reach * np.cos(lift), 0, 0.3 + reach * np.sin(lift)])
    boom = color if rng.uniform() < 0.5 else HAZARD_YELLOW
    thick = 0.16
    parts.append(tube([base + (0, 0, 0.3), elbow], thick, boom, PAINT, segments=4))
    basket = elbow + np.array([direction * rng.uniform(0.2, 0.6), 0, -0.1])
    if style["basket"] == "cabin":
        parts.append(
            cab(basket[0] - 0.65, basket[0] + 0.65, basket[2] - 0.5, basket[2] + 1.3, 1.2, WHITE, 0.1, 0.02, 0.3)
        )
    else:
        parts.append(box(basket - (0, 0, 0.45), (1.1, 1.1, 0.1), MID_GREY, METAL))
        ring = [basket + (sx * 0.5, sy * 0.5, -0.4) for sx, sy in ((1, 1), (-1, 1), (-1, -1), (1, -1), (1, 1))]
        parts.append(rail(ring, 1.05, HAZARD_YELLOW, bars=2))
        parts.append(boxes([basket + (sx * 0.52, 0, 0.0) for sx in (1, -1)], (0.05, 1.0, 0.7), boom))
    nozzle = basket + np.array([direction * 0.7, 0, 0.4])
    parts.append(tube([basket + (0, 0, 0.3), nozzle, nozzle + (direction * 0.3, 0, -0.15)], 0.05, BLACK, segments=5))
    return Build(merge(parts), {"basket": basket})


FLUID_TRUCK_KINDS = {
    "fuel_truck": Kind(
        "gse",
        {
            "tanker": Family("train", {"body": "tank", "length": (7.5, 9.5), "tandem": True}),
            "dispenser": Family("train", {"body": "dispenser", "length": (6.2, 7.2)}),
            "short_tanker": Family("val", {"body": "tank", "length": (6.8, 7.6)}),
            "bonnet_tanker": Family("test", {"body": "tank", "length": (8.2, 9.8), "bonnet": True, "tandem": True}),
            "low_dispenser": Family("test", {"body": "dispenser", "length": (6.0, 7.0), "cab": "low"}),
        },
        _fuel_truck,
    ),
    "deicer": Kind(
        "gse",
        {
            "front_turret_basket": Family("train", {"turret": "front", "basket": "open"}),
            "front_turret_cabin": Family("train", {"turret": "front", "basket": "cabin"}),
            "rear_turret_basket": Family("val", {"turret": "rear", "basket": "open"}),
            "rear_turret_cabin": Family("test", {"turret": "rear", "basket": "cabin"}),
        },
        _deicer,
    ),
}
