"""People with purposes: errands with stops, groups, carts, wanderers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from airside_perception.synth.assets import Asset
from airside_perception.synth.paths import rounded_path
from airside_perception.synth.rides import Leg, carried, plan_ride
from airside_perception.synth.routes import walk
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.scene_builder import SceneBuilder

TURN_RATE = 2.5
"""rad/s of a person who turns on the spot."""
_BODY_M = (0.5, 0.6)
_BEFORE_S = 1.0
CARTS = ("hand_cart", "baggage_dolly")
"""Kinds that people push, where the split has them."""


@dataclass(frozen=True)
class Errand:
    """A walk with stops.

    Attributes:
        path: of the person's middle.
        activities: (from this second on, name in `people.ACTIVITIES`), the first for all time before, too.
        arrivals: seconds at which each place after the first is reached.
    """

    path: Trajectory
    activities: tuple[tuple[float, str], ...]
    arrivals: tuple[float, ...]


def errand(
    places: Sequence[ArrayLike],
    stays: Sequence[tuple[float, str]],
    speed: float,
    begin_s: float = 0.0,
    moving: str = "walking",
    facing: float | None = None,
) -> Errand:
    """Go from place to place, turning on the spot.

    Args:
        places: two or more (2,) points, metres.
        stays: (seconds, activity) at each place after the first; the last stay lasts for ever.
        speed: m/s.
        begin_s: when to set off; before, the person stands at the first place.
        moving: activity on the way.
        facing: heading before setting off; None: towards the second place.
    """
    points = np.asarray(places, float)
    steps = np.diff(points, axis=0)
    headings = np.arctan2(steps[:, 1], steps[:, 0])
    yaw = headings[0] if facing is None else facing
    time = begin_s
    knots = [(time, *points[0], yaw)]
    activities, arrivals = [(-np.inf, "standing")], []
    for index, step in enumerate(steps):
        turn = (headings[index] - yaw + np.pi) % (2 * np.pi) - np.pi
        yaw, time = yaw + turn, time + abs(turn) / TURN_RATE + 1e-3
        knots.append((time, *points[index], yaw))
        activities.append((time, moving))
        time += float(np.linalg.norm(step)) / speed + 1e-3
        knots.append((time, *points[index + 1], yaw))
        arrivals.append(time)
        seconds, activity = stays[index]
        if seconds > 0:
            activities.append((time, activity))
            time += seconds if index < len(steps) - 1 else 0.0
            knots.append((time + 1e-3, *points[index + 1], yaw))
    array = np.array(knots)
    return Errand(Trajectory(array[:, 0], array[:, 1:3], array[:, 3]), tuple(activities), tuple(arrivals))


def add_errand(builder: SceneBuilder, task: Errand, margin: float = 0.15) -> bool:
    """Place a person on an errand; False where its ground is not free."""
    if not builder.ground_free(task.path, *_BODY_M, margin):
        return False  # before bodies are made, which takes longer
    ends = [since for since, _ in task.activities[1:]] + [np.inf]
    shown = [
        (since, name)
        for (since, name), end in zip(task.activities, ends, strict=True)
        if since < builder.duration_s + _BEFORE_S and end > -_BEFORE_S
    ]
    moving = task.activities[1][1]
    names = list(dict.fromkeys([moving, *(name for _, name in shown)]))
    assets = dict(zip(names, builder.figure(*names), strict=True))
    # What holds something has other faces than the same person without it: then only the legs stop.
    faces = assets[moving].mesh.faces
    seen: list[tuple[float, Asset]] = [
        (since, assets[name] if np.array_equal(assets[name].mesh.faces, faces) else assets[moving])
        for since, name in shown
    ]
    return builder.add(seen[0][1], task.path, margin, changes=seen[1:])


def people_about(builder: SceneBuilder, center: np.ndarray, spread: float, count: int) -> None:
    """People around a place: some stand or work, some wander, some are on errands to aircraft and vehicles."""
    rng = builder.rng
    for _ in range(count):
        start = np.asarray(center, float) + rng.normal(0, spread, 2)
        manner = rng.random()
        if manner < 0.35:
            # Nobody pushes what is not there.
            kinds = [kind for kind in builder.kinds("person") if kind != "person_pushing"]
            asset = builder.asset(str(rng.choice(kinds)))
            builder.add(asset, Trajectory.standing(start[0], start[1], rng.uniform(-np.pi, np.pi)), margin=0.15)
        elif manner < 0.6:
            asset = builder.asset("person_carrying" if rng.random() < 0.25 else "person_walking")
            builder.add(asset, walk(rng, start, builder.duration_s, rng.normal(1.35, 0.2)), margin=0.15)
        elif manner < 0.88:
            _visit(builder, start)
        else:
            _group(builder, start)


def _visit(builder: SceneBuilder, start: np.ndarray) -> None:
    """Walk up to something that stands near, look at it (standing, crouching, kneeling), go on."""
    rng = builder.rng
    hosts = [
        thing
        for thing in builder.objects
        if thing.asset.class_name in ("gse", "aircraft")
        and not thing.trajectory.moves
        and 2.0 < np.linalg.norm(thing.trajectory.positions[0] - start) < 30.0
    ]
    for _ in range(3):
        if not hosts:
            return
        host = hosts[int(rng.integers(len(hosts)))]
        x, y, yaw = host.trajectory.at(0.0)
        length, width = float(host.asset.size[0]), float(host.asset.size[1])
        if host.asset.class_name == "aircraft":
            width = 0.13 * length
        beside = [rng.uniform(-0.45, 0.45) * length, rng.choice([-1, 1]) * (width / 2 + rng.uniform(0.7, 1.3))]
        goal = carried(Trajectory.standing(x, y, yaw), *beside).positions[0]
        onward = goal + rng.normal(0, 8, 2)
        looks = (rng.uniform(2, 7), str(rng.choice(["standing", "crouching", "kneeling"])))
        speed = float(np.clip(rng.normal(1.35, 0.15), 0.9, 1.8))
        begin = rng.uniform(-6, 0.4 * builder.duration_s)
        task = errand([start, goal, onward], [looks, (1.0, "standing")], speed, begin)
        if add_errand(builder, task):
            return


def _group(builder: SceneBuilder, start: np.ndarray) -> None:
    """Two to four people on one way, side by side or one behind the other."""
    rng = builder.rng
    direction = rng.uniform(-np.pi, np.pi)
    end = start + rng.uniform(10, 30) * np.array([np.cos(direction), np.sin(direction)])
    task = errand([start, end], [(1.0, "standing")], float(rng.uniform(1.0, 1.5)), rng.uniform(-8, 1))
    for place in range(int(rng.integers(2, 5))):
        offset = np.array([-0.5 * (place // 2) * 2.4, (place % 2) * 1.1]) + rng.normal(0, 0.1, 2)
        turned = [[np.cos(direction), -np.sin(direction)], [np.sin(direction), np.cos(direction)]]
        moved = Trajectory(task.path.times, task.path.positions + np.array(turned) @ offset, task.path.yaws)
        add_errand(builder, Errand(moved, task.activities, task.arrivals))


def push_cart(builder: SceneBuilder, waypoints: Sequence[ArrayLike], begin_s: float = -1.0) -> bool:
    """Someone pushes a cart along waypoints."""
    kinds = [kind for kind in CARTS if kind in builder.kinds("gse")]
    if not kinds:
        return False
    cart, (person,) = builder.asset(kinds[0], moving=True), builder.figure("pushing")
    speed = float(builder.rng.uniform(0.7, 1.2))
    ride = plan_ride([Leg(rounded_path(waypoints, 2.5), speed)], acceleration=0.5).shifted(begin_s)
    path = ride.trajectory(builder.duration_s)
    behind = carried(path, -(float(cart.size[0] + person.size[0]) / 2 + 0.08), 0.0)
    # Both or none: a cart does not roll on its own.
    if not builder.free(person, behind) or not builder.add(cart, path, margin=0.2):
        return False
    return builder.add(person, behind, margin=0.0)
