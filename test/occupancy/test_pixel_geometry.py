import numpy as np
import pytest
from surround_cameras import surround_camera

from airside_perception.geometry.cameras import Camera
from airside_perception.occupancy.network_spec import LIFT_STRIDE
from airside_perception.occupancy.pixel_geometry import GEOMETRY_CHANNELS, pixel_geometry


def test_the_ground_lies_where_the_rays_meet_it(small_spec, ring):
    maps = pixel_geometry(ring, small_spec)
    assert maps.shape == (4, GEOMETRY_CHANNELS, 16, 32)
    for camera, channels in zip(ring, maps, strict=True):
        scaled = camera.resized(*small_spec.image_size)
        for row, column in ((12, 3), (15, 20), (10, 31)):
            pixel = (np.array([column, row]) + 0.5) * LIFT_STRIDE - 0.5
            point, hit = scaled.ground_intersection(pixel)
            distance = np.linalg.norm(point - camera.position)
            assert hit
            assert channels[0, row, column] == pytest.approx(5.0 / distance, rel=0.02)
            assert channels[2, row, column] == pytest.approx(-camera.position[2] / distance, rel=0.02)
        assert (channels[0, 0] < 0).all(), "above the horizon no ray comes down"
        assert np.allclose(channels[3], (camera.position[2] - 2) / 2, atol=1e-6)


def test_a_longer_lens_has_more_pixels_per_radian_whatever_its_image_size(small_spec):
    short = surround_camera(0.0, "a", size=(128, 64), focal=60)
    long = surround_camera(0.0, "b", size=(256, 128), focal=240)
    maps = pixel_geometry([short, long], small_spec)
    middle = maps[:, 1, 8, 16]
    assert middle[0] == pytest.approx(np.log(60 / 400), abs=0.02)
    assert middle[1] - middle[0] == pytest.approx(np.log(2), abs=0.02)
    assert maps[0, 4, 8, 16] == pytest.approx(1.0, abs=0.01)


def test_fisheyes_and_cameras_on_the_ground_stay_finite(small_spec):
    pose = surround_camera(0.0, "a").base_from_camera.copy()
    pose[2, 3] = 0.0
    intrinsics = np.array([[40.0, 0, 64], [0, 40, 32], [0, 0, 1]])
    fisheye = Camera("f", 128, 64, intrinsics, pose, "equidistant", np.array([0.05, -0.01, 0.0, 0.0]))
    maps = pixel_geometry([fisheye], small_spec)
    assert np.isfinite(maps).all()
    assert np.abs(maps).max() <= 3.0
