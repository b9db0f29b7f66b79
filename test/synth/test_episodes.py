"""Occlusions and near misses, found in scenes whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from synth_scenes import box_asset, plain_scene, standing

from airside_perception.synth.episodes import NEAR_MISS_M, Episode, ego_gaps
from airside_perception.synth.near_misses import SPARE_M, crossing_path
from airside_perception.synth.placement import rectangles_gap
from airside_perception.synth.routes import drive
from airside_perception.synth.scene import SceneObject, Trajectory
from airside_perception.synth.sight import SightLines


def walker(path):
    return SceneObject("walker", box_asset((0.5, 0.5, 1.75), class_name="person"), path)


def passing(y=14.0, speed=1.5, duration_s=12.0):
    """From right to left over the x axis, on it half-way."""
    return drive((y, -speed * duration_s / 2, np.pi / 2), speed, np.zeros(1), duration_s)


def scene_with(small_rig, *things, ego=None, duration_s=12.0):
    scene = replace(plain_scene(things, small_rig), duration_s=duration_s)
    return scene if ego is None else replace(scene, ego=ego)


def test_someone_passes_behind_a_bus(small_rig):
    bus = standing("bus", (6.0, 2.5, 3.0), 8.0, 0.0, yaw=np.pi / 2)
    (episode,) = scene_with(small_rig, walker(passing()), bus).episodes
    assert (episode.kind, episode.object_id, episode.other_id) == ("occlusion", "walker", "bus")
    # Seen from the front camera at x = 1.9 the bus, its front at 6.75, hides |y| < 3 * 12.1 / 4.85 at x = 14; the
    # side cameras see past it earlier.
    assert episode.start_s + episode.end_s == pytest.approx(12.0, abs=0.5)
    assert 4.0 < episode.end_s - episode.start_s < 2 * 7.5 / 1.5


@pytest.mark.parametrize("height", [0.6, 1.2])
def test_nothing_hides_behind_a_low_wall(small_rig, height):
    wall = standing("wall", (20.0, 0.3, height), 12.0, 0.0, yaw=np.pi / 2)
    assert scene_with(small_rig, walker(passing()), wall).episodes == ()


def test_who_stays_hidden_is_no_episode(small_rig):
    wall = standing("wall", (40.0, 0.3, 3.0), 8.0, 0.0, yaw=np.pi / 2)
    assert scene_with(small_rig, walker(passing()), wall).episodes == ()


def test_sight_is_shared_out_between_seen_and_hidden(small_rig):
    bus = standing("bus", (6.0, 2.5, 3.0), 8.0, 0.0, yaw=np.pi / 2)
    person = walker(passing())
    sight = SightLines([person, bus], Trajectory.standing(0, 0, 0), small_rig).look([person], np.array([0.5, 6.0]))
    assert sight.in_view.all()
    np.testing.assert_allclose(sight.share, [[1.0, 0.0]])
    np.testing.assert_array_equal(sight.blocker, [[-1, 1]])


def test_a_close_crossing_is_a_near_miss(small_rig):
    ego = drive((-20.0, 0.0, 0.0), 4.0, np.zeros(1), 10.0)
    # The front is at the walker's x after 4.4 s; the walker is then at y = 2.5 m, 1.25 m off the vehicle's side.
    person = walker(drive((0.25, 2.5 - 1.5 * 4.4, np.pi / 2), 1.5, np.zeros(1), 10.0))
    (episode,) = scene_with(small_rig, person, ego=ego, duration_s=10.0).episodes
    assert isinstance(episode, Episode)
    assert (episode.kind, episode.other_id) == ("near_miss", "ego")
    assert 0.8 < episode.clearance_m <= 1.3
    assert episode.clearance_m < NEAR_MISS_M
    assert episode.start_s <= 4.4 <= episode.end_s + 0.3


def test_oncoming_traffic_in_its_lane_is_no_near_miss(small_rig):
    ego = drive((-20.0, -1.9, 0.0), 4.0, np.zeros(1), 10.0)
    van = SceneObject("van", box_asset((5.0, 2.0, 2.2)), drive((20.0, 1.9, np.pi), 4.0, np.zeros(1), 10.0))
    assert scene_with(small_rig, van, ego=ego, duration_s=10.0).episodes == ()


def test_planned_crossings_keep_the_gap_they_want():
    rng = np.random.default_rng(5)
    ego = drive((-20.0, 0.0, 0.0), 4.0, np.array([0.0, 0.1]), 10.0)
    asset = box_asset((3.5, 1.5, 1.8))
    paths = [crossing_path(rng, asset, 3.0, ego, 5.0, 10.0) for _ in range(12)]
    found = [path for path in paths if path is not None]
    assert len(found) >= 10
    for path in found:
        gap = ego_gaps(path, (3.5, 1.5), ego, np.arange(0, 10, 0.05)).min()
        assert SPARE_M[0] - 0.15 <= gap <= SPARE_M[1] + 0.15


def test_gaps_between_rectangles():
    unit = np.array([0, 0, 2, 2, 0.0])
    assert rectangles_gap(unit, np.array([4.5, 0, 2, 2, 0.0])) == pytest.approx(2.5)
    assert rectangles_gap(unit, np.array([4.0, 5.0, 2, 2, 0.0])) == pytest.approx(np.hypot(2, 3))
    assert rectangles_gap(unit, np.array([1 + np.sqrt(2) + 0.5, 0, 2, 2, np.pi / 4])) == pytest.approx(0.5)
    assert rectangles_gap(unit, np.array([0.5, 0, 0.2, 0.2, 1.0])) == 0.0
