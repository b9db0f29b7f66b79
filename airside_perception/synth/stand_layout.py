"""Aircraft on stands along a service road, with the traffic of their turnarounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.geometry.rig import Rig
from airside_perception.synth.assets import Asset
from airside_perception.synth.ego_routes import ego_on_stands
from airside_perception.synth.ground import GroundPainter
from airside_perception.synth.markings import paint_road, paint_stand, paint_taxiway
from airside_perception.synth.near_misses import add_near_miss
from airside_perception.synth.occlusion_plans import add_occlusion
from airside_perception.synth.phases import PHASES, ActiveStand, perform, prepare
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.traffic import road_traffic
from airside_perception.synth.turnaround import Stand, serve_aircraft
from airside_perception.synth.walkers import people_about, push_cart

WALLS = ("terminal", "hangar", "shed")
"""Structures that line the back of the stands."""


def fill_stands(builder: SceneBuilder, painter: GroundPainter, rig: Rig, phase: str | None = None) -> Trajectory:
    """One or two rows of stands beside the road at y = 0, equipment, traffic, people and buildings.

    Args:
        builder, painter: what to fill.
        rig: cameras for which occlusions are planned.
        phase: a name of `PHASES`, what goes on at one stand near the middle; None draws one, or none.

    Returns:
        The own vehicle's path.
    """
    rng = builder.rng
    edge = paint_road(painter, rng)
    if phase is None:
        phase = str(rng.choice(PHASES)) if rng.random() < 0.5 else ""
    with_taxiway = phase in ("arrival", "pushback") or rng.random() < 0.85
    nose_to_road = phase not in PHASES and rng.random() < 0.4
    row = _Row(1.0, nose_to_road, rng.uniform(7.0, 12.0), edge)
    active = None
    if not nose_to_road:
        active = _active_stand(builder, row, phase)
    ego = ego_on_stands(builder, active, edge)
    builder.reserve_ego(ego)
    _row_of_stands(builder, painter, row, active)
    if with_taxiway:
        paint_taxiway(painter, rng, -1.0)
    else:
        _row_of_stands(builder, painter, _Row(-1.0, rng.random() < 0.4, rng.uniform(7.0, 12.0), edge), None)
    closed = active is not None and active.crosses(edge, builder.duration_s)
    road_traffic(builder, ego, edge, active.stand if active is not None and closed else None)
    if rng.random() < 0.35:
        add_near_miss(builder, ego)
    for _ in range(int(rng.integers(1, 3))):
        _park_equipment(builder, rng.uniform(-50, 40), -(edge + rng.uniform(2.0, 5.0)))
    if with_taxiway:
        _far_side(builder)
    if builder.duration_s >= 4.0 and rng.random() < 0.6:
        add_occlusion(builder, ego, rig)
    for _ in range(int(rng.integers(3, 7))):
        people_about(builder, np.array([rng.uniform(-45, 45), rng.uniform(-14, 30)]), 4.0, int(rng.integers(1, 4)))
    if rng.random() < 0.4:
        x, y = rng.uniform((-25, 5), (25, 14))
        push_cart(builder, [(x, y), (x + rng.choice([-1, 1]) * rng.uniform(12, 20), y + rng.normal(0, 2))])
    middle = ego.at(builder.duration_s / 2)
    people_about(builder, np.array(middle[:2]), 12.0, int(rng.integers(3, 8)))
    for _ in range(int(rng.integers(2, 10))):
        x, y, yaw = rng.uniform((-40, -40, -3), (40, 40, 3))
        builder.stand_at(builder.random_asset("obstacle"), x, y, yaw)
    return ego


@dataclass(frozen=True)
class _Row:
    """Stands on one side of the road (sign of y): where noses point, the gap to the road, the road's half width."""

    side: float
    nose_to_road: bool
    clearance: float
    edge: float

    @property
    def yaw(self) -> float:
        return self.side * (-np.pi / 2 if self.nose_to_road else np.pi / 2)

    def stand(self, builder: SceneBuilder, aircraft: Asset, x: float) -> Stand:
        """A stand whose middle is at x, the aircraft's nearer end before the road."""
        y = self.side * (self.clearance + aircraft.size[0] / 2 + builder.rng.uniform(0, 2))
        return Stand(x, float(y), self.yaw, aircraft)


def _active_stand(builder: SceneBuilder, row: _Row, phase: str) -> ActiveStand | None:
    aircraft = builder.random_asset("aircraft", moving=phase in ("arrival", "pushback"))
    stand = row.stand(builder, aircraft, float(builder.rng.uniform(-12, 12)))
    return prepare(builder, stand, phase)


def _row_of_stands(builder: SceneBuilder, painter: GroundPainter, row: _Row, active: ActiveStand | None) -> None:
    """Aircraft side by side on one side of the road, buildings behind them, and what goes on around them."""
    rng, side = builder.rng, row.side
    parked: list[Stand] = []
    stands = [active.stand] if active is not None else []
    x = rng.uniform(-75, -55)
    while x < 70:
        if active is not None and abs(x - active.stand.x) <= active.stand.span / 2 + 4.5:
            x = active.stand.x + active.stand.span / 2 + rng.uniform(4.5, 14.0)
            continue
        aircraft = builder.random_asset("aircraft")
        span = float(aircraft.size[1])
        if rng.random() < 0.15:
            x += rng.uniform(20, 35)
            continue
        stand = row.stand(builder, aircraft, x + span / 2)
        beside = active is None or abs(stand.x - active.stand.x) > (span + active.stand.span) / 2 + 4.5
        if beside and builder.add(aircraft, stand.path, 0.0, footprint=stand.footprint):
            parked.append(stand)
        x += (span if beside else 6.0) + rng.uniform(4.5, 14.0)
    stands += parked
    depth = max([abs(stand.y) + stand.length / 2 for stand in stands], default=0.0)
    # The own vehicle may drive round the nose of the active aircraft.
    wall = max(depth + rng.uniform(8, 25), active.stand.y + active.stand.length / 2 + 13 if active is not None else 0.0)
    for stand in stands:
        paint_stand(painter, rng, (stand.x, stand.y, stand.yaw), stand.length, stand.span, row.edge)
    _buildings(builder, side, wall)
    if not row.nose_to_road:
        _bridges(builder, parked, side, wall)
    _masts_and_fences(builder, side, wall)
    if active is not None:
        perform(builder, active)
    for stand in parked:
        serve_aircraft(builder, stand)


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


def _bridges(builder: SceneBuilder, parked: list[Stand], side: float, wall: float) -> None:
    """Jet bridges from the terminal to the left of the noses that point to it."""
    rng = builder.rng
    if "jet_bridge" not in builder.kinds("structure"):
        return
    for stand in parked:
        if rng.random() < 0.4:
            continue
        bridge = builder.asset("jet_bridge")
        length, width, _ = bridge.size
        beside = side * (0.06 * stand.length + width / 2 + 0.6)
        nose = abs(stand.y) + stand.length / 2
        # The head reaches back beside the first door, unless the bridge is too short for that.
        middle = max(nose - 0.14 * stand.length + length / 2, wall - 1.0 - length / 2)
        if middle + length / 2 < wall + 1.0:
            path = Trajectory.standing(stand.x - beside, side * middle, -side * np.pi / 2)
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
