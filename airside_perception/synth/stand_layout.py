"""Aircraft on stands along a service road, with the traffic of their turnarounds."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.assets import Asset
from airside_perception.synth.ground import GroundPainter
from airside_perception.synth.markings import paint_road, paint_stand, paint_taxiway
from airside_perception.synth.routes import drive, traffic_speeds
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.turnaround import serve_aircraft

DRIVERS = ("bus", "fuel_truck", "catering_truck", "pushback_tractor", "baggage_tractor", "deicer", "service_van")
"""Kinds that drive on the service road."""
WALLS = ("terminal", "hangar", "shed")
"""Structures that line the back of the stands."""


def fill_stands(builder: SceneBuilder, painter: GroundPainter, ego: Trajectory) -> None:
    """One or two rows of stands beside the road at y = 0, equipment, traffic, people and buildings."""
    rng = builder.rng
    edge = paint_road(painter, rng)
    both_sides = rng.random() < 0.15
    _row_of_stands(builder, painter, 1.0, edge)
    if both_sides:
        _row_of_stands(builder, painter, -1.0, edge)
    else:
        paint_taxiway(painter, rng, -1.0)
    _road_traffic(builder)
    for _ in range(int(rng.integers(1, 3))):
        _park_equipment(builder, rng.uniform(-50, 40), -(edge + rng.uniform(2.0, 5.0)))
    if not both_sides:
        _far_side(builder)
    for _ in range(int(rng.integers(3, 7))):
        builder.people(np.array([rng.uniform(-45, 45), rng.uniform(-14, 30)]), 4.0, int(rng.integers(1, 4)))
    middle = ego.at(builder.duration_s / 2)
    builder.people(np.array(middle[:2]), 12.0, int(rng.integers(3, 8)))
    for _ in range(int(rng.integers(2, 10))):
        x, y, yaw = rng.uniform((-40, -40, -3), (40, 40, 3))
        builder.stand_at(builder.random_asset("obstacle"), x, y, yaw)


def _row_of_stands(builder: SceneBuilder, painter: GroundPainter, side: float, edge: float) -> None:
    """Aircraft side by side on one side of the road (sign of y, half width `edge`), buildings behind them."""
    rng = builder.rng
    nose_to_road = rng.random() < 0.4
    yaw = side * (-np.pi / 2 if nose_to_road else np.pi / 2)
    clearance = rng.uniform(7.0, 12.0)
    parked: list[tuple[float, float, Asset]] = []
    x, depth = rng.uniform(-75, -55), 0.0
    while x < 70:
        aircraft = builder.random_asset("aircraft")
        length, span, _ = aircraft.size
        if rng.random() < 0.15:
            x += rng.uniform(20, 35)
            continue
        center = (x + span / 2, side * (clearance + length / 2 + rng.uniform(0, 2)))
        depth = max(depth, abs(center[1]) + length / 2)
        path = Trajectory.standing(*center, yaw)
        if builder.add(aircraft, path, 0.0, footprint=(float(length), 0.13 * float(length))):
            parked.append((*center, aircraft))
            paint_stand(painter, rng, (*center, yaw), length, span, edge)
        x += span + rng.uniform(4.5, 14.0)
    wall = depth + rng.uniform(8, 25)
    _buildings(builder, side, wall)
    if not nose_to_road:
        _bridges(builder, parked, side, wall)
    _masts_and_fences(builder, side, wall)
    for center_x, center_y, aircraft in parked:
        serve_aircraft(builder, center_x, center_y, yaw, aircraft)


def _buildings(builder: SceneBuilder, side: float, wall: float, chance: float = 1.0) -> None:
    """Terminals and hangars whose fronts stand at |y| = wall."""
    rng = builder.rng
    kinds = [kind for kind in builder.kinds("structure") if kind in WALLS]
    x = -90.0
    while x < 90:
        asset = builder.asset(str(rng.choice(kinds)))
        deep, width, _ = asset.size
        if rng.random() < chance:
            path = Trajectory.standing(x + width / 2, side * (wall + deep / 2), -side * np.pi / 2)
            builder.add(asset, path, force=True)
        x += width + (0.5 if rng.random() < 0.6 else rng.uniform(5, 30))


def _bridges(builder: SceneBuilder, parked: list[tuple[float, float, Asset]], side: float, wall: float) -> None:
    """Jet bridges from the terminal to the left of the noses that point to it."""
    rng = builder.rng
    if "jet_bridge" not in builder.kinds("structure"):
        return
    for x, y, aircraft in parked:
        if rng.random() < 0.4:
            continue
        bridge = builder.asset("jet_bridge")
        length, width, _ = bridge.size
        beside = side * (0.06 * aircraft.size[0] + width / 2 + 0.6)
        nose = abs(y) + aircraft.size[0] / 2
        # The head reaches back beside the first door, unless the bridge is too short for that.
        middle = max(nose - 0.14 * aircraft.size[0] + length / 2, wall - 1.0 - length / 2)
        if middle + length / 2 < wall + 1.0:
            path = Trajectory.standing(x - beside, side * middle, -side * np.pi / 2)
            builder.add(bridge, path, 0.0, footprint=(2.0, 2.0))


def _masts_and_fences(builder: SceneBuilder, side: float, wall: float) -> None:
    rng = builder.rng
    for kind in (k for k in ("light_mast", "blast_fence", "container_wall") if k in builder.kinds("structure")):
        for _ in range(int(rng.integers(0, 4))):
            y = side * (wall - rng.uniform(2, 8))
            builder.stand_at(builder.asset(kind), rng.uniform(-60, 60), y, rng.choice([0.0, np.pi]), 1.0)


def _far_side(builder: SceneBuilder) -> None:
    """What stands beyond the taxiway: a few buildings, masts, a fence."""
    rng = builder.rng
    if rng.random() < 0.5:
        _buildings(builder, -1.0, rng.uniform(55, 80), chance=0.4)
    for kind in (k for k in ("light_mast", "blast_fence", "container_wall") if k in builder.kinds("structure")):
        for _ in range(int(rng.integers(0, 3))):
            builder.stand_at(
                builder.asset(kind), rng.uniform(-50, 50), rng.uniform(-30, -18), rng.choice([0, np.pi]), 1
            )


def _park_equipment(builder: SceneBuilder, x: float, front: float) -> None:
    """A parking row of idle equipment whose fronts are in line at y = front, beside the road."""
    rng = builder.rng
    yaw = rng.choice([np.pi / 2, -np.pi / 2])
    for _ in range(int(rng.integers(3, 8))):
        asset = builder.random_asset("gse")
        x += asset.size[1] / 2 + rng.uniform(0.5, 1.5)
        y = front - asset.size[0] / 2 - abs(rng.normal(0, 0.3))
        builder.stand_at(asset, x, y, yaw + rng.normal(0, 0.04))
        x += asset.size[1] / 2


def _road_traffic(builder: SceneBuilder) -> None:
    """Vehicles and trains in the road's lanes and on the ways beside it; they slow down and stop like traffic."""
    rng = builder.rng
    drivers = [kind for kind in DRIVERS if kind in builder.kinds("gse")]
    for _ in range(int(rng.integers(4, 9))):
        lane = rng.choice([-2.2, 2.2, -6.5, 6.0, -9.0])
        bends = rng.normal(0, 0.05, 4) if rng.random() < 0.25 else np.zeros(4)
        speeds = traffic_speeds(rng)
        pulls_train = rng.random() < 0.4
        vehicle = builder.asset(str(rng.choice(drivers)))
        for _ in range(3):
            start = (rng.uniform(-55, 55), lane + rng.normal(0, 0.15), 0.0 if lane < 0 else np.pi)
            path = drive(start, speeds, bends, builder.duration_s)
            if builder.baggage_train(path) if pulls_train else builder.add(vehicle, path, margin=0.4):
                break
