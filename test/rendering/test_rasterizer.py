"""The rasteriser against its brute-force twin, and its gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rendering_scenes import clip_positions, random_triangles, sphere

from airside_perception.rendering import interpolate, rasterize
from airside_perception.rendering.reference import interpolate_reference, rasterize_reference

RESOLUTION = (37, 53)


def assert_same_raster(fast: torch.Tensor, slow: np.ndarray, allowed_mismatch: float = 0.0) -> None:
    """Same triangle on every pixel (but for `allowed_mismatch` of them: ties), same values there."""
    fast = fast.numpy().astype(np.float64)
    same = fast[..., 3] == slow[..., 3]
    assert (~same).mean() <= allowed_mismatch
    np.testing.assert_allclose(fast[same], slow[same], atol=2e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("depth_range", [(2.0, 9.0), (-3.0, 5.0)], ids=["in_front", "across_near_plane"])
def test_random_triangles_agree_with_brute_force(seed, depth_range):
    positions, triangles = random_triangles(count=40, seed=seed, depth_range=depth_range)
    raster = rasterize(positions[None], triangles, RESOLUTION)[0]
    slow = rasterize_reference(positions.numpy(), triangles.numpy(), RESOLUTION)
    assert (slow[..., 3] > 0).mean() > 0.2
    assert_same_raster(raster, slow)


def test_culling_keeps_the_near_half_of_a_sphere():
    vertices, triangles = sphere(12)
    positions = clip_positions(vertices + torch.tensor([0.05, 0.03, 3.0]))
    everything = rasterize(positions[None], triangles, (64, 64))
    culled = rasterize(positions[None], triangles, (64, 64), cull_backfaces=True)
    torch.testing.assert_close(everything, culled)
    slow = rasterize_reference(positions.numpy(), triangles.numpy(), (64, 64), cull_backfaces=True)
    assert_same_raster(culled[0], slow, allowed_mismatch=0.002)
    inside_out = rasterize(positions[None], triangles.flip(1).contiguous(), (64, 64), cull_backfaces=True)
    assert (inside_out[..., 2][inside_out[..., 3] > 0] >= culled[..., 2].amin()).all()


def test_an_object_around_the_camera_fills_the_image():
    vertices, triangles = sphere(10)
    positions = clip_positions(vertices * 4)
    raster = rasterize(positions[None], triangles, RESOLUTION)[0]
    assert (raster[..., 3] > 0).all()
    assert_same_raster(raster, rasterize_reference(positions.numpy(), triangles.numpy(), RESOLUTION), 0.002)


def test_shared_edges_through_pixel_centres_leave_no_crack():
    """A fan whose edges pass exactly through pixel centres, and a jittered fine grid."""
    size = 16
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [1 / size, 1 / size]])
    positions = torch.cat([corners, torch.zeros(5, 1), torch.ones(5, 1)], dim=1)
    triangles = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]], dtype=torch.int32)
    assert (rasterize(positions[None], triangles, (size, size))[..., 3] > 0).all()

    generator = torch.Generator().manual_seed(3)
    cells = 60
    axis = torch.linspace(-1.5, 1.5, cells + 1)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
    grid = grid + 0.01 * torch.rand(grid.shape, generator=generator)
    depth = 1 + torch.rand(len(grid), 1, generator=generator)
    positions = torch.cat([grid * depth, torch.zeros_like(depth), depth], dim=1)
    index = torch.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = torch.cat([torch.stack([a, b, c], -1), torch.stack([b, d, c], -1)]).reshape(-1, 3).int()
    assert (rasterize(positions[None], triangles, (211, 307))[..., 3] > 0).all()


def test_row_zero_is_next_to_y_minus_one_and_depth_is_z_over_w():
    positions = torch.tensor([[-1.0, -1.0, 0.5, 1.0], [1.0, -1.0, 0.5, 1.0], [-1.0, 1.0, 0.5, 1.0]])
    raster = rasterize(positions[None], torch.tensor([[0, 1, 2]], dtype=torch.int32), (4, 4))[0]
    assert raster[0, :, 3].tolist() == [1, 1, 1, 1]
    assert raster[3, :, 3].tolist() == [1, 0, 0, 0]
    torch.testing.assert_close(raster[0, 0], torch.tensor([0.75, 0.125, 0.5, 1.0]))


def test_at_equal_depth_the_lower_triangle_wins():
    positions = torch.tensor([[-3.0, -1.0, 0.0, 1.0], [3.0, -1.0, 0.0, 1.0], [0.0, 5.0, 0.0, 1.0]])
    triangles = torch.tensor([[0, 1, 2], [1, 2, 0]], dtype=torch.int32)
    assert (rasterize(positions[None], triangles, (8, 8))[..., 3] == 1).all()


def test_degenerate_triangles_and_empty_inputs_draw_nothing():
    positions = torch.tensor([[0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0], [0.5, 0.5, 0.0, 1.0]])
    line = torch.tensor([[0, 1, 2], [0, 0, 1]], dtype=torch.int32)
    assert not rasterize(positions[None], line, (8, 8)).any()
    none = torch.zeros((0, 3), dtype=torch.int32)
    assert not rasterize(positions[None], none, (8, 8)).any()
    assert rasterize(positions[None][:0], line, (8, 8)).shape == (0, 8, 8, 4)
    raster = rasterize(positions[None], none, (8, 8))
    assert not interpolate(torch.ones(1, 3, 2), raster, none).any()


def test_each_image_of_a_batch_is_its_own():
    meshes = [random_triangles(count=15, seed=seed, depth_range=(1.0, 6.0)) for seed in range(3)]
    triangles = meshes[0][1]
    positions = torch.stack([positions for positions, _ in meshes])
    raster = rasterize(positions, triangles, RESOLUTION)
    for image in range(3):
        assert_same_raster(raster[image], rasterize_reference(positions[image], triangles, RESOLUTION))


def test_ranges_draw_different_meshes_in_one_launch():
    meshes = [random_triangles(count=count, seed=count, depth_range=(1.0, 6.0)) for count in (5, 30, 12)]
    vertices = torch.cat([positions for positions, _ in meshes])
    starts = np.cumsum([0] + [len(positions) for positions, _ in meshes])[:-1]
    triangles = torch.cat([faces + int(start) for (_, faces), start in zip(meshes, starts, strict=True)])
    counts = [len(faces) for _, faces in meshes]
    firsts = np.cumsum([0, *counts])[:-1]
    ranges = torch.tensor([*np.stack([firsts, counts], 1).tolist(), [0, 0]], dtype=torch.int32)
    raster = rasterize(vertices, triangles, RESOLUTION, ranges=ranges)
    assert not raster[3].any()
    for image, (positions, faces) in enumerate(meshes):
        alone = rasterize(positions[None], faces, RESOLUTION)[0]
        alone[..., 3] += (alone[..., 3] > 0) * float(firsts[image])
        torch.testing.assert_close(raster[image], alone, rtol=0, atol=0)


def test_a_hundred_different_objects_fit_in_one_launch():
    meshes = [random_triangles(count=1 + seed % 9, seed=seed, depth_range=(1.0, 6.0)) for seed in range(100)]
    starts = np.cumsum([0] + [len(positions) for positions, _ in meshes])
    triangles = torch.cat([faces + int(start) for (_, faces), start in zip(meshes, starts, strict=False)])
    counts = np.array([len(faces) for _, faces in meshes])
    ranges = torch.from_numpy(np.stack([np.cumsum(counts) - counts, counts], axis=1))
    raster = rasterize(torch.cat([positions for positions, _ in meshes]), triangles, (24, 32), ranges=ranges)
    assert raster.shape == (100, 24, 32, 4)
    for image in (0, 63, 64, 99):
        alone = rasterize(meshes[image][0][None], meshes[image][1], (24, 32))[0]
        torch.testing.assert_close(raster[image, ..., :3], alone[..., :3], rtol=0, atol=0)


def test_vertex_offsets_share_one_mesh_among_poses_of_packed_meshes():
    first, triangles = random_triangles(count=9, seed=1, depth_range=(1.0, 6.0))
    second, _ = random_triangles(count=9, seed=2, depth_range=(1.0, 6.0))
    packed = torch.cat([first, second])
    ranges = torch.tensor([[0, 9], [0, 9], [3, 2]])
    offsets = torch.tensor([0, len(first), len(first)])
    raster = rasterize(packed, triangles, RESOLUTION, ranges=ranges, vertex_offsets=offsets)
    torch.testing.assert_close(raster[:2], rasterize(torch.stack([first, second]), triangles, RESOLUTION))
    assert set(raster[2, ..., 3].unique().tolist()) <= {0.0, 4.0, 5.0}
    attributes = torch.rand(len(packed), 2, generator=torch.Generator().manual_seed(0))
    separate = interpolate(attributes.reshape(2, -1, 2), raster[:2], triangles)
    torch.testing.assert_close(interpolate(attributes, raster, triangles, offsets)[:2], separate)


def test_interpolate_agrees_with_brute_force():
    positions, triangles = random_triangles(count=25, seed=5, depth_range=(1.0, 6.0))
    attributes = torch.rand(1, len(positions), 5, generator=torch.Generator().manual_seed(1))
    raster = rasterize(positions[None], triangles, RESOLUTION)
    slow = interpolate_reference(attributes[0].numpy(), raster[0].numpy(), triangles.numpy())
    np.testing.assert_allclose(interpolate(attributes, raster, triangles)[0].numpy(), slow, atol=1e-6)


def test_gradients_to_attributes_and_positions_agree_with_finite_differences():
    """The loss weighs interpolated attributes and z/w on pixels whose triangle keeps clear of the change."""
    vertices, triangles = sphere(6)
    base = clip_positions(vertices + torch.tensor([0.1, -0.2, 3.0]))[None]
    generator = torch.Generator().manual_seed(2)
    attributes = torch.rand(1, len(vertices), 3, generator=generator)
    weights = torch.rand(1, 24, 24, 3, generator=generator) - 0.5
    ids = rasterize(base, triangles, (24, 24))[..., 3]

    def loss(positions, attributes):
        # Double precision from the reference formula, with triangle ids held fixed.
        b = barycentrics(positions, triangles, ids)
        corners = triangles[(ids.long() - 1).clamp(min=0)].long()
        color = (b / b.sum(-1, keepdim=True)).unsqueeze(-1) * attributes[0][corners]
        z = (b * positions[0, corners, 2]).sum(-1)
        return ((color.sum(-2) * weights).sum(-1) + 0.3 * z)[ids > 0].sum()

    positions = base.clone().requires_grad_()
    colors = attributes.clone().requires_grad_()
    raster = rasterize(positions, triangles, (24, 24))
    image = interpolate(colors, raster, triangles)
    ((image * weights).sum() + 0.3 * raster[..., 2].sum()).backward()

    base, attributes = base.double(), attributes.double()
    for target, gradient in ((base, positions.grad), (attributes, colors.grad)):
        flat, checked = target.view(-1), 0
        for index in gradient.view(-1).abs().argsort(descending=True)[:: max(1, flat.numel() // 40)].tolist():
            original, step = flat[index].item(), 1e-5
            flat[index] = original + step
            above = loss(base, attributes)
            flat[index] = original - step
            below = loss(base, attributes)
            flat[index] = original
            numeric = ((above - below) / (2 * step)).item()
            assert gradient.view(-1)[index].item() == pytest.approx(numeric, rel=2e-3, abs=2e-3)
            checked += abs(numeric) > 1e-3
        assert checked > 10


def barycentrics(positions: torch.Tensor, triangles: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Homogeneous barycentrics b (1, H, W, 3) of each pixel's own triangle: sum(b_i v_i) = (X, Y, 1)."""
    height, width = ids.shape[1:]
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) / height * 2 - 1, (torch.arange(width) + 0.5) / width * 2 - 1, indexing="ij"
    )
    points = torch.stack([x, y, torch.ones_like(x)], -1).double()[None]
    corners = triangles[(ids.long() - 1).clamp(min=0)].long()
    return torch.linalg.solve(positions[0][corners][..., [0, 1, 3]].transpose(-1, -2), points)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"positions": torch.zeros(1, 3, 3)}, "positions: expected"),
        ({"positions": torch.zeros(1, 3, 4).double()}, "positions: expected"),
        ({"triangles": torch.zeros(1, 3).long()}, "triangles: expected"),
        ({"triangles": torch.tensor([[0, 1, 3]], dtype=torch.int32)}, r"indices in 0\.\.2, got 0\.\.3"),
        ({"resolution": (0, 4)}, "resolution: expected positive"),
        ({"positions": torch.zeros(3, 4)}, "need ranges"),
        ({"ranges": torch.tensor([[0, 2]])}, "ranges: expected"),
        ({"ranges": torch.tensor([[-1, 1]])}, "ranges: expected"),
        ({"vertex_offsets": torch.tensor([0])}, "vertex_offsets: only with packed"),
    ],
)
def test_bad_input_is_named(arguments, message):
    good = {"positions": torch.zeros(1, 3, 4), "triangles": torch.tensor([[0, 1, 2]], dtype=torch.int32)}
    with pytest.raises(ValueError, match=message):
        rasterize(**{**good, "resolution": (4, 4), **arguments})


def test_vertex_offsets_that_leave_the_vertices_are_refused():
    triangles = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    with pytest.raises(ValueError, match=r"vertex_offsets: expected vertex indices in 0\.\.3, got 2\.\.4"):
        rasterize(torch.zeros(4, 4), triangles, (4, 4), torch.tensor([[0, 1]]), torch.tensor([2]))
