"""From radiance to bytes: tone, noise, vignette, saturation; and the lights it looks at."""

from dataclasses import replace

import numpy as np
import pytest

from airside_perception.synth.lens import through_lens
from airside_perception.synth.lighting import CONDITIONS, daylight, random_lighting
from airside_perception.synth.precipitation import precipitation
from airside_perception.synth.scene import SensorStyle
from airside_perception.synth.sensor import expose, random_sensor

QUIET = SensorStyle(shot_noise=0.0, read_noise=0.0, blur_px=0.0, vignette=0.0)


def grey(level, shape=(60, 80)):
    return np.full((*shape, 3), level, np.float32)


def slow_expose(radiance, style):
    """The same development without noise and blur, in plain numpy."""
    y, x = np.linspace(-1, 1, radiance.shape[0])[:, None], np.linspace(-1, 1, radiance.shape[1])[None]
    image = radiance * style.gain * np.asarray(style.white_balance)
    image = image * (1 - style.vignette * (x**2 + y**2) / 2)[..., None]
    image = image * (1 + image / 6) / (1 + 0.75 * image)
    mean = image.mean(axis=-1, keepdims=True)
    image = np.clip(mean + style.saturation * (image - mean), 0, 1)
    return 255 * image ** (1 / style.gamma)


def test_agrees_with_the_slow_twin():
    style = SensorStyle(
        gain=1.2, white_balance=(1.1, 1.0, 0.9), shot_noise=0.0, read_noise=0.0, blur_px=0.0, vignette=0.3,
        saturation=1.3, gamma=2.1,
    )  # fmt: skip
    radiance = np.random.default_rng(0).uniform(0, 1.5, (40, 64, 3)).astype(np.float32)
    image = expose(radiance, style, np.random.default_rng(0))
    assert image.dtype == np.uint8
    slow = slow_expose(radiance, style)
    # The first steps of the gamma table are coarse.
    np.testing.assert_allclose(image[slow > 15], slow[slow > 15], atol=1.5)
    np.testing.assert_allclose(image, slow, atol=5)


def test_brighter_stays_brighter_and_sunlit_white_keeps_its_tones():
    levels = [
        int(expose(grey(level), QUIET, np.random.default_rng(0))[0, 0, 0]) for level in (0.0, 0.05, 0.3, 1.0, 2.0)
    ]
    assert levels == sorted(levels)
    assert levels[0] == 0
    assert len(set(levels)) == 5


def test_noise_has_the_asked_for_strength_and_comes_from_the_seed():
    style = SensorStyle(shot_noise=0.0, read_noise=0.01, blur_px=0.0, vignette=0.0, gamma=1.0)
    images = [expose(grey(0.3, (300, 400)), style, np.random.default_rng(seed)).astype(float) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])
    slope = 255 * np.diff(slow_expose(np.array([[[0.299] * 3, [0.301] * 3]]), style)[0, :, 0])[0] / 255 / 0.002
    assert images[0].std() == pytest.approx(0.01 * slope, rel=0.1)


def test_vignette_darkens_corners_only():
    image = expose(
        grey(0.4), SensorStyle(0.9, vignette=0.4, shot_noise=0, read_noise=0, blur_px=0), np.random.default_rng(0)
    )
    assert image[30, 40, 0] > image[0, 0, 0] + 20


def test_images_larger_than_the_noise_tile_are_exposed():
    assert (
        expose(grey(0.3, (800, 1200)), random_sensor(np.random.default_rng(0), False), np.random.default_rng(0)).mean()
        > 20
    )


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_gives_sound_light(condition):
    for seed in range(5):
        light, name = random_lighting(np.random.default_rng(seed), condition)
        assert name == condition
        assert np.linalg.norm(light.sun_direction) == pytest.approx(1.0)
        assert light.sun_direction[2] > 0
        for color in (light.sun_color, light.ambient_color, light.sky_zenith, light.sky_horizon):
            assert np.all(color >= 0)
            assert np.all(color < 3)
    assert (light.wetness > 0) == (condition == "wet") or condition == "night"
    assert (light.snow > 0) == (condition == "snow")
    assert np.any(light.mast_color) == (condition in ("night", "dusk"))


def test_the_sky_follows_the_sun():
    noon, evening, after = (daylight(np.radians(angle)) for angle in (50, 4, -4))
    assert noon.sun[2] / noon.sun[0] > 0.85
    assert evening.sun[2] / evening.sun[0] < 0.4
    assert after.sun.max() < 0.01
    for name in ("zenith", "horizon", "ambient"):
        levels = [getattr(each, name).mean() for each in (noon, evening, after)]
        assert levels == sorted(levels, reverse=True)
    assert evening.glow[0] > 0.3
    assert not noon.glow.any()


def test_effects_that_are_off_cost_and_change_nothing():
    radiance = np.random.default_rng(0).uniform(0, 1.5, (40, 64, 3)).astype(np.float32)
    assert through_lens(radiance, QUIET) is radiance
    assert precipitation(radiance, 0.0, 0.0, np.random.default_rng(0)) is radiance


def test_bright_lights_spread_and_throw_ghosts_across_the_middle():
    radiance = np.zeros((120, 200, 3), np.float32)
    radiance[28:36, 48:56] = 30.0
    spread = through_lens(radiance, replace(QUIET, bloom=0.2))
    assert spread[42, 62].min() > 0.02
    assert spread[110, 190].max() < spread[42, 62].min()
    ghosts = through_lens(radiance, replace(QUIET, flare=0.2))
    assert ghosts[119 - 32, 199 - 52].max() > 10 * ghosts[119 - 32, 52].max()


def test_fringes_part_red_and_blue_at_the_edge_and_not_in_the_middle():
    radiance = np.zeros((101, 201, 3), np.float32)
    radiance[:, 190:] = 1.0
    radiance[:, 100:102] = 1.0
    fringed = through_lens(radiance, replace(QUIET, aberration_px=3.0))
    edge = [int(np.argmax(fringed[50, 150:, channel] > 0.5)) for channel in range(3)]
    assert edge[0] - edge[2] == pytest.approx(2 * 3.0 * 90 / np.hypot(100, 50), abs=1.5)
    middle = [int(np.argmax(fringed[50, :, channel] > 0.5)) for channel in range(3)]
    assert max(middle) - min(middle) <= 1


def test_motion_smears_along_its_way_only():
    radiance = np.zeros((41, 61, 3), np.float32)
    radiance[20, 30] = 1.0
    smeared = through_lens(radiance, replace(QUIET, motion_px=(6.0, 0.0)))[..., 1]
    assert smeared.sum() == pytest.approx(1.0, abs=1e-3)
    assert smeared[20, 28] > 0.1
    assert smeared[18, 30] == 0


@pytest.mark.parametrize("effect", ["dirt", "drops"])
def test_what_lies_on_a_lens_stays_there_and_differs_between_cameras(effect):
    radiance = np.random.default_rng(0).uniform(0.2, 1.0, (12, 20, 3)).astype(np.float32)
    radiance = np.kron(radiance, np.ones((10, 10, 1), np.float32))
    style = replace(QUIET, **{effect: 0.8}, lens_seed=5)
    first, again, other = (through_lens(radiance, style, camera) for camera in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    changed = np.abs(first - radiance).max(axis=-1) > 0.05
    assert 0.02 < changed.mean() < 0.9
    assert np.abs(first - other).max() > 0.1


def test_the_image_processor_leaves_its_marks():
    radiance = np.full((64, 96, 3), 0.15, np.float32)
    radiance[:, 48:] = 0.5
    plain, sharp = (
        expose(radiance, replace(QUIET, sharpen=s), np.random.default_rng(0))[32, :, 0].astype(int) for s in (0.0, 1.0)
    )
    assert sharp.max() > plain.max() + 8
    assert sharp.min() < plain.min() - 8
    noisy = np.random.default_rng(0).uniform(0, 1, radiance.shape).astype(np.float32)
    packed = expose(noisy, replace(QUIET, jpeg_quality=15), np.random.default_rng(0)).astype(int)
    assert np.abs(packed - expose(noisy, QUIET, np.random.default_rng(0))).mean() > 5
    grey_image = expose(noisy, replace(QUIET, monochrome=True), np.random.default_rng(0))
    assert np.ptp(grey_image.astype(int), axis=-1).max() == 0


@pytest.mark.parametrize(("rain", "snowfall"), [(0.8, 0.0), (0.0, 0.8)])
def test_drops_and_flakes_cover_some_of_the_picture_by_the_seed(rain, snowfall):
    radiance = np.full((200, 320, 3), 0.3, np.float32)
    first, again, other = (precipitation(radiance, rain, snowfall, np.random.default_rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert 0.01 < (np.abs(first - radiance).max(axis=-1) > 0.01).mean() < 0.5


def test_night_is_darker_and_noisier_than_day():
    day, night = random_sensor(np.random.default_rng(1), False), random_sensor(np.random.default_rng(1), True)
    assert night.read_noise > day.read_noise
    light = {name: random_lighting(np.random.default_rng(1), name)[0] for name in ("clear", "night")}
    assert light["night"].sky_zenith.max() < 0.1 * light["clear"].sky_zenith.max()
