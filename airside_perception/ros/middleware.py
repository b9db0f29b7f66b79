"""The middleware's transport profile, without which large images are lost between processes."""

from __future__ import annotations

import os

from airside_perception.resources import share_path

# Fast DDS 3 (ROS 2 Kilted and later) renamed the variable and warns of the old name.
_OLD_DISTRIBUTIONS = ("humble", "iron", "jazzy")


def profile_variable() -> str:
    """Name of the environment variable that this ROS distribution reads."""
    old = os.environ.get("ROS_DISTRO", "") in _OLD_DISTRIBUTIONS
    return "FASTRTPS_DEFAULT_PROFILES_FILE" if old else "FASTDDS_DEFAULT_PROFILES_FILE"


def use_shared_memory_profile() -> None:
    """Load config/fastdds_shm.xml in this process, unless the user chose a profile; call before rclpy.init."""
    if not any(os.environ.get(f"{name}_DEFAULT_PROFILES_FILE") for name in ("FASTDDS", "FASTRTPS")):
        os.environ[profile_variable()] = str(share_path("config/fastdds_shm.xml"))
