"""The tracking node and, if asked for, a bag in place of the vehicle, and RViz.

ros2 launch airside_perception tracking.launch.py rig:=my_rig.yaml
ros2 launch airside_perception tracking.launch.py rig:=my_rig.yaml bag:=my_bag rviz:=true
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PythonExpression
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchDescription

SHARE = Path(__file__).resolve().parent.parent
TRUTH = ["true", "false"]


def generate_launch_description() -> LaunchDescription:
    has_bag = PythonExpression(["'", LaunchConfiguration("bag"), "' != ''"])
    declare = DeclareLaunchArgument
    return LaunchDescription(
        [
            declare("bag", default_value="", description="sequence or bag to play; empty: live cameras"),
            declare("rate", default_value="1.0", description="times real time at which the bag is played"),
            declare("loop", default_value="false", choices=TRUTH, description="start the bag again at its end"),
            declare("rviz", default_value="false", choices=TRUTH, description="open RViz with rviz/tracking.rviz"),
            declare(
                "use_sim_time",
                default_value=PythonExpression(["'true' if '", LaunchConfiguration("bag"), "' else 'false'"]),
                description="take time from /clock: true or false; by default where a bag is played",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(SHARE / "launch" / "tracking_core.launch.py")),
                launch_arguments={"use_sim_time": LaunchConfiguration("use_sim_time")}.items(),
            ),
            bag_player(IfCondition(has_bag)),
            rviz(IfCondition(LaunchConfiguration("rviz"))),
        ]
    )


def bag_player(condition: IfCondition) -> Node:
    """Plays the bag as soon as the node listens, for at most 30 s of waiting."""
    return Node(
        package="airside_perception",
        executable="bag_player_node",
        name="bag_player",
        parameters=[
            {
                "bag": ParameterValue(LaunchConfiguration("bag"), value_type=str),
                "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                "loop": ParameterValue(LaunchConfiguration("loop"), value_type=bool),
                "wait_s": 30.0,
            }
        ],
        condition=condition,
        output="screen",
    )


def rviz(condition: IfCondition) -> Node:
    return Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        arguments=["-d", str(SHARE / "rviz" / "tracking.rviz")],
        parameters=[{"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}],
        condition=condition,
        output="log",
    )
