"""What each supervision contract teaches the voxels: one small network, one pool, as many steps under each contract.

python benchmarks/supervision.py --pool out/ablation --steps 400 --json

A small grid (32 m x 32 m x 6.4 m of 0.8 m voxels), small images (192 x 96) and a small network keep nine trainings
affordable; the figures compare contracts and say nothing about the shipped network.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import describe_machine, machine_line

from airside_perception.errors import AirsideError
from airside_perception.evaluation.occupancy_metrics import (
    SENSOR_HEIGHT,
    ConfusionAccumulator,
    RayIouAccumulator,
)
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.records import GridSpec
from airside_perception.training.occupancy_batches import make_batch, stream_batches
from airside_perception.training.occupancy_data import SamplePool, load_sample, save_sample
from airside_perception.training.occupancy_trainer import OccupancyTrainer
from airside_perception.training.stream import training_samples
from airside_perception.training.supervision import Supervision
from airside_perception.training.training_options import TrainingOptions

SPEC = NetworkSpec(
    grid=GridSpec((-16.0, -16.0, -1.2), (0.8, 0.8, 0.8), (40, 40, 8)),
    image_size=(192, 96),
    lift_heights=(0.0, 0.7, 1.4, 2.2, 3.4, 4.6),
    depth_range=(1.0, 40.0),
    depth_bins=24,
    lift_channels=16,
    encoder_channels=(16, 32, 48, 64),
    encoder_blocks=(1, 1, 1, 1),
    bev_channels=(32, 48, 64),
)
RAYS, RENDERED_RAYS = 3000, 768
"""Of some 14,000 rays per sample with two adjacent frames; the share is about that of the full-size network."""

ADJACENT_S = (-0.8, 0.8)
CAMERAS = 4
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)

WEAK = Supervision("2d", "both", rays=RAYS, rendered_rays=RENDERED_RAYS)
CONTRACTS = {
    "dense3d": Supervision("dense3d"),
    "2d, both": WEAK,
    "2d, queries": replace(WEAK, ray_terms="query"),
    "2d, queries, all rays": replace(WEAK, ray_terms="query", rays=10**6),
    "2d, rendering": replace(WEAK, ray_terms="render"),
    "2d, both, no auxiliary rays": replace(WEAK, auxiliary_rays=False),
    "2d, both, no dynamic masks": replace(WEAK, dynamic_masks=False),
    "2d, both, no class balance": replace(WEAK, class_balance=False),
    "lidar, both": replace(WEAK, contract="lidar"),
    "mixed, both": replace(WEAK, contract="mixed"),
}


def fill(pool: Path, split: str, scenes: int, frames: int, first_seed: int) -> None:
    """Generate the scenes of a split that the pool lacks."""
    folder = pool / split
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first_seed, first_seed + scenes):
        if (folder / f"{seed:06d}_{frames - 1}.npz").exists():
            continue
        samples = training_samples(seed, split, SPEC.grid, SPEC.image_size, frames, CAMERAS, adjacent_s=ADJACENT_S)
        for index, sample in enumerate(samples):
            save_sample(folder / f"{seed:06d}_{index}.npz", sample)
        print(f"pool: {split} scene {seed}", file=sys.stderr, flush=True)


def train(supervision: Supervision, pool: Path, steps: int, seed: int) -> tuple[OccupancyTrainer, float]:
    """One training run; returns the trainer and its seconds of CPU time."""
    options = TrainingOptions(
        pool=str(pool),
        out="",
        minutes=1e6,
        max_steps=steps,
        learning_rate=5e-3,
        threads=1,
        device="cpu",
        crop_share=0.0,
        crop_mix=0.0,
        small_share=0.0,
        seed=seed,
        **vars(supervision),
    )
    trainer = OccupancyTrainer(SPEC, options)
    batches = stream_batches(
        SamplePool(pool / "train", seed), SPEC, options.batch_size, seed, trainer.image_size, 1, supervision
    )
    began = time.process_time()
    while trainer.steps < steps:
        trainer.step(next(batches))
    return trainer, time.process_time() - began


@torch.no_grad()
def evaluate(trainer: OccupancyTrainer, samples: Path) -> dict[str, Any]:
    """mIoU and geometric IoU of voxels that cameras observe, and RayIoU (one origin, seen or not), on `val`."""
    network = trainer.average
    confusions = [ConfusionAccumulator() for _ in THRESHOLDS]
    rays = [RayIouAccumulator() for _ in THRESHOLDS]
    for path in sorted(samples.glob("*.npz")):
        sample = load_sample(path)
        batch = make_batch([sample], SPEC)
        voxels = network(*batch.network_inputs()).voxels[0].permute(0, 2, 3, 1)
        probability, label = torch.sigmoid(voxels[0]).numpy(), voxels[1:].argmax(0).numpy() + 1
        observed = batch.observed[0].numpy()
        for threshold, confusion, ray in zip(THRESHOLDS, confusions, rays, strict=True):
            guess = np.where(probability > threshold, label, 0).astype(np.uint8)
            confusion.add(guess, sample.occupancy, observed)
            if threshold == 0.5:
                ray.add(guess, sample.occupancy, SPEC.grid, np.array([[0.0, 0.0, SENSOR_HEIGHT]]))
    middle = THRESHOLDS.index(0.5)
    scores = [confusion.miou() or 0.0 for confusion in confusions]
    best = int(np.argmax(scores))
    per_class = confusions[best].summary()["per_class"]
    return {
        "miou": scores[best],
        "threshold": THRESHOLDS[best],
        "miou_at_half": scores[middle],
        "geometric_iou": confusions[best].geometric_iou(),
        "ray_iou": rays[middle].ray_iou(),
        **{f"iou_{name}": value for name, value in per_class.items()},
    }


def print_table(rows: list[dict[str, Any]]) -> None:
    columns = ("contract", "miou", "geometric_iou", "ray_iou", "iou_aircraft", "iou_gse", "iou_person", "cpu_s")
    base = next((row["miou"] for row in rows if row["contract"] == "dense3d"), None)
    print("| " + " | ".join(columns) + " | of dense3d |\n" + "| --- " * (len(columns) + 1) + "|")
    for row in rows:
        cells = [f"{v:.3f}" if isinstance(v, float) else str(v) for v in (row.get(name) for name in columns)]
        print("| " + " | ".join([*cells, f"{row['miou'] / base:.3f}" if base else ""]) + " |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, required=True, help="folder of samples, filled where they lack")
    parser.add_argument("--scenes", type=int, default=24, help="training scenes of 6 frames (default: %(default)s)")
    parser.add_argument("--val-scenes", type=int, default=10, help="of 2 frames (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=400, help="of two frames under each contract")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of weights and draws")
    parser.add_argument("--contracts", nargs="+", default=list(CONTRACTS), choices=list(CONTRACTS), metavar="NAME")
    parser.add_argument("--fill-only", action="store_true", help="make the pool and stop")
    parser.add_argument("--json", action="store_true", help="print one JSON object per training run")
    arguments = parser.parse_args()
    machine = describe_machine()
    try:
        fill(arguments.pool, "val", arguments.val_scenes, 2, 7000)
        fill(arguments.pool, "train", arguments.scenes, 6, 0)
        rows = []
        for seed in arguments.seeds if not arguments.fill_only else ():
            for name in arguments.contracts:
                trainer, seconds = train(CONTRACTS[name], arguments.pool, arguments.steps, seed)
                scores = evaluate(trainer, arguments.pool / "val")
                rows.append({"contract": name, "seed": seed, "steps": arguments.steps, **scores, "cpu_s": seconds})
                print(json.dumps(rows[-1]), file=sys.stdout if arguments.json else sys.stderr, flush=True)
    except AirsideError as error:
        print(f"supervision: error: {error}", file=sys.stderr)
        return 2
    if not arguments.json:
        print_table(rows)
        print(f"\n{machine_line(machine)}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
