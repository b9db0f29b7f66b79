"""Weights of the prior on disk: one safetensors file that says how to rebuild every class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from airside_perception.errors import AirsideError
from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.prior.texture_decoder import TextureDecoder

if TYPE_CHECKING:
    from airside_perception.prior.object_prior import ClassPrior, ObjectPrior

FORMAT = "airside_prior"
VERSION = "2"
_STORED_TYPES = {
    "shape.mean": torch.float16,
    "shape.resting": torch.float16,
    "shape.live": torch.int32,
    "texture.live": torch.int32,
    "texture.mean": torch.float16,
}
"""Large arrays are stored smaller than they are used: float16 moves a surface by less than a hundredth of a cell."""
_EIGHT_BITS = ("shape.basis", "texture.basis")
"""Stored in eight bits with a scale for each column: nodes are off by about a hundredth of a cell, colours by less
than a display shows."""


def save_prior(prior: ObjectPrior, path: str | Path) -> None:
    """Write `prior` to `path`; see `ObjectPrior.save`."""
    tensors: dict[str, Tensor] = {}
    layout = {}
    for name, part in prior.classes.items():
        for key, value in part.state_dict().items():
            stored = value.detach().cpu().contiguous()
            if key in _EIGHT_BITS:
                stored, tensors[f"{name}.{key}_scale"] = _to_eight_bits(stored)
            tensors[f"{name}.{key}"] = stored.to(_STORED_TYPES.get(key, stored.dtype))
        layout[name] = {"prototypes": list(part.prototype_names)}
    metadata = {**prior.metadata, "format": FORMAT, "version": VERSION, "layout": json.dumps(layout)}
    save_file(tensors, str(path), metadata=metadata)


def _to_eight_bits(basis: Tensor) -> tuple[Tensor, Tensor]:
    """(L, C) float -> (L, C) int8 and the (C,) float32 scale of each column."""
    scale = basis.abs().amax(dim=0).clamp_min(1e-9) / 127
    return torch.round(basis / scale).to(torch.int8), scale.float()


def load_prior(path: str | Path, device: str | torch.device = "cpu") -> ObjectPrior:
    """Read weights; see `ObjectPrior.load`."""
    from airside_perception.prior.object_prior import ObjectPrior

    if not Path(path).is_file():
        raise AirsideError(f"prior weights: no file at {path}. Train them with `airside train prior`.")
    try:
        with safe_open(str(path), framework="pt", device=str(device)) as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise AirsideError(f"prior weights {path}: not a safetensors file ({error})") from error
    found = (metadata.get("format"), metadata.get("version"))
    if found != (FORMAT, VERSION):
        raise AirsideError(
            f"prior weights {path}: expected format {FORMAT} version {VERSION}, got {found[0]} {found[1]}"
        )
    layout = json.loads(metadata["layout"])
    classes = {name: _build_class(name, options, tensors, path, device) for name, options in layout.items()}
    return ObjectPrior(classes, {key: value for key, value in metadata.items() if key != "layout"})


def _build_class(
    name: str, options: dict[str, Any], tensors: dict[str, Tensor], path: str | Path, device: str | torch.device
) -> ClassPrior:
    from airside_perception.prior.object_prior import ClassPrior

    own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}

    def require(key: str) -> Tensor:
        if key not in own:
            raise AirsideError(f"prior weights {path}: tensor '{name}.{key}' is missing; retrain or fetch them again")
        return own[key]

    axes = (require("shape.axis_x"), require("shape.axis_y"), require("shape.axis_z"))
    shape = ShapeDecoder(axes, require("shape.live"), require("shape.resting"), require("shape.basis").shape[1])
    nodes, code_size = require("texture.shape").tolist(), require("texture.basis").shape[1] // 3
    texture = TextureDecoder(tuple(nodes), tuple(require("texture.reach").tolist()), require("texture.live"), code_size)
    part = ClassPrior(shape, texture).to(device)
    part.prototype_names = tuple(options["prototypes"])
    for key in ("prototype_shape", "prototype_texture", "prototype_size"):
        empty = getattr(part, key)
        setattr(part, key, empty.new_zeros((len(part.prototype_names), empty.shape[1])))
    wanted = part.state_dict()
    state = {}
    for key, value in wanted.items():
        stored = require(key)
        if stored.shape != value.shape:
            raise AirsideError(
                f"prior weights {path}: tensor '{name}.{key}': expected {tuple(value.shape)}, got {tuple(stored.shape)}"
            )
        state[key] = stored.to(value.dtype)
    for key in _EIGHT_BITS:
        state[key] *= require(f"{key}_scale")
    part.load_state_dict(state)
    return part
