"""Auto-decoder training of one class: codes of the training assets and decoders, together.

Shape starts from a principal component analysis of the distance grids, which is what the decoder
would be without its hidden layer, and goes on from there by stochastic gradients with a loss that
forgives everything beyond the truncation.
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


@dataclass(frozen=True)
class FitOptions:
    """How one class is fitted.

    Attributes:
        shape_size, texture_size: code lengths.
        features: basis vectors K of the distance decoder.
        hidden: hidden units of the code networks.
        batch: assets per step.
        shape_rate, texture_rate: Adam learning rates at the start; both fall to a twentieth by a cosine.
        code_penalty: weight of the squared code length.
        code_noise: standard deviation added to codes while training, so that the code space is smooth.
    """

    shape_size: int = 24
    texture_size: int = 16
    features: int = 64
    hidden: int = 96
    batch: int = 48
    shape_rate: float = 4e-3
    texture_rate: float = 4e-3
    code_penalty: float = 1e-4
    code_noise: float = 0.05


def stack_distances(data: list[AssetData]) -> Tensor:
    """(A, N) float32 distances of all assets."""
    return torch.from_numpy(np.stack([entry.distances.reshape(-1) for entry in data])).float()


def live_nodes(distances: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """(L,) nodes that come near the surface of at least one asset; outermost ones never do."""
    live = (distances.abs() < _SATURATED).any(dim=0).reshape(shape)
    outermost = torch.ones(shape, dtype=torch.bool)
    outermost[1:-1, 1:-1, 1:-1] = False
    return (live & ~outermost).reshape(-1).nonzero().squeeze(1)


def build_shape_decoder(distances: Tensor, spec: LatticeSpec, options: FitOptions) -> tuple[ShapeDecoder, Tensor]:
    """A decoder whose linear part is the principal component analysis of the assets, and its codes.

    Args:
        distances: (A, N) float32.
        spec: the lattice.
        options: sizes.

    Returns:
        The decoder and (A, S) codes with unit variance.
    """
    axes = tuple(torch.from_numpy(axis).float() for axis in spec.axes())
    live = live_nodes(distances, spec.shape)
    resting = distances.mean(dim=0).sign() * DISTANCE_RANGE
    outermost = torch.ones(spec.shape, dtype=torch.bool)
    outermost[1:-1, 1:-1, 1:-1] = False
    resting[outermost.reshape(-1)] = DISTANCE_RANGE
    decoder = ShapeDecoder(axes, live, resting, (options.shape_size, options.hidden, options.features))
    samples = distances[:, live]
    mean = samples.mean(dim=0)
    centred = samples - mean
    values, vectors = torch.linalg.eigh(centred @ centred.T / len(centred))
    order = values.argsort(descending=True)[: options.features]
    count = len(order)
    spread = values[order].clamp_min(1e-8).sqrt()
    scores = vectors[:, order] * len(centred) ** 0.5  # unit variance
    with torch.no_grad():
        decoder.mean.copy_(mean)
        decoder.basis.mul_(0.02)
        decoder.basis[:, :count] = centred.T @ (scores / len(centred)) / spread
        decoder.linear.zero_()
        size = min(options.shape_size, count)
        # Features carry the components' amplitudes and columns of the basis have comparable lengths.
        decoder.linear[:size, :size] = torch.diag(spread[:size])
        decoder.output_weight.mul_(0.1)
    codes = torch.zeros(len(distances), options.shape_size)
    codes[:, :size] = scores[:, :size]
    return decoder, codes


def distance_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error near the surface weighted up; beyond the truncation only the side counts."""
    error = predicted - wanted
    error = torch.where(wanted > _SATURATED, error.clamp_max(0.0), error)
    error = torch.where(wanted < -_SATURATED, error.clamp_min(0.0), error)
    weight = 1.0 + 3.0 * (wanted.abs() < 1.0)
    return (weight * error.abs()).mean()


class _Trainer:
    """Shared clockwork: batches, schedule, state for resuming."""

    def __init__(self, parameters: list[Any], codes: Tensor, rate: float, options: FitOptions, seed: int) -> None:
        self.codes = torch.nn.Parameter(codes)
        self.options, self.rate, self.step_number = options, rate, 0
        self.losses: list[float] = []
        groups = [{"params": parameters, "scale": 1.0}, {"params": [self.codes], "scale": 4.0}]
        self.optimizer = torch.optim.Adam(groups, lr=rate, betas=(0.9, 0.98))
        self.generator = torch.Generator().manual_seed(seed)

    def _begin(self, progress: float) -> tuple[Tensor, Tensor]:
        """Set the learning rate for `progress` in 0..1; draw assets (B,) and their noisy codes (B, C)."""
        fall = 0.05 + 0.95 * 0.5 * (1.0 + float(np.cos(np.pi * min(progress, 1.0))))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * fall * group["scale"]
        count = len(self.codes)
        chosen = torch.randperm(count, generator=self.generator)[: self.options.batch].to(self.codes.device)
        noise = torch.randn(len(chosen), self.codes.shape[1], generator=self.generator).to(self.codes.device)
        return chosen, self.codes[chosen] + self.options.code_noise * noise

    def _finish(self, loss: Tensor, codes: Tensor) -> float:
        total = loss + self.options.code_penalty * codes.square().sum(dim=1).mean()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        self.step_number += 1
        self.losses.append(float(loss.detach()))
        return self.losses[-1]

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""
        return {
            "codes": self.codes.detach(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step_number,
            "losses": self.losses,
            "generator": self.generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        with torch.no_grad():
            self.codes.copy_(state["codes"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step_number, self.losses = state["step"], list(state["losses"])
        self.generator.set_state(state["generator"].cpu())


class ShapeTrainer(_Trainer):
    """Fits a `ShapeDecoder` and one code per asset to distance grids."""

    def __init__(self, decoder: ShapeDecoder, codes: Tensor, distances: Tensor, options: FitOptions, seed: int) -> None:
        super().__init__(list(decoder.parameters()), codes, options.shape_rate, options, seed)
        self.decoder = decoder
        self.targets = distances[:, decoder.live.to(distances.device)].to(codes.device)

    def step(self, progress: float) -> float:
        """One gradient step on a random half of the nodes; returns the loss."""
        chosen, codes = self._begin(progress)
        nodes = torch.randint(self.targets.shape[1], (self.targets.shape[1] // 2,), generator=self.generator)
        nodes = nodes.to(self.codes.device)
        decoder = self.decoder
        predicted = decoder.mean[nodes] + decoder.features(codes) @ decoder.basis[nodes].T
        return self._finish(distance_loss(predicted, self.targets[chosen][:, nodes]), self.codes[chosen])


class TextureTrainer(_Trainer):
    """Fits a `TextureDecoder` and one code per asset to coloured surface points."""

    POINTS = 192

    def __init__(self, decoder: TextureDecoder, codes: Tensor, data: list[AssetData], options: FitOptions, seed: int):
        super().__init__(list(decoder.parameters()), codes, options.texture_rate, options, seed)
        self.decoder = decoder
        self.points = torch.from_numpy(np.stack([entry.points for entry in data])).to(codes.device)
        self.colors = torch.from_numpy(np.stack([entry.colors for entry in data])).to(codes.device)

    def step(self, progress: float) -> float:
        """One gradient step; returns the loss."""
        chosen, codes = self._begin(progress)
        picks = torch.randint(self.points.shape[1], (len(chosen), self.POINTS), generator=self.generator)
        picks = picks.to(self.codes.device)
        predicted = self.decoder(self.points[chosen[:, None], picks], codes)
        error = predicted - self.colors[chosen[:, None], picks]
        return self._finish(error.abs().mean() + 2.0 * error.square().mean(), self.codes[chosen])


def whiten(decoder: ShapeDecoder | TextureDecoder, codes: Tensor) -> Tensor:
    """Re-express codes so that the assets have mean zero and unit covariance; the decoder is unchanged in effect.

    Distances between codes then mean the same in every direction, which association relies on, and
    Gauss-Newton steps are well scaled.

    Args:
        decoder: changed in place.
        codes: (A, C) float, of the training assets.

    Returns:
        (A, C) whitened codes.
    """
    codes = codes.detach()
    mean = codes.mean(dim=0)
    covariance = (codes - mean).T @ (codes - mean) / len(codes) + 1e-4 * torch.eye(codes.shape[1], device=codes.device)
    factor = torch.linalg.cholesky(covariance)  # code = mean + factor @ white
    with torch.no_grad():
        decoder.hidden_bias += decoder.hidden_weight @ mean
        decoder.hidden_weight.copy_(decoder.hidden_weight @ factor)
        shift = decoder.linear @ mean
        if isinstance(decoder, ShapeDecoder):
            decoder.mean += decoder.basis @ shift
        else:
            _shift_texture_bias(decoder, shift)
        decoder.linear.copy_(decoder.linear @ factor)
    return torch.linalg.solve_triangular(factor, (codes - mean).T, upper=False).T


def _shift_texture_bias(decoder: TextureDecoder, shift: Tensor) -> None:
    """Fold a constant change of the code features into the position network's bias channels."""
    last = decoder.position_network[-1]
    rows = last.out_features // 3
    weight, bias = last.weight.view(3, rows, -1), last.bias.view(3, rows)
    weight[:, -1] += torch.einsum("k,ckh->ch", shift, weight[:, :-1])
    bias[:, -1] += bias[:, :-1] @ shift


def set_code_statistics(part: ClassPrior, shape_codes: Tensor, texture_codes: Tensor) -> None:
    """Store mean and covariance of the training codes in `part`."""
    for name, codes in (("shape", shape_codes), ("texture", texture_codes)):
        mean = codes.mean(dim=0)
        covariance = (codes - mean).T @ (codes - mean) / max(len(codes) - 1, 1)
        getattr(part, f"{name}_mean").copy_(mean)
        getattr(part, f"{name}_covariance").copy_(covariance + 1e-4 * torch.eye(len(mean), device=mean.device))
