"""Random apron scenes: a stand layout with turnaround traffic, or a free scatter for training breadth."""

from __future__ import annotations

import numpy as np

from airside_perception.geometry.rig import Rig
from airside_perception.synth.assets import Asset, asset_kinds, make_asset
from airside_perception.synth.ground import BLACK, RED, WHITE, YELLOW, GroundPainter
from airside_perception.synth.lighting import random_lighting
from airside_perception.synth.placement import GroundPlan
from airside_perception.synth.routes import drive, followers, straight, walk
from airside_perception.synth.scene import Scene, SceneObject, Trajectory
from airside_perception.synth.sensor import random_sensor

EGO_LENGTH, EGO_WIDTH = 4.5, 2.4
"""Ground that the own vehicle keeps free, metres."""


class SceneBuilder:
    """Collects objects of one scene; every draw comes from one generator, so a seed is a scene."""

    def __init__(self, seed: int, split: str, duration_s: float):
        self.rng = np.random.default_rng([seed, {"train": 0, "val": 1, "test": 2}[split]])
        self.split, self.duration_s = split, duration_s
        self.objects: list[SceneObject] = []
        self.plan = GroundPlan(np.linspace(0, duration_s, 8))
        self.families: set[str] = set()

    def asset(self, kind: str, family: str | None = None) -> Asset:
        """A fresh asset of `kind` from the scene's split."""
        asset = make_asset(kind, int(self.rng.integers(2**31)), self.split, family)
        self.families.add(f"{asset.class_name}/{asset.family}")
        return asset

    def random_kind(self, class_name: str) -> str:
        """A kind of the class that the split may show."""
        return str(self.rng.choice(asset_kinds(class_name, self.split)))

    def add(self, asset: Asset, trajectory: Trajectory, margin: float = 0.3, force: bool = False, take=None) -> bool:
        """Place an asset if its ground is free; `take` overrides the (length, width) it occupies."""
        length, width = take or (float(asset.size[0]), float(asset.size[1]))
        if not force and not self.plan.fits(trajectory, length, width, margin):
            return False
        self.plan.take(trajectory, length, width)
        walking = asset.animate is not None and trajectory.moves
        self.objects.append(
            SceneObject(
                f"{asset.class_name}_{len(self.objects):03d}",
                asset,
                trajectory,
                stride=float(self.rng.uniform(1.25, 1.6)) if walking else 0.0,
                phase=float(self.rng.random()),
            )
        )
        return True

    def stand_at(self, asset: Asset, x: float, y: float, yaw: float, margin: float = 0.3, force: bool = False) -> bool:
        """Place a standing asset."""
        return self.add(asset, Trajectory.standing(x, y, yaw), margin, force)

    def people(self, center: np.ndarray, spread: float, count: int) -> None:
        """People around a place, about half of them walking."""
        for _ in range(count):
            asset = self.asset(self.random_kind("person"))
            start = np.asarray(center) + self.rng.normal(0, spread, 2)
            if asset.animate is not None and self.rng.random() < 0.65:
                path = walk(self.rng, start, self.duration_s, self.rng.normal(1.35, 0.2))
            else:
                path = Trajectory.standing(*start, self.rng.uniform(-np.pi, np.pi))
            self.add(asset, path, margin=0.15)


def build_scene(
    seed: int,
    split: str,
    rig: Rig,
    duration_s: float = 10.0,
    rate_hz: float = 10.0,
    layout: str | None = None,
    condition: str | None = None,
) -> Scene:
    """Draw one scene.

    Args:
        seed: the same seed, split and arguments give the same scene on every machine.
        split: asset families to use: "train", "val" or "test".
        rig: cameras of the own vehicle.
        duration_s, rate_hz: time span.
        layout: "stands" or "scatter"; None draws stands for val and test, both for training.
        condition: a name of `lighting.CONDITIONS`; None draws one.
    """
    builder = SceneBuilder(seed, split, duration_s)
    rng = builder.rng
    if layout is None:
        layout = "scatter" if split == "train" and rng.random() < 0.45 else "stands"
    painter = GroundPainter(rng, (0.0, 0.0))
    ego = _ego_route(rng, duration_s, layout)
    builder.plan.take(ego, EGO_LENGTH + 1.5, EGO_WIDTH + 1.0)
    (_fill_scatter if layout == "scatter" else _fill_stands)(builder, painter, ego)
    for _ in range(int(rng.integers(4, 40))):
        painter.stain(*rng.uniform(-70, 70, 2), rng.uniform(0.5, 6.0), rng.uniform(0.55, 1.1))
    lighting, drawn = random_lighting(rng, condition)
    sensor = random_sensor(rng, night=drawn == "night")
    return Scene(
        seed,
        split,
        tuple(builder.objects),
        ego,
        rig,
        painter.finish(),
        lighting,
        sensor,
        duration_s,
        rate_hz,
        tuple(sorted(builder.families)),
    )


def _ego_route(rng: np.random.Generator, duration_s: float, layout: str) -> Trajectory:
    """The vehicle drives along the service road (y about 0), with bends or a stop now and then."""
    speed = 0.0 if rng.random() < 0.08 else rng.uniform(1.5, 5.0)
    yaw = 0.0 if layout == "stands" else rng.uniform(-np.pi, np.pi)
    if layout == "stands" and rng.random() < 0.5:
        yaw = np.pi
    bends = rng.normal(0, 0.10, 4) if rng.random() < 0.6 else np.zeros(4)
    half = speed * duration_s / 2
    start = (-half * np.cos(yaw), rng.uniform(-3, 3) - half * np.sin(yaw), yaw)
    return drive(start, speed, bends, duration_s)


def _fill_stands(builder: SceneBuilder, painter: GroundPainter, ego: Trajectory) -> None:
    """Aircraft side by side, noses towards a terminal; the service road runs before or behind them."""
    rng = builder.rng
    nose_side = rng.random() < 0.5
    _paint_road(painter, rng)
    clearance_to_road = rng.uniform(7.0, 12.0)
    x = rng.uniform(-75, -55)
    tail_end = 0.0
    while x < 70:
        aircraft = builder.asset(builder.random_kind("aircraft"))
        length, span, _ = aircraft.size
        if rng.random() < 0.15:
            x += rng.uniform(20, 35)
            continue
        center_x = x + span / 2
        # Noses point to +y (terminal beyond) when the road passes behind the tails, to -y otherwise.
        yaw = -np.pi / 2 if nose_side else np.pi / 2
        center_y = clearance_to_road + length / 2 + rng.uniform(0, 2)
        tail_end = max(tail_end, center_y + length / 2)
        taken = (length, 0.13 * length)
        if builder.add(aircraft, Trajectory.standing(center_x, center_y, yaw), 0.0, take=taken):
            _paint_stand(painter, rng, center_x, center_y, length, span, yaw)
            _serve_aircraft(builder, center_x, center_y, yaw, length, span)
        x += span + rng.uniform(4.5, 14.0)
    _park_equipment(builder, np.array([rng.uniform(-50, 50), rng.uniform(-16, -10)]))
    _park_equipment(builder, np.array([rng.uniform(-50, 50), rng.uniform(-16, -10)]))
    _road_traffic(builder)
    _structures(builder, tail_end + rng.uniform(8, 25), nose_side)
    for _ in range(int(rng.integers(3, 7))):
        builder.people(np.array([rng.uniform(-45, 45), rng.uniform(-14, 30)]), 4.0, int(rng.integers(1, 4)))
    middle = ego.at(builder.duration_s / 2)
    builder.people(np.array(middle[:2]), 12.0, int(rng.integers(3, 8)))
    for _ in range(int(rng.integers(2, 10))):
        builder.stand_at(builder.asset(builder.random_kind("obstacle")), *rng.uniform(-40, 40, 2), rng.uniform(-3, 3))


def _paint_road(painter: GroundPainter, rng: np.random.Generator) -> None:
    edge = rng.uniform(3.6, 4.6)
    for y in (-edge, edge):
        painter.line(np.array([[-110, y], [110, y]]), WHITE, 0.2)
    painter.dashed(np.array([-110.0, 0]), np.array([110.0, 0]), WHITE, 0.15, 3.0, 4.0)
    if rng.random() < 0.6:
        painter.line(np.array([[-110, edge + 1.2], [110, edge + 1.2]]), RED, 0.25)
    for x in rng.uniform(-60, 60, 3):
        painter.polygon(np.array([[x, -1.2], [x + 0.4, -1.2], [x + 0.4, -edge], [x, -edge]]), WHITE)


def _paint_stand(painter, rng, x: float, y: float, length: float, span: float, yaw: float) -> None:
    """Lead-in line, stand box in red, hatched restraint corner and a number-like block."""
    forward = np.array([np.cos(yaw), np.sin(yaw)])
    side = np.array([-forward[1], forward[0]])
    center = np.array([x, y])
    nose, tail = center + forward * (length / 2 + 6), center - forward * (length / 2 + 20)
    painter.line(np.stack([center + forward * (length / 2 - 3), tail]), BLACK, 0.5)
    painter.line(np.stack([center + forward * (length / 2 - 3), tail]), YELLOW, 0.25)
    half = span / 2 + 3
    corners = [nose + side * half, nose - side * half, tail - side * half, tail + side * half]
    painter.line(np.array([*corners, corners[0]]), RED if rng.random() < 0.7 else WHITE, 0.25)
    if rng.random() < 0.6:
        a = nose + side * half
        painter.hatched(np.array([a, a - side * rng.uniform(4, 9), a - forward * rng.uniform(3, 8)]), RED, 1.2, 0.15)
    for k in range(int(rng.integers(1, 4))):
        stop = center + forward * (length / 2 - 4 - 3 * k)
        painter.line(np.stack([stop - side * 1.2, stop + side * 1.2]), YELLOW, 0.3)


def _serve_aircraft(builder: SceneBuilder, x: float, y: float, yaw: float, length: float, span: float) -> None:
    """Dock equipment where a turnaround puts it, in the aircraft's frame (x forward, y left, metres)."""
    rng = builder.rng
    fuselage = 0.055 * length
    available = asset_kinds("gse", builder.split)
    spots = [
        ("belt_loader", -0.22 * length, -(fuselage + 4.2), np.pi / 2, 0.7),
        ("belt_loader", 0.20 * length, -(fuselage + 4.2), np.pi / 2, 0.5),
        ("container_loader", 0.24 * length, -(fuselage + 5.2), np.pi / 2, 0.4),
        ("catering_truck", -0.36 * length, -(fuselage + 4.5), np.pi / 2, 0.5),
        ("catering_truck", 0.36 * length, -(fuselage + 4.5), np.pi / 2, 0.3),
        ("passenger_stairs", 0.36 * length, fuselage + 4.8, -np.pi / 2, 0.5),
        ("passenger_stairs", -0.34 * length, fuselage + 4.8, -np.pi / 2, 0.4),
        ("fuel_truck", -0.02 * length, -(0.32 * span), 0.0, 0.6),
        ("ground_power_unit", 0.5 * length + 3.5, 2.5, 0.0, 0.6),
        ("pushback_tractor", 0.5 * length + 5.5, 0.0, np.pi, 0.6),
        ("de_icer", 0.1 * length, 0.5 * span, np.pi / 2, 0.15),
        ("bus", 0.3 * length, fuselage + 14, 0.0, 0.3),
        ("ld3_container", 0.3 * length, -(fuselage + 12), 0.0, 0.4),
        ("towbar", 0.5 * length + 2.0, -3.0, 0.3, 0.3),
    ]
    to_world = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    for kind, along, across, turn, chance in spots:
        if kind in available and rng.random() < chance:
            place = np.array([x, y]) + to_world @ (np.array([along, across]) + rng.normal(0, 0.5, 2))
            builder.stand_at(builder.asset(kind), *place, yaw + turn + rng.normal(0, 0.06))
    if "baggage_dolly" in available and rng.random() < 0.7:
        start = np.array([x, y]) + to_world @ np.array([-0.22 * length, -(fuselage + rng.uniform(10, 13))])
        _train(builder, Trajectory.standing(*start, yaw + rng.choice([0, np.pi]) + rng.normal(0, 0.1)))
    wheel = 0.25
    for along, across in ((0.5, 0.0), (-0.5, 0.0), (-0.03, 0.52), (-0.03, -0.52), (0.06, 0.2), (0.06, -0.2)):
        if rng.random() < 0.7:
            place = np.array([x, y]) + to_world @ np.array([along * (length + 3), across * span])
            builder.stand_at(builder.asset("cone"), *(place + rng.normal(0, wheel, 2)), rng.uniform(-3, 3))
    near = np.array([x, y]) + to_world @ np.array([rng.uniform(-0.3, 0.55) * length, -(fuselage + 6)])
    builder.people(near, 4.0, int(rng.integers(1, 5)))


def _train(builder: SceneBuilder, leader: Trajectory) -> None:
    """A baggage tractor with 1 to 4 dollies behind it, placed as far as the ground is free."""
    if not {"baggage_tractor", "baggage_dolly"} <= set(asset_kinds("gse", builder.split)):
        return
    tractor = builder.asset("baggage_tractor")
    if not builder.add(tractor, leader):
        return
    dolly = builder.asset("baggage_dolly")
    gap = 0.35
    first = (tractor.size[0] + dolly.size[0]) / 2 + gap
    spacings = [first + k * (dolly.size[0] + gap) for k in range(int(builder.rng.integers(1, 5)))]
    for path in followers(leader, spacings):
        same_family = make_asset("baggage_dolly", int(builder.rng.integers(2**31)), builder.split, dolly.family)
        if not builder.add(same_family, path, margin=0.02):
            break


def _park_equipment(builder: SceneBuilder, corner: np.ndarray) -> None:
    """A parking row of idle equipment beside the road."""
    rng = builder.rng
    x, yaw = float(corner[0]), rng.choice([np.pi / 2, -np.pi / 2])
    for _ in range(int(rng.integers(3, 8))):
        asset = builder.asset(builder.random_kind("gse"))
        x += asset.size[1] / 2 + rng.uniform(0.5, 1.5)
        builder.stand_at(asset, x, corner[1] + rng.normal(0, 0.3), yaw + rng.normal(0, 0.05))
        x += asset.size[1] / 2


def _road_traffic(builder: SceneBuilder) -> None:
    """Vehicles and trains that pass on the road's lanes and beyond it."""
    rng = builder.rng
    drivers = [k for k in ("bus", "fuel_truck", "catering_truck", "pushback_tractor", "baggage_tractor", "de_icer")]
    drivers = [k for k in drivers if k in asset_kinds("gse", builder.split)]
    for _ in range(int(rng.integers(3, 8))):
        lane = rng.choice([-2.2, 2.2, -6.5, 6.0, -9.0])
        heading = 0.0 if lane < 0 else np.pi
        start = np.array([rng.uniform(-55, 55), lane])
        end = start + 30 * np.array([np.cos(heading), np.sin(heading)])
        path = straight(start, end, rng.uniform(1.5, 6.0), builder.duration_s)
        if rng.random() < 0.4:
            _train(builder, path)
        elif drivers:
            builder.add(builder.asset(str(rng.choice(drivers))), path, margin=0.4)


def _structures(builder: SceneBuilder, wall_y: float, bridges: bool) -> None:
    """Terminal or hangars beyond the stands, masts, and a fence on the other side."""
    rng = builder.rng
    kinds = asset_kinds("structure", builder.split)
    walls = [k for k in kinds if any(word in k for word in ("terminal", "hangar", "shed"))] or list(kinds)
    x = -80.0
    while x < 80:
        asset = builder.asset(str(rng.choice(walls)))
        length, depth, _ = asset.size
        builder.stand_at(asset, x + length / 2, wall_y + depth / 2, rng.choice([0.0, np.pi]), force=True)
        x += length + (0.0 if rng.random() < 0.6 else rng.uniform(5, 30))
    others = [k for k in kinds if k not in walls]
    for kind in others:
        for _ in range(int(rng.integers(0, 4))):
            asset = builder.asset(kind)
            y = rng.choice([rng.uniform(-30, -18), wall_y - rng.uniform(3, 10), rng.uniform(8, 40)])
            builder.stand_at(asset, rng.uniform(-50, 50), y, rng.choice([0.0, np.pi / 2, np.pi, -np.pi / 2]), 1.0)


def _fill_scatter(builder: SceneBuilder, painter: GroundPainter, ego: Trajectory) -> None:
    """Anything anywhere, any heading: teaches shapes and poses instead of layouts."""
    rng = builder.rng
    for _ in range(int(rng.integers(2, 9))):
        angle, offset = rng.uniform(-np.pi, np.pi), rng.uniform(-40, 40, 2)
        along = np.array([np.cos(angle), np.sin(angle)]) * 120
        color = (WHITE, YELLOW, RED)[int(rng.integers(3))]
        painter.line(np.stack([offset - along, offset + along]), color, rng.uniform(0.1, 0.5))
    here = np.array(ego.at(builder.duration_s / 2)[:2])

    def anywhere(nearest: float, farthest: float) -> tuple[float, float, float]:
        radius, angle = rng.uniform(nearest, farthest), rng.uniform(-np.pi, np.pi)
        return here[0] + radius * np.cos(angle), here[1] + radius * np.sin(angle), rng.uniform(-np.pi, np.pi)

    for _ in range(int(rng.integers(0, 4))):
        aircraft = builder.asset(builder.random_kind("aircraft"))
        length = float(aircraft.size[0])
        builder.add(aircraft, Trajectory.standing(*anywhere(10, 55)), 1.0, take=(length, 0.3 * length))
    for _ in range(int(rng.integers(0, 6))):
        asset = builder.asset(builder.random_kind("structure"))
        x, y, yaw = anywhere(25, 70)
        builder.stand_at(asset, x, y, yaw, 1.0)
    for _ in range(int(rng.integers(6, 26))):
        asset, spot = builder.asset(builder.random_kind("gse")), anywhere(4, 48)
        moving = rng.random() < 0.3
        path = drive(spot, rng.uniform(1, 6), rng.normal(0, 0.1, 3), builder.duration_s) if moving else None
        builder.add(asset, path or Trajectory.standing(*spot))
    for _ in range(int(rng.integers(0, 3))):
        _train(builder, Trajectory.standing(*anywhere(8, 40)))
    for _ in range(int(rng.integers(3, 9))):
        x, y, _ = anywhere(3, 35)
        builder.people(np.array([x, y]), 2.5, int(rng.integers(1, 4)))
    for _ in range(int(rng.integers(0, 14))):
        x, y, yaw = anywhere(3, 35)
        builder.stand_at(builder.asset(builder.random_kind("obstacle")), x, y, yaw)
