"""Cones, chocks, barriers and foreign objects left on the ground."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import BLACK, HAZARD_YELLOW, SIGNAL_RED, WHITE, jitter, pick, random_hue
from airside_perception.synth.mesh_parts import (
    CONCRETE,
    FABRIC,
    GLASS,
    METAL,
    PAINT,
    RUBBER,
    box,
    boxes,
    chamfered_box,
    cylinder,
    lathe,
    merge,
    prism,
    tube,
)

Style = Mapping[str, Any]


def _cone(rng: np.random.Generator, style: Style) -> Build:
    tall, foot = rng.uniform(*style["height"]), rng.uniform(0.28, 0.38)
    color = pick(rng, (((0.95, 0.3, 0.04), 3.0), (SIGNAL_RED, 1.0), (HAZARD_YELLOW, 0.5)))
    radius = 0.38 * foot
    levels = np.array([0.04, 0.35, 0.55, 0.68, 0.86, 1.0])
    profile = np.stack([levels * tall, radius * (1.08 - 0.92 * levels)], -1)
    white = jitter(rng, WHITE, 0.04)
    bands = np.array([color, white, color, white if style["bands"] > 1 else color, color])
    if style["bands"] == 0:
        bands[:] = color
    base = chamfered_box((0, 0, 0.025), (foot, foot, 0.05), 0.015, color if rng.uniform() < 0.5 else BLACK, RUBBER)
    return Build(merge([base, lathe(profile, bands, PAINT, axis="z", segments=8)]))


def _chock(rng: np.random.Generator, style: Style) -> Build:
    long, deep, tall = rng.uniform(0.3, 0.5), rng.uniform(0.12, 0.18), rng.uniform(0.12, 0.18)
    color = pick(rng, ((HAZARD_YELLOW, 2.0), (BLACK, 1.5), ((0.9, 0.4, 0.05), 1.0)))
    if style["shape"] == "wedge":
        outline = [(-deep / 2, 0), (deep / 2, 0), (0.1 * deep, tall), (-0.1 * deep, tall)]
    else:
        outline = [(-deep / 2, 0), (deep / 2, 0), (deep / 2, 0.25 * tall), (0.0, tall), (-deep / 2, 0.25 * tall)]
    parts = [prism(outline, -long / 2, long / 2, color, RUBBER)]
    parts.append(
        boxes(
            [(0, s * 0.3 * long, 0.4 * tall) for s in (1, -1)],
            (0.86 * deep, 0.04, 0.6 * tall),
            BLACK if color != BLACK else HAZARD_YELLOW,
        )
    )
    if rng.uniform() < 0.5:
        parts.append(
            tube(
                [(0, long / 2 - 0.01, 0.6 * tall), (0.03, long / 2 + 0.12, 0.02)],
                0.012,
                jitter(rng, HAZARD_YELLOW, 0.1),
                FABRIC,
                4,
            )
        )
    return Build(merge(parts))


def _bag(rng: np.random.Generator, style: Style) -> Build:
    color = random_hue(rng, (0.0, 0.9), (0.04, 0.6))
    long, wide, tall = rng.uniform(0.45, 0.75), rng.uniform(0.28, 0.45), rng.uniform(0.2, 0.32)
    if style["shape"] == "duffel":
        bag = cylinder((-long / 2, 0, tall / 2), (long / 2, 0, tall / 2), tall / 2, color, FABRIC, segments=10)
        strap = tube([(-0.2 * long, 0, tall), (0, 0, tall * 1.3), (0.2 * long, 0, tall)], 0.015, BLACK, FABRIC, 4)
        return Build(merge([bag, strap]))
    if style["shape"] == "backpack":
        pack = chamfered_box((0, 0, long / 2), (tall, wide, long), 0.1, color, FABRIC)
        pocket_color = jitter(rng, color, 0.15)
        pocket = chamfered_box((tall / 2, 0, 0.32 * long), (0.12, 0.75 * wide, 0.45 * long), 0.04, pocket_color, FABRIC)
        loop = np.array([(-0.5 * tall, 0.12), (-0.5 * tall - 0.05, 0.5 * long), (-0.5 * tall, 0.9 * long)])
        paths = [np.insert(loop, 1, sign * 0.25 * wide, axis=1) for sign in (1, -1)]
        mesh = merge([pack, pocket, *(tube(path, 0.02, BLACK, FABRIC, 4) for path in paths)])
        return Build(mesh if rng.uniform() < 0.5 else mesh.rotated("y", -np.pi / 2))
    parts = [chamfered_box((0, 0, tall / 2 + 0.02), (long, wide, tall), 0.05, color, FABRIC)]
    parts.append(box((long / 2, 0, tall / 2 + 0.02), (0.05, 0.16, 0.04), BLACK))
    parts.append(boxes([(-long / 2, s * 0.4 * wide, 0.06) for s in (1, -1)], (0.07, 0.05, 0.1), BLACK, RUBBER))
    mesh = merge(parts)
    return Build(mesh if rng.uniform() < 0.5 else mesh.rotated("y", -np.pi / 2))


def _bottle(rng: np.random.Generator, style: Style) -> Build:
    tall, radius = rng.uniform(0.18, 0.3), rng.uniform(0.03, 0.045)
    color = pick(
        rng, (((0.5, 0.65, 0.75), 2.0), ((0.1, 0.4, 0.15), 1.0), ((0.3, 0.15, 0.05), 0.6), ((0.85, 0.85, 0.85), 0.6))
    )
    if style["shape"] == "can":
        tall = rng.uniform(0.11, 0.17)
        profile, bands = (
            [(0, 0.9), (0.06, 1.0), (0.92, 1.0), (1.0, 0.85)],
            [color, random_hue(rng, (0.3, 1), (0.2, 0.9)), (0.7, 0.7, 0.7)],
        )
        material = METAL
    else:
        profile, bands = (
            [(0, 0.9), (0.05, 1.0), (0.35, 1.0), (0.62, 1.0), (0.8, 0.4), (1.0, 0.38)],
            [color, color, random_hue(rng, (0.2, 1), (0.3, 0.9)), color, WHITE],
        )
        material = GLASS if style["shape"] == "glass" else PAINT
    mesh = lathe(
        np.array(profile) * (tall, radius), np.array(bands), material, axis="x", center=(0, 0, radius), segments=8
    )
    return Build(mesh if rng.uniform() < 0.75 else mesh.rotated("y", -np.pi / 2))


def _barrier(rng: np.random.Generator, style: Style) -> Build:
    long = rng.uniform(1.2, 2.2)
    red = pick(rng, ((SIGNAL_RED, 2.0), ((0.95, 0.4, 0.05), 1.0), (HAZARD_YELLOW, 1.0)))
    if style["shape"] == "block":  # plastic or concrete traffic block, alternating along a line
        tall = rng.uniform(0.6, 0.95)
        outline = [
            (-0.25, 0),
            (0.25, 0),
            (0.25, 0.15),
            (0.12, 0.4 * tall),
            (0.09, tall),
            (-0.09, tall),
            (-0.12, 0.4 * tall),
            (-0.25, 0.15),
        ]
        concrete = rng.uniform() < 0.35
        color = jitter(rng, (0.6, 0.59, 0.56), 0.06) if concrete else (red if rng.uniform() < 0.6 else WHITE)
        mesh = prism(np.array(outline) * (0.8, 1.0), -long / 2, long / 2, color, CONCRETE if concrete else PAINT)
        return Build(mesh)
    tall = rng.uniform(0.85, 1.1)
    parts = []
    if style["shape"] == "fence":
        frame = [
            (0, -long / 2, 0.12),
            (0, long / 2, 0.12),
            (0, long / 2, tall),
            (0, -long / 2, tall),
            (0, -long / 2, 0.12),
        ]
        parts.append(tube(frame, 0.022, (0.6, 0.6, 0.62), segments=5))
        parts += [
            tube([(0, y, 0.12), (0, y, tall)], 0.012, (0.6, 0.6, 0.62), segments=4)
            for y in np.linspace(-0.42, 0.42, 9) * long
        ]
    else:
        count = int(rng.integers(5, 9))
        for level in (tall - 0.1, tall - 0.42) if style["shape"] == "double" else (tall - 0.1,):
            edges = np.linspace(-long / 2, long / 2, count + 1)
            centers = np.stack([np.zeros(count), (edges[1:] + edges[:-1]) / 2, np.full(count, level)], -1)
            parts.append(boxes(centers, (0.04, long / count, 0.18), np.array([red, WHITE])[np.arange(count) % 2]))
        parts += [box((0, s * 0.42 * long, tall / 2), (0.05, 0.06, tall), (0.5, 0.5, 0.5), METAL) for s in (1, -1)]
    parts += [box((0, s * 0.42 * long, 0.05), (0.5, 0.08, 0.1), BLACK, RUBBER) for s in (1, -1)]
    return Build(merge(parts))


OBSTACLE_KINDS = {
    "cone": Kind(
        "obstacle",
        {
            "two_bands": Family("train", {"bands": 2, "height": (0.65, 0.85)}),
            "one_band": Family("train", {"bands": 1, "height": (0.5, 0.8)}),
            "no_bands": Family("val", {"bands": 0, "height": (0.5, 0.8)}),
            "tall": Family("test", {"bands": 2, "height": (0.85, 1.0)}),
        },
        _cone,
    ),
    "chock": Kind(
        "obstacle",
        {
            "wedge": Family("train", {"shape": "wedge"}),
            "ridge": Family("test", {"shape": "ridge"}),
        },
        _chock,
    ),
    "bag": Kind(
        "obstacle",
        {
            "suitcase": Family("train", {"shape": "suitcase"}),
            "duffel": Family("train", {"shape": "duffel"}),
            "backpack": Family("test", {"shape": "backpack"}),
        },
        _bag,
    ),
    "bottle": Kind(
        "obstacle",
        {
            "plastic": Family("train", {"shape": "plastic"}),
            "can": Family("train", {"shape": "can"}),
            "glass": Family("test", {"shape": "glass"}),
        },
        _bottle,
    ),
    "barrier": Kind(
        "obstacle",
        {
            "single": Family("train", {"shape": "single"}),
            "block": Family("train", {"shape": "block"}),
            "double": Family("val", {"shape": "double"}),
            "fence": Family("test", {"shape": "fence"}),
        },
        _barrier,
    ),
}
