"""Lamps, puddles, snow, and looks beyond realism: what shows, and that labels stay as they are."""

from dataclasses import replace

import numpy as np
import pytest
from synth_scenes import plain_scene, standing

from airside_perception.errors import AirsideError
from airside_perception.records import GridSpec
from airside_perception.synth.ground import snow_covered
from airside_perception.synth.lamps import scene_lamps
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.scene import PATTERNS, GroundTexture, Pattern
from airside_perception.training.stream import training_samples

DARK = {"sun_color": np.zeros(3), "ambient_color": np.full(3, 0.02)}


def image_of(scene, camera):
    """Radiance: what the sensor makes of it is tested elsewhere."""
    backend = RasterBackend(scene)
    backend.geometry(0.0)
    return backend._render_linear(0.0, camera)


def pixel(camera, point):
    u, v = np.round(camera.project_base(np.array([point]))[0][0]).astype(int)
    return v, u


def test_a_mast_lights_the_ground_below_it_by_the_square_of_the_distance(small_rig):
    camera = small_rig.cameras["front"]
    scene = plain_scene([], small_rig)
    lit = replace(scene.lighting, **DARK, mast_color=np.full(3, 60.0), masts=np.array([[12.0, 0.0, 10.0]]))
    dark = image_of(replace(scene, lighting=replace(scene.lighting, **DARK)), camera)[0]
    radiance = image_of(replace(scene, lighting=lit), camera)[0] - dark
    below, beside = (radiance[pixel(camera, (12.0, y, 0.0))].mean() for y in (0.0, 8.0))
    expected = (100.25 / 164.25) ** 1.5  # cosine over squared distance
    assert beside / below == pytest.approx(expected, rel=0.15)


def test_headlights_shine_ahead_of_moving_vehicles_and_beacons_flash(small_rig):
    scene = build_scene(3, "train", small_rig, 4.0, layout="stands", condition="night")
    times = np.linspace(0, 2, 9)
    lamps = [scene_lamps(scene, t, most=60) for t in times]
    cones = lamps[0].cosine > -1
    assert cones.any()
    forward = scene.odom_from_base(0.0)[:3, 0]
    assert (lamps[0].direction[cones] @ forward).max() > 0.95
    brightness = np.array([each.color.sum() for each in lamps])
    assert np.ptp(brightness) > 0
    assert len(scene_lamps(scene, 0.0).position) <= 10


def test_day_scenes_have_no_lamps(scene):
    assert len(scene_lamps(scene, 0.0).position) == 0


def test_wet_ground_mirrors_what_stands_on_it_and_labels_stay(small_rig):
    camera = small_rig.cameras["front"]
    scene = plain_scene([standing("wall", (1.0, 30.0, 8.0), 25.0, 0.0, color=(0.9, 0.05, 0.05))], small_rig)
    dry = image_of(scene, camera)
    wet = image_of(replace(scene, lighting=replace(scene.lighting, wetness=1.0)), camera)
    np.testing.assert_array_equal(dry[2], wet[2])
    ground = np.zeros(wet[2].shape, bool)
    ground[pixel(camera, (23.5, 0.0, 0.0))[0] : pixel(camera, (16.0, 0.0, 0.0))[0]] = True
    ground &= wet[2] == -1

    def redness(radiance):
        return (radiance[ground][:, 0] / radiance[ground][:, 2]).mean()

    assert redness(wet[0]) > 1.1 * redness(dry[0])


def test_snow_lies_on_grass_before_it_lies_on_the_apron():
    albedo = np.full((400, 400, 3), 76, np.uint8)
    albedo[:, 200:] = (25, 38, 13)
    texture = GroundTexture(albedo, np.zeros(2), 0.1)
    white = [(snow_covered(texture, snow) > 150).all(axis=-1) for snow in (0.2, 1.0)]
    assert white[0][:, 200:].mean() > 3 * white[0][:, :190].mean()
    assert white[1].mean() > 0.6


@pytest.mark.parametrize("kind", PATTERNS)
def test_coats_change_colours_and_nothing_else(kind, small_rig):
    camera = small_rig.cameras["front"]
    scene = plain_scene([standing("box", (4.0, 6.0, 4.0), 10.0, 0.0)], small_rig)
    coat = Pattern(kind, np.array([[0.0, 0.0, 0.9], [0.0, 0.9, 0.0]]), 1.0, 1.0)
    plain, coated = (image_of(each, camera) for each in (scene, replace(scene, patterns=(coat,))))
    np.testing.assert_array_equal(plain[2], coated[2])
    np.testing.assert_array_equal(plain[1], coated[1])
    own = coated[0][coated[2] == 0]
    shares = own[:, 1] / np.maximum(own[:, 1] + own[:, 2], 1e-6)
    if kind == "plain":
        assert shares.std() < 0.1
    else:
        assert shares.std() > 0.1
        assert 0.1 < (shares > 0.5).mean() < 0.9


def test_a_randomised_scene_has_the_objects_of_the_realistic_one(small_rig):
    real, made = (build_scene(5, "train", small_rig, 2.0, look=look) for look in ("realistic", "randomised"))
    assert [each.object_id for each in real.objects] == [each.object_id for each in made.objects]
    assert not np.array_equal(real.ground.albedo, made.ground.albedo)
    assert len(made.patterns) == len(made.objects)
    camera = small_rig.cameras["front"]
    images = [RasterBackend(each).render(0.5, camera, np.random.default_rng(0)) for each in (real, made)]
    np.testing.assert_array_equal(images[0].item, images[1].item)
    assert np.abs(images[0].rgb.astype(int) - images[1].rgb).mean() > 10


def test_an_unknown_look_lists_the_known(small_rig):
    with pytest.raises(AirsideError, match="--look: expected one of realistic, randomised, got 'odd'"):
        build_scene(5, "train", small_rig, 2.0, look="odd")


def test_the_training_stream_draws_both_looks():
    grid = GridSpec((-16.0, -16.0, -1.2), (0.8, 0.8, 0.8), (40, 40, 8))
    for share in (0.0, 1.0):
        sample = next(training_samples(4, "train", grid, (64, 48), 1, 1, randomised_share=share))
        assert sample.images.shape == (1, 48, 64, 3)
        assert sample.images.std() > 1
