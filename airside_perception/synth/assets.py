"""Procedural assets by kind, seed and split.

A family (one style of a kind: the A320-like aircraft, the open-cab tractor) is seen by exactly one
split, so that validation and test measure new shapes and not only new colours. Assets of the training
split are varied beyond their families (see variation.py).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from airside_perception.synth.aircraft import AIRCRAFT_KINDS
from airside_perception.synth.catalogue import SPLITS, Kind
from airside_perception.synth.ground_equipment import GROUND_EQUIPMENT_KINDS
from airside_perception.synth.loose_objects import LOOSE_OBJECT_KINDS
from airside_perception.synth.mesh_parts import FloatArray, Mesh
from airside_perception.synth.obstacles import OBSTACLE_KINDS
from airside_perception.synth.people import PERSON_KINDS
from airside_perception.synth.structures import STRUCTURE_KINDS
from airside_perception.synth.variation import stretch_factors
from airside_perception.synth.wear import WEAR, weathered


@dataclass(frozen=True)
class Raised:
    """The raised end of what lifts: (V, 3) float32 vertices and anchors in the frame of the lowered mesh."""

    vertices: FloatArray
    anchors: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Asset:
    """One object to place in a scene.

    Attributes:
        name: kind/family/seed.
        class_name: "aircraft", "gse", "person", "obstacle" or "structure".
        subtype: the kind, or for aircraft the family.
        family: style variant; belongs to one split only.
        split: "train", "val" or "test".
        mesh: rest pose, x forward, metres; its axis-aligned bounding box is centred at the origin.
        size: (3,) float64 edge lengths of that box; the object stands on the ground at z = size[2] / 2.
        animate: phase in 0..1 of a cycle to a mesh of the same topology in the same frame, or None.
            A stride reaches beyond the rest pose's box in x.
        cycle_s: seconds of a cycle that runs by the clock (a marshaller's arms); 0 where the phase goes with
            the ground covered (legs).
        anchors: named points (3,) in the mesh's frame.
        raised: what lifts has its other end here, see `lifting.raised_to`; None where nothing does.
        offset: (2,) metres forward and left from the middle of the lowered box to that of `size`.
    """

    name: str
    class_name: str
    subtype: str
    family: str
    split: str
    mesh: Mesh
    size: FloatArray
    animate: Callable[[float], Mesh] | None = None
    cycle_s: float = 0.0
    anchors: dict[str, FloatArray] = field(default_factory=dict)
    raised: Raised | None = None
    offset: FloatArray = field(default_factory=lambda: np.zeros(2))


@cache
def _kinds() -> dict[str, Kind]:
    return {
        **AIRCRAFT_KINDS,
        **GROUND_EQUIPMENT_KINDS,
        **PERSON_KINDS,
        **OBSTACLE_KINDS,
        **LOOSE_OBJECT_KINDS,
        **STRUCTURE_KINDS,
    }


def _kind(name: str) -> Kind:
    if name not in _kinds():
        raise ValueError(f"unknown asset kind {name!r}; expected one of {', '.join(_kinds())}")
    return _kinds()[name]


def asset_kinds(class_name: str, split: str) -> tuple[str, ...]:
    """Kinds of a class that have at least one family in the split.

    Raises:
        ValueError: unknown class or split.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; expected one of {', '.join(SPLITS)}")
    of_class = {name: kind for name, kind in _kinds().items() if kind.class_name == class_name}
    if not of_class:
        known = sorted({kind.class_name for kind in _kinds().values()})
        raise ValueError(f"unknown asset class {class_name!r}; expected one of {', '.join(known)}")
    return tuple(name for name, kind in of_class.items() if any(f.split == split for f in kind.families.values()))


def structure_kinds(split: str = "train") -> tuple[str, ...]:
    """Kinds of buildings and masts that have a family in the split."""
    return asset_kinds("structure", split)


def families(kind: str) -> dict[str, str]:
    """Family name to split, for one kind."""
    return {name: family.split for name, family in _kind(kind).families.items()}


def make_asset(
    kind: str,
    seed: int,
    split: str,
    family: str | None = None,
    varied: bool = True,
    moving: bool = False,
    lifting: bool = False,
) -> Asset:
    """Build one asset; the same arguments give the same asset on every machine.

    Args:
        kind: one of `asset_kinds(class_name, split)`.
        seed: draws the family (unless given), proportions, state and colours.
        split: "train", "val" or "test".
        family: one of `families(kind)` of that split, or None to draw one.
        varied: assets of the training split may be stretched and, for aircraft, stand between families; False
            keeps real proportions. Assets of other splits always have them.
        moving: fit to drive: doors shut, platforms, booms and drawbars down. Others may be at work.
        lifting: fit to drive, and with a raised state where the kind and family have one.

    Raises:
        ValueError: unknown kind, or no such family in this split.
    """
    spec = _kind(kind)
    candidates = [name for name, entry in spec.families.items() if entry.split == split]
    if not candidates:
        raise ValueError(f"asset kind {kind!r} has no family in split {split!r}; see asset_kinds()")
    kind_key = zlib.crc32((spec.seeds_of or kind).encode())
    if family is None:
        family = candidates[int(np.random.default_rng([kind_key, seed]).integers(len(candidates)))]
    elif family not in candidates:
        raise ValueError(
            f"{kind!r} has no family {family!r} in split {split!r}; expected one of {', '.join(candidates)}"
        )
    seeds = [kind_key, zlib.crc32(family.encode()), seed]
    # Wear and stretch have draws of their own: they don't depend on how many the builder took.
    rng, later = np.random.default_rng(seeds), np.random.default_rng([*seeds, 1])
    varied = varied and split == "train"
    style = {**spec.families[family].style, "varied": varied, "moving": moving or lifting}
    build = spec.build(rng, {**style, "lift": 0.0} if lifting else style)
    mesh, centre = weathered(build.mesh, later, WEAR[spec.class_name]).centred()
    factors = stretch_factors(later, spec.class_name) if varied else np.ones(3)
    mesh = mesh.scaled(factors)
    offset = -centre.astype(np.float64)
    animate = build.animate

    def posed(phase: float) -> Mesh:
        assert animate is not None
        return replace(animate(phase).translated(*offset).scaled(factors), face_colors=mesh.face_colors)

    def in_place(anchors: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {name: (np.asarray(point, dtype=np.float64) + offset) * factors for name, point in anchors.items()}

    raised = None
    if lifting:
        top = spec.build(np.random.default_rng(seeds), {**style, "lift": 1.0})
        lifts = np.array_equal(top.mesh.faces, build.mesh.faces)
        lifts = lifts and not np.allclose(top.mesh.vertices, build.mesh.vertices, atol=1e-3)
        if lifts:
            raised = Raised(top.mesh.translated(*offset).scaled(factors).vertices, in_place(top.anchors))

    return Asset(
        name=f"{kind}/{family}/{seed}",
        class_name=spec.class_name,
        subtype=family if spec.class_name == "aircraft" else kind,
        family=family,
        split=split,
        mesh=mesh,
        size=mesh.size.astype(np.float64),
        animate=None if animate is None else posed,
        cycle_s=build.cycle_s,
        anchors=in_place(build.anchors),
        raised=raised,
    )
