"""Anything anywhere, any heading: teaches shapes and poses instead of layouts."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.ground import GroundPainter
from airside_perception.synth.markings import paint_anything
from airside_perception.synth.near_misses import add_near_miss
from airside_perception.synth.routes import drive, traffic_speeds
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.walkers import people_about


def fill_scatter(builder: SceneBuilder, painter: GroundPainter, ego: Trajectory) -> None:
    """Aircraft, buildings, vehicles, trains, people and obstacles around the vehicle's route."""
    rng, seconds = builder.rng, builder.duration_s
    paint_anything(painter, rng)
    here = np.array(ego.at(builder.duration_s / 2)[:2])

    def anywhere(nearest: float, farthest: float) -> tuple[float, float, float]:
        radius, angle = rng.uniform(nearest, farthest), rng.uniform(-np.pi, np.pi)
        return here[0] + radius * np.cos(angle), here[1] + radius * np.sin(angle), rng.uniform(-np.pi, np.pi)

    for _ in range(int(rng.integers(0, 4))):
        aircraft = builder.random_asset("aircraft")
        length = float(aircraft.size[0])
        builder.add(aircraft, Trajectory.standing(*anywhere(10, 55)), 1.0, footprint=(length, 0.13 * length))
    for _ in range(int(rng.integers(0, 6))):
        builder.stand_at(builder.random_asset("structure"), *anywhere(25, 70), 1.0)
    for _ in range(int(rng.integers(6, 26))):
        moving = rng.random() < 0.35
        asset, spot = builder.random_asset("gse", moving), anywhere(4, 48)
        path = drive(spot, traffic_speeds(rng, seconds), rng.normal(0, 0.1, 3), seconds) if moving else None
        builder.add(asset, path or Trajectory.standing(*spot))
    for _ in range(int(rng.integers(0, 3))):
        spot, moving = anywhere(8, 40), rng.random() < 0.4
        speeds = traffic_speeds(rng, seconds, (1.5, 4.5))
        path = drive(spot, speeds, rng.normal(0, 0.1, 3), seconds) if moving else Trajectory.standing(*spot)
        builder.baggage_train(path)
    if rng.random() < 0.3:
        add_near_miss(builder, ego)
    for _ in range(int(rng.integers(3, 9))):
        x, y, _ = anywhere(3, 35)
        people_about(builder, np.array([x, y]), 2.5, int(rng.integers(1, 4)))
    for _ in range(int(rng.integers(0, 14))):
        builder.stand_at(builder.random_asset("obstacle"), *anywhere(3, 35))
