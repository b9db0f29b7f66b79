"""An image message on its way to the worker, which decodes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from airside_perception.bags import CorruptImage, decode_compressed, decode_image
from airside_perception.geometry import Camera
from airside_perception.ros.health import NodeHealth


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
            image = self._decode()
        except CorruptImage as error:
            kind = "wrong_encoding" if "unknown image encoding" in str(error) else "corrupt"
            self.health.image_failed(self.camera, kind, str(error))
            raise
        if image.shape != (self.model.height, self.model.width, 3):
            expected = f"{self.model.width}x{self.model.height}"
            reason = f"expected {expected} pixels, got {image.shape[1]}x{image.shape[0]}; check rig and camera_info"
            self.health.image_failed(self.camera, "wrong_size", reason)
            raise CorruptImage(f"camera {self.camera!r}: {reason}")
        return image

    def _decode(self) -> np.ndarray:
        message = self.message
        if isinstance(message, CompressedImage):
            return decode_compressed(np.frombuffer(message.data, np.uint8))
        data = np.frombuffer(message.data, np.uint8)
        return decode_image(
            message.encoding, message.height, message.width, message.step, bool(message.is_bigendian), data
        )
