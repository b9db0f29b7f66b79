"""Terminals, hangars and sheds; fronts face +x, their long sides run along y."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    DARK_GREY,
    LIGHT_GREY,
    MID_GREY,
    SIGN_YELLOW,
    WHITE,
    WHITE_LAMP,
    Color,
    facade_glass,
    jitter,
    pick,
    random_hue,
)
from airside_perception.synth.mesh_parts import (
    CONCRETE,
    GLASS,
    METAL,
    PAINT,
    Mesh,
    box,
    boxes,
    loft,
    merge,
    prism,
    span_box,
)

Style = Mapping[str, Any]


WALLS: tuple[tuple[Color, float], ...] = (
    ((0.72, 0.71, 0.68), 2.0),
    ((0.55, 0.56, 0.58), 2.0),
    ((0.8, 0.8, 0.8), 2.0),
    ((0.62, 0.52, 0.42), 1.0),
    ((0.35, 0.38, 0.42), 1.0),
    ((0.5, 0.3, 0.22), 0.6),
)


def _signs(rng: np.random.Generator, x: float, width: float, z: float) -> list[Mesh]:
    """A row of letter-like blocks on a wall, or a gate number board."""
    if rng.uniform() < 0.4:
        board = box((x, rng.uniform(-0.3, 0.3) * width, z), (0.2, 2.4, 1.6), SIGN_YELLOW, PAINT)
        return [board]
    count = int(rng.integers(5, 12))
    size = rng.uniform(0.7, 1.4)
    start = rng.uniform(-0.35, 0.1) * width
    centers = [(x, start + 1.3 * size * k, z) for k in range(count)]
    return [
        boxes(
            centers,
            np.stack(
                [np.full(count, 0.15), rng.uniform(0.5, 1.0, count) * size, rng.uniform(0.8, 1.3, count) * size], -1
            ),
            random_hue(rng, (0.0, 1.0), (0.1, 0.95)),
        )
    ]


def _facade(rng: np.random.Generator, x: float, base: float, tall: float, lean: float, width: float) -> list[Mesh]:
    """Mullions and transoms before the glass."""
    bays = max(6, int(width / rng.uniform(2.0, 4.5)))
    frame = jitter(rng, LIGHT_GREY, 0.15)
    rib = [(x - 0.05, base), (x + 0.15, base), (x + lean + 0.15, tall), (x + lean - 0.05, tall)]
    parts = [prism(rib, y - 0.08, y + 0.08, frame, METAL) for y in np.linspace(-width / 2, width / 2, bays + 1)]
    for z in np.linspace(base, tall, int(rng.integers(3, 6)))[:-1]:
        at = x + lean * (z - base) / (tall - base) + 0.05
        parts.append(box((at, 0, z), (0.25, width, 0.2), frame, METAL))
    return parts


def _ground_floor(rng: np.random.Generator, x: float, base: float, width: float, wall: Color) -> list[Mesh]:
    """Doors and gates to the apron, and a lit or plain fascia above."""
    parts = []
    doors = int(rng.integers(3, 7))
    for k in range(doors):
        y, span = (k + 0.5) / doors * width - width / 2, rng.uniform(2.5, 4.5)
        color = pick(rng, ((DARK_GREY, 2.0), (MID_GREY, 1.0), (WHITE, 1.0)))
        parts.append(box((x, y, 1.7), (0.1, span, 3.2), color))
    fascia = WHITE_LAMP if rng.uniform() < 0.2 else wall
    return [*parts, box((x + 0.1, 0, base - 0.5), (0.3, width, 0.5), fascia, PAINT)]


def _roof(
    rng: np.random.Generator,
    style: str,
    rear: float,
    eave: float,
    tall: float,
    width: float,
    color: Color,
    glass: Color,
) -> list[Mesh]:
    """Flat slab with plant, a wave over a glass band, or a rising slab."""
    half = width / 2
    if style == "flat":
        slab = span_box((rear - 0.3, -half - 0.3, tall), (eave, half + 0.3, tall + 0.7), color, METAL)
        units = rng.uniform((0.8 * rear, -0.9 * half), (-0.4 * rear, 0.9 * half), (5, 2))
        sizes = rng.uniform((2, 2, 1.4), (5, 6, 1.5), (5, 3))
        return [slab, boxes(np.column_stack([units, np.full(5, tall + 1.4)]), sizes, MID_GREY, METAL)]
    if style == "wave":
        x = np.linspace(rear - 1.0, eave, 12)
        z = tall + 1.0 + rng.uniform(0.8, 1.8) * np.sin(np.linspace(0, rng.uniform(2.5, 5.5), 12))
        corners = ((-half - 0.5, 0.0), (half + 0.5, 0.0), (half + 0.5, 0.5), (-half - 0.5, 0.5))
        sheet = loft(np.stack([np.stack([x, np.full(12, y), z + t], -1) for y, t in corners], 1), color, METAL)
        low, high = (rear + 0.2, 0.2 - half, tall - 0.1), (-rear - 0.2, half - 0.2, tall + 0.9)
        return [sheet, span_box(low, high, glass, GLASS)]
    outline = [(rear - 0.3, tall), (eave, tall), (eave, tall + rng.uniform(2.0, 3.5)), (rear - 0.3, tall + 0.6)]
    return [prism(outline, -half - 0.4, half + 0.4, color, METAL)]


def _terminal(rng: np.random.Generator, style: Style) -> Build:
    width, depth, tall = rng.uniform(36, 90), rng.uniform(14, 28), rng.uniform(8, 15)
    wall, roof = pick(rng, WALLS), jitter(rng, (0.5, 0.51, 0.53), 0.15)
    front, base = depth / 2, rng.uniform(3.2, 4.6)
    parts = [span_box((-front, -width / 2, 0), (front - 0.8, width / 2, base), jitter(rng, wall, 0.05), CONCRETE)]
    lean = style["lean"] * (tall - base)
    glass = facade_glass(rng)
    outline = [(-front, base), (front, base), (front + lean, tall), (-front, tall)]
    colors, materials = np.array([wall, glass, roof, wall]), np.array([CONCRETE, GLASS, CONCRETE, CONCRETE])
    parts.append(prism(outline, -width / 2, width / 2, colors, materials, side_color=wall))
    parts += _facade(rng, front, base, tall, lean, width)
    parts += _ground_floor(rng, front - 0.8, base, width, wall)
    eave = front + max(lean, 0) + rng.uniform(0.5, 3.0)
    parts += _roof(rng, style["roof"], -front, eave, tall, width, roof, glass)
    parts += _signs(rng, front + lean + 0.25, width, tall - 0.9 if style["roof"] != "shed" else tall + 0.9)
    return Build(merge(parts))


def _hangar(rng: np.random.Generator, style: Style) -> Build:
    width, depth, tall = rng.uniform(35, 70), rng.uniform(30, 55), rng.uniform(11, 19)
    wall, roof = jitter(rng, pick(rng, WALLS), 0.05), jitter(rng, (0.55, 0.57, 0.6), 0.12)
    half, front = width / 2, depth / 2
    share = np.linspace(-1, 1, 9)
    rise = tall * rng.uniform(0.15, 0.35)
    arch = {
        "arch": 1 - share**2,
        "gable": 1 - np.abs(share),
        "flat": np.full(9, 0.15),
        "double": np.abs(np.sin(np.pi * share)),
    }[style["roof"]]
    ridge = [(y * half, tall + rise * a) for y, a in zip(share, arch, strict=True)]
    ring = np.array([(0.0, -half, 0.0), *[(0.0, y, z) for y, z in ridge], (0.0, half, 0.0)])[::-1]
    ring = np.concatenate([[(0.0, 0.0, 0.0)], ring])
    colors = np.array([wall, wall, *([roof] * 8), wall, wall])
    parts = [loft(np.stack([ring + (-front, 0, 0), ring + (front, 0, 0)]), colors, METAL, cap_color=wall)]
    doors = int(rng.integers(4, 9))
    door = pick(rng, ((WHITE, 2.0), (LIGHT_GREY, 2.0), ((0.2, 0.35, 0.55), 1.0), ((0.3, 0.45, 0.35), 0.6)))
    opened = int(rng.integers(0, doors)) if rng.uniform() < 0.4 else 0
    span = 0.88 * width / doors
    for k in range(doors):
        y = -0.44 * width + (k + 0.5) * span
        inside = k < opened
        shade = DARK_GREY if inside else np.multiply(door, 0.92 + 0.08 * (k % 2))
        parts.append(
            box(
                (front + (0.02 if inside else 0.15 + 0.12 * (k % 2)), y, 0.43 * tall),
                (0.1, span - 0.1, 0.86 * tall),
                shade,
                METAL,
            )
        )
        if not inside:
            parts.append(
                box(
                    (front + 0.2 + 0.12 * (k % 2), y, 0.6 * tall),
                    (0.08, 0.7 * span, 0.08 * tall),
                    facade_glass(rng),
                    GLASS,
                )
            )
    ribs = [(x, s * (half + 0.05), tall / 2) for x in np.linspace(-0.48, 0.48, 9) * depth for s in (1, -1)]
    parts.append(boxes(ribs, (0.3, 0.2, tall), np.multiply(wall, 0.9), METAL))
    parts += _signs(rng, front + 0.2, 0.6 * width, tall * 0.94)
    return Build(merge(parts))


def _shed(rng: np.random.Generator, style: Style) -> Build:
    width, depth, tall = rng.uniform(4, 16), rng.uniform(3, 8), rng.uniform(2.6, 4.5)
    wall, roof = (
        pick(rng, (*WALLS, ((0.3, 0.4, 0.35), 0.6), ((0.2, 0.3, 0.5), 0.6))),
        jitter(rng, (0.4, 0.4, 0.42), 0.2),
    )
    half = depth / 2
    rise = {"flat": (0.02, 0.02), "lean": (0.9, 0.0), "gable": (0.0, 0.0)}[style["roof"]]
    outline = [
        (-half, 0),
        (half, 0),
        (half, tall + rise[0]),
        (0.0, tall + (rng.uniform(0.6, 1.4) if style["roof"] == "gable" else sum(rise) / 2)),
        (-half, tall + rise[1]),
    ]
    parts = [prism(outline, -width / 2, width / 2, np.array([wall, wall, roof, roof, wall]), METAL, side_color=wall)]
    y = -width / 2 + 0.8
    while y < width / 2 - 1.2:
        kind = rng.choice(["door", "window", "shutter", "wall"])
        if kind == "door":
            parts.append(box((half, y + 0.5, 1.05), (0.12, 0.95, 2.1), jitter(rng, MID_GREY, 0.2)))
            y += 1.3
        elif kind == "window":
            parts.append(box((half, y + 0.6, 1.6), (0.1, 1.2, 0.9), facade_glass(rng), GLASS))
            y += 1.6
        elif kind == "shutter" and y < width / 2 - 3.2:
            parts.append(box((half, y + 1.4, 1.25), (0.1, 2.6, 2.5), jitter(rng, LIGHT_GREY, 0.15), METAL))
            y += 3.0
        else:
            y += 0.8
    if rng.uniform() < 0.4:
        parts.append(box((half + 0.02, 0, 0.15), (0.1, width, 0.3), SIGN_YELLOW))
    return Build(merge(parts))


BUILDING_KINDS = {
    "terminal": Kind(
        "structure",
        {
            "flat": Family("train", {"roof": "flat", "lean": 0.0}),
            "wave": Family("train", {"roof": "wave", "lean": 0.0}),
            "leaning": Family("val", {"roof": "flat", "lean": 0.3}),
            "shed_roof": Family("test", {"roof": "shed", "lean": -0.2}),
        },
        _terminal,
    ),
    "hangar": Kind(
        "structure",
        {
            "arch": Family("train", {"roof": "arch"}),
            "gable": Family("train", {"roof": "gable"}),
            "flat": Family("val", {"roof": "flat"}),
            "double": Family("test", {"roof": "double"}),
        },
        _hangar,
    ),
    "shed": Kind(
        "structure",
        {
            "flat": Family("train", {"roof": "flat"}),
            "gable": Family("train", {"roof": "gable"}),
            "lean": Family("test", {"roof": "lean"}),
        },
        _shed,
    ),
}
