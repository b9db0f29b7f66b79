"""Orthogonal momentum: what its steps look like, and that runs with it learn and go on where they stopped."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from airside_perception.errors import AirsideError
from airside_perception.training.optimizers import NetworkOptimizer, orthogonalised


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8)])
def test_all_directions_get_steps_of_about_one_length(shape):
    torch.manual_seed(0)
    # Singular values over two decades, as gradients have them.
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -2, shape[1]))
    values = torch.linalg.svdvals(orthogonalised(matrix))
    assert values.max() < 1.3
    assert values[: min(shape) // 2].min() > 0.6


def test_singular_vectors_stay():
    torch.manual_seed(1)
    matrix = torch.randn(12, 30)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.trace(u.T @ orthogonalised(matrix) @ v.T) / 12 == pytest.approx(1.0, abs=0.2)


def network() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 3, padding=1))


def learn(net: nn.Module, optimizer: NetworkOptimizer, steps: int) -> list[float]:
    torch.manual_seed(3)
    images, wanted = torch.randn(4, 3, 12, 12), torch.randn(4, 8, 12, 12)
    losses = []
    for _ in range(steps):
        loss = (net(images) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(0.02)
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_both_kinds_learn(kind):
    net = network()
    losses = learn(net, NetworkOptimizer(net.parameters(), kind, 0.02, 0.0), 60)
    assert losses[-1] < 0.85 * losses[0]


def test_a_run_goes_on_where_it_stopped():
    whole, first = network(), network()
    learn(whole, NetworkOptimizer(whole.parameters(), "muon", 0.02, 0.01), 8)
    before = NetworkOptimizer(first.parameters(), "muon", 0.02, 0.01)
    learn(first, before, 4)
    second = network()
    second.load_state_dict(first.state_dict())
    after = NetworkOptimizer(second.parameters(), "muon", 0.02, 0.01)
    after.load_state_dict(before.state_dict())
    learn(second, after, 4)
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_states_of_another_kind_and_unknown_kinds_are_refused():
    net = network()
    adam = NetworkOptimizer(net.parameters(), "adamw", 0.02, 0.0)
    with pytest.raises(AirsideError, match="another optimizer"):
        NetworkOptimizer(net.parameters(), "muon", 0.02, 0.0).load_state_dict(adam.state_dict())
    with pytest.raises(AirsideError, match="expected one of muon, adamw, got 'sgd'"):
        NetworkOptimizer(net.parameters(), "sgd", 0.02, 0.0)


def test_only_kernels_that_mix_channels_are_orthogonalised():
    net = nn.ModuleList([nn.Conv2d(16, 16, 3), nn.Conv2d(16, 16, 3, groups=16), nn.Linear(16, 16), nn.Conv2d(16, 2, 1)])
    adam, muon = NetworkOptimizer(net.parameters(), "muon", 0.02, 0.0).state_dict()
    assert sum(len(group["params"]) for group in muon["param_groups"]) == 1
    assert sum(len(group["params"]) for group in adam["param_groups"]) == 7
