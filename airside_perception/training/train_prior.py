"""`airside train prior`: train the object prior on the generator's assets and write its weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import matplotlib.figure
import torch

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.errors import AirsideError
from airside_perception.prior.object_prior import ClassPrior, ObjectPrior
from airside_perception.synth.own_assets import OwnAsset, load_own_assets
from airside_perception.training.prior_data import LATTICES, AssetData, draw_assets, draw_own, prepare_assets
from airside_perception.training.prior_fit import FitOptions, fit_shape_decoder, stack_distances
from airside_perception.training.prior_prototypes import choose_prototypes, set_code_statistics
from airside_perception.training.prior_store import prepared_in_blocks
from airside_perception.training.prior_texture import TEXTURE_GRIDS, fit_texture_decoder

WEIGHTS, CURVES, PREPARED = "prior.safetensors", "prior_curves.png", "prepared"
"""What training leaves in its folder: weights, a picture, and a folder of prepared data for the next run."""


@dataclass(frozen=True)
class PriorTrainingOptions:
    """What to train and where to write it.

    Attributes:
        out: folder of weights, prepared data and loss curves.
        counts: class name to number of training assets.
        variants: class name to meshes per asset: the asset itself and warped copies, each in a phase of its own.
        painted: class name to further assets of which only the colours are taken.
        prototypes: class name to typical objects stored per kind, or per family of aircraft.
        own_assets: folder of a user's meshes that join the generated ones (see `synth.own_assets`); "" for none.
        seed: of assets, warps and samples.
        device: "cpu", "cuda" or "auto".
        threads: CPU threads.
        resume: go on from prepared data in `out`, if it is there.
        fit: sizes and rounds.
    """

    out: Path = Path("out/prior")
    counts: dict[str, int] = field(default_factory=lambda: {"aircraft": 168, "gse": 400, "person": 252})
    variants: dict[str, int] = field(default_factory=lambda: {"aircraft": 4, "gse": 3, "person": 5})
    painted: dict[str, int] = field(default_factory=lambda: {"aircraft": 252, "gse": 405, "person": 140})
    prototypes: dict[str, int] = field(default_factory=lambda: {"aircraft": 1, "gse": 4, "person": 4})
    own_assets: str = ""
    seed: int = 1
    device: str = "auto"
    threads: int = 1
    resume: bool = True
    fit: FitOptions = field(default_factory=FitOptions)


def train_prior(options: PriorTrainingOptions) -> Path:
    """Train every class in `options.counts`; the same options and seed give the same weights on one machine.

    Preparing the assets takes most of the time; what is prepared stays in `options.out` for the next run.

    Returns:
        Path of the weights.

    Raises:
        AirsideError: unknown class, CUDA asked for but absent, `out` not writable, or unusable own meshes.
    """
    device = _check(options)
    torch.set_num_threads(options.threads)
    own = load_own_assets(options.own_assets or None)
    parts: dict[str, ClassPrior] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    for name in options.counts:
        parts[name], curves[name] = train_class(name, _data_of(name, options, own), options, device)
    ObjectPrior(parts, _metadata(options)).save(options.out / WEIGHTS)
    _draw_curves(curves, options.out / CURVES)
    return options.out / WEIGHTS


def _check(options: PriorTrainingOptions) -> str:
    """Refuse what can't work; returns the device to use."""
    unknown = [name for name in options.counts if name not in OBJECT_CLASSES or name not in options.variants]
    if unknown or not options.counts:
        raise AirsideError(f"counts: expected counts and variants for some of {OBJECT_CLASSES}, got {options.counts}")
    if min(options.counts.values()) < 3 or min(options.variants.values()) < 1:
        raise AirsideError("counts, variants: expected at least 3 and 1")
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


def _data_of(class_name: str, options: PriorTrainingOptions, own: tuple[OwnAsset, ...]) -> list[AssetData]:
    """Data of one class, prepared earlier or now: shapes with colours, own meshes, then assets of colours alone."""
    seed, count, variants = options.seed, options.counts[class_name], options.variants[class_name]
    folder = options.out / PREPARED
    identity = json.dumps([class_name, variants, seed, asdict(LATTICES[class_name])])

    def shapes(first: int, size: int) -> Iterator[AssetData]:
        return prepare_assets(draw_assets(class_name, "train", size, seed, first), variants, seed, first)

    def colors(first: int, size: int) -> Iterator[AssetData]:
        return prepare_assets(draw_assets(class_name, "train", size, seed, count + first), 0, seed, count + first)

    data = prepared_in_blocks(folder / class_name, identity, count, shapes, options.resume)
    more = options.painted.get(class_name, 0)
    data += prepared_in_blocks(folder / f"{class_name}_painted", f"{identity} {count}", more, colors, options.resume)
    # A user's meshes are few and may change under the same name: they are prepared each time.
    return data + list(prepare_assets(draw_own(class_name, "train", seed, own), variants, seed, count + more))


def train_class(
    class_name: str, data: list[AssetData], options: PriorTrainingOptions, device: str
) -> tuple[ClassPrior, dict[str, list[float]]]:
    """Fit one class; returns it and the losses of each round, under "shape" and "texture"."""
    fit = options.fit
    shaped = [entry for entry in data if entry.distances.size]
    distances = stack_distances(shaped).to(device)
    shape, shape_codes, shape_losses = fit_shape_decoder(distances, LATTICES[class_name], fit)
    del distances
    texture, texture_codes, texture_losses = fit_texture_decoder(
        data, TEXTURE_GRIDS[class_name], fit.texture_size, fit.texture_rounds, device
    )
    part = ClassPrior(shape, texture).to(device)
    set_code_statistics(part, shape_codes, texture_codes)
    names = sorted({entry.name for entry in data})
    owner = torch.tensor([names.index(entry.name) for entry in shaped], device=device)
    choose_prototypes(part, shaped, shape_codes, owner, texture_codes, options.prototypes[class_name])
    return part, {"shape": shape_losses, "texture": texture_losses}


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
        figure.subplots(1, 2), ("shape", "texture"), ("distance error, cells", "colour error"), strict=True
    ):
        for class_name, losses in curves.items():
            axes.plot(range(1, len(losses[part]) + 1), losses[part], marker=".", label=class_name)
        axes.set_xlabel("round")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
