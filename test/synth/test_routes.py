"""Paths: speeds, headings, trains on their leader's track."""

import numpy as np
import pytest
from synth_scenes import plain_scene, standing

from airside_perception.synth.ego_routes import free_place
from airside_perception.synth.episodes import EGO_AHEAD, EGO_LENGTH, EGO_WIDTH
from airside_perception.synth.routes import drive, followers, traffic_speeds, walk
from airside_perception.synth.scene import Trajectory


def test_a_straight_drive_is_speed_times_time():
    path = drive((1.0, 2.0, 0.5), 4.0, np.zeros(3), 10.0)
    for time in (0.0, 3.3, 10.0):
        x, y, yaw = path.at(time)
        np.testing.assert_allclose(
            [x, y, yaw], [1 + 4 * time * np.cos(0.5), 2 + 4 * time * np.sin(0.5), 0.5], atol=1e-9
        )
    np.testing.assert_allclose(path.velocity(5.0), [4 * np.cos(0.5), 4 * np.sin(0.5)], atol=1e-9)


def test_a_bend_starts_at_the_given_pose_and_heads_where_it_moves():
    path = drive((0.0, 0.0, 1.0), 5.0, np.array([0.2, -0.1]), 8.0)
    np.testing.assert_allclose(path.at(0.0), (0.0, 0.0, 1.0), atol=1e-9)
    for time in (0.5, 2.0, 6.5):
        velocity = path.velocity(time)
        assert np.linalg.norm(velocity) == pytest.approx(5.0, rel=0.01)
        assert np.arctan2(velocity[1], velocity[0]) == pytest.approx(path.at(time)[2], abs=0.02)
    assert path.yaw_rate(2.0) == pytest.approx(0.2, abs=1e-6)
    assert path.yaw_rate(6.0) == pytest.approx(-0.1, abs=1e-6)


def test_speeds_pass_through_their_values_and_standing_wheels_do_not_turn():
    path = drive((0, 0, 0), np.array([4.0, 2.0, 0.0, 0.0]), np.array([0.3]), 9.0)
    assert np.linalg.norm(path.velocity(3.0)) == pytest.approx(2.0, abs=0.1)
    np.testing.assert_allclose(path.velocity(8.0), 0, atol=1e-9)
    assert path.yaw_rate(8.0) == pytest.approx(0.0, abs=1e-9)


def test_traffic_speeds_are_those_of_an_apron():
    drawn = np.array([traffic_speeds(np.random.default_rng(seed), 20.0) for seed in range(300)])
    assert drawn.min() >= 0
    assert drawn.max() < 9.0  # 30 km/h
    assert 0.1 < (drawn == 0).any(axis=1).mean() < 0.5


def test_wagons_follow_the_track_at_their_spacing():
    leader = drive((0, 0, 0), 5.0, np.array([0.0, 0.25, 0.0]), 12.0)
    first, second = followers(leader, [4.0, 7.5])
    for time in (1.0, 6.0, 11.0):
        assert np.linalg.norm(np.subtract(leader.at(time)[:2], first.at(time)[:2])) == pytest.approx(4.0, rel=0.03)
        # Where the leader was 1.5 s ago (7.5 m at 5 m/s) the second wagon is now.
        np.testing.assert_allclose(second.at(time + 1.5)[:2], leader.at(time)[:2], atol=0.05)


def test_wagons_behind_a_standing_tractor_stand_in_line():
    (wagon,) = followers(Trajectory.standing(2, 3, np.pi / 2), [4.0])
    np.testing.assert_allclose(wagon.at(1.0), (2, -1, np.pi / 2), atol=1e-9)
    assert not wagon.moves


def test_a_walk_covers_the_scene_at_walking_speed():
    path = walk(np.random.default_rng(3), np.array([5.0, 5.0]), 20.0, 1.4)
    assert path.times[0] <= 0
    assert path.times[-1] >= 20.0
    speeds = [np.linalg.norm(path.velocity(t)) for t in np.arange(0.5, 20, 0.5)]
    assert 1.0 < np.median(speeds) < 1.9
    assert path.travelled(20.0) > path.travelled(10.0) > 0


def test_sampling_agrees_with_single_times():
    path = drive((0, 0, 3.0), 3.0, np.array([0.3]), 5.0)
    times = np.array([-0.5, 0.0, 2.2, 5.9])
    for time, (x, y, yaw) in zip(times, path.sample(times), strict=True):
        np.testing.assert_allclose((x, y, np.cos(yaw)), (*path.at(time)[:2], np.cos(path.at(time)[2])), atol=1e-12)


def test_a_free_place_keeps_clear_of_every_box(scene):
    rng, found = np.random.default_rng(3), []
    boxes = np.array([item.box(1.0) for item in scene.objects])
    for _ in range(12):
        place = free_place(rng, scene, 1.0)
        assert place is not None
        x, y, yaw = place.at(1.0)
        found.append((x, y))
        marks = [(EGO_AHEAD + a * EGO_LENGTH / 2, b * EGO_WIDTH / 2) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        for ahead, left in marks:
            point = np.array(
                [x + ahead * np.cos(yaw) - left * np.sin(yaw), y + ahead * np.sin(yaw) + left * np.cos(yaw)]
            )
            away, cosine, sine = point - boxes[:, :2], np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
            along, across = away[:, 0] * cosine + away[:, 1] * sine, away[:, 1] * cosine - away[:, 0] * sine
            inside = (np.abs(along) < boxes[:, 3] / 2) & (np.abs(across) < boxes[:, 4] / 2)
            assert not inside.any()
    assert np.ptp(found, axis=0).min() > 20.0, "all over the apron"


def test_no_place_is_found_where_everything_is_taken(small_rig):
    full = plain_scene([standing("structure_000", (200.0, 200.0, 3.0), 0.0, 0.0)], small_rig)
    assert free_place(np.random.default_rng(0), full, 0.0) is None
