"""Texture lookups against hand-made textures, and on a rendered quad in perspective."""

from __future__ import annotations

import pytest
import torch

from airside_perception.rendering import interpolate, rasterize, sample_texture


def at(texture, *places, boundary="wrap"):
    return sample_texture(texture, torch.tensor(places)[None, None], boundary)[0, 0]


def test_texel_centres_give_texels_and_the_middle_their_mean():
    texture = torch.rand(1, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    row, column = 2, 3
    assert torch.allclose(at(texture, ((column + 0.5) / 5, (row + 0.5) / 4)), texture[0, row, column], atol=1e-6)
    between = at(texture, ((column + 1.0) / 5, (row + 0.5) / 4))[0]
    assert torch.allclose(between, (texture[0, row, 3] + texture[0, row, 4]) / 2, atol=1e-6)


def test_beyond_its_edge_a_texture_repeats_or_stops():
    texture = torch.tensor([0.0, 1.0]).reshape(1, 1, 2, 1)
    assert at(texture, (0.0, 0.5)).item() == pytest.approx(0.5)  # half way from the last texel to the first
    assert at(texture, (1.25, 0.5)).item() == pytest.approx(0.0)
    assert at(texture, (-0.25, 0.5)).item() == pytest.approx(1.0)
    assert at(texture, (1.4, 0.5), boundary="clamp").item() == pytest.approx(1.0)
    assert at(texture, (-3.0, 0.5), boundary="clamp").item() == pytest.approx(0.0)


def test_a_tilted_quad_shows_its_texture_in_perspective():
    """The far half of a board whose ends are 1 m and 3 m away takes a quarter of its picture's length."""
    x, z = torch.tensor([-0.6, 0.6, 0.6, -0.6]), torch.tensor([1.0, 1.0, 3.0, 3.0])
    y = torch.tensor([-0.9, -0.9, 0.9, 0.9])
    positions = torch.stack([x, y, 0.5 * z, z], dim=1)[None]
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    uv = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])
    raster = rasterize(positions, triangles, (241, 61))
    image = sample_texture(
        torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1), interpolate(uv, raster, triangles), boundary="clamp"
    )
    covered = (raster[0, :, 30, 3] > 0).nonzero().squeeze(1)
    far = ((image[0, :, 30, 0] > 0.5) & (raster[0, :, 30, 3] > 0)).sum() / len(covered)
    # Rows run from y / z = -0.9 to 0.3; the middle of the board is at y = 0, z = 2.
    assert far.item() == pytest.approx(0.3 / 1.2, abs=0.02)


def test_gradients_reach_texture_and_coordinates():
    texture = torch.rand(1, 3, 3, 1, dtype=torch.float64, requires_grad=True)
    uv = (0.1 + 0.8 * torch.rand(1, 2, 2, 2, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(sample_texture, (texture, uv))


@pytest.mark.parametrize(
    ("texture", "uv", "boundary", "message"),
    [
        ((1, 2, 2, 3), (1, 2, 2, 2), "mirror", "boundary: expected one of wrap, clamp, got 'mirror'"),
        ((1, 2, 2, 3), (1, 2, 2), "wrap", "uv: expected"),
        ((3, 2, 2, 3), (2, 2, 2, 2), "wrap", r"texture: expected \(1 or 2, TH, TW, C\)"),
        ((1, 0, 2, 3), (1, 2, 2, 2), "wrap", "not empty"),
    ],
)
def test_bad_input_is_named(texture, uv, boundary, message):
    with pytest.raises(ValueError, match=message):
        sample_texture(torch.zeros(texture), torch.zeros(uv), boundary)
