"""Reading a recording: the rig that made it, and its events in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from airside_perception.bags.events import ImageEvent, OdometryEvent
from airside_perception.bags.frame_tree import FrameTree, clean_frame
from airside_perception.bags.image_decoding import CorruptImage, decode_compressed, decode_image
from airside_perception.bags.odometry import MessageOdometry, TransformOdometry
from airside_perception.bags.sequence import open_sequence
from airside_perception.bags.storage import BagStorage, stamp_of
from airside_perception.bags.topics import TF_TYPE, CameraTopics, find_cameras, find_odometry
from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera, camera_from_info
from airside_perception.geometry.rig import Rig

_TF_SEARCH = 2000
"""So many messages of /tf are searched for the vehicle's pose before giving up."""


class BagReader:
    """A recording of surround cameras and odometry; use it as a context manager.

    Args:
        path: sequence folder, rosbag2 directory or bag file.
        rig: calibration to use in place of camera_info and tf_static.
        cameras: names of the cameras to read; empty means all (of `rig`, or with a camera_info).
        base_frame: the vehicle's frame.

    Attributes:
        cameras: camera names in order.
        fixed_frame: the frame in which odometry gives the pose, usually "odom".

    Raises:
        AirsideError: no bag, a broken bag, no camera_info, an uncalibrated or unknown camera,
            no mounts in tf_static, or no odometry.
    """

    def __init__(
        self, path: str | Path, rig: Rig | None = None, cameras: Iterable[str] = (), base_frame: str = "base_link"
    ) -> None:
        self.path = open_sequence(path).bag_path
        self._base_frame = base_frame
        self._storage = BagStorage(self.path)
        try:
            self._topics = self._storage.topics
            self._cameras = self._choose_cameras(rig, tuple(cameras))
            self._static = self._read_static_frames()
            self._rig = rig.subset(self._cameras) if rig is not None else self._calibrate()
            self._odometry = self._find_odometry()
        except BaseException:
            self._storage.close()
            raise
        self.cameras = tuple(self._cameras)
        self.fixed_frame = self._odometry.fixed_frame

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._storage.close()

    def rig(self) -> Rig:
        """Calibration of the cameras that are read."""
        return self._rig

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last message of the bag."""
        return self._storage.duration_s

    @property
    def counts(self) -> dict[str, int]:
        """Number of image messages per camera, and of "odometry" messages."""
        counts = {name: self._topics[topics.image][1] for name, topics in self._cameras.items()}
        return counts | {"odometry": sum(self._topics[topic][1] for topic in self._odometry.topics)}

    @property
    def corrupt_messages(self) -> dict[str, int]:
        """Topic -> number of messages so far that could not be decoded."""
        return dict(self._storage.corrupt)

    def messages(self) -> Iterator[ImageEvent | OdometryEvent]:
        """Events in the order of the recording (log time); images are decoded only on demand.

        Raises:
            AirsideError: the bag turns out to be broken.
        """
        camera_of = {topics.image: topics for topics in self._cameras.values()}
        for topic, log_time, message in self._storage.messages([*camera_of, *self._odometry.topics]):
            if topic in camera_of:
                camera = camera_of[topic]
                decoder = _decoder(self._rig.cameras[camera.name], message, camera.compressed)
                yield ImageEvent(camera.name, stamp_of(message.header, log_time), decoder)
            else:
                yield from self._odometry.events(message, log_time)

    def _choose_cameras(self, rig: Rig | None, wanted: tuple[str, ...]) -> dict[str, CameraTopics]:
        found = find_cameras(self._topics)
        if rig is not None:
            wanted = wanted or rig.names
            rig.subset(wanted)  # names a camera that the rig lacks
            chosen = {name: _topics_of(name, rig.topics.get(name), found) or found.get(name) for name in rig.names}
            found = {name: topics for name, topics in chosen.items() if topics is not None}
        elif found and not any(topics.camera_info for topics in found.values()):
            example = next(iter(found.values()))
            raise AirsideError(
                f"{self.path}: no camera_info for any camera (images on {example.image} and others). "
                "Record the camera_info topics, or give a rig file (rig.file)."
            )
        else:
            found = {name: topics for name, topics in found.items() if topics.camera_info or name in wanted}
        if not found and not wanted:
            raise AirsideError(f"{self.path}: no camera images. Expected sensor_msgs Image or CompressedImage topics.")
        unknown = [name for name in wanted if name not in found]
        if unknown:
            known = ", ".join(find_cameras(self._topics)) or "none"
            raise AirsideError(f"{self.path}: no images of camera {unknown[0]!r}; the bag's cameras are {known}")
        return {name: found[name] for name in wanted or found}

    def _read_static_frames(self) -> FrameTree:
        tree = FrameTree()
        topics = [t for t, (kind, _) in self._topics.items() if kind == TF_TYPE and t.endswith("tf_static")]
        for _, _, message in self._storage.messages(topics):
            tree.add(message.transforms)
        return tree

    def _calibrate(self) -> Rig:
        cameras = {name: self._calibrate_camera(topics) for name, topics in self._cameras.items()}
        return Rig(cameras, self.path.parent.name, {name: topics.image for name, topics in self._cameras.items()})

    def _calibrate_camera(self, topics: CameraTopics) -> Camera:
        info = self._storage.first(topics.camera_info) if topics.camera_info else None
        image = self._storage.first(topics.image)
        if info is None or image is None:
            missing = "camera_info" if info is None else "readable image"
            raise AirsideError(f"{self.path}: no {missing} for camera {topics.name!r} ({topics.image}).")
        frames = [clean_frame(message.header.frame_id) for message in (image, info)]
        frame = next((f for f in frames if f in self._static), frames[0] or frames[1])
        base_from_camera = self._static.lookup(self._base_frame, frame)
        # Uncalibrated cameras are reported before missing mounts: that is the first thing to mend.
        camera = camera_from_info(
            topics.name, info.width, info.height, info.k, info.d, info.distortion_model, np.eye(4)
        )
        if base_from_camera is None:
            raise AirsideError(
                f"{self.path}: camera {topics.name!r}: /tf_static does not connect {self._base_frame!r} "
                f"with {frame!r}. Record /tf_static, or give a rig file (rig.file)."
            )
        return _fit_to_image(camera.with_pose(base_from_camera), info, image, topics.compressed)

    def _find_odometry(self) -> MessageOdometry | TransformOdometry:
        topic = find_odometry(self._topics)
        first = self._storage.first(topic) if topic else None
        if topic and first is not None:
            return MessageOdometry(topic, first, self._static, self._base_frame)
        tf_topics = [t for t, (kind, _) in self._topics.items() if kind == TF_TYPE and not t.endswith("tf_static")]
        odometry = TransformOdometry(tuple(tf_topics), self._static, self._base_frame)
        for count, (_, _, message) in enumerate(self._storage.messages(tf_topics)):
            if odometry.try_to_root(message) or count > _TF_SEARCH:
                break
        if odometry.fixed_frame:
            return odometry
        raise AirsideError(
            f"{self.path}: no odometry and no tf. Expected nav_msgs/Odometry (/odom) or a transform "
            f"odom -> {self._base_frame} on /tf; record one of them."
        )


def _topics_of(name: str, topic: str | None, found: dict[str, CameraTopics]) -> CameraTopics | None:
    """The topics behind an image topic that a rig file names (with or without /compressed)."""
    for topics in found.values():
        if topic and topics.image.removesuffix("/compressed") == topic.removesuffix("/compressed"):
            return CameraTopics(name, topics.image, topics.compressed, topics.camera_info)
    return None


def _decode(message: Any, compressed: bool) -> np.ndarray:
    if compressed:
        return decode_compressed(message.data)
    return decode_image(
        message.encoding, message.height, message.width, message.step, bool(message.is_bigendian), message.data
    )


def _decoder(camera: Camera, message: Any, compressed: bool) -> Any:
    def decode() -> np.ndarray:
        image = _decode(message, compressed)
        if image.shape[:2] != (camera.height, camera.width):
            raise CorruptImage(
                f"camera {camera.name!r}: expected {camera.width}x{camera.height} pixels, "
                f"got {image.shape[1]}x{image.shape[0]}"
            )
        return image

    return decode


def _fit_to_image(camera: Camera, info: Any, image: Any, compressed: bool) -> Camera:
    """Calibration in pixels of the images as recorded: region of interest cut out, binning applied.

    camera_info describes the full sensor; a throttled or binned image may be smaller.
    """
    roi = info.roi
    if roi.width and roi.height:
        camera = camera.cropped(roi.x_offset, roi.y_offset, roi.width, roi.height)
    try:
        height, width = _decode(image, compressed).shape[:2]
    except CorruptImage:
        height = camera.height // max(info.binning_y, 1)
        width = camera.width // max(info.binning_x, 1)
    return camera if (width, height) == (camera.width, camera.height) else camera.resized(width, height)
