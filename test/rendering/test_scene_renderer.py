"""Scenes of several meshes: who is seen where, how far away, in which colour, and how much of it."""

from __future__ import annotations

import numpy as np
import pytest
from rendering_scenes import sphere

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import make_transform
from airside_perception.rendering import Lighting, SceneItem, crop_clip_positions, item_visibility, render_scene

BASE_FROM_OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def make_camera(width=96, height=64, focal=80.0):
    intrinsics = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return Camera("front", width, height, intrinsics, make_transform(BASE_FROM_OPTICAL, [1.0, 0.0, 1.5]))


def ball(x, y, z, radius=1.0, **attributes):
    vertices, faces = sphere(16)
    return SceneItem(vertices.numpy() * radius, faces.numpy(), make_transform(np.eye(3), [x, y, z]), **attributes)


def square(x, half=1.0, **attributes):
    """Upright square facing the camera, at distance x in front of base_link, centred at camera height."""
    y, z = np.array([half, -half, -half, half]), np.array([-half, -half, half, half]) + 1.5
    vertices = np.stack([np.full(4, float(x)), y, z], axis=1)
    return SceneItem(vertices, np.array([[0, 1, 2], [0, 2, 3]]), **attributes)


def test_nearer_items_hide_farther_ones_and_depth_is_along_the_axis():
    render = render_scene(make_camera(), [square(21.0, half=8.0), square(11.0, half=1.0)])
    assert render.item_id[32, 48] == 1
    assert render.item_id[32, 70] == 0
    np.testing.assert_allclose(render.depth[render.item_id == 1], 10.0, rtol=1e-6)
    np.testing.assert_allclose(render.depth[render.item_id == 0], 20.0, rtol=1e-6)
    assert (render.depth[render.item_id == -1] == 0).all()
    # 2 m at 10 m and focal length 80: 16 pixels on a side.
    assert (render.item_id == 1).sum() == 16 * 16
    assert set(np.unique(render.triangle_id[render.item_id == 1])) == {0, 1}


def test_depth_far_away_stays_within_millimetres():
    render = render_scene(make_camera(), [square(301.0, half=20.0)])
    np.testing.assert_allclose(render.depth[render.item_id == 0], 300.0, atol=2e-3)


def test_left_in_base_link_is_left_in_the_image_and_up_is_up():
    render = render_scene(make_camera(), [ball(10, 2, 1.5), ball(10, 0, 3.5, radius=0.5)])
    columns = np.nonzero(render.item_id == 0)[1]
    rows = np.nonzero(render.item_id == 1)[0]
    assert columns.max() < 48
    assert rows.max() < 32


def test_the_back_of_a_face_is_dark_unless_both_sides_are_lit():
    """The sun stands behind the camera, which sees a square from behind."""
    front = square(11.0, half=2.0)
    back = SceneItem(front.vertices, front.faces[:, ::-1])
    lighting = Lighting(sun_direction=(-1.0, 0.0, 0.0), sun=0.5, ambient=0.25)
    dark, lit = (render_scene(make_camera(), [back], lighting, two_sided=both).color[32, 48] for both in (False, True))
    np.testing.assert_allclose(dark, 0.7 * 0.25, rtol=1e-5)
    np.testing.assert_allclose(lit, 0.7 * 0.75, rtol=1e-5)
    assert (render_scene(make_camera(), [back], cull_backfaces=True).item_id == -1).all()
    np.testing.assert_array_equal(
        render_scene(make_camera(), [front], lighting, two_sided=True).color,
        render_scene(make_camera(), [front], lighting).color,
    )


def test_color_is_albedo_times_light():
    lighting = Lighting(sun_direction=(-1.0, 0.0, 0.0), sun=0.5, ambient=0.25)
    red, green = np.tile([[1.0, 0, 0]], (2, 1)), np.tile([[0, 1.0, 0]], (4, 1))
    facing = render_scene(make_camera(), [square(9.0, face_colors=red)], lighting, background=(0.1, 0.2, 0.3))
    np.testing.assert_allclose(facing.color[32, 48], [0.75, 0, 0], atol=1e-6)
    np.testing.assert_allclose(facing.color[0, 0], [0.1, 0.2, 0.3])
    up = np.tile([[0, 0, 1.0]], (4, 1))
    tilted = render_scene(make_camera(), [square(9.0, vertex_colors=green, normals=up)], lighting)
    np.testing.assert_allclose(tilted.color[32, 48], [0, 0.25, 0], atol=1e-6)


def test_an_empty_scene_is_background():
    render = render_scene(make_camera(), [])
    assert (render.item_id == -1).all()
    assert not render.depth.any()
    assert len(item_visibility(make_camera(), [], render).visible_pixels) == 0


def test_an_item_behind_the_camera_is_not_drawn():
    render = render_scene(make_camera(), [ball(-10, 0, 1.5)])
    assert (render.item_id == -1).all()


@pytest.mark.parametrize("crop_size", [64, 16], ids=["every_pixel", "coarse_grid"])
def test_visibility_counts_occlusion_and_truncation(crop_size):
    camera = make_camera()
    items = [square(11.0, half=2.0), ball(6, 1.1, 1.5, radius=0.5), ball(16, 9.0, 1.5, radius=2.0)]
    render = render_scene(camera, items)
    seen = item_visibility(camera, items, render, crop_size=crop_size)
    tolerance = 1e-12 if crop_size == 64 else 0.15
    np.testing.assert_allclose(seen.visible_pixels, [(render.item_id == k).sum() for k in range(3)], rtol=tolerance)
    alone = [(render_scene(camera, [item]).item_id == 0).sum() for item in items]
    np.testing.assert_allclose(seen.inside_pixels, alone, rtol=tolerance)
    assert seen.unoccluded_fraction[1] == 1.0
    assert seen.unoccluded_fraction[2] == 1.0
    assert 0.75 < seen.unoccluded_fraction[0] < 0.95
    # The third ball stands half outside the left border.
    assert 0.2 < seen.visible_fraction[2] < 0.6


def test_crop_pixels_are_image_pixels():
    import torch

    pixels = torch.tensor([[10.0, 20.0], [16.0, 26.0]])
    ndc = (pixels + 0.5) / torch.tensor([96.0, 64.0]) * 2 - 1
    positions = torch.cat([ndc * 2, torch.zeros(2, 1), torch.full((2, 1), 2.0)], dim=1)
    cropped = crop_clip_positions(positions, torch.tensor([10.0, 20.0]), torch.tensor(3.0), (64, 96), (8, 8))
    crop_pixels = (cropped[:, :2] / cropped[:, 3:] + 1) / 2 * 8 - 0.5
    torch.testing.assert_close(crop_pixels, torch.tensor([[0.0, 0.0], [2.0, 2.0]]), atol=1e-5, rtol=0)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"SceneItem.face_colors: expected \(2, 3\), got \(3, 3\)"):
        square(5.0, face_colors=np.zeros((3, 3)))
