"""Images and pixel labels: where a camera model says, what stands there, and the same for a seed."""

from dataclasses import replace

import numpy as np
import pytest
from synth_scenes import plain_scene, standing

from airside_perception.classes import AIRCRAFT, FREE, GROUND, GSE, OBSTACLE, PERSON, STRUCTURE
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform, transform_points
from airside_perception.rendering import rasterize
from airside_perception.synth.frames import render_frame
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.raster_light import ground_occlusion, texture_levels
from airside_perception.synth.rigs import pinhole
from airside_perception.synth.scene import Trajectory

LABELS = {"aircraft": AIRCRAFT, "gse": GSE, "person": PERSON, "structure": STRUCTURE, "obstacle": OBSTACLE}


def test_images_are_the_same_for_a_seed(scene, small_rig, frame):
    again = render_frame(RasterBackend(scene), scene, small_rig, 1.5, np.random.default_rng(0), None)
    for name, layers in frame.layers.items():
        np.testing.assert_array_equal(again.layers[name].rgb, layers.rgb)
        np.testing.assert_array_equal(again.layers[name].depth, layers.depth)
        np.testing.assert_array_equal(again.layers[name].item, layers.item)
    assert again.objects == frame.objects


def test_another_place_of_the_vehicle_looks_as_if_the_scene_had_begun_there(scene, small_rig):
    """Shadows and what hides the sky lie about the vehicle: they must come along."""
    camera = small_rig.cameras["left"]
    place = Trajectory.standing(12.0, -6.0, 2.0)
    moved, fresh = RasterBackend(scene), RasterBackend(replace(scene, ego=place))
    before = moved.render(1.5, camera, np.random.default_rng(0))
    moved.relight(scene.lighting, scene.sensor, place)
    found, expected = (each.render(1.5, camera, np.random.default_rng(0)) for each in (moved, fresh))
    np.testing.assert_array_equal(found.item, expected.item)
    np.testing.assert_array_equal(found.rgb, expected.rgb)
    assert (found.item != before.item).mean() > 0.05


def test_noise_differs_between_frames_but_labels_do_not(backend, small_rig):
    camera = small_rig.cameras["front"]
    first, second = (backend.render(1.5, camera, np.random.default_rng(seed)) for seed in (1, 2))
    assert not np.array_equal(first.rgb, second.rgb)
    np.testing.assert_array_equal(first.semantic, second.semantic)


def test_layers_have_the_camera_s_size_and_sound_values(frame):
    for layers in frame.layers.values():
        assert (layers.rgb.shape, layers.rgb.dtype) == ((120, 192, 3), np.uint8)
        assert (layers.depth.dtype, layers.semantic.dtype, layers.item.dtype) == (np.float32, np.uint8, np.int32)
        assert layers.rgb.std() > 10
        np.testing.assert_array_equal(layers.depth == 0, layers.item == -2)
        assert layers.depth.max() <= 400


def test_items_and_semantics_agree(scene, frame):
    for layers in frame.layers.values():
        for item in np.unique(layers.item):
            expected = {-2: FREE, -1: GROUND}.get(int(item))
            if expected is None:
                expected = LABELS[scene.objects[item].asset.class_name]
            assert set(np.unique(layers.semantic[layers.item == item])) == {expected}


def test_ground_pixels_lie_on_the_ground(scene, frame, small_rig):
    for name, layers in frame.layers.items():
        camera = small_rig.cameras[name]
        rows, columns = np.nonzero((layers.semantic == GROUND) & (layers.depth < 60))
        rays = camera.unproject(np.stack([columns, rows], 1).astype(float))
        points = rays / rays[:, 2:] * layers.depth[rows, columns][:, None]
        height = transform_points(scene.odom_from_base(1.5) @ camera.base_from_camera, points)[:, 2]
        assert len(height) > 100
        np.testing.assert_allclose(height, 0, atol=2e-3)


def test_a_box_appears_where_it_stands(small_rig):
    camera = small_rig.cameras["front"]
    front = standing("box", (2.0, 2.0, 2.0), 11.9, 0.0)
    layers = RasterBackend(plain_scene([front], small_rig)).render(0.0, camera, np.random.default_rng(0))
    pixels, depth, inside = camera.project_base(np.array([[10.9, 0.0, 1.0], [10.9, 0.9, 1.0], [10.9, -1.1, 1.0]]))
    assert inside.all()
    u, v = np.round(pixels).astype(int).T
    assert layers.item[v[0], u[0]] == 0
    assert layers.item[v[1], u[1]] == 0
    assert layers.item[v[2], u[2]] != 0
    assert layers.depth[v[0], u[0]] == pytest.approx(depth[0], abs=0.05)
    red, green, _ = layers.rgb[v[0], u[0]].astype(int)
    assert red > green + 60


def test_a_shadow_falls_away_from_the_sun_and_darkens_the_ground(small_rig):
    tower = standing("tower", (1.0, 1.0, 5.0), 12.0, 0.0)
    scene = plain_scene([tower], small_rig)
    scene.lighting.sun_direction[:] = np.array([0.0, -1.0, 1.0]) / np.sqrt(2)  # from the right
    layers = RasterBackend(scene).render(0.0, small_rig.cameras["front"], np.random.default_rng(0))

    def brightness(x, y):
        pixel, _, _ = small_rig.cameras["front"].project_base(np.array([[x, y, 0.0]]))
        u, v = np.round(pixel[0]).astype(int)
        assert layers.semantic[v, u] == GROUND
        return float(layers.rgb[v, u].mean())

    assert brightness(12.0, 3.0) < 0.8 * brightness(12.0, -3.0)


def test_low_things_darken_the_ground_beneath():
    height = np.full((60, 60), np.inf, np.float32)
    height[20:40, 20:40] = 0.3
    dark = ground_occlusion(height)
    assert dark[30, 30] > 0.6
    assert dark[2, 2] < 0.02
    assert 0.05 < dark[30, 42] < dark[30, 38] < dark[30, 30]
    height[20:40, 20:40] = 5.0
    assert ground_occlusion(height)[30, 30] < 0.25


def test_texture_levels_keep_the_mean():
    albedo = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    levels = texture_levels(albedo)
    assert [level.shape[0] for level in levels] == [64, 16, 4]
    for level in levels:
        np.testing.assert_allclose(level.mean(axis=(0, 1)), albedo.mean(axis=(0, 1)), atol=1.0)


def test_smooth_edges_mix_colours_and_leave_labels_alone(small_rig):
    tower = standing("tower", (2.0, 2.0, 4.0), 11.0, 0.3, yaw=0.4)
    scene, camera = plain_scene([tower], small_rig), small_rig.cameras["front"]
    steps, smooth = (
        RasterBackend(scene, smooth=wanted).render(0.0, camera, np.random.default_rng(0)) for wanted in (False, True)
    )
    np.testing.assert_array_equal(smooth.item, steps.item)
    np.testing.assert_array_equal(smooth.depth, steps.depth)
    changed = np.abs(smooth.rgb.astype(int) - steps.rgb).max(axis=2) > 8
    own = steps.item == 0
    at_edge = np.zeros_like(own)
    for axis in (0, 1):
        across = np.diff(own.astype(int), axis=axis) != 0
        before, after = (slice(None, -1), slice(1, None)) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        at_edge[before] |= across
        at_edge[after] |= across
    assert changed[at_edge].mean() > 0.2
    assert changed[~at_edge].mean() < 0.01, "only edges change"


def test_relighting_changes_the_image_but_not_the_truth(small_rig):
    from airside_perception.synth.lighting import random_lighting

    scene = plain_scene([standing("box", (3.0, 2.0, 2.0), 9.0, 1.0)], small_rig)
    backend = RasterBackend(scene)
    camera, rng = small_rig.cameras["front"], np.random.default_rng(1)
    day = backend.render(0.0, camera, rng)
    backend.relight(random_lighting(rng, "night")[0], scene.sensor)
    night = backend.render(0.0, camera, rng)
    assert night.rgb[:30].mean() < 0.6 * day.rgb[:30].mean()
    np.testing.assert_array_equal(night.item, day.item)
    np.testing.assert_array_equal(night.depth, day.depth)


def bent(model: str, distortion, width=320, height=200, focal=150.0) -> Camera:
    straight = pinhole("bent", width, height, 1.6, np.array([1.5, 0.2, 2.0]), 0.1, 0.12, 0.02)
    k = np.array([[focal, 0, 161.0], [0, focal, 98.0], [0, 0, 1.0]])
    return Camera("bent", width, height, k, straight.base_from_camera, model, np.array(distortion, float))


CAMERAS = {
    "pinhole": pinhole("bent", 320, 200, 1.6, np.array([1.5, 0.2, 2.0]), 0.1, 0.12, 0.02),
    "plumb_bob": bent("plumb_bob", [-0.18, 0.03, 0.001, -0.002, 0.0]),
    "equidistant": bent("equidistant", [0.05, -0.01, 0.002, 0.0]),
}


@pytest.mark.parametrize("model", CAMERAS)
def test_a_world_point_is_drawn_at_its_projected_pixel(model, small_rig):
    camera = CAMERAS[model]
    places = [(10, 0), (9, 5), (14, -6), (7, -3), (20, 8)]
    balls = [standing(f"cube_{k}", (0.7, 0.7, 0.7), x, y, lift=0.9) for k, (x, y) in enumerate(places)]
    layers = RasterBackend(plain_scene(balls, small_rig)).render(0.0, camera, np.random.default_rng(0))
    for index, ball in enumerate(balls):
        rows, columns = np.nonzero(layers.item == index)
        corners = np.array([[sx, sy, sz] for sx in (-1, 1) for sy in (-1, 1) for sz in (-1, 1)]) * 0.35
        pixels, _, inside = camera.project_base(corners + ball.box(0)[:3])
        assert inside.all()
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        np.testing.assert_allclose([columns.min(), rows.min()], low, atol=1.6)
        np.testing.assert_allclose([columns.max(), rows.max()], high, atol=1.6)
        middle, depth, _ = camera.project_base(ball.box(0)[:3] - [0.35, 0, 0])
        u, v = np.round(middle).astype(int)
        assert layers.depth[v, u] == pytest.approx(float(depth), abs=0.4)


def test_a_camera_that_sees_no_object_still_sees_ground_and_sky(small_rig):
    layers = RasterBackend(plain_scene([], small_rig)).render(0.0, small_rig.cameras["rear"], np.random.default_rng(0))
    assert set(np.unique(layers.item)) == {-2, -1}


def test_visible_pixels_are_those_of_the_rasteriser(backend, scene, frame, small_rig):
    import torch

    camera = small_rig.cameras["left"]
    geometry = backend.geometry(1.5)
    camera_from_odom = invert_transform(scene.odom_from_base(1.5) @ camera.base_from_camera)
    clip = camera.clip_positions(transform_points(camera_from_odom, geometry.vertices), 0.25, 400.0)
    raster = rasterize(torch.from_numpy(clip)[None], torch.from_numpy(geometry.faces), (120, 192), cull_backfaces=True)
    triangle = raster[0, ..., 3].numpy().astype(int) - 1
    item = np.where(triangle >= 0, geometry.face_items[triangle], -1)
    shown = frame.layers["left"].item
    assert (item[shown >= 0] == shown[shown >= 0]).mean() > 0.998
