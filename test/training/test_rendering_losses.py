"""Rendering of voxels along rays and its losses, against slow twins and cases worked by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from ray_scenes import GRID, as_batch, make_rays, random_rays

from airside_perception.records import GridSpec
from airside_perception.training.rendering_losses import (
    distortion,
    passing_loss,
    rendered_class_loss,
    rendering_terms,
    silog,
    voxel_opacity_density,
    voxel_segments,
)


def test_segments_tile_the_ray_and_lie_in_their_voxels():
    rays = random_rays(60, 5)
    origins = torch.from_numpy(rays.origins) / 0.5
    edges, cells = voxel_segments(origins, torch.from_numpy(rays.directions), GRID.shape)
    assert (edges.diff(dim=1) >= 0).all()
    for ray in range(60):
        for piece in range(cells.shape[1]):
            low, high = edges[ray, piece], edges[ray, piece + 1]
            if high - low < 1e-3:
                continue
            point = origins[ray] + 0.5 * (low + high) * torch.from_numpy(rays.directions)[ray]
            x, y, z = (math.floor(v) for v in point.tolist())
            assert int(cells[ray, piece]) == (x * 6 + y) * 4 + z


def test_rendering_by_hand():
    """One ray through two voxels of opacity 1/2 each, along x: ends in the first with 1/2, in the second with 1/4."""
    grid = GridSpec((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), (2, 1, 1))
    logits = torch.zeros(1, 7, 1, 2, 1)
    logits[0, 1 + 2, 0, 0, 0] = 50.0  # the first voxel is class 3, the second class 1
    logits[0, 1 + 0, 0, 1, 0] = 50.0
    rays = make_rays([0.0, 1.0, 1.0], [[1, 0, 0]], [1.5], [3], cosine=[0.8])
    terms = rendering_terms(logits, as_batch(rays), grid)
    # Expected distance: 1/2 at 1 m, 1/4 at 3 m, 1/4 passes and counts at 4 m; times the cosine it is a depth.
    error = math.log((0.5 * 1 + 0.25 * 3 + 0.25 * 4) / 1.5)
    assert float(terms["render_depth"]) == pytest.approx(math.sqrt(0.15) * abs(error), rel=1e-4)
    assert float(terms["render_class"]) == pytest.approx(-math.log(0.5), rel=1e-4)
    assert float(terms["render_pass"]) == pytest.approx(-math.log(1 - 0.25), rel=1e-4)


def test_density_makes_the_exported_probability():
    logits = torch.linspace(-6, 6, 25)
    opacity = 1 - torch.exp(-voxel_opacity_density(logits, 0.8) * 0.8)
    assert torch.allclose(opacity, torch.sigmoid(logits), atol=1e-6)


def test_rendering_equals_a_slow_march():
    """Exact pieces against 4,000 small steps through the same voxels."""
    torch.manual_seed(0)
    logits = torch.randn(1, 7, 4, 8, 6)
    random = np.random.default_rng(1)
    origins = random.uniform([0.1, 0.1, 0.1], [3.9, 2.9, 1.9], (6, 3))
    rays = make_rays(origins[:1], random.normal(size=(1, 3)), [0.2], [2])
    for index in range(6):
        rays = make_rays(origins[index], random.normal(size=(1, 3)), [0.05], [2])
        steps = np.arange(4000) * 0.002 + 0.001
        cells = np.floor((rays.origins + steps[:, None] * rays.directions) / 0.5).astype(int)
        inside = ((cells >= 0) & (cells < GRID.shape)).all(axis=1)
        x, y, z = cells[inside].T
        density = torch.nn.functional.softplus(logits[0, 0, z, x, y]) / 0.5
        alpha = 1 - torch.exp(-density * 0.002)
        clear = torch.cumprod(torch.cat([torch.ones(1), 1 - alpha]), 0)
        weight = alpha * clear[:-1]
        classes = logits[0, 1:][:, z, x, y].softmax(0)
        probability = float((weight * classes[1]).sum())
        terms = rendering_terms(logits, as_batch(rays), GRID, class_balance=False)
        assert float(terms["render_class"]) == pytest.approx(-math.log(probability), rel=0.02)
        assert float(terms["render_pass"]) == pytest.approx(-math.log(1 - float(clear[-1])), rel=0.02, abs=1e-3)


def test_gradients_of_rendering_match_finite_differences():
    torch.manual_seed(1)
    logits = torch.randn(1, 7, 4, 8, 6, dtype=torch.float64, requires_grad=True)
    base = as_batch(random_rays(12, 3))
    rays = replace(base, **{n: getattr(base, n).double() for n in ("origins", "directions", "distance", "cosine")})

    def loss(values):
        return sum(rendering_terms(values, rays, GRID).values())

    loss(logits).backward()
    random = torch.Generator().manual_seed(2)
    chosen = logits.grad.abs().reshape(-1).topk(8).indices
    for index in chosen[torch.randperm(8, generator=random)[:4]]:
        step = torch.zeros(logits.numel(), dtype=torch.float64)
        step[index] = 1e-5
        step = step.reshape(logits.shape)
        numeric = (loss(logits.detach() + step) - loss(logits.detach() - step)) / 2e-5
        assert float(logits.grad.reshape(-1)[index]) == pytest.approx(float(numeric), rel=1e-4)


def test_silog_forgives_a_common_scale_mostly():
    measured = torch.tensor([2.0, 5.0, 11.0])
    assert float(silog(measured, measured)) == pytest.approx(1e-4, abs=1e-4)
    assert float(silog(2 * measured, measured)) == pytest.approx(math.sqrt(0.15) * math.log(2), rel=1e-4)


def test_class_loss_weights_the_rare():
    probability = torch.full((4, 6), 0.1)
    label = torch.tensor([1, 1, 1, 4])
    probability[3, 3] = 0.5
    plain = rendered_class_loss(probability, label, class_balance=False)
    assert float(plain) == pytest.approx(-(3 * math.log(0.1) + math.log(0.5)) / 4, rel=1e-5)
    common, rare = 1 / math.log(1.02 + 0.75), 1 / math.log(1.02 + 0.25)
    expected = -(3 * common * math.log(0.1) + rare * math.log(0.5)) / (3 * common + rare)
    assert float(rendered_class_loss(probability, label, class_balance=True)) == pytest.approx(expected, rel=1e-5)
    assert float(rendered_class_loss(probability, torch.zeros(4, dtype=torch.long), True)) == 0.0


def test_passing_asks_for_what_the_label_says():
    clear = torch.tensor([0.25, 0.25])
    ends, passes = torch.tensor([True, False]), torch.tensor([False, True])
    assert float(passing_loss(clear, ends, passes)) == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)


def test_distortion_equals_the_double_sum():
    random = np.random.default_rng(0)
    weights = torch.from_numpy(random.dirichlet(np.ones(9), 3))
    edges = torch.from_numpy(np.sort(random.uniform(0, 5, (3, 10)), axis=1))
    middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
    double = (weights[:, :, None] * weights[:, None] * (middles[:, :, None] - middles[:, None]).abs()).sum((1, 2))
    expected = double + (weights**2 * edges.diff(dim=1)).sum(1) / 3
    assert torch.allclose(distortion(weights, edges), expected)
