"""What is installed and on what machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from airside_perception import __version__
from airside_perception.findings import Finding

LIBRARIES = (
    "numpy",
    "torch",
    "warp-lang",
    "onnxruntime",
    "opencv-python-headless",
    "rosbags",
    "safetensors",
)
"""Distributions that the package cannot do without."""

_SEGMENT_BYTES = 128 * 2**20
"""Size of the shared-memory segment in config/fastdds_shm.xml."""

_RECEIVE_BUFFER_BYTES = 4 * 2**20
"""Size of UDP buffers in config/fastdds_shm.xml; the kernel must allow it."""


def python_and_libraries() -> Iterator[Finding]:
    """Python, processor and the libraries that are always needed."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding(
        "environment",
        "ok",
        f"airside_perception {__version__}, Python {platform.python_version()} at {sys.prefix}, "
        f"{platform.system()} {platform.machine()}, {cores} CPU cores",
    )
    for name in LIBRARIES:
        found = version(name)
        if found is None and name.startswith("opencv") and importlib.util.find_spec("cv2"):
            found = "(from another distribution)"
        yield Finding(name, "ok", found) if found else Finding(name, "fail", "not installed", f"pip install {name}")


def graphics_card() -> Iterator[Finding]:
    """The GPU, if there is one, and what would use it."""
    import torch

    if not torch.cuda.is_available():
        yield Finding("graphics card", "note", "none that CUDA can use; everything runs on the CPU")
        return
    tensorrt = version("tensorrt")
    yield Finding(
        "graphics card",
        "ok" if tensorrt else "note",
        f"{torch.cuda.get_device_name(0)}, " + (f"TensorRT {tensorrt}" if tensorrt else "TensorRT is not installed"),
        "" if tensorrt else "pip install tensorrt, else the network runs in ONNX Runtime",
    )


def ros() -> Iterator[Finding]:
    """ROS 2 and its optional packages."""
    if importlib.util.find_spec("rclpy") is None:
        yield Finding("ROS 2", "note", "rclpy is not installed; offline commands do without (extra: ros)")
        return
    optional = ("launch_ros", "tf2_ros", "message_filters", "vision_msgs", "cv_bridge")
    absent = [name for name in optional if importlib.util.find_spec(name) is None]
    detail = f"rclpy {version('rclpy') or version('ros-rclpy') or ''}".strip()
    detail += f", distribution {os.environ.get('ROS_DISTRO', 'none sourced')}"
    yield Finding("ROS 2", "ok", detail + (f"; not installed: {', '.join(absent)}" if absent else ""))
    yield from middleware()


def middleware() -> Iterator[Finding]:
    """Settings without which large images are lost between processes."""
    name = os.environ.get("RMW_IMPLEMENTATION", "default")
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    profile = os.environ.get("FASTDDS_DEFAULT_PROFILES_FILE") or os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE")
    detail = f"{name}, domain {domain}, " + (f"profile {profile}" if profile else "no transport profile in this shell")
    if profile and not Path(profile).is_file():
        yield Finding("middleware", "fail", f"{detail}: no such file", "mend FASTDDS_DEFAULT_PROFILES_FILE")
    else:
        advice = "" if profile else "the node loads its own; camera drivers need config/fastdds_shm.xml, too"
        yield Finding("middleware", "ok" if profile else "note", detail, advice)
    if Path("/dev/shm").is_dir():
        free = shutil.disk_usage("/dev/shm").free
        enough = free >= 2 * _SEGMENT_BYTES
        advice = "" if enough else "enlarge /dev/shm (docker run --shm-size=1g): each process takes 128 MiB"
        yield Finding("shared memory", "ok" if enough else "warn", f"{free / 2**20:.0f} MiB free in /dev/shm", advice)
    limit = Path("/proc/sys/net/core/rmem_max")
    if limit.is_file():
        allowed = int(limit.read_text())
        enough = allowed >= _RECEIVE_BUFFER_BYTES
        advice = "" if enough else f"for cameras on other machines: sysctl -w net.core.rmem_max={_RECEIVE_BUFFER_BYTES}"
        yield Finding("UDP buffers", "ok" if enough else "note", f"kernel allows {allowed / 2**20:.1f} MiB", advice)


def version(name: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
