"""Objects sent behind fuselages, buses and equipment, so that they vanish from the own vehicle and come back."""

from __future__ import annotations

import numpy as np

from airside_perception.geometry.rig import Rig
from airside_perception.synth.episodes import STEP_S, occlusions
from airside_perception.synth.paths import rounded_path
from airside_perception.synth.rides import Leg, plan_ride
from airside_perception.synth.scene import SceneObject, Trajectory
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.sight import SightLines
from airside_perception.synth.traffic import DRIVERS

_TRIES = 10
_LEAST_SIZE = (3.5, 1.5)
"""Metres, length and height of what may hide others."""


def add_occlusion(builder: SceneBuilder, ego: Trajectory, rig: Rig) -> bool:
    """Place a walker or vehicle that an occlusion episode of `episodes.find_episodes` will show; False if none is."""
    rng, seconds = builder.rng, builder.duration_s
    here = np.array(ego.at(seconds / 2)[:2])
    hosts = [
        thing
        for thing in builder.objects
        if thing.asset.class_name in ("aircraft", "gse")
        and not thing.trajectory.moves
        and thing.asset.size[0] > _LEAST_SIZE[0]
        and thing.asset.size[2] > _LEAST_SIZE[1]
        and 5.0 < np.linalg.norm(thing.trajectory.positions[0] - here) < 40.0
    ]
    if not hosts:
        return False
    sight = SightLines(builder.objects, ego, rig)
    times = np.arange(0.0, seconds + 1e-9, STEP_S)
    kinds = [kind for kind in DRIVERS if kind in builder.kinds("gse")]
    for _ in range(_TRIES):
        host = hosts[int(rng.integers(len(hosts)))]
        on_foot = rng.random() < 0.6 or not kinds
        asset = builder.asset("person_walking" if on_foot else str(rng.choice(kinds)), moving=True)
        speed = float(rng.uniform(1.1, 1.7) if on_foot else rng.uniform(1.4, 3.5))
        path = _behind(rng, host, ego, speed, seconds)
        thing = SceneObject("candidate", asset, path)
        if not builder.free(asset, path, 0.2):
            continue
        seen = sight.look([thing], times)
        if occlusions(thing, 0, seen, times, builder.objects) and builder.add(asset, path, 0.2):
            return True
    return False


def _behind(
    rng: np.random.Generator, host: SceneObject, ego: Trajectory, speed: float, duration_s: float
) -> Trajectory:
    """Past the far side of what stands, across the line of sight, behind it in the middle of the scene."""
    moment = float(rng.uniform(0.4, 0.65)) * duration_s
    here = np.array(ego.at(moment)[:2])
    x, y, yaw = host.trajectory.at(0.0)
    sight = np.array([x, y]) - here
    line = sight / max(float(np.linalg.norm(sight)), 1e-6)
    length, width = float(host.asset.size[0]), float(host.asset.size[1])
    if host.asset.class_name == "aircraft":
        width = 0.13 * length
    along = np.array([np.cos(yaw), np.sin(yaw)])
    # Along the host's own side where that is seen from the side, else straight across the line of sight.
    across = along if abs(along @ line) < 0.8 else np.array([-line[1], line[0]])
    depth = abs(along @ line) * length / 2 + abs(along[0] * line[1] - along[1] * line[0]) * width / 2
    middle = np.array([x, y]) + line * (depth + rng.uniform(1.5, 7.0))
    across = across * rng.choice([-1.0, 1.0])
    reach = speed * (duration_s + 2.0)
    way = rounded_path([middle - reach * across, middle + reach * across], 1.0)
    ride = plan_ride([Leg(way, speed)], start_speed=speed, end_speed=speed)
    return ride.shifted(moment - ride.end_s / 2).trajectory(duration_s)
