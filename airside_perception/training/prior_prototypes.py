"""What a class remembers of its training assets: the spread of their codes, and typical objects."""

from __future__ import annotations

import torch
from torch import Tensor

from airside_perception.prior.object_prior import ClassPrior
from airside_perception.training.prior_data import AssetData

_ALIKE_SHAPE, _ALIKE_SIZE = 0.3, 0.12
"""Share of the median distance between prototypes' codes, and of each dimension, below which two are one."""


@torch.no_grad()
def set_code_statistics(part: ClassPrior, shape_codes: Tensor, texture_codes: Tensor) -> None:
    """Store mean and covariance of the training codes in `part`."""
    for name, codes in (("shape", shape_codes), ("texture", texture_codes)):
        mean = codes.mean(dim=0)
        covariance = (codes - mean).T @ (codes - mean) / max(len(codes) - 1, 1)
        getattr(part, f"{name}_mean").copy_(mean)
        getattr(part, f"{name}_covariance").copy_(covariance + 1e-4 * torch.eye(len(mean), device=mean.device))


@torch.no_grad()
def choose_prototypes(
    part: ClassPrior, data: list[AssetData], shape_codes: Tensor, owner: Tensor, texture_codes: Tensor, per_subtype: int
) -> None:
    """Store typical objects of every subtype in `part`: medoids of the shape codes with the subtype's mean texture.

    Args:
        part: receives the prototypes.
        data: training assets in the order of `shape_codes`; only typical ones are eligible.
        shape_codes: (A, S) float.
        owner: (A,) int64, row of `texture_codes` of each asset.
        texture_codes: (B, T) float.
        per_subtype: most prototypes of a subtype; fewer where its assets look alike.
    """
    names, shapes, textures, sizes = [], [], [], []
    for subtype in sorted({entry.subtype for entry in data}):
        alike = torch.tensor([i for i, entry in enumerate(data) if entry.subtype == subtype], device=owner.device)
        eligible = torch.tensor([i for i in alike.tolist() if data[i].typical], device=owner.device)
        for medoid in eligible[_medoids(shape_codes[eligible], per_subtype)].tolist():
            names.append(subtype)
            shapes.append(shape_codes[medoid])
            textures.append(texture_codes[owner[alike]].mean(dim=0))
            sizes.append(torch.as_tensor(data[medoid].size, dtype=torch.float32, device=shape_codes.device))
    kept = _distinct(names, torch.stack(shapes), torch.stack(sizes))
    part.prototype_names = tuple(names[index] for index in kept)
    part.prototype_shape, part.prototype_texture = torch.stack(shapes)[kept], torch.stack(textures)[kept]
    part.prototype_size = torch.stack(sizes)[kept]


def _distinct(names: list[str], shapes: Tensor, sizes: Tensor) -> list[int]:
    """Indices of the prototypes that don't resemble an earlier one of their own subtype: each costs time at start."""
    distance = torch.cdist(shapes, shapes)
    alike = (distance < _ALIKE_SHAPE * distance.median()) & (
        torch.cdist(sizes.log(), sizes.log(), p=torch.inf) < _ALIKE_SIZE
    )
    kept: list[int] = []
    for index, name in enumerate(names):
        if not any(names[other] == name and bool(alike[index, other]) for other in kept):
            kept.append(index)
    return kept


def _medoids(codes: Tensor, count: int) -> list[int]:
    """Rows nearest to the centres of `count` groups (k-means from mutually distant rows)."""
    chosen = [int((codes - codes.mean(dim=0)).norm(dim=1).argmin())]
    while len(chosen) < min(count, len(codes)):
        chosen.append(int(torch.cdist(codes, codes[chosen]).min(dim=1).values.argmax()))
    centres = codes[chosen]
    for _ in range(8):
        nearest = torch.cdist(codes, centres).argmin(dim=1)
        groups = [codes[nearest == k] for k in range(len(centres))]
        centres = torch.stack([g.mean(dim=0) if len(g) else centres[k] for k, g in enumerate(groups)])
    return sorted(set(torch.cdist(centres, codes).argmin(dim=1).tolist()))
