"""One isolated middleware for the whole session."""

from __future__ import annotations

import os

# Before rclpy starts: tests talk to themselves only, whatever else runs on this machine or network.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

import pytest
from ros_scenes import make_rig

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


@pytest.fixture(scope="session")
def live_case(tmp_path_factory):
    """Bag, rig, detections and network of live_bag.py."""
    from live_bag import write_case

    return write_case(tmp_path_factory.mktemp("live_case"))
