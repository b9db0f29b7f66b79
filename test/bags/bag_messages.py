"""Real rosbag2 recordings, small, made message by message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

TYPES = get_typestore(Stores.ROS2_HUMBLE)
START = 1_700_000_000_000_000_000
MS = 1_000_000


def build(kind: str, **fields: Any) -> Any:
    """A message, named as in ROS: build("std_msgs/Header", ...)."""
    package, name = kind.split("/")
    return TYPES.types[f"{package}/msg/{name}"](**fields)


def header(stamp_ns: int, frame: str) -> Any:
    stamp = build("builtin_interfaces/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return build("std_msgs/Header", stamp=stamp, frame_id=frame)


def vector(values, kind: str = "geometry_msgs/Vector3") -> Any:
    return build(kind, **dict(zip("xyz", map(float, values), strict=True)))


def quaternion(wxyz) -> Any:
    return build("geometry_msgs/Quaternion", **dict(zip("wxyz", map(float, wxyz), strict=True)))


def transform(stamp_ns: int, parent: str, child: str, xyz=(0, 0, 0), wxyz=(1, 0, 0, 0)) -> Any:
    moved = build("geometry_msgs/Transform", translation=vector(xyz), rotation=quaternion(wxyz))
    stamped = header(stamp_ns, parent)
    return build("geometry_msgs/TransformStamped", header=stamped, child_frame_id=child, transform=moved)


def tf(*transforms: Any) -> Any:
    return build("tf2_msgs/TFMessage", transforms=list(transforms))


def image(stamp_ns: int, frame: str, encoding: str, height: int, width: int, data: bytes, step: int = 0) -> Any:
    flat = np.frombuffer(data, np.uint8)
    step = step or len(flat) // height
    return build(
        "sensor_msgs/Image",
        header=header(stamp_ns, frame),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=step,
        data=flat,
    )


def compressed(stamp_ns: int, frame: str, data: bytes) -> Any:
    flat = np.frombuffer(data, np.uint8)
    return build("sensor_msgs/CompressedImage", header=header(stamp_ns, frame), format="jpeg", data=flat)


def camera_info(stamp_ns: int, frame: str, width=32, height=20, k0=30.0, model="plumb_bob", d=(0,) * 5, **more) -> Any:
    roi = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False} | more.pop("roi", {})
    binning = more.pop("binning", 0)
    return build(
        "sensor_msgs/CameraInfo",
        header=header(stamp_ns, frame),
        height=height,
        width=width,
        distortion_model=model,
        d=np.array(d, np.float64),
        k=np.array([k0, 0, 16, 0, k0, 10, 0, 0, 1.0]),
        r=np.eye(3).ravel(),
        p=np.zeros(12),
        binning_x=binning,
        binning_y=binning,
        roi=build("sensor_msgs/RegionOfInterest", **roi),
    )


def odometry(stamp_ns: int, xyz=(0, 0, 0), child="base_link", velocity=(0, 0, 0), yaw_rate=0.0, frame="odom") -> Any:
    pose = build(
        "geometry_msgs/Pose", position=vector(xyz, "geometry_msgs/Point"), orientation=quaternion((1, 0, 0, 0))
    )
    twist = build("geometry_msgs/Twist", linear=vector(velocity), angular=vector((0, 0, yaw_rate)))
    return build(
        "nav_msgs/Odometry",
        header=header(stamp_ns, frame),
        child_frame_id=child,
        pose=build("geometry_msgs/PoseWithCovariance", pose=pose, covariance=np.zeros(36)),
        twist=build("geometry_msgs/TwistWithCovariance", twist=twist, covariance=np.zeros(36)),
    )


def write_bag(path: Path, messages, storage: str = "mcap", compression: str | None = None) -> Path:
    """Write (topic, log time, message) triples; compression is None, "file", "message" or "storage"."""
    writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
    if compression:
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for topic, log_time, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
            writer.write(connections[topic], log_time, TYPES.serialize_cdr(message, kind))
    return path


PIXELS = np.random.default_rng(4).integers(0, 256, (20, 32, 3), np.uint8)


def recording(
    camera: str = "front",
    frames: int = 3,
    with_info: bool = True,
    with_static: bool = True,
    with_odometry: bool = True,
    info: dict[str, Any] | None = None,
    namespace: str | None = None,
) -> list[tuple[str, int, Any]]:
    """Messages of a small good bag of one camera, some of them left out on demand."""
    frame, namespace = f"{camera}_optical_frame", namespace or f"/camera/{camera}"
    messages: list[tuple[str, int, Any]] = []
    if with_static:
        messages.append(("/tf_static", START, tf(transform(START, "base_link", frame, (1, 2, 3)))))
    for i in range(frames):
        t = START + 100 * MS * i
        if with_odometry:
            messages.append(("/odom", t, odometry(t, (0.1 * i, 0, 0))))
        messages.append((f"{namespace}/image_raw", t, image(t, frame, "rgb8", 20, 32, PIXELS.tobytes())))
        if with_info:
            messages.append((f"{namespace}/camera_info", t, camera_info(t, frame, **(info or {}))))
    return messages
