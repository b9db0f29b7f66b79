"""The equipment round an aircraft on its stand, where a turnaround puts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from airside_perception.synth.assets import Asset
from airside_perception.synth.scene import Raising, Trajectory
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.walkers import people_about

STEPS_BACK = (0.0, 0.7, 1.6, 3.0)
"""Metres farther from the fuselage that are tried where a vehicle would touch it or a wing."""
RISE_SECONDS = (4.0, 9.0)
"""Of a boom or platform on its way up or down."""


@dataclass(frozen=True)
class Stand:
    """An aircraft's place.

    Attributes:
        x, y, yaw: of its box centre when it stands there.
        aircraft: the asset.
    """

    x: float
    y: float
    yaw: float
    aircraft: Asset

    @property
    def length(self) -> float:
        """Of the aircraft, metres."""
        return float(self.aircraft.size[0])

    @property
    def span(self) -> float:
        """Of its wings, metres."""
        return float(self.aircraft.size[1])

    @property
    def half_fuselage(self) -> float:
        """About half the fuselage's width, metres."""
        return 0.055 * self.length

    @property
    def footprint(self) -> tuple[float, float]:
        """(length, width) of the ground that it takes: others may stand under its wings."""
        return self.length, 0.13 * self.length

    @property
    def path(self) -> Trajectory:
        """The aircraft standing there."""
        return Trajectory.standing(self.x, self.y, self.yaw)

    def at(self, ahead: float, left: float) -> np.ndarray:
        """(2,) world, from metres in the aircraft's frame."""
        cosine, sine = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([self.x + ahead * cosine - left * sine, self.y + ahead * sine + left * cosine])


class Docking(NamedTuple):
    """Where a kind serves: metres forward and to the left, heading, all in the aircraft's frame, and how often."""

    kind: str
    ahead: float
    left: float
    turn: float
    chance: float


def serve_aircraft(builder: SceneBuilder, stand: Stand) -> None:
    """Equipment, cones and crew around a parked aircraft."""
    rng = builder.rng
    for place in docking_places(stand):
        if place.kind in builder.kinds("gse") and rng.random() < place.chance:
            dock(builder, stand, place)
    if rng.random() < 0.7:
        x, y = stand.at(-0.22 * stand.length, -(stand.half_fuselage + rng.uniform(10, 13)))
        yaw = stand.yaw + rng.choice([0, np.pi]) + rng.normal(0, 0.1)
        builder.baggage_train(Trajectory.standing(x, y, yaw))
    set_cones(builder, stand)
    near = stand.at(rng.uniform(-0.3, 0.55) * stand.length, -(stand.half_fuselage + 6))
    people_about(builder, near, 4.0, int(rng.integers(1, 5)))


def dock(builder: SceneBuilder, stand: Stand, place: Docking, raising: Raising | None = None) -> bool:
    """Put a vehicle where it serves the aircraft; one that lifts rises as `raising` says, others are in any state."""
    rng = builder.rng
    asset, error = builder.asset(place.kind, lifting=raising is not None), rng.normal(0, 0.4, 2)
    heading = stand.yaw + place.turn + rng.normal(0, 0.06)
    for step in STEPS_BACK:
        x, y = stand.at(place.ahead + error[0], place.left + np.sign(place.left) * step + error[1])
        if builder.stand_at(asset, x, y, heading, raising=raising):
            return True
    return False


def rise(rng: np.random.Generator, begin_s: float) -> Raising:
    """A boom or platform goes up to a door, and stays there."""
    return Raising(np.array([begin_s, begin_s + rng.uniform(*RISE_SECONDS)]), np.array([0.0, rng.uniform(0.5, 1.0)]))


def sink(rng: np.random.Generator, end_s: float) -> Raising:
    """A boom or platform comes down from a door, and is down at `end_s`."""
    return Raising(np.array([end_s - rng.uniform(*RISE_SECONDS), end_s]), np.array([rng.uniform(0.5, 1.0), 0.0]))


def set_cones(builder: SceneBuilder, stand: Stand) -> None:
    """Cones before nose and tail, at wing tips and engines."""
    rng = builder.rng
    for along, across in ((0.5, 0.0), (-0.5, 0.0), (-0.03, 0.52), (-0.03, -0.52), (0.06, 0.2), (0.06, -0.2)):
        if rng.random() < 0.7:
            x, y = stand.at(along * (stand.length + 3), across * stand.span) + rng.normal(0, 0.25, 2)
            builder.stand_at(builder.asset("cone"), x, y, rng.uniform(-3, 3))


def docking_places(stand: Stand) -> list[Docking]:
    """Where equipment serves an aircraft."""
    length, span, fuselage = stand.length, stand.span, stand.half_fuselage
    right, left = np.pi / 2, -np.pi / 2  # headings towards the fuselage from that side
    return [
        Docking(*each)
        for each in (
            ("belt_loader", -0.22 * length, -(fuselage + 4.2), right, 0.7),
            ("belt_loader", 0.20 * length, -(fuselage + 4.2), right, 0.5),
            ("container_loader", 0.24 * length, -(fuselage + 5.2), right, 0.4),
            ("catering_truck", -0.36 * length, -(fuselage + 4.5), right, 0.5),
            ("catering_truck", 0.36 * length, -(fuselage + 4.5), right, 0.3),
            ("passenger_stairs", 0.36 * length, fuselage + 4.8, left, 0.5),
            ("passenger_stairs", -0.34 * length, fuselage + 4.8, left, 0.4),
            ("fuel_truck", -0.02 * length, -0.32 * span, 0.0, 0.6),
            ("ground_power_unit", 0.5 * length + 3.5, 2.5, 0.0, 0.6),
            ("pushback_tractor", 0.5 * length + 5.5, 0.0, np.pi, 0.6),
            ("deicer", 0.1 * length, 0.5 * span, left, 0.15),
            ("service_van", 0.42 * length, fuselage + 9, 0.0, 0.3),
            ("bus", 0.3 * length, fuselage + 14, 0.0, 0.3),
            ("container", 0.3 * length, -(fuselage + 12), 0.0, 0.4),
            ("container", 0.3 * length - 2.6, -(fuselage + 12), 0.0, 0.4),
            ("ambulift", 0.36 * length, -(fuselage + 6.0), right, 0.15),
            ("lavatory_truck", -0.40 * length, fuselage + 3.8, left, 0.3),
            ("water_truck", -0.30 * length, -(fuselage + 3.8), right, 0.25),
            ("maintenance_lift", 0.14 * length, fuselage + 4.0, left, 0.1),
            ("air_start_unit", -0.05 * length, fuselage + 9.0, 0.0, 0.15),
            ("air_conditioning_unit", 0.05 * length, -(fuselage + 6.0), right, 0.2),
            ("towbar", 0.5 * length + 2.0, -3.0, 0.3, 0.3),
        )
    ]
