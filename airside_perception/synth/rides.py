"""Driving along paths at speeds and accelerations that vehicles reach: legs, stops, reversing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from airside_perception.synth.paths import Path
from airside_perception.synth.scene import Trajectory

ACCELERATION = 0.9
"""m/s2 along the path, speeding up and braking."""
SIDEWAYS = 1.0
"""m/s2 across the path: bends slow a vehicle down."""
KNOTS_HZ = 20.0
_STEP = 0.1


@dataclass(frozen=True)
class Leg:
    """One stretch, from standing (or the ride's start speed) to standing (or its end speed).

    Attributes:
        path: where.
        cruise: m/s where neither bends nor stops ask for less.
        reverse: drive it backwards.
        stops: (metres along the path, seconds to stand there).
        pause_s: seconds to stand before the leg.
    """

    path: Path
    cruise: float
    reverse: bool = False
    stops: tuple[tuple[float, float], ...] = ()
    pause_s: float = 0.0


@dataclass(frozen=True)
class Ride:
    """Legs with a timetable.

    Attributes:
        knots: (K, 4) float64 time, x, y, yaw from the first to the last moment of the ride.
    """

    knots: np.ndarray

    @property
    def begin_s(self) -> float:
        """When it sets off."""
        return float(self.knots[0, 0])

    @property
    def end_s(self) -> float:
        """When it has arrived."""
        return float(self.knots[-1, 0])

    def shifted(self, seconds: float) -> Ride:
        """The same ride, later."""
        return replace(self, knots=self.knots + [seconds, 0.0, 0.0, 0.0])

    def ending_at(self, time_s: float) -> Ride:
        """The same ride, arriving at `time_s`."""
        return self.shifted(time_s - self.end_s)

    def trajectory(self, duration_s: float) -> Trajectory:
        """From a second before the scene to a second after it; stands still before the ride and after it."""
        times = np.arange(-1.0, duration_s + 1.0 + 1e-9, 1 / KNOTS_HZ)
        columns = [np.interp(times, self.knots[:, 0], self.knots[:, k]) for k in (1, 2, 3)]
        return Trajectory(times, np.stack(columns[:2], axis=1), columns[2])


def plan_ride(
    legs: Sequence[Leg], start_speed: float = 0.0, end_speed: float = 0.0, acceleration: float = ACCELERATION
) -> Ride:
    """Timetable of legs driven one after the other, beginning at time 0.

    Args:
        legs: each begins where the one before ends.
        start_speed, end_speed: m/s at the ends of the whole ride.
        acceleration: m/s2, bound of speeding up and braking.
    """
    pieces, time, yaw = [], 0.0, None
    for index, leg in enumerate(legs):
        first, last = index == 0, index == len(legs) - 1
        moments, distances = _timetable(leg, start_speed if first else 0.0, end_speed if last else 0.0, acceleration)
        places = leg.path.places(distances)
        places[:, 2] += np.pi if leg.reverse else 0.0
        if yaw is not None:  # the same heading may be a whole turn away on the next path
            places[:, 2] += 2 * np.pi * np.round((yaw - places[0, 2]) / (2 * np.pi))
        yaw = places[-1, 2]
        pieces.append(np.column_stack([time + leg.pause_s + moments, places]))
        time = pieces[-1][-1, 0]
    return Ride(np.concatenate(pieces))


def speed_bound(path: Path, cruise: float, distances: np.ndarray) -> np.ndarray:
    """(D,) m/s at `distances`, slow enough for the bends ahead."""
    bends = np.abs(path.curvature(distances))
    squared = np.minimum(cruise**2, SIDEWAYS / np.maximum(bends, 1e-9))
    return np.sqrt(_reachable(squared, distances, ACCELERATION))


def _reachable(squared: np.ndarray, distances: np.ndarray, acceleration: float) -> np.ndarray:
    """Bounds on squared speeds, lowered until a bounded acceleration joins them."""
    along = 2 * acceleration * distances
    braking = np.minimum.accumulate((squared + along)[::-1])[::-1] - along
    return np.minimum.accumulate(braking - along) + along


def _timetable(leg: Leg, start: float, end: float, acceleration: float) -> tuple[np.ndarray, np.ndarray]:
    """Times and distances, both (K,), of a leg at the knots' rate."""
    length = leg.path.length
    stops = {at: seconds for at, seconds in leg.stops if 0 < at < length}
    halts = np.array(list(stops))
    grid = np.unique(np.concatenate([np.linspace(0, length, max(int(length / _STEP), 4) + 1), halts]))
    squared = np.minimum(leg.cruise**2, SIDEWAYS / np.maximum(np.abs(leg.path.curvature(grid)), 1e-9))
    squared[0], squared[-1] = min(squared[0], start**2), min(squared[-1], end**2)
    squared[np.isin(grid, halts)] = 0.0
    squared = np.maximum(_reachable(squared, grid, acceleration), 0.0)
    speed = np.sqrt(squared)
    spent = 2 * np.diff(grid) / np.maximum(speed[1:] + speed[:-1], 1e-6)
    dwell = np.zeros(len(grid))
    dwell[np.isin(grid, halts)] = [stops[at] for at in sorted(stops)]
    leaves = np.concatenate([[0.0], np.cumsum(spent)]) + np.cumsum(dwell)
    total = leaves[-1] - dwell[-1]
    moments = np.append(np.arange(0.0, total, 1 / KNOTS_HZ), total)
    piece = np.clip(np.searchsorted(leaves, moments, side="right") - 1, 0, len(spent) - 1)
    # Constant acceleration within a piece; who has arrived at a stop waits there.
    inside = np.minimum(moments - leaves[piece], spent[piece])
    pull = (squared[piece + 1] - squared[piece]) / (2 * np.diff(grid)[piece])
    return moments, np.minimum(grid[piece] + speed[piece] * inside + 0.5 * pull * inside**2, grid[piece + 1])


def carried(leader: Trajectory, ahead: float, left: float, turn: float = 0.0) -> Trajectory:
    """Path of what is fixed to a mover.

    Args:
        leader: path of the mover's centre.
        ahead, left: metres from that centre, in the mover's frame.
        turn: heading relative to the mover's, radians.
    """
    cosine, sine = np.cos(leader.yaws), np.sin(leader.yaws)
    offset = np.stack([ahead * cosine - left * sine, ahead * sine + left * cosine], axis=1)
    return Trajectory(leader.times, leader.positions + offset, leader.yaws + turn)
