"""Plays a sequence to the live node, records its tracks, and scores them where there is ground truth.

ros2 launch airside_perception evaluate.launch.py sequence:=out/apron_7 out:=out/live_7

No image may get lost here, so images travel reliably and slower than real time; frames that the
machine still cannot keep up with are dropped and counted by the node.
"""

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    IncludeLaunchDescription,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchDescription

SHARE = Path(__file__).resolve().parent.parent


def generate_launch_description() -> LaunchDescription:
    evaluator = Node(
        package="airside_perception",
        executable="live_evaluation_node",
        name="live_evaluation",
        parameters=[
            {
                "sequence": ParameterValue(LaunchConfiguration("sequence"), value_type=str),
                "out": ParameterValue(LaunchConfiguration("out"), value_type=str),
                "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                "node": ["/", LaunchConfiguration("namespace"), "/tracking"],
            }
        ],
        output="screen",
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("sequence", description="sequence or bag to play"),
            DeclareLaunchArgument("out", default_value="out/live", description="folder of the results"),
            DeclareLaunchArgument("rate", default_value="0.2", description="times real time"),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(SHARE / "launch" / "tracking_core.launch.py")),
                launch_arguments={"use_sim_time": "true", "image_reliability": "reliable"}.items(),
            ),
            evaluator,
            RegisterEventHandler(OnProcessExit(target_action=evaluator, on_exit=[EmitEvent(event=Shutdown())])),
        ]
    )
