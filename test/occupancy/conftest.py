import numpy as np
import pytest
from small_network import SMALL_SPEC
from surround_cameras import surround_camera


@pytest.fixture
def ring():
    """Four cameras all around, 94 degrees wide each."""
    return [surround_camera(np.pi / 2 * index, f"camera_{index}") for index in range(4)]


@pytest.fixture
def small_spec():
    """16 m x 16 m x 4 m grid, 128 x 64 images."""
    return SMALL_SPEC
