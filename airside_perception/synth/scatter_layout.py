"""Anything anywhere, any heading: teaches shapes and poses instead of layouts."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.ground import GroundPainter
from airside_perception.synth.markings import paint_anything
from airside_perception.synth.routes import drive, traffic_speeds
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.scene_builder import SceneBuilder


def fill_scatter(builder: SceneBuilder, painter: GroundPainter, ego: Trajectory) -> None:
    """Aircraft, buildings, vehicles, trains, people and obstacles around the vehicle's route."""
    rng = builder.rng
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
        asset, spot = builder.random_asset("gse"), anywhere(4, 48)
        moving = rng.random() < 0.35
        path = drive(spot, traffic_speeds(rng), rng.normal(0, 0.1, 3), builder.duration_s) if moving else None
        builder.add(asset, path or Trajectory.standing(*spot))
    for _ in range(int(rng.integers(0, 3))):
        builder.baggage_train(Trajectory.standing(*anywhere(8, 40)))
    for _ in range(int(rng.integers(3, 9))):
        x, y, _ = anywhere(3, 35)
        builder.people(np.array([x, y]), 2.5, int(rng.integers(1, 4)))
    for _ in range(int(rng.integers(0, 14))):
        builder.stand_at(builder.random_asset("obstacle"), *anywhere(3, 35))
