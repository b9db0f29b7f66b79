"""Libraries and compiled kernels of the pipeline, which stay in a process once it has loaded them."""

from __future__ import annotations

import importlib
from collections.abc import Callable

MODULES = (
    "numpy",
    "cv2",
    "torch",
    "onnxruntime",
    "warp",
    "safetensors.torch",
    "airside_perception.pipeline",
    "airside_perception.prior.weights",
    "airside_perception.inference.onnxruntime_engine",
    "airside_perception.inference.tensorrt_engine",
    "airside_perception.explain.overlay",
)
"""In the order of loading, for a stop to be heard between them."""

MESSAGES = (
    ("geometry_msgs.msg", "Pose"),
    ("nav_msgs.msg", "Odometry"),
    ("sensor_msgs.msg", "Image"),
    ("visualization_msgs.msg", "MarkerArray"),
)
"""One message of each package that the node subscribes to or publishes: its type support is a library, too."""


def load_libraries(told_to_stop: Callable[[], bool] = lambda: False) -> bool:
    """Load what `configure` would load otherwise, so that it takes less time and `cleanup` leads back to this state.

    The kernels are compiled where that was never done before, which takes about a minute.

    Args:
        told_to_stop: asked between two modules.

    Returns:
        Whether all is loaded. What can't be loaded is left to `configure`, which tells why.
    """
    try:
        for name in MODULES:
            if told_to_stop():
                return False
            importlib.import_module(name)
        if told_to_stop():
            return False
        _load_type_support()
        _load_kernels()
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def _load_type_support() -> None:
    from rclpy.type_support import check_for_type_support

    for module, name in MESSAGES:
        check_for_type_support(getattr(importlib.import_module(module), name))


def _load_kernels() -> None:
    import warp as wp

    from airside_perception.occupancy import visibility_kernels
    from airside_perception.rendering import warp_kernels, warp_kernels_antialias, warp_kernels_interpolate
    from airside_perception.rendering.warp_runtime import start_warp

    start_warp()
    for module in (visibility_kernels, warp_kernels, warp_kernels_antialias, warp_kernels_interpolate):
        wp.load_module(module, device="cpu")
