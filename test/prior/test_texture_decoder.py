"""The colour field: a grid of its own, with gaps."""

from __future__ import annotations

import torch

from airside_perception.prior.texture_decoder import TextureDecoder

CODE = torch.tensor([1.0])


def two_nodes_painted() -> TextureDecoder:
    """A 3 x 2 x 2 grid of which only the ends in x hold colours: black behind, ahead red as the code says."""
    live = torch.tensor([0, 1, 2, 3, 8, 9, 10, 11])
    field = TextureDecoder((3, 2, 2), (0.5, 0.5, 0.5), live, 1)
    with torch.no_grad():
        field.mean.zero_()
        field.basis.zero_()
        field.basis[4:, 0] = 0.8
    return field


@torch.no_grad()
def test_colours_are_trilinear_and_gaps_take_the_nearest_node():
    field = two_nodes_painted()
    colors = field(torch.tensor([[0.5, 0.1, 0.2], [-0.5, 0.0, 0.0], [0.25, 0.0, 0.0]]), CODE)
    gap = float(field(torch.zeros(1, 3), CODE)[0, 0])
    assert torch.allclose(colors[:2, 0], torch.tensor([0.8, 0.0]), atol=1e-6)
    assert gap in (0.0, 0.800000011920929), "the middle is equally near to both ends"
    assert torch.isclose(colors[2, 0], torch.tensor((0.8 + gap) / 2), atol=1e-6)
    assert (colors[:, 1:] == 0).all()


@torch.no_grad()
def test_points_outside_take_the_border_and_colours_stay_in_range():
    field = two_nodes_painted()
    outside = field(torch.tensor([[9.0, 0.0, 0.0]]), 3 * CODE)
    assert outside[0].tolist() == [1.0, 0.0, 0.0]
    colors, jacobian = field.jacobian(torch.tensor([[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0]]), 3 * CODE)
    assert colors[0, 0] == 1.0
    assert (jacobian == 0).all(), "at the end of their range colours don't move"
    assert torch.isclose(field.jacobian(torch.tensor([[0.5, 0.0, 0.0]]), CODE)[1][0, 0, 0], torch.tensor(0.8))
