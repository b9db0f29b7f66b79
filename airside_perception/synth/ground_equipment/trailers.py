"""What tractors pull: dollies, containers and towbars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import (
    ALUMINIUM,
    BLACK,
    DARK_GREY,
    HAZARD_YELLOW,
    LIGHT_GREY,
    MID_GREY,
    SIGNAL_RED,
    WHITE,
    Color,
    jitter,
    pick,
    random_hue,
)
from airside_perception.synth.fitted_parts import panel, wheel
from airside_perception.synth.ground_equipment.vehicle import axle, striped_bar
from airside_perception.synth.mesh_parts import (
    FABRIC,
    METAL,
    PAINT,
    RUBBER,
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


DOLLY_PALETTE: tuple[tuple[Color, float], ...] = (
    (MID_GREY, 2.0),
    (ALUMINIUM, 2.0),
    (HAZARD_YELLOW, 1.0),
    ((0.1, 0.2, 0.45), 1.5),
    ((0.3, 0.32, 0.3), 1.0),
    (SIGNAL_RED, 0.5),
)
COVER_PALETTE: tuple[tuple[Color, float], ...] = (
    (WHITE, 2.0),
    (LIGHT_GREY, 1.0),
    ((0.1, 0.25, 0.55), 1.0),
    ((0.1, 0.4, 0.25), 0.6),
    (SIGNAL_RED, 0.6),
)


@dataclass(frozen=True)
class Deck:
    """The platform of a dolly: its ends, half width, height and colour."""

    rear: float
    front: float
    half: float
    floor: float
    color: Color


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


def _tank_cover(deck: Deck, top: float, shell_color: Color) -> list[Mesh]:
    """Closed shell with two shutters a side."""
    rear, front, half, floor = deck.rear, deck.front, deck.half, deck.floor
    middle = (0, 0, (top + floor) / 2)
    parts = [chamfered_box(middle, (front - rear, 2 * half, top - floor), 0.12, shell_color, METAL)]
    for sign in (1, -1):
        side = [(rear, floor), (front, floor), (front, top), (rear, top)]
        quad = [(x, sign * half, z) for x, z in side]
        for u in (0.06, 0.53):
            parts.append(panel(quad, tuple(0.75 * c for c in shell_color), inset=(u, u + 0.41, 0.1, 0.9)))
    return parts


def _roof_cover(rng: np.random.Generator, deck: Deck, top: float, roof_color: Color, curtains: bool) -> list[Mesh]:
    """Roof on posts with end walls, and curtains that are drawn part of the way."""
    rear, front, half, floor = deck.rear, deck.front, deck.half, deck.floor
    eaves = [(rear, top - 0.15), (front, top - 0.15), (front, top - 0.06)]
    parts = [prism([*eaves, (front - 0.15, top), (rear + 0.15, top), (rear, top - 0.06)], -half, half, roof_color)]
    middle = (floor + top) / 2
    posts = [(x, s * (half - 0.04), middle - 0.05) for x in (front - 0.04, 0.0, rear + 0.04) for s in (1, -1)]
    parts.append(boxes(posts, (0.06, 0.06, top - floor - 0.1), deck.color, METAL))
    tall = top - floor
    for x in (front - 0.03, rear + 0.03):
        wall = deck.color if rng.uniform() < 0.6 else roof_color
        parts.append(box((x, 0, floor + 0.4 * tall), (0.04, 2 * half - 0.06, 0.78 * tall), wall))
    parts.append(box((0, 0, middle - 0.1), (0.04, 2 * half - 0.1, tall - 0.25), DARK_GREY))
    if curtains:
        cloth = roof_color if rng.uniform() < 0.6 else random_hue(rng, (0.3, 0.9), (0.15, 0.7))
        for y in (half, -half):
            drawn = rear + 0.05 + rng.uniform(0.2, 1.0) * (front - rear - 0.1)
            low, high = (rear + 0.05, y - 0.02, floor + 0.1), (drawn, y + 0.02, top - 0.1)
            parts.append(span_box(low, high, cloth, FABRIC))
    return parts


def _end_frame(deck: Deck, x: float, top: float) -> Mesh:
    """Tubular gate across the deck."""
    y = deck.half - (0.05 if top > 1.1 else 0.1)
    return tube([(x, y, deck.floor), (x, y, top), (x, -y, top), (x, -y, deck.floor)], 0.03, deck.color, segments=5)


def _flat_deck(rng: np.random.Generator, deck: Deck, loaded: bool) -> list[Mesh]:
    """Open platform with end gates and perhaps a pile of bags."""
    rear, front, half, floor = deck.rear, deck.front, deck.half, deck.floor
    edges = [(0, s * (half - 0.03), floor + 0.06) for s in (1, -1)]
    parts = [boxes(edges, (front - rear, 0.06, 0.12), deck.color, METAL)]
    for x in (front - 0.05, rear + 0.05):
        if rng.uniform() < 0.75:
            parts.append(_end_frame(deck, x, 1.2))
    if loaded:
        return parts + _luggage(rng, rear, front, 2 * half, floor, rng.uniform(0.5, 1.0))
    bar = [(rear + 0.05, half - 0.05, 0.9), (rear + 0.05, 0.05 - half, 0.9)]
    return [*parts, tube(bar, 0.03, deck.color, segments=5)]


def _roller_deck(rng: np.random.Generator, deck: Deck) -> list[Mesh]:
    """Rollers for a container, which is often on it."""
    rear, front, half, floor = deck.rear, deck.front, deck.half, deck.floor
    parts = [
        cylinder((x, 0.1 - half, floor + 0.03), (x, half - 0.1, floor + 0.03), 0.045, ALUMINIUM, segments=6)
        for x in np.linspace(rear + 0.2, front - 0.2, 7)
    ]
    if rng.uniform() < 0.7:
        load = container_mesh(rng, rng.uniform(0, 1) < 0.5)
        return [*parts, load.rotated("z", np.pi / 2).translated(z=floor + 0.08)]
    stops = [(x, s * (half - 0.1), floor + 0.15) for x in (front - 0.05, rear + 0.05) for s in (1, -1)]
    return [*parts, boxes(stops, (0.08, 0.12, 0.25), HAZARD_YELLOW), _end_frame(deck, front - 0.02, 1.05)]


def _baggage_dolly(rng: np.random.Generator, style: Style) -> Build:
    length, width = rng.uniform(2.3, 3.1), rng.uniform(1.4, 1.65)
    color = pick(rng, DOLLY_PALETTE)
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
    deck = Deck(rear, front, half, floor, color)
    cover = style["cover"]
    loaded = rng.uniform() < 0.65
    if cover == "flat":
        parts += _flat_deck(rng, deck, loaded)
    elif cover == "rollers":
        parts += _roller_deck(rng, deck)
    else:
        top = rng.uniform(1.75, 2.15)
        roof_color = color if rng.uniform() < 0.4 else pick(rng, COVER_PALETTE)
        if cover == "tank":
            parts += _tank_cover(deck, top, roof_color)
        else:
            parts += _roof_cover(rng, deck, top, roof_color, curtains=cover == "curtain")
            if rng.uniform() < 0.6:
                parts += _luggage(rng, rear, front, width, floor, 0.75 * (top - floor))
    if rng.uniform() < 0.5:
        marks = [(x, s * half, floor - 0.06) for x in (rear + 0.2, 0, front - 0.2) for s in (1, -1)]
        parts.append(boxes(marks, (0.2, 0.02, 0.06), SIGNAL_RED))
    anchors = {"hitch_front": np.array([front + bar, 0, 0.32]), "hitch_rear": np.array([rear - 0.1, 0, 0.32])}
    return Build(merge(parts), anchors)


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
    elif style["shape"] == "sloped":  # both upper edges cut, as for a main deck
        size = mesh.size
        color = pick(rng, ((ALUMINIUM, 3.0), (WHITE, 1.0), ((0.2, 0.3, 0.5), 0.6)))
        half, cut, tall = size[1] / 2, 0.28 * size[1], size[2]
        outline = [
            (-half, 0.0),
            (half, 0.0),
            (half, 0.55 * tall),
            (half - cut, tall),
            (cut - half, tall),
            (-half, 0.55 * tall),
        ]
        shape = prism(outline, -size[0] / 2, size[0] / 2, color, METAL).rotated("z", np.pi / 2)
        bands = [(x, 0, 0.27 * tall) for x in np.linspace(-0.4, 0.4, 5) * size[0]]
        parts = [shape, boxes(bands, (0.06, size[1] + 0.04, 0.5 * tall), tuple(0.75 * c for c in color), METAL)]
        mesh = merge(parts)
    elif style["shape"] == "netted":  # pallet with cargo under a net
        size = np.array([rng.uniform(1.9, 2.1), rng.uniform(1.45, 1.6), rng.uniform(1.3, 1.65)])
        wrap = jitter(rng, (0.6, 0.6, 0.55), 0.2)
        parts = [
            box((0, 0, 0.03), (*size[:2], 0.06), ALUMINIUM, METAL),
            chamfered_box((0, 0, size[2] / 2), size * (0.92, 0.9, 0.96), 0.2, wrap, FABRIC),
        ]
        lines = [(x, s * 0.455 * size[1], size[2] / 2) for x in np.linspace(-0.3, 0.3, 5) * size[0] for s in (1, -1)]
        parts.append(boxes(lines, (0.03, 0.03, size[2] * 0.72), BLACK, FABRIC))
        bands = [(0, s * 0.455 * size[1], level * size[2]) for level in (0.25, 0.5, 0.75) for s in (1, -1)]
        parts.append(boxes(bands, (0.72 * size[0], 0.03, 0.03), BLACK, FABRIC))
        tops = [(x, 0, 0.985 * size[2]) for x in np.linspace(-0.3, 0.3, 5) * size[0]]
        parts.append(boxes(tops, (0.03, 0.7 * size[1], 0.03), BLACK, FABRIC))
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


TRAILER_KINDS = {
    "baggage_dolly": Kind(
        "gse",
        {
            "flat": Family("train", {"cover": "flat"}),
            "roof": Family("train", {"cover": "roof"}),
            "curtain": Family("train", {"cover": "curtain"}),
            "tank": Family("val", {"cover": "tank"}),
            "container_dolly": Family("test", {"cover": "rollers"}),
        },
        _baggage_dolly,
    ),
    "container": Kind(
        "gse",
        {
            "ld3": Family("train", {"shape": "ld3"}),
            "full": Family("train", {"shape": "full"}),
            "sloped": Family("val", {"shape": "sloped"}),
            "netted": Family("test", {"shape": "netted"}),
        },
        _container,
    ),
    "towbar": Kind(
        "gse",
        {
            "fork_rear_wheels": Family("train", {"head": "fork", "wheels": (-0.25, -0.1)}),
            "box_rear_wheels": Family("train", {"head": "box", "wheels": (-0.3, -0.05)}),
            "box_middle_wheels": Family("val", {"head": "box", "wheels": (-0.02, 0.12)}),
            "fork_front_wheels": Family("test", {"head": "fork", "wheels": (0.15, 0.3)}),
        },
        _towbar,
    ),
}
