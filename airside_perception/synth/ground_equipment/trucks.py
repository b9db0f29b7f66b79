"""Trucks on a road chassis: fuel, catering, de-icing, stairs, and buses and vans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    ALUMINIUM, BLACK, DARK_GREY, GLASS_COLOR, HAZARD_YELLOW, LIGHT_GREY, MID_GREY, ORANGE_LAMP, SIGNAL_RED, WHITE,
    Color, equipment_color, jitter, pick, random_hue,
)  # fmt: skip
from airside_perception.synth.ground_equipment.vehicle import axle, beacon, bumper, cab, lamps, rail, striped_bar
from airside_perception.synth.mesh_parts import (
    EMISSIVE, GLASS, METAL, PAINT, Mesh, box, boxes, chamfered_box, cylinder, hexahedra, lathe, merge, panel, prism, span_box, tube,
)  # fmt: skip

Style = Mapping[str, Any]


def _chassis(
    rng: np.random.Generator, length: float, width: float, color: Color, style: Style, cab_floor: float = 0.55
) -> tuple[list[Mesh], float, float]:
    """Frame, axles and cab of a truck; returns parts, the station behind the cab and the frame's height."""
    front, rear = length / 2, -length / 2
    radius = rng.uniform(0.42, 0.52)
    frame = radius * 2 + rng.uniform(0.0, 0.1)
    trim = jitter(rng, DARK_GREY, 0.1)
    cab_length = rng.uniform(1.5, 2.0) if not style.get("bonnet") else rng.uniform(2.4, 2.8)
    height = rng.uniform(2.3, 2.75) if style.get("cab") != "low" else rng.uniform(1.7, 2.0)
    parts: list[Mesh] = [span_box((rear + 0.1, -0.42, frame - 0.3), (front - 0.5, 0.42, frame), trim, METAL)]
    parts.append(axle(front - (0.75 if not style.get("bonnet") else 0.9), width - 0.06, radius, 0.28, segments=12))
    parts.append(axle(rear + 0.24 * length, width - 0.06, radius, 0.26, twin=True, segments=12))
    if style.get("tandem"):
        parts.append(axle(rear + 0.24 * length - 2.15 * radius, width - 0.06, radius, 0.26, twin=True, segments=12))
    rake, hood = (rng.uniform(0.1, 0.3), 0.06) if not style.get("bonnet") else (0.35, rng.uniform(0.85, 1.05))
    parts.append(
        cab(front - cab_length, front, cab_floor, height, width * 0.97, color, rake, hood, rng.uniform(0.42, 0.5), trim)
    )
    parts.append(bumper(front + 0.02, width * 0.98, 0.5, 0.28, trim if rng.uniform() < 0.6 else WHITE))
    parts.append(bumper(rear + 0.06, width * 0.94, 0.55, 0.16, trim))
    parts += lamps(front + 0.06, rear, width, 0.78, 0.8)
    tank = rng.uniform(0.6, 1.1)
    parts += [
        box((0.2, s * (width / 2 - 0.35), 0.62), (tank, 0.5, 0.45), ALUMINIUM if rng.uniform() < 0.5 else trim, METAL)
        for s in (1, -1)
    ]
    if rng.uniform() < 0.8:
        parts.append(beacon(front - 0.6 * cab_length, 0, height, str(rng.choice(["dome", "bar"]))))
    return parts, front - cab_length, frame


def _fuel_truck(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(2.35, 2.6)
    color = equipment_color(rng)
    parts, behind, frame = _chassis(rng, length, width, color, style)
    rear, start = -length / 2, behind - 0.15
    body = pick(rng, ((WHITE, 2.0), (ALUMINIUM, 2.0), (color, 2.0), (HAZARD_YELLOW, 0.8), ((0.1, 0.35, 0.2), 0.6)))
    trim = jitter(rng, DARK_GREY, 0.1)
    if style["body"] == "tank":
        module = rng.uniform(0.0, 1.3)
        low, high = frame + 0.08, rng.uniform(2.7, 3.05)
        half, tall = width / 2 - 0.05, (high - low) / 2
        angle = np.arange(16) * 2 * np.pi / 16
        squash = rng.uniform(0.5, 1.0)
        y, z = (
            np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** squash * half,
            np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** squash * tall,
        )
        x0, x1 = rear + 0.15, start - module
        rings = [
            np.stack([np.full(16, x), y * k, (low + high) / 2 + z * k], -1)
            for x, k in ((x0, 0.75), (x0 + 0.2, 1.0), (x1 - 0.2, 1.0), (x1, 0.75))
        ]
        from airside_perception.synth.mesh_parts import loft

        bands = np.broadcast_to(np.asarray(body, dtype=np.float32), (3, 16, 3)).copy()
        if rng.uniform() < 0.5:
            bands[:, [3, 4, 11, 12]] = random_hue(rng, (0.4, 1.0), (0.2, 0.8))
        parts.append(loft(np.stack(rings), bands, METAL if rng.uniform() < 0.4 else PAINT))
        for x in np.linspace(x0 + 0.6, x1 - 0.6, 3):
            parts.append(cylinder((x, 0, high - 0.05), (x, 0, high + 0.12), 0.28, trim, METAL))
        parts.append(
            rail(
                [(x0 + 0.3, s * 0.35, high - 0.05) for s in (1,)] + [(x1 - 0.3, 0.35, high - 0.05)],
                0.35,
                LIGHT_GREY,
                bars=1,
            )
        )
        parts += [
            box(((x0 + x1) / 2, s * (half - 0.2), frame + 0.05), (x1 - x0 - 0.3, 0.4, 0.12), trim) for s in (1, -1)
        ]
        if module > 0.4:
            parts.append(box((start - module / 2, 0, (frame + 2.1) / 2), (module, width - 0.1, 2.1 - frame), body))
            parts.append(box((start - module / 2, 0, frame + 0.6), (module * 0.7, width - 0.04, 0.7), trim))
    else:  # hydrant dispenser: low body, hose reels, lifting platform
        low = rng.uniform(1.5, 1.9)
        parts.append(
            chamfered_box(
                ((rear + start) / 2, 0, (frame + low) / 2),
                (start - rear - 0.2, width - 0.1, low - frame + 0.2),
                0.08,
                body,
            )
        )
        for x in np.linspace(rear + 0.8, start - 0.8, 3):
            parts.append(
                cylinder(
                    (x, -width / 2 + 0.02, (frame + low) / 2),
                    (x, width / 2 - 0.02, (frame + low) / 2),
                    0.36 * (low - frame) + 0.1,
                    BLACK,
                    METAL,
                    segments=12,
                )
            )
        raised = rng.uniform(0.1, 1.0) if rng.uniform() < 0.5 else 0.05
        deck = low + raised
        at = rear + 0.9
        parts.append(box((at, 0, deck), (1.2, width - 0.4, 0.1), MID_GREY, METAL))
        parts += [cylinder((at + dx, 0.4, low - 0.1), (at - dx, 0.4, deck), 0.05, trim) for dx in (0.45, -0.45)]
        corners = [(at + 0.55, 0.9, deck), (at - 0.55, 0.9, deck), (at - 0.55, -0.9, deck), (at + 0.55, -0.9, deck)]
        parts.append(rail(corners, 0.95, HAZARD_YELLOW))
    parts.append(
        panel(
            [
                (rear + 0.5, width / 2 - 0.02, 0.9),
                (rear + 1.1, width / 2 - 0.02, 0.9),
                (rear + 1.1, width / 2 - 0.02, 1.3),
                (rear + 0.5, width / 2 - 0.02, 1.3),
            ],
            SIGNAL_RED,
        )
    )
    return Build(merge(parts))


def _scissors(x: float, reach: float, low: float, high: float, y: float, color: Color) -> list[Mesh]:
    """Crossed lifting arms on both sides between two heights."""
    parts = []
    for s in (1, -1):
        for d in (1, -1):
            parts.append(
                tube(
                    [(x - d * reach / 2, s * y, low), (x + d * reach / 2, s * (y - 0.02), high)],
                    0.07,
                    color,
                    segments=4,
                )
            )
    return parts


def _catering_truck(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(2.4, 2.6)
    color = equipment_color(rng)
    parts, behind, frame = _chassis(rng, length, width, color, style)
    rear = -length / 2
    raised = float(rng.uniform(0.3, 2.4)) if rng.uniform() < 0.5 else 0.0
    tall = rng.uniform(2.2, 2.6)
    floor = frame + 0.15 + raised
    over = style["over_cab"]
    front = behind - 0.1 if not over else length / 2 - rng.uniform(0.1, 0.5)
    if over:
        floor = max(floor, frame + 0.25)
    floor = floor if not over or raised > 0.6 else frame + 0.15
    box_front = front if not over or raised > 0.6 and floor > 2.8 else behind - 0.1
    body = pick(rng, ((WHITE, 4.0), (ALUMINIUM, 1.0), (color, 1.0), (LIGHT_GREY, 1.0)))
    center_x = (rear + 0.1 + box_front) / 2
    span = box_front - rear - 0.1
    parts.append(chamfered_box((center_x, 0, floor + tall / 2), (span, width, tall), 0.05, body))
    stripe = random_hue(rng, (0.5, 1.0), (0.15, 0.85))
    low = rng.uniform(0.1, 0.6)
    for s in (1, -1):
        side = [
            (rear + 0.15, s * width / 2, floor),
            (box_front - 0.05, s * width / 2, floor),
            (box_front - 0.05, s * width / 2, floor + tall),
            (rear + 0.15, s * width / 2, floor + tall),
        ]
        if rng.uniform() < 0.7:
            parts.append(panel(side, stripe, PAINT, (0.0, 1.0, low, low + rng.uniform(0.06, 0.3)), 0.01))
        for u in np.linspace(0.1, 0.9, 6):
            parts.append(panel(side, np.multiply(body, 0.85), METAL, (u, u + 0.008, 0.03, 0.97), 0.012))
        letters = rng.uniform(0.2, 0.5)
        for k in range(int(rng.integers(4, 9))):
            parts.append(
                panel(
                    side,
                    stripe,
                    PAINT,
                    (letters + 0.05 * k, letters + 0.05 * k + rng.uniform(0.02, 0.042), 0.72, 0.86),
                    0.012,
                )
            )
    parts.append(
        box((rear + 0.08, 0, floor + 0.48 * tall), (0.08, width * 0.86, 0.9 * tall), np.multiply(body, 0.9), METAL)
    )
    deck = floor + 0.02
    bridge = rng.uniform(0.9, 1.5)
    if box_front < behind + 0.1:  # front platform over the cab
        high = max(deck + 0.1, 2.85 if raised > 0.4 else deck)
        if high > 2.7:
            parts.append(box((box_front + bridge / 2, 0, high), (bridge + 0.3, width * 0.8, 0.1), MID_GREY, METAL))
            foot = [(box_front + bridge, 0.38 * width, high), (box_front, 0.38 * width, high)]
            parts += [rail(foot, 1.0, LIGHT_GREY), rail([(x, -y, z) for x, y, z in foot], 1.0, LIGHT_GREY)]
    if raised > 0.25:
        parts += _scissors(center_x, 0.75 * span, frame, floor, 0.45, MID_GREY)
    parts.append(box((center_x, 0, floor - 0.06), (span, 0.9, 0.14), DARK_GREY, METAL))
    parts += [
        box((x, s * (width / 2 - 0.2), 0.35), (0.15, 0.15, 0.5), LIGHT_GREY, METAL)
        for x in (0.3, rear + 0.6)
        for s in (1, -1)
    ]
    return Build(merge(parts), {"bridge": np.array([box_front + bridge, 0, deck])})


def _stairs_truck(rng: np.random.Generator, style: Style) -> Build:
    """Passenger stairs: climb from the rear to a platform at the front."""
    width = rng.uniform(1.9, 2.4)
    length = rng.uniform(8.0, 9.0)
    top = rng.uniform(2.6, 4.2)
    front, rear = length / 2, -length / 2
    color = pick(
        rng, ((WHITE, 4.0), (ALUMINIUM, 1.0), ((0.15, 0.25, 0.5), 1.0), (HAZARD_YELLOW, 0.6), (SIGNAL_RED, 0.4))
    )
    trim = jitter(rng, DARK_GREY, 0.1)
    parts: list[Mesh] = []
    if style["drive"] == "truck":
        base, behind, frame = _chassis(rng, length - 0.8, width, color, {"cab": "low"})
        parts += [part.translated(x=-0.2) for part in base]
        foot = np.array([rear + 0.25, 0, 0.55])
    else:
        frame = 0.6
        parts += [
            axle(front - 1.6, width, 0.34, 0.2),
            axle(rear + 1.4, width, 0.34, 0.2),
            span_box((rear + 0.4, -width / 2 + 0.25, 0.35), (front - 0.8, width / 2 - 0.25, frame), color),
        ]
        foot = np.array([rear + 0.1, 0, 0.3])
        parts.append(tube([(rear + 0.5, 0, 0.4), (rear - 0.0, 0, 0.35)], 0.05, trim))
        if style["drive"] == "self":
            parts.append(
                cab(
                    front - 2.6,
                    front - 1.4,
                    0.5,
                    min(1.9, top - 0.2),
                    1.0,
                    color,
                    0.1,
                    0.03,
                    0.45,
                    trim,
                    y=width / 2 - 0.5,
                )
            )
    landing = rng.uniform(1.6, 2.2)
    head = np.array([front - landing, 0, top])
    steps = int(np.clip((top - foot[2]) / 0.2, 8, 22))
    wide = min(width - 0.3, rng.uniform(1.4, 1.8))
    share = (np.arange(steps) + 0.5) / steps
    treads = foot + (head - foot) * share[:, None]
    run = (head[0] - foot[0]) / steps
    parts.append(boxes(treads, (run * 1.05, wide, 0.06), MID_GREY, METAL))
    side_color = color if rng.uniform() < 0.7 else random_hue(rng, (0.2, 0.9), (0.2, 0.9))
    bulwark = rng.uniform(0.75, 1.05)
    for s in (1, -1):
        y0, y1 = s * (wide / 2), s * (wide / 2 + 0.07)
        corners = [
            (p[0], y, p[2] + h) for h in (-0.35, bulwark * style["wall"]) for y in (y0, y1) for p in (foot, head)
        ]
        parts.append(hexahedra(corners, side_color))
        ends = [
            foot + (0, s * (wide / 2 + 0.03), 0.0),
            head + (0, s * (wide / 2 + 0.03), 0.0),
            head + (landing - 0.1, s * (wide / 2 + 0.03), 0.0),
        ]
        parts.append(rail(ends, 1.05, LIGHT_GREY, radius=0.03, bars=1 if style["wall"] > 0.5 else 3))
        parts.append(
            box(
                (head[0] + landing / 2, s * (wide / 2 + 0.03), top + 0.45 * style["wall"]),
                (landing, 0.06, 0.3 + 0.9 * style["wall"]),
                side_color,
            )
        )
    parts.append(box((head[0] + landing / 2 - 0.05, 0, top - 0.08), (landing + 0.1, wide + 0.1, 0.14), MID_GREY, METAL))
    parts.append(box((front - 0.03, 0, top - 0.1), (0.12, wide + 0.1, 0.2), BLACK))
    # Supports from the frame to the landing and half-way up.
    for x, z in (
        (head[0] + 0.3, top - 0.1),
        (head[0] + landing - 0.5, top - 0.1),
        ((foot[0] + head[0]) / 2, (foot[2] + head[2]) / 2 - 0.2),
    ):
        parts += [
            cylinder((x, s * 0.35 * wide, frame), (x, s * 0.35 * wide, z), 0.07, color, segments=5) for s in (1, -1)
        ]
    parts.append(
        tube(
            [(head[0] + 0.3, 0.3 * wide, frame), (head[0] + landing - 0.5, 0.3 * wide, top - 0.2)],
            0.05,
            trim,
            segments=4,
        )
    )
    if style.get("canopy"):
        for x, z in (
            (foot[0] + 0.4, foot[2]),
            ((foot[0] + head[0]) / 2, (foot[2] + head[2]) / 2),
            (head[0], top),
            (front - 0.3, top),
        ):
            parts += [
                cylinder(
                    (x, s * (wide / 2 + 0.03), z), (x, s * (wide / 2 + 0.03), z + 2.1), 0.03, LIGHT_GREY, segments=4
                )
                for s in (1, -1)
            ]
        roof_color = WHITE if rng.uniform() < 0.6 else (0.4, 0.5, 0.55)
        corners = [
            (p[0], s * (wide / 2 + 0.1), p[2] + h)
            for h in (2.05, 2.15)
            for s in (-1, 1)
            for p in (foot + (0.4, 0, 0), head)
        ]
        parts.append(hexahedra(corners, roof_color))
        parts.append(box((head[0] + landing / 2 - 0.1, 0, top + 2.1), (landing, wide + 0.2, 0.1), roof_color))
    return Build(merge(parts), {"landing": np.array([front, 0, top])})


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
    parts, behind, frame = _chassis(rng, length, width, color, style)
    rear = -length / 2
    tank = rng.uniform(2.1, 2.5)
    tank_color = color if rng.uniform() < 0.5 else WHITE
    x0, x1 = rear + 0.4, behind - 0.9
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
    lift = rng.uniform(0.02, 0.12) if rng.uniform() < 0.5 else rng.uniform(0.12, 0.45)
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
    for x in (front - rng.uniform(2.2, 2.9), rear + rng.uniform(2.4, 3.2)):
        parts.append(axle(x, width + 0.02, radius, 0.3, segments=12))
        parts.append(boxes([(x, s * (half - 0.03), 0.62) for s in (1, -1)], (1.3, 0.1, 0.68), BLACK))

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
    parts += [box((front - 0.1, s * (half + 0.12), 1.9), (0.08, 0.16, 0.4), BLACK) for s in (1, -1)]
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
    parts = [
        axle(front - 0.18 * length, width - 0.02, radius, 0.2, segments=12),
        axle(rear + 0.19 * length, width - 0.02, radius, 0.2, segments=12),
    ]
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
        parts.append(
            boxes(
                [(x, s * (half - 0.04), radius + 0.02) for x in (front - 0.18 * length, rear + 0.19 * length)],
                (2.3 * radius, 0.1, 1.9 * radius),
                BLACK,
            )
        )
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


TRUCK_KINDS = {
    "fuel_truck": Kind("gse", {
        "tanker": Family("train", {"body": "tank", "length": (7.5, 9.5), "tandem": True}),
        "dispenser": Family("train", {"body": "dispenser", "length": (6.2, 7.2)}),
        "short_tanker": Family("val", {"body": "tank", "length": (6.8, 7.6)}),
        "bonnet_tanker": Family("test", {"body": "tank", "length": (8.2, 9.8), "bonnet": True, "tandem": True}),
        "low_dispenser": Family("test", {"body": "dispenser", "length": (6.0, 7.0), "cab": "low"}),
    }, _fuel_truck),
    "catering_truck": Kind("gse", {
        "standard": Family("train", {"length": (7.0, 8.2), "over_cab": False}),
        "short": Family("train", {"length": (6.4, 7.2), "over_cab": False, "cab": "low"}),
        "over_cab": Family("val", {"length": (7.0, 8.0), "over_cab": True, "cab": "low"}),
        "bonnet": Family("test", {"length": (7.8, 8.8), "over_cab": False, "bonnet": True, "tandem": True}),
    }, _catering_truck),
    "passenger_stairs": Kind("gse", {
        "truck": Family("train", {"drive": "truck", "wall": 1.0}), "towed": Family("train", {"drive": "towed", "wall": 0.3}),
        "towed_canopy": Family("val", {"drive": "towed", "wall": 0.8, "canopy": True}),
        "self_driven": Family("test", {"drive": "self", "wall": 0.9}),
    }, _stairs_truck),
    "deicer": Kind("gse", {
        "front_turret_basket": Family("train", {"turret": "front", "basket": "open"}),
        "front_turret_cabin": Family("train", {"turret": "front", "basket": "cabin"}),
        "rear_turret_cabin": Family("test", {"turret": "rear", "basket": "cabin"}),
    }, _deicer),
    "bus": Kind("gse", {
        "apron": Family("train", {"length": (13.0, 14.0), "width": (2.9, 3.2), "symmetric": True, "doors": 3}),
        "city": Family("train", {"length": (11.8, 12.4), "width": (2.5, 2.6), "symmetric": False, "doors": 3}),
        "one_sided": Family("val", {"length": (12.5, 13.8), "width": (2.7, 3.0), "symmetric": False, "doors": 2}),
        "short_apron": Family("test", {"length": (10.5, 12.0), "width": (2.7, 3.0), "symmetric": True, "doors": 2}),
    }, _bus),
    "service_van": Kind("gse", {
        "van": Family("train", {"shape": "van", "length": (4.8, 5.9), "height": (1.9, 2.5), "bonnet": (0.6, 0.95)}),
        "car": Family("train", {"shape": "car", "length": (4.1, 4.8), "height": (1.45, 1.75), "bonnet": (0.95, 1.25), "board": True}),
        "pickup": Family("test", {"shape": "pickup", "length": (5.0, 5.5), "height": (1.7, 1.85), "bonnet": (1.1, 1.35)}),
    }, _service_van),
}  # fmt: skip
