"""The synchroniser on hand-made streams: jitter, dead cameras, late data, and time that jumps back."""

import numpy as np
import pytest

from airside_perception.errors import AirsideError
from airside_perception.geometry import Camera, Rig, pose_from_xyz_yaw, yaw_of
from airside_perception.sync import Synchronizer, assemble_frame

MS = 1_000_000
START = 1_700_000_000_000 * MS
CAMERAS = ("front", "left", "rear")


def stamp(milliseconds: float) -> int:
    return START + round(milliseconds * MS)


def regular(camera: str, offset_ms: float, count: int = 20, period_ms: float = 100.0, begin_ms: float = 0.0):
    return [(camera, begin_ms + offset_ms + period_ms * i) for i in range(count)]


def odometry(until_ms: float = 2500.0, period_ms: float = 20.0):
    return [("odometry", period_ms * i) for i in range(round(until_ms / period_ms))]


def feed(sync: Synchronizer, *streams, arrival=lambda name, t: t, flush=True):
    """Send messages in the order of their arrival; returns [(arrival of the message that released it, set)]."""
    sets = []
    events = sorted((arrival(name, t), i, name, t) for i, (name, t) in enumerate(e for s in streams for e in s))
    for arrived, _, name, t in events:
        if name == "odometry":
            # 5 m/s straight ahead.
            ready = sync.add_odometry(stamp(t), pose_from_xyz_yaw(5e-3 * t, 0, 0, 0), np.array([5.0, 0, 0]), 0.0)
        else:
            ready = sync.add_image(name, stamp(t), f"{name}@{t:g}")
        sets += [(arrived, s) for s in ready]
    return sets + [(None, s) for s in (sync.flush() if flush else [])]


def test_every_anchor_image_makes_one_full_set():
    sync = Synchronizer(CAMERAS)
    sets = [s for _, s in feed(sync, regular("front", 0), regular("left", 4), regular("rear", -7), odometry())]
    assert [s.stamp_ns for s in sets] == [stamp(100 * i) for i in range(20)]
    assert all(tuple(s.images) == CAMERAS and not s.missing for s in sets)
    assert sets[3].images["left"].payload == "left@304"
    assert sets[3].images["left"].age_s == pytest.approx(-0.004)
    assert sets[3].images["rear"].age_s == pytest.approx(0.007)
    assert sync.statistics.sets == 20
    assert sync.statistics.partial_sets == 0
    assert sum(sync.statistics.dropped.values()) == 0


def test_a_set_comes_as_soon_as_it_is_decided():
    """Cameras that fire a little before the anchor must not cost a whole period of waiting."""
    sync = Synchronizer(CAMERAS)
    sets = feed(sync, regular("front", 0), regular("left", -10), regular("rear", 5), odometry())
    latency = [arrived - 100.0 * i for i, (arrived, _) in enumerate(sets)]
    assert latency[0] == pytest.approx(90.0)  # the rhythm of `left` is not known yet
    assert latency[2:] == pytest.approx([5.0] * 18)


def test_nearest_image_wins_under_jitter():
    rng = np.random.default_rng(5)
    jitter = {name: rng.uniform(-25, 25, 40) for name in CAMERAS}
    streams = [[(name, 100.0 * i + jitter[name][i]) for i in range(40)] for name in CAMERAS]
    sync = Synchronizer(CAMERAS)
    sets = [s for _, s in feed(sync, *streams, odometry(5000))]
    assert len(sets) == 40
    for i, synced in enumerate(sets):
        for name in synced.images:
            expected = jitter["front"][i] - jitter[name][i]
            assert synced.images[name].age_s * 1e3 == pytest.approx(expected, abs=1e-3)


def test_images_beyond_max_dt_are_missing():
    sync = Synchronizer(CAMERAS, max_dt_s=0.02)
    sets = [s for _, s in feed(sync, regular("front", 0), regular("left", 30), regular("rear", 10), odometry())]
    assert all(s.missing == ("left",) for s in sets)
    assert sync.statistics.missing == {"left": 20}
    assert sync.statistics.dropped["left"] >= 18


def test_one_image_serves_one_set():
    """A camera at half the rate takes part in every second set only."""
    sync = Synchronizer(CAMERAS[:2])
    sets = [s for _, s in feed(sync, regular("front", 0), regular("left", 10, 10, 200.0), odometry())]
    assert ["left" in s.images for s in sets] == [True, False] * 10


def test_a_camera_that_dies_costs_no_more_than_max_wait_and_then_nothing():
    sync = Synchronizer(CAMERAS, max_wait_s=0.15)
    streams = regular("front", 0, 40), regular("left", 4, 10), regular("rear", 8, 40), odometry(5000)
    sets = feed(sync, *streams)
    assert [s.missing for _, s in sets] == [()] * 10 + [("left",)] * 30
    latency = {round((s.stamp_ns - START) / MS): a - (s.stamp_ns - START) / MS for a, s in sets if a is not None}
    assert max(latency.values()) <= 160.0
    assert latency[1500] == pytest.approx(160.0)  # waited for
    assert latency[3000] == pytest.approx(8.0)  # known to be dead


def test_a_camera_that_comes_back_takes_part_again():
    sync = Synchronizer(CAMERAS)
    left = regular("left", 4, 10) + regular("left", 4, 10, begin_ms=3000)
    sets = [s for _, s in feed(sync, regular("front", 0, 40), left, regular("rear", 8, 40), odometry(5000))]
    assert ["left" in s.images for s in sets] == [True] * 10 + [False] * 20 + [True] * 10


def test_another_camera_stands_in_for_a_dead_anchor():
    sync = Synchronizer(CAMERAS)
    front = regular("front", 0, 10) + regular("front", 0, 10, begin_ms=3000)
    sets = [s for _, s in feed(sync, front, regular("left", 4, 40), regular("rear", 8, 40), odometry(5000))]
    stamps = [(s.stamp_ns - START) // MS for s in sets]
    assert stamps == [100 * i for i in range(10)] + [1004 + 100 * i for i in range(20)] + [
        3000 + 100 * i for i in range(10)
    ]
    assert all(s.missing == ("front",) for s in sets[10:30])


def test_an_anchor_that_never_lived():
    sync = Synchronizer(CAMERAS)
    sets = [s for _, s in feed(sync, regular("left", 4, 30), regular("rear", 8, 30), odometry(4000))]
    assert len(sets) == 30
    assert all(tuple(s.images) == ("left", "rear") for s in sets)


def test_chosen_anchor():
    sync = Synchronizer(CAMERAS, anchor="rear")
    sets = [s for _, s in feed(sync, regular("front", 0), regular("left", 4), regular("rear", 7), odometry())]
    assert [s.stamp_ns for s in sets] == [stamp(100 * i + 7) for i in range(20)]
    with pytest.raises(AirsideError, match="expected one of the cameras front, left, rear, got 'roof'"):
        Synchronizer(CAMERAS, anchor="roof")


def test_a_camera_whose_messages_arrive_late_is_waited_for():
    """Right stamps, slow transport: within max_wait it still belongs to its set; beyond, it is missing."""
    streams = regular("front", 0), regular("left", 4), regular("rear", 8), odometry()
    for delay, missing in ((120.0, ()), (200.0, ("rear",))):
        sync = Synchronizer(CAMERAS, max_wait_s=0.15)
        sets = feed(sync, *streams, arrival=lambda name, t, d=delay: t + (d if name == "rear" else 0))
        assert [s.missing for _, s in sets][:15] == [missing] * 15
        assert len(sets) == 20


def test_messages_out_of_order_within_a_stream():
    """An image that comes after its successor is too late for its set, and harms nothing else."""
    sync = Synchronizer(CAMERAS)
    shuffled = regular("left", 4)
    shuffled[5], shuffled[6] = shuffled[6], shuffled[5]
    arrivals = {t: 100.0 * i + 4 for i, (_, t) in enumerate(shuffled)}
    streams = regular("front", 0), shuffled, regular("rear", 8), odometry()
    sets = [s for _, s in feed(sync, *streams, arrival=lambda name, t: arrivals[t] if name == "left" else t)]
    assert [i for i, s in enumerate(sets) if s.missing] == [5]
    assert sets[6].images["left"].payload == "left@604"
    assert sync.statistics.dropped == {"front": 0, "left": 1, "rear": 0}
    assert sync.statistics.resets == 0


def test_backward_jump_resets():
    """A bag that loops: the second round gives the same sets, in a new epoch."""
    sync = Synchronizer(CAMERAS)
    streams = regular("front", 0), regular("left", 4), regular("rear", 8), odometry(2000)
    first = [s for _, s in feed(sync, *streams, flush=False)]
    second = [s for _, s in feed(sync, *streams)]
    late_of_first = [s for s in second if s.epoch == 0]
    assert len(first) + len(late_of_first) == 20
    again = [s for s in second if s.epoch == 1]
    assert [s.stamp_ns for s in again] == [stamp(100 * i) for i in range(20)]
    assert all(not s.missing for s in again)
    assert sync.statistics.resets == 1


def test_pose_is_interpolated_to_the_anchor_stamp():
    sync = Synchronizer(["front"])
    for i, yaw in enumerate((0.0, 0.2)):
        sync.add_odometry(stamp(100 * i), pose_from_xyz_yaw(2.0 * i, 0, 0, yaw), np.array([20.0 + 2 * i, 0, 0]), 2.0)
    (synced,) = sync.add_image("front", stamp(25), None)
    assert synced.ego.odom_from_base[:3, 3] == pytest.approx([0.5, 0, 0])
    assert yaw_of(synced.ego.odom_from_base) == pytest.approx(0.05)
    assert synced.ego.linear_velocity == pytest.approx([20.5, 0, 0])


def test_late_odometry_is_waited_for_and_then_extrapolated():
    def arrival(name, t):
        return t + 100.0 if name == "odometry" else t

    sync = Synchronizer(CAMERAS, max_wait_s=0.15)
    streams = regular("front", 0), regular("left", 4), regular("rear", 8), odometry()
    sets = feed(sync, *streams, arrival=arrival)
    assert len(sets) == 20
    for released, synced in sets:
        milliseconds = (synced.stamp_ns - START) / MS
        assert released == pytest.approx(milliseconds + 100.0)
        assert synced.ego.odom_from_base[0, 3] == pytest.approx(5e-3 * milliseconds)

    sync = Synchronizer(["front"], max_wait_s=0.15)
    sync.add_odometry(stamp(0), pose_from_xyz_yaw(0, 0, 0, 0), np.array([4.0, 0, 0]), 0.5)
    assert sync.add_image("front", stamp(100), None) == []
    (synced,) = sync.advance(stamp(260))
    assert synced.ego.odom_from_base[0, 3] == pytest.approx(0.4, abs=1e-3)
    assert yaw_of(synced.ego.odom_from_base) == pytest.approx(0.05)


def test_without_odometry_nothing_is_invented():
    sync = Synchronizer(CAMERAS)
    late = [("odometry", 1000.0 + 20 * i) for i in range(70)]
    sets = [s for _, s in feed(sync, regular("front", 0), regular("left", 4), regular("rear", 8), late)]
    stamps = [(s.stamp_ns - START) // MS for s in sets]
    assert stamps[-1] == 1900
    assert sync.statistics.without_odometry == 20 - len(sets)
    assert 9 <= sync.statistics.without_odometry <= 10


def test_queue_is_bounded_while_the_anchor_is_silent():
    sync = Synchronizer(CAMERAS, max_queue=5, dead_after_s=100.0)
    feed(sync, regular("left", 0, 50), flush=False)
    assert sync.statistics.dropped["left"] == 45


def test_unknown_camera_is_refused():
    with pytest.raises(ValueError, match="got 'roof'"):
        Synchronizer(CAMERAS).add_image("roof", 0, None)


class StubImage:
    def __init__(self, camera, stamp_ns, image):
        self.camera, self.stamp_ns, self.image = camera, stamp_ns, image

    def decode(self):
        if self.image is None:
            raise ValueError("corrupt")
        return self.image


def test_frames_mark_corrupt_images_as_missing():
    from collections import Counter

    k = np.array([[10.0, 0, 3.5], [0, 10, 2.5], [0, 0, 1]])
    rig = Rig({name: Camera(name, 8, 6, k) for name in CAMERAS})
    sync = Synchronizer(rig.names)
    sync.add_odometry(stamp(0), pose_from_xyz_yaw(1, 2, 0, 0.3), np.array([1.0, 0, 0]), 0.1)
    sync.add_image("left", stamp(2), StubImage("left", stamp(2), None))
    sync.add_image("front", stamp(0), StubImage("front", stamp(0), np.full((6, 8, 3), 7, np.uint8)))
    (synced,) = sync.flush()
    corrupt = Counter()
    frame = assemble_frame(synced, rig, corrupt=corrupt)
    assert frame.missing == ("left", "rear")
    assert corrupt == {"left": 1}
    assert frame.images["front"].image[0, 0].tolist() == [7, 7, 7]
    assert frame.odom_from_base[:3, 3] == pytest.approx([1, 2, 0])
    assert frame.yaw_rate == 0.1
