"""The launch file and the RViz view fit the node."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from live import LiveSetup
from rclpy.lifecycle import TransitionCallbackReturn

from airside_perception.ros import middleware as transport

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]


def rviz_topics() -> list[str]:
    """Topics of all displays in rviz/tracking.rviz."""
    content = yaml.safe_load((ROOT / "rviz" / "tracking.rviz").read_text())
    displays = content["Visualization Manager"]["Displays"]
    return [display["Topic"]["Value"] for display in displays if "Topic" in display]


def test_rviz_shows_topics_that_the_node_publishes(middleware, tmp_path):
    live = LiveSetup(tmp_path)
    assert live.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    published = {
        topic for topic, _ in live.node.get_publisher_names_and_types_by_node("tracking", "/airside_perception")
    }
    live.close()
    topics = rviz_topics()
    assert len(topics) == 5
    assert set(topics) <= published


def test_rviz_stands_in_the_fixed_frame_of_the_outputs():
    content = yaml.safe_load((ROOT / "rviz" / "tracking.rviz").read_text())
    assert content["Visualization Manager"]["Global Options"]["Fixed Frame"] == "odom"


def test_the_transport_profile_is_loaded_unless_the_user_has_one(monkeypatch):
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    assert transport.profile_variable() == "FASTRTPS_DEFAULT_PROFILES_FILE"
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "mine.xml")
    transport.use_shared_memory_profile()
    import os

    assert os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] == "mine.xml"
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" not in os.environ


@pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None, reason="launch is not installed (ROS distributions only)"
)
def test_every_launch_argument_is_documented():
    from launch.actions import DeclareLaunchArgument

    specification = importlib.util.spec_from_file_location("tracking_launch", ROOT / "launch" / "tracking.launch.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    declared = [e for e in module.generate_launch_description().entities if isinstance(e, DeclareLaunchArgument)]
    assert {argument.name for argument in declared} >= {
        "config",
        "rig",
        "namespace",
        "rviz",
        "use_sim_time",
        "autostart",
    }
    assert all(argument.description for argument in declared)
