"""What one object has beyond its codes: offsets found from silhouettes, colours kept where they were seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from airside_perception.prior import Detail, ObjectPrior, ObjectView, SeenColors, invert_views
from airside_perception.training.prior_metrics import silhouette_iou
from airside_perception.training.prior_views import render_views, ring_cameras

SIZE = np.array([4.0, 2.0, 2.5])
SHAPE, TEXTURE = torch.tensor([0.3, -0.2, 0.1, 0.2, -0.3]), torch.tensor([0.3, -0.4, 0.2, 0.1])


def bumped(prior: ObjectPrior) -> Detail:
    """A lump on the roof that no code makes."""
    decoder = prior.class_prior("aircraft").shape
    gap = (decoder.positions - torch.tensor([0.12, 0.0, 0.30])).norm(dim=1) / 0.16
    offsets = (-4.0 * torch.exp(-(gap**2))).reshape(decoder.grid_shape)
    inner = torch.zeros_like(offsets)
    inner[1:-1, 1:-1, 1:-1] = 1.0
    return Detail(offsets * inner)


def rendered(prior: ObjectPrior, shape, texture, detail, cameras, stripes: bool = False):
    mesh = prior.decode("aircraft", shape, texture, "full", detail)
    colors = mesh.colors
    if stripes:
        colors = torch.where((mesh.vertices[:, :1] * 5).floor() % 2 == 0, 0.9, 0.1).expand(-1, 3)
    return render_views(mesh.vertices * torch.from_numpy(SIZE).float(), mesh.faces, colors, cameras, SIZE)


@pytest.fixture(scope="module")
def found(blobs):
    """Inversion of a bumped, striped blob from eight sides."""
    cameras = ring_cameras(SIZE)
    images, masks = rendered(blobs, SHAPE, TEXTURE, bumped(blobs), cameras, stripes=True)
    views = [ObjectView(c, m.numpy(), i.numpy()) for c, m, i in zip(cameras, masks, images, strict=True)]
    return invert_views(blobs, "aircraft", views, SIZE, detail=True)


def test_offsets_show_what_codes_cannot(blobs, found):
    cameras = ring_cameras(SIZE, phase=0.8)
    wanted = rendered(blobs, SHAPE, TEXTURE, bumped(blobs), cameras)[1]
    codes, own = (
        float(silhouette_iou(rendered(blobs, found.shape, found.texture, each, cameras)[1], wanted).mean())
        for each in (None, found.detail)
    )
    assert own > 0.95
    assert 1 - own < 0.75 * (1 - codes)


def test_the_surface_stays_closed(blobs, found):
    faces = blobs.decode("aircraft", found.shape, found.texture, "full", found.detail).faces.long()
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    forward, backward = edges[:, 0] * 100_000 + edges[:, 1], edges[:, 1] * 100_000 + edges[:, 0]
    assert torch.equal(forward.sort().values, backward.sort().values)


def test_colours_are_kept_where_they_were_seen(blobs, found):
    cameras = ring_cameras(SIZE, phase=0.8)
    wanted, cover = rendered(blobs, SHAPE, TEXTURE, bumped(blobs), cameras, stripes=True)
    errors = []
    for detail in (None, found.detail):
        image, own_cover = rendered(blobs, found.shape, found.texture, detail, cameras)
        errors.append(float((image - wanted)[cover & own_cover].square().mean()))
    assert errors[1] < 0.25 * errors[0]


def test_colours_fade_into_the_codes_away_from_what_was_seen():
    seen = SeenColors(
        torch.tensor([[0.0, 0.0, 0.5]]),
        torch.tensor([[0.0, 0.0, 1.0]]),
        torch.tensor([[0.4, -0.2, 0.0]]),
        torch.tensor([1.0, 1.0, 1.0]) / 3**0.5,
    )
    up = torch.tensor([[0.0, 0.0, 1.0]]).expand(3, 3)
    places = torch.tensor([[0.0, 0.0, 0.5], [0.0, 0.04, 0.5], [0.5, 0.5, 0.5]])
    at, beside, far = seen.at(places, up)
    assert torch.allclose(at, torch.tensor([0.4, -0.2, 0.0]), atol=1e-3)
    assert 0.3 < float(beside[0] / at[0]) < 0.9
    assert far.abs().max() < 0.01
    # The other side of a thin plate has a colour of its own.
    assert seen.at(places[:1], -up[:1]).abs().max() < 0.2


def test_levels_of_detail_and_no_colours_work_too(blobs):
    detail = bumped(blobs)
    plain = blobs.decode("aircraft", SHAPE, TEXTURE, "full").vertices[:, 2].max()
    for level in ("full", "refine", "far"):
        mesh = blobs.decode("aircraft", SHAPE, TEXTURE, level, detail)
        assert not mesh.fallback
        assert mesh.vertices[:, 2].max() > plain + 0.02


def test_details_of_another_lattice_are_refused_and_empty_ones_fall_back(blobs):
    detail = bumped(blobs)
    with pytest.raises(ValueError, match=r"detail: expected distances \(15, 13, 14\) of class 'aircraft', got"):
        blobs.decode("aircraft", SHAPE, TEXTURE, "full", replace(detail, distances=torch.zeros(3, 3, 3)))
    nothing = replace(detail, distances=torch.full((15, 13, 14), 50.0))
    mesh = blobs.decode("aircraft", SHAPE, TEXTURE, "full", nothing)
    assert len(mesh.faces) > 100
