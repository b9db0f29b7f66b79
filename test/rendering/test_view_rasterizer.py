"""Many views of one mesh: the same pictures as the rasteriser that checks and allocates for every call."""

import numpy as np
import pytest
import torch
from rendering_scenes import sphere

from airside_perception.geometry.cameras import Camera
from airside_perception.rendering import rasterize
from airside_perception.rendering.view_rasterizer import NOTHING, ViewRasterizer

RESOLUTION = (48, 64)


def clip_matrix(away: float) -> np.ndarray:
    """A camera that looks along z at a unit sphere `away` metres off."""
    k = np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1.0]])
    camera = Camera("view", RESOLUTION[1], RESOLUTION[0], k)
    camera_from_world = np.eye(4)
    camera_from_world[:3, 3] = [0.2, -0.1, away]
    return camera.clip_matrix(0.1, 50.0) @ camera_from_world


@pytest.fixture
def ball():
    vertices, triangles = sphere(14)
    return vertices.float().contiguous(), triangles.int().contiguous()


def plain_raster(vertices: torch.Tensor, triangles: torch.Tensor, clip: np.ndarray, cull: bool) -> torch.Tensor:
    homogeneous = torch.cat([vertices, torch.ones(len(vertices), 1)], dim=1)
    positions = homogeneous @ torch.from_numpy(clip.astype(np.float32)).T
    return rasterize(positions[None].contiguous(), triangles, RESOLUTION, cull_backfaces=cull)[0]


@pytest.mark.parametrize("cull", [False, True])
def test_views_one_after_another_are_those_of_the_rasteriser(ball, cull):
    view = ViewRasterizer(torch.device("cpu"))
    for away in (2.5, 0.4, 6.0):  # before the sphere, inside it, far off
        clip = clip_matrix(away)
        view.look(*ball, clip)
        expected = plain_raster(*ball, clip, cull)
        found = view.raster(RESOLUTION, cull)
        same = found[..., 3] == expected[..., 3]
        assert same.float().mean() > 0.999, "sums in another order move an edge now and then"
        torch.testing.assert_close(found[same], expected[same], atol=1e-4, rtol=1e-4)


def test_depth_is_that_of_the_nearest_triangle_and_nothing_elsewhere(ball):
    view = ViewRasterizer(torch.device("cpu"))
    view.look(*ball, clip_matrix(3.0))
    raster, depth = view.raster(RESOLUTION), view.depth(RESOLUTION)
    covered = raster[..., 3] > 0
    assert 200 < covered.sum() < 2000
    torch.testing.assert_close(depth[covered], raster[..., 2][covered], atol=1e-5, rtol=0.0)
    assert (depth[~covered] == NOTHING).all()


def test_runs_of_triangles_are_drawn_as_if_the_others_were_not_there(ball):
    vertices, triangles = ball
    behind = vertices + torch.tensor([0.0, 0.0, 4.0])
    both = torch.cat([vertices, behind]), torch.cat([triangles, triangles + len(vertices)])
    count, clip = len(triangles), clip_matrix(3.0)
    view = ViewRasterizer(torch.device("cpu"))
    view.look(*both, clip)
    masks = view.covered([(0, count), (count, count), (0, 0)], RESOLUTION)
    for mask, alone in zip(masks, (vertices, behind), strict=False):
        expected = plain_raster(alone, triangles, clip, True)[..., 3] > 0
        assert (mask == expected).float().mean() > 0.999
    assert 50 < masks[1].sum() < masks[0].sum()
    assert not masks[2].any()


def test_a_smaller_image_after_a_large_one_holds_nothing_of_it(ball):
    view = ViewRasterizer(torch.device("cpu"))
    view.look(*ball, clip_matrix(0.4))
    assert (view.raster((96, 128))[..., 3] > 0).all()
    view.look(*ball, clip_matrix(-5.0))
    assert (view.raster((24, 32)) == 0).all()
