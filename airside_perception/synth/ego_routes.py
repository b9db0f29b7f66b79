"""Ways of the own vehicle: along the road, into a stand, up to a loader, backwards, round an aircraft."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from airside_perception.synth.episodes import EGO_AHEAD, EGO_LENGTH, EGO_WIDTH
from airside_perception.synth.paths import rounded_path
from airside_perception.synth.phases import ActiveStand
from airside_perception.synth.rides import Leg, Ride, plan_ride
from airside_perception.synth.routes import drive, traffic_speeds
from airside_perception.synth.scene import Scene, Trajectory
from airside_perception.synth.scene_builder import EGO_CLEARANCE, SceneBuilder
from airside_perception.synth.turnaround import Stand, docking_places

_TRIES = 6
_RADIUS = 5.5
"""Metres, the tightest bends of the own vehicle."""
_FREE_REACH = 45.0
"""Metres from the middle of the scene within which `free_place` looks."""


def ego_on_stands(builder: SceneBuilder, active: ActiveStand | None, road_edge: float) -> Trajectory:
    """A free way on an apron with a road along y = 0 and, where there is one, a stand on which something goes on."""
    rng, seconds = builder.rng, builder.duration_s
    crossing = active is not None and active.crosses(road_edge, seconds)
    for _ in range(_TRIES):
        if active is None or (not crossing and rng.random() < 0.5):
            route = road_route(rng, seconds)
        elif crossing:
            route = _wait_before_crossing(rng, active.stand, road_edge, seconds)
        else:
            route = _at_stand(builder, active, road_edge)
        if builder.ego_fits(route):
            return route
    for x in rng.permutation(np.arange(-60.0, 61.0, 8.0)):
        route = Trajectory.standing(float(x), -0.5 * road_edge, 0.0)
        if builder.ego_fits(route):
            return route
    return road_route(rng, seconds)


def free_place(rng: np.random.Generator, scene: Scene, time_s: float, tries: int = 40) -> Trajectory | None:
    """A place in a finished scene where the own vehicle could stand, with any heading.

    Boxes count, so that it never stands under a wing; routes of `build_scene` go there.

    Args:
        rng: random source.
        scene: its objects where they are at `time_s`.
        time_s: seconds.
        tries: places that are drawn.

    Returns:
        None where none of them is free.
    """
    boxes = np.array([item.box(time_s) for item in scene.objects]).reshape(-1, 7)
    clear = np.hypot(EGO_LENGTH, EGO_WIDTH) / 2 + EGO_CLEARANCE
    for x, y, yaw in rng.uniform((-_FREE_REACH, -_FREE_REACH, -np.pi), (_FREE_REACH, _FREE_REACH, np.pi), (tries, 3)):
        middle = np.array([x + EGO_AHEAD * np.cos(yaw), y + EGO_AHEAD * np.sin(yaw)])
        away, cosine, sine = middle - boxes[:, :2], np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
        along, across = away[:, 0] * cosine + away[:, 1] * sine, away[:, 1] * cosine - away[:, 0] * sine
        gaps = np.maximum(np.abs([along, across]) - boxes[:, 3:5].T / 2, 0.0)
        if (np.hypot(*gaps) > clear).all():
            return Trajectory.standing(float(x), float(y), float(yaw))
    return None


def road_route(rng: np.random.Generator, duration_s: float) -> Trajectory:
    """Along the service road on the right: cruising with swerves, stop and go, or standing."""
    manner = rng.random()
    yaw = 0.0 if rng.random() < 0.5 else np.pi
    across = (-1.9 if yaw == 0.0 else 1.9) + rng.normal(0, 0.4)
    if manner < 0.08:
        return Trajectory.standing(0.0, across, yaw)
    bends = rng.normal(0, 0.10, 4) if rng.random() < 0.6 else np.zeros(4)
    # Swerves that cancel out: a road has kerbs.
    bends = bends - bends.mean()
    speeds = traffic_speeds(rng, duration_s, (1.5, 5.5)) if manner < 0.5 else np.array([rng.uniform(1.5, 5.0)])
    half = float(speeds.mean()) * duration_s / 2
    return drive((-half * np.cos(yaw), across, yaw), speeds, bends, duration_s)


def scatter_route(rng: np.random.Generator, duration_s: float) -> Trajectory:
    """Anywhere near the middle, any heading; now and then standing or backwards."""
    manner = rng.random()
    bends = rng.normal(0, 0.10, 4) if rng.random() < 0.6 else np.zeros(4)
    yaw, across = rng.uniform(-np.pi, np.pi), rng.uniform(-3, 3)
    if manner < 0.08:
        return Trajectory.standing(0.0, across, yaw)
    if manner < 0.16:
        speeds = -np.array([rng.uniform(0.5, 1.5)])
    else:
        speeds = traffic_speeds(rng, duration_s, (1.5, 5.0)) if manner < 0.4 else np.array([rng.uniform(1.5, 5.0)])
    half = float(speeds.mean()) * duration_s / 2
    return drive((-half * np.cos(yaw), across - half * np.sin(yaw), yaw), speeds, bends, duration_s)


def _wait_before_crossing(rng: np.random.Generator, stand: Stand, road_edge: float, duration_s: float) -> Trajectory:
    """Up to where the aircraft's wings will not come, and wait there."""
    direction = float(rng.choice([-1.0, 1.0]))
    lane = -direction * 0.5 * road_edge
    stop = stand.x - direction * (stand.span / 2 + rng.uniform(5.0, 10.0) + EGO_LENGTH)
    way = rounded_path([(stop - direction * (60 + 6 * duration_s), lane), (stop, lane)], 1.0)
    ride = plan_ride([Leg(way, rng.uniform(2.0, 5.5))], start_speed=2.0)
    return ride.ending_at(float(rng.uniform(-0.3, 0.8)) * duration_s).trajectory(duration_s)


def _at_stand(builder: SceneBuilder, active: ActiveStand, road_edge: float) -> Trajectory:
    routes: list[Callable[[np.random.Generator, Stand, float], Ride]] = [_turn_in, _back_out, _round_nose, _round_tail]
    if active.path.moves:  # keep behind the restraint area while an aircraft moves
        routes = [_turn_in]
    else:
        routes.append(_dock)
    rng, seconds = builder.rng, builder.duration_s
    ride = routes[int(rng.integers(len(routes)))](rng, active.stand, road_edge)
    # Any part of the ride that lasts at least most of the scene.
    latest = max(ride.end_s - 0.7 * seconds, 1.0)
    return ride.shifted(-float(rng.uniform(1.0, max(latest, 1.01)))).trajectory(seconds)


def _turn_in(rng: np.random.Generator, stand: Stand, road_edge: float) -> Ride:
    """From the road into the gap beside the stand, and stop."""
    direction, side = (float(s) for s in rng.choice([-1.0, 1.0], 2))
    x = stand.x + side * (stand.half_fuselage + rng.uniform(8, 14))
    lane = -direction * 0.5 * road_edge
    end = stand.y + rng.uniform(-0.25, 0.3) * stand.length
    way = rounded_path([(x - direction * 70, lane), (x, lane), (x, end)], _RADIUS)
    return plan_ride([Leg(way, rng.uniform(1.8, 3.5))], start_speed=1.5)


def _back_out(rng: np.random.Generator, stand: Stand, road_edge: float) -> Ride:
    """Slowly backwards out of the stand onto the road, then off."""
    direction, side = (float(s) for s in rng.choice([-1.0, 1.0], 2))
    x = stand.x + side * (stand.half_fuselage + rng.uniform(8, 14))
    lane = -direction * 0.5 * road_edge
    start = stand.y + rng.uniform(-0.4, 0.1) * stand.length
    turned = (x - direction * 10, lane)
    back = rounded_path([(x, start), (x, lane), turned], _RADIUS)
    off = rounded_path([turned, (x + direction * 90, lane)], 1.0)
    legs = [Leg(back, rng.uniform(0.7, 1.4), reverse=True), Leg(off, rng.uniform(2.0, 4.0), pause_s=1.0)]
    return plan_ride(legs, start_speed=0.7)


def _round_nose(rng: np.random.Generator, stand: Stand, road_edge: float) -> Ride:
    return _round(rng, stand, stand.length / 2 + rng.uniform(6.5, 8.0), -0.45 * stand.length)


def _round_tail(rng: np.random.Generator, stand: Stand, road_edge: float) -> Ride:
    return _round(rng, stand, -(stand.length / 2 + rng.uniform(4.5, 6.5)), 0.35 * stand.length)


def _round(rng: np.random.Generator, stand: Stand, turn_at: float, ends_at: float) -> Ride:
    """Up one side of the aircraft, round its end, down the other side."""
    side, wide = float(rng.choice([-1.0, 1.0])), stand.half_fuselage + rng.uniform(7.5, 10.0)
    corners = [(ends_at, side * wide), (turn_at, side * wide), (turn_at, -side * wide), (ends_at, -side * wide)]
    way = rounded_path([stand.at(*corner) for corner in corners], _RADIUS)
    return plan_ride([Leg(way, rng.uniform(1.6, 2.8))], start_speed=1.5)


def _dock(rng: np.random.Generator, stand: Stand, road_edge: float) -> Ride:
    """Behind a belt loader's foot, in its line, stopping short of it."""
    belts = [place for place in docking_places(stand) if place.kind == "belt_loader"]
    place = belts[int(rng.integers(len(belts)))]
    # The loader's middle stands at place.left, its foot some 4.2 m farther out.
    foot = place.left + np.sign(place.left) * 4.7
    end = foot + np.sign(place.left) * (EGO_AHEAD + EGO_LENGTH / 2 + rng.uniform(1.2, 2.0))
    out = end + np.sign(place.left) * rng.uniform(9, 14)
    slow = end + np.sign(place.left) * 2.5
    approach = rounded_path(
        [stand.at(-stand.length / 2 - 30, out), stand.at(place.ahead, out), stand.at(place.ahead, slow)], _RADIUS
    )
    creep = rounded_path([stand.at(place.ahead, slow), stand.at(place.ahead, end)], 1.0)
    legs = [Leg(approach, rng.uniform(1.6, 2.7)), Leg(creep, 0.5, pause_s=rng.uniform(0.3, 1.5))]
    return plan_ride(legs, start_speed=1.5)
