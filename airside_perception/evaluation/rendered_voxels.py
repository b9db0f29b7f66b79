"""Depth and semantics that voxels show to a camera, scored apart from the voxels themselves.

A grid may render well and be wrong where no camera looks, or the reverse; so these figures stand beside mIoU and
RayIoU and never replace them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from airside_perception.classes import FREE, SEMANTIC_NAMES
from airside_perception.evaluation.occupancy_metrics import ConfusionAccumulator
from airside_perception.evaluation.ray_casting import first_hits
from airside_perception.geometry.cameras import Camera
from airside_perception.records import GridSpec

DEFAULT_STRIDE = 8
"""Pixels between rays."""


class RenderedVoxels:
    """Rendered depth against depth images, rendered classes against semantic images, over all images added.

    A pixel counts where its labelled surface lies inside the grid. The rendered depth is that of the middle of the
    ray's piece in the first occupied voxel; a ray that meets nothing renders class "free" and has no depth.
    """

    def __init__(self) -> None:
        self.classes = ConfusionAccumulator()
        self._errors: list[np.ndarray] = []
        self._relative: list[np.ndarray] = []

    def add(
        self,
        class_id: np.ndarray,
        spec: GridSpec,
        camera: Camera,
        depth: np.ndarray,
        semantic: np.ndarray,
        stride: int = DEFAULT_STRIDE,
    ) -> None:
        """Render one image.

        Args:
            class_id: (X, Y, Z) uint8 predicted ids, 0 = free.
            spec: their geometry, base_link.
            camera: in base_link.
            depth: (H, W) metres along the optical axis, 0 = sky; H and W as of the camera.
            semantic: (H, W) uint8 ids.
            stride: pixels between rays.

        Raises:
            ValueError: labels of another size than the camera's images.
        """
        wanted = (camera.height, camera.width)
        if depth.shape != wanted or semantic.shape != wanted:
            raise ValueError(f"expected labels of shape {wanted}, got {depth.shape} and {semantic.shape}")
        v, u = np.mgrid[stride // 2 : camera.height : stride, stride // 2 : camera.width : stride]
        truth, label = depth[v, u].reshape(-1), semantic[v, u].reshape(-1)
        rays = camera.unproject(np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float64))
        rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        directions = rays @ camera.base_from_camera[:3, :3].T
        distance = truth / np.maximum(rays[:, 2], 1e-6)
        places = (camera.position + directions * distance[:, None] - spec.origin) / np.asarray(spec.voxel_size)
        inside = ((places >= 0) & (places < spec.shape)).all(axis=1) & (truth > 0) & (rays[:, 2] > 0.05)
        rays, directions, truth, label = rays[inside], directions[inside], truth[inside], label[inside]
        starts = np.broadcast_to(camera.position, directions.shape)
        (found,), (leave,) = first_hits(class_id[None], spec, starts, directions)
        enter = leave - _chord(starts, directions, leave, spec)
        rendered = 0.5 * (enter + leave) * rays[:, 2]
        self.classes.add(found, label, label != FREE)
        met = found != FREE
        error = np.abs(rendered[met] - truth[met])
        self._errors.append(error)
        self._relative.append(error / truth[met])

    def summary(self) -> dict[str, Any] | None:
        """Figures of all pixels; None where none counted.

        "depth_abs_m", "depth_median_m", "depth_abs_rel": of pixels that render something; "hit": their share;
        "semantic_miou" and "semantic_per_class": over all labelled pixels.
        """
        counted = int(self.classes.matrix.sum())
        if not counted:
            return None
        errors, relative = np.concatenate(self._errors), np.concatenate(self._relative)
        iou = self.classes.iou()
        return {
            "depth_abs_m": float(errors.mean()) if len(errors) else None,
            "depth_median_m": float(np.median(errors)) if len(errors) else None,
            "depth_abs_rel": float(relative.mean()) if len(errors) else None,
            "hit": float(self.classes.matrix[:, 1:].sum() / counted),
            "semantic_miou": self.classes.miou(),
            "semantic_per_class": {
                name: float(value)
                for name, value in zip(SEMANTIC_NAMES, iou, strict=True)
                if name != SEMANTIC_NAMES[FREE] and np.isfinite(value)
            },
            "pixels": counted,
        }


def _chord(starts: np.ndarray, directions: np.ndarray, leave: np.ndarray, spec: GridSpec) -> np.ndarray:
    """(R,) metres of ray inside the voxel that it leaves at distance `leave`; NaN stays NaN."""
    size, origin = np.asarray(spec.voxel_size), np.asarray(spec.origin)
    inner = starts + directions * (np.nan_to_num(leave) - 1e-4)[:, None]
    low = np.floor((inner - origin) / size) * size + origin
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (low - starts) / directions, (low + size - starts) / directions
    enter = np.fmax.reduce(np.fmin(first, second), axis=1)
    return leave - np.maximum(enter, 0.0)
