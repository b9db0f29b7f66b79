"""Carts that one person pushes; the anchor `handle` is where the hands go."""

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
    LIGHT_GREY,
    SIGNAL_RED,
    Color,
    jitter,
    pick,
    random_hue,
)
from airside_perception.synth.fitted_parts import wheel
from airside_perception.synth.ground_equipment.cargo_movers import CARDBOARD
from airside_perception.synth.mesh_parts import FABRIC, PAINT, RUBBER, box, boxes, chamfered_box, merge, tube

Style = Mapping[str, Any]


def _wheelchair(color: Color, front: float, half: float, tall: float) -> Build:
    """Chair on two large and two small wheels, pushed by grips behind its back."""
    wide = 2 * half
    grips = [[(-0.22, y, 0.5), (-0.26, y, tall), (-0.42, y, tall + 0.01)] for y in (half - 0.05, 0.05 - half)]
    parts = [tube(grip, 0.018, LIGHT_GREY, segments=5) for grip in grips]
    parts.append(box((0, 0, 0.5), (0.45, wide - 0.08, 0.06), color, FABRIC))
    parts.append(box((-0.22, 0, 0.78), (0.05, wide - 0.08, 0.5), color, FABRIC))
    parts += [wheel((-0.1, s * half, 0.3), 0.3, 0.04, segments=12) for s in (1, -1)]
    parts += [wheel((front - 0.2, s * (half - 0.08), 0.1), 0.1, 0.03, segments=8) for s in (1, -1)]
    rest = [(0.2, s * 0.14, 0.48) for s in (1, -1)]
    parts += [tube([p, (front - 0.1, p[1], 0.14)], 0.015, LIGHT_GREY, segments=4) for p in rest]
    parts.append(box((front - 0.02, 0, 0.13), (0.18, 0.36, 0.02), BLACK))
    parts += [box((-0.02, s * (half - 0.03), 0.7), (0.36, 0.05, 0.04), BLACK, RUBBER) for s in (1, -1)]
    return Build(merge(parts), {"handle": np.array([-0.42, 0, tall])})


def _hand_cart(rng: np.random.Generator, style: Style) -> Build:
    """Luggage trolleys, platform trucks, tool cabinets and wheelchairs; the handle is at the rear."""
    long, wide, tall = rng.uniform(0.8, 1.3), rng.uniform(0.5, 0.7), rng.uniform(0.95, 1.1)
    color = pick(
        rng, ((ALUMINIUM, 2.0), (SIGNAL_RED, 1.0), ((0.1, 0.25, 0.5), 1.0), (HAZARD_YELLOW, 0.7), (DARK_GREY, 0.7))
    )
    rear, front, half = -long / 2, long / 2, wide / 2
    handle = [
        (rear + 0.06, half - 0.04, 0.2),
        (rear - 0.04, half - 0.04, tall),
        (rear - 0.04, 0.04 - half, tall),
        (rear + 0.06, 0.04 - half, 0.2),
    ]
    if style["shape"] == "wheelchair":
        return _wheelchair(color, front, half, tall)
    parts = [tube(handle, 0.018, LIGHT_GREY if style["shape"] != "cabinet" else BLACK, segments=5)]
    parts += [
        wheel((x, s * (half - 0.06), 0.09), 0.09, 0.04, segments=8)
        for x in (rear + 0.14, front - 0.14)
        for s in (1, -1)
    ]
    parts.append(box((0, 0, 0.2), (long, wide, 0.05), color if style["shape"] != "cabinet" else DARK_GREY))
    if style["shape"] == "cabinet":
        parts.append(chamfered_box((0.03, 0, 0.55), (long - 0.12, wide - 0.04, 0.66), 0.03, color))
        drawers = [(0.03, s * (half - 0.02), z) for z in (0.34, 0.5, 0.66, 0.8) for s in (1, -1)]
        parts.append(boxes(drawers, (long - 0.3, 0.03, 0.02), BLACK))
    else:
        for _ in range(int(rng.integers(0, 5))):
            size = rng.uniform((0.3, 0.25, 0.2), (0.6, 0.45, 0.4))
            at = (rng.uniform(-0.1, 0.1) * long, rng.uniform(-0.1, 0.1), 0.22 + size[2] / 2 + rng.choice([0.0, 0.25]))
            shade = CARDBOARD if style["shape"] == "platform" else random_hue(rng, (0.0, 0.9), (0.05, 0.6))
            parts.append(box(at, size, jitter(rng, shade, 0.1), FABRIC))
        if style["shape"] == "trolley":
            parts.append(
                tube(
                    [
                        (front - 0.05, half - 0.05, 0.2),
                        (front, half - 0.05, 0.45),
                        (front, 0.05 - half, 0.45),
                        (front - 0.05, 0.05 - half, 0.2),
                    ],
                    0.015,
                    LIGHT_GREY,
                    segments=4,
                )
            )
            parts.append(
                box((rear - 0.02, 0, 0.82), (0.03, wide - 0.12, 0.2), random_hue(rng, (0.4, 1.0), (0.2, 0.9)), PAINT)
            )
    return Build(merge(parts), {"handle": np.array([rear - 0.04, 0, tall])})


HAND_CART_KINDS = {
    "hand_cart": Kind(
        "gse",
        {
            "trolley": Family("train", {"shape": "trolley"}),
            "platform": Family("train", {"shape": "platform"}),
            "cabinet": Family("val", {"shape": "cabinet"}),
            "wheelchair": Family("test", {"shape": "wheelchair"}),
        },
        _hand_cart,
    ),
}
