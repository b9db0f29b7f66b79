"""`airside train prior`: train the object prior on the generator's assets and write its weights."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.figure
import torch
from tqdm import tqdm

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.errors import AirsideError
from airside_perception.prior.object_prior import ClassPrior, ObjectPrior
from airside_perception.prior.texture_decoder import TextureDecoder
from airside_perception.training.prior_data import LATTICES, prepare_class
from airside_perception.training.prior_fit import (
    FitOptions,
    TextureTrainer,
    choose_prototypes,
    fit_shape_decoder,
    set_code_statistics,
    stack_distances,
    whiten_texture,
)

_CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True)
class PriorTrainingOptions:
    """What to train and where to write it.

    Attributes:
        out: weights file to write; checkpoint and loss curve lie beside it.
        steps: texture steps per class.
        assets: class name to number of training assets.
        variants: class name to meshes per asset: the asset itself and warped copies.
        prototypes: class name to typical objects stored per kind.
        seed: of assets, warps and batches.
        device: "cpu" or "cuda".
        resume: continue from the checkpoint beside `out`, skipping finished classes.
        seconds: time budget of the texture steps of all classes together, or None.
        fit: sizes and rates.
    """

    out: Path = Path("out/prior/prior.safetensors")
    steps: int = 2500
    assets: dict[str, int] = field(default_factory=lambda: {"aircraft": 90, "gse": 168, "person": 120})
    variants: dict[str, int] = field(default_factory=lambda: {"aircraft": 6, "gse": 3, "person": 4})
    prototypes: dict[str, int] = field(default_factory=lambda: {"aircraft": 1, "gse": 2, "person": 4})
    seed: int = 1
    device: str = "cpu"
    resume: bool = False
    seconds: float | None = None
    fit: FitOptions = field(default_factory=FitOptions)


def train_prior(options: PriorTrainingOptions) -> Path:
    """Train every class in `options.assets`; the same options and seed give the same weights on one machine.

    Returns:
        Path of the weights.

    Raises:
        AirsideError: unknown class, CUDA asked for but absent, output not writable, or nothing to resume.
    """
    _check(options)
    checkpoint_path = options.out.with_suffix(".checkpoint.pt")
    done: dict[str, Any] = {}
    if options.resume:
        if not checkpoint_path.is_file():
            raise AirsideError(f"resume: no checkpoint at {checkpoint_path}; start without resume")
        done = torch.load(checkpoint_path, map_location=options.device, weights_only=True)
    parts: dict[str, ClassPrior] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    for class_name in options.assets:
        parts[class_name], curves[class_name] = _train_class(class_name, options, done, checkpoint_path)
    prior = ObjectPrior(parts, _metadata(options))
    prior.save(options.out)
    _draw_curves(curves, options.out.with_suffix(".png"))
    return options.out


def _check(options: PriorTrainingOptions) -> None:
    unknown = [name for name in options.assets if name not in OBJECT_CLASSES or name not in options.variants]
    if unknown or not options.assets:
        raise AirsideError(f"assets: expected counts and variants for some of {OBJECT_CLASSES}, got {options.assets}")
    if min(options.assets.values()) < 3 or min(options.variants.values()) < 1 or options.steps < 1:
        raise AirsideError("assets, variants, steps: expected at least 3, 1 and 1")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise AirsideError("device: cuda asked for, but torch sees no CUDA device; use cpu")
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.touch()
    except OSError as error:
        raise AirsideError(f"out: can't write {options.out} ({error.strerror})") from error


def _train_class(
    class_name: str, options: PriorTrainingOptions, done: dict[str, Any], checkpoint_path: Path
) -> tuple[ClassPrior, dict[str, list[float]]]:
    """Train one class, or rebuild it from the checkpoint as far as it had come."""
    torch.manual_seed(options.seed)
    data = prepare_class(class_name, "train", options.assets[class_name], options.seed, options.variants[class_name])
    distances = stack_distances(data).to(options.device)
    shape, shape_codes, shape_losses = fit_shape_decoder(distances, LATTICES[class_name], options.fit)
    del distances
    texture = TextureDecoder(options.fit.texture_size).to(options.device)
    trainer = TextureTrainer(texture, data, options.fit, options.seed)
    if class_name in done:
        trainer.restore(done[class_name])
    budget = None if options.seconds is None else options.seconds / len(options.assets)
    started = saved = time.monotonic()
    with tqdm(total=options.steps, initial=len(trainer.losses), desc=f"{class_name} texture") as bar:
        while len(trainer.losses) < options.steps:
            elapsed = time.monotonic() - started
            progress = len(trainer.losses) / options.steps
            if budget is not None:
                progress = max(progress, elapsed / budget)
            if progress >= 1.0:
                break
            loss = trainer.step(progress)
            bar.update()
            if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                bar.set_postfix(loss=f"{loss:.3f}")
                done[class_name], saved = trainer.state(), time.monotonic()
                torch.save(done, checkpoint_path)
    done[class_name] = trainer.state()
    torch.save(done, checkpoint_path)
    texture_codes = whiten_texture(texture, trainer.codes.detach())
    part = ClassPrior(shape, texture).to(options.device)
    set_code_statistics(part, shape_codes, texture_codes)
    choose_prototypes(part, data, shape_codes, trainer.owner, texture_codes, options.prototypes[class_name])
    return part, {"shape": shape_losses, "texture": trainer.losses}


def _metadata(options: PriorTrainingOptions) -> dict[str, str]:
    """What the weights say about their origin."""
    fitted = asdict(options)
    fitted.pop("out"), fitted.pop("resume")
    return {
        "training": json.dumps(fitted),
        "classes": ",".join(options.assets),
        "data": "generated assets, split train",
    }


def _draw_curves(curves: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Loss curves of all classes as a picture."""
    figure = matplotlib.figure.Figure(figsize=(9, 3.2), layout="constrained")
    for axes, part, label in zip(
        figure.subplots(1, 2), ("shape", "texture"), ("distance error, cells", "colour loss"), strict=True
    ):
        for class_name, losses in curves.items():
            values = losses[part]
            width = max(len(values) // 60, 1)
            means = [sum(values[i : i + width]) / len(values[i : i + width]) for i in range(0, len(values), width)]
            axes.plot([i * width for i in range(len(means))], means, label=class_name)
        axes.set_xlabel("round" if part == "shape" else "step")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
