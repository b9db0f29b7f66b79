"""Cables, hoses, debris, crates and fire extinguishers that lie or stand about on the apron."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    ALUMINIUM,
    BLACK,
    HAZARD_YELLOW,
    MID_GREY,
    SIGNAL_RED,
    WHITE,
    Color,
    jitter,
    pick,
    random_hue,
)
from airside_perception.synth.fitted_parts import wheel
from airside_perception.synth.ground_equipment.cargo_movers import CARDBOARD as WOOD
from airside_perception.synth.mesh_parts import (
    FABRIC,
    METAL,
    PAINT,
    RUBBER,
    FloatArray,
    Mesh,
    box,
    boxes,
    cylinder,
    lathe,
    loft,
    merge,
    prism,
    tube,
)

Style = Mapping[str, Any]


def _winding(rng: np.random.Generator, length: float, swing: float, points: int) -> FloatArray:
    """(points, 2) places along a curve that wanders about the x axis."""
    share = np.linspace(0.0, 1.0, points)
    waves = rng.uniform(0.5, 2.0, 2) * (2 * np.pi)
    turns = rng.uniform(0.0, 2 * np.pi, 2)
    sideways = swing * (np.sin(waves[0] * share + turns[0]) + 0.5 * np.sin(waves[1] * share + turns[1]))
    return np.stack([(share - 0.5) * length, sideways], -1)


def _hose_mesh(path: FloatArray, radius: float, color: Color, bands: Color | None, sides: int = 6) -> Mesh:
    """One closed tube along a path (N, 2) on the ground; every third piece may carry another colour."""
    direction = np.gradient(path, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    angle = (np.arange(sides) + 0.5) * (2 * np.pi / sides)
    across = np.stack([-direction[:, 1], direction[:, 0]], -1)
    flat = path[:, None] + radius * np.cos(angle)[None, :, None] * across[:, None]
    height = np.broadcast_to(radius * (1.0 + np.sin(angle)), flat.shape[:2])
    colors = np.repeat(np.array([color]), len(path) - 1, axis=0)
    if bands is not None:
        colors[::3] = bands
    return loft(np.concatenate([flat, height[..., None]], axis=-1), colors[:, None], RUBBER)


def _cable(rng: np.random.Generator, style: Style) -> Build:
    radius, length = rng.uniform(*style["radius"]), rng.uniform(*style["length"])
    color = pick(rng, style["colors"])
    path = _winding(rng, length, rng.uniform(0.1, 0.45) + 2 * radius, 22)
    parts = [_hose_mesh(path, radius, color, BLACK if rng.uniform() < 0.25 else None)]
    end, last = np.append(path[-1], radius), np.append(path[-1] - path[-2], 0.0)
    last /= np.linalg.norm(last)
    if style["plug"] == "block":
        plug = box((0.12, 0, 0), (0.28, 2.6 * radius + 0.06, 2.2 * radius + 0.03), BLACK, RUBBER)
        turn = float(np.arctan2(last[1], last[0]))
        parts.append(plug.rotated("z", turn).translated(end[0], end[1], 1.1 * radius + 0.016))
    else:
        parts.append(cylinder(end - 0.05 * last, end + 0.22 * last, radius, ALUMINIUM, METAL, segments=8))
    return Build(merge(parts))


def _debris(rng: np.random.Generator, style: Style) -> Build:
    """Foreign objects: tools, rags, planks, straps, torn rubber."""
    steel = jitter(rng, (0.5, 0.5, 0.52), 0.15)
    shape = style["shape"]
    if shape == "tool":
        long = rng.uniform(0.2, 0.4)
        if rng.uniform() < 0.5:  # spanner
            parts = [box((0, 0, 0.012), (long, 0.03, 0.014), steel, METAL)]
            parts += [
                cylinder((s * long / 2, 0, 0.0), (s * long / 2, 0, 0.022), 0.035, steel, segments=6) for s in (1, -1)
            ]
        else:  # screwdriver
            grip = random_hue(rng, (0.6, 1.0), (0.3, 0.9))
            parts = [cylinder((-long / 2, 0, 0.02), (-0.1 * long, 0, 0.02), 0.02, grip, PAINT)]
            parts.append(cylinder((-0.1 * long, 0, 0.02), (long / 2, 0, 0.02), 0.007, steel, segments=5))
        return Build(merge(parts))
    if shape == "rag":
        count = 9
        angle = np.arange(count) * (2 * np.pi / count)
        radius = rng.uniform(0.15, 0.4) * rng.uniform(0.7, 1.2, count)
        rim = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(count, 0.006)], -1)
        high = rim * (0.55, 0.55, 0) + np.stack([np.zeros(count), np.zeros(count), rng.uniform(0.03, 0.09, count)], -1)
        cloth = pick(rng, ((WHITE, 2.0), ((0.15, 0.25, 0.6), 1.0), (SIGNAL_RED, 0.6), ((0.2, 0.2, 0.2), 1.0)))
        return Build(loft(np.stack([rim * (1, 1, 0), rim, high, high * (0.4, 0.4, 1.0)]), cloth, FABRIC))
    if shape == "plank":
        size = rng.uniform((0.5, 0.08, 0.03), (1.4, 0.2, 0.06))
        plank = box((0, 0, size[2] / 2), size, jitter(rng, WOOD, 0.15), FABRIC)
        nails = [(s * 0.4 * size[0], 0, size[2] + 0.005) for s in (1, -1)]
        return Build(merge([plank, boxes(nails, (0.02, 0.02, 0.02), steel, METAL)]))
    if shape == "strap":
        path = _winding(rng, rng.uniform(0.6, 1.5), 0.15, 14)
        strap = _hose_mesh(path, 0.025, pick(rng, ((HAZARD_YELLOW, 1.0), ((0.9, 0.35, 0.05), 1.0), (BLACK, 1.0))), None)
        buckle = np.append(path[0], 0.025)
        return Build(merge([strap.scaled((1, 1, 0.3)), box(buckle, (0.09, 0.06, 0.04), MID_GREY, METAL)]))
    # A torn piece of tyre: part of a ring, lying on its edge or flat.
    turn = np.linspace(0.0, rng.uniform(0.8, 2.2), 7)
    inner, outer, wide = 0.42, 0.52, rng.uniform(0.15, 0.3)
    outline = np.concatenate(
        [np.stack([r * np.cos(t), r * np.sin(t)], -1) for r, t in ((inner, turn), (outer, turn[::-1]))]
    )
    rings = [np.column_stack([outline, np.full(14, z)]) for z in (0.0, wide)]
    strips = [
        loft(np.stack([ring[[k, k + 1, 12 - k, 13 - k]] for ring in rings]), (0.05, 0.05, 0.05), RUBBER)
        for k in range(6)
    ]
    return Build(merge(strips))


def _crate(rng: np.random.Generator, style: Style) -> Build:
    """Pallets, boxes and bins put down for a moment."""
    shade = jitter(rng, WOOD, 0.15)
    long, wide = rng.uniform(0.75, 1.25), rng.uniform(0.55, 0.85)
    if style["shape"] == "bin":
        tall, color = rng.uniform(0.6, 1.1), random_hue(rng, (0.3, 0.9), (0.15, 0.7))
        outline = [(-0.42 * long, 0.0), (0.42 * long, 0.0), (0.5 * long, tall), (-0.5 * long, tall)]
        lid = box((0, 0, tall + 0.02), (1.05 * long, wide + 0.06, 0.05), tuple(0.7 * c for c in color))
        return Build(merge([prism(outline, -wide / 2, wide / 2, color), lid]))
    if style["shape"] == "case":
        tall, color = rng.uniform(0.35, 0.8), pick(rng, ((BLACK, 1.0), (MID_GREY, 1.0), (HAZARD_YELLOW, 0.5)))
        edges = [(sx * long / 2, sy * wide / 2, tall / 2) for sx in (1, -1) for sy in (1, -1)]
        parts = [
            box((0, 0, tall / 2), (long, wide, tall), color),
            boxes(edges, (0.06, 0.06, tall + 0.02), ALUMINIUM, METAL),
        ]
        return Build(
            merge([*parts, boxes([(0, s * wide / 2, 0.7 * tall) for s in (1, -1)], (0.2, 0.04, 0.06), ALUMINIUM)])
        )
    slats = [(0, y, 0.13) for y in np.linspace(-0.42, 0.42, 5) * wide]
    feet = [(x, y, 0.06) for x in (-0.42 * long, 0, 0.42 * long) for y in (-0.4 * wide, 0, 0.4 * wide)]
    parts = [boxes(slats, (long, 0.14 * wide, 0.03), shade, FABRIC), boxes(feet, (0.1, 0.1, 0.12), shade, FABRIC)]
    if style["shape"] == "loaded":
        for layer in range(int(rng.integers(1, 4))):
            for x in (-0.24, 0.24):
                color = jitter(rng, (0.55, 0.42, 0.28) if rng.uniform() < 0.7 else (0.8, 0.8, 0.8), 0.12)
                parts.append(box((x * long, 0, 0.3 + 0.3 * layer), (0.46 * long, 0.9 * wide, 0.29), color, FABRIC))
    return Build(merge(parts))


def _fire_extinguisher(rng: np.random.Generator, style: Style) -> Build:
    """Wheeled bottle of a stand, in the open or below a cover, or a pair of bottles in a rack."""
    tall, radius = rng.uniform(0.8, 1.1), rng.uniform(0.13, 0.19)
    red = pick(rng, ((SIGNAL_RED, 3.0), ((0.85, 0.2, 0.1), 1.0)))
    profile = [(0.05, 0.7), (0.12, 1.0), (0.78, 1.0), (0.9, 0.6), (0.98, 0.25)]
    sides = (0.2, -0.2) if style["bottles"] == 2 else (0.0,)
    parts = [
        lathe(np.array(profile) * (tall, radius), [red, red, red, MID_GREY], axis="z", center=(0, y, 0.08), segments=10)
        for y in sides
    ]
    parts += [wheel((-0.05, s * (abs(sides[0]) + radius + 0.06), 0.17), 0.17, 0.05, segments=10) for s in (1, -1)]
    y = abs(sides[0]) + radius + 0.02
    frame = [(-radius, y, 0.17), (-radius - 0.12, y, tall), (-radius - 0.12, -y, tall), (-radius, -y, 0.17)]
    parts.append(tube(frame, 0.02, BLACK, segments=5))
    if not style["cover"]:
        coil = np.linspace(0, 1.6 * np.pi, 7)
        ring = np.stack([np.full(7, radius + 0.03), 0.2 * np.cos(coil), 0.55 + 0.2 * np.sin(coil)], -1)
        parts.append(tube(ring, 0.022, BLACK, RUBBER, segments=5))
    if style["cover"]:
        parts.append(box((-0.02, 0, 0.1 + tall / 2), (2.6 * radius + 0.1, 2 * y, tall), red, FABRIC))
        parts.append(box((radius + 0.12, 0, 0.7 * tall), (0.14, 0.5 * y, 0.2), WHITE))
    return Build(merge(parts))


_BLACKISH: tuple[tuple[Color, float], ...] = ((BLACK, 2.0), (HAZARD_YELLOW, 1.5), ((0.9, 0.4, 0.05), 1.0))
_DUCTS: tuple[tuple[Color, float], ...] = ((HAZARD_YELLOW, 1.5), ((0.15, 0.3, 0.6), 1.0), ((0.7, 0.7, 0.68), 1.0))

LOOSE_OBJECT_KINDS = {
    "cable": Kind(
        "obstacle",
        {
            "power": Family(
                "train", {"radius": (0.025, 0.04), "length": (2.5, 6.0), "plug": "block", "colors": _BLACKISH}
            ),
            "fuel_hose": Family(
                "train", {"radius": (0.04, 0.065), "length": (2.0, 5.0), "plug": "pipe", "colors": _BLACKISH}
            ),
            "water_hose": Family(
                "val", {"radius": (0.02, 0.03), "length": (3.0, 6.0), "plug": "pipe", "colors": _DUCTS}
            ),
            "air_duct": Family("test", {"radius": (0.13, 0.2), "length": (3.0, 6.0), "plug": "pipe", "colors": _DUCTS}),
        },
        _cable,
    ),
    "debris": Kind(
        "obstacle",
        {
            "tool": Family("train", {"shape": "tool"}),
            "rag": Family("train", {"shape": "rag"}),
            "plank": Family("train", {"shape": "plank"}),
            "strap": Family("val", {"shape": "strap"}),
            "tyre": Family("test", {"shape": "tyre"}),
        },
        _debris,
    ),
    "crate": Kind(
        "obstacle",
        {
            "pallet": Family("train", {"shape": "pallet"}),
            "loaded": Family("train", {"shape": "loaded"}),
            "case": Family("val", {"shape": "case"}),
            "bin": Family("test", {"shape": "bin"}),
        },
        _crate,
    ),
    "fire_extinguisher": Kind(
        "obstacle",
        {
            "single": Family("train", {"bottles": 1, "cover": False}),
            "covered": Family("train", {"bottles": 1, "cover": True}),
            "double": Family("test", {"bottles": 2, "cover": False}),
        },
        _fire_extinguisher,
    ),
}
