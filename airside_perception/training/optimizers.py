"""What turns gradients into steps: AdamW, or orthogonal momentum for kernels and AdamW for the rest.

Gradients of convolutions are dominated by few directions, and AdamW evens out entries, not directions. Muon (Jordan et
al. 2024, "Muon: an optimizer for hidden layers in neural networks") steps along the orthogonal matrix nearest to the
momentum, so that all directions of a kernel learn at one pace; scaled after Liu et al. 2025 ("Muon is scalable for LLM
training"), it takes AdamW's learning rates and decay.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from airside_perception.errors import AirsideError

OPTIMIZERS = ("muon", "adamw")

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic whose iteration draws singular values towards one, fast rather than exactly."""

_ROUNDS = 5

_STEP = 0.2
"""Root mean square of an update's entries at learning rate one: about that of AdamW."""

_SMALLEST_SIDE = 8
"""Kernels with fewer rows or columns have too few directions to even out."""

_MOMENTUM = 0.95


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """(..., R, C) float32 -> the same singular vectors with singular values of about one (0.7 to 1.2)."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonal updates, for weights of two and more dimensions.

    Kernels of convolutions (out, in, height, width) count as matrices (out, in x height x width).

    Args:
        parameters: the weights.
        lr: learning rate.
        weight_decay: decoupled, as of AdamW.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[torch.Tensor]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    alike.setdefault(weight.flatten(1).shape, []).append(weight)
            # Kernels of one size together: many small products cost more than a few large ones.
            for shape, weights in alike.items():
                updates = orthogonalised(torch.stack([self._ahead(weight).flatten(1) for weight in weights]))
                for weight, update in zip(weights, updates, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(update.reshape(weight.shape), alpha=-group["lr"] * _STEP * max(shape) ** 0.5)

    def _ahead(self, weight: torch.Tensor) -> torch.Tensor:
        """The gradient with momentum, looked ahead (Nesterov)."""
        assert weight.grad is not None
        momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
        momentum.lerp_(weight.grad, 1 - _MOMENTUM)
        return weight.grad.lerp(momentum, _MOMENTUM)


class NetworkOptimizer:
    """All weights of a training run and what moves them.

    Args:
        weights: the network's and the loss's parameters.
        kind: one of OPTIMIZERS.
        learning_rate: at first.
        weight_decay: of weights with more than one dimension.

    Raises:
        AirsideError: an unknown kind.
    """

    def __init__(self, weights: Iterable[nn.Parameter], kind: str, learning_rate: float, weight_decay: float) -> None:
        if kind not in OPTIMIZERS:
            raise AirsideError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got '{kind}'")
        weights = list(weights)
        even = [w for w in weights if kind == "muon" and _is_mixing_kernel(w)]
        chosen = {id(w) for w in even}
        rest = [w for w in weights if id(w) not in chosen]
        groups = [
            {"params": [w for w in rest if w.ndim > 1], "weight_decay": weight_decay},
            {"params": [w for w in rest if w.ndim <= 1], "weight_decay": 0.0},
        ]
        parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98))]
        if even:
            parts.append(Muon(even, learning_rate, weight_decay))
        self._parts = parts

    def step(self, learning_rate: float) -> None:
        """Move all weights along their gradients."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = learning_rate
            part.step()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """What `load_state_dict` takes to go on from here."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Go on from a `state_dict`.

        Raises:
            AirsideError: it is of another kind of optimizer.
        """
        if not isinstance(state, list) or len(state) != len(self._parts):
            raise AirsideError(
                "the checkpoint was made with another optimizer; pass --optimizer or start with --initial"
            )
        for part, own in zip(self._parts, state, strict=True):
            part.load_state_dict(own)


def _is_mixing_kernel(weight: torch.Tensor) -> bool:
    """True for a convolution's kernel that mixes channels; classifiers and depthwise kernels are no such matrices."""
    return weight.ndim == 4 and weight.shape[1] > 1 and min(weight.shape[0], weight[0].numel()) >= _SMALLEST_SIDE
