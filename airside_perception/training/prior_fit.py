"""Auto-decoder training of one class: decoders together with the codes of the training assets.

Shape has a closed form per round. The decoder is affine, so with squared errors its best basis is
the principal component analysis of the distance grids. Errors that don't matter (a node far outside
predicted even further outside) and errors that matter less (far from the surface) enter by
majorisation: each round replaces the targets by what the last prediction is allowed to differ from,
and solves again. Every round lowers the loss; twenty take a minute where stochastic gradients
needed an hour and generalised worse.

Texture is a small network and is trained by stochastic gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from airside_perception.prior.object_prior import ClassPrior
from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.prior.texture_decoder import TextureDecoder
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
        batch, points: assets and points of each per texture step.
        texture_rate: Adam's learning rate at the start; falls to a twentieth by a cosine.
        code_penalty: weight of the squared texture code length.
        code_noise: standard deviation added to texture codes while training, so that their space is smooth.
        bfloat16: run the colour field in bfloat16 while training: twice as fast on CPUs with AMX and on CUDA.
    """

    shape_size: int = 48
    texture_size: int = 16
    rounds: int = 8
    batch: int = 48
    points: int = 192
    texture_rate: float = 4e-3
    code_penalty: float = 1e-4
    code_noise: float = 0.05
    bfloat16: bool = False


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


class TextureTrainer:
    """Fits a `TextureDecoder` and one code per asset to coloured surface points."""

    def __init__(self, decoder: TextureDecoder, data: list[AssetData], options: FitOptions, seed: int) -> None:
        """Prepare training.

        Args:
            decoder: trained in place; its device is the device to work on.
            data: training assets; variants of one asset share a code.
            options: rates and sizes.
            seed: of batches and noise.
        """
        device = decoder.linear.device
        names = sorted({entry.name for entry in data})
        self.owner = torch.tensor([names.index(entry.name) for entry in data], device=device)
        self.points = torch.from_numpy(np.stack([entry.points for entry in data])).to(device)
        self.colors = torch.from_numpy(np.stack([entry.colors for entry in data])).to(device)
        self.decoder, self.options = decoder, options
        self.codes = torch.nn.Parameter(torch.zeros(len(names), decoder.code_size, device=device))
        groups = [{"params": list(decoder.parameters()), "scale": 1.0}, {"params": [self.codes], "scale": 4.0}]
        self.optimizer = torch.optim.Adam(groups, lr=options.texture_rate, betas=(0.9, 0.98))
        self.generator = torch.Generator().manual_seed(seed)
        self.losses: list[float] = []

    def step(self, progress: float) -> float:
        """One gradient step.

        Args:
            progress: 0..1, place on the learning rate's cosine.

        Returns:
            The loss: mean absolute plus twice the mean squared colour error.
        """
        fall = 0.05 + 0.95 * 0.5 * (1.0 + float(np.cos(np.pi * min(progress, 1.0))))
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.texture_rate * fall * group["scale"]
        device = self.codes.device
        chosen = torch.randperm(len(self.owner), generator=self.generator)[: self.options.batch].to(device)
        picks = torch.randint(self.points.shape[1], (len(chosen), self.options.points), generator=self.generator)
        picks = picks.to(device)
        codes = self.codes[self.owner[chosen]]
        noise = torch.randn(codes.shape, generator=self.generator).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.options.bfloat16):
            predicted = self.decoder(self.points[chosen[:, None], picks], codes + self.options.code_noise * noise)
        error = predicted.float() - self.colors[chosen[:, None], picks]
        loss = error.abs().mean() + 2.0 * error.square().mean()
        total = loss + self.options.code_penalty * codes.square().sum(dim=1).mean()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        self.losses.append(float(loss.detach()))
        return self.losses[-1]

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""
        return {
            "decoder": self.decoder.state_dict(),
            "codes": self.codes.detach().clone(),
            "optimizer": self.optimizer.state_dict(),
            "losses": list(self.losses),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.decoder.load_state_dict(state["decoder"])
        with torch.no_grad():
            self.codes.copy_(state["codes"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.losses = list(state["losses"])
        self.generator.set_state(state["generator"].cpu())


@torch.no_grad()
def whiten_texture(decoder: TextureDecoder, codes: Tensor) -> Tensor:
    """Re-express texture codes so that the assets have mean zero and unit covariance.

    Distances between codes then mean the same in every direction, which association relies on, and
    Gauss-Newton steps are well scaled. Decoded colours stay as they were.

    Args:
        decoder: changed in place.
        codes: (A, T) float, of the training assets.

    Returns:
        (A, T) whitened codes.
    """
    mean = codes.mean(dim=0)
    jitter = 1e-4 * torch.eye(codes.shape[1], device=codes.device)
    covariance = (codes - mean).T @ (codes - mean) / len(codes) + jitter
    factor = torch.linalg.cholesky(covariance)  # code = mean + factor @ white
    decoder.hidden_bias.add_(decoder.hidden_weight @ mean)
    decoder.hidden_weight.copy_(decoder.hidden_weight @ factor)
    shift = decoder.linear @ mean
    decoder.linear.copy_(decoder.linear @ factor)
    # A constant change of the code features belongs into the position network's bias channels.
    last = decoder.position_network[-1]
    assert isinstance(last, torch.nn.Linear)
    rows = last.out_features // 3
    weight, bias = last.weight.view(3, rows, -1), last.bias.view(3, rows)
    weight[:, -1] += torch.einsum("k,ckh->ch", shift, weight[:, :-1])
    bias[:, -1] += bias[:, :-1] @ shift
    return torch.linalg.solve_triangular(factor, (codes - mean).T, upper=False).T


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
        data: training assets in the order of `shape_codes`; augmented ones are not eligible.
        shape_codes: (A, S) float.
        owner: (A,) int64, row of `texture_codes` of each asset.
        texture_codes: (B, T) float.
        per_subtype: prototypes per subtype, fewer where it has fewer assets.
    """
    names, shapes, textures, sizes = [], [], [], []
    for subtype in sorted({entry.subtype for entry in data}):
        rows = [i for i, entry in enumerate(data) if entry.subtype == subtype and not entry.augmented]
        members = torch.tensor(rows, device=shape_codes.device)
        for medoid in members[_medoids(shape_codes[members], per_subtype)].tolist():
            names.append(subtype)
            shapes.append(shape_codes[medoid])
            textures.append(texture_codes[owner[members]].mean(dim=0))
            sizes.append(torch.as_tensor(data[medoid].size, dtype=torch.float32, device=shape_codes.device))
    part.prototype_names = tuple(names)
    part.prototype_shape, part.prototype_texture = torch.stack(shapes), torch.stack(textures)
    part.prototype_size = torch.stack(sizes)


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
