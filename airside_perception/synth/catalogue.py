"""What a builder of procedural assets promises: kinds, their families and the splits they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from airside_perception.synth.mesh_parts import Mesh

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Build:
    """What a builder returns, in any convenient frame with x forward and z up.

    Attributes:
        mesh: the asset in its rest pose.
        anchors: named points (3,) of that frame: doors, hitches, engine intakes, bridge heads.
        animate: phase in 0..1 of a cycle to a mesh of the same topology, or None for rigid assets.
        cycle_s: seconds of a cycle that runs by the clock; 0 where the phase goes with the ground covered.
    """

    mesh: Mesh
    anchors: dict[str, Any] = field(default_factory=dict)
    animate: Callable[[float], Mesh] | None = None
    cycle_s: float = 0.0


@dataclass(frozen=True)
class Family:
    """One style of a kind, with the only split that may show it and its builder's style values."""

    split: str
    style: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """All families of one sort of object.

    `build` takes a random generator and the family's style and returns a `Build`.

    Attributes:
        class_name: "aircraft", "gse", "person", "obstacle" or "structure".
        families: by name.
        build: what makes one.
        seeds_of: kinds of one such name draw alike from one seed: the same person in another activity. By default
            the kind's own name.
    """

    class_name: str
    families: Mapping[str, Family]
    build: Callable[[np.random.Generator, Mapping[str, Any]], Build]
    seeds_of: str = ""
