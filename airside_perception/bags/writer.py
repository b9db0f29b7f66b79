"""Writing apron bags: images with calibration, odometry and transforms, in MCAP."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from rosbags.typesys import Stores, get_typestore

from airside_perception.bags.topics import CAMERA_INFO_TYPE, COMPRESSED_TYPE, IMAGE_TYPE, ODOMETRY_TYPE, TF_TYPE
from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import matrix_to_quaternion

_NS_PER_S = 1_000_000_000
_FOREVER = QosTime(9223372036, 854775807)
# Late subscribers of a played bag still get the mounts.
_LATCHED = Qos(
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    _FOREVER,
    _FOREVER,
    QosLiveliness.AUTOMATIC,
    _FOREVER,
    False,
)


class ApronBagWriter:
    """Writes a rosbag2 directory with the topics of an apron sequence; use it as a context manager.

    The same calls give the same bytes.

    Args:
        path: directory to create; it must not exist.
        rig: cameras, in the order in which their topics are listed.

    Raises:
        AirsideError: the directory exists or cannot be written.
    """

    def __init__(self, path: str | Path, rig: Rig) -> None:
        self._rig = rig
        self._types = get_typestore(Stores.ROS2_HUMBLE)
        self._connections: dict[tuple[str, str], Any] = {}
        try:
            self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
            self._writer.open()
        except (WriterError, OSError) as error:
            raise AirsideError(f"{path}: cannot write a bag here ({error})") from error
        self._open = True

    def __enter__(self) -> ApronBagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write the index and metadata.yaml; may be called twice."""
        if self._open:
            self._open = False
            self._writer.close()

    def write_static(self, stamp_ns: int) -> None:
        """Write the mounts of all cameras to /tf_static."""
        transforms = [
            self._transform(stamp_ns, "base_link", f"{name}_optical_frame", camera.base_from_camera)
            for name, camera in self._rig.cameras.items()
        ]
        self._write("/tf_static", TF_TYPE, stamp_ns, self._message(TF_TYPE)(transforms=transforms), (_LATCHED,))

    def write_image(
        self,
        camera: str,
        stamp_ns: int,
        rgb: np.ndarray,
        jpeg_quality: int | None = None,
        log_time_ns: int | None = None,
    ) -> None:
        """Write an image and its camera_info.

        Args:
            camera: name in the rig.
            stamp_ns: time of exposure, integer nanoseconds.
            rgb: (H, W, 3) uint8 of the camera's size.
            jpeg_quality: 1..100 for JPEG on image_raw/compressed; None for raw rgb8 on image_raw.
            log_time_ns: time of arrival; `stamp_ns` where None.
        """
        model = self._rig.cameras[camera]
        if rgb.shape != (model.height, model.width, 3) or rgb.dtype != np.uint8:
            raise ValueError(
                f"camera {camera!r}: expected an image ({model.height}, {model.width}, 3) uint8, "
                f"got {rgb.shape} {rgb.dtype}"
            )
        header = self._header(stamp_ns, f"{camera}_optical_frame")
        topic = f"/camera/{camera}/image_raw"
        log_time = stamp_ns if log_time_ns is None else log_time_ns
        if jpeg_quality is None:
            image = self._message(IMAGE_TYPE)(
                header=header,
                height=model.height,
                width=model.width,
                encoding="rgb8",
                is_bigendian=0,
                step=3 * model.width,
                data=np.ascontiguousarray(rgb).reshape(-1),
            )
            self._write(topic, IMAGE_TYPE, log_time, image)
        else:
            bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
            _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(jpeg_quality)])
            compressed = self._message(COMPRESSED_TYPE)(header=header, format="rgb8; jpeg compressed bgr8", data=data)
            self._write(f"{topic}/compressed", COMPRESSED_TYPE, log_time, compressed)
        self._write(f"/camera/{camera}/camera_info", CAMERA_INFO_TYPE, log_time, self._camera_info(header, model))

    def write_odometry(
        self, stamp_ns: int, odom_from_base: ArrayLike, linear_velocity: ArrayLike, yaw_rate: float
    ) -> None:
        """Write /odom and the same pose to /tf.

        Args:
            stamp_ns: integer nanoseconds.
            odom_from_base: (4, 4) pose of base_link in odom.
            linear_velocity: (3,) m/s in base_link.
            yaw_rate: rad/s.
        """
        pose = np.asarray(odom_from_base, np.float64)
        velocity = [float(value) for value in np.asarray(linear_velocity, np.float64)]
        message = self._message(ODOMETRY_TYPE)(
            header=self._header(stamp_ns, "odom"),
            child_frame_id="base_link",
            pose=self._message("geometry_msgs/msg/PoseWithCovariance")(
                pose=self._message("geometry_msgs/msg/Pose")(
                    position=self._vector(pose[:3, 3], "geometry_msgs/msg/Point"), orientation=self._quaternion(pose)
                ),
                covariance=np.zeros(36),
            ),
            twist=self._message("geometry_msgs/msg/TwistWithCovariance")(
                twist=self._message("geometry_msgs/msg/Twist")(
                    linear=self._vector(velocity), angular=self._vector([0.0, 0.0, float(yaw_rate)])
                ),
                covariance=np.zeros(36),
            ),
        )
        self._write("/odom", ODOMETRY_TYPE, stamp_ns, message)
        transforms = [self._transform(stamp_ns, "odom", "base_link", pose)]
        self._write("/tf", TF_TYPE, stamp_ns, self._message(TF_TYPE)(transforms=transforms))

    def _write(self, topic: str, kind: str, log_time: int, message: Any, qos: tuple[Qos, ...] = ()) -> None:
        key = (topic, kind)
        if key not in self._connections:
            self._connections[key] = self._writer.add_connection(
                topic, kind, typestore=self._types, offered_qos_profiles=qos
            )
        self._writer.write(self._connections[key], int(log_time), self._types.serialize_cdr(message, kind))

    def _message(self, kind: str) -> Any:
        return self._types.types[kind]

    def _header(self, stamp_ns: int, frame: str) -> Any:
        seconds, nanoseconds = divmod(int(stamp_ns), _NS_PER_S)
        stamp = self._message("builtin_interfaces/msg/Time")(sec=seconds, nanosec=nanoseconds)
        return self._message("std_msgs/msg/Header")(stamp=stamp, frame_id=frame)

    def _vector(self, values: Any, kind: str = "geometry_msgs/msg/Vector3") -> Any:
        x, y, z = (float(value) for value in values)
        return self._message(kind)(x=x, y=y, z=z)

    def _quaternion(self, pose: np.ndarray) -> Any:
        w, x, y, z = (float(value) for value in matrix_to_quaternion(pose))
        return self._message("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w)

    def _transform(self, stamp_ns: int, parent: str, child: str, pose: np.ndarray) -> Any:
        transform = self._message("geometry_msgs/msg/Transform")(
            translation=self._vector(pose[:3, 3]), rotation=self._quaternion(pose)
        )
        return self._message("geometry_msgs/msg/TransformStamped")(
            header=self._header(stamp_ns, parent), child_frame_id=child, transform=transform
        )

    def _camera_info(self, header: Any, camera: Camera) -> Any:
        pinhole = camera.distortion_model == "pinhole"  # ROS spells it plumb_bob with zeros
        roi = self._message("sensor_msgs/msg/RegionOfInterest")
        return self._message(CAMERA_INFO_TYPE)(
            header=header,
            height=camera.height,
            width=camera.width,
            distortion_model="plumb_bob" if pinhole else camera.distortion_model,
            d=np.zeros(5) if pinhole else camera.distortion,
            k=camera.intrinsics.reshape(-1),
            r=np.eye(3).reshape(-1),
            p=np.hstack([camera.intrinsics, np.zeros((3, 1))]).reshape(-1),
            binning_x=0,
            binning_y=0,
            roi=roi(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
        )
