"""Generator processes that fill a sample pool while the network trains."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.synth.own_assets import OwnAsset, load_own_assets

logger = logging.getLogger(__name__)


class SampleGenerators:
    """Worker processes behind a pool folder; a context manager that ends them.

    Worker k of n draws the scenes k, k + n, k + 2n, ... of each split, validation first, and skips
    scenes that exist: a pool is reproducible and continues where it stopped.

    Args:
        pool: folder with `train/` and `val/`.
        spec: grid and image size of the samples.
        workers: number of processes; 0 does nothing.
        train_count, val_count: samples per split.
        assets: folder with own meshes that join the scenes; "": none.
        adjacent_s: moments whose label images come along with training frames, see stream.training_samples.
        earlier_frames: earlier images that come along with all frames, see there.
    """

    def __init__(
        self,
        pool: str | Path,
        spec: NetworkSpec,
        workers: int,
        train_count: int,
        val_count: int,
        assets: str = "",
        adjacent_s: tuple[float, ...] = (),
        earlier_frames: int = 0,
    ) -> None:
        load_own_assets(assets or None)  # what is wrong with them shows now and not in a worker
        self._arguments = [
            (str(pool), spec.to_json(), worker, workers, train_count, val_count, assets, adjacent_s, earlier_frames)
            for worker in range(workers)
        ]
        self._processes: list[BaseProcess] = []

    def __enter__(self) -> SampleGenerators:
        context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
        for arguments in self._arguments:
            process = context.Process(target=fill_pool, args=arguments, daemon=True)
            process.start()
            self._processes.append(process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(timeout=10.0)


def fill_pool(
    pool: str,
    spec_json: str,
    worker: int,
    workers: int,
    train_count: int,
    val_count: int,
    assets: str = "",
    adjacent_s: tuple[float, ...] = (),
    earlier_frames: int = 0,
) -> None:
    """Generate this worker's share of both splits (the body of one process)."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from airside_perception.training.stream import FRAMES_PER_SCENE

    spec = NetworkSpec.from_json(spec_json)
    own = load_own_assets(assets or None)
    for split, count, frames in (("val", val_count, 2), ("train", train_count, FRAMES_PER_SCENE)):
        folder = Path(pool) / split
        folder.mkdir(parents=True, exist_ok=True)
        for seed in range(worker, -(-count // frames), workers):
            if not (folder / f"{seed:06d}_{frames - 1}.npz").exists():
                moments = adjacent_s if split == "train" else ()
                _write_scene(folder, spec, seed, split, frames, own, moments, earlier_frames)


def _write_scene(
    folder: Path,
    spec: NetworkSpec,
    seed: int,
    split: str,
    frames: int,
    own: Sequence[OwnAsset],
    adjacent_s: tuple[float, ...],
    earlier_frames: int,
) -> None:
    from airside_perception.training.occupancy_data import save_sample
    from airside_perception.training.stream import training_samples

    try:
        samples = training_samples(
            seed,
            split,
            spec.grid,
            spec.image_size,
            frames,
            own_assets=own,
            adjacent_s=adjacent_s,
            earlier_frames=earlier_frames,
        )
        for index, sample in enumerate(samples):
            save_sample(folder / f"{seed:06d}_{index}.npz", sample)
    except Exception:  # one scene that can't be drawn must not end a training run of hours
        logger.exception("generator: seed %d of split %s failed; going on with the next", seed, split)
