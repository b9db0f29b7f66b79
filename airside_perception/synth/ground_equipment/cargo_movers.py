"""Cargo transporters, pallet dollies and forklifts."""

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
    MID_GREY,
    SIGNAL_RED,
    WHITE,
    Color,
    equipment_color,
    jitter,
    pick,
    random_hue,
)
from airside_perception.synth.ground_equipment.end_marks import fleet_number, rear_end
from airside_perception.synth.ground_equipment.trailers import container_mesh
from airside_perception.synth.ground_equipment.vehicle import at_work, axle, beacon, bumper, cab, lamps, striped_bar
from airside_perception.synth.mesh_parts import (
    FABRIC,
    METAL,
    Mesh,
    box,
    boxes,
    chamfered_box,
    cylinder,
    merge,
    prism,
    span_box,
    tube,
)

Style = Mapping[str, Any]
CARDBOARD: Color = (0.5, 0.37, 0.23)


def _rollers(x0: float, x1: float, half: float, level: float) -> Mesh:
    """Rollers across a deck."""
    stations = np.arange(x0 + 0.15, x1 - 0.1, 0.42)
    return boxes([(x, 0, level) for x in stations], (0.12, 2 * half - 0.3, 0.06), ALUMINIUM, METAL)


def cargo(rng: np.random.Generator, long: float, wide: float) -> Mesh:
    """A built-up air cargo pallet on z = 0: boxes under a net, under foil, or stacked crates."""
    tall = rng.uniform(0.9, 1.6)
    parts = [box((0, 0, 0.03), (long, wide, 0.06), ALUMINIUM, METAL)]
    kind = rng.choice(["foil", "net", "crates"])
    if kind == "crates":
        for x in (-0.24, 0.24):
            for y in (-0.24, 0.24):
                size = np.array([0.44 * long, 0.44 * wide, tall * rng.uniform(0.5, 1.0)])
                color = CARDBOARD if rng.uniform() < 0.6 else random_hue(rng, (0.0, 0.6), (0.15, 0.7))
                parts.append(box((x * long, y * wide, 0.06 + size[2] / 2), size, jitter(rng, color, 0.1), FABRIC))
        return merge(parts)
    wrap = jitter(rng, (0.65, 0.66, 0.66) if kind == "foil" else CARDBOARD, 0.15)
    parts.append(chamfered_box((0, 0, 0.06 + tall / 2), (0.93 * long, 0.92 * wide, tall), 0.12, wrap, FABRIC))
    if kind == "net":
        cord, a, b = (0.7, 0.65, 0.3), 0.47 * long, 0.465 * wide
        ups = [(x, s * b, 0.06 + 0.5 * tall) for x in np.linspace(-0.8, 0.8, 5) * a for s in (1, -1)]
        parts.append(boxes(ups, (0.03, 0.03, 0.85 * tall), cord, FABRIC))
        ends = [(s * a, y, 0.06 + 0.5 * tall) for y in np.linspace(-0.8, 0.8, 5) * b for s in (1, -1)]
        parts.append(boxes(ends, (0.03, 0.03, 0.85 * tall), cord, FABRIC))
        for level in (0.3, 0.6):
            parts.append(boxes([(0, s * b, 0.06 + level * tall) for s in (1, -1)], (1.7 * a, 0.03, 0.03), cord, FABRIC))
            parts.append(boxes([(s * a, 0, 0.06 + level * tall) for s in (1, -1)], (0.03, 1.7 * b, 0.03), cord, FABRIC))
    return merge(parts)


def _load(rng: np.random.Generator, x: float, level: float, wide: float) -> Mesh:
    """A container or a pallet across the deck."""
    if rng.uniform() < 0.5:
        load = container_mesh(rng, bool(rng.uniform() < 0.5)).rotated("z", np.pi / 2)
    else:
        load = cargo(rng, rng.uniform(1.5, 2.2), wide)
    return load.translated(x, 0, level)


def _cargo_transporter(rng: np.random.Generator, style: Style) -> Build:
    """Self-driven roller deck that carries containers between dollies and loader; driver beside its front."""
    length, width = rng.uniform(*style["length"]), rng.uniform(2.7, 3.1)
    color, trim = equipment_color(rng), jitter(rng, DARK_GREY, 0.1)
    front, rear, half, deck = length / 2, -length / 2, width / 2, rng.uniform(0.5, 0.65)
    parts = [axle(x, width - 0.5, 0.24, 0.2, segments=8) for x in (front - 0.8, front - 1.4, rear + 0.8, rear + 1.4)]
    cabin = rng.uniform(1.3, 1.6) if style["place"] == "front" else 0.0
    x1 = front - cabin
    parts.append(box(((rear + x1) / 2, 0, deck - 0.1), (x1 - rear, width - 0.1, 0.2), color))
    parts.append(_rollers(rear, x1, half - 0.15, deck + 0.03))
    parts.append(
        boxes(
            [((rear + x1) / 2, s * (half - 0.08), deck + 0.1) for s in (1, -1)], (x1 - rear, 0.1, 0.16), HAZARD_YELLOW
        )
    )
    top = rng.uniform(1.9, 2.15)
    if style["place"] == "front":
        wide = width * (0.42 if style["cab"] else 0.95)
        y = half - wide / 2 - 0.02 if style["cab"] else 0.0
        parts.append(chamfered_box((front - cabin / 2, 0, 0.62), (cabin - 0.05, width - 0.05, 0.62), 0.08, color))
    else:  # a pulpit beside the deck
        y, wide = half + 0.25, 0.9
        parts.append(chamfered_box((front - 1.0, y, 0.7), (1.9, 0.9, 0.7), 0.06, color))
    back, ahead = (front - cabin + 0.1, front - 0.08) if cabin else (front - 1.7, front - 0.1)
    if style["cab"]:
        parts.append(cab(back, ahead, 0.85, top, min(wide, 1.25), color, 0.15, 0.04, 0.3, trim, y=y))
    else:
        parts.append(box((back + 0.3, y, 1.1), (0.45, 0.5, 0.15), BLACK, FABRIC))
        parts.append(box((back + 0.1, y, 1.4), (0.1, 0.5, 0.6), BLACK, FABRIC))
        parts.append(box((ahead - 0.12, y, 1.15), (0.2, 0.7, 0.5), color))
        posts = [(x, y + s * 0.42, 0.9) for x in (back + 0.05, ahead - 0.1) for s in (1, -1)]
        parts += [cylinder(np.array(p), np.array(p) + (0, 0, top - 0.9), 0.03, trim, segments=4) for p in posts]
        parts.append(
            box(((back + ahead) / 2, y, top), (ahead - back + 0.1, 1.0, 0.07), color if rng.uniform() < 0.5 else WHITE)
        )
    for x in np.linspace(rear, x1, int(style["loads"]) + 1)[:-1] + (x1 - rear) / style["loads"] / 2:
        if rng.uniform() < 0.6:
            parts.append(_load(rng, float(x), deck + 0.07, min(2.3, width - 0.4)))
    parts += [bumper(front, width * 0.9, 0.4, 0.2, trim), bumper(rear, width * 0.9, 0.4, 0.2, trim)]
    parts.append(striped_bar((rear - 0.09, 0.1 - half, 0.34), (rear - 0.05, half - 0.1, 0.46), 1, 12))
    parts += lamps(front + 0.05, rear - 0.04, width, 0.6, 0.55)
    parts.append(fleet_number(rng, 0.0, half - 0.06, deck - 0.1, WHITE if sum(color) < 1.2 else BLACK))
    return Build(merge([*parts, beacon(back + 0.2, y, top + 0.02)]))


def _pallet_dolly(rng: np.random.Generator, style: Style) -> Build:
    """Wide roller trailer for pallets and large containers."""
    length, width = rng.uniform(*style["length"]), rng.uniform(2.35, 2.6)
    color = pick(
        rng,
        ((MID_GREY, 2.0), (HAZARD_YELLOW, 1.0), ((0.1, 0.22, 0.45), 1.2), ((0.35, 0.1, 0.08), 0.5), (ALUMINIUM, 1.0)),
    )
    front, rear, half, deck = length / 2, -length / 2, width / 2, rng.uniform(0.48, 0.56)
    parts = [axle(x, width - 0.3, 0.2, 0.16, segments=8) for x in (front - 0.7, rear + 0.7)]
    parts += [box((0, s * (half - 0.1), deck - 0.08), (length, 0.18, 0.16), color) for s in (1, -1)]
    parts += [box((x, 0, deck - 0.08), (0.2, width, 0.16), color) for x in (rear + 0.1, -0.3, 0.3, front - 0.1)]
    parts.append(_rollers(rear, front, half, deck + 0.02))
    stops = [(x, s * (half - 0.06), deck + 0.1) for x in (rear + 0.06, front - 0.06) for s in (1, -1)]
    parts.append(boxes(stops, (0.12, 0.12, 0.26), HAZARD_YELLOW if color != HAZARD_YELLOW else BLACK))
    if style["gates"]:
        for x in (rear + 0.03, front - 0.03):
            ring = [
                (x, half - 0.1, deck),
                (x, half - 0.1, deck + 0.8),
                (x, 0.1 - half, deck + 0.8),
                (x, 0.1 - half, deck),
            ]
            parts.append(tube(ring, 0.03, color, segments=4))
    bar = rng.uniform(0.6, 0.95)
    parts.append(
        tube(
            [(front - 0.5, 0.35, 0.3), (front + bar, 0, 0.32), (front - 0.5, -0.35, 0.3)], 0.045, DARK_GREY, segments=5
        )
    )
    parts.append(box((rear - 0.06, 0, 0.32), (0.16, 0.14, 0.12), DARK_GREY))
    parts.append(boxes([(rear - 0.01, s * (half - 0.2), deck - 0.08) for s in (1, -1)], (0.03, 0.16, 0.08), SIGNAL_RED))
    if rng.uniform() < style["loaded"]:
        load = cargo(rng, length - rng.uniform(0.2, 0.5), width - rng.uniform(0.1, 0.3))
        parts.append(load.translated(0, 0, deck + 0.05))
    anchors = {"hitch_front": np.array([front + bar, 0, 0.32]), "hitch_rear": np.array([rear - 0.12, 0, 0.32])}
    return Build(merge(parts), anchors)


def _forklift(rng: np.random.Generator, style: Style) -> Build:
    """Counterweight at the rear, mast and forks at the front, at times with a load."""
    long, width = rng.uniform(*style["length"]), rng.uniform(*style["width"])
    color = pick(
        rng, ((HAZARD_YELLOW, 2.0), ((0.9, 0.4, 0.05), 2.0), (SIGNAL_RED, 1.0), ((0.1, 0.4, 0.2), 0.7), (MID_GREY, 0.7))
    )
    trim, half = jitter(rng, DARK_GREY, 0.1), width / 2
    front, rear, top = long / 2, -long / 2, rng.uniform(2.05, 2.4)
    radius = rng.uniform(0.27, 0.34)
    parts = [
        axle(front - 0.35, width, radius, 0.24),
        axle(rear + 0.45, width * (0.55 if style["narrow"] else 0.95), 0.8 * radius, 0.2),
    ]
    seat = rear + 0.48 * long
    weight = [(rear + 0.05, 0.3), (seat, 0.3), (seat, 1.0), (rear + 0.25, 1.0), (rear, 0.85)]
    parts.append(prism(weight, -half + 0.04, half - 0.04, color))
    parts.append(span_box((seat - 0.05, 0.08 - half, 0.32), (front - 0.15, half - 0.08, 0.55), color))
    parts.append(box((front - 0.28, 0, 0.85), (0.16, width - 0.25, 0.65), trim))
    if style["cab"]:
        parts.append(cab(seat - 0.25, front - 0.2, 0.5, top, width - 0.1, color, 0.15, 0.02, 0.32, trim))
    else:
        parts += [
            box((seat - 0.05, 0, 1.08), (0.5, 0.5, 0.16), BLACK, FABRIC),
            box((seat - 0.28, 0, 1.35), (0.1, 0.5, 0.5), BLACK, FABRIC),
        ]
        for s in (1, -1):
            parts.append(
                tube(
                    [(front - 0.28, s * (half - 0.1), 0.6), (front - 0.5, s * (half - 0.12), top)],
                    0.04,
                    trim,
                    segments=4,
                )
            )
            parts.append(
                tube(
                    [(rear + 0.45, s * (half - 0.1), 0.95), (rear + 0.4, s * (half - 0.12), top)],
                    0.04,
                    trim,
                    segments=4,
                )
            )
        roof = [(x, 0, top) for x in np.linspace(rear + 0.4, front - 0.5, 7)]
        parts.append(boxes(roof, (0.06, width - 0.2, 0.05), trim))
        parts.append(
            boxes([((rear + front) / 2, s * (half - 0.12), top) for s in (1, -1)], (long - 0.85, 0.06, 0.06), trim)
        )
    lift = rng.uniform(0.5, 1.8) if at_work(rng, style, 0.3) else rng.uniform(0.15, 0.3)
    high = max(top - 0.1, lift + 1.1)
    mast = [(front + 0.02, s * 0.32 * width, 0.12 + high / 2) for s in (1, -1)]
    parts.append(boxes(mast, (0.12, 0.1, high), trim, METAL))
    parts.append(boxes([(front + 0.02, 0, z) for z in (0.3, 0.6 * high, high)], (0.1, 0.64 * width, 0.08), trim, METAL))
    parts.append(box((front + 0.12, 0, lift + 0.25), (0.06, 0.75 * width, 0.5), trim, METAL))
    reach = rng.uniform(0.95, 1.2)
    tines = [(front + 0.12 + reach / 2, s * 0.2 * width, lift) for s in (1, -1)]
    parts.append(boxes(tines, (reach, 0.12, 0.05), MID_GREY, METAL))
    if rng.uniform() < 0.4:
        parts.append(cargo(rng, reach, 1.0).scaled((1, 1, 0.7)).translated(front + 0.17 + reach / 2, 0, lift + 0.03))
    parts += rear_end(rng, rear - 0.01, 0.8 * width, 0.45, 0.8)
    parts += [*lamps(front - 0.2, rear + 0.02, width - 0.15, 1.25, 0.9, size=0.1), beacon(rear + 0.5, 0, top + 0.02)]
    return Build(merge(parts))


CARGO_MOVER_KINDS = {
    "cargo_transporter": Kind(
        "gse",
        {
            "front_cab": Family("train", {"place": "front", "cab": True, "loads": 1, "length": (5.2, 6.2)}),
            "front_open": Family("train", {"place": "front", "cab": False, "loads": 2, "length": (6.8, 8.2)}),
            "side_open": Family("val", {"place": "side", "cab": False, "loads": 2, "length": (6.0, 7.0)}),
            "side_cab": Family("test", {"place": "side", "cab": True, "loads": 2, "length": (6.4, 7.6)}),
        },
        _cargo_transporter,
    ),
    "pallet_dolly": Kind(
        "gse",
        {
            "bare": Family("train", {"gates": False, "loaded": 0.6, "length": (3.3, 3.8)}),
            "gates": Family("train", {"gates": True, "loaded": 0.7, "length": (3.3, 4.0)}),
            "short": Family("val", {"gates": False, "loaded": 0.8, "length": (2.6, 3.0)}),
            "long": Family("test", {"gates": True, "loaded": 0.6, "length": (4.6, 6.2)}),
        },
        _pallet_dolly,
    ),
    "forklift": Kind(
        "gse",
        {
            "open": Family("train", {"length": (2.1, 2.6), "width": (1.1, 1.3), "cab": False, "narrow": False}),
            "cab": Family("train", {"length": (2.4, 2.9), "width": (1.2, 1.4), "cab": True, "narrow": False}),
            "three_wheels": Family("val", {"length": (1.8, 2.1), "width": (1.0, 1.15), "cab": False, "narrow": True}),
            "heavy_cab": Family("test", {"length": (3.2, 4.0), "width": (1.7, 2.1), "cab": True, "narrow": False}),
        },
        _forklift,
    ),
}
