"""Volume rendering against sums done by hand, limits, and automatic gradient checks."""

from __future__ import annotations

import math

import pytest
import torch

from airside_perception.rendering import ray_weights, render_rays


def test_weights_by_hand():
    density = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    weights, rest = ray_weights(density, torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64))
    half = math.exp(-0.5)
    assert weights.tolist() == pytest.approx([0.0, 1 - half, half * (1 - half)])
    assert rest.item() == pytest.approx(half * half)


def test_weights_and_transmittance_sum_to_one():
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(50, 40, generator=generator, dtype=torch.float64) * 3
    weights, rest = ray_weights(density, torch.rand(50, 40, generator=generator, dtype=torch.float64))
    torch.testing.assert_close(weights.sum(-1) + rest, torch.ones(50, dtype=torch.float64))
    assert (weights >= 0).all()


def test_a_wall_ends_the_ray_at_its_depth_with_its_class():
    edges = torch.linspace(0, 10, 101)
    density = torch.zeros(100)
    density[60:] = 1e4
    classes = torch.zeros(100, 3)
    classes[:60, 0] = 1
    classes[60:, 2] = 1
    seen = render_rays(density, classes, edges, cosine=torch.tensor(0.8))
    assert seen.depth.item() == pytest.approx(0.8 * 6.05, abs=1e-5)
    assert seen.features.tolist() == pytest.approx([0, 0, 1], abs=1e-6)
    assert seen.transmittance.item() == 0


def test_a_constant_fog_has_the_exponential_mean_depth():
    edges = torch.linspace(0, 60, 6001, dtype=torch.float64)
    seen = render_rays(torch.full((6000,), 0.5, dtype=torch.float64), torch.ones(6000, 1, dtype=torch.float64), edges)
    assert seen.depth.item() == pytest.approx(2.0, rel=1e-4)


def test_gradients():
    generator = torch.Generator().manual_seed(1)
    density = torch.rand(4, 6, generator=generator, dtype=torch.float64).requires_grad_()
    features = torch.rand(4, 6, 2, generator=generator, dtype=torch.float64).requires_grad_()
    edges = torch.cumsum(torch.rand(4, 7, generator=generator, dtype=torch.float64), dim=-1)
    assert torch.autograd.gradcheck(lambda d, f: tuple(render_rays(d, f, edges)), (density, features))


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="expected 6 edges and 5 samples, got 5 and 5"):
        render_rays(torch.zeros(5), torch.zeros(5, 2), torch.zeros(5))
