"""The tracker on small scenes: identity, birth and death, occlusion, headings, bad input."""

from dataclasses import replace

import numpy as np
import pytest
from tracked_objects import FRAME_NS, estimate, run

from airside_perception.config import TrackingConfig, load_config
from airside_perception.geometry.se3 import wrap_angle
from airside_perception.records import ObjectEstimate
from airside_perception.tracking import Tracker


def test_one_moving_vehicle_is_one_track_with_the_right_velocity():
    rng = np.random.default_rng(0)
    frames = [[estimate("gse", 0.3 * k + rng.normal(0, 0.1), rng.normal(0, 0.1), std=0.1)] for k in range(40)]
    last = run(Tracker(), frames)[-1]
    assert len(last) == 1
    track = last[0]
    assert track.state == "confirmed"
    np.testing.assert_allclose(track.velocity, [3.0, 0.0], atol=0.25)
    np.testing.assert_allclose(track.box[:2], [11.7, 0.0], atol=0.12)
    assert track.hits == 40
    assert track.age_s == pytest.approx(3.9)
    assert track.estimate_index == 0
    assert set(track.match_cost) == {"distance", "iou", "total"}
    assert 0.0 <= track.match_cost["total"] < 0.1


def test_told_velocities_are_believed_as_far_as_their_errors_go():
    """What stood for two seconds drives off: the detector says so at once, positions only after a while."""
    rng = np.random.default_rng(3)
    places = [0.0] * 20 + [0.3 * k for k in range(1, 4)]
    measured = [(x + rng.normal(0, 0.3), rng.normal(0, 0.3)) for x in places]
    speeds = {}
    for name, std in (("told", 0.4), ("doubted", 4.0), ("for births only", float("nan"))):
        frames = []
        for k, (x, y) in enumerate(measured):
            velocity = np.array([3.0 if k >= 20 else 0.0, 0.0])
            frames.append([replace(estimate("gse", x, y, std=0.3), velocity=velocity, velocity_std=std)])
        speeds[name] = run(Tracker(), frames)[-1][0].velocity[0]
    assert speeds["told"] > 2.0
    assert speeds["doubted"] < 1.0
    assert speeds["for births only"] < 1.0


def test_turning_vehicle_is_followed():
    speed, rate = 3.0, 0.4
    frames = []
    for k in range(60):
        angle = rate * 0.1 * k
        frames.append(
            [estimate("gse", speed / rate * np.sin(angle), speed / rate * (1 - np.cos(angle)), angle, std=0.1)]
        )
    # What the frames err is their own here: every one of them counts.
    track = run(Tracker(TrackingConfig(error_memory_s=0.0, lasting_error=0.0)), frames)[-1][0]
    assert track.parked < 0.1
    assert track.yaw_rate == pytest.approx(rate, abs=0.08)
    np.testing.assert_allclose(track.box[:2], frames[-1][0].box[:2], atol=0.1)


def test_birth_needs_hits_or_evidence():
    weak = run(Tracker(), [[estimate("gse", 0, 0, score=0.3)]] * 4)
    assert [len(tracks) for tracks in weak] == [0, 0, 1, 1]
    sure = run(Tracker(), [[estimate("gse", 0, 0, score=0.8)]] * 3)
    assert [len(tracks) for tracks in sure] == [0, 1, 1]


def test_tentative_tracks_are_kept_apart_and_die_fast():
    tracker = Tracker()
    assert run(tracker, [[estimate("gse", 0, 0, score=0.3)]]) == [[]]
    assert [track.state for track in tracker.tentative()] == ["tentative"]
    run(tracker, [[]] * 6, first=1)
    assert tracker.tentative() == []


def test_unconfirmed_clutter_never_becomes_a_track():
    rng = np.random.default_rng(1)
    frames = [[estimate("person", *rng.uniform(-50, 50, 2), score=0.5) for _ in range(3)] for _ in range(30)]
    assert all(tracks == [] for tracks in run(Tracker(), frames))


def test_coasting_track_decays_and_dies_when_it_should_be_seen():
    tracker = Tracker()
    run(tracker, [[estimate("gse", 0, 0)]] * 10)
    limit = round(tracker.config.gse.max_coast_s / (FRAME_NS * 1e-9))
    tracks = run(tracker, [[]] * (limit + 4), first=10)
    assert tracks[0][0].state == "coasting"
    assert tracks[0][0].reasons == ("coasting",)
    assert tracks[0][0].estimate_index is None
    assert tracks[0][0].match_cost == {}
    assert tracks[4][0].score < 0.7 * 0.8
    alive = [len(frame) for frame in tracks]
    assert alive == [1] * limit + [0] * 4


def test_hidden_track_survives_and_keeps_its_id():
    tracker = Tracker()
    walk = [[estimate("person", 0.14 * k, 0.0)] for k in range(20)]
    track_id = run(tracker, walk)[-1][0].track_id
    hidden = run(tracker, [[]] * 40, first=20, visibility={track_id: 0.0})
    assert [track.track_id for track in hidden[-1]] == [track_id]
    assert "hidden" in hidden[-1][0].reasons
    assert hidden[-1][0].score > 0.4
    again = run(tracker, [[estimate("person", 0.14 * 60, 0.0)]], first=60)[-1]
    assert [track.track_id for track in again] == [track_id]
    assert again[0].state == "confirmed"


def test_partly_visible_track_is_charged_in_part():
    tracker = Tracker()
    run(tracker, [[estimate("gse", 0, 0)]] * 10)
    limit = round(tracker.config.gse.max_coast_s / (FRAME_NS * 1e-9))
    frames = run(tracker, [[]] * (3 * limit), first=10, visibility={"gse-1": 0.5})
    assert sum(len(frame) for frame in frames) == 2 * limit


def test_crossing_people_keep_their_ids():
    frames = [
        [estimate("person", -2 + 0.14 * k, 0.5, std=0.1), estimate("person", 2 - 0.14 * k, -0.5, np.pi, std=0.1)]
        for k in range(30)
    ]
    tracks = run(Tracker(), frames)
    assert {track.track_id for frame in tracks for track in frame} == {"person-1", "person-2"}
    assert tracks[-1][0].velocity[0] > 1.0
    assert tracks[-1][1].velocity[0] < -1.0


def test_classes_do_not_mix():
    frames = [[estimate("gse", 0, 0), estimate("person", 0.5, 0)]] * 3
    assert [track.class_name for track in run(Tracker(), frames)[-1]] == ["gse", "person"]
    other = Tracker()
    run(other, [[estimate("gse", 0, 0)]] * 3)
    coasting = other.update([estimate("person", 0, 0)], 3 * FRAME_NS)
    assert coasting[0].state == "coasting"


def test_rejected_candidate_is_recorded():
    frames = [[estimate("gse", 0, 0, std=1.0), estimate("gse", 0, 2.4, std=1.0)]] * 3
    tracker = Tracker()
    first, second = run(tracker, frames)[-1]
    gate = tracker.config.gse.gate_m + tracker.config.gse.initial_speed_std * FRAME_NS * 1e-9
    assert first.rejected_cost["distance"] == pytest.approx(2.4 / gate)
    assert second.rejected_cost["total"] > second.match_cost["total"]


@pytest.mark.parametrize("rate_hz", [4, 5, 10])
def test_a_train_keeps_its_ids_from_the_first_frame(rate_hz):
    step_ns = 10**9 // rate_hz
    # Four dollies, 4 m apart, at 5 m/s, whose speed nobody knows at first.
    frames = [[estimate("gse", 5.0 * k / rate_hz - 4.0 * n, 0, std=0.2) for n in range(4)] for k in range(4 * rate_hz)]
    tracker = Tracker()
    seen = [tracker.update(frame, k * step_ns) for k, frame in enumerate(frames)]
    assert {track.track_id for tracks in seen for track in tracks} == {f"gse-{n}" for n in range(1, 5)}


def test_a_fast_vehicle_is_followed_at_two_frames_a_second():
    tracker = Tracker()
    seen = [tracker.update([estimate("gse", 3.5 * k, 0, std=0.3)], k * 500_000_000) for k in range(12)]
    assert {track.track_id for tracks in seen for track in tracks} == {"gse-1"}


def test_flipped_headings_are_outvoted():
    yaws = [0.3 + (np.pi if k in (4, 9, 10) else 0.0) for k in range(20)]
    track = run(Tracker(), [[estimate("gse", 0, 0, yaw)] for yaw in yaws])[-1][0]
    assert track.box[6] == pytest.approx(0.3, abs=0.02)


def test_wrong_first_heading_is_turned():
    yaws = [0.3 + np.pi, 0.3, 0.3, 0.3, 0.3, 0.3]
    tracks = run(Tracker(), [[estimate("gse", 0, 0, yaw)] for yaw in yaws])
    assert tracks[-1][0].box[6] == pytest.approx(0.3, abs=0.02)
    assert any("heading_turned" in track.reasons for frame in tracks for track in frame)


def test_headings_count_by_how_sure_their_frames_are():
    # Seven frames that could as well be turned round, three that are sure.
    sure = [k in (3, 6, 9) for k in range(10)]
    frames = [
        [replace(estimate("gse", 0, 0, 0.3 + (np.pi if known else 0.0)), heading_odds=4.0 if known else 0.1)]
        for known in sure
    ]
    assert abs(wrap_angle(run(Tracker(), frames)[-1][0].box[6] - 0.3 - np.pi)) < 0.02


def test_a_heading_that_only_its_track_suggested_does_not_confirm_it():
    frames = [[replace(estimate("gse", 0, 0, 0.3), heading_odds=4.0)]]
    frames += [[replace(estimate("gse", 0, 0, 0.3), heading_odds=-3.0)]] * 3
    assert abs(wrap_angle(run(Tracker(), frames)[-1][0].box[6] - 0.3 - np.pi)) < 0.02


def test_second_detection_of_one_object_starts_no_track():
    frames = [[estimate("gse", 0, 0, score=0.6), estimate("gse", 0.3, 0.1, score=0.9)]] * 5
    assert len(run(Tracker(), frames)[-1]) == 1


def test_two_tracks_that_grow_together_are_merged():
    frames = [[estimate("gse", 0, 0), estimate("gse", 0, max(3.0 - 0.2 * k, 0.1))] for k in range(30)]
    last = run(Tracker(), frames)[-1]
    assert [track.track_id for track in last] == ["gse-1"]


def test_codes_are_averaged_by_visibility():
    def seen(value, fraction):
        return [estimate("gse", 0, 0, shape_code=np.full(4, value, np.float32), visible_fraction=fraction)]

    track = run(Tracker(), [seen(0.0, 1.0), seen(3.0, 0.5)])[-1][0]
    np.testing.assert_allclose(track.shape_code, np.full(4, 1.0), atol=1e-6)
    assert track.texture_code is None


def test_covariance_of_the_estimate_decides_how_much_it_moves_the_track():
    def shift(std):
        tracker = Tracker()
        run(tracker, [[estimate("gse", 0, 0, std=0.3)]] * 10)
        return tracker.update([estimate("gse", 0.5, 0, std=std)], 10 * FRAME_NS)[0].box[0]

    assert shift(0.05) > 3.0 * shift(1.0) > 0.0


def test_predict_moves_states_and_update_goes_on_from_there():
    frames = [[estimate("gse", 0.3 * k, 0, std=0.1)] for k in range(20)]
    plain, asked = Tracker(), Tracker()
    run(plain, frames)
    for k, frame in enumerate(frames):
        predicted = asked.predict(k * FRAME_NS)
        if k > 5:
            assert predicted[0].box[0] == pytest.approx(0.3 * k, abs=0.15)
        asked.update(frame, k * FRAME_NS)
    following = [estimate("gse", 6.0, 0, std=0.1)]
    np.testing.assert_allclose(
        plain.update(following, 20 * FRAME_NS)[0].box, asked.update(following, 20 * FRAME_NS)[0].box
    )


def test_trail_holds_the_last_seconds():
    tracker = Tracker(load_config(overrides={"tracking.trail_s": 1.0}).tracking)
    track = run(tracker, [[estimate("gse", 0.3 * k, 0)] for k in range(30)])[-1][0]
    assert track.trail.shape == (11, 3)
    assert track.trail.dtype == np.float32
    assert np.all(np.diff(track.trail[:, 0]) > 0.0)


def test_time_going_backwards_forgets_everything():
    tracker = Tracker()
    run(tracker, [[estimate("gse", 0, 0)]] * 5, first=100)
    assert tracker.update([estimate("gse", 0, 0)], 0) == []
    assert tracker.resets == 1
    assert [track.track_id for track in run(tracker, [[estimate("gse", 0, 0)]] * 3, first=1)[-1]] == ["gse-1"]


def test_long_pause_forgets_but_short_pause_does_not():
    tracker = Tracker()
    run(tracker, [[estimate("gse", 0, 0)]] * 5)
    assert [t.track_id for t in tracker.update([estimate("gse", 0, 0)], 35 * FRAME_NS)] == ["gse-1"]
    assert tracker.update([], 235 * FRAME_NS) == []
    assert tracker.resets == 1


def test_unusable_estimates_are_counted_and_skipped():
    broken = [estimate("gse", np.nan, 0), estimate("gse", 0, 0), estimate("gse", 20, 0, score=np.nan)]
    broken[1].box[3] = 0.0
    tracker = Tracker()
    tracks = run(tracker, [[*broken, estimate("gse", 5, 5)]] * 3)[-1]
    assert [track.box[0] for track in tracks] == pytest.approx([5.0])
    assert tracks[0].estimate_index == 3
    assert tracker.rejected_estimates == 9


def test_nan_covariance_does_not_poison_the_track():
    tracker = Tracker()
    run(tracker, [[estimate("gse", 0, 0)]] * 5)
    bad = ObjectEstimate("gse", estimate("gse", 0.1, 0).box, np.full((7, 7), np.nan), 0.8)
    track = tracker.update([bad], 5 * FRAME_NS)[0]
    assert np.all(np.isfinite(track.box))
    assert np.all(np.linalg.eigvalsh(track.covariance) > 0.0)


def test_five_hundred_estimates_at_once():
    rng = np.random.default_rng(2)
    positions = rng.uniform(-200, 200, (500, 2))
    frame = [estimate("gse", *position) for position in positions]
    tracks = run(Tracker(), [frame] * 3)[-1]
    assert 400 < len(tracks) <= 500
    assert len({track.track_id for track in tracks}) == len(tracks)


def test_same_input_gives_the_same_tracks():
    rng = np.random.default_rng(4)
    frames = [[estimate("person", *rng.uniform(-5, 5, 2)) for _ in range(12)] for _ in range(20)]
    first, second = run(Tracker(), frames), run(Tracker(), frames)
    for a, b in zip(first, second, strict=True):
        assert [t.track_id for t in a] == [t.track_id for t in b]
        for one, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(one.box, other.box)


def test_covariance_is_honest_for_a_walking_person():
    rng, squared = np.random.default_rng(5), []
    for _ in range(20):
        tracker = Tracker(TrackingConfig(error_memory_s=0.0, lasting_error=0.0))
        for k in range(30):
            x, y = 0.14 * k, 0.0
            tracks = tracker.update(
                [estimate("person", x + rng.normal(0, 0.3), y + rng.normal(0, 0.3), std=0.3)], k * FRAME_NS
            )
        error = tracks[0].box[:2] - [x, y]
        squared.append(error @ np.linalg.solve(tracks[0].covariance[:2, :2], error))
    # Two degrees of freedom: the mean normalised square is 2 for honest covariances.
    assert 1.0 < np.mean(squared) < 3.2


def test_covariance_is_honest_where_half_of_the_errors_last():
    rng, squared = np.random.default_rng(6), []
    for _ in range(40):
        tracker, lasting = Tracker(), rng.normal(0, 0.3, 2)
        for k in range(30):
            x, y = lasting + rng.normal(0, 0.3, 2)
            tracks = tracker.update([estimate("gse", x, y, std=0.3 * np.sqrt(2))], k * FRAME_NS)
        error = tracks[0].box[:2]
        squared.append(error @ np.linalg.solve(tracks[0].covariance[:2, :2], error) / 2)
    assert 0.8 < np.sqrt(np.mean(squared)) < 1.3


def test_who_walks_ahead_faces_ahead():
    def facing(name: str) -> float:
        boxes = [estimate(name, 0.14 * k, 0.0, yaw=np.pi) for k in range(30)]
        return abs(float(run(Tracker(), [[box] for box in boxes])[-1][0].box[6]))

    assert facing("person") < 0.2
    # Vehicles reverse.
    assert facing("gse") > 3.0


def test_options_may_change_between_frames():
    tracker = Tracker()
    run(tracker, [[estimate("gse", 0, 0)]] * 5)
    tracker.config = load_config(overrides={"tracking.gse.max_coast_s": 0.2}).tracking
    frames = run(tracker, [[]] * 4, first=5)
    assert [len(frame) for frame in frames] == [1, 1, 0, 0]
