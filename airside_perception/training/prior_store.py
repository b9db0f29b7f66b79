"""Prepared training data on disk, so that a run that goes on need not prepare it again."""

from __future__ import annotations

import os
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from airside_perception.training.prior_data import AssetData


def save_assets(path: Path, data: list[AssetData], identity: str) -> None:
    """Write the data of one class; `identity` says what it was prepared from."""
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
