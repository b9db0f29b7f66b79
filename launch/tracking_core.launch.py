"""The tracking node alone, brought to active: the part that other launch files include.

    share = get_package_share_directory("airside_perception")
    IncludeLaunchDescription(
        PythonLaunchDescriptionSource(f"{share}/launch/tracking_core.launch.py"),
        launch_arguments={"rig": "my_rig.yaml", "namespace": "vehicle_7/perception"}.items(),
    )

Camera topics need no remappings here: the node subscribes to the topics that the rig file names (key
`topic` of a camera), else to those of ros.image_topic.
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
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from airside_perception.ros.middleware import profile_variable
from launch import LaunchContext, LaunchDescription

SHARE = Path(__file__).resolve().parent.parent
TRUTH = ["true", "false"]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*arguments(), OpaqueFunction(function=start)])


def arguments() -> list[DeclareLaunchArgument]:
    """What can be set from outside."""
    declare = DeclareLaunchArgument
    config = str(SHARE / "config" / "tracking.yaml")
    rig = "rig YAML; empty: rig.file of the config, and if that is empty, too, camera_info and tf_static"
    return [
        declare("config", default_value=config, description="ROS parameter file with the options"),
        declare("rig", default_value="", description=rig),
        declare("engine", default_value="", description="ONNX model; empty: network.engine of the config"),
        declare("namespace", default_value="airside_perception", description="namespace of the node"),
        declare("use_sim_time", default_value="false", choices=TRUTH, description="take time from /clock"),
        declare("autostart", default_value="true", choices=TRUTH, description="configure and activate the node"),
        declare("respawn", default_value="false", choices=TRUTH, description="start the node again when it dies"),
        declare("log_level", default_value="info", description="debug, info, warn or error"),
        declare("image_reliability", default_value="", description="best_effort or reliable; empty: as in the config"),
        declare(
            "shared_memory",
            default_value="true",
            choices=TRUTH,
            description="load config/fastdds_shm.xml, without which large images are lost",
        ),
    ]


def start(context: LaunchContext) -> list:
    """The actions that follow from the arguments."""
    values = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in arguments()}
    actions: list = []
    if values["shared_memory"] == "true":
        actions.append(SetEnvironmentVariable(profile_variable(), str(SHARE / "config" / "fastdds_shm.xml")))
    node = tracking_node(values)
    if values["autostart"] == "true":
        actions += [configure_when_started(node), activate_when_configured(node)]
    return [*actions, node]


def tracking_node(values: dict[str, str]) -> LifecycleNode:
    """The lifecycle node: parameters from the file, then from the arguments."""
    overrides: dict = {"use_sim_time": values["use_sim_time"] == "true"}
    options = {"rig": "rig.file", "engine": "network.engine", "image_reliability": "ros.reliability"}
    overrides |= {option: values[argument] for argument, option in options.items() if values[argument]}
    return LifecycleNode(
        package="airside_perception",
        executable="tracking_node",
        name="tracking",
        namespace=values["namespace"],
        parameters=[values["config"], overrides],
        arguments=["--ros-args", "--log-level", values["log_level"]],
        respawn=values["respawn"] == "true",
        respawn_delay=2.0,
        # After SIGINT the frame in work may end, and the libraries must unload.
        sigterm_timeout="15",
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
