import numpy as np
import pytest

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.object_range import cell_angles, decode_range, encode_range

HEIGHT = 2.0
SURE, UNSURE = -4.0, 3.0


def told(distance, log_spread, log_ground_spread, depression, span, height=HEIGHT):
    """What a network says that knows the distance, and how sure it is of each answer."""
    log_distance, ground = encode_range(distance, height, depression, span)
    return np.stack([log_distance, np.full_like(ground, log_spread), ground, np.full_like(ground, log_ground_spread)])


def test_both_answers_lead_back_to_the_distance():
    distance, depression = np.array([3.0, 12.0, 35.0]), np.array([0.2, 0.05, -0.1])
    span = np.full(3, 0.02)
    for spreads in ((SURE, UNSURE), (0.0, -3.0)):
        values = told(distance, *spreads, depression, span)
        found, error = decode_range(values, HEIGHT, depression, span)
        assert found == pytest.approx(distance, rel=1e-6)
        assert (error > 0).all()


def test_the_surer_answer_counts():
    depression, span = np.array([0.05]), np.array([0.02])
    values = told(np.array([12.0]), -2.0, 0.0, depression, span)
    _, ground = encode_range(np.array([18.0]), HEIGHT, depression, span)
    values[2] = ground
    for log_spread, log_ground_spread, expected in ((-4.0, 3.0, 12.0), (0.4, -3.0, 18.0)):
        values[1], values[3] = log_spread, log_ground_spread
        found, _ = decode_range(values, HEIGHT, depression, span)
        assert found[0] == pytest.approx(expected, rel=0.02)


def test_ground_ranges_near_objects_better_than_far_ones():
    """Half a cell is a hundredth of the distance under the bumper and a third of it far ahead."""
    distance, depression, span = np.array([4.0, 40.0]), np.array([0.1, 0.1]), np.full(2, 0.02)
    values = told(distance, 0.5, np.log(0.5), depression, span)
    _, error = decode_range(values, HEIGHT, depression, span)
    assert error[0] < 0.03
    assert 0.15 < error[1] < 0.25


@pytest.mark.parametrize("ground", [-1e3, 1e3])
def test_ground_above_the_horizon_or_behind_the_camera_says_nothing_wild(ground):
    values = np.array([[2.0], [-1.0], [ground], [-3.0]])
    found, error = decode_range(values, HEIGHT, np.array([0.1]), np.array([0.02]))
    assert np.isfinite(found).all()
    assert np.isfinite(error).all()
    assert 0.3 < found[0] < 150.0


def test_angles_are_those_of_the_camera():
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    camera = Camera("a", 128, 64, np.array([[60.0, 0, 63.5], [0, 60, 31.5], [0, 0, 1]]), pose)
    middle = np.array([[63.5, 31.5]])
    depression, span = cell_angles(camera, middle, 8.0)
    lower, _ = cell_angles(camera, middle + [0.0, 10.0], 8.0)
    assert span[0] == pytest.approx(8 / 60, rel=0.02)
    assert lower[0] > depression[0]
    fisheye = Camera("f", 128, 64, camera.intrinsics, camera.base_from_camera, "equidistant", np.zeros(4))
    assert cell_angles(fisheye, np.array([[0.0, 31.5]]), 8.0)[1][0] == pytest.approx(8 / 60, rel=0.05)
