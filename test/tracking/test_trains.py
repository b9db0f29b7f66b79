"""Trains of dollies in the tracker: boxes over several of them, and rows that move together."""

from dataclasses import replace

import numpy as np
import pytest
from tracked_objects import FRAME_NS, estimate, run

from airside_perception.records import ObjectEstimate
from airside_perception.tracking import Tracker


def dolly(x, y=0.0, length=3.5):
    """A dolly of a train along x."""
    box = np.array([x, y, 0.5, length, 1.6, 1.0, 0.0])
    return ObjectEstimate("gse", box, np.diag([0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]) ** 2, 0.8)


def test_a_box_over_a_train_moves_none_of_its_dollies_and_kills_none():
    tracker = Tracker()
    apart = [dolly(0.0), dolly(4.0), dolly(8.0), dolly(0.0, y=9.0)]
    (before,) = run(tracker, [apart] * 5)[-1:]
    merged = run(tracker, [[dolly(4.0, length=11.6), dolly(0.0, y=9.0)]] * 25, first=5)[-1]
    assert [track.track_id for track in merged] == [track.track_id for track in before]
    for now, then in zip(merged, before, strict=True):
        np.testing.assert_allclose(now.box[[0, 1, 3]], then.box[[0, 1, 3]], atol=0.1)
    assert [("in_merged_detection" in track.reasons) for track in merged] == [True, True, True, False]
    again = run(tracker, [apart] * 3, first=30)[-1]
    assert [track.track_id for track in again] == [track.track_id for track in before]
    assert all(track.state == "confirmed" for track in again)


def test_a_long_vehicle_beside_short_ones_is_its_own():
    tracker = Tracker()
    frame = [dolly(4.0, length=11.6), dolly(0.0, y=3.0), dolly(4.0, y=3.0)]
    tracks = run(tracker, [frame] * 30)[-1]
    assert sorted(round(track.box[3], 1) for track in tracks) == [3.5, 3.5, 11.6]
    assert not any("split" in track.reasons for track in tracks)


def test_a_track_born_of_a_whole_train_splits_into_its_dollies():
    tracker = Tracker()
    (whole,) = run(tracker, [[dolly(4.0, length=11.6)]] * 5)[-1]
    apart = [dolly(0.0), dolly(4.0), dolly(8.0)]
    frames = run(tracker, [apart] * 15, first=5)
    assert any("split" in track.reasons for tracks in frames for track in tracks)
    tracks = frames[-1]
    assert len(tracks) == 3
    assert whole.track_id in [track.track_id for track in tracks]
    np.testing.assert_allclose(sorted(track.box[0] for track in tracks), [0.0, 4.0, 8.0], atol=0.2)
    np.testing.assert_allclose([track.box[3] for track in tracks], 3.5, atol=0.2)


def test_two_halves_of_a_long_vehicle_give_way_to_the_whole():
    tracker = Tracker()
    run(tracker, [[dolly(1.0, length=5.5), dolly(7.0, length=5.5)]] * 5)
    tracks = run(tracker, [[dolly(4.0, length=11.6)]] * 90, first=5)[-1]
    assert [round(track.box[3]) for track in tracks] == [12]
    np.testing.assert_allclose(tracks[0].box[:2], [4.0, 0.0], atol=0.2)


def train_frames(rng, count=16, speed=5.0, dollies=5):
    """A train that comes into view dolly by dolly, the last one late, with errors of half a metre, at 5 Hz."""
    frames = []
    for k in range(count):
        places = [speed * 0.2 * k - 4.0 * n + rng.normal(0, 0.35) for n in range(dollies)]
        shown = places if k >= 8 else places[:-1]
        frames.append([estimate("gse", x, rng.normal(0, 0.2), std=0.5) for x in shown])
    return frames


def test_who_joins_a_moving_row_moves_with_it():
    """The dolly that shows up last is not taken for a parked one: its speed is that of the others at once."""
    frames = train_frames(np.random.default_rng(2))
    tracker = Tracker()
    for k, frame in enumerate(frames):
        tracks = tracker.update(frame, 2 * k * FRAME_NS)
        known = {track.track_id for track in tracks + tracker.tentative()}
        if k == 7:
            before = known
    (joined,) = [track for track in tracks if track.track_id not in before]
    assert joined.velocity[0] == pytest.approx(5.0, abs=0.8)
    first = tracker_after(frames[:9])
    (new,) = [track for track in first.tentative() if track.hits == 1]
    assert new.velocity[0] > 3.5
    assert new.parked < 0.2


@pytest.mark.parametrize(("std", "least", "most"), [(3.0, 3.5, 6.0), (0.2, -0.5, 0.5)])
def test_a_row_tells_more_of_a_speed_than_one_that_is_hardly_known(std, least, most):
    frames = train_frames(np.random.default_rng(2))
    told = replace(frames[8][-1], velocity=np.zeros(2), velocity_std=std)
    (new,) = [t for t in tracker_after([*frames[:8], [*frames[8][:-1], told]]).tentative() if t.hits == 1]
    assert least < new.velocity[0] < most


def test_beside_a_moving_row_things_may_stand():
    frames = train_frames(np.random.default_rng(2))
    aside = estimate("gse", 6.0, 4.0)
    (new,) = [t for t in tracker_after([*frames[:8], [*frames[8], aside]]).tentative() if t.box[1] > 3.0]
    assert abs(new.velocity[0]) < 0.5
    across = estimate("gse", 12.5, 0.0, yaw=np.pi / 2)
    (new,) = [t for t in tracker_after([*frames[:8], [*frames[8], across]]).tentative() if t.box[0] > 11.0]
    assert abs(new.velocity[0]) < 0.5


def tracker_after(frames):
    tracker = Tracker()
    for k, frame in enumerate(frames):
        tracker.update(frame, 2 * k * FRAME_NS)
    return tracker
