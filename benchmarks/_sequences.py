"""Generated sequences that the benchmarks share, kept between runs."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import airside_perception.synth
from airside_perception.errors import AirsideError
from airside_perception.synth import SynthOptions, run_synth

RIGS = ("six_surround", "four_surround")
"""Rigs of the sequences, in turns; their cameras have 640 x 400 pixels."""

SPLITS = ("test", "val")

FIRST_SEED = {"test": 9001, "val": 7001}

_CODE_FILE = "generator.sha256"


@dataclass(frozen=True)
class BenchmarkSequence:
    """What decides one sequence, by default of the split `test`: asset families that training never draws.

    Attributes:
        seed: of the generator.
        rig: preset name.
        duration_s, rate_hz: length and frame rate.
        backend: renderer, a name of `synth.BACKENDS`.
        split: of the asset families, one of `SPLITS`.
    """

    seed: int
    rig: str
    duration_s: float
    rate_hz: float
    backend: str = "raster"
    split: str = "test"

    @property
    def name(self) -> str:
        """Name of the folder."""
        other = "" if self.backend == "raster" else f"_{self.backend}"
        return f"{self.split}_{self.seed}_{self.rig}_{self.duration_s:g}s_{self.rate_hz:g}hz{other}"


def sequences_of(
    split: str, count: int, duration_s: float, rate_hz: float, backend: str = "raster"
) -> list[BenchmarkSequence]:
    """The first `count` sequences of a split."""
    return [
        BenchmarkSequence(FIRST_SEED[split] + k, RIGS[k % len(RIGS)], duration_s, rate_hz, backend, split)
        for k in range(count)
    ]


def held_out_sequences(
    count: int, duration_s: float, rate_hz: float, backend: str = "raster"
) -> list[BenchmarkSequence]:
    """The first `count` sequences of the benchmarks that are reported."""
    return sequences_of("test", count, duration_s, rate_hz, backend)


def generated(sequence: BenchmarkSequence, work: Path, progress: bool = True) -> Path:
    """The folder of a sequence, generated unless an earlier run with the same generator did so.

    A sequence appears under its name only when it is complete, so an interrupted run leaves nothing that
    looks finished.

    Raises:
        AirsideError: the folder holds something else.
    """
    folder = work / sequence.name
    if folder.exists():
        wanted = {"seed": sequence.seed, "split": sequence.split, "rig": sequence.rig, "backend": sequence.backend}
        found = manifest(folder)
        if {name: found.get(name) for name in wanted} != wanted:
            raise AirsideError(f"{folder}: expected a sequence of {wanted}, found {found}; remove it")
        if (folder / _CODE_FILE).is_file() and (folder / _CODE_FILE).read_text() == generator_digest():
            return folder
        shutil.rmtree(folder)
    work.mkdir(parents=True, exist_ok=True)
    # Voxel labels on every second frame: they cost as much as the images.
    options = SynthOptions(
        out=folder,
        seed=sequence.seed,
        split=sequence.split,
        rig=sequence.rig,
        duration_s=sequence.duration_s,
        rate_hz=sequence.rate_hz,
        label_every=2,
        backend=sequence.backend,
        progress=progress,
    )
    run_synth(options)
    (folder / _CODE_FILE).write_text(generator_digest())
    return folder


@cache
def generator_digest() -> str:
    """Of the code that draws and renders sequences: other code, other sequences."""
    code = hashlib.sha256()
    for path in sorted(Path(airside_perception.synth.__file__).parent.rglob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()


def manifest(folder: Path) -> dict[str, Any]:
    """What the generator wrote about a sequence; empty where it wrote nothing readable."""
    try:
        return dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
