"""Light masts, jet bridges, blast fences and container stacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    ALUMINIUM,
    DARK_GREY,
    LIGHT_GREY,
    MID_GREY,
    SIGN_YELLOW,
    SIGNAL_RED,
    WHITE,
    WHITE_LAMP,
    Color,
    equipment_color,
    facade_glass,
    jitter,
    pick,
    random_hue,
)
from airside_perception.synth.fitted_parts import wheel
from airside_perception.synth.mesh_parts import (
    CONCRETE,
    EMISSIVE,
    GLASS,
    METAL,
    PAINT,
    Mesh,
    box,
    boxes,
    chamfered_box,
    cylinder,
    loft,
    merge,
    prism,
    span_box,
)

Style = Mapping[str, Any]


def _light_mast(rng: np.random.Generator, style: Style) -> Build:
    tall = rng.uniform(14, 30)
    steel = jitter(rng, (0.6, 0.61, 0.62), 0.1)
    radius = rng.uniform(0.16, 0.3)
    parts = [chamfered_box((0, 0, 0.35), (1.3, 1.3, 0.7), 0.1, (0.55, 0.54, 0.52), CONCRETE)]
    if style["pole"] == "lattice":
        for sx in (1, -1):
            for sy in (1, -1):
                parts.append(cylinder((sx * 0.5, sy * 0.5, 0.5), (sx * 0.22, sy * 0.22, tall), 0.05, steel, segments=4))
        for k, z in enumerate(np.arange(1.0, tall - 1, 1.6)):
            w0, w1 = 0.5 - 0.28 * z / tall, 0.5 - 0.28 * (z + 1.6) / tall
            s = 1 if k % 2 else -1
            for a, b in (
                ((s * w0, w0), (-s * w1, w1)),
                ((s * w0, -w0), (-s * w1, -w1)),
                ((w0, s * w0), (w1, -s * w1)),
                ((-w0, s * w0), (-w1, -s * w1)),
            ):
                parts.append(cylinder((*a, z), (*b, min(z + 1.6, tall)), 0.03, steel, segments=3))
    else:
        parts.append(cylinder((0, 0, 0.4), (0, 0, tall), radius, steel, end_radius=0.5 * radius, segments=10))
    if rng.uniform() < 0.5:
        parts.append(
            cylinder(
                (0, 0, 0.7),
                (0, 0, 2.2),
                radius * 1.15 if style["pole"] != "lattice" else 0.4,
                (0.9, 0.75, 0.1),
                PAINT,
                segments=10,
            )
        )
    across = rng.uniform(1.6, 3.4)
    count = int(rng.integers(3, 7))
    if style["head"] == "ring":
        angle = np.arange(2 * count) * np.pi / count
        heads = [(0.5 * across * np.cos(a), 0.5 * across * np.sin(a), tall) for a in angle]
        parts.append(cylinder((0, 0, tall), (0, 0, tall + 0.15), 0.5 * across, steel, segments=12))
    else:
        rows = (tall - 0.2, tall + 0.7) if rng.uniform() < 0.5 else (tall,)
        heads = [(0.25, y, z) for y in np.linspace(-0.5, 0.5, count) * across for z in rows]
        parts += [box((0, 0, z), (0.15, across + 0.3, 0.12), steel, METAL) for z in rows]
        parts.append(box((-0.1, 0, tall - 0.6), (0.8, across * 0.8, 0.08), MID_GREY, METAL))
    parts.append(boxes(np.array(heads) - (0, 0, 0.12), (0.35, 0.5, 0.4), DARK_GREY, METAL))
    parts.append(
        boxes(
            np.array(heads) + (0.06 if style["head"] != "ring" else 0.0, 0, -0.2),
            (0.3, 0.42, 0.3),
            WHITE_LAMP,
            EMISSIVE,
        )
    )
    return Build(merge(parts))


def _tunnel(
    rng: np.random.Generator,
    sides: str,
    x0: float,
    x1: float,
    wide: float,
    tall: float,
    middle: float,
    wall: Color,
    steel: Color,
    glass: Color,
) -> list[Mesh]:
    """One telescoping tunnel around height `middle`: glazed, or ribbed sheet with windows or advertising."""
    x, long = (x0 + x1) / 2, x1 - x0
    if sides == "glass":
        parts = [box((x, 0, middle), (long, wide, tall), glass, GLASS)]
        for z, color in ((middle - tall / 2, steel), (middle + tall / 2, wall)):
            parts.append(box((x, 0, z), (long, wide + 0.1, 0.3), color, METAL))
        posts = [(at, s * wide / 2, middle) for at in np.arange(x0 + 0.1, x1, 1.8) for s in (1, -1)]
        return [*parts, boxes(posts, (0.12, 0.12, tall), steel, METAL)]
    parts = [box((x, 0, middle), (long, wide, tall), wall, METAL)]
    ribs = [(at, s * wide / 2, middle) for at in np.arange(x0 + 0.2, x1, 0.9) for s in (1, -1)]
    parts.append(boxes(ribs, (0.12, 0.16, tall * 0.96), np.multiply(wall, 0.86), METAL))
    if sides == "windows":
        parts.append(boxes([(x, s * wide / 2, middle + 0.2) for s in (1, -1)], (0.8 * long, 0.2, 0.7), glass, GLASS))
    if rng.uniform() < 0.3:
        poster = random_hue(rng, (0.3, 1), (0.2, 0.9))
        parts.append(boxes([(x, s * wide / 2, middle) for s in (1, -1)], (0.5 * long, 0.22, 0.5 * tall), poster))
    return parts


def _bridge_head(front: float, floor: float, wide: float, tall: float, wall: Color, glass: Color) -> list[Mesh]:
    """Turning cab with its folding canopy and a lamp."""
    x, roof = front - 1.9, floor + tall
    parts = [cylinder((x, 0, floor - 0.25), (x, 0, roof + 0.25), wide * 0.62, wall, PAINT, segments=12)]
    parts.append(span_box((x, -wide * 0.55, floor - 0.1), (front - 0.4, wide * 0.55, roof), wall, PAINT))
    folds = [(front - 0.4 + 0.13 * k, 0, floor + tall * 0.52) for k in range(3)]
    sizes = np.array([(0.1, wide * (1.1 - 0.04 * (k % 2)), tall * (1.05 - 0.04 * (k % 2))) for k in range(3)])
    parts.append(boxes(folds, sizes, DARK_GREY))
    parts.append(box((front - 0.9, wide * 0.56, floor + 1.5), (1.2, 0.06, 1.0), glass, GLASS))
    return [*parts, cylinder((x, 0, roof + 0.2), (x, 0, roof + 0.5), 0.1, (1.0, 0.5, 0.05), EMISSIVE)]


def _apron_stairs(x: float, y: float, floor: float, steel: Color) -> list[Mesh]:
    """Steps from the bridge down to the apron, running backwards."""
    steps = int(floor / 0.25)
    treads = [(x - 0.26 * k, y - 0.6, floor - 0.25 * (k + 1) + 0.05) for k in range(steps)]
    parts = [boxes(treads, (0.28, 0.9, 0.06), steel, METAL)]
    for side in (y - 0.15, y - 1.05):
        top, foot = np.array([x + 0.2, side, floor]), np.array([treads[-1][0], side, 0.0])
        for h, color in ((0.05, steel), (1.0, SIGN_YELLOW)):
            parts.append(cylinder(foot + (0, 0, h), top + (0, 0, h), 0.04, color, segments=4))
    return parts


def _jet_bridge(rng: np.random.Generator, style: Style) -> Build:
    """Rotunda at -x, bridge head at +x."""
    length, floor = rng.uniform(15, 30), rng.uniform(3.2, 4.6)
    wall = pick(rng, ((WHITE, 2.0), (LIGHT_GREY, 2.0), ((0.45, 0.5, 0.55), 1.0), ((0.25, 0.35, 0.5), 0.5)))
    steel = jitter(rng, MID_GREY, 0.15)
    rear, front = -length / 2, length / 2
    wide, tall = rng.uniform(2.6, 3.2), rng.uniform(2.7, 3.2)
    parts = [cylinder((rear, 0, 0), (rear, 0, floor), 0.7, steel, CONCRETE, segments=10)]
    parts.append(cylinder((rear, 0, floor - 0.3), (rear, 0, floor + tall + 0.4), 2.2, wall, PAINT, segments=14))
    count = int(style["tunnels"])
    edges = np.linspace(rear + 1.6, front - 2.4, count + 1)
    glass = facade_glass(rng)
    for k in range(count):
        grow = 0.28 * (k - count + 1)
        start = edges[k] - (0.8 if k else 0.0)
        size = (wide + grow, tall + grow)
        parts += _tunnel(rng, style["sides"], start, edges[k + 1], *size, floor + tall / 2, wall, steel, glass)
    # Lifting column with its wheel bogie below the outer tunnel.
    at = front - rng.uniform(4.5, 7.5)
    columns = [(at, s * (wide / 2 + 0.25), floor * 0.55 + 0.3) for s in (1, -1)]
    parts.append(boxes(columns, (0.5, 0.4, floor * 1.1 + 1.0), steel, METAL))
    parts.append(box((at, 0, 0.75), (0.9, wide + 1.2, 0.4), SIGN_YELLOW if rng.uniform() < 0.5 else steel, METAL))
    parts += [wheel((at, s * (wide / 2 - 0.1), 0.5), 0.5, 0.4, segments=10) for s in (1, -1)]
    parts += _bridge_head(front, floor, wide, tall, wall, glass)
    parts += _apron_stairs(front - 3.0, -wide / 2, floor, steel)
    return Build(merge(parts), {"head": np.array([front, 0, floor])})


def _blast_fence(rng: np.random.Generator, style: Style) -> Build:
    width, tall = rng.uniform(15, 40), rng.uniform(2.4, 5.0)
    steel = pick(rng, ((ALUMINIUM, 2.0), (MID_GREY, 1.0), ((0.75, 0.75, 0.7), 1.0)))
    parts = []
    lean = np.linspace(0, 1, 7)
    path = np.stack([-tall * 0.55 * lean ** style["curve"], tall * lean], -1)
    if style["skin"] == "sheet":
        rings = np.stack(
            [
                np.stack([path[:, 0] + dx, np.full(7, 0.0) + y, path[:, 1]], -1)
                for dx, y in ((0, -width / 2), (0, width / 2), (-0.08, width / 2), (-0.08, -width / 2))
            ],
            1,
        )
        parts.append(loft(rings, np.array([steel, np.multiply(steel, 0.9)] * 3)[:, None], METAL))
    else:
        for (x0, z0), (x1, z1) in zip(path, path[1:], strict=False):
            parts.append(
                box(((x0 + x1) / 2, 0, (z0 + z1) / 2), (0.3, width, 0.55 * (z1 - z0)), steel, METAL).rotated(
                    "y", -0.5, ((x0 + x1) / 2, 0, (z0 + z1) / 2)
                )
            )
    for y in np.linspace(-width / 2, width / 2, int(width / 2.5)):
        frame = [(-0.1, 0.0), (-tall * 0.9, 0.0), (path[-1][0] - 0.1, tall * 0.97)]
        parts.append(prism(frame, y - 0.06, y + 0.06, np.multiply(steel, 0.8), METAL))
    if rng.uniform() < 0.5:
        count = int(width / 1.5)
        ys = np.linspace(-width / 2, width / 2, count + 1)
        parts.append(
            boxes(
                [(0.06, (a + b) / 2, 0.3) for a, b in zip(ys, ys[1:], strict=False)],
                (0.06, width / count, 0.4),
                np.array([SIGNAL_RED, WHITE])[np.arange(count) % 2],
            )
        )
    low = merge(parts)
    return Build(low.translated(z=-float(low.vertices[:, 2].min())))


def _container_wall(rng: np.random.Generator, style: Style) -> Build:
    """Parked freight containers, side by side and stacked."""
    long, wide, tall = style["size"]
    count, layers = int(rng.integers(2, 6)), int(rng.integers(1, style["layers"] + 1))
    parts = []
    for k in range(count):
        for layer in range(layers):
            if layer and rng.uniform() < 0.35:
                break
            color = equipment_color(rng) if style["paint"] == "mixed" else jitter(rng, ALUMINIUM, 0.08)
            x = rng.uniform(-0.15, 0.15)
            center = np.array([x, (k - (count - 1) / 2) * (long + 0.3), (layer + 0.5) * tall])
            parts.append(box(center, (wide, long, tall - 0.03), color, METAL))
            ribs = [
                (x + s * wide / 2, center[1] + d, center[2])
                for d in np.linspace(-0.44, 0.44, 7) * long
                for s in (1, -1)
            ]
            parts.append(boxes(ribs, (0.06, 0.12, tall - 0.3), np.multiply(color, 0.82), METAL))
            corners = [(x + a * wide / 2, center[1] + b * long / 2, center[2]) for a in (1, -1) for b in (1, -1)]
            parts.append(boxes(corners, (0.16, 0.16, tall - 0.02), np.multiply(color, 0.7), METAL))
    return Build(merge(parts))


APRON_STRUCTURE_KINDS = {
    "light_mast": Kind(
        "structure",
        {
            "bar": Family("train", {"pole": "round", "head": "bar"}),
            "ring": Family("train", {"pole": "round", "head": "ring"}),
            "lattice": Family("test", {"pole": "lattice", "head": "bar"}),
        },
        _light_mast,
    ),
    "jet_bridge": Kind(
        "structure",
        {
            "ribbed": Family("train", {"tunnels": 2, "sides": "ribs"}),
            "glass": Family("train", {"tunnels": 2, "sides": "glass"}),
            "windows": Family("val", {"tunnels": 2, "sides": "windows"}),
            "three_tunnels": Family("test", {"tunnels": 3, "sides": "windows"}),
        },
        _jet_bridge,
    ),
    "blast_fence": Kind(
        "structure",
        {
            "sheet": Family("train", {"skin": "sheet", "curve": 2.2}),
            "slats": Family("train", {"skin": "slats", "curve": 1.6}),
            "straight": Family("test", {"skin": "slats", "curve": 1.0}),
        },
        _blast_fence,
    ),
    "container_wall": Kind(
        "structure",
        {
            "freight": Family("train", {"size": (6.06, 2.44, 2.6), "layers": 2, "paint": "mixed"}),
            "air_cargo": Family("train", {"size": (3.2, 2.2, 2.4), "layers": 1, "paint": "metal"}),
            "long_freight": Family("test", {"size": (12.2, 2.44, 2.9), "layers": 2, "paint": "mixed"}),
        },
        _container_wall,
    ),
}
