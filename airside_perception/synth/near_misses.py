"""Crossings of the own vehicle's course with a metre or two to spare."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.assets import Asset
from airside_perception.synth.episodes import EGO_AHEAD, EGO_LENGTH, ego_gaps
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.scene_builder import SceneBuilder

SPARE_M = (1.1, 2.0)
"""Smallest and largest gap of a near miss between both footprints."""
_CROSSERS = ("baggage_tractor", "service_van", "pushback_tractor", "belt_loader")
_TRIES = 5


def add_near_miss(builder: SceneBuilder, ego: Trajectory) -> bool:
    """Something crosses close before or behind the own vehicle while it drives; False where no try is free."""
    rng, seconds = builder.rng, builder.duration_s
    kinds = [kind for kind in _CROSSERS if kind in builder.kinds("gse")]
    for _ in range(_TRIES):
        moment = float(rng.uniform(0.3, 0.9)) * seconds
        if np.linalg.norm(ego.velocity(moment)) < 0.8:
            continue
        if rng.random() < 0.5 or not kinds:
            asset, speed, margin = builder.asset("person_walking"), float(rng.uniform(1.2, 2.0)), 0.15
        else:
            asset, speed, margin = builder.asset(str(rng.choice(kinds)), moving=True), float(rng.uniform(2.0, 4.5)), 0.3
        path = crossing_path(rng, asset, speed, ego, moment, seconds)
        if path is not None and builder.add(asset, path, margin):
            return True
    return False


def crossing_path(
    rng: np.random.Generator, asset: Asset, speed: float, ego: Trajectory, moment: float, duration_s: float
) -> Trajectory | None:
    """A straight way across the own vehicle's course that leaves a gap within `SPARE_M`.

    Args:
        rng: draws angle, side and gap.
        asset: what crosses.
        speed: m/s.
        ego: path of the own vehicle.
        moment: seconds, about when it crosses.
        duration_s: of the scene.

    Returns:
        None where no delay gives such a gap.
    """
    x, y, yaw = ego.at(moment)
    way = ego.velocity(moment)
    course = np.arctan2(way[1], way[0])
    ahead = EGO_AHEAD + EGO_LENGTH / 2 * np.cos(course - yaw)
    crossing = np.array([x, y]) + ahead * np.array([np.cos(yaw), np.sin(yaw)])
    heading = course + rng.choice([-1.0, 1.0]) * rng.uniform(np.radians(60), np.radians(115))
    direction = np.array([np.cos(heading), np.sin(heading)])
    times = np.arange(-1.0, duration_s + 1.0 + 1e-9, 0.05)
    inside = np.arange(0.0, duration_s + 1e-9, 0.1)
    size = (float(asset.size[0]), float(asset.size[1]))
    wanted = rng.uniform(*SPARE_M)

    def passing(early: float) -> Trajectory:
        along = speed * (times - moment + early)
        return Trajectory(times, crossing + along[:, None] * direction, np.full(len(times), heading))

    # The gap grows with the lead (or the delay, behind the vehicle).
    sign = 1.0 if rng.random() < 0.75 else -1.0
    low, high = 0.0, 8.0
    for _ in range(12):
        middle = (low + high) / 2
        gap = float(ego_gaps(passing(sign * middle), size, ego, inside).min())
        low, high = (middle, high) if gap < wanted else (low, middle)
    path = passing(sign * high)
    gap = float(ego_gaps(path, size, ego, inside).min())
    return path if SPARE_M[0] - 0.1 <= gap <= SPARE_M[1] + 0.1 else None
