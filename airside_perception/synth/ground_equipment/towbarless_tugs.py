"""Remote-controlled electric tugs that lift a nose wheel: low, wide, open at the front."""

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
    SIGNAL_RED,
    WHITE,
    Color,
    jitter,
    pick,
)
from airside_perception.synth.ground_equipment.end_marks import chevrons, fleet_number
from airside_perception.synth.ground_equipment.vehicle import axle, beacon, lamps
from airside_perception.synth.mesh_parts import (
    FABRIC,
    METAL,
    RUBBER,
    box,
    boxes,
    cylinder,
    merge,
    prism,
    tube,
)

Style = Mapping[str, Any]
TUG_PALETTE: tuple[tuple[Color, float], ...] = (
    ((0.95, 0.45, 0.05), 2.0), (WHITE, 2.0), (HAZARD_YELLOW, 1.0), ((0.1, 0.3, 0.6), 1.0), ((0.15, 0.5, 0.3), 0.6),
)  # fmt: skip


def _towbarless_tug(rng: np.random.Generator, style: Style) -> Build:
    """Two arms reach forward round the nose wheel; the drive and battery box is behind."""
    length, width, tall = rng.uniform(*style["length"]), rng.uniform(*style["width"]), rng.uniform(0.55, 0.8)
    color, trim = pick(rng, TUG_PALETTE), jitter(rng, DARK_GREY, 0.1)
    front, rear, half = length / 2, -length / 2, width / 2
    gap, block = rng.uniform(0.42, 0.55), rear + rng.uniform(0.4, 0.5) * length
    nose = rng.uniform(0.1, 0.3) if style["wedge"] else 0.05
    body = [
        (rear + 0.15, 0.12),
        (block, 0.12),
        (block, tall - 0.02),
        (rear + nose, tall),
        (rear, tall - nose - 0.1),
        (rear, 0.25),
    ]
    parts = [prism(body, -half, half, color)]
    arm = [
        (block - 0.05, 0.1),
        (front - 0.1, 0.1),
        (front, 0.2),
        (front - 0.15, 0.6 * tall),
        (block - 0.05, tall - 0.04),
    ]
    parts += [prism(arm, half - gap, half, color), prism(arm, -half, gap - half, color)]
    parts.append(axle(rear + 0.55, width + 0.02, 0.2, 0.16, segments=8))
    parts.append(axle(front - 0.35, width + 0.02, 0.16, 0.14, segments=8))
    parts.append(box((block + 0.1, 0, 0.3), (0.25, 2 * (half - gap) - 0.04, 0.4), trim, METAL))
    parts.append(box((block + 0.75, 0, 0.14), (0.9, 2 * (half - gap) - 0.04, 0.1), ALUMINIUM, METAL))
    parts += [box((block + 1.0, s * (half - gap - 0.08), 0.35), (0.5, 0.12, 0.2), BLACK, RUBBER) for s in (1, -1)]
    parts.append(boxes([(rear + 0.5 + 0.18 * k, 0, tall + 0.005) for k in range(4)], (0.08, 0.8 * width, 0.03), trim))
    if style["rider"]:
        parts.append(box((rear + 0.75, 0.2, tall + 0.12), (0.45, 0.45, 0.14), BLACK, FABRIC))
        parts.append(box((rear + 0.52, 0.2, tall + 0.4), (0.1, 0.45, 0.5), BLACK, FABRIC))
        parts.append(tube([(rear + 1.35, 0.2, tall - 0.1), (rear + 1.2, 0.2, tall + 0.4)], 0.03, BLACK))
        parts.append(cylinder((rear + 1.2, 0.2, tall + 0.4), (rear + 1.18, 0.2, tall + 0.43), 0.18, BLACK))
    parts.append(chevrons(rear - 0.015, 0.9 * half, 0.27, max(tall - nose - 0.12, 0.42), (WHITE, SIGNAL_RED)))
    parts += lamps(front - 0.03, rear + 0.1, width, 0.3, tall - 0.08 if not style["wedge"] else 0.5, size=0.12)
    parts.append(fleet_number(rng, rear + 0.3 * length, half, 0.5 * tall, BLACK if sum(color) > 1.2 else WHITE))
    parts.append(beacon(rear + 0.3, -0.6 * half, tall))
    return Build(merge(parts), {"nose_wheel": np.array([block + 0.75, 0, 0.0])})


TOWBARLESS_TUG_KINDS = {
    "towbarless_tug": Kind(
        "gse",
        {
            "flat": Family("train", {"length": (3.2, 4.0), "width": (2.2, 2.7), "wedge": False, "rider": False}),
            "wedge": Family("train", {"length": (3.6, 4.4), "width": (2.4, 3.0), "wedge": True, "rider": False}),
            "rider": Family("val", {"length": (3.4, 4.0), "width": (1.9, 2.3), "wedge": False, "rider": True}),
            "wedge_rider": Family("test", {"length": (3.6, 4.4), "width": (2.2, 2.6), "wedge": True, "rider": True}),
        },
        _towbarless_tug,
    ),
}
