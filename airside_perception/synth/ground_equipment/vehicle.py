"""Parts that many service vehicles share: chassis, cab, axles, lamps, rails and warning stripes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from airside_perception.synth.colors import (
    ALUMINIUM,
    BLACK,
    DARK_GREY,
    GLASS_COLOR,
    HAZARD_YELLOW,
    LIGHT_GREY,
    ORANGE_LAMP,
    RED_LAMP,
    WHITE,
    WHITE_LAMP,
    Color,
    jitter,
)
from airside_perception.synth.fitted_parts import panel, wheel
from airside_perception.synth.ground_equipment.end_marks import exhaust, fleet_number, number_plate, rear_end
from airside_perception.synth.mesh_parts import (
    EMISSIVE,
    GLASS,
    METAL,
    PAINT,
    RUBBER,
    Mesh,
    box,
    boxes,
    cylinder,
    merge,
    prism,
    span_box,
)

Style = Mapping[str, Any]


def at_work(rng: np.random.Generator, style: Style, chance: float) -> bool:
    """True by chance where a vehicle's platform, boom or door may be up or open: not while it drives."""
    return bool(rng.uniform() < chance) and not style.get("moving")


def lifted(
    rng: np.random.Generator,
    style: Style,
    chance: float,
    up: tuple[float, float],
    down: tuple[float, float] | None = None,
) -> float:
    """How far a boom or platform is raised: drawn from `up` by chance at work, else from `down` (None: 0).

    `style["lift"]`, where it is given, is the share of the way from down to up; no draw depends on it.
    """
    share = style.get("lift")
    if share is None:
        if at_work(rng, style, chance):
            return float(rng.uniform(*up))
        return float(rng.uniform(*down)) if down else 0.0
    at_work(rng, style, chance)
    low, high = float(rng.uniform(*down)) if down else 0.0, float(rng.uniform(*up))
    return low + share * (max(high, low) - low)


def axle(x: float, track: float, radius: float, width: float, twin: bool = False, segments: int = 10) -> Mesh:
    """A pair of wheels (or two pairs) that stand on the ground; `track` is between the outer tyre faces."""
    half = track / 2 - width / 2
    offsets = [half] if not twin else [half, half - 1.1 * width]
    return merge([wheel((x, sign * y, radius), radius, width, segments=segments) for y in offsets for sign in (1, -1)])


def beacon(x: float, y: float, z: float, kind: str = "dome", color: Color = ORANGE_LAMP) -> Mesh:
    """Warning lamp on a roof: a dome or a bar across."""
    if kind == "bar":
        return box((x, y, z + 0.06), (0.22, 1.0, 0.12), color, EMISSIVE)
    return cylinder((x, y, z - 0.01), (x, y, z + 0.16), 0.08, color, EMISSIVE, end_radius=0.06)


def lamps(
    front: float, rear: float, width: float, z: float, z_rear: float | None = None, size: float = 0.16
) -> list[Mesh]:
    """Headlamps at `front`, tail lamps at `rear`."""
    half = width / 2 - 0.6 * size - 0.03
    low = z if z_rear is None else z_rear
    return [
        boxes([(front, half, z), (front, -half, z)], (0.06, size * 1.2, size), WHITE_LAMP, EMISSIVE),
        boxes([(rear, half, low), (rear, -half, low)], (0.06, size, size), RED_LAMP, EMISSIVE),
    ]


def striped_bar(
    low: Sequence[float],
    high: Sequence[float],
    along: int,
    count: int,
    colors: tuple[Color, Color] = (HAZARD_YELLOW, BLACK),
) -> Mesh:
    """A bar of alternating warning blocks between two corners, split along axis `along`."""
    start, stop = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    edges = np.linspace(start[along], stop[along], count + 1)
    centers, sizes = np.repeat([(start + stop) / 2], count, 0), np.repeat([stop - start], count, 0)
    centers[:, along], sizes[:, along] = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    return boxes(centers, sizes, np.array(colors)[np.arange(count) % 2])


def rail(points: ArrayLike, height: float, color: Color, radius: float = 0.025, bars: int = 2) -> Mesh:
    """Handrail above a path of foot points (N, 3): posts and `bars` horizontal tubes."""
    points = np.asarray(points, dtype=np.float64)
    parts = [cylinder(p, p + (0, 0, height), radius, color, segments=4) for p in points]
    for level in np.linspace(1.0, 0.5, bars):
        lifted = points + np.array([0, 0, height * level])
        parts += [cylinder(a, b, radius, color, segments=4) for a, b in zip(lifted, lifted[1:], strict=False)]
    return merge(parts)


def cab(
    rear: float,
    front: float,
    floor: float,
    top: float,
    width: float,
    color: Color,
    rake: float = 0.25,
    hood: float = 0.1,
    sill: float = 0.5,
    trim: Color = DARK_GREY,
    y: float = 0.0,
    back_window: bool = True,
) -> Mesh:
    """Closed driver's cab with windscreen, side windows, doors and mirrors.

    Args:
        rear, front: x extent. floor, top: z extent. width: across; y: middle.
        rake: how far the windscreen's top stands behind its foot, metres.
        hood: how far the windscreen's foot stands behind the front, metres.
        sill: height of the window line as a part of the cab's height.
    """
    height = top - floor
    line = floor + sill * height
    half = width / 2
    foot, head = front - hood, front - hood - rake
    outline = [
        (rear, floor),
        (front, floor),
        (front, line - 0.12),
        (foot, line),
        (head, top - 0.08),
        (head - 0.12, top),
        (rear + 0.06, top),
        (rear, top - 0.08),
    ]
    taper = 0.93
    body = prism(outline, y - half, y + half, color, taper=taper)

    def half_at(z: float) -> float:
        return half * (1 + (taper - 1) * (z - floor) / height)

    parts = [body]
    low, high = line + 0.03, top - 0.12

    def foot_x(z: float) -> float:
        return foot + (head - foot) * (z - line) / (top - 0.08 - line)

    screen = [(foot_x(z), y + s * (half_at(z) - 0.07), z) for z, s in ((low, -1), (low, 1), (high, 1), (high, -1))]
    parts.append(panel(screen, GLASS_COLOR, GLASS))
    if back_window:
        back = [(rear, y + s * (half_at(z) - 0.15), z) for z, s in ((low, 1), (low, -1), (high, -1), (high, 1))]
        parts.append(panel(back, GLASS_COLOR, GLASS))
    door_rear = rear + 0.12 if front - rear < 1.7 else rear + 0.45 * (front - rear - 1.0)
    for sign in (1, -1):
        window = [
            (x, y + sign * half_at(z), z)
            for x, z in ((door_rear, low), (foot_x(low) - 0.08, low), (foot_x(high) - 0.06, high), (door_rear, high))
        ]
        parts.append(panel(window, GLASS_COLOR, GLASS))
        door = [
            (x, y + sign * half_at(z), z)
            for x, z in ((door_rear, floor + 0.08), (foot - 0.1, floor + 0.08), (foot - 0.1, line), (door_rear, line))
        ]
        shade = tuple(0.82 * c for c in color)
        parts.append(panel(door, shade, PAINT, thickness=0.008))
        parts.append(box((foot - 0.02, y + sign * (half + 0.1), line + 0.3 * (top - line)), (0.06, 0.12, 0.3), trim))
    parts.append(
        span_box(
            (front - 0.02, y - half * 0.7, floor + 0.12 * height),
            (front + 0.02, y + half * 0.7, floor + 0.32 * height),
            trim,
        )
    )
    return merge(parts)


def bumper(
    x: float, width: float, z: float, height: float = 0.18, color: Color = DARK_GREY, depth: float = 0.14
) -> Mesh:
    return box((x, 0, z), (depth, width, height), color)


def truck_chassis(
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
    steered = front - (0.9 if style.get("bonnet") else 0.75)
    parts.append(axle(steered, width + 0.04, radius, 0.28, segments=12))
    parts.append(wheel_arches([steered], 0.485 * width, radius))
    parts.append(axle(rear + 0.24 * length, width - 0.06, radius, 0.26, twin=True, segments=12))
    if style.get("tandem"):
        parts.append(axle(rear + 0.24 * length - 2.15 * radius, width - 0.06, radius, 0.26, twin=True, segments=12))
    rake, hood = (rng.uniform(0.1, 0.3), 0.06) if not style.get("bonnet") else (0.35, rng.uniform(0.85, 1.05))
    parts.append(
        cab(front - cab_length, front, cab_floor, height, width * 0.97, color, rake, hood, rng.uniform(0.42, 0.5), trim)
    )
    parts.append(bumper(front + 0.02, width * 0.98, 0.5, 0.28, trim if rng.uniform() < 0.6 else WHITE))
    parts.append(bumper(rear + 0.06, width * 0.94, 0.55, 0.16, trim))
    parts += lamps(front + 0.06, rear - 0.01, width, 0.78, 0.55)
    tank, reach = rng.uniform(0.6, 1.1), width / 2 - 0.1
    shine = ALUMINIUM if rng.uniform() < 0.5 else trim
    parts.append(box((0.2 - tank / 2, (0.4 + reach) / 2, 0.64), (tank, reach - 0.4, 0.44), shine, METAL))
    parts.append(box((0.2 - tank / 2, -(0.4 + reach) / 2, 0.64), (tank, reach - 0.4, 0.44), trim, METAL))
    if rng.uniform() < 0.4:  # side guards between the axles
        x0, x1 = rear + 0.24 * length + 2 * radius, front - 1.7 if not style.get("bonnet") else front - 2.0
        skirt = color if rng.uniform() < 0.5 else LIGHT_GREY
        sides = [((x0 + x1) / 2, s * (width / 2 - 0.06), 0.5 * (frame + 0.5)) for s in (1, -1)]
        parts.append(boxes(sides, (x1 - x0, 0.05, frame - 0.5), skirt))
    over = rear + 0.24 * length
    guards = np.array([(over, s * (width / 2 - 0.3), 2 * radius + 0.06) for s in (1, -1)])
    parts.append(boxes(guards, (2.4 * radius, 0.58, 0.05), trim))
    parts.append(boxes(guards - (1.25 * radius, 0, 0.5), (0.03, 0.56, 0.55), BLACK, RUBBER))
    if rng.uniform() < 0.8:
        parts.append(beacon(front - 0.6 * cab_length, 0, height, str(rng.choice(["dome", "bar"]))))
    parts += rear_end(rng, rear - 0.02, width, 0.66, frame - 0.02)
    parts.append(number_plate(front + 0.09, 0.5))
    if rng.uniform() < 0.4:
        parts += exhaust(front - cab_length - 0.12, rng.choice([-1, 1]) * (width / 2 - 0.2), 0.7, height + 0.1)
    if rng.uniform() < 0.5:
        at, level = front - (0.5 if not style.get("bonnet") else 0.75) * cab_length, cab_floor + 0.22
        parts.append(fleet_number(rng, at, 0.487 * width, level, BLACK if sum(color) > 1.2 else WHITE))
    return parts, front - cab_length, frame


def wheel_arches(stations: Sequence[float], half: float, radius: float) -> Mesh:
    """Dark half discs behind the wheels of a closed body whose sides are at y = +-`half`."""
    turn = np.linspace(0.0, np.pi, 9)
    outline = np.stack([1.2 * radius * np.cos(turn), radius + 1.2 * radius * np.sin(turn)], -1)
    parts = []
    for x in stations:
        for sign in (1, -1):
            low, high = sorted((sign * (half - 0.08), sign * (half + 0.006)))
            parts.append(prism(outline + (x, 0.0), low, high, BLACK))
    return merge(parts)
