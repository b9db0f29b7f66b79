"""Cameras with distortion: rendered by a wider pinhole at the same place, then resampled."""

from __future__ import annotations

import cv2
import numpy as np

from airside_perception.geometry.cameras import Camera

WIDEST = float(np.radians(150))
"""Widest view of the pinhole behind it; pixels of a fisheye beyond that stay black, without labels."""


class BentCamera:
    """A camera that is not linear, and the way from a pinhole's pixels to its own.

    Attributes:
        camera: the distorted camera.
        pinhole: a linear camera at the same place that sees all that `camera` sees, up to `WIDEST`.
    """

    def __init__(self, camera: Camera):
        self.camera = camera
        self.pinhole = covering_pinhole(camera)
        columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        rays = camera.unproject(np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(float))
        pixels, valid = self.pinhole.project(rays)
        valid &= np.isfinite(rays).all(axis=1)
        pixels = np.where(valid[:, None], pixels, -10.0).reshape(camera.height, camera.width, 2).astype(np.float32)
        self._x, self._y = np.ascontiguousarray(pixels[..., 0]), np.ascontiguousarray(pixels[..., 1])

    def resample(
        self, radiance: np.ndarray, depth: np.ndarray, item: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pinhole's (H, W, 3), (H, W), (H, W) layers as the distorted camera sees them; depth stays along
        the shared optical axis."""
        labels = item.astype(np.float32)
        return (
            self._remap(radiance, cv2.INTER_LINEAR, 0),
            self._remap(depth, cv2.INTER_NEAREST, 0),
            self._remap(labels, cv2.INTER_NEAREST, -2).astype(np.int32),
        )

    def resample_image(self, radiance: np.ndarray) -> np.ndarray:
        """The pinhole's (H, W, 3) radiance as the distorted camera sees it."""
        return self._remap(radiance, cv2.INTER_LINEAR, 0)

    def resample_labels(self, layer: np.ndarray, border: float) -> np.ndarray:
        """Any (H, W) or (H, W, 3) layer of the pinhole by the nearest pixel, in single precision; what the pinhole
        doesn't see gets `border`."""
        return self._remap(layer.astype(np.float32), cv2.INTER_NEAREST, border)

    def _remap(self, layer: np.ndarray, interpolation: int, border: float) -> np.ndarray:
        return cv2.remap(
            layer, self._x, self._y, interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=(border,) * 4
        )


def covering_pinhole(camera: Camera, margin_px: int = 4) -> Camera:
    """A distortion-free camera at the same place that sees all that `camera` sees (up to `WIDEST`)."""
    u, v = np.linspace(0, camera.width - 1, 33), np.linspace(0, camera.height - 1, 33)
    right, bottom = np.full(33, camera.width - 1.0), np.full(33, camera.height - 1.0)
    sides = [(u, 0 * u), (u, bottom), (0 * v, v), (right, v)]
    rays = camera.unproject(np.concatenate([np.stack(side, axis=1) for side in sides]))
    limit = np.tan(WIDEST / 2)
    with np.errstate(invalid="ignore"):
        slopes = np.abs(rays[:, :2] / np.maximum(rays[:, 2:], 1e-3))
    # A fisheye may not be able to unproject its corners at all.
    reach = np.clip(np.nan_to_num(slopes, nan=limit), 0, limit).max(axis=0)
    focal = float(camera.intrinsics[0, 0])
    width = int(2 * np.ceil(min(reach[0] * focal, 1.6 * camera.width))) + 2 * margin_px
    height = int(2 * np.ceil(min(reach[1] * focal, 1.6 * camera.height))) + 2 * margin_px
    fx, fy = (width / 2 - margin_px) / reach[0], (height / 2 - margin_px) / reach[1]
    intrinsics = np.array([[fx, 0, (width - 1) / 2], [0, fy, (height - 1) / 2], [0, 0, 1.0]])
    return Camera(camera.name, width, height, intrinsics, camera.base_from_camera)
