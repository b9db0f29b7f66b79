"""Road traffic: vehicles and trains that follow lanes, keep their distance, wait at stop lines and turn off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airside_perception.synth.episodes import EGO_AHEAD, EGO_LENGTH
from airside_perception.synth.paths import Path, rounded_path
from airside_perception.synth.rides import ACCELERATION, speed_bound
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.turnaround import Stand

DRIVERS = (
    "bus", "fuel_truck", "catering_truck", "pushback_tractor", "baggage_tractor", "deicer", "service_van",
    "cargo_transporter", "ambulift", "lavatory_truck", "water_truck", "fire_truck", "snow_sweeper",
    "towbarless_tug", "belt_loader", "passenger_stairs",
)  # fmt: skip
"""Kinds that drive on the service road."""
BRAKING = 1.2
"""m/s2, the most that traffic brakes with."""
_STEP_S, _WARM_UP_S = 0.1, 2.0
_HEADWAY_S, _STANDSTILL_M = 1.2, 2.5
_REACH = 95.0


@dataclass(frozen=True)
class Lane:
    """Where vehicles drive.

    Attributes:
        y: metres, middle of the lane.
        direction: 1 towards +x, -1 towards -x.
        cruise: lowest and highest wish of a driver, m/s.
    """

    y: float
    direction: float
    cruise: tuple[float, float]


@dataclass(frozen=True)
class _Vehicle:
    """Progress in a lane: x * direction of front and rear at the steps of the simulation, and whether it is there."""

    front: np.ndarray
    rear: np.ndarray
    present: np.ndarray


def road_traffic(builder: SceneBuilder, ego: Trajectory, road_edge: float, crossed: Stand | None = None) -> None:
    """Traffic on the road along y = 0 and on the ways beside it.

    Args:
        builder: of the scene.
        ego: drivers keep their distance to the own vehicle, too.
        road_edge: half width of the road, metres.
        crossed: stand whose aircraft crosses the road; traffic waits outside its span.
    """
    rng = builder.rng
    drivers = [kind for kind in DRIVERS if kind in builder.kinds("gse")]
    lanes = [Lane(-0.5 * road_edge, 1.0, (3.5, 8.0)), Lane(0.5 * road_edge, -1.0, (3.5, 8.0))]
    lanes += [Lane(y, -np.sign(y), (1.4, 2.8)) for y in (6.0, -6.5, -9.0) if rng.random() < 0.4]
    for lane in lanes:
        _fill_lane(builder, lane, drivers, ego, crossed)


def _fill_lane(
    builder: SceneBuilder, lane: Lane, drivers: Sequence[str], ego: Trajectory, crossed: Stand | None
) -> None:
    """Vehicles of one lane, from the foremost to the last."""
    rng = builder.rng
    times = np.arange(-_WARM_UP_S, builder.duration_s + 1.0 + 1e-9, _STEP_S)
    ahead = [own] if (own := _own_vehicle(ego, lane, times)) is not None else []
    fast = lane.cruise[1] > 3
    count = int(rng.integers(2, 5) if fast else rng.integers(1, 3))
    starts = np.sort(rng.uniform(-65, 55, count))[::-1]
    for start in starts:
        train = rng.random() < 0.35 and {"baggage_tractor", "baggage_dolly"} <= set(builder.kinds("gse"))
        asset = builder.asset("baggage_tractor" if train else str(rng.choice(drivers)), moving=True)
        count_of_dollies = int(rng.integers(4, 7)) if train else 0
        long = float(asset.size[0])
        tail = long / 2 + 3.9 * count_of_dollies
        path = _way(rng, lane, start, long)
        stop = None
        if crossed is not None:
            stop = lane.direction * crossed.x - crossed.span / 2 - 3.0
        elif rng.random() < 0.15:
            stop = start + rng.uniform(8, 40)
        dwell = np.inf if crossed is not None else rng.uniform(1.5, 6.0)
        travelled = _follow(path, rng.uniform(*lane.cruise), long / 2, start, ahead, times, stop, dwell)
        places = path.places(travelled + start + _REACH)
        trajectory = Trajectory(times, places[:, :2], places[:, 2])
        placed = (
            builder.baggage_train(trajectory, count_of_dollies, asset)
            if train
            else builder.add(asset, trajectory, margin=0.4)
        )
        if placed:
            along = lane.direction * places[:, 0]
            in_lane = np.abs(places[:, 1] - lane.y) < 2.0
            ahead.append(_Vehicle(along + long / 2, along - tail, in_lane))


def _way(rng: np.random.Generator, lane: Lane, start: float, long: float) -> Path:
    """Along the lane from x = -_REACH (in its direction) on; a third turns off towards the stands or the other side."""
    points = [np.array([-_REACH * lane.direction, lane.y])]
    if rng.random() < 0.35:
        x = lane.direction * (start + rng.uniform(10, 45))
        side = lane.direction * rng.choice([-1.0, 1.0])
        points += [np.array([x, lane.y]), np.array([x, lane.y + side * rng.uniform(22, 34)])]
        return rounded_path(points, max(rng.uniform(6, 9), 0.8 * long))
    return rounded_path([*points, np.array([3 * _REACH * lane.direction, lane.y])], 1.0)


def _own_vehicle(ego: Trajectory, lane: Lane, times: np.ndarray) -> _Vehicle | None:
    poses = ego.sample(times)
    present = np.abs(poses[:, 1] - lane.y) < 2.6
    if not present.any():
        return None
    middle = lane.direction * (poses[:, 0] + EGO_AHEAD * np.cos(poses[:, 2]))
    return _Vehicle(middle + EGO_LENGTH / 2, middle - EGO_LENGTH / 2, present)


def _follow(
    path: Path,
    cruise: float,
    half: float,
    start: float,
    ahead: Sequence[_Vehicle],
    times: np.ndarray,
    stop: float | None,
    dwell: float,
) -> np.ndarray:
    """(T,) metres driven, by the intelligent driver model (Treiber, Hennecke, Helbing 2000).

    Args:
        path: of the vehicle's middle, from lane position -_REACH on.
        cruise: wished speed, m/s.
        half: metres from middle to front.
        start: lane position of the middle at the first time.
        ahead: vehicles that are already in the lane.
        times: (T,) even steps.
        stop: lane position of a line to wait at, None for no stop.
        dwell: seconds to wait there.
    """
    grid = np.arange(0.0, path.length + 2 * _REACH, 0.5)
    # The end of a turn-off is where the vehicle parks.
    bound = speed_bound(path, cruise, np.minimum(grid, path.length))
    ends = path.length if path.length < 2.5 * _REACH else np.inf
    step = float(times[1] - times[0])
    driven, speed = np.zeros(len(times)), 0.0
    waited = 0.0
    speed = float(np.interp(start + _REACH, grid, bound))
    for k in range(len(times) - 1):
        at = start + driven[k]
        wished = max(float(np.interp(at + _REACH, grid, bound)), 0.1)
        gaps = [(ends - _REACH - at, 0.0, 0.3)]
        for other in ahead:
            if other.present[k] and other.front[k] > at:
                next_k = min(k + 1, len(times) - 1)
                gaps.append((other.rear[k] - at - half, (other.rear[next_k] - other.rear[k]) / step, _STANDSTILL_M))
        if stop is not None and waited < dwell and stop > at:
            gaps.append((stop - at - half, 0.0, 0.5))
            waited += step if speed < 0.05 else 0.0
        pull = ACCELERATION * (1 - (speed / wished) ** 4)
        for gap, lead, standstill in gaps:
            if not np.isfinite(gap):
                continue
            closing = speed * (speed - lead) / (2 * np.sqrt(ACCELERATION * BRAKING))
            wanted = standstill + max(speed * _HEADWAY_S * (standstill > 1) + closing, 0.0)
            pull = min(pull, ACCELERATION * (1 - (speed / wished) ** 4 - (wanted / max(gap, 0.1)) ** 2))
        new = max(speed + float(np.clip(pull, -BRAKING, ACCELERATION)) * step, 0.0)
        driven[k + 1] = driven[k] + 0.5 * (speed + new) * step
        speed = new
    return driven
