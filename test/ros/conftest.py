"""One isolated middleware for the whole session."""

from __future__ import annotations

import os

# Before rclpy starts: tests talk to themselves only, whatever else runs on this machine or network.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

import pytest
from ros_scenes import make_rig, make_ring

from airside_perception.geometry import Rig


@pytest.fixture
def rig() -> Rig:
    return make_rig()


@pytest.fixture(scope="session")
def middleware():
    """rclpy, started once for this process."""
    import rclpy

    rclpy.init()
    yield rclpy
    rclpy.try_shutdown()


@pytest.fixture(scope="module")
def ring(middleware, tmp_path_factory):
    """One configured node with six cameras, "rear" compressed, for all tests of a module that can share it.

    In a namespace of its own: what it latched must not reach those who listen to another node later.
    """
    from live import LiveSetup

    options = {"ros.frame_timeout_s": 2.0, "ros.stream_timeout_s": 2.0}
    live = LiveSetup(
        tmp_path_factory.mktemp("ring"), compressed=("rear",), rig=make_ring(), namespace="ring", **options
    )
    assert live.node.trigger_configure(), live.node.failure
    yield live
    live.close()


@pytest.fixture
def active(ring):
    """The shared node, active, as if nothing had happened before."""
    ring.activate()
    yield ring
    ring.rest()


@pytest.fixture(scope="session")
def live_case(tmp_path_factory):
    """Bag, rig, detections and network of live_bag.py."""
    from live_bag import write_case

    return write_case(tmp_path_factory.mktemp("live_case"))
