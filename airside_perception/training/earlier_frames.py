"""Images of moments shortly before a sample: what a network with a previous volume remembers when it comes to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from airside_perception.geometry.cameras import Camera

EARLIER_FRAMES = 2
"""Frames of memory that samples bring along: with more, batches cost more than they teach."""


@dataclass(frozen=True)
class EarlierFrame:
    """What the rig saw at another instant; labels aren't needed.

    Attributes:
        images: (N, H, W, 3) uint8 RGB.
        cameras: N cameras, posed in base_link of that instant.
        now_from_then: (4, 4) base_link of that instant -> base_link of the sample.
        age_s: seconds from that instant to the sample; NaN where nobody knows.
    """

    images: np.ndarray
    cameras: tuple[Camera, ...]
    now_from_then: np.ndarray
    age_s: float = float("nan")

    def __post_init__(self) -> None:
        if len(self.cameras) != len(self.images):
            raise ValueError(f"EarlierFrame.cameras: expected {len(self.images)} cameras, got {len(self.cameras)}")
        if np.shape(self.now_from_then) != (4, 4):
            raise ValueError(f"EarlierFrame.now_from_then: expected (4, 4), got {np.shape(self.now_from_then)}")

    def resized(self, width: int, height: int) -> EarlierFrame:
        """The same frame with images of another size."""
        images = np.stack([cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in self.images])
        return replace(self, images=images, cameras=tuple(camera.resized(width, height) for camera in self.cameras))

    def mirrored(self, cameras: Sequence[Camera]) -> EarlierFrame:
        """Images flipped left to right, with the cameras that belong to them."""
        reflection = np.diag([1.0, -1.0, 1.0, 1.0])
        flipped = np.ascontiguousarray(self.images[:, :, ::-1])
        motion = reflection @ self.now_from_then @ reflection
        return replace(self, images=flipped, cameras=tuple(cameras), now_from_then=motion)

    def turned(self, rotation: np.ndarray) -> EarlierFrame:
        """The same frame in a base_link that is turned at all instants; `rotation`: (4, 4) new_from_old."""
        cameras = tuple(camera.with_pose(rotation @ camera.base_from_camera) for camera in self.cameras)
        motion = rotation @ self.now_from_then @ rotation.T
        return replace(self, cameras=cameras, now_from_then=motion)
