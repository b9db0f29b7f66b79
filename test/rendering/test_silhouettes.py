"""Silhouette antialiasing against its twin, against true coverage, and by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rendering_scenes import clip_positions, random_triangles, sphere

from airside_perception.rendering import antialias, edge_neighbours, interpolate, rasterize
from airside_perception.rendering.reference import antialias_reference

RESOLUTION = (31, 41)


def render(positions, triangles, colors, resolution=RESOLUTION):
    raster = rasterize(positions, triangles, resolution)
    return antialias(interpolate(colors, raster, triangles), raster, positions, triangles)


@pytest.mark.parametrize("segments", [3, 8, 16], ids=["coarse", "medium", "triangles_smaller_than_pixels"])
def test_a_sphere_agrees_with_the_reference(segments):
    vertices, triangles = sphere(segments)
    positions = clip_positions(vertices + torch.tensor([0.13, -0.21, 3.3]))[None]
    raster = rasterize(positions, triangles, RESOLUTION)
    color = torch.rand(1, *RESOLUTION, 3, generator=torch.Generator().manual_seed(1))
    fast = antialias(color, raster, positions, triangles)[0].numpy()
    slow = antialias_reference(color[0].numpy(), raster[0].numpy(), positions[0].numpy(), triangles.numpy())
    assert np.abs(slow - color[0].numpy()).max() > 0.2
    np.testing.assert_allclose(fast, slow, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_overlapping_triangles_agree_with_the_reference(seed):
    positions, triangles = random_triangles(count=12, seed=seed, depth_range=(4.0, 9.0))
    positions = positions[None]
    assert (positions[..., 3] > 0.1).all()
    raster = rasterize(positions, triangles, RESOLUTION)
    color = torch.rand(1, *RESOLUTION, 2, generator=torch.Generator().manual_seed(seed))
    fast = antialias(color, raster, positions, triangles)[0].numpy()
    slow = antialias_reference(color[0].numpy(), raster[0].numpy(), positions[0].numpy(), triangles.numpy())
    np.testing.assert_allclose(fast, slow, atol=1e-5)


@pytest.mark.parametrize("segments", [4, 24])
def test_antialiased_coverage_is_the_silhouettes_area(segments):
    """Summed coverage equals the area counted at 16 times the resolution, far better than whole pixels do."""
    vertices, triangles = sphere(segments)
    ones = torch.ones(1, len(vertices), 1)
    errors, errors_whole = [], []
    for shift in np.linspace(0, 0.2, 8):
        positions = clip_positions(vertices + torch.tensor([shift, -shift / 2, 4.0]))[None].float()
        true = (rasterize(positions, triangles, (24 * 16, 24 * 16))[..., 3] > 0).sum().item() / 16**2
        errors.append(render(positions, triangles, ones, (24, 24)).sum().item() - true)
        errors_whole.append((rasterize(positions, triangles, (24, 24))[..., 3] > 0).sum().item() - true)
    assert np.abs(errors).max() < 0.015 * true
    assert np.std(errors) < 0.4 * np.std(errors_whole)


def test_inner_edges_of_a_closed_surface_are_left_alone():
    vertices, triangles = sphere(6)
    positions = clip_positions(vertices * 4)[None]
    raster = rasterize(positions, triangles, RESOLUTION)
    assert (raster[..., 3] > 0).all()
    color = torch.rand(1, *RESOLUTION, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(antialias(color, raster, positions, triangles), color, rtol=0, atol=0)


def test_edge_neighbours_of_two_triangles_and_a_fin():
    square = torch.tensor([[0, 1, 2], [2, 1, 3]], dtype=torch.int32)
    assert edge_neighbours(square).tolist() == [[1, -1, -1], [-1, -1, 0]]
    fin = torch.cat([square, torch.tensor([[1, 2, 4]], dtype=torch.int32)])
    assert (edge_neighbours(fin) == -1).all()
    _, closed = sphere(5)
    neighbours = edge_neighbours(closed)
    assert (neighbours >= 0).all()
    mutual = neighbours[neighbours.long()] == torch.arange(len(closed))[:, None, None]
    assert mutual.any(dim=-1).all()
    assert edge_neighbours(closed[:0]).shape == (0, 3)


@pytest.mark.parametrize("target", ["positions", "color"])
def test_gradients_agree_with_finite_differences(target):
    vertices, triangles = sphere(5)
    positions = clip_positions(vertices + torch.tensor([0.1, 0.05, 3.0]))[None]
    raster = rasterize(positions, triangles, (20, 20))
    generator = torch.Generator().manual_seed(4)
    color = torch.rand(1, 20, 20, 2, generator=generator)
    weights = torch.rand(1, 20, 20, 2, generator=generator) - 0.5
    inputs = {"positions": positions.clone().requires_grad_(), "color": color.clone().requires_grad_()}

    def loss(positions, color):
        return (antialias(color, raster, positions, triangles).double() * weights).sum()

    loss(**inputs).backward()
    gradient = inputs[target].grad.view(-1)
    flat = inputs[target].detach().view(-1)
    step, errors = 1e-3, []
    order = gradient.abs().argsort(descending=True)[:60]
    with torch.no_grad():
        for index in order.tolist():
            original = flat[index].item()
            values = []
            for sign in (1, -1):
                flat[index] = original + sign * step
                values.append(loss(inputs["positions"].detach(), inputs["color"].detach()).item())
            flat[index] = original
            errors.append((values[0] - values[1]) / (2 * step) - gradient[index].item())
    assert gradient.abs().max() > 0.2
    # A step may move a crossing over a pixel centre, where coverage has a kink: most must agree, not all.
    close = np.abs(errors) < 1e-2 * gradient[order].abs().numpy() + 2e-3
    assert close.mean() >= 0.9


def test_the_image_gradient_moves_a_sphere_towards_its_target():
    """d(image error)/d(shift) through silhouettes alone has the finite-difference value."""
    vertices, triangles = sphere(16)
    ones = torch.ones(1, len(vertices), 1)

    def coverage(shift):
        return render(clip_positions(vertices + torch.stack([shift, shift * 0, shift * 0 + 4]))[None], triangles, ones)

    target = coverage(torch.tensor(0.3)).detach()
    shift = torch.tensor(0.1, requires_grad=True)
    loss = ((coverage(shift) - target) ** 2).sum()
    loss.backward()
    losses = [((coverage(torch.tensor(value)) - target) ** 2).sum().item() for value in (0.11, 0.09)]
    numeric = (losses[0] - losses[1]) / 0.02
    assert numeric < -10
    assert shift.grad.item() == pytest.approx(numeric, rel=0.05)


def test_packed_meshes_and_given_neighbours_change_nothing():
    vertices, triangles = sphere(6)
    poses = [clip_positions(vertices + torch.tensor([x, 0.1, 3.0])) for x in (-0.3, 0.4)]
    batch, packed = torch.stack(poses), torch.cat(poses)
    colors = torch.rand(1, len(vertices), 3, generator=torch.Generator().manual_seed(0))
    expected = render(batch, triangles, colors)
    ranges, offsets = torch.tensor([[0, len(triangles)]] * 2), torch.tensor([0, len(vertices)])
    raster = rasterize(packed, triangles, RESOLUTION, ranges, offsets)
    image = interpolate(colors.expand(2, -1, -1).reshape(-1, 3), raster, triangles, offsets)
    smooth = antialias(image, raster, packed, triangles, offsets, edge_neighbours(triangles))
    torch.testing.assert_close(smooth, expected)


def test_bad_input_is_named():
    vertices, triangles = sphere(3)
    positions = clip_positions(vertices + torch.tensor([0.0, 0.0, 3.0]))[None]
    raster = rasterize(positions, triangles, (8, 8))
    with pytest.raises(ValueError, match="color: expected"):
        antialias(torch.zeros(1, 8, 9, 3), raster, positions, triangles)
    with pytest.raises(ValueError, match="neighbours: expected"):
        antialias(torch.zeros(1, 8, 8, 3), raster, positions, triangles, neighbours=triangles[:2])
    with pytest.raises(ValueError, match="positions: expected first axis"):
        antialias(torch.zeros(1, 8, 8, 3), raster, positions.repeat(2, 1, 1), triangles)
