"""Codes from masks and colours of an object in a known box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from airside_perception.geometry.se3 import transform_points
from airside_perception.prior import ObjectPrior, ObjectView, invert_views
from airside_perception.prior.silhouette_rays import silhouette_rays
from airside_perception.training.prior_metrics import silhouette_iou
from airside_perception.training.prior_views import render_views, ring_cameras

SIZE = np.array([4.0, 2.0, 2.5])
SHAPE = torch.tensor([0.9, -0.6, 0.4, 0.5, -0.8])
TEXTURE = torch.tensor([0.6, -0.9, 0.4, 0.3])


def rendered(prior: ObjectPrior, shape: torch.Tensor, texture: torch.Tensor, cameras):
    mesh = prior.decode("aircraft", shape, texture, "full")
    return render_views(mesh.vertices * torch.from_numpy(SIZE).float(), mesh.faces, mesh.colors, cameras, SIZE)


def views_of(prior: ObjectPrior, count: int) -> list[ObjectView]:
    cameras = ring_cameras(SIZE)[:count]
    images, masks = rendered(prior, SHAPE, TEXTURE, cameras)
    return [ObjectView(c, m.numpy(), i.numpy()) for c, m, i in zip(cameras, masks, images, strict=True)]


def overlap(prior: ObjectPrior, shape: torch.Tensor) -> float:
    cameras = ring_cameras(SIZE, phase=0.8)
    masks = [rendered(prior, code, TEXTURE, cameras)[1] for code in (SHAPE, shape)]
    return float(silhouette_iou(*masks).mean())


@pytest.mark.parametrize(("count", "least"), [(8, 0.97), (1, 0.93)])
def test_views_give_the_outline_from_other_sides(blobs, count, least):
    found = invert_views(blobs, "aircraft", views_of(blobs, count), SIZE)
    before = overlap(blobs, blobs.mean_codes("aircraft")[0])
    assert before < 0.93
    assert overlap(blobs, found.shape) > max(least, before)
    assert not found.fallback
    assert found.error < 0.05


def test_views_give_the_colours(blobs):
    found = invert_views(blobs, "aircraft", views_of(blobs, 8), SIZE)
    cameras = ring_cameras(SIZE, phase=0.8)
    (wanted, cover), (image, _) = (rendered(blobs, SHAPE, code, cameras) for code in (TEXTURE, found.texture))
    assert (wanted - image)[cover].abs().mean() < 0.02


def test_hidden_pixels_do_not_count(blobs):
    views = views_of(blobs, 8)
    hidden = np.zeros((128, 128))
    hidden[:, 40:] = 1
    spoiled = [replace(each, mask=each.mask & (hidden > 0), weight=hidden) for each in views]
    assert overlap(blobs, invert_views(blobs, "aircraft", spoiled, SIZE).shape) > 0.95


def depths_of(prior: ObjectPrior, camera) -> np.ndarray:
    """Metres along the optical axis of the true object."""
    vertices = prior.decode("aircraft", SHAPE, TEXTURE, "full").vertices * torch.from_numpy(SIZE).float()
    faces = prior.decode("aircraft", SHAPE, TEXTURE, "full").faces
    places = render_views(vertices, faces, vertices, [camera], SIZE)[0][0].numpy()
    return transform_points(camera.camera_from_base, places)[..., 2]


def test_depth_tells_what_a_silhouette_hides(blobs):
    view = views_of(blobs, 1)[0]
    view = replace(view, depth=depths_of(blobs, view.camera))
    decoder = blobs.class_prior("aircraft").shape
    surface = silhouette_rays(decoder, [view], SIZE).surface
    constants, rows = decoder.interpolation_rows(surface[surface.isfinite().all(dim=1)])
    assert len(rows) > 500
    assert (constants + rows @ SHAPE).abs().mean() < 0.02  # the true object's surface, in cells
    without, with_depth = (
        invert_views(blobs, "aircraft", [each], SIZE).shape for each in (replace(view, depth=None), view)
    )
    assert (constants + rows @ with_depth).abs().mean() < 0.3 * (constants + rows @ without).abs().mean()


def test_what_a_view_says_of_the_mirror_image_is_weighted(blobs):
    rays = silhouette_rays(blobs.class_prior("aircraft").shape, views_of(blobs, 1), SIZE, mirrored=0.5)
    half = len(rays.weight) // 2
    assert rays.weight.unique().tolist() == [0.5, 1.0]
    assert torch.allclose(rays.points[half:] * torch.tensor([1.0, -1.0, 1.0]), rays.points[:half])
    sdf = blobs.class_prior("aircraft").shape(SHAPE[None])[0]
    assert torch.allclose(rays.distances(sdf.flip(1))[half:], rays.distances(sdf)[:half], atol=1e-4)


def test_views_that_show_nothing_give_the_start_flagged(blobs):
    empty = [replace(each, mask=np.zeros_like(each.mask)) for each in views_of(blobs, 2)]
    found = invert_views(blobs, "aircraft", empty, SIZE)
    assert found.fallback
    assert torch.equal(found.shape, blobs.mean_codes("aircraft")[0])


def test_bad_views_are_refused(blobs):
    view = views_of(blobs, 1)[0]
    with pytest.raises(ValueError, match=r"ObjectView.mask: expected \(128, 128\) like its camera, got \(0, 5\)"):
        replace(view, mask=np.zeros((0, 5)))
    with pytest.raises(ValueError, match="views: expected at least one"):
        invert_views(blobs, "aircraft", [], SIZE)
    with pytest.raises(ValueError, match="size: expected three lengths > 0"):
        invert_views(blobs, "aircraft", [view], np.array([4.0, 0.0, 2.0]))
