"""Training of the occupancy network from a pool of samples that may still be growing."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.training.earlier_frames import EARLIER_FRAMES
from airside_perception.training.initial_weights import is_exported
from airside_perception.training.occupancy_batches import stream_batches
from airside_perception.training.occupancy_data import SamplePool, TrainingSample, load_sample
from airside_perception.training.occupancy_trainer import OccupancyTrainer
from airside_perception.training.occupancy_validation import validate
from airside_perception.training.sample_stream import SampleGenerators
from airside_perception.training.supervision import Supervision
from airside_perception.training.training_log import TrainingLog
from airside_perception.training.training_options import TrainingOptions

logger = logging.getLogger(__name__)

ADJACENT_S = (-0.8, 0.8)
"""Moments, seconds from a generated frame, whose labels give auxiliary rays."""


def train(spec: NetworkSpec, options: TrainingOptions) -> Path:
    """Train until the budget is used up.

    Writes `out/checkpoint.pt` (last), `out/best.pt` (best validation), `out/log.csv`, `out/curves.png`.

    Returns:
        Path of the checkpoint to export.

    Raises:
        AirsideError: empty pool, diverged training, checkpoint of another network.
    """
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    trainer = OccupancyTrainer(spec, options)
    checkpoint = out / "checkpoint.pt"
    if options.resume and checkpoint.exists():
        trainer.restore(checkpoint)
        logger.info("resumed at step %d, %.1f min", trainer.steps, trainer.elapsed_s / 60)
    first = trainer.workers.first
    pool = SamplePool(Path(options.pool) / "train", options.seed + trainer.steps + 7919 * trainer.workers.rank)
    with SampleGenerators(
        options.pool,
        spec,
        options.generators if first else 0,
        options.pool_limit,
        options.val_samples,
        options.assets,
        ADJACENT_S if trainer.supervision.uses_rays and options.auxiliary_rays else (),
        EARLIER_FRAMES if spec.previous_volume else 0,
    ):
        _wait_for_samples(pool, options.least_samples)
        _check_samples(pool, spec, trainer.supervision)
        if options.initial and is_exported(options.initial) and not trainer.steps:
            trainer.settle_norms(pool)
        _train_until_done(trainer, pool, options, out)
    trainer.workers.close()
    return checkpoint


def _train_until_done(trainer: OccupancyTrainer, pool: SamplePool, options: TrainingOptions, out: Path) -> None:
    """Steps, reports, validations and checkpoints until the budget is used up."""
    spec, checkpoint = trainer.network.spec, out / "checkpoint.pt"
    log = TrainingLog(out / "log.csv")
    seed = options.seed + trainer.steps + 7919 * trainer.workers.rank
    batches = stream_batches(pool, spec, options.batch_size, seed, trainer.image_size, supervision=trainer.supervision)
    recent: dict[str, list[float]] = {}
    count, last_report, last_save = 0, time.monotonic(), time.monotonic()
    best = -1.0
    while trainer.goes_on():
        waited = time.monotonic()
        batch = next(batches)
        waited = time.monotonic() - waited
        for name, value in trainer.step(batch).items():
            recent.setdefault(name, []).append(value)
        trainer.elapsed_s += waited
        if not trainer.workers.first:
            recent.clear()
            continue
        count += 1
        now = time.monotonic()
        finished = trainer.progress >= 1.0 and trainer.meets
        if count >= 20 or finished:
            # Of the steps that had the term: crops have none for voxels and boxes.
            means = {name: sum(values) / len(values) for name, values in recent.items()}
            pace = (now - last_report) / count
            log.write("train", trainer.steps, trainer.elapsed_s / 60, means)
            logger.info("step %d  %.2f s/step  %s", trainer.steps, pace, _short(means))
            recent, count, last_report = {}, 0, now
        if now - last_save > 60 * options.checkpoint_minutes or finished:
            scores = _validate(trainer, options)
            log.write("val", trainer.steps, trainer.elapsed_s / 60, scores)
            trainer.save(checkpoint, scores)
            quality = _quality(scores)
            if quality >= best:
                best = quality
                trainer.save(out / "best.pt", scores)
            log.plot(out / "curves.png")
            logger.info("val at step %d (pool %d): %s", trainer.steps, pool.refresh(), _short(scores))
            trainer.elapsed_s += time.monotonic() - now
            last_save = last_report = time.monotonic()


def _check_samples(pool: SamplePool, spec: NetworkSpec, supervision: Supervision) -> None:
    """Refuse a contract that samples have no labels for, and a memory that they have no images for."""
    paths = pool.paths()
    some = [load_sample(paths[index]) for index in np.linspace(0, len(paths) - 1, min(12, len(paths))).astype(int)]
    if supervision.contract == "dense3d" and not any(sample.observed.any() for sample in some):
        raise AirsideError(
            f"{pool.folder}: contract dense3d needs voxel labels, the samples have none; use --contract 2d"
        )
    if spec.previous_volume and not any(sample.earlier for sample in some):
        raise AirsideError(
            f"{pool.folder}: --previous-volume needs samples with images of earlier frames, these have none; "
            "leave --pool out, and the generator makes some"
        )


def _wait_for_samples(pool: SamplePool, least: int) -> None:
    while pool.refresh() < least:
        logger.info("waiting for samples in %s (%d of %d)", pool.folder, pool.refresh(), least)
        time.sleep(5.0)


def _validate(trainer: OccupancyTrainer, options: TrainingOptions) -> dict[str, float]:
    paths = SamplePool(Path(options.pool) / "val").paths()[: options.val_samples]
    samples: list[TrainingSample] = [load_sample(path) for path in paths]
    return validate(trainer.average, samples, trainer.device) if samples else {}


def _quality(scores: Mapping[str, float]) -> float:
    """One number to choose checkpoints by: mean of voxel mIoU and detection recall."""
    names = ("miou", "recall_gse", "recall_person", "recall_aircraft")
    values = [scores[name] for name in names if math.isfinite(scores.get(name, math.nan))]
    return sum(values) / len(values) if values else 0.0


def _short(values: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.3g}" for name, value in values.items())


def main(arguments: list[str] | None = None) -> int:
    """`python -m airside_perception.training.train_occupancy --pool POOL --out DIR`; with torchrun: see workers.py."""
    import argparse

    parser = argparse.ArgumentParser(description="Train the occupancy network from a pool of samples.")
    for name, value in asdict(TrainingOptions(pool="", out="")).items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=value)
        else:
            parser.add_argument(
                flag,
                type=type(value),
                default=value or None if name in ("pool", "out") else value,
                required=name in ("pool", "out"),
            )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        options = TrainingOptions(**vars(chosen))
        train(NetworkSpec(previous_volume=options.previous_volume), options)
    except AirsideError as error:
        print(f"train_occupancy: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
