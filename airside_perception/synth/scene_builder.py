"""Puts assets into a scene so that nothing stands or drives in anything else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airside_perception.synth.assets import Asset, asset_kinds, make_asset
from airside_perception.synth.episodes import EGO_AHEAD, EGO_HEIGHT, EGO_LENGTH, EGO_WIDTH
from airside_perception.synth.mesh_parts import box
from airside_perception.synth.own_assets import OwnAsset
from airside_perception.synth.placement import GroundPlan, SolidSpace
from airside_perception.synth.routes import followers, walk
from airside_perception.synth.scene import SceneObject, Trajectory

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

    def asset(self, kind: str, family: str | None = None) -> Asset:
        """A fresh asset of `kind` from the scene's split; half of the time an own one of that subtype."""
        own = [self._own[kind]] if kind in self._own else [o for o in self._own.values() if o.subtype == kind]
        if own and (kind in self._own or (family is None and self.rng.random() < 0.5)):
            chosen = own[int(self.rng.integers(len(own)))]
            return chosen.make(int(self.rng.integers(2**31)), self.split)
        return make_asset(kind, int(self.rng.integers(2**31)), self.split, family)

    def kinds(self, class_name: str) -> tuple[str, ...]:
        """Kinds of the class that the split may show, own assets last."""
        own = tuple(kind for kind, each in self._own.items() if each.class_name == class_name)
        return asset_kinds(class_name, self.split) + own

    def random_asset(self, class_name: str) -> Asset:
        """An asset of any kind of the class."""
        return self.asset(str(self.rng.choice(self.kinds(class_name))))

    def add(
        self,
        asset: Asset,
        trajectory: Trajectory,
        margin: float = 0.3,
        footprint: tuple[float, float] | None = None,
        force: bool = False,
    ) -> bool:
        """Place an asset if its space is free.

        Args:
            asset: what to place.
            trajectory: of its box centre.
            margin: metres to keep from other footprints.
            footprint: (length, width) on the ground; None takes those of the box. Wings and
                bridges reach over others' ground.
            force: place it anyway.

        Returns:
            True where it was placed.
        """
        length, width = footprint or (float(asset.size[0]), float(asset.size[1]))
        if not force and not self._plan.fits(trajectory, length, width, margin):
            return False
        cells = self._solid.cells(asset.mesh, trajectory, self._times if trajectory.moves else self._times[:1])
        if not force and not self._solid.free(cells, not trajectory.moves):
            return False
        self._plan.take(trajectory, length, width)
        (self._solid.sweep if trajectory.moves else self._solid.fill)(cells)
        self.families.add(asset.name.rsplit("/", 1)[0])
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
        return self.add(asset, Trajectory.standing(x, y, yaw), margin, force=force)

    def people(self, center: np.ndarray, spread: float, count: int) -> None:
        """People around a place, about half of them walking."""
        for _ in range(count):
            asset = self.random_asset("person")
            start = np.asarray(center) + self.rng.normal(0, spread, 2)
            if asset.animate is not None and asset.cycle_s == 0 and self.rng.random() < 0.65:
                path = walk(self.rng, start, self.duration_s, self.rng.normal(1.35, 0.2))
            else:
                path = Trajectory.standing(start[0], start[1], self.rng.uniform(-np.pi, np.pi))
            self.add(asset, path, margin=0.15)

    def baggage_train(self, leader: Trajectory) -> bool:
        """A baggage tractor with 1 to 4 dollies behind it, as many as the ground is free for."""
        if not {"baggage_tractor", "baggage_dolly"} <= set(self.kinds("gse")):
            return False
        tractor = self.asset("baggage_tractor")
        if not self.add(tractor, leader):
            return False
        dolly = self.asset("baggage_dolly")
        gap = 0.35
        first = (tractor.size[0] + dolly.size[0]) / 2 + gap
        spacings = [first + k * (dolly.size[0] + gap) for k in range(int(self.rng.integers(1, 5)))]
        for path in followers(leader, spacings):
            if not self.add(self.asset("baggage_dolly", dolly.family), path, margin=0.02):
                break
        return True
