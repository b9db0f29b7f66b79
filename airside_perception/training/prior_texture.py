"""Trains the colour field of one class, together with the codes of its training assets, by stochastic gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from airside_perception.prior.texture_decoder import TextureDecoder
from airside_perception.training.prior_data import AssetData
from airside_perception.training.prior_fit import FitOptions


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
