"""Label images of the same scene a moment earlier or later, seen from the sample's own place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from airside_perception.geometry.boxes import points_in_boxes
from airside_perception.geometry.cameras import Camera

MOVING_SPEED = 0.2
"""Metres per second over ground; slower boxes count as standing."""

SKIN = 0.3
"""Metres around a moving box that belong to it: labels and boxes are never exact."""


@dataclass(frozen=True)
class AdjacentFrame:
    """Depth and semantics of another instant.

    Attributes:
        cameras: M cameras as they stood then, posed in base_link of the sample (by the ego motion).
        depth: (M, h, w) uint16 optical-axis depth in centimetres, 0 = sky.
        semantic: (M, h, w) uint8 semantic ids.
        moving: (M, h, w) bool, pixels that show an object that moves.
    """

    cameras: tuple[Camera, ...]
    depth: np.ndarray
    semantic: np.ndarray
    moving: np.ndarray

    def __post_init__(self) -> None:
        for name in ("semantic", "moving"):
            if getattr(self, name).shape != self.depth.shape:
                raise ValueError(
                    f"AdjacentFrame.{name}: expected shape {self.depth.shape}, got {getattr(self, name).shape}"
                )
        if len(self.cameras) != len(self.depth):
            raise ValueError(f"AdjacentFrame.cameras: expected {len(self.depth)} cameras, got {len(self.cameras)}")

    def mirrored(self, cameras: Sequence[Camera]) -> AdjacentFrame:
        """Label images flipped left to right, with the cameras that belong to them."""
        flipped = (np.ascontiguousarray(layer[:, :, ::-1]) for layer in (self.depth, self.semantic, self.moving))
        return AdjacentFrame(tuple(cameras), *flipped)

    def moved(self, transform: np.ndarray) -> AdjacentFrame:
        """The same frame in another base_link; `transform`: (4, 4) new_from_old."""
        return replace(self, cameras=tuple(c.with_pose(transform @ c.base_from_camera) for c in self.cameras))


def label_pixels(camera: Camera, shape: tuple[int, int]) -> np.ndarray:
    """(h, w, 2) float64: image coordinates (u, v) of the middles of the label cells of one image."""
    height, width = shape
    u = (np.arange(width) + 0.5) * camera.width / width - 0.5
    v = (np.arange(height) + 0.5) * camera.height / height - 0.5
    return np.stack(np.meshgrid(u, v), axis=-1)


def moving_pixels(
    cameras: Sequence[Camera], depth: np.ndarray, semantic: np.ndarray, boxes: np.ndarray, velocity: np.ndarray
) -> np.ndarray:
    """Which label pixels show an object that moves.

    Args:
        cameras: M cameras, base_link of the labels' own instant.
        depth: (M, h, w) uint16 centimetres, 0 = sky.
        semantic: (M, h, w) uint8; the ground under an object stands still and is kept.
        boxes: (N, 7) in the same base_link.
        velocity: (N, 2) m/s over ground.

    Returns:
        (M, h, w) bool.
    """
    moving = np.zeros(depth.shape, bool)
    fast = grown(boxes[np.hypot(*np.asarray(velocity).reshape(-1, 2).T) > MOVING_SPEED])
    if not len(fast):
        return moving
    for index, camera in enumerate(cameras):
        rows, columns = np.nonzero((depth[index] > 0) & (semantic[index] > 1))
        rays = camera.unproject(label_pixels(camera, depth.shape[1:])[rows, columns])
        metres = depth[index, rows, columns] / 100.0 / np.maximum(rays[:, 2], 1e-3)
        points = camera.position + rays @ camera.base_from_camera[:3, :3].T * metres[:, None]
        moving[index, rows, columns] = points_in_boxes(points, fast).any(axis=1)
    return moving


def grown(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 7) with SKIN around them."""
    larger = np.asarray(boxes, np.float64).reshape(-1, 7).copy()
    larger[:, 3:6] += 2 * SKIN
    return larger
