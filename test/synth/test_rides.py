"""Paths and rides: round corners, bounded accelerations, stops, reversing, rigid attachment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside_perception.synth.paths import rounded_path
from airside_perception.synth.rides import ACCELERATION, Leg, carried, plan_ride
from airside_perception.synth.scene import Trajectory

CORNER = rounded_path([(0, 0), (30, 0), (30, 20)], 8.0)


def speeds_along(path):
    """(T,) m/s in the direction that the vehicle faces, between knots."""
    steps = np.diff(path.positions, axis=0) / np.diff(path.times)[:, None]
    return steps[:, 0] * np.cos(path.yaws[:-1]) + steps[:, 1] * np.sin(path.yaws[:-1])


def test_a_corner_is_an_arc_of_its_radius():
    assert CORNER.length == pytest.approx(30 + 20 - 2 * 8 + 8 * np.pi / 2, abs=0.01)
    half_way = 22.0 + 8 * np.pi / 4
    expected = (30 - 8 * (1 - np.sin(np.pi / 4)), 8 * (1 - np.cos(np.pi / 4)), np.pi / 4)
    np.testing.assert_allclose(CORNER.places(np.array([half_way]))[0], expected, atol=0.01)
    np.testing.assert_allclose(
        CORNER.places(np.array([-5.0, CORNER.length + 4.0]))[:, :2], [(-5, 0), (30, 24)], atol=1e-6
    )
    assert CORNER.curvature(np.array([28.0]))[0] == pytest.approx(1 / 8, rel=0.01)
    assert CORNER.curvature(np.array([5.0]))[0] == pytest.approx(0.0, abs=1e-9)


@given(st.lists(st.tuples(st.floats(5, 25), st.floats(-2.2, 2.2)), min_size=1, max_size=4), st.floats(1, 10))
def test_paths_have_no_jumps_and_head_where_they_go(pieces, radius):
    points, heading = [np.zeros(2)], 0.0
    for length, turn in pieces:
        heading += turn
        points.append(points[-1] + length * np.array([np.cos(heading), np.sin(heading)]))
    path = rounded_path(points, radius)
    places = path.places(np.linspace(0, path.length, 200))
    steps = np.diff(places[:, :2], axis=0)
    assert np.linalg.norm(steps, axis=1).max() < path.length / 199 * 1.01
    course = np.arctan2(steps[:, 1], steps[:, 0])
    middle = (places[1:, 2] + places[:-1, 2]) / 2
    off = np.abs((course - middle + np.pi) % (2 * np.pi) - np.pi)
    assert np.median(off) < 0.02


def test_a_ride_obeys_speeds_bends_stops_and_accelerations():
    path = plan_ride([Leg(CORNER, 5.0, stops=((10.0, 2.0),))]).trajectory(40.0)
    speed = speeds_along(path)
    assert speed.min() >= -1e-9
    assert 3.0 < speed.max() <= 5.0
    assert np.abs(np.diff(speed)).max() <= 1.05 * ACCELERATION * 0.05
    standing = np.linalg.norm(path.positions - [10.0, 0.0], axis=1) < 1e-3
    assert standing.sum() * 0.05 == pytest.approx(2.0, abs=0.2)
    bend = (path.yaws > 0.1) & (path.yaws < 1.4)
    assert speed[bend[:-1]].max() < np.sqrt(8.0) + 0.05  # 1 m/s2 across at 8 m radius


def test_legs_may_be_driven_backwards_without_turning_the_vehicle():
    back = rounded_path([(30, 20), (30, 8)], 1.0)
    ride = plan_ride([Leg(CORNER, 3.0), Leg(back, 1.0, reverse=True, pause_s=1.5)])
    path = ride.trajectory(ride.end_s)
    np.testing.assert_allclose(path.at(ride.end_s), (30, 8, np.pi / 2), atol=1e-3)
    assert speeds_along(path).min() == pytest.approx(-1.0, abs=0.01)
    assert np.abs(np.diff(path.yaws)).max() < 0.05


def test_rides_can_be_shifted_in_time():
    ride = plan_ride([Leg(CORNER, 3.0)]).ending_at(7.0)
    path = ride.trajectory(9.0)
    np.testing.assert_allclose(path.at(7.0)[:2], (30, 20), atol=1e-3)
    np.testing.assert_allclose(path.at(8.9)[:2], (30, 20), atol=1e-3)
    assert np.linalg.norm(path.velocity(2.0)) > 1.0


def test_what_is_carried_keeps_its_place():
    wing_tip = carried(Trajectory.standing(1, 2, np.pi / 2), 3.0, 1.0, np.pi)
    np.testing.assert_allclose(wing_tip.at(0.0), (0.0, 5.0, -np.pi / 2), atol=1e-9)
