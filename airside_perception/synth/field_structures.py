"""Control towers, road lamps, docking guidance boards and fences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    BLACK,
    DARK_GREY,
    HAZARD_YELLOW,
    LIGHT_GREY,
    MID_GREY,
    ORANGE_LAMP,
    RED_LAMP,
    SIGN_YELLOW,
    WHITE,
    WHITE_LAMP,
    facade_glass,
    jitter,
    pick,
)
from airside_perception.synth.mesh_parts import (
    CONCRETE,
    EMISSIVE,
    GLASS,
    METAL,
    box,
    boxes,
    cylinder,
    lathe,
    merge,
)

Style = Mapping[str, Any]


def _control_tower(rng: np.random.Generator, style: Style) -> Build:
    """Shaft with a glazed cab that leans outwards, aerials on its roof, often a block at its foot."""
    tall, radius = rng.uniform(22.0, 48.0), rng.uniform(2.6, 4.5)
    wall = jitter(rng, pick(rng, ((WHITE, 2.0), ((0.6, 0.6, 0.58), 2.0), ((0.7, 0.62, 0.5), 1.0))), 0.05)
    sides = int(style["sides"])
    foot, neck = (1.0, 1.0) if style["shaft"] == "straight" else (1.25, 0.8)
    parts = [
        lathe([(0.0, foot * radius), (0.55 * tall, radius), (tall, neck * radius)], wall, CONCRETE, "z", segments=sides)
    ]
    bands = [(tall, 0.9 * radius), (tall + 1.2, 1.6 * radius), (tall + 1.8, 1.6 * radius)]
    parts.append(lathe(bands, wall, CONCRETE, "z", segments=sides))
    eave = tall + 1.8 + rng.uniform(3.0, 4.2)
    parts.append(
        lathe([(tall + 1.75, 1.45 * radius), (eave, 1.75 * radius)], facade_glass(rng), GLASS, "z", segments=sides)
    )
    turn = (np.arange(sides) + 0.5) * 2 * np.pi / sides
    for a in turn:
        across = np.array([np.cos(a), np.sin(a)]) * radius
        low, high = np.append(1.47 * across, tall + 1.8), np.append(1.77 * across, eave)
        parts.append(cylinder(low, high, 0.09, DARK_GREY, segments=4))
    parts.append(
        lathe(
            [(eave, 1.95 * radius), (eave + 0.6, 1.9 * radius)], jitter(rng, MID_GREY, 0.2), METAL, "z", segments=sides
        )
    )
    for x, y in rng.uniform(-1.0, 1.0, (4, 2)) * radius:
        parts.append(cylinder((x, y, eave + 0.5), (x, y, eave + rng.uniform(2.0, 4.5)), 0.06, LIGHT_GREY, segments=4))
    parts.append(cylinder((0, 0, eave + 0.5), (0, 0, eave + 1.0), 0.25, RED_LAMP, EMISSIVE))
    if style["block"]:
        size = rng.uniform((10, 14, 4), (18, 30, 9))
        parts.append(box((0, 0, size[2] / 2), size, wall, CONCRETE))
        for level in np.arange(1.8, size[2] - 0.8, 3.2):
            parts.append(box((0, 0, level), (size[0] + 0.1, size[1] + 0.1, 1.2), facade_glass(rng), GLASS))
    return Build(merge(parts))


def _road_lamp(rng: np.random.Generator, style: Style) -> Build:
    tall, reach = rng.uniform(4.5, 9.0), rng.uniform(0.8, 2.2)
    steel = jitter(rng, (0.55, 0.56, 0.57), 0.15)
    parts = [cylinder((0, 0, 0), (0, 0, tall), 0.11, steel, METAL, end_radius=0.06, segments=8)]
    parts.append(box((0, 0, 0.15), (0.5, 0.5, 0.3), (0.55, 0.54, 0.52), CONCRETE))
    if rng.uniform() < 0.4:
        parts.append(cylinder((0, 0, 0.3), (0, 0, 1.3), 0.13, HAZARD_YELLOW, segments=8))
    for sign in (1, -1)[: int(style["arms"])]:
        tip = np.array([sign * reach, 0, tall + 0.25])
        if style["arms"]:
            parts.append(cylinder((0, 0, tall - 0.05), tip, 0.045, steel, segments=5))
            parts.append(box(tip, (0.75, 0.28, 0.12), DARK_GREY, METAL))
            parts.append(box(tip - (0, 0, 0.08), (0.6, 0.22, 0.05), WHITE_LAMP, EMISSIVE))
    if not style["arms"]:
        parts.append(cylinder((0, 0, tall), (0, 0, tall + 0.35), 0.22, WHITE_LAMP, EMISSIVE, end_radius=0.28))
        parts.append(cylinder((0, 0, tall + 0.34), (0, 0, tall + 0.42), 0.34, DARK_GREY, segments=8))
    return Build(merge(parts))


def _guidance_board(rng: np.random.Generator, style: Style) -> Build:
    """Stand number and docking display on posts before the nose of a parked aircraft."""
    low, wide, high = rng.uniform(*style["height"]), rng.uniform(*style["width"]), rng.uniform(1.0, 1.8)
    steel = jitter(rng, MID_GREY, 0.2)
    posts = [0.0] if style["posts"] == 1 else [-0.4 * wide, 0.4 * wide]
    parts = [cylinder((0, y, 0), (0, y, low + 0.5 * high), 0.1, steel, segments=8) for y in posts]
    parts += [box((0, y, 0.2), (0.6, 0.6, 0.4), (0.55, 0.54, 0.52), CONCRETE) for y in posts]
    middle = low + high / 2
    parts.append(box((0.14, 0, middle), (0.22, wide, high), DARK_GREY if style["display"] else SIGN_YELLOW, METAL))
    count = int(rng.integers(2, 4))
    letters = [
        (0.27, (k - (count - 1) / 2) * 0.45, middle + (0.25 * high if style["display"] else 0.0)) for k in range(count)
    ]
    ink = SIGN_YELLOW if style["display"] else BLACK
    parts.append(boxes(letters, (0.05, 0.28, 0.4 * high), ink, EMISSIVE if style["display"] else METAL))
    if style["display"]:
        bars = [(0.27, y, middle - 0.22 * high) for y in (-0.25 * wide, 0.0, 0.25 * wide)]
        parts.append(boxes(bars, (0.05, 0.08, 0.35 * high), ORANGE_LAMP, EMISSIVE))
    return Build(merge(parts))


def _fence(rng: np.random.Generator, style: Style) -> Build:
    """Security fence along y: posts, rails and a wire mesh drawn as fine bars, or solid panels."""
    width, tall, pitch = rng.uniform(12.0, 36.0), rng.uniform(1.9, 2.9), rng.uniform(2.2, 3.2)
    color = pick(rng, ((LIGHT_GREY, 2.0), ((0.15, 0.35, 0.2), 1.0), (DARK_GREY, 1.0), (WHITE, 0.5)))
    bays = int(width / pitch)
    ys = np.linspace(-width / 2, width / 2, bays + 1)
    parts = [boxes([(0, y, tall / 2) for y in ys], (0.09, 0.09, tall), np.multiply(color, 0.8), METAL)]
    if style["skin"] == "panel":
        parts.append(
            boxes(
                [(0, y, tall / 2) for y in (ys[1:] + ys[:-1]) / 2],
                (0.04, width / bays - 0.1, tall - 0.15),
                color,
                METAL,
            )
        )
    else:
        fine = np.linspace(-width / 2, width / 2, int(width / style["gap"]))
        parts.append(boxes([(0, y, tall / 2) for y in fine], (0.02, 0.03, tall - 0.1), color, METAL))
        rows = (0.12, 0.5 * tall, tall - 0.05) if style["skin"] == "bars" else np.arange(0.1, tall, 0.35)
        parts.append(boxes([(0, 0, z) for z in rows], (0.03, width, 0.025), color, METAL))
    if rng.uniform() < 0.5:  # barbed wire that leans out
        arms = [cylinder((0, y, tall - 0.02), (0.3, y, tall + 0.3), 0.03, color, segments=4) for y in ys]
        wires = [(0.1 * k, 0, tall + 0.1 * k) for k in (1, 2, 3)]
        parts += [*arms, boxes(wires, (0.015, width, 0.015), MID_GREY, METAL)]
    return Build(merge(parts))


FIELD_STRUCTURE_KINDS = {
    "control_tower": Kind(
        "structure",
        {
            "round": Family("train", {"sides": 14, "shaft": "tapered", "block": False}),
            "octagon_block": Family("train", {"sides": 8, "shaft": "straight", "block": True}),
            "square": Family("test", {"sides": 4, "shaft": "straight", "block": True}),
        },
        _control_tower,
    ),
    "road_lamp": Kind(
        "structure",
        {
            "one_arm": Family("train", {"arms": 1}),
            "two_arms": Family("train", {"arms": 2}),
            "post_top": Family("test", {"arms": 0}),
        },
        _road_lamp,
    ),
    "guidance_board": Kind(
        "structure",
        {
            "display": Family("train", {"height": (3.0, 5.5), "width": (1.2, 1.8), "posts": 1, "display": True}),
            "number": Family("train", {"height": (1.0, 3.0), "width": (1.4, 2.2), "posts": 2, "display": False}),
            "wide_display": Family("test", {"height": (3.5, 5.5), "width": (2.0, 3.0), "posts": 2, "display": True}),
        },
        _guidance_board,
    ),
    "fence": Kind(
        "structure",
        {
            "bars": Family("train", {"skin": "bars", "gap": 0.2}),
            "mesh": Family("train", {"skin": "mesh", "gap": 0.45}),
            "panel": Family("test", {"skin": "panel", "gap": 0.0}),
        },
        _fence,
    ),
}
