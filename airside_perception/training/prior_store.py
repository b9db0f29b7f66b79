"""Prepared training data on disk, block by block: a run that was killed loses one block at most."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from airside_perception.training.prior_data import AssetData

BLOCK = 8
"""Assets in one file: some ten seconds of work."""


def prepared_in_blocks(
    folder: Path, identity: str, count: int, prepare: Callable[[int, int], Iterable[AssetData]], resume: bool = True
) -> list[AssetData]:
    """Data of `count` assets, read from `folder` as far as it is there and written there where it is not.

    Args:
        folder: of the blocks; created.
        identity: what the data is made from; blocks of anything else are made anew.
        count: number of assets. More of them later go on where fewer ended.
        prepare: gives the data of some assets from the number of the first and how many.
        resume: False: makes all blocks anew.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = []
    for first in tqdm(range(0, count, BLOCK), desc=folder.name, unit_scale=BLOCK, unit=" assets"):
        size = min(BLOCK, count - first)
        path, own_identity = folder / f"block_{first // BLOCK:04d}.npz", f"{identity} {first} {size}"
        block = load_assets(path, own_identity) if resume else None
        if block is None:
            block = list(prepare(first, size))
            save_assets(path, block, own_identity)
        data += block
    return data


def save_assets(path: Path, data: list[AssetData], identity: str) -> None:
    """Write some assets; `identity` says what they were prepared from."""
    columns: dict[str, Any] = {name: np.array([getattr(entry, name) for entry in data]) for name in _names()}
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, identity=np.array(identity), **columns)
    os.replace(unfinished, path)


def load_assets(path: Path, identity: str) -> list[AssetData] | None:
    """Read what `save_assets` wrote; None where there is no such file, or one that was prepared from something else."""
    try:
        with np.load(path) as file:
            if str(file["identity"]) != identity:
                return None
            columns = [file[name] for name in _names()]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return [AssetData(str(n), str(s), str(f), bool(t), *rest) for n, s, f, t, *rest in zip(*columns, strict=True)]


def _names() -> list[str]:
    return [field.name for field in fields(AssetData)]
