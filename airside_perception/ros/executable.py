"""The frame of executables whose only options are ROS parameters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import rclpy

from airside_perception.errors import AirsideError
from airside_perception.ros.middleware import use_shared_memory_profile


def run_with_parameters(
    name: str,
    defaults: Mapping[str, Any],
    required: str,
    work: Callable[[dict[str, Any]], None],
    arguments: Sequence[str] | None,
) -> int:
    """Read parameters, do the work, and say what went wrong in one line.

    Args:
        name: of the node that holds the parameters while they are read.
        defaults: every parameter and its default, which also decides its type.
        required: the parameter that must not stay empty.
        work: called with the values.
        arguments: command line, for ROS to read; None: this process's.

    Returns:
        Exit status: 0, or 2 after an AirsideError.
    """
    use_shared_memory_profile()
    rclpy.init(args=None if arguments is None else list(arguments))
    options = rclpy.create_node(name)
    values = {key: options.declare_parameter(key, value).value for key, value in defaults.items()}
    options.destroy_node()
    try:
        if not values[required]:
            raise AirsideError(f"set the parameter {required} (-p {required}:=PATH)")
        work(values)
    except AirsideError as error:
        print(f"{name}_node: error: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
    return 0
