import numpy as np
import pytest
from surround_cameras import surround_camera

from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.records import GridSpec


@pytest.fixture
def ring():
    """Four cameras all around, 94 degrees wide each."""
    return [surround_camera(np.pi / 2 * index, f"camera_{index}") for index in range(4)]


@pytest.fixture
def small_spec():
    """A network small enough for tests: 16 m x 16 m x 4 m grid, 128x64 images."""
    return NetworkSpec(
        grid=GridSpec((-8.0, -8.0, -1.0), (1.0, 1.0, 1.0), (16, 16, 4)),
        image_size=(128, 64),
        lift_heights=(0.0, 1.0),
        depth_bins=12,
        depth_range=(1.0, 20.0),
        lift_channels=8,
        encoder_channels=(8, 16, 16, 16),
        encoder_blocks=(1, 1, 1, 1),
        bev_channels=(16, 16, 16),
    )
