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


needs_launch = pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None, reason="launch is not installed (ROS distributions only)"
)

CORE_ARGUMENTS = {
    "config",
    "rig",
    "engine",
    "namespace",
    "use_sim_time",
    "autostart",
    "respawn",
    "log_level",
    "image_reliability",
    "shared_memory",
}


@needs_launch
@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("tracking_core", set()),
        ("tracking", {"bag", "rate", "loop", "rviz"}),
        ("evaluate", {"sequence", "out", "rate"}),
    ],
)
def test_every_launch_argument_is_documented(name, own):
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchContext

    source = PythonLaunchDescriptionSource(str(ROOT / "launch" / f"{name}.launch.py"))
    declared = source.get_launch_description(LaunchContext()).get_launch_arguments()
    assert {argument.name for argument in declared} == CORE_ARGUMENTS | own
    assert all(argument.description for argument in declared)


@needs_launch
def test_launched_node_is_configured_activated_and_ends_with_the_launch(middleware, tmp_path):
    """Through the launch stack: the node becomes active by itself, and SIGINT of launch ends it in order."""
    from launch.actions import IncludeLaunchDescription, RegisterEventHandler, Shutdown
    from launch.event_handlers import OnProcessExit
    from launch.launch_description_sources import PythonLaunchDescriptionSource
    from launch_ros.event_handlers import OnStateTransition
    from ros_scenes import make_rig

    from launch import LaunchDescription, LaunchService

    make_rig().save(tmp_path / "rig.yaml")
    codes: list[int] = []
    core = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(ROOT / "launch" / "tracking_core.launch.py")),
        launch_arguments={"rig": str(tmp_path / "rig.yaml"), "namespace": "launched"}.items(),
    )
    active = OnStateTransition(goal_state="active", entities=[Shutdown()], handle_once=True)
    service = LaunchService(noninteractive=True)
    service.include_launch_description(
        LaunchDescription(
            [
                RegisterEventHandler(active),
                RegisterEventHandler(OnProcessExit(on_exit=lambda event, _: codes.append(event.returncode))),
                core,
            ]
        )
    )
    assert service.run() == 0
    assert codes == [0]
