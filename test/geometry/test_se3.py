"""Laws of rigid transforms, checked on random poses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside_perception.geometry import (
    exp_se3,
    interpolate_transform,
    invert_transform,
    log_se3,
    make_transform,
    matrix_to_quaternion,
    pose_from_xyz_yaw,
    quaternion_to_matrix,
    rotate_vectors,
    rotation_z,
    transform_from_pose_dict,
    transform_points,
    wrap_angle,
    yaw_of,
)

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")

metres = st.floats(-200.0, 200.0)
positions = st.tuples(metres, metres, metres).map(np.array)
axes = st.tuples(*[st.floats(-1.0, 1.0)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)
angles = st.one_of(st.floats(-np.pi, np.pi), st.sampled_from([0.0, 1e-9, 1e-5, np.pi - 1e-9, np.pi, -np.pi]))


@st.composite
def twists(draw):
    axis = draw(axes)
    return np.concatenate([draw(positions), draw(angles) * axis / np.linalg.norm(axis)])


@given(twists(), twists(), positions)
def test_composition_and_inverse(first, second, point):
    a, b = exp_se3(first), exp_se3(second)
    assert invert_transform(a) @ a == pytest.approx(np.eye(4), abs=1e-9)
    composed = transform_points(a @ b, point)
    assert composed == pytest.approx(transform_points(a, transform_points(b, point)), abs=1e-9)
    assert invert_transform(a @ b) == pytest.approx(invert_transform(b) @ invert_transform(a), abs=1e-9)


@given(twists())
def test_exp_of_log_is_the_transform(twist):
    transform = exp_se3(twist)
    assert exp_se3(log_se3(transform)) == pytest.approx(transform, abs=1e-6)
    assert np.linalg.norm(log_se3(transform)[3:]) <= np.pi + 1e-9


def test_exp_matches_the_matrix_exponential():
    from scipy.linalg import expm

    rng = np.random.default_rng(3)
    for scale in (1e-6, 1e-3, 1.0, 3.0):
        rho, phi = rng.normal(size=3), rng.normal(size=3) * scale
        generator = np.zeros((4, 4))
        generator[:3, :3] = np.cross(np.eye(3), phi)
        generator[:3, 3] = rho
        assert exp_se3(np.concatenate([rho, phi])) == pytest.approx(expm(generator), abs=1e-10)


@given(twists())
def test_quaternion_round_trip(twist):
    rotation = exp_se3(twist)[:3, :3]
    quaternion = matrix_to_quaternion(rotation)
    assert np.linalg.norm(quaternion) == pytest.approx(1.0)
    assert quaternion[0] >= 0.0
    assert quaternion_to_matrix(quaternion) == pytest.approx(rotation, abs=1e-9)


def test_quaternion_order_is_w_first():
    half_turn_about_x = quaternion_to_matrix([0.0, 1.0, 0.0, 0.0])
    assert half_turn_about_x == pytest.approx(np.diag([1.0, -1.0, -1.0]))
    assert matrix_to_quaternion(rotation_z(np.pi / 2)) == pytest.approx([np.sqrt(0.5), 0, 0, np.sqrt(0.5)])


def test_zero_quaternion_is_refused():
    with pytest.raises(ValueError, match="non-zero length"):
        quaternion_to_matrix([0.0, 0.0, 0.0, 0.0])


@given(st.floats(-1000.0, 1000.0))
def test_wrap_angle_keeps_the_direction(angle):
    wrapped = wrap_angle(angle)
    assert -np.pi <= wrapped < np.pi
    assert np.exp(1j * wrapped) == pytest.approx(np.exp(1j * angle), abs=1e-9)


def test_wrap_angle_at_the_seam():
    assert wrap_angle([np.pi, -np.pi, -1e-20, 3 * np.pi]) == pytest.approx([-np.pi, -np.pi, 0.0, -np.pi])


def test_yaw_turns_x_towards_y():
    pose = pose_from_xyz_yaw(1.0, 2.0, 3.0, np.pi / 2)
    assert transform_points(pose, [1.0, 0.0, 0.0]) == pytest.approx([1.0, 3.0, 3.0])
    assert rotate_vectors(pose, [[1.0, 0.0, 0.0]]) == pytest.approx(np.array([[0.0, 1.0, 0.0]]))
    assert yaw_of(pose) == pytest.approx(np.pi / 2)


def test_batches_broadcast():
    poses = pose_from_xyz_yaw(np.arange(5.0), 0.0, 0.0, np.linspace(-1, 1, 5))
    points = np.random.default_rng(0).normal(size=(5, 7, 3))
    moved = transform_points(poses, points)
    for i in range(5):
        assert moved[i] == pytest.approx(transform_points(poses[i], points[i]))
    assert make_transform(np.eye(3), np.zeros((4, 2, 3))).shape == (4, 2, 4, 4)


def test_interpolation_takes_the_short_way_round():
    start, end = pose_from_xyz_yaw(0, 0, 0, np.deg2rad(170)), pose_from_xyz_yaw(4, 0, 0, np.deg2rad(-170))
    middle = interpolate_transform(start, end, 0.5)
    assert abs(np.rad2deg(yaw_of(middle))) == pytest.approx(180.0)
    assert middle[:3, 3] == pytest.approx([2.0, 0.0, 0.0])
    assert interpolate_transform(start, end, 0.0) == pytest.approx(start)
    assert interpolate_transform(start, end, 1.0) == pytest.approx(end)
    quarter = interpolate_transform(start, end, np.array([0.25, 0.75]))
    assert np.rad2deg(yaw_of(quarter)) == pytest.approx([175.0, -175.0])


def test_pose_dict():
    pose = transform_from_pose_dict({"translation": [1, 2, 3], "rotation": [np.sqrt(0.5), 0, 0, np.sqrt(0.5)]})
    assert pose == pytest.approx(pose_from_xyz_yaw(1, 2, 3, np.pi / 2))
    with pytest.raises(ValueError, match="rotation"):
        transform_from_pose_dict({"translation": [1, 2, 3], "rotation": [1, 0, 0]})
