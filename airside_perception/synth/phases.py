"""Phases of a turnaround: an aircraft arrives or is pushed back, equipment docks, loads and leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.synth.assets import Asset
from airside_perception.synth.lifting import LIFTING_KINDS
from airside_perception.synth.paths import rounded_path
from airside_perception.synth.rides import Leg, carried, plan_ride
from airside_perception.synth.routes import followers, towards_motion
from airside_perception.synth.scene import Raising, Trajectory
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.turnaround import (
    STEPS_BACK,
    Docking,
    Stand,
    dock,
    docking_places,
    rise,
    serve_aircraft,
    set_cones,
    sink,
)
from airside_perception.synth.walkers import Errand, add_errand, errand, people_about, push_cart

PHASES = ("arrival", "pushback", "docking", "loading", "departure")
"""Names of the phases: the last three happen at an aircraft that stands."""
_WITH_DOORS = (
    "belt_loader", "container_loader", "catering_truck", "passenger_stairs",
    "ambulift", "lavatory_truck", "water_truck",
)  # fmt: skip
_CREEP_M = 4.5
"""Where vehicles stop and test their brakes before an aircraft: the equipment diamond."""


@dataclass(frozen=True)
class ActiveStand:
    """The stand on which something goes on.

    Attributes:
        stand: where the aircraft stands when it has arrived, or before it leaves.
        phase: a name of `PHASES`, or "" for a turnaround at rest.
        path: of the aircraft.
        still_at: seconds at which the arriving aircraft stops.
    """

    stand: Stand
    phase: str
    path: Trajectory
    still_at: float = 0.0

    def crosses(self, road_edge: float, duration_s: float) -> bool:
        """True where the aircraft comes over the road at y = 0 during the scene."""
        if not self.path.moves:
            return False
        poses = self.path.sample(np.linspace(0.0, duration_s, 30))
        reach = self.stand.length / 2 * np.abs(np.sin(poses[:, 2])) + self.stand.span / 2 * np.abs(np.cos(poses[:, 2]))
        return bool((np.abs(poses[:, 1]) - reach < road_edge + 3.0).any())


def prepare(builder: SceneBuilder, stand: Stand, phase: str) -> ActiveStand | None:
    """Place the aircraft of a stand north of the road and what is hitched to it.

    Returns:
        None where the ground is not free.
    """
    rng, seconds = builder.rng, builder.duration_s
    side = float(rng.choice([-1.0, 1.0]))
    taxiway = -(stand.span / 2 + rng.uniform(16, 24))
    corner = np.array([stand.x, taxiway])
    path, still_at = stand.path, 0.0
    if phase == "arrival":
        far = corner - [side * (40 + 3 * seconds), 0]
        way = rounded_path([far, corner, (stand.x, stand.y)], 0.7 * stand.length)
        still_at = float(rng.uniform(0.25, 1.1)) * seconds
        ride = plan_ride([Leg(way, rng.uniform(1.6, 2.7))], start_speed=2.0, acceleration=0.35).ending_at(still_at)
        path = ride.trajectory(seconds)
    elif phase == "pushback":
        far = corner + [side * (40 + 2 * seconds), 0]
        way = rounded_path([(stand.x, stand.y), corner, far], 0.7 * stand.length)
        leg = Leg(way, rng.uniform(0.9, 1.8), reverse=True)
        path = plan_ride([leg], acceleration=0.25).shifted(rng.uniform(-12, 0.3 * seconds)).trajectory(seconds)
    if not builder.add(stand.aircraft, path, 0.0, footprint=stand.footprint):
        return None
    if phase == "pushback":
        _hitch_tractor(builder, stand.aircraft, path)
    return ActiveStand(stand, phase, path, still_at)


def perform(builder: SceneBuilder, active: ActiveStand) -> None:
    """Everything that goes on at the stand; the own vehicle's way must be reserved before."""
    actions = {
        "arrival": _receive,
        "pushback": _see_off,
        "docking": _docking,
        "loading": _loading,
        "departure": _departure,
    }
    if active.phase in actions:
        actions[active.phase](builder, active)
    else:
        serve_aircraft(builder, active.stand)


def _hitch_tractor(builder: SceneBuilder, aircraft: Asset, path: Trajectory) -> None:
    """Towbar at the nose gear and a tractor that faces the aircraft."""
    if not {"pushback_tractor", "towbar"} <= set(builder.kinds("gse")):
        return
    tractor, bar = builder.asset("pushback_tractor", moving=True), builder.asset("towbar", moving=True)
    gear = float(aircraft.anchors.get("nose_gear", 0.38 * aircraft.size)[0])
    nose = towards_motion(carried(path, gear, 0.0, np.pi))
    long = float(bar.size[0])
    # The tractor must keep before the nose cone.
    beyond = float(aircraft.size[0]) / 2 - gear + 0.4
    middle_of_bar, middle_of_tractor = followers(
        nose, [long / 2 + 0.3, max(long + 0.5, beyond) + float(tractor.size[0]) / 2]
    )
    builder.add(bar, middle_of_bar, force=True)
    builder.add(tractor, middle_of_tractor, force=True)


def _receive(builder: SceneBuilder, active: ActiveStand) -> None:
    """A marshaller, chocks after the stop, then equipment that drives up; before, the area is empty."""
    rng, stand = builder.rng, active.stand
    ahead = stand.length / 2 + rng.uniform(6.5, 10.0)
    (marshaller,) = builder.figure("marshalling")
    x, y = stand.at(ahead, rng.normal(0, 0.6))
    builder.stand_at(marshaller, x, y, stand.yaw + np.pi + rng.normal(0, 0.05), 0.15)
    for side in rng.permutation([-1.0, 1.0]):
        _set_chock(builder, stand, float(side), active.still_at + rng.uniform(0.5, 3.0))
    begin = active.still_at + rng.uniform(2.0, 5.0)
    for place in _some_places(builder, stand, 3):
        if not drive_up(builder, stand, place, begin_s=begin):
            continue
        begin += rng.uniform(1.0, 4.0)
    waiting = stand.at(0.1 * stand.length, rng.choice([-1, 1]) * (stand.span / 2 + 4.0))
    people_about(builder, waiting, 1.5, int(rng.integers(1, 4)))


def _set_chock(builder: SceneBuilder, stand: Stand, side: float, begin_s: float) -> None:
    """Someone drags a chock by its rope along the main gear, kneels and pushes it before the wheel."""
    gear = stand.aircraft.anchors.get("main_gear_left", np.array([-0.05, 0.105, 0.0]) * stand.length)
    lane = side * max(float(gear[1]) + 1.4, 0.065 * stand.length + 0.5)
    wheel, rope = float(gear[0]) - 1.0, 0.8
    ends = [stand.at(wheel - 13.0, lane + side * 4.0), stand.at(wheel - 6.0, lane), stand.at(wheel + rope, lane)]
    task = errand(ends, [(0.0, ""), (60.0, "kneeling")], 1.4, begin_s)
    chock = builder.asset("chock") if "chock" in builder.kinds("obstacle") else None
    if chock is None or not add_errand(builder, task):
        return
    (dragged,) = followers(task.path, [rope])
    there = dragged.times <= task.arrivals[-1] + 1e-6
    last, end = dragged.positions[there][-1], task.arrivals[-1]
    pushed = np.array([last, last + (stand.at(0, float(gear[1]) * side + 0.45 * side) - stand.at(0, lane))])
    builder.add(
        chock,
        Trajectory(
            np.concatenate([dragged.times[there], [end + 1.0, end + 2.0]]),
            np.concatenate([dragged.positions[there], pushed]),
            np.concatenate([dragged.yaws[there], np.full(2, dragged.yaws[there][-1])]),
        ),
        margin=0.0,
        force=True,
    )


def _see_off(builder: SceneBuilder, active: ActiveStand) -> None:
    """Wing walkers beside the tips, a headset man beside the nose gear; equipment stands clear of the aircraft."""
    rng, stand = builder.rng, active.stand
    places = [(-0.1 * stand.length, side * (stand.span / 2 + 1.5)) for side in (-1.0, 1.0) if rng.random() < 0.8]
    if rng.random() < 0.8:
        places.append((0.36 * stand.length, rng.choice([-1.0, 1.0]) * (0.065 * stand.length + 2.0)))
    for ahead, left in places:
        path = towards_motion(carried(active.path, ahead, left, np.pi))
        begins = _sets_off(path)
        names = ((-np.inf, "standing"), (begins, "walking"))
        add_errand(builder, Errand(path, names, ()))
    for place in _some_places(builder, stand, 4):
        away = np.sign(place.left or 1.0) * (stand.span / 2 + rng.uniform(5, 8))
        x, y = stand.at(rng.uniform(-0.3, 0.3) * stand.length, away)
        builder.stand_at(builder.asset(place.kind), x, y, stand.yaw)


def _sets_off(path: Trajectory) -> float:
    """Seconds at which a path first moves."""
    moved = np.flatnonzero(np.linalg.norm(np.diff(path.positions, axis=0), axis=1) > 1e-4)
    return float(path.times[moved[0]]) if len(moved) else np.inf


def _some_places(builder: SceneBuilder, stand: Stand, most: int) -> list[Docking]:
    """A few places with doors, one kind each, in random order."""
    places = {place.kind: place for place in docking_places(stand) if place.kind in _WITH_DOORS}
    kinds = [kind for kind in places if kind in builder.kinds("gse")]
    count = min(int(builder.rng.integers(1, most + 1)), len(kinds))
    return [places[str(kind)] for kind in builder.rng.permutation(kinds)[:count]]


def _docking(builder: SceneBuilder, active: ActiveStand) -> None:
    """Two or three vehicles drive up one after the other and stop at doors; others are there already."""
    rng, stand = builder.rng, active.stand
    coming = _some_places(builder, stand, 3)
    arrive = rng.uniform(0.35, 0.9) * builder.duration_s
    for place in coming:
        drive_up(builder, stand, place, arrive_s=arrive)
        arrive += rng.uniform(2.0, 6.0)
    for place in docking_places(stand):
        if place.kind in builder.kinds("gse") and place not in coming and rng.random() < 0.5 * place.chance:
            dock(builder, stand, place)
    set_cones(builder, stand)
    people_about(builder, stand.at(0.2 * stand.length, -(stand.half_fuselage + 8)), 4.0, int(rng.integers(1, 4)))


def _departure(builder: SceneBuilder, active: ActiveStand) -> None:
    """Vehicles back away from the doors one after the other and drive off to the road."""
    rng, stand = builder.rng, active.stand
    begin = rng.uniform(-3.0, 0.3 * builder.duration_s)
    for place in _some_places(builder, stand, 3):
        drive_away(builder, stand, place, begin)
        begin += rng.uniform(2.0, 6.0)
    set_cones(builder, stand)
    people_about(builder, stand.at(0.1 * stand.length, -(stand.half_fuselage + 8)), 4.0, int(rng.integers(1, 4)))


def _loading(builder: SceneBuilder, active: ActiveStand) -> None:
    """A belt loader at the hold, a train that drives up beside it, people who carry bags and push carts."""
    rng, stand = builder.rng, active.stand
    belts = [place for place in docking_places(stand) if place.kind == "belt_loader"]
    place = belts[int(rng.integers(len(belts)))]
    if place.kind in builder.kinds("gse"):
        dock(builder, stand, place)
    foot = place.left - 5.0
    beside = foot - rng.uniform(2.6, 3.4)
    # Trains come from the road behind the tail and stop with the first dolly at the belt's foot.
    start = stand.at(place.ahead - 45.0 - 3.0 * builder.duration_s, beside)
    ride = plan_ride([Leg(rounded_path([start, stand.at(place.ahead + 5.0, beside)], 5.0), rng.uniform(1.6, 2.8))], 2.0)
    arrive = float(rng.uniform(-1.0, 0.8)) * builder.duration_s
    builder.baggage_train(ride.ending_at(arrive).trajectory(builder.duration_s))
    for carrier in range(int(rng.integers(1, 4))):
        dolly = stand.at(place.ahead - 1.5 - 3.0 * carrier, beside + 1.5)
        belt = stand.at(place.ahead - 1.3 - 0.8 * carrier, foot + 1.0 + 0.6 * carrier)
        begin = arrive + rng.uniform(0, 5)
        task = errand([dolly, belt, dolly, belt, dolly], [(2.0, "standing")] * 4, 1.1, begin, "carrying")
        add_errand(builder, task)
    for other in docking_places(stand):
        if other.kind in builder.kinds("gse") and other != place and rng.random() < 0.6 * other.chance:
            dock(builder, stand, other, _some_lift(builder) if other.kind in LIFTING_KINDS else None)
    if rng.random() < 0.6:
        way = [stand.at(ahead * stand.length, stand.half_fuselage + 10) for ahead in (-0.45, 0.3)]
        push_cart(builder, way[:: rng.choice([-1, 1])], rng.uniform(-10, 2))
    set_cones(builder, stand)
    people_about(builder, stand.at(0.0, -(stand.half_fuselage + 8)), 4.0, int(rng.integers(1, 4)))


def _some_lift(builder: SceneBuilder) -> Raising | None:
    """Of most vehicles at work: up or down at some time of the scene."""
    rng = builder.lifts_rng
    if rng.random() > 0.6:
        return None
    return (sink if rng.random() < 0.3 else rise)(rng, float(rng.uniform(-3.0, builder.duration_s)))


def drive_up(
    builder: SceneBuilder, stand: Stand, place: Docking, begin_s: float | None = None, arrive_s: float | None = None
) -> bool:
    """A vehicle comes from the road, stops short of the aircraft and creeps to the door.

    Give one of `begin_s` and `arrive_s`, seconds.
    """
    rng = builder.rng
    asset, error = builder.asset(place.kind, moving=True, lifting=True), rng.normal(0, 0.3)
    out = np.sign(place.left) * rng.uniform(12, 20)
    for step in STEPS_BACK:
        ahead, left = place.ahead + error, place.left + np.sign(place.left) * step
        corner, door = stand.at(ahead, left + out), stand.at(ahead, left)
        diamond = stand.at(ahead, left + np.sign(out) * _CREEP_M)
        # Who is to begin has waited at the side of the stand; who is to arrive comes all the way from the road.
        entry = stand.at(-stand.length / 2 - 40 if begin_s is None else ahead - 12, left + out)
        legs = [
            Leg(rounded_path([entry, corner, diamond], 6.5), rng.uniform(1.6, 2.7)),
            Leg(rounded_path([diamond, door], 1.0), rng.uniform(0.4, 0.7), pause_s=rng.uniform(0.6, 2)),
        ]
        ride = plan_ride(legs, start_speed=1.5 if begin_s is None else 0.0)
        ride = ride.shifted(begin_s) if begin_s is not None else ride.ending_at(arrive_s or 0.0)
        raising = rise(builder.lifts_rng, ride.end_s + 1.0)
        if builder.add(asset, ride.trajectory(builder.duration_s), raising=raising):
            return True
    return False


def drive_away(builder: SceneBuilder, stand: Stand, place: Docking, begin_s: float) -> bool:
    """A vehicle backs away from a door, turning, and drives off to the road behind the tail."""
    rng = builder.rng
    asset = builder.asset(place.kind, moving=True, lifting=True)
    out = np.sign(place.left) * rng.uniform(9, 13)
    for step in STEPS_BACK:
        left = place.left + np.sign(place.left) * step
        door, away = stand.at(place.ahead, left), stand.at(place.ahead, left + out)
        turned = stand.at(place.ahead + 8.0, left + out)
        road = stand.at(-stand.length / 2 - 60.0, left + out)
        back = Leg(rounded_path([door, away, turned], 5.5), rng.uniform(0.7, 1.3), reverse=True)
        off = Leg(rounded_path([turned, road], 5.0), rng.uniform(1.6, 2.7), pause_s=rng.uniform(0.8, 2.0))
        ride = plan_ride([back, off])
        raising = sink(builder.lifts_rng, begin_s - 0.8)
        if builder.add(asset, ride.shifted(begin_s).trajectory(builder.duration_s), raising=raising):
            return True
    return False
