"""An image message on its way to the worker, which decodes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from airside_perception.bags import CorruptImage, decode_compressed, decode_image
from airside_perception.bags.image_decoding import UnknownEncoding
from airside_perception.geometry import Camera
from airside_perception.ros.health import NodeHealth


class WrongSize(CorruptImage):
    """An image of another size than its calibration."""


@dataclass(frozen=True)
class LiveImage:
    """What the synchroniser carries in place of pixels.

    Attributes:
        camera: name in the rig.
        stamp_ns: stamp of the message.
        message: raw or compressed, as it came.
        model: calibration when it came; the image must have its size.
        health: told of images that cannot be used.
    """

    camera: str
    stamp_ns: int
    message: Image | CompressedImage
    model: Camera
    health: NodeHealth

    def decode(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB; may share memory with the message.

        Raises:
            CorruptImage: not decodable or of the wrong size; already counted in `health`.
        """
        try:
            return decode_message(self.message, self.model)
        except CorruptImage as error:
            kinds = {UnknownEncoding: "wrong_encoding", WrongSize: "wrong_size"}
            self.health.image_failed(self.camera, kinds.get(type(error), "corrupt"), str(error))
            raise


def decode_message(message: Image | CompressedImage, model: Camera) -> np.ndarray:
    """Pixels of an image message.

    Args:
        message: raw or compressed.
        model: calibration; the image must have its size.

    Returns:
        (H, W, 3) uint8 RGB; may share memory with the message.

    Raises:
        CorruptImage: not decodable (UnknownEncoding) or of another size (WrongSize).
    """
    data = np.frombuffer(message.data, np.uint8)
    if isinstance(message, CompressedImage):
        image = decode_compressed(data)
    else:
        image = decode_image(
            message.encoding, message.height, message.width, message.step, bool(message.is_bigendian), data
        )
    if image.shape != (model.height, model.width, 3):
        expected, got = f"{model.width}x{model.height}", f"{image.shape[1]}x{image.shape[0]}"
        raise WrongSize(f"camera {model.name!r}: expected {expected} pixels, got {got}; check rig and camera_info")
    return image
