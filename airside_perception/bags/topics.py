"""Which topics of a recording are cameras, and what to call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO_TYPE = "sensor_msgs/msg/CameraInfo"
ODOMETRY_TYPE = "nav_msgs/msg/Odometry"
TF_TYPE = "tf2_msgs/msg/TFMessage"

_GENERIC_WORDS = {"camera", "cameras", "cam", "sensing", "sensor", "sensors", "perception"}
"""Parts of a topic's namespace that tell nothing about which camera it is."""


@dataclass(frozen=True)
class CameraTopics:
    """The topics of one camera.

    Attributes:
        name: short, unique in the recording.
        image: topic of the images.
        compressed: True for CompressedImage.
        camera_info: topic of the calibration beside the images, or None.
    """

    name: str
    image: str
    compressed: bool
    camera_info: str | None


def find_cameras(topics: Mapping[str, tuple[str, int]]) -> dict[str, CameraTopics]:
    """Cameras of a recording: name -> topics, in the order of `topics`.

    Every Image or CompressedImage topic with messages counts. Of several image topics in one
    namespace the fullest is taken, among equals the raw one (lossless), then `image_raw`.

    Args:
        topics: topic -> (message type, number of messages).
    """
    by_namespace: dict[str, str] = {}
    for topic, (kind, count) in topics.items():
        if kind not in (IMAGE_TYPE, COMPRESSED_TYPE) or not count or topic.endswith("compressedDepth"):
            continue
        namespace = image_namespace(topic)
        rival = by_namespace.get(namespace)
        if rival is None or _preference(topic, topics) > _preference(rival, topics):
            by_namespace[namespace] = topic
    names = _short_names(list(by_namespace))
    cameras = {}
    for namespace, topic in by_namespace.items():
        info = f"{namespace}/camera_info"
        has_info = topics.get(info, ("", 0))[0] == CAMERA_INFO_TYPE and topics[info][1] > 0
        compressed = topics[topic][0] == COMPRESSED_TYPE
        cameras[names[namespace]] = CameraTopics(names[namespace], topic, compressed, info if has_info else None)
    return cameras


def find_odometry(topics: Mapping[str, tuple[str, int]]) -> str | None:
    """The odometry topic: /odom, else the first topic that ends so, else the first of the type."""
    candidates = [topic for topic, (kind, count) in topics.items() if kind == ODOMETRY_TYPE and count]
    return min(candidates, key=lambda topic: (topic != "/odom", not topic.endswith("/odom")), default=None)


def image_namespace(topic: str) -> str:
    """`/camera/front/image_raw/compressed` -> `/camera/front`: where the camera_info stands."""
    return topic.removesuffix("/compressed").rsplit("/", 1)[0]


def _preference(topic: str, topics: Mapping[str, tuple[str, int]]) -> tuple[int, bool, bool]:
    kind, count = topics[topic]
    return count, kind == IMAGE_TYPE, topic.removesuffix("/compressed").endswith("/image_raw")


def _short_names(namespaces: list[str]) -> dict[str, str]:
    """Namespace -> the fewest last words that tell it from the others."""
    words = {}
    for namespace in namespaces:
        parts = [part for part in namespace.split("/") if part]
        words[namespace] = [part for part in parts if part not in _GENERIC_WORDS] or parts[-1:] or ["camera"]
    for length in range(1, max((len(parts) for parts in words.values()), default=1) + 1):
        names = {namespace: "_".join(parts[-length:]) for namespace, parts in words.items()}
        if len(set(names.values())) == len(names):
            return names
    return {namespace: namespace.strip("/").replace("/", "_") or "camera" for namespace in namespaces}
