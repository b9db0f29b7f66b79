"""Fits the shape decoder of one class, together with the codes of its training assets.

It has a closed form per round. The decoder is affine, so with squared errors its best basis is
the principal component analysis of the distance grids. Errors that don't matter (a node far outside
predicted even further outside) and errors that matter less (far from the surface) enter by
majorisation: each round replaces the targets by what the last prediction is allowed to differ from,
and solves again. Every round lowers the loss; eight take half a minute where stochastic gradients needed an hour and
generalised worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.training.prior_data import DISTANCE_RANGE, AssetData, LatticeSpec

_SATURATED = DISTANCE_RANGE - 0.05
_SURFACE_BAND, _FAR_WEIGHT = 1.0, 0.5
"""Nodes further outside than the first have the second as weight: limbs and masts hold few nodes inside."""


@dataclass(frozen=True)
class FitOptions:
    """How one class is fitted.

    Attributes:
        shape_size, texture_size: code lengths.
        rounds: majorisation rounds of the shape basis.
        texture_rounds: rounds of filling gaps in the colours.
    """

    shape_size: int = 96
    texture_size: int = 24
    rounds: int = 8
    texture_rounds: int = 20


def stack_distances(data: list[AssetData]) -> Tensor:
    """(A, N) float32 distances of all assets."""
    return torch.from_numpy(np.stack([entry.distances.reshape(-1) for entry in data])).float()


def live_nodes(distances: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """(L,) nodes that come near the surface of at least one asset; outermost ones never do."""
    live = (distances.abs() < _SATURATED).any(dim=0).reshape(shape)
    return (live & ~_outermost(shape).to(live.device)).reshape(-1).nonzero().squeeze(1)


def _outermost(shape: tuple[int, int, int]) -> Tensor:
    mask = torch.ones(shape, dtype=torch.bool)
    mask[1:-1, 1:-1, 1:-1] = False
    return mask


def _counted_error(wanted: Tensor, predicted: Tensor) -> Tensor:
    """Weighted part of `wanted - predicted` that counts; see the module's head."""
    error = wanted - predicted
    error = torch.where(wanted > _SATURATED, error.clamp_min(0.0), error)
    error = torch.where(wanted < -_SATURATED, error.clamp_max(0.0), error)
    weight = torch.where(wanted < _SURFACE_BAND, 1.0, _FAR_WEIGHT)
    return error * weight


@torch.no_grad()
def fit_shape_decoder(
    distances: Tensor, spec: LatticeSpec, options: FitOptions
) -> tuple[ShapeDecoder, Tensor, list[float]]:
    """Best affine decoder of a class and the codes of its assets.

    Args:
        distances: (A, N) float32, on the device to work on.
        spec: the lattice.
        options: sizes and rounds.

    Returns:
        The decoder, (A, S) codes with mean zero and diagonal covariance, ordered by explained variance
        (1 for the first; equal code steps change distances equally), and the loss (mean absolute
        counted error, cells) after each round.
    """
    live = live_nodes(distances, spec.shape)
    resting = distances.mean(dim=0).sign() * DISTANCE_RANGE
    resting[_outermost(spec.shape).reshape(-1).to(resting.device)] = DISTANCE_RANGE
    wanted = distances[:, live]
    size = min(options.shape_size, len(wanted) - 1)
    target, losses = wanted, []
    for _ in range(max(options.rounds, 1)):
        mean = target.mean(dim=0)
        centred = target - mean
        _, vectors = torch.linalg.eigh(centred @ centred.T)
        scores = vectors[:, -size:].flip(1)
        basis = scores.T @ centred  # (S, L)
        predicted = mean + scores @ basis
        counted = _counted_error(wanted, predicted)
        losses.append(float(counted.abs().mean()))
        target = predicted + counted
    step = float(basis[0].norm()) / len(wanted) ** 0.5
    directions = basis / basis.norm(dim=1, keepdim=True).clamp_min(1e-9)
    axes = tuple(torch.from_numpy(axis).float().to(distances.device) for axis in spec.axes())
    decoder = ShapeDecoder(axes, live, resting, options.shape_size).to(distances.device)
    decoder.mean.copy_(mean)
    decoder.basis.zero_()
    decoder.basis[:, :size] = directions.T * step
    codes = distances.new_zeros((len(wanted), options.shape_size))
    codes[:, :size] = scores * basis.norm(dim=1) / step
    return decoder, codes, losses
