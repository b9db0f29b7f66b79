"""Painted lines of service roads, stands, taxiways, and the grass beyond."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.ground import BLACK, GRASS, RED, WHITE, YELLOW, GroundPainter

REACH = 110.0
"""Half the painted square, metres."""


def paint_road(painter: GroundPainter, rng: np.random.Generator) -> float:
    """A service road along y = 0 with edge lines, centre dashes and a few stop bars; returns its half width."""
    edge = rng.uniform(3.6, 4.6)
    for y in (-edge, edge):
        painter.line(np.array([[-REACH, y], [REACH, y]]), WHITE, 0.2)
    painter.dashed(np.array([-REACH, 0]), np.array([REACH, 0]), WHITE, 0.15, 3.0, 4.0)
    if rng.random() < 0.6:
        painter.line(np.array([[-REACH, edge + 1.2], [REACH, edge + 1.2]]), RED, 0.25)
    for x in rng.uniform(-60, 60, 3):
        painter.polygon(np.array([[x, -1.2], [x + 0.4, -1.2], [x + 0.4, -edge], [x, -edge]]), WHITE)
    if rng.random() < 0.5:
        _zebra(painter, rng.uniform(-40, 40), edge, rng.uniform(2.5, 4.0))
    return edge


def _zebra(painter: GroundPainter, x: float, edge: float, width: float) -> None:
    """A pedestrian crossing over the road at x."""
    for y in np.arange(-edge + 0.5, edge - 0.5, 1.0):
        painter.polygon(np.array([[x, y], [x + width, y], [x + width, y + 0.5], [x, y + 0.5]]), WHITE)


def paint_stand(
    painter: GroundPainter,
    rng: np.random.Generator,
    pose: tuple[float, float, float],
    length: float,
    span: float,
    road_edge: float,
) -> None:
    """Lead-in line, stand box in red, hatched restraint corner, stop bars, a number, and spilt fuel.

    Args:
        painter, rng: what to paint on, and the draws.
        pose: x, y and yaw of the aircraft's box centre.
        length, span: of the aircraft, metres.
        road_edge: |y| of the road that the box ends before.
    """
    x, y, yaw = pose
    forward = np.array([np.cos(yaw), np.sin(yaw)])
    side = np.array([-forward[1], forward[0]])
    center = np.array([x, y])
    stop, behind = center + forward * (length / 2 - 3), center - forward * (length / 2 + 25)
    painter.line(np.stack([stop, behind]), BLACK, 0.5)
    painter.line(np.stack([stop, behind]), YELLOW, 0.25)
    road = np.sign(y)
    low, high = road * (road_edge + 2.2), y + road * (length / 2 + 5)
    half = span / 2 + 3
    corners = np.array([[x - half, low], [x + half, low], [x + half, high], [x - half, high]])
    painter.line(np.array([*corners, corners[0]]), RED if rng.random() < 0.7 else WHITE, 0.25)
    if rng.random() < 0.6:
        a = corners[int(rng.integers(2))]
        inward = np.array([np.sign(x - a[0]) * rng.uniform(4, 9), 0.0])
        painter.hatched(np.array([a, a + inward, a + [0, road * rng.uniform(3, 8)]]), RED, 1.2, 0.15)
    for k in range(int(rng.integers(1, 4))):
        bar = stop - forward * (1 + 3 * k)
        painter.line(np.stack([bar - side * 1.2, bar + side * 1.2]), YELLOW, 0.3)
    painter.number(str(int(rng.integers(1, 60))), np.array([x + 1.5 * road, low + road * 0.8]), [0, road], 2.2, YELLOW)
    for where in (0.1, -0.25):
        spot = center + forward * where * length + side * rng.normal(0, 0.15 * span)
        painter.stain(spot[0], spot[1], rng.uniform(1.5, 5.0), rng.uniform(0.5, 0.85))


def paint_taxiway(painter: GroundPainter, rng: np.random.Generator, side: float) -> None:
    """A taxiway and grass on the side of the road (y sign) without stands."""
    middle = side * rng.uniform(24, 38)
    painter.line(np.array([[-REACH, middle], [REACH, middle]]), BLACK, 0.5)
    painter.line(np.array([[-REACH, middle], [REACH, middle]]), YELLOW, 0.25)
    edge = middle + side * rng.uniform(9, 16)
    for offset in (0.0, 0.5):
        y = edge - side * (1.5 + offset)
        painter.line(np.array([[-REACH, y], [REACH, y]]), YELLOW, 0.2)
    if rng.random() < 0.75:
        painter.polygon(np.array([[-REACH, edge], [REACH, edge], [REACH, side * REACH], [-REACH, side * REACH]]), GRASS)
        painter.mottle(np.array([-REACH, min(edge, side * REACH)]), np.array([REACH, max(edge, side * REACH)]), 0.35)


def paint_anything(painter: GroundPainter, rng: np.random.Generator) -> None:
    """Lines of any colour in any direction, for scattered scenes."""
    for _ in range(int(rng.integers(2, 9))):
        angle, offset = rng.uniform(-np.pi, np.pi), rng.uniform(-40, 40, 2)
        along = np.array([np.cos(angle), np.sin(angle)]) * 120
        color = (WHITE, YELLOW, RED)[int(rng.integers(3))]
        painter.line(np.stack([offset - along, offset + along]), color, rng.uniform(0.1, 0.5))
    if rng.random() < 0.3:
        paint_taxiway(painter, rng, rng.choice([-1.0, 1.0]))
