"""From a scene's radiance to the image that its camera and exposure control give."""

from __future__ import annotations

import zlib

import numpy as np

from airside_perception.synth.precipitation import precipitation
from airside_perception.synth.scene import Scene
from airside_perception.synth.sensor import expose

DARKEST = 0.06
"""Mean radiance below which exposure control has no more to give."""


def developed(radiance: np.ndarray, scene: Scene, rng: np.random.Generator, camera: str = "") -> np.ndarray:
    """(H, W, 3) uint8 image of linear radiance as the scene's camera and its exposure control give it.

    Args:
        radiance: (H, W, 3) float32 linear.
        scene: its light and sensor.
        rng: noise, drops and flakes in the air.
        camera: name of the camera: each has dirt and drops of its own on its lens.
    """
    # Exposure control: bring the mean to a middle grey, as a camera's own loop would, only part of the way.
    # A sensor's gain ends somewhere: what is darker than DARKEST stays dark.
    mean = float(np.clip(radiance[::4, ::4].mean(), DARKEST, 50.0))
    exposed = radiance * np.float32(scene.lighting.exposure * (0.34 / mean) ** scene.sensor.metering)
    falling = precipitation(exposed, scene.lighting.rain, scene.lighting.snowfall, rng)
    return expose(falling, scene.sensor, rng, zlib.crc32(camera.encode()))
