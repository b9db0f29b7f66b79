"""Normals and Lambert's law."""

from __future__ import annotations

import pytest
import torch
from rendering_scenes import clip_positions, sphere

from airside_perception.rendering import Lighting, face_normals, lambert, rasterize, shade, vertex_normals


def test_normals_of_a_sphere_point_outward():
    vertices, triangles = sphere(24)
    normals = vertex_normals(vertices, triangles)
    assert ((normals * vertices).sum(-1) > 0.995).all()
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(len(normals)))
    assert face_normals(vertices, triangles).norm(dim=-1).sum().item() / 2 == pytest.approx(4 * torch.pi, rel=0.01)


def test_batched_normals_and_loose_vertices():
    vertices, triangles = sphere(4)
    batch = torch.stack([torch.cat([vertices, torch.zeros(1, 3)]) * scale for scale in (1.0, 2.0)])
    normals = vertex_normals(batch, triangles)
    torch.testing.assert_close(normals[0], normals[1])
    assert not normals[:, -1].any()


def test_vertex_normals_gradient():
    vertices, triangles = sphere(3)
    assert torch.autograd.gradcheck(lambda v: vertex_normals(v, triangles), vertices.double().requires_grad_())


def test_lambert_by_hand():
    lighting = Lighting(sun_direction=(0, 0, 2.0), sun=0.8, ambient=0.1)
    normals = torch.tensor([[0.0, 0, 1], [0.6, 0, 0.8], [1, 0, 0], [0, 0, -1]])
    torch.testing.assert_close(
        lambert(torch.full((4, 1), 0.5), normals, lighting)[:, 0], 0.5 * torch.tensor([0.9, 0.74, 0.1, 0.1])
    )
    turn = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    assert lighting.rotated(turn).sun_direction == pytest.approx((2.0, 0, 0))
    with pytest.raises(ValueError, match="sun_direction"):
        Lighting(sun_direction=(0, 0, 0))


def test_a_shaded_sphere_is_brightest_towards_the_light():
    vertices, triangles = sphere(16)
    positions = clip_positions(vertices + torch.tensor([0.0, 0.0, 4.0]))[None]
    raster = rasterize(positions, triangles, (64, 64))
    light = Lighting(sun_direction=(-1.0, 0.0, -1.0), sun=1.0, ambient=0.0)
    image = shade(raster, triangles, torch.ones(1, len(vertices), 1), vertices[None], light)[0, ..., 0]
    row, column = divmod(int(image.argmax()), 64)
    assert image.max() == pytest.approx(1.0, abs=0.01)
    assert abs(row - 31.5) < 2
    assert column < 28
    assert image[0, 0] == 0
