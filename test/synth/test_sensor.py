"""From radiance to bytes: tone, noise, vignette, saturation; and the lights it looks at."""

import numpy as np
import pytest

from airside_perception.synth.lighting import CONDITIONS, random_lighting
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
    style = SensorStyle(1.2, (1.1, 1.0, 0.9), 0.0, 0.0, 0.0, 0.3, 1.3, 2.1)
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


def test_night_is_darker_and_noisier_than_day():
    day, night = random_sensor(np.random.default_rng(1), False), random_sensor(np.random.default_rng(1), True)
    assert night.read_noise > day.read_noise
    light = {name: random_lighting(np.random.default_rng(1), name)[0] for name in ("clear", "night")}
    assert light["night"].sky_zenith.max() < 0.1 * light["clear"].sky_zenith.max()
