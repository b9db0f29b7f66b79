"""Rigs by name and by chance, and what a wide lens sees."""

from dataclasses import replace

import numpy as np
import pytest
from synth_scenes import plain_scene, standing

from airside_perception.errors import AirsideError
from airside_perception.synth.annotate import pixel_counts
from airside_perception.synth.bent_camera import (
    SIGHT_FIRST,
    SIGHT_STRIDE,
    BentCamera,
    bent_camera,
    pixel_rays,
    sight_rays,
)
from airside_perception.synth.pixel_layers import PixelLayers
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.rigs import LENSES, PRESETS, fisheye, preset_rig, random_rig, rotation_from_angles

CAMERAS = {
    "front_mono": (1, 0), "four_surround": (4, 0), "four_fisheye": (4, 4), "six_surround": (6, 0),
    "six_mixed": (6, 4), "eight_surround": (8, 0),
}  # fmt: skip
"""Cameras of each preset, and how many of them are fisheyes."""


def horizontal_view(camera):
    """Degrees between the rays of the middle row's ends; fisheyes may exceed 180."""
    cy = camera.intrinsics[1, 2]
    rays = camera.unproject([[-0.5, cy], [camera.width - 0.5, cy]])
    return float(np.degrees(np.arccos(np.clip(rays[:, 2], -1, 1)).sum()))


def test_random_rigs_look_around():
    for seed in range(20):
        rig = random_rig(np.random.default_rng(seed), (640, 384), cameras=4)
        axes = np.array([camera.base_from_camera[:3, 2] for camera in rig.cameras.values()])
        bearings = np.sort(np.degrees(np.arctan2(axes[:, 1], axes[:, 0])))
        gaps = np.diff([*bearings, bearings[0] + 360])
        assert gaps.max() < 115
        assert np.all(np.abs(axes[:, 2]) < 0.65)
        assert {(c.width, c.height) for c in rig.cameras.values()} == {(640, 384)}


def test_random_rigs_cover_counts_heights_views_and_lenses():
    rigs = [random_rig(np.random.default_rng(seed), (320, 192)) for seed in range(150)]
    cameras = [camera for rig in rigs for camera in rig.cameras.values()]
    assert {len(rig.names) for rig in rigs} == set(range(1, 9))
    assert {camera.distortion_model for camera in cameras} == set(LENSES)
    heights = np.array([camera.position[2] for camera in cameras])
    assert 0.8 <= heights.min() < 1.0
    assert 3.7 < heights.max() <= 4.0
    views = np.array([horizontal_view(camera) for camera in cameras])
    assert 49 < views.min() < 60
    assert 175 < views.max() <= 192


@pytest.mark.parametrize("lens", LENSES)
def test_random_lenses_can_be_inverted_everywhere_in_the_image(lens):
    for seed in range(12):
        camera = next(iter(random_rig(np.random.default_rng(seed), (320, 200), 1, lens).cameras.values()))
        columns, rows = np.meshgrid(np.arange(320), np.arange(200))
        back, valid = camera.project(pixel_rays(camera))
        assert valid.all()
        np.testing.assert_allclose(back, np.stack([columns, rows], axis=-1), atol=1e-3)


def test_an_unknown_lens_lists_the_known():
    with pytest.raises(AirsideError, match=r"lens: expected one of pinhole, plumb_bob, .*got 'fish'"):
        random_rig(np.random.default_rng(0), (320, 200), lens="fish")


def test_angles_of_a_mounting():
    np.testing.assert_allclose(rotation_from_angles(np.pi / 2, 0, 0)[:, 2], [0, 1, 0], atol=1e-12)
    down = rotation_from_angles(0, 0.3, 0)[:, 2]
    np.testing.assert_allclose(down, [np.cos(0.3), 0, -np.sin(0.3)], atol=1e-12)
    np.testing.assert_allclose(rotation_from_angles(0, 0, 0)[:, 0], [0, -1, 0], atol=1e-12)  # image right is -y


@pytest.mark.parametrize("name", PRESETS)
def test_presets_load(name):
    models = [camera.distortion_model for camera in preset_rig(name).cameras.values()]
    assert (len(models), models.count("equidistant")) == CAMERAS[name]


def test_an_unknown_preset_lists_the_known():
    with pytest.raises(AirsideError, match=r"front_mono, four_surround, .*, got 'five'"):
        preset_rig("five")


@pytest.fixture(scope="module")
def wide():
    """A fisheye of 210 degrees that looks ahead, boxes all around it, and its layers."""
    camera = fisheye("wide", 420, 300, np.radians(210), np.array([0.0, 0.0, 1.5]), 0.0, 0.1)
    angles = np.radians([0, 35, -50, 72, -75, 97, -97])
    boxes = [
        standing(f"box_{k}", (1.4, 1.4, 1.6), 7 * np.cos(a), 7 * np.sin(a), lift=0.6) for k, a in enumerate(angles)
    ]
    scene = plain_scene(boxes, preset_rig("front_mono"))
    backend = RasterBackend(scene)
    return scene, camera, backend, backend.render(0.0, camera, np.random.default_rng(0))


def test_a_fisheye_labels_what_stands_beside_and_behind_it(wide):
    scene, camera, _, layers = wide
    for index, item in enumerate(scene.objects):
        middle, _, inside = camera.project_base(item.box(0)[:3])
        assert inside
        u, v = np.round(middle).astype(int)
        assert layers.item[v, u] == index
        rows, columns = np.nonzero(layers.item == index)
        corners = np.array([[x, y, z] for x in (-0.7, 0.7) for y in (-0.7, 0.7) for z in (-0.8, 0.8)])
        pixels, _, _ = camera.project_base(corners + item.box(0)[:3])
        np.testing.assert_allclose([columns.min(), rows.min()], pixels.min(axis=0), atol=2.0)
        np.testing.assert_allclose([columns.max(), rows.max()], pixels.max(axis=0), atol=2.0)


def test_depth_of_a_fisheye_runs_along_its_own_axis_and_ends_at_a_right_angle(wide):
    _, camera, _, layers = wide
    rays = pixel_rays(camera)
    behind = rays[..., 2] <= 0
    assert behind.any()
    assert np.all(layers.depth[behind] == 0)
    assert set(np.unique(layers.item[behind])) >= {-2, -1, 5, 6}
    known = (layers.depth > 0) & (layers.item == -1)
    points = rays[known] / rays[known][:, 2:] * layers.depth[known][:, None]
    height = points @ camera.base_from_camera[2, :3] + camera.position[2]
    # The nearest pixel of a face is up to half a pixel off.
    near = np.linalg.norm(points, axis=1) < 12
    assert np.percentile(np.abs(height[near]), 95) < 0.06


def test_other_layers_of_a_fisheye_reach_as_far(wide):
    scene, camera, _, layers = wide
    made = PixelLayers(scene).render(0.0, camera, ("instance", "normals"))
    np.testing.assert_array_equal(made["instance"], np.maximum(layers.item + 1, 0))
    ground = layers.item == -1
    np.testing.assert_allclose(made["normals"][ground], np.broadcast_to([0, 0, 1], (ground.sum(), 3)), atol=1e-6)


def test_boxes_that_nothing_hides_are_wholly_visible_to_a_fisheye(wide):
    scene, camera, backend, layers = wide
    visible, amodal = pixel_counts(scene, backend.geometry(0.0), np.eye(4), camera, layers)
    assert np.all(visible > 100)
    # Counted on every second pixel: an upright box may lose a row and a column.
    assert np.all(visible / amodal > 0.85)


@pytest.mark.parametrize("lens", ["plumb_bob", "rational_polynomial", "equidistant"])
def test_pixels_are_taken_from_where_their_rays_point(lens):
    for seed in range(4):
        camera = next(iter(random_rig(np.random.default_rng(seed), (322, 199), 1, lens).cameras.values()))
        bent, rays = BentCamera(camera), pixel_rays(camera) @ camera.base_from_camera[:3, :3].T
        columns = [np.meshgrid(np.arange(face.width), np.arange(face.height)) for face in bent.faces]
        u, v = (bent.resample_labels([each[k] for each in columns], -2) for k in (0, 1))
        number = bent.resample_labels([np.full(c[0].shape, k) for k, c in enumerate(columns)], -2)
        assert number.min() >= 0
        off = np.zeros(number.shape)
        for k, face in enumerate(bent.faces):
            pixels, _ = face.project(rays @ face.base_from_camera[:3, :3])
            away = np.abs(pixels - np.stack([u, v], axis=-1)).max(axis=-1)
            off = np.where(number == k, away, off)
        assert off.max() < 0.56  # the nearest pixel, and what interpolated rays add


def test_a_lens_at_another_place_is_looked_up_and_not_made_again():
    first, second = random_rig(np.random.default_rng(3), (160, 96), 2, "equidistant").cameras.values()
    moved = replace(first, name="elsewhere", base_from_camera=second.base_from_camera)
    bent, again, anew = bent_camera(first), bent_camera(moved), BentCamera(moved)
    assert again.camera is moved
    assert again.seen is bent.seen, "not computed again"
    assert [f.name for f in again.faces] == ["elsewhere"] * len(anew.faces)
    for face, wanted in zip(again.faces, anew.faces, strict=True):
        assert np.allclose(face.base_from_camera, wanted.base_from_camera)
        assert np.allclose(face.intrinsics, wanted.intrinsics)


def test_a_mounted_lens_and_its_thinned_copy_are_made_once():
    first, second = random_rig(np.random.default_rng(3), (160, 96), 2, "equidistant").cameras.values()
    moved = replace(first, name="elsewhere", base_from_camera=second.base_from_camera)
    assert bent_camera(first) is bent_camera(first)
    assert bent_camera(moved) is bent_camera(moved)
    assert bent_camera(moved).thinned(2) is bent_camera(moved).thinned(2)
    assert bent_camera(moved).thinned(2).faces[0].name == "elsewhere"


def test_pixels_under_masks_are_counted_as_labels_are_taken(wide):
    _, camera, _, _ = wide
    thin = BentCamera(camera).thinned(2)
    rng = np.random.default_rng(0)
    masks = [rng.random((3, face.height, face.width)) < 0.4 for face in thin.faces]
    expected = [thin.resample_labels([mask[k] for mask in masks], 0).sum() for k in range(3)]
    # Rays of circles that end half way between two pixels may round to either.
    np.testing.assert_allclose(thin.count_pixels(masks), expected, rtol=0.02)


@pytest.mark.parametrize("lens", ["pinhole", "plumb_bob", "equidistant"])
def test_rays_of_sight_are_those_of_the_pixels(lens):
    camera = next(iter(random_rig(np.random.default_rng(1), (322, 199), 1, lens).cameras.values()))
    rays = sight_rays(camera)
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    expected = pixel_rays(camera)[:, SIGHT_FIRST::SIGHT_STRIDE].reshape(-1, 3)
    assert rays.shape == expected.shape
    assert np.abs(rays - expected).max() < 1e-3


def test_labels_of_a_fisheye_are_never_blended(wide):
    _, camera, _, _ = wide
    bent = BentCamera(camera)
    assert len(bent.faces) == 5
    checker = [np.where(np.indices((f.height, f.width)).sum(axis=0) % 2, 7, 100) for f in bent.faces]
    assert set(np.unique(bent.resample_labels(checker, -2))) <= {-2.0, 7.0, 100.0}
