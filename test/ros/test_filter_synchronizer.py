"""Complete sets of images by message_filters; its tests need that package of a ROS distribution."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from ros_scenes import STAMP_NS

from airside_perception.errors import AirsideError
from airside_perception.ros.filter_synchronizer import FilterSynchronizer

pytestmark = pytest.mark.ros

PERIOD_NS = 100_000_000
MISSING = importlib.util.find_spec("message_filters") is None
needs_filters = pytest.mark.skipif(MISSING, reason="message_filters is not installed (ROS distributions have it)")


def synchronizer(**options) -> FilterSynchronizer:
    return FilterSynchronizer(("front", "rear"), **{"anchor": "", "max_dt_s": 0.06, "max_wait_s": 0.15, **options})


def feed(sync: FilterSynchronizer, start_ns: int, count: int = 5, rear: bool = True) -> list:
    sets = []
    for index in range(count):
        stamp = start_ns + index * PERIOD_NS
        sets += sync.add_odometry(stamp, np.eye(4), np.zeros(3), 0.0)
        sets += sync.add_image("front", stamp, f"front {index}")
        if rear:
            sets += sync.add_image("rear", stamp + 20_000_000, f"rear {index}")
        sets += sync.add_odometry(stamp + 50_000_000, np.eye(4), np.zeros(3), 0.0)
    return sets


@pytest.mark.skipif(not MISSING, reason="message_filters is installed")
def test_without_the_package_the_error_says_what_to_install():
    with pytest.raises(AirsideError, match=r"ros-.*-message-filters"):
        synchronizer()


def test_an_unknown_anchor_is_refused():
    with pytest.raises(AirsideError, match=r"sync\.anchor: expected one of the cameras front, rear, got 'left'"):
        synchronizer(anchor="left")


@needs_filters
def test_complete_sets_come_with_ages_at_the_anchors_stamp():
    sets = feed(synchronizer(), STAMP_NS)
    assert [each.stamp_ns for each in sets] == [STAMP_NS + index * PERIOD_NS for index in range(5)]
    assert sets[1].images["rear"].payload == "rear 1"
    assert sets[1].images["rear"].age_s == pytest.approx(-0.02)
    assert sets[1].missing == ()


@needs_filters
def test_one_silent_camera_stops_everything_and_is_counted():
    sync = synchronizer()
    assert feed(sync, STAMP_NS, 20, rear=False) == []
    assert sync.statistics.dropped["front"] == 10


@needs_filters
def test_a_bag_that_starts_again_goes_on_in_a_new_epoch():
    sync = synchronizer()
    first = feed(sync, STAMP_NS, 20)
    again = feed(sync, STAMP_NS, 5)
    assert (len(first), len(again)) == (20, 5)
    assert again[0].epoch > first[0].epoch


@needs_filters
def test_a_set_without_odometry_is_counted_after_the_wait():
    sync = synchronizer()
    sync.add_image("front", STAMP_NS, "front")
    assert sync.add_image("rear", STAMP_NS, "rear") == []
    assert sync.advance(STAMP_NS + 200_000_000) == []
    assert sync.statistics.without_odometry == 1
