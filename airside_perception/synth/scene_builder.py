"""Puts assets into a scene so that nothing stands or drives in anything else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airside_perception.geometry.se3 import invert_transform, pose_from_xyz_yaw, transform_points
from airside_perception.synth.assets import Asset, asset_kinds, make_asset
from airside_perception.synth.episodes import EGO_AHEAD, EGO_HEIGHT, EGO_LENGTH, EGO_WIDTH
from airside_perception.synth.lifting import LIFTING_KINDS, raised_to
from airside_perception.synth.mesh_parts import box
from airside_perception.synth.own_assets import OwnAsset
from airside_perception.synth.placement import GroundPlan, SolidSpace
from airside_perception.synth.rides import carried
from airside_perception.synth.routes import followers
from airside_perception.synth.scene import Raising, SceneObject, Trajectory

EGO_CLEARANCE = 0.6
"""Metres that others keep from the own vehicle on every side."""
STEP_S = 0.25
"""Seconds between the times at which space is checked."""


class SceneBuilder:
    """Collects objects of one scene; every draw comes from one generator, so a seed is a scene.

    Args:
        seed: of all draws.
        split: asset families.
        duration_s: time span over which space is kept free.
        own: assets from files that join in where the split may show them.
    """

    def __init__(self, seed: int, split: str, duration_s: float, own: Sequence[OwnAsset] = ()):
        self.rng = np.random.default_rng([seed, {"train": 0, "val": 1, "test": 2}[split]])
        # Draws of its own for booms and platforms: what else is in the scene of a seed does not depend on them.
        self.lifts_rng = np.random.default_rng([seed, 7207])
        self.split, self.duration_s = split, duration_s
        self.objects: list[SceneObject] = []
        self.families: set[str] = set()
        self._own = {each.kind: each for each in own if split in each.splits}
        self._times = np.linspace(0, duration_s, max(int(np.ceil(duration_s / STEP_S)), 1) + 1)
        self._plan = GroundPlan(self._times)
        self._solid = SolidSpace()

    def reserve_ego(self, ego: Trajectory) -> None:
        """Keep the own vehicle's way free."""
        length, width = EGO_LENGTH + 2 * EGO_CLEARANCE, EGO_WIDTH + 2 * EGO_CLEARANCE
        self._plan.take(ego, length, width, EGO_AHEAD)
        body = box((EGO_AHEAD, 0, EGO_HEIGHT / 2), (length, width, EGO_HEIGHT), (0, 0, 0))
        self._solid.sweep(self._solid.cells(body, ego, self._times if ego.moves else self._times[:1]))

    def asset(self, kind: str, family: str | None = None, moving: bool = False, lifting: bool = False) -> Asset:
        """A fresh asset of `kind` from the scene's split; half of the time an own one of that subtype.

        Args:
            kind: of the catalogue, or of an own asset.
            family: None draws one.
            moving, lifting: fit to drive, and to be raised, see `make_asset`.
        """
        own = [self._own[kind]] if kind in self._own else [o for o in self._own.values() if o.subtype == kind]
        if own and (kind in self._own or (family is None and self.rng.random() < 0.5)):
            chosen = own[int(self.rng.integers(len(own)))]
            return chosen.make(int(self.rng.integers(2**31)), self.split)
        lifting = lifting and kind in LIFTING_KINDS
        return make_asset(
            kind, int(self.rng.integers(2**31)), self.split, family, moving=moving or lifting, lifting=lifting
        )

    def kinds(self, class_name: str) -> tuple[str, ...]:
        """Kinds of the class that the split may show, own assets last."""
        own = tuple(kind for kind, each in self._own.items() if each.class_name == class_name)
        return asset_kinds(class_name, self.split) + own

    def random_asset(self, class_name: str, moving: bool = False) -> Asset:
        """An asset of any kind of the class."""
        return self.asset(str(self.rng.choice(self.kinds(class_name))), moving=moving)

    def add(
        self,
        asset: Asset,
        trajectory: Trajectory,
        margin: float = 0.3,
        footprint: tuple[float, float] | None = None,
        force: bool = False,
        changes: Sequence[tuple[float, Asset]] = (),
        lift: float = 0.0,
        raising: Raising | None = None,
    ) -> bool:
        """Place an asset if its space is free.

        Args:
            asset: what to place.
            trajectory: of its box centre.
            margin: metres to keep from other footprints.
            footprint: (length, width) on the ground; None takes those of the box. Wings and
                bridges reach over others' ground.
            force: place it anyway.
            changes: see `SceneObject`.
            lift: metres above the ground.
            raising: see `SceneObject`; dropped where what is raised would meet something in the end.

        Returns:
            True where it was placed.
        """
        length, width = footprint or (float(asset.size[0]), float(asset.size[1]))
        if not force and not self._plan.fits(trajectory, length, width, margin):
            return False
        cells = self._solid.cells(asset.mesh, trajectory, self._solid_times(asset, trajectory))
        if not force and not self._solid.free(cells, not trajectory.moves):
            return False
        raising = raising if raising is not None and self._may_rise(asset, trajectory, raising) else None
        self._plan.take(trajectory, length, width)
        (self._solid.sweep if trajectory.moves else self._solid.fill)(cells)
        self.families.update(seen.name.rsplit("/", 1)[0] for seen in (asset, *(later for _, later in changes)))
        steps = any(seen.animate is not None and seen.cycle_s == 0 for seen in (asset, *(a for _, a in changes)))
        self.objects.append(
            SceneObject(
                f"{asset.class_name}_{len(self.objects):03d}",
                asset,
                trajectory,
                lift,
                stride=float(self.rng.uniform(1.25, 1.6)) if steps and trajectory.moves else 0.0,
                phase=float(self.rng.random()),
                changes=tuple(changes),
                raising=raising,
            )
        )
        return True

    def _may_rise(self, asset: Asset, trajectory: Trajectory, raising: Raising) -> bool:
        """True where an asset rises within the scene and meets nothing where it stands then."""
        shares = np.array([raising.at(float(time)) for time in self._times])
        if asset.raised is None or not shares.max() > 0.0:
            return False
        top = raised_to(asset, float(shares.max()))
        standing = Trajectory.standing(*trajectory.at(float(self._times[np.argmax(shares)])))
        # In the frame of the lowered box, which is the one that the trajectory moves.
        cells = self._solid.cells(top.mesh.translated(*top.offset), standing, self._times[:1])
        return self._solid.free(cells, True)

    def stand_at(
        self,
        asset: Asset,
        x: float,
        y: float,
        yaw: float,
        margin: float = 0.3,
        force: bool = False,
        raising: Raising | None = None,
    ) -> bool:
        """Place a standing asset."""
        return self.add(asset, Trajectory.standing(x, y, yaw), margin, force=force, raising=raising)

    def ground_free(self, trajectory: Trajectory, length: float, width: float, margin: float = 0.3) -> bool:
        """True where a footprint on its way meets nothing; what reaches over the ground does not count."""
        return self._plan.fits(trajectory, length, width, margin)

    def free(self, asset: Asset, trajectory: Trajectory, margin: float = 0.3) -> bool:
        """True where `add` would place the asset."""
        if not self._plan.fits(trajectory, float(asset.size[0]), float(asset.size[1]), margin):
            return False
        cells = self._solid.cells(asset.mesh, trajectory, self._solid_times(asset, trajectory))
        return self._solid.free(cells, not trajectory.moves)

    def _solid_times(self, asset: Asset, trajectory: Trajectory) -> np.ndarray:
        """Times at which its solid space is looked at: seldom for aircraft, which have many faces and are slow."""
        if not trajectory.moves:
            return self._times[:1]
        return self._times[:: 3 if asset.class_name == "aircraft" else 1]

    def ego_fits(self, ego: Trajectory) -> bool:
        """True where the own vehicle could drive `ego` among what has been placed so far."""
        length, width = EGO_LENGTH + 2 * EGO_CLEARANCE, EGO_WIDTH + 2 * EGO_CLEARANCE
        middle = carried(ego, EGO_AHEAD, 0.0)
        body = box((0, 0, EGO_HEIGHT / 2), (length, width, EGO_HEIGHT), (0, 0, 0))
        times = self._times if ego.moves else self._times[:1]
        if not self._plan.fits(middle, length, width, 0.2):
            return False
        if not self._solid.free(self._solid.cells(body, middle, times), standing=False):
            return False
        return all(self._passes(ego, thing) for thing in self.objects if _reaches_over_others(thing))

    def _passes(self, ego: Trajectory, thing: SceneObject) -> bool:
        """True where no vertex of a moving aircraft comes into the own vehicle's space."""
        half = np.array([EGO_LENGTH, EGO_WIDTH, EGO_HEIGHT]) / 2 + EGO_CLEARANCE
        for time in self._times:
            base_from_world = invert_transform(pose_from_xyz_yaw(*ego.at(time)[:2], 0.0, ego.at(time)[2]))
            points = transform_points(base_from_world @ thing.pose(time), thing.asset.mesh.vertices)
            if (np.abs(points - [EGO_AHEAD, 0, EGO_HEIGHT / 2]) < half).all(axis=1).any():
                return False
        return True

    def figure(self, *activities: str) -> list[Asset]:
        """One person in several activities, names of `people.ACTIVITIES`."""
        seed = int(self.rng.integers(2**31))
        kinds = [f"person_{activity}" for activity in activities]
        first = make_asset(kinds[0], seed, self.split)
        return [first, *(make_asset(kind, seed, self.split, first.family) for kind in kinds[1:])]

    def baggage_train(self, leader: Trajectory, count: int | None = None, tractor: Asset | None = None) -> bool:
        """A baggage tractor with dollies behind it, as many as the ground is free for.

        Args:
            leader: path of the tractor's centre.
            count: of dollies; None draws 1 to 5 for a train that stands, 4 to 6 for one that moves.
            tractor: None draws one.

        Returns:
            True where the tractor was placed.
        """
        if not {"baggage_tractor", "baggage_dolly"} <= set(self.kinds("gse")):
            return False
        tractor = tractor or self.asset("baggage_tractor", moving=leader.moves)
        if not self.add(tractor, leader):
            return False
        if count is None:
            count = int(self.rng.integers(4, 7) if leader.moves else self.rng.integers(1, 6))
        dolly = self.asset("baggage_dolly", moving=True)
        gap = 0.35
        first = (tractor.size[0] + dolly.size[0]) / 2 + gap
        for path in followers(leader, [first + k * (dolly.size[0] + gap) for k in range(count)]):
            if not self.add(self.asset("baggage_dolly", dolly.family, moving=True), path, margin=0.02):
                break
        return True


def _reaches_over_others(thing: SceneObject) -> bool:
    """A moving aircraft: its wings and engines sweep ground that its footprint leaves free."""
    return thing.asset.class_name == "aircraft" and thing.trajectory.moves
