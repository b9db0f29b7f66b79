"""Cameras from live camera_info messages, and whole rigs from camera_info and static transforms."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo

from airside_perception.config import Config, RosConfig
from airside_perception.errors import AirsideError
from airside_perception.geometry import Camera, Rig, camera_from_info
from airside_perception.ros.transforms import TransformListener, has_tf

# A new camera may still turn up in the middleware's graph for this long.
_DISCOVERY_S = 1.0


def camera_from_message(name: str, info: CameraInfo, base_from_camera: np.ndarray) -> Camera:
    """Camera from sensor_msgs/CameraInfo.

    Raises:
        AirsideError: uncalibrated or unsupported; the message names the camera.
    """
    return camera_from_info(name, info.width, info.height, info.k, info.d, info.distortion_model, base_from_camera)


def same_calibration(first: Camera, second: Camera) -> bool:
    """True where both draw the same image of the same scene, to rounding."""
    # "pinhole" and a distortion model whose coefficients are all zero are the same lens.
    same_lens = (first.is_linear and second.is_linear) or (
        first.distortion_model == second.distortion_model and np.allclose(first.distortion, second.distortion)
    )
    return (
        (first.width, first.height) == (second.width, second.height)
        and same_lens
        and np.allclose(first.intrinsics, second.intrinsics, atol=1e-2)
        and np.allclose(first.base_from_camera, second.base_from_camera, atol=1e-6)
    )


def image_topic(rig: Rig, ros: RosConfig, camera: str) -> str:
    """Raw image topic of a camera: the rig's (which may name the compressed one), else by the pattern of the config."""
    return rig.topics.get(camera, ros.image_topic.replace("{camera}", camera)).removesuffix("/compressed")


def camera_info_topic(rig: Rig, ros: RosConfig, camera: str) -> str:
    """Calibration topic of a camera: beside the image topic where the rig names one, else by the pattern."""
    if camera in rig.topics:
        return image_topic(rig, ros, camera).rsplit("/", 1)[0] + "/camera_info"
    return ros.camera_info_topic.replace("{camera}", camera)


def discover_cameras(node: Node, ros: RosConfig) -> Iterator[str]:
    """Names of the cameras whose camera_info topics exist now."""
    pattern = re.escape(ros.camera_info_topic).replace(re.escape("{camera}"), "([^/]+)")
    for topic, types in node.get_topic_names_and_types():
        match = re.fullmatch(pattern, topic)
        if match and match.groups() and "sensor_msgs/msg/CameraInfo" in types:
            yield match.group(1)


class RigCollector:
    """Waits on a node of its own until every camera has told its calibration and TF its pose.

    Args:
        config: `rig.cameras` names the cameras (empty: whatever publishes camera_info), `ros` topics and frames.
        context: of the calling node.
    """

    def __init__(self, config: Config, context: Context | None = None):
        if not has_tf():
            raise AirsideError(
                "rig.file is empty and tf2_ros is not installed, so extrinsics cannot come from TF; "
                "set rig.file to a rig YAML (see config/rigs/)"
            )
        self._config = config
        self._node = rclpy.create_node("rig_collector", context=context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._transforms = TransformListener(self._node)
        self._infos: dict[str, CameraInfo] = {}
        self._subscribed: set[str] = set()

    def collect(self) -> Rig:
        """The rig, as soon as it is complete.

        Raises:
            AirsideError: something is still missing after `ros.calibration_timeout_s`; the message says what.
        """
        start = time.monotonic()
        deadline = start + self._config.ros.calibration_timeout_s
        wanted = self._config.rig.cameras
        cameras: dict[str, Camera] = {}
        while time.monotonic() < deadline:
            for name in wanted or discover_cameras(self._node, self._config.ros):
                self._subscribe(name)
            self._executor.spin_once(timeout_sec=0.05)
            cameras = self._complete_cameras()
            settled = bool(wanted) or time.monotonic() > start + _DISCOVERY_S
            if settled and cameras and set(cameras) == self._subscribed:
                return Rig({name: cameras[name] for name in wanted or sorted(cameras)}, "live")
        raise AirsideError(self._what_is_missing(cameras))

    def close(self) -> None:
        """Destroy the helper node."""
        self._transforms.close()
        self._executor.shutdown()
        self._node.destroy_node()

    def _subscribe(self, name: str) -> None:
        if name in self._subscribed:
            return
        self._subscribed.add(name)
        topic = self._config.ros.camera_info_topic.replace("{camera}", name)
        self._node.create_subscription(
            CameraInfo, topic, lambda info, name=name: self._infos.update({name: info}), qos_profile_sensor_data
        )

    def _complete_cameras(self) -> dict[str, Camera]:
        ros = self._config.ros
        cameras = {}
        for name, info in self._infos.items():
            frame = info.header.frame_id or ros.optical_frame.replace("{camera}", name)
            base_from_camera = self._transforms.lookup(ros.base_frame, frame)
            if base_from_camera is not None:
                cameras[name] = camera_from_message(name, info, base_from_camera)
        return cameras

    def _what_is_missing(self, cameras: dict[str, Camera]) -> str:
        waited = f"after {self._config.ros.calibration_timeout_s:.0f} s"
        if not self._subscribed:
            return f"no topic matches {self._config.ros.camera_info_topic} {waited}; start the cameras or set rig.file"
        silent = sorted(self._subscribed - set(self._infos))
        if silent:
            return f"no camera_info from {', '.join(silent)} {waited}; start them or name the others in rig.cameras"
        lost = sorted(set(self._infos) - set(cameras))
        base = self._config.ros.base_frame
        return f"no transform from {base} to {', '.join(lost)} {waited}; publish tf_static or set rig.file"


def collect_rig(config: Config, context: Context | None = None) -> Rig:
    """Rig from camera_info and static transforms; blocks for at most `ros.calibration_timeout_s`."""
    collector = RigCollector(config, context)
    try:
        return collector.collect()
    finally:
        collector.close()
