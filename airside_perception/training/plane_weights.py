"""Weights of a network whose lifting planes lie at other heights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.occupancy.network_spec import NetworkSpec


def moved_to_planes(weights: Mapping[str, Tensor], theirs: NetworkSpec, network: OccupancyNetwork) -> dict[str, Tensor]:
    """Weights that read each plane of `network` as the plane of that height was read; new planes count for nothing yet.

    A network that only gets further planes answers as before, and learns what the new ones are worth. Kernels that
    differ in more than the number of planes stay as they are.

    Args:
        weights: tensors by name, of a network of the spec `theirs`.
        theirs: where their planes lie.
        network: where the planes of the result lie; its kernels say the widths.
    """
    ours = network.spec
    moved = dict(weights)
    if theirs.lift_heights == ours.lift_heights or theirs.lift_channels != ours.lift_channels:
        return moved
    state = network.state_dict()
    for name, each in (
        ("decoder.enter.0.0.weight", ours.lift_channels + 2),
        ("decoder.votes.weight", len(ours.object_classes)),
    ):
        further = (len(ours.lift_heights) - len(theirs.lift_heights)) * each
        kernel, like = weights.get(name), state[name]
        if kernel is not None and like.shape == (kernel.shape[0], kernel.shape[1] + further, *kernel.shape[2:]):
            moved[name] = _by_height(kernel, like, each, theirs.lift_heights, ours.lift_heights)
    return moved


def _by_height(kernel: Tensor, like: Tensor, each: int, theirs: tuple[float, ...], ours: tuple[float, ...]) -> Tensor:
    """Kernel (outputs, planes * each + rest, ...) -> the same for other planes; `like` has the wanted shape."""
    answer = torch.zeros_like(like)
    answer[:, len(ours) * each :] = kernel[:, len(theirs) * each :]
    for plane, height in enumerate(ours):
        if height in theirs:
            old = theirs.index(height)
            answer[:, plane * each : (plane + 1) * each] = kernel[:, old * each : (old + 1) * each]
    return answer
