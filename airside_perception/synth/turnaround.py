"""The equipment round a parked aircraft, where a turnaround puts it."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.assets import Asset
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.scene_builder import SceneBuilder

_STEPS_BACK = (0.0, 0.7, 1.6, 3.0)
"""Metres farther from the fuselage that are tried where a vehicle would touch it or a wing."""


def serve_aircraft(builder: SceneBuilder, x: float, y: float, yaw: float, aircraft: Asset) -> None:
    """Equipment, cones and crew around an aircraft whose box centre stands at (x, y)."""
    rng = builder.rng
    length, span = float(aircraft.size[0]), float(aircraft.size[1])
    to_world = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    for kind, along, across, turn, chance in _docking_places(length, span):
        if kind not in builder.kinds("gse") or rng.random() > chance:
            continue
        asset, error = builder.asset(kind), rng.normal(0, 0.4, 2)
        heading = yaw + turn + rng.normal(0, 0.06)
        for step in _STEPS_BACK:
            place = [x, y] + to_world @ (np.array([along, across + np.sign(across) * step]) + error)
            if builder.stand_at(asset, place[0], place[1], heading):
                break
    right = -0.055 * length
    start = [x, y] + to_world @ np.array([-0.22 * length, right - rng.uniform(10, 13)])
    if rng.random() < 0.7:
        builder.baggage_train(
            Trajectory.standing(start[0], start[1], yaw + rng.choice([0, np.pi]) + rng.normal(0, 0.1))
        )
    for along, across in ((0.5, 0.0), (-0.5, 0.0), (-0.03, 0.52), (-0.03, -0.52), (0.06, 0.2), (0.06, -0.2)):
        if rng.random() < 0.7:
            place = [x, y] + to_world @ np.array([along * (length + 3), across * span]) + rng.normal(0, 0.25, 2)
            builder.stand_at(builder.asset("cone"), place[0], place[1], rng.uniform(-3, 3))
    near = [x, y] + to_world @ np.array([rng.uniform(-0.3, 0.55) * length, right - 6])
    builder.people(near, 4.0, int(rng.integers(1, 5)))


def _docking_places(length: float, span: float) -> list[tuple[str, float, float, float, float]]:
    """(kind, metres forward, metres to the left, heading, probability), all in the aircraft's frame."""
    fuselage = 0.055 * length
    right, left = np.pi / 2, -np.pi / 2  # headings towards the fuselage from that side
    return [
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
        ("towbar", 0.5 * length + 2.0, -3.0, 0.3, 0.3),
    ]
