"""Kinds of objects (belt loader, bus, an aircraft's family) that the image part is asked for while it trains.

One class "gse" holds vehicles of one metre and of twelve. Who can tell a bus from a dolly knows its size and its
front, so the kind is asked of every image cell beside them (an auxiliary task; nothing of it is exported).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from airside_perception.classes import OBJECT_CLASSES

UNKNOWN_KIND = -1
"""Label of objects whose kind isn't known (own assets, samples written before kinds were)."""


@cache
def object_kinds() -> tuple[str, ...]:
    """Subtypes of all tracked objects that the generator shows to training, sorted."""
    from airside_perception.synth.assets import asset_kinds, families

    found: set[str] = set()
    for name in OBJECT_CLASSES:
        for kind in asset_kinds(name, "train"):
            own = [family for family, split in families(kind).items() if split == "train"]
            found.update(own if name == "aircraft" else [kind])
    return tuple(sorted(found))


def kind_labels(names: np.ndarray) -> np.ndarray:
    """(M,) int64 index of each subtype in `object_kinds`, UNKNOWN_KIND for any other name."""
    index = {name: number for number, name in enumerate(object_kinds())}
    return np.array([index.get(str(name), UNKNOWN_KIND) for name in names], np.int64)
