"""Tractors, towbars and what they pull."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    ALUMINIUM, BLACK, DARK_GREY, HAZARD_YELLOW, LIGHT_GREY, MID_GREY, SIGNAL_RED, WHITE, equipment_color, jitter, pick, random_hue,
)  # fmt: skip
from airside_perception.synth.ground_equipment.vehicle import axle, beacon, bumper, cab, lamps, striped_bar
from airside_perception.synth.mesh_parts import (
    FABRIC, GLASS, METAL, PAINT, RUBBER, Mesh, box, boxes, chamfered_box, cylinder, merge, panel, prism, span_box, tube, wheel,
)  # fmt: skip

Style = Mapping[str, Any]


def _seat(x: float, y: float, z: float, color: tuple[float, float, float] = BLACK) -> list[Mesh]:
    return [
        box((x, y, z), (0.45, 0.45, 0.12), color, FABRIC),
        box((x - 0.22, y, z + 0.3), (0.1, 0.45, 0.55), color, FABRIC),
    ]


def _steering(x: float, y: float, z: float) -> Mesh:
    column = cylinder((x + 0.15, y, z - 0.35), (x, y, z), 0.03, BLACK, segments=4)
    return merge([column, cylinder((x, y, z), (x - 0.02, y, z + 0.03), 0.18, BLACK, segments=8)])


def _baggage_tractor(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(1.35, 1.62)
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear = length / 2, -length / 2
    wheel_radius = rng.uniform(0.3, 0.38)
    deck, hood = rng.uniform(0.62, 0.72), rng.uniform(0.9, 1.08)
    top = rng.uniform(*style["height"])
    nose = rng.uniform(*style["nose"]) * length
    dash = front - nose
    half = width / 2
    parts = [
        axle(front - 0.24 * length, width, wheel_radius, 0.22),
        axle(rear + 0.2 * length, width, wheel_radius, 0.24),
    ]
    parts.append(span_box((rear + 0.06, -half + 0.22, 0.28), (front - 0.06, half - 0.22, deck), trim))
    slope = rng.uniform(*style["slope"])
    bonnet = [
        (dash, 0.42),
        (front, 0.42),
        (front, hood - slope - 0.06),
        (front - 0.1, hood - slope),
        (dash + 0.08, hood),
        (dash, hood),
    ]
    parts.append(prism(bonnet, -half + 0.02, half - 0.02, color, taper=0.94))
    parts.append(
        panel(
            [
                (front, -0.4 * width, 0.5),
                (front, 0.4 * width, 0.5),
                (front, 0.36 * width, hood - slope - 0.08),
                (front, -0.36 * width, hood - slope - 0.08),
            ],
            trim,
            inset=(0.22, 0.78, 0.1, 0.95),
        )
    )
    tail = dash - rng.uniform(1.0, 1.25)
    parts.append(
        chamfered_box(
            ((rear + tail) / 2 + 0.02, 0, (deck + 0.36) / 2 + 0.1),
            (tail - rear, width - 0.04, deck - 0.16),
            0.06,
            color,
        )
    )
    parts.append(span_box((tail - 0.05, -half + 0.04, 0.32), (dash + 0.05, half - 0.04, 0.48), color))
    style_cab = style["cab"]
    if style_cab == "closed":
        parts.append(
            cab(tail - 0.1, dash + 0.12, 0.45, top, width - 0.06, color, rng.uniform(0.15, 0.4), 0.05, 0.36, trim)
        )
    else:
        for y in (0.22 * width, -0.22 * width):
            parts += _seat(tail + 0.35, y, deck + 0.05)
        parts.append(_steering(dash - 0.15, 0.2 * width, hood + 0.08))
        if style_cab == "canopy":
            roof = color if rng.uniform() < 0.5 else WHITE
            parts.append(
                chamfered_box(((tail + dash) / 2, 0, top - 0.05), (dash - tail + 0.35, width - 0.08, 0.1), 0.04, roof)
            )
            lean = rng.uniform(0.05, 0.3)
            for y in (half - 0.1, 0.1 - half):
                parts.append(tube([(dash, y, hood - 0.05), (dash - lean, y, top - 0.08)], 0.035, trim, segments=4))
                parts.append(tube([(tail, y, deck), (tail + 0.05, y, top - 0.08)], 0.035, trim, segments=4))
            screen = [
                (dash, -half + 0.12, hood),
                (dash, half - 0.12, hood),
                (dash - lean * 0.9, half - 0.12, top - 0.14),
                (dash - lean * 0.9, 0.12 - half, top - 0.14),
            ]
            if rng.uniform() < 0.7:
                parts.append(panel(screen, (0.12, 0.15, 0.17), GLASS, thickness=0.012))
        else:
            bar = [
                (tail - 0.05, half - 0.12, deck),
                (tail - 0.05, half - 0.12, top),
                (tail - 0.05, 0.12 - half, top),
                (tail - 0.05, 0.12 - half, deck),
            ]
            parts.append(tube(bar, 0.04, trim, segments=5))
    parts.append(bumper(front, width - 0.1, 0.42, 0.2, trim))
    parts.append(bumper(rear, width - 0.1, 0.45, 0.2, trim))
    if rng.uniform() < 0.4:
        parts.append(striped_bar((rear - 0.09, -half + 0.1, 0.5), (rear + 0.02, half - 0.1, 0.62), 1, 8))
    parts.append(tube([(rear - 0.16, 0, 0.3), (rear - 0.16, 0, 0.55)], 0.035, trim, segments=5))
    parts += lamps(front, rear + 0.0, width, 0.7, deck - 0.08)
    if rng.uniform() < 0.7:
        parts.append(beacon(tail, 0.3 * width if style_cab != "none" else half - 0.12, top, "dome"))
    return Build(merge(parts), {"hitch_rear": np.array([rear - 0.16, 0, 0.35])})


def _pushback_tractor(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(*style["length"]), rng.uniform(*style["width"])
    height = rng.uniform(*style["height"])
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear, half = length / 2, -length / 2, width / 2
    radius = rng.uniform(0.5, 0.62)
    deck = rng.uniform(*style["deck"])
    parts = [
        axle(front - 0.22 * length, width, radius, 0.42, segments=12),
        axle(rear + 0.22 * length, width, radius, 0.42, segments=12),
    ]
    cut = rng.uniform(0.12, 0.35)
    hull = [
        (rear, 0.35),
        (front, 0.35),
        (front, deck - cut),
        (front - 0.3, deck),
        (rear + 0.2, deck),
        (rear, deck - cut),
    ]
    core = width - 0.95
    parts.append(prism(hull, -core / 2, core / 2, color))
    # Fenders: the upper body reaches the full width above the wheels.
    over = [
        (rear, 2 * radius - 0.02 if deck > 2 * radius else deck - 0.25),
        (front, 2 * radius - 0.02 if deck > 2 * radius else deck - 0.25),
        (front, deck - cut),
        (front - 0.3, deck),
        (rear + 0.2, deck),
        (rear, deck - cut),
    ]
    over = [(x, max(z, 0.5)) for x, z in over]
    if over[0][1] > deck - cut - 0.05:
        over[0], over[1] = (rear, deck - cut - 0.1), (front, deck - cut - 0.1)
    parts.append(prism(over, -half, half, color))
    middle = [(rear + 0.22 * length + radius + 0.1, 0.38), (front - 0.22 * length - radius - 0.1, 0.38)]
    parts.append(span_box((middle[0][0], -half + 0.01, 0.38), (middle[1][0], half - 0.01, deck - 0.05), color))
    place = style["cab"]
    cab_length = rng.uniform(1.3, 1.7)
    if place == "front":
        parts.append(
            cab(
                front - 0.15 - cab_length,
                front - 0.15,
                deck - 0.3,
                height,
                width * rng.uniform(0.55, 0.95),
                color,
                0.2,
                0.04,
                0.42,
                trim,
            )
        )
    elif place == "offset":
        parts.append(
            cab(
                front - 0.4 - cab_length,
                front - 0.4,
                deck - 0.2,
                height,
                1.2,
                color,
                0.15,
                0.04,
                0.4,
                trim,
                y=half - 0.65,
            )
        )
    elif place == "middle":
        parts.append(cab(-cab_length / 2, cab_length / 2, deck - 0.3, height, width * 0.7, color, 0.2, 0.04, 0.4, trim))
    else:  # rear low cab of towbarless tractors: cradle at the back
        parts.append(
            cab(front - 0.1 - cab_length, front - 0.1, 0.45, height, width * 0.96, color, 0.25, 0.05, 0.45, trim)
        )
        for y in (0.62, -0.62):
            parts.append(box((rear + 0.5, y, 0.35), (1.0, 0.25, 0.4), MID_GREY, METAL))
        parts.append(box((rear + 0.95, 0, 0.3), (0.5, 1.4, 0.25), trim, METAL))
    if place != "cradle":
        engine_rear = rear + 0.25
        parts.append(chamfered_box((engine_rear + 0.7, 0, deck + 0.08), (1.3, width * 0.7, 0.24), 0.06, color))
        for x in np.linspace(engine_rear + 0.3, engine_rear + 1.1, 4):
            parts.append(box((x, 0, deck + 0.2), (0.08, width * 0.55, 0.03), trim))
    parts += [bumper(front, width * 0.96, 0.55, 0.35, trim, 0.2), bumper(rear, width * 0.96, 0.55, 0.35, trim, 0.2)]
    if rng.uniform() < 0.6:
        parts.append(striped_bar((front + 0.08, -half + 0.1, 0.48), (front + 0.12, half - 0.1, 0.64), 1, 10))
        parts.append(striped_bar((rear - 0.12, -half + 0.1, 0.48), (rear - 0.08, half - 0.1, 0.64), 1, 10))
    parts += lamps(front + 0.02, rear - 0.02, width, deck - cut - 0.1, size=0.18)
    parts.append(tube([(front + 0.16, 0, 0.4), (front + 0.16, 0, 0.8)], 0.05, trim, segments=5))
    parts.append(beacon(rear + 0.4 if place == "cradle" else 0.0, 0, (deck if place != "middle" else height), "dome"))
    return Build(
        merge(parts), {"hitch_front": np.array([front + 0.16, 0, 0.5]), "hitch_rear": np.array([rear - 0.1, 0, 0.5])}
    )


def _luggage(rng: np.random.Generator, x0: float, x1: float, width: float, floor: float, room: float) -> list[Mesh]:
    """Suitcases piled between two stations."""
    count = int(rng.integers(8, 20))
    sizes = rng.uniform([0.45, 0.3, 0.22], [0.75, 0.5, 0.38], (count, 3))
    centers = np.empty((count, 3))
    centers[:, 0] = rng.uniform(x0 + 0.35, x1 - 0.35, count)
    centers[:, 1] = rng.uniform(-0.5, 0.5, count) * (width - 0.6)
    layer = rng.uniform(0, 1, count) ** 1.5 * (room - 0.3)
    centers[:, 2] = floor + sizes[:, 2] / 2 + layer
    colors = np.array([random_hue(rng, (0.0, 0.8), (0.04, 0.5)) for _ in range(count)])
    return [boxes(centers, sizes, colors, FABRIC)]


def _baggage_dolly(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(2.3, 3.1), rng.uniform(1.4, 1.65)
    color = pick(
        rng,
        (
            (MID_GREY, 2.0),
            (ALUMINIUM, 2.0),
            (HAZARD_YELLOW, 1.0),
            ((0.1, 0.2, 0.45), 1.5),
            ((0.3, 0.32, 0.3), 1.0),
            (SIGNAL_RED, 0.5),
        ),
    )
    half, front, rear = width / 2, length / 2, -length / 2
    radius, floor = rng.uniform(0.18, 0.24), rng.uniform(0.46, 0.56)
    parts = [
        axle(front - 0.45, width - 0.15, radius, 0.14, segments=8),
        axle(rear + 0.45, width - 0.15, radius, 0.14, segments=8),
    ]
    parts.append(box((0, 0, floor - 0.06), (length, width, 0.12), color))
    parts.append(box((0, 0, floor - 0.2), (length - 0.7, 0.3, 0.2), DARK_GREY))
    bar = rng.uniform(0.45, 0.8)
    parts.append(tube([(front - 0.3, 0, radius + 0.05), (front + bar, 0, 0.32)], 0.04, DARK_GREY, segments=5))
    parts.append(box((rear - 0.05, 0, 0.32), (0.14, 0.12, 0.1), DARK_GREY))
    top = floor
    cover = style["cover"]
    loaded = rng.uniform() < 0.65
    if cover in ("roof", "curtain", "tank"):
        top = rng.uniform(1.75, 2.15)
        roof_color = (
            color
            if rng.uniform() < 0.4
            else pick(
                rng,
                ((WHITE, 2.0), (LIGHT_GREY, 1.0), ((0.1, 0.25, 0.55), 1.0), ((0.1, 0.4, 0.25), 0.6), (SIGNAL_RED, 0.6)),
            )
        )
        if cover == "tank":
            parts.append(
                chamfered_box((0, 0, (top + floor) / 2), (length, width, top - floor), 0.12, roof_color, METAL)
            )
            for sign in (1, -1):
                side = [
                    (rear, sign * half, floor),
                    (front, sign * half, floor),
                    (front, sign * half, top),
                    (rear, sign * half, top),
                ]
                for u in (0.06, 0.53):
                    parts.append(panel(side, tuple(0.75 * c for c in roof_color), inset=(u, u + 0.41, 0.1, 0.9)))
        else:
            outline = [
                (rear, top - 0.15),
                (front, top - 0.15),
                (front, top - 0.06),
                (front - 0.15, top),
                (rear + 0.15, top),
                (rear, top - 0.06),
            ]
            parts.append(prism(outline, -half, half, roof_color))
            posts = [
                (x, y, (floor + top) / 2 - 0.05)
                for x in (front - 0.04, 0.0, rear + 0.04)
                for y in (half - 0.04, 0.04 - half)
            ]
            parts.append(boxes(posts, (0.06, 0.06, top - floor - 0.1), color, METAL))
            for x in (front - 0.03, rear + 0.03):
                parts.append(
                    box(
                        (x, 0, floor + 0.4 * (top - floor)),
                        (0.04, width - 0.06, 0.78 * (top - floor)),
                        color if rng.uniform() < 0.6 else roof_color,
                    )
                )
            parts.append(box((0, 0, (floor + top) / 2 - 0.1), (0.04, width - 0.1, top - floor - 0.25), DARK_GREY))
            if cover == "curtain":
                cloth = roof_color if rng.uniform() < 0.6 else random_hue(rng, (0.3, 0.9), (0.15, 0.7))
                for sign in (1, -1):
                    closed = rng.uniform(0.2, 1.0)
                    parts.append(
                        span_box(
                            (rear + 0.05, sign * half - 0.02, floor + 0.1),
                            (rear + 0.05 + closed * (length - 0.1), sign * half + 0.02, top - 0.1),
                            cloth,
                            FABRIC,
                        )
                    )
            loaded = rng.uniform() < 0.6
        if loaded and cover != "tank":
            parts += _luggage(rng, rear, front, width, floor, 0.75 * (top - floor))
    elif cover == "flat":
        edge = [(x, y, floor + 0.06) for x, y in ((0, half - 0.03), (0, 0.03 - half))]
        parts.append(boxes(edge, (length, 0.06, 0.12), color, METAL))
        for x in (front - 0.05, rear + 0.05):
            if rng.uniform() < 0.75:
                frame = [(x, half - 0.05, floor), (x, half - 0.05, 1.2), (x, 0.05 - half, 1.2), (x, 0.05 - half, floor)]
                parts.append(tube(frame, 0.03, color, segments=5))
        if loaded:
            parts += _luggage(rng, rear, front, width, floor, rng.uniform(0.5, 1.0))
        else:
            parts.append(
                tube([(rear + 0.05, half - 0.05, 0.9), (rear + 0.05, 0.05 - half, 0.9)], 0.03, color, segments=5)
            )
    else:  # container dolly with roller deck, often with a container on it
        rollers = [
            cylinder((x, 0.1 - half, floor + 0.03), (x, half - 0.1, floor + 0.03), 0.045, ALUMINIUM, segments=6)
            for x in np.linspace(rear + 0.2, front - 0.2, 7)
        ]
        parts += rollers
        if rng.uniform() < 0.7:
            parts.append(
                container_mesh(rng, rng.uniform(0, 1) < 0.5).rotated("z", np.pi / 2).translated(z=floor + 0.08)
            )
        else:
            stops = [(x, y, floor + 0.15) for x in (front - 0.05, rear + 0.05) for y in (half - 0.1, 0.1 - half)]
            parts.append(boxes(stops, (0.08, 0.12, 0.25), HAZARD_YELLOW))
            parts.append(
                tube(
                    [
                        (front - 0.02, half - 0.1, floor),
                        (front - 0.02, half - 0.1, 1.05),
                        (front - 0.02, 0.1 - half, 1.05),
                        (front - 0.02, 0.1 - half, floor),
                    ],
                    0.03,
                    color,
                    segments=5,
                )
            )
    if rng.uniform() < 0.5:
        parts.append(
            boxes(
                [(x, s * half, floor - 0.06) for x in (rear + 0.2, 0, front - 0.2) for s in (1, -1)],
                (0.2, 0.02, 0.06),
                SIGNAL_RED,
            )
        )
    return Build(
        merge(parts), {"hitch_front": np.array([front + bar, 0, 0.32]), "hitch_rear": np.array([rear - 0.1, 0, 0.32])}
    )


def container_mesh(rng: np.random.Generator, mirrored: bool) -> Mesh:
    """LD3-like unit load device, long side along y, bottom at z = 0."""
    deep, base, wide, tall = rng.uniform(1.48, 1.54), 1.56, rng.uniform(1.96, 2.04), rng.uniform(1.58, 1.64)
    skin = pick(rng, ((ALUMINIUM, 4.0), (WHITE, 2.0), ((0.25, 0.35, 0.55), 0.6), ((0.5, 0.52, 0.4), 0.5)))
    y0 = -wide / 2
    # Outline across the aircraft (y, z): one lower edge is cut to follow the fuselage.
    outline = [(y0, 0.06), (y0 + base, 0.06), (y0 + wide, 0.5), (y0 + wide, tall), (y0, tall)]
    shades = np.array([skin, np.multiply(skin, 0.85), skin, skin, skin])
    shape = prism(outline, -deep / 2, deep / 2, shades, METAL, side_color=skin).rotated("z", np.pi / 2)
    base_plate = box((0, y0 + base / 2, 0.04), (deep, base, 0.08), MID_GREY, METAL)
    if shape.vertices[:, 1].max() < wide / 2 - 0.01 or True:
        shape = merge([shape])
    parts = [shape, base_plate]
    edge = tuple(0.7 * c for c in skin)
    door = np.array(
        [
            (deep / 2, y0 + 0.06, 0.12),
            (deep / 2, y0 + base - 0.05, 0.12),
            (deep / 2, y0 + base - 0.05, tall - 0.08),
            (deep / 2, y0 + 0.06, tall - 0.08),
        ]
    )
    cloth = rng.uniform() < 0.5
    door_color = (
        pick(rng, (((0.2, 0.3, 0.5), 1.0), (MID_GREY, 1.0), (HAZARD_YELLOW, 0.4), (SIGNAL_RED, 0.4))) if cloth else edge
    )
    for sign in (1, -1):
        quad = door * (sign, 1, 1)
        parts.append(
            panel(
                quad,
                door_color if sign > 0 else edge,
                FABRIC if cloth and sign > 0 else METAL,
                (0.03, 0.97, 0.0, 1.0),
                0.012,
            )
        )
        for u in (0.0, 0.33, 0.66):
            parts.append(panel(quad, skin, METAL, (u, u + 0.03, 0.0, 1.0), 0.025))
    sticker = random_hue(rng, (0.4, 1.0), (0.2, 0.8))
    wall = [(-deep / 2, y0, 0.1), (deep / 2, y0, 0.1), (deep / 2, y0, tall - 0.05), (-deep / 2, y0, tall - 0.05)]
    parts.append(panel(wall, sticker, PAINT, (0.2, 0.8, 0.6, 0.85), 0.01))
    parts.append(boxes([(x, y0, 0.8) for x in (-deep / 2 + 0.03, 0, deep / 2 - 0.03)], (0.05, 0.04, 1.4), edge, METAL))
    mesh = merge(parts)
    return mesh.mirrored() if mirrored else mesh


def _container(rng: np.random.Generator, style: Style) -> Build:
    mesh = container_mesh(rng, bool(rng.uniform() < 0.5)).rotated("z", np.pi / 2)
    if style["shape"] == "full":  # both lower edges square: pallet container
        size = mesh.size
        color = pick(rng, ((ALUMINIUM, 3.0), (WHITE, 1.0), ((0.3, 0.32, 0.35), 1.0)))
        parts = [
            box((0, 0, size[2] / 2), size, color, METAL),
            box((0, 0, 0.05), (size[0] + 0.02, size[1] + 0.02, 0.1), MID_GREY, METAL),
        ]
        ribs = [(x, s * size[1] / 2, size[2] / 2) for x in np.linspace(-0.45, 0.45, 4) * size[0] for s in (1, -1)]
        parts.append(boxes(ribs, (0.06, 0.05, size[2] - 0.1), tuple(0.75 * c for c in color), METAL))
        mesh = merge(parts)
    elif style["shape"] == "netted":  # pallet with cargo under a net
        size = np.array([rng.uniform(1.9, 2.1), rng.uniform(1.45, 1.6), rng.uniform(1.3, 1.65)])
        wrap = jitter(rng, (0.6, 0.6, 0.55), 0.2)
        parts = [
            box((0, 0, 0.03), (*size[:2], 0.06), ALUMINIUM, METAL),
            chamfered_box((0, 0, size[2] / 2), size * (0.92, 0.9, 0.96), 0.2, wrap, FABRIC),
        ]
        lines = [(x, s * 0.455 * size[1], size[2] / 2) for x in np.linspace(-0.36, 0.36, 5) * size[0] for s in (1, -1)]
        parts.append(boxes(lines, (0.03, 0.03, size[2] * 0.85), BLACK, FABRIC))
        mesh = merge(parts)
    return Build(mesh)


def _towbar(rng: np.random.Generator, style: Style) -> Build:
    length, color = (
        rng.uniform(4.0, 5.0),
        pick(rng, ((HAZARD_YELLOW, 2.0), (SIGNAL_RED, 1.5), (WHITE, 1.0), ((0.1, 0.2, 0.5), 0.6))),
    )
    radius, height = rng.uniform(0.055, 0.085), rng.uniform(0.26, 0.34)
    front, rear = length / 2, -length / 2
    parts = [tube([(rear + 0.2, 0, height), (front - 0.25, 0, height)], radius, color, PAINT, segments=8)]
    small = rng.uniform(0.14, 0.18)
    at = rng.uniform(*style["wheels"]) * length
    for sign in (1, -1):
        parts.append(wheel((at, sign * 0.12, small), small, 0.08, segments=8))
    parts.append(box((at, 0, (height + small) / 2), (0.12, 0.16, height - small + 0.04), DARK_GREY, METAL))
    eye = [
        (rear, -0.06, height),
        (rear, 0.06, height),
        (rear + 0.22, 0.06, height),
        (rear + 0.22, -0.06, height),
        (rear, -0.06, height),
    ]
    parts.append(tube(eye, 0.025, MID_GREY))
    if style["head"] == "fork":
        parts.append(box((front - 0.25, 0, height), (0.12, 0.3, 0.1), color, METAL))
        parts += [box((front - 0.1, sign * 0.12, height), (0.26, 0.05, 0.1), MID_GREY, METAL) for sign in (1, -1)]
    else:
        parts.append(box((front - 0.15, 0, height), (0.3, 0.26, 0.16), color, METAL))
        parts.append(cylinder((front - 0.05, -0.15, height), (front - 0.05, 0.15, height), 0.05, MID_GREY))
    parts.append(
        striped_bar(
            (-0.4, -radius - 0.01, height - radius - 0.01),
            (0.4, radius + 0.01, height + radius + 0.01),
            0,
            6,
            (color, WHITE if color != WHITE else SIGNAL_RED),
        )
    )
    parts.append(tube([(at - 0.3, 0.1, height), (at - 0.5, 0.13, height + 0.1)], 0.02, BLACK, RUBBER, segments=4))
    return Build(merge(parts), {"eye": np.array([rear, 0, height]), "head": np.array([front, 0, height])})


TOWING_KINDS = {
    "baggage_tractor": Kind("gse", {
        "open": Family("train", {"cab": "none", "length": (2.9, 3.5), "height": (1.65, 1.85), "nose": (0.36, 0.44), "slope": (0.02, 0.12)}),
        "canopy": Family("train", {"cab": "canopy", "length": (3.0, 3.7), "height": (1.85, 2.05), "nose": (0.3, 0.4), "slope": (0.02, 0.2)}),
        "closed": Family("train", {"cab": "closed", "length": (3.2, 3.9), "height": (1.85, 2.1), "nose": (0.26, 0.36), "slope": (0.05, 0.25)}),
        "electric_low": Family("val", {"cab": "none", "length": (2.7, 3.1), "height": (1.5, 1.65), "nose": (0.24, 0.3), "slope": (0.0, 0.05)}),
        "long_canopy": Family("test", {"cab": "canopy", "length": (3.5, 3.9), "height": (1.8, 1.95), "nose": (0.42, 0.48), "slope": (0.2, 0.3)}),
        "cab_forward": Family("test", {"cab": "closed", "length": (3.0, 3.5), "height": (1.95, 2.15), "nose": (0.14, 0.2), "slope": (0.0, 0.1)}),
    }, _baggage_tractor),
    "pushback_tractor": Kind("gse", {
        "front_cab": Family("train", {"cab": "front", "length": (5.0, 6.2), "width": (2.3, 2.6), "height": (1.85, 2.15), "deck": (1.15, 1.35)}),
        "middle_cab": Family("train", {"cab": "middle", "length": (5.4, 7.5), "width": (2.4, 2.8), "height": (2.0, 2.3), "deck": (1.25, 1.45)}),
        "cradle": Family("train", {"cab": "cradle", "length": (5.6, 7.5), "width": (2.6, 3.2), "height": (1.7, 2.0), "deck": (1.0, 1.2)}),
        "heavy": Family("val", {"cab": "offset", "length": (8.0, 9.8), "width": (2.8, 3.2), "height": (2.2, 2.6), "deck": (1.4, 1.6)}),
        "offset_cab": Family("test", {"cab": "offset", "length": (5.0, 6.5), "width": (2.4, 2.7), "height": (1.9, 2.2), "deck": (1.2, 1.4)}),
    }, _pushback_tractor),
    "baggage_dolly": Kind("gse", {
        "flat": Family("train", {"cover": "flat"}),
        "roof": Family("train", {"cover": "roof"}),
        "curtain": Family("train", {"cover": "curtain"}),
        "tank": Family("val", {"cover": "tank"}),
        "container_dolly": Family("test", {"cover": "rollers"}),
    }, _baggage_dolly),
    "container": Kind("gse", {
        "ld3": Family("train", {"shape": "ld3"}), "full": Family("train", {"shape": "full"}),
        "netted": Family("test", {"shape": "netted"}),
    }, _container),
    "towbar": Kind("gse", {
        "fork_rear_wheels": Family("train", {"head": "fork", "wheels": (-0.25, -0.1)}),
        "box_rear_wheels": Family("train", {"head": "box", "wheels": (-0.3, -0.05)}),
        "fork_front_wheels": Family("test", {"head": "fork", "wheels": (0.15, 0.3)}),
    }, _towbar),
}  # fmt: skip
