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
from airside_perception.synth.own_assets import OwnAsset, load_own_assets
from airside_perception.training.prior_data import LATTICES, AssetData, prepare_class
from airside_perception.training.prior_fit import FitOptions, fit_shape_decoder, stack_distances
from airside_perception.training.prior_prototypes import choose_prototypes, set_code_statistics
from airside_perception.training.prior_store import load_assets, save_assets
from airside_perception.training.prior_texture import TextureTrainer, whiten_texture

_CHECKPOINT_SECONDS = 30.0
WEIGHTS, CHECKPOINT, CURVES = "prior.safetensors", "prior.checkpoint.pt", "prior_curves.png"
"""Files that training leaves in its folder."""


@dataclass(frozen=True)
class PriorTrainingOptions:
    """What to train and where to write it.

    Attributes:
        out: folder of weights, checkpoint and loss curves.
        steps: most texture steps per class.
        minutes: time budget of the whole run; what preparing data and fitting shapes leave goes to texture.
        counts: class name to number of training assets.
        variants: class name to meshes per asset: the asset itself and warped copies.
        prototypes: class name to typical objects stored per kind, or per family of aircraft.
        own_assets: folder of a user's meshes that join the generated ones (see `synth.own_assets`); "" for none.
        seed: of assets, warps and batches.
        device: "cpu", "cuda" or "auto".
        threads: CPU threads.
        resume: go on from prepared data and a checkpoint in `out`, if they are there.
        fit: sizes and rates.
    """

    out: Path = Path("out/prior")
    steps: int = 4000
    minutes: float = 60.0
    counts: dict[str, int] = field(default_factory=lambda: {"aircraft": 168, "gse": 324, "person": 252})
    variants: dict[str, int] = field(default_factory=lambda: {"aircraft": 4, "gse": 3, "person": 3})
    prototypes: dict[str, int] = field(default_factory=lambda: {"aircraft": 1, "gse": 4, "person": 4})
    own_assets: str = ""
    seed: int = 1
    device: str = "auto"
    threads: int = 1
    resume: bool = True
    fit: FitOptions = field(default_factory=FitOptions)


def train_prior(options: PriorTrainingOptions) -> Path:
    """Train every class in `options.counts`; the same options and seed give the same weights on one machine.

    (Unless the time budget ends a class before `options.steps`.)

    Returns:
        Path of the weights.

    Raises:
        AirsideError: unknown class, CUDA asked for but absent, `out` not writable, or a checkpoint of other options.
    """
    deadline = time.monotonic() + 60.0 * options.minutes
    device = _check(options)
    torch.set_num_threads(options.threads)
    done = _checkpoint_of(options, device)
    own = load_own_assets(options.own_assets or None)
    datasets = {name: _data_of(name, options, own) for name in options.counts}
    parts: dict[str, ClassPrior] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    for name, data in datasets.items():
        share = (deadline - time.monotonic()) / (len(datasets) - len(parts))
        parts[name], curves[name] = _train_class(name, data, options, device, done, time.monotonic() + share)
    ObjectPrior(parts, _metadata(options)).save(options.out / WEIGHTS)
    _draw_curves(curves, options.out / CURVES)
    return options.out / WEIGHTS


def _data_of(class_name: str, options: PriorTrainingOptions, own: tuple[OwnAsset, ...]) -> list[AssetData]:
    """Data of one class, prepared earlier or now."""
    count, variants = options.counts[class_name], options.variants[class_name]
    path = options.out / f"prior_data_{class_name}.npz"
    names = sorted(each.name for each in own)
    identity = json.dumps([count, variants, options.seed, names, options.own_assets, asdict(LATTICES[class_name])])
    data = load_assets(path, identity) if options.resume else None
    if data is None:
        data = prepare_class(class_name, "train", count, options.seed, variants, own)
        save_assets(path, data, identity)
    return data


def _check(options: PriorTrainingOptions) -> str:
    """Refuse what can't work; returns the device to use."""
    unknown = [name for name in options.counts if name not in OBJECT_CLASSES or name not in options.variants]
    if unknown or not options.counts:
        raise AirsideError(f"counts: expected counts and variants for some of {OBJECT_CLASSES}, got {options.counts}")
    if min(options.counts.values()) < 3 or min(options.variants.values()) < 1 or options.steps < 1:
        raise AirsideError("counts, variants, steps: expected at least 3, 1 and 1")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise AirsideError("device: cuda asked for, but torch sees no CUDA device; use cpu")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / WEIGHTS).touch()
    except OSError as error:
        raise AirsideError(f"out: can't write into {options.out} ({error.strerror})") from error
    if options.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return options.device


def _identity(options: PriorTrainingOptions) -> str:
    """What must agree between a checkpoint and the run that goes on from it."""
    data = [options.counts, options.variants, options.own_assets, options.seed]
    return json.dumps([*data, options.steps, asdict(options.fit)])


def _checkpoint_of(options: PriorTrainingOptions, device: str) -> dict[str, Any]:
    """Class name to training state, and under "options" what they belong to."""
    path = options.out / CHECKPOINT
    if not (options.resume and path.is_file()):
        return {"options": _identity(options)}
    done: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    if done.get("options") != _identity(options):
        raise AirsideError(f"resume: {path} belongs to other options; start afresh or use another folder")
    return done


def _train_class(
    class_name: str,
    data: list[AssetData],
    options: PriorTrainingOptions,
    device: str,
    done: dict[str, Any],
    deadline: float,
) -> tuple[ClassPrior, dict[str, list[float]]]:
    """Train one class; texture goes on from `done` if the class is there, and `done` is kept up to date."""
    torch.manual_seed(options.seed)
    distances = stack_distances(data).to(device)
    shape, shape_codes, shape_losses = fit_shape_decoder(distances, LATTICES[class_name], options.fit)
    del distances
    fit = options.fit
    texture = TextureDecoder(fit.texture_size, fit.texture_frequencies, fit.texture_hidden, fit.texture_features).to(
        device
    )
    trainer = TextureTrainer(texture, data, options.fit, options.seed)
    if class_name in done:
        trainer.restore(done[class_name])
    _train_texture(class_name, trainer, options, done, deadline)
    texture_codes = whiten_texture(texture, trainer.codes.detach())
    part = ClassPrior(shape, texture).to(device)
    set_code_statistics(part, shape_codes, texture_codes)
    choose_prototypes(part, data, shape_codes, trainer.owner, texture_codes, options.prototypes[class_name])
    return part, {"shape": shape_losses, "texture": trainer.losses}


def _train_texture(
    class_name: str, trainer: TextureTrainer, options: PriorTrainingOptions, done: dict[str, Any], deadline: float
) -> None:
    """Step until `options.steps` or the deadline, saving now and then; the learning rate falls to fit either."""
    started = saved = time.monotonic()
    with tqdm(total=options.steps, initial=len(trainer.losses), desc=f"{class_name} texture") as bar:
        while len(trainer.losses) < options.steps:
            elapsed = (time.monotonic() - started) / max(deadline - started, 1e-3)
            progress = max(len(trainer.losses) / options.steps, elapsed)
            if progress >= 1.0 and trainer.losses:
                break
            loss = trainer.step(progress)
            bar.update()
            if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                bar.set_postfix(loss=f"{loss:.3f}")
                done[class_name], saved = trainer.state(), time.monotonic()
                torch.save(done, options.out / CHECKPOINT)
    done[class_name] = trainer.state()
    torch.save(done, options.out / CHECKPOINT)


def _metadata(options: PriorTrainingOptions) -> dict[str, str]:
    """What the weights say about their origin."""
    fitted = asdict(options)
    fitted.pop("out"), fitted.pop("resume")
    return {
        "training": json.dumps(fitted),
        "classes": ",".join(options.counts),
        "data": "generated assets, split train" + (", own assets" if options.own_assets else ""),
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
