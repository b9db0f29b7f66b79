"""Lines on the ground: straight pieces joined by arcs, measured along their length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

_SPACING = 0.25
"""Metres between the points of an arc."""


@dataclass(frozen=True)
class Path:
    """A smooth line.

    Attributes:
        points: (N, 2) float64 metres, world.
        headings: (N,) float64 radians, unwrapped: direction of travel at each point.
        distances: (N,) float64 metres from the first point.
    """

    points: np.ndarray
    headings: np.ndarray
    distances: np.ndarray

    @property
    def length(self) -> float:
        """Metres from end to end."""
        return float(self.distances[-1])

    def places(self, distances: np.ndarray) -> np.ndarray:
        """(D, 3) x, y and heading at `distances`; the path goes on straight beyond its ends."""
        inside = np.clip(distances, 0.0, self.length)
        columns = (self.points[:, 0], self.points[:, 1], self.headings)
        found = np.stack([np.interp(inside, self.distances, column) for column in columns], axis=-1)
        beyond = (np.asarray(distances) - inside)[..., None]
        found[..., :2] += beyond * np.stack([np.cos(found[..., 2]), np.sin(found[..., 2])], axis=-1)
        return found

    def curvature(self, distances: np.ndarray) -> np.ndarray:
        """(D,) 1/m, positive to the left, at `distances`."""
        steps = np.diff(self.distances)
        bends = np.diff(self.headings) / steps
        piece = np.clip(np.searchsorted(self.distances, distances, side="right") - 1, 0, len(steps) - 1)
        return bends[piece]


def rounded_path(waypoints: Sequence[ArrayLike], radius: float) -> Path:
    """Straight lines between waypoints, corners rounded.

    Args:
        waypoints: two or more (2,) points, metres, each apart from the one before.
        radius: of the corners, metres; a corner takes no more than 48 % of the shorter line beside it.
    """
    corners = np.asarray(waypoints, float)
    lines = np.diff(corners, axis=0)
    lengths = np.linalg.norm(lines, axis=1)
    headings = np.unwrap(np.arctan2(lines[:, 1], lines[:, 0]))
    points, yaws = [corners[:1]], [headings[:1]]
    for index in range(1, len(corners) - 1):
        turn = headings[index] - headings[index - 1]
        if abs(turn) < 1e-6:
            continue
        room = 0.48 * min(lengths[index - 1], lengths[index])
        tangent = min(radius * np.tan(abs(turn) / 2), room)
        arc_radius = tangent / np.tan(abs(turn) / 2)
        count = max(int(np.ceil(abs(turn) * arc_radius / _SPACING)), 4)
        passed = headings[index - 1] + turn * np.arange(count + 1) / count
        entry = corners[index] - tangent * lines[index - 1] / lengths[index - 1]
        normal = np.sign(turn) * np.stack([-np.sin(passed), np.cos(passed)], axis=1)
        points.append(entry + arc_radius * (normal[0] - normal))
        yaws.append(passed)
    points.append(corners[-1:])
    yaws.append(headings[-1:])
    line, heading = np.concatenate(points), np.concatenate(yaws)
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    keep = np.concatenate([[True], steps > 1e-9])
    line, heading = line[keep], heading[keep]
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    return Path(line, heading, np.concatenate([[0.0], np.cumsum(steps)]))
