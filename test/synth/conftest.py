"""A small rig and one rendered test scene that several files share."""

import numpy as np
import pytest

from airside_perception.geometry.rig import Rig
from airside_perception.records import GridSpec
from airside_perception.synth.frames import render_frame
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.rigs import pinhole
from airside_perception.synth.scenario import build_scene

GRID = GridSpec((-40.0, -40.0, -1.2), (0.8, 0.8, 0.8), (100, 100, 16))


@pytest.fixture(scope="session")
def small_rig() -> Rig:
    """Four cameras of 192 x 120 pixels on a roof."""
    places = {"front": (1.9, 0, 2, 0.0), "left": (0.8, 0.75, 2, 1.57), "rear": (-0.5, 0, 2, 3.14)}
    places["right"] = (0.8, -0.75, 2, -1.57)
    return Rig(
        {name: pinhole(name, 192, 120, 1.7, np.array(at[:3]), at[3], 0.14) for name, at in places.items()}, name="small"
    )


@pytest.fixture(scope="session")
def scene(small_rig):
    """A test scene in clear light."""
    return build_scene(7, "test", small_rig, duration_s=4.0, condition="clear")


@pytest.fixture(scope="session")
def backend(scene):
    return RasterBackend(scene)


@pytest.fixture(scope="session")
def frame(backend, scene, small_rig):
    """All cameras and all truth at 1.5 s."""
    return render_frame(backend, scene, small_rig, 1.5, np.random.default_rng(0), GRID)
