"""Small random-weight priors whose surfaces are blobs: fast, and with nothing learned to hide behind."""

from __future__ import annotations

import pytest
import torch

from airside_perception.prior import ClassPrior, ObjectPrior
from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.prior.texture_decoder import TextureDecoder

SHAPE_SIZE, TEXTURE_SIZE = 5, 4


def blob_class(seed: int, grid: tuple[int, int, int] = (15, 13, 14)) -> ClassPrior:
    """Ellipsoid distances plus a smooth random basis."""
    generator = torch.Generator().manual_seed(seed)
    axes = tuple(torch.linspace(-0.55, 0.55, count) for count in grid)
    positions = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    distance = (positions * torch.tensor([1.0, 1.15, 1.3])).norm(dim=1) * 13 - 5.0
    interior = torch.zeros(grid, dtype=torch.bool)
    interior[1:-1, 1:-1, 1:-1] = True
    live = (interior.reshape(-1) & (distance.abs() < 3)).nonzero().squeeze(1)
    decoder = ShapeDecoder(axes, live, distance.clamp(-3, 3), SHAPE_SIZE)
    waves = 3 * torch.randn(SHAPE_SIZE, 3, generator=generator)
    with torch.no_grad():
        decoder.mean.copy_(distance[live])
        decoder.basis.copy_(0.4 * torch.sin(positions[live] @ waves.T + torch.arange(SHAPE_SIZE)))
    torch.manual_seed(seed)
    part = ClassPrior(decoder, TextureDecoder((5, 4, 4), (0.5, 0.5, 0.5), torch.arange(80), TEXTURE_SIZE))
    part.shape_mean.fill_(0.1)
    return part


@pytest.fixture(scope="session")
def blobs() -> ObjectPrior:
    """A prior of two untrained classes."""
    return ObjectPrior({"aircraft": blob_class(1), "person": blob_class(2)}, {"note": "test"})
