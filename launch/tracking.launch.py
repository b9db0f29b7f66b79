"""Starts the tracking node, brings it to active, and, if asked, plays a bag and opens RViz.

ros2 launch airside_perception tracking.launch.py rig:=my_rig.yaml
ros2 launch airside_perception tracking.launch.py rig:=my_rig.yaml bag:=my_bag rviz:=true
"""

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from airside_perception.ros.middleware import profile_variable
from launch import LaunchContext, LaunchDescription

SHARE = Path(__file__).resolve().parent.parent

ARGUMENTS = {
    "config": (str(SHARE / "config" / "tracking.yaml"), "ROS parameter file with the options"),
    "rig": (
        "",
        "rig YAML; empty: rig.file of the config, and if that is empty, too, camera_info and tf_static",
    ),
    "engine": ("", "ONNX model; empty: network.engine of the config"),
    "namespace": ("airside_perception", "namespace of the node"),
    "use_sim_time": ("", "take time from /clock; empty: true where a bag is played"),
    "autostart": ("true", "configure and activate the node"),
    "respawn": ("false", "start the node again when it dies"),
    "log_level": ("info", "debug, info, warn or error"),
    "shared_memory": ("true", "load config/fastdds_shm.xml, without which large images are lost"),
    "bag": ("", "sequence or bag to play; empty: live cameras"),
    "rate": ("1.0", "times real time at which the bag is played"),
    "loop": ("false", "start the bag again at its end"),
    "rviz": ("false", "open RViz with rviz/tracking.rviz"),
}


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list:
    """The actions that follow from the arguments."""
    values = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    sim_time = is_true(values["use_sim_time"]) if values["use_sim_time"] else bool(values["bag"])
    actions: list = []
    if is_true(values["shared_memory"]):
        actions.append(SetEnvironmentVariable(profile_variable(), str(SHARE / "config" / "fastdds_shm.xml")))
    node = tracking_node(values, sim_time)
    if is_true(values["autostart"]):
        actions += [configure_when_started(node), activate_when_configured(node)]
    actions.append(node)
    if values["bag"]:
        actions.append(bag_player(values))
    if is_true(values["rviz"]):
        actions.append(rviz(sim_time))
    return actions


def tracking_node(values: dict[str, str], sim_time: bool) -> LifecycleNode:
    """The lifecycle node: parameters from the file, then from the arguments."""
    overrides: dict = {"use_sim_time": sim_time}
    if values["rig"]:
        overrides["rig.file"] = values["rig"]
    if values["engine"]:
        overrides["network.engine"] = values["engine"]
    return LifecycleNode(
        package="airside_perception",
        executable="tracking_node",
        name="tracking",
        namespace=values["namespace"],
        parameters=[values["config"], overrides],
        arguments=["--ros-args", "--log-level", values["log_level"]],
        respawn=is_true(values["respawn"]),
        respawn_delay=2.0,
        output="screen",
    )


def configure_when_started(node: LifecycleNode) -> RegisterEventHandler:
    """Also after a respawn."""
    configure = EmitEvent(event=change_state(node, Transition.TRANSITION_CONFIGURE))
    return RegisterEventHandler(OnProcessStart(target_action=node, on_start=[configure]))


def activate_when_configured(node: LifecycleNode) -> RegisterEventHandler:
    """inactive, coming from configuring -> activate; not when somebody deactivates the node."""
    return RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=node,
            start_state="configuring",
            goal_state="inactive",
            entities=[
                LogInfo(msg="tracking is configured, activating"),
                EmitEvent(event=change_state(node, Transition.TRANSITION_ACTIVATE)),
            ],
        )
    )


def change_state(node: LifecycleNode, transition: int) -> ChangeState:
    return ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)


def bag_player(values: dict[str, str]) -> Node:
    """Plays the bag as soon as the node listens, for at most 30 s of waiting."""
    return Node(
        package="airside_perception",
        executable="bag_player_node",
        name="bag_player",
        parameters=[
            {
                "bag": values["bag"],
                "rate": float(values["rate"]),
                "loop": is_true(values["loop"]),
                "wait_s": 30.0,
            }
        ],
        output="screen",
    )


def rviz(sim_time: bool) -> Node:
    return Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        arguments=["-d", str(SHARE / "rviz" / "tracking.rviz")],
        parameters=[{"use_sim_time": sim_time}],
        output="log",
    )


def is_true(text: str) -> bool:
    """Truth of a launch argument."""
    return text.strip().lower() in ("true", "1", "yes", "on")
