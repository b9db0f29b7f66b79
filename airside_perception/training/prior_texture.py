"""Fits the colour field of one class, together with the codes of its training assets.

Like the shape's (see `prior_fit`), the best affine field is a principal component analysis, here of the colours that
assets show at the nodes of a grid. A node that an asset doesn't show takes what the other assets make likely:
each round fills the gaps with the last prediction and solves again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from airside_perception.prior.texture_decoder import TextureDecoder
from airside_perception.training.prior_data import AssetData

_FULLY_SEEN = 1.0
"""Summed trilinear weight of an asset's points at a node from which its colour there counts in full."""
_SILENT = 1e-6
"""Share of the largest variance below which a code entry explains nothing."""


@dataclass(frozen=True)
class TextureGrid:
    """Nodes per axis and half extents of a class's colours, box-normalised."""

    shape: tuple[int, int, int]
    reach: tuple[float, float, float]


TEXTURE_GRIDS = {
    "aircraft": TextureGrid((32, 20, 20), (0.5, 0.5, 0.5)),
    "gse": TextureGrid((24, 12, 18), (0.5, 0.5, 0.5)),
    # A stride reaches three times as far as the standing body that gives the box.
    "person": TextureGrid((25, 12, 28), (1.5, 0.5, 0.5)),
}


@torch.no_grad()
def fit_texture_decoder(
    data: list[AssetData], grid: TextureGrid, code_size: int, rounds: int, device: str = "cpu"
) -> tuple[TextureDecoder, Tensor, list[float]]:
    """Best affine colour field of a class and the codes of its assets.

    Args:
        data: training assets; variants of one asset share a code.
        grid: where colours live.
        code_size: length T of a code; entries that the assets don't fill stay silent.
        rounds: of filling gaps.
        device: to work on.

    Returns:
        The decoder, (B, T) codes of mean zero and unit covariance in the order of the sorted names, and the loss (root
        mean squared colour error at nodes that assets show) after each round.
    """
    names = sorted({entry.name for entry in data})
    every_node = torch.arange(int(np.prod(grid.shape)))
    colors, weights = _splatted(data, names, TextureDecoder(grid.shape, grid.reach, every_node, 1))
    live = (weights.sum(dim=0) > 0).nonzero().squeeze(1)
    wanted, weight = colors[:, live].to(device), weights[:, live].to(device)
    mean = (wanted * weight[..., None]).sum(dim=0) / weight.sum(dim=0)[:, None]
    wanted = wanted.flatten(1)
    weight = (weight / _FULLY_SEEN).clamp_max(1.0).repeat_interleave(3, dim=1)
    predicted = mean.flatten()[None].expand_as(wanted)
    size, losses = min(code_size, len(names) - 1), []
    for _ in range(max(rounds, 1)):
        target = predicted + weight * (wanted - predicted)
        mean = target.mean(dim=0)
        centred = target - mean
        values, vectors = torch.linalg.eigh(centred @ centred.T)
        filled = values[-size:].flip(0) > _SILENT * values[-1]
        scores = vectors[:, -size:].flip(1) * filled
        predicted = mean + scores @ (scores.T @ centred)
        losses.append(float((weight * (wanted - predicted)).square().sum().div(weight.square().sum()).sqrt()))
    codes = torch.zeros(len(names), code_size, device=device)
    codes[:, :size] = scores * len(names) ** 0.5
    decoder = TextureDecoder(grid.shape, grid.reach, live, code_size).to(device)
    decoder.mean.copy_(mean.reshape(-1, 3))
    basis = torch.zeros(len(mean), code_size, device=device)
    basis[:, :size] = (scores.T @ centred).T / len(names) ** 0.5
    decoder.basis.copy_(basis.reshape(len(live), -1))
    return decoder, codes, losses


def _splatted(data: list[AssetData], names: list[str], field: TextureDecoder) -> tuple[Tensor, Tensor]:
    """Mean colour (B, nodes, 3) of each named asset's points around each node, and their summed weights (B, nodes)."""
    nodes = len(field.row_of_node)
    colors, weights = torch.zeros(len(names), nodes, 3), torch.zeros(len(names), nodes)
    for entry in data:
        rows, share = field.neighbours(torch.from_numpy(entry.points))
        index = names.index(entry.name)
        weights[index].index_add_(0, rows.reshape(-1), share.reshape(-1))
        seen = torch.from_numpy(entry.colors)[:, None] * share[..., None]
        colors[index].index_add_(0, rows.reshape(-1), seen.reshape(-1, 3))
    return colors / weights.clamp_min(1e-6)[..., None], weights
