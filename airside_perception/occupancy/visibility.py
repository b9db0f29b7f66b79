"""Which voxels did a camera really see? Unknown is not free.

For every camera pixel (or every n-th) a ray is marched through the grid; voxels up to and
including the first occupied one are seen, the rest is unknown (Occ3D's camera mask, exact version).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import warp as wp

from airside_perception.geometry.cameras import Camera
from airside_perception.occupancy.visibility_kernels import copy_seen, march_rays
from airside_perception.records import NEVER_SEEN, SEEN_BEFORE, SEEN_NOW, GridSpec, RigFrame
from airside_perception.rendering.warp_runtime import start_warp

DEFAULT_RAY_STRIDE = 4
"""Pixels between rays. At 40 m a 0.8 m voxel spans about 9 pixels of a 640-pixel, 70-degree camera,
so every fourth pixel still meets each voxel twice."""


@dataclass(frozen=True)
class CameraRays:
    """Rays of a set of cameras in voxel units; depends on calibration and grid alone.

    Attributes:
        origins: (cameras, 3) float32, optical centres; (0, 0, 0) is the grid's lowest corner.
        directions: (R, 3) float32, unit length.
        camera_of_ray: (R,) int32.
        cameras: names, in the order of `origins`.
    """

    origins: np.ndarray
    directions: np.ndarray
    camera_of_ray: np.ndarray
    cameras: tuple[str, ...]


def camera_rays(cameras: Sequence[Camera], spec: GridSpec, stride: int = DEFAULT_RAY_STRIDE) -> CameraRays:
    """Rays through the centre of every `stride`-th pixel (any camera model); rays that miss the grid are left out.

    Args:
        cameras: calibrated cameras.
        spec: voxel grid in base_link; voxels must be cubes.
        stride: pixels between rays.

    Raises:
        ValueError: voxels that aren't cubes.
    """
    size = np.asarray(spec.voxel_size, np.float64)
    if not np.allclose(size, size[0]):
        raise ValueError(f"visibility: expected cubic voxels, got {spec.voxel_size}")
    origins, directions, numbers = [], [], []
    for number, camera in enumerate(cameras):
        u, v = np.meshgrid(np.arange(stride // 2, camera.width, stride), np.arange(stride // 2, camera.height, stride))
        local = camera.unproject(np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float64))
        rays = local[np.isfinite(local).all(axis=1)] @ camera.base_from_camera[:3, :3].T
        origin = (camera.base_from_camera[:3, 3] - np.asarray(spec.origin)) / size
        rays = rays[_meets_grid(origin, rays, np.asarray(spec.shape, np.float64))]
        origins.append(origin)
        directions.append(rays)
        numbers.append(np.full(len(rays), number))
    return CameraRays(
        np.asarray(origins, np.float32),
        np.concatenate(directions).astype(np.float32),
        np.concatenate(numbers).astype(np.int32),
        tuple(camera.name for camera in cameras),
    )


def _meets_grid(origin: np.ndarray, rays: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(R,) bool by the slab method, voxel units."""
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (0.0 - origin) / rays, (shape - origin) / rays
    low, high = np.minimum(first, second).T, np.maximum(first, second).T
    # fmax and fmin pass over NaN (a ray inside a slab's face); column by column, as numpy is slow on short rows.
    enter = np.fmax(np.fmax(low[0], low[1]), low[2])
    leave = np.fmin(np.fmin(high[0], high[1]), high[2])
    return leave > np.maximum(enter, 0.0)


def camera_visibility(rays: CameraRays, occupied: np.ndarray, enabled: Sequence[str] | None = None) -> np.ndarray:
    """Voxels that the cameras see.

    Args:
        rays: of the rig.
        occupied: (X, Y, Z) bool, voxels that block sight.
        enabled: names of the cameras that took an image; None: all.

    Returns:
        (X, Y, Z) bool: on some ray, up to and including its first occupied voxel.
    """
    start_warp()
    on = np.array([enabled is None or name in enabled for name in rays.cameras], np.uint8)
    seen = np.zeros(occupied.size, np.uint8)
    inputs = [
        wp.array(rays.origins, dtype=wp.vec3, device="cpu", copy=False),
        wp.array(rays.directions, dtype=wp.vec3, device="cpu", copy=False),
        wp.array(rays.camera_of_ray, dtype=wp.int32, device="cpu", copy=False),
        wp.array(on, dtype=wp.uint8, device="cpu", copy=False),
        _bytes(occupied),
        wp.vec3i(*occupied.shape),
        wp.array(seen, dtype=wp.uint8, device="cpu", copy=False),
    ]
    wp.launch(march_rays, dim=len(rays.directions), inputs=inputs, device="cpu")
    return seen.reshape(occupied.shape).astype(bool)


def _bytes(mask: np.ndarray) -> wp.array:
    flat = np.ascontiguousarray(mask).reshape(-1).view(np.uint8)
    return wp.array(flat, dtype=wp.uint8, device="cpu", copy=False)


class VisibilityTracker:
    """Visibility now and in earlier frames, carried along with the ego motion.

    What was seen is remembered in a grid that stands still in odom and is moved by whole voxels
    when the vehicle leaves its middle, so nothing is blurred by resampling again and again.

    Args:
        spec: voxel grid in base_link.
        stride: pixels between rays.
        margin: how much longer than the grid's diagonal the memory's sides are, metres.
    """

    def __init__(self, spec: GridSpec, stride: int = DEFAULT_RAY_STRIDE, margin: float = 16.0) -> None:
        self.spec = spec
        self.stride = stride
        voxel = spec.voxel_size[0]
        side = int(np.ceil((np.hypot(spec.shape[0], spec.shape[1]) * voxel + margin) / voxel))
        # Vertically a spare voxel on each side takes up pitch and the suspension.
        self._memory_shape = (side, side, spec.shape[2] + 2)
        self._memory = np.zeros(self._memory_shape, np.uint8)
        self._memory_cell: np.ndarray | None = None  # lowest corner in odom, whole voxels
        self._rays: dict[tuple[object, ...], CameraRays] = {}

    def reset(self) -> None:
        """Forget everything that was seen."""
        self._memory[:] = 0
        self._memory_cell = None

    def update(self, frame: RigFrame, occupied: np.ndarray) -> np.ndarray:
        """Take one frame into account.

        Args:
            frame: its cameras and ego pose are used, its pixels aren't.
            occupied: (X, Y, Z) bool, base_link at the frame's stamp.

        Returns:
            (X, Y, Z) uint8: records.NEVER_SEEN, SEEN_BEFORE or SEEN_NOW.

        Raises:
            ValueError: `occupied` has another shape than the grid.
        """
        if occupied.shape != tuple(self.spec.shape):
            raise ValueError(f"visibility: expected occupied of shape {self.spec.shape}, got {occupied.shape}")
        if frame.images:
            now = camera_visibility(self._rays_for({n: i.camera for n, i in frame.images.items()}), occupied)
        else:
            now = np.zeros(occupied.shape, bool)
        self._follow(frame.odom_from_base)
        base_from_memory = self._base_from_memory(frame.odom_from_base)
        before = self._copy(self._memory, np.linalg.inv(base_from_memory), np.zeros(occupied.shape, np.uint8))
        self._memory = self._copy(now, base_from_memory, self._memory)
        return np.where(now, SEEN_NOW, np.where(before > 0, SEEN_BEFORE, NEVER_SEEN)).astype(np.uint8)

    def _rays_for(self, cameras: Mapping[str, Camera]) -> CameraRays:
        """Rays of these cameras, computed again when a calibration is new."""
        key = tuple(
            (
                name,
                camera.width,
                camera.intrinsics.tobytes(),
                camera.base_from_camera.tobytes(),
                camera.distortion.tobytes(),
            )
            for name, camera in sorted(cameras.items())
        )
        if key not in self._rays:
            if len(self._rays) >= 16:
                self._rays.pop(next(iter(self._rays)))
            self._rays[key] = camera_rays([cameras[name] for name in sorted(cameras)], self.spec, self.stride)
        return self._rays[key]

    def _follow(self, odom_from_base: np.ndarray) -> None:
        """Shift the memory by whole voxels so that the grid stays inside it."""
        voxel = self.spec.voxel_size[0]
        grid_middle = np.asarray(self.spec.origin) + 0.5 * np.asarray(self.spec.shape) * voxel
        middle = (odom_from_base[:3, :3] @ grid_middle + odom_from_base[:3, 3]) / voxel
        wanted = np.floor(middle - 0.5 * np.asarray(self._memory_shape)).astype(np.int64)
        if self._memory_cell is None:
            self._memory_cell = wanted
            return
        # Small moves stay inside the margin; moving the memory every frame would be wasted work.
        shift = wanted - self._memory_cell
        if np.abs(shift[:2]).max() * voxel < 4.0 and shift[2] == 0:
            return
        moved = np.zeros_like(self._memory)
        if (np.abs(shift) < self._memory_shape).all():
            source = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(shift, self._memory_shape, strict=True))
            target = tuple(slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(shift, self._memory_shape, strict=True))
            moved[target] = self._memory[source]
        self._memory, self._memory_cell = moved, wanted

    def _base_from_memory(self, odom_from_base: np.ndarray) -> np.ndarray:
        """(4, 4): memory voxel coordinates -> grid voxel coordinates."""
        assert self._memory_cell is not None
        voxel = self.spec.voxel_size[0]
        odom_from_memory = np.diag([voxel, voxel, voxel, 1.0])
        odom_from_memory[:3, 3] = self._memory_cell * voxel
        grid_from_base = np.diag([1 / voxel, 1 / voxel, 1 / voxel, 1.0])
        grid_from_base[:3, 3] = -np.asarray(self.spec.origin) / voxel
        return grid_from_base @ np.linalg.inv(odom_from_base) @ odom_from_memory

    def _copy(self, source: np.ndarray, source_from_target: np.ndarray, target: np.ndarray) -> np.ndarray:
        """`target` with the seen voxels of `source` added (in place); transform in voxel units."""
        start_warp()
        shape = target.shape
        flat = np.ascontiguousarray(target).reshape(-1)
        inputs = [
            wp.mat44(*source_from_target.astype(np.float32).reshape(-1)),
            _bytes(source),
            wp.vec3i(*source.shape),
            wp.vec3i(*shape),
            wp.array(flat, dtype=wp.uint8, device="cpu", copy=False),
        ]
        wp.launch(copy_seen, dim=flat.size, inputs=inputs, device="cpu")
        return flat.reshape(shape)
