"""Voxel -> (camera, pixel, depth) tables: the geometry of a rig, handed to the network as inputs.

Fixed calibration makes the projection of every lifting point a constant, so it is computed once
per rig (any camera model) and the network only gathers (pull lifting, Simple-BEV, arXiv
2206.07959; index + Gather form as in FastBEV++).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera
from airside_perception.occupancy.network_spec import CAMERA_SLOTS, DEPTH_STRIDE, LIFT_STRIDE, NetworkSpec

NEAREST_DEPTH = 0.3
"""Points nearer to a camera than this (metres) belong to the vehicle itself."""


@dataclass(frozen=True)
class LiftingTables:
    """Where each lifting point finds its features; V points, S = CAMERA_SLOTS cameras each.

    Attributes:
        feature_index: (S, V) int32, cell in the stacked lift features (camera * h * w + row * w + column).
        depth_index: (S, V) int32, (cell in the stacked depth maps) * bins + lower bin.
        depth_fraction: (S, V) float32, share of the upper bin.
        slot_weight: (S, V) float32, 0 for an empty slot; the filled ones of a point sum to 1.
    """

    feature_index: np.ndarray
    depth_index: np.ndarray
    depth_fraction: np.ndarray
    slot_weight: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """(V,) bool: some camera sees the point (inside its image; occlusion is not considered)."""
        return self.slot_weight.sum(axis=0) > 0


def build_lifting_tables(cameras: Sequence[Camera], spec: NetworkSpec) -> LiftingTables:
    """Project the lifting points into every camera and keep the two best views of each.

    The best view is the one in which the point lies farthest from the left and right image edge
    (in image widths): there the encoder has context on both sides.

    Args:
        cameras: in the order of the network's image batch; any size, they are scaled to the spec.
        spec: network spec.

    Returns:
        The tables for these cameras.

    Raises:
        AirsideError: no camera, or none of them sees any lifting point.
    """
    if not cameras:
        raise AirsideError("lifting: expected at least one camera, got none; add cameras to the rig")
    points = spec.lift_points()
    count = len(points)
    best = np.full((CAMERA_SLOTS, count), -1.0, np.float32)
    feature_index = np.zeros((CAMERA_SLOTS, count), np.int32)
    depth_index = np.zeros((CAMERA_SLOTS, count), np.int32)
    fraction = np.zeros((CAMERA_SLOTS, count), np.float32)
    for number, camera in enumerate(cameras):
        seen, score, cell, bin_cell, share = _project(camera, number, points, spec)
        _insert(seen, score, (cell, bin_cell, share), best, (feature_index, depth_index, fraction))
    filled = best >= 0
    if not filled.any():
        names = ", ".join(camera.name for camera in cameras)
        raise AirsideError(
            f"lifting: no camera of the rig ({names}) looks into the grid (origin {spec.grid.origin}, shape "
            f"{spec.grid.shape}); check base_from_camera of the rig or the grid's origin"
        )
    weight = filled / np.maximum(filled.sum(axis=0, keepdims=True), 1)
    return LiftingTables(feature_index, depth_index, fraction, weight.astype(np.float32))


def _project(
    camera: Camera, number: int, points: np.ndarray, spec: NetworkSpec
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the points that `camera` sees, their score, feature cell, depth cell and bin share."""
    camera = camera.resized(*spec.image_size)
    transform = np.linalg.inv(camera.base_from_camera).astype(np.float32)
    local = points @ transform[:3, :3].T + transform[:3, 3]
    # Cheap cull before the distortion polynomial: nothing behind, nothing wider than 80 degrees off axis
    # unless the lens is a fisheye.
    limit = 30.0 if camera.distortion_model == "equidistant" else 5.7
    candidates = np.flatnonzero(
        (local[:, 2] > NEAREST_DEPTH) & (np.hypot(local[:, 0], local[:, 1]) < limit * local[:, 2])
    )
    pixels, valid = camera.project(local[candidates].astype(np.float64))
    width, height = spec.image_size
    u, v = pixels[:, 0] + 0.5, pixels[:, 1] + 0.5  # continuous, 0 at the image's edge
    inside = valid & (u >= 0) & (u < width) & (v >= 0) & (v < height)
    seen, u, v = candidates[inside], u[inside], v[inside]
    score = np.minimum(u, width - u) / width
    lift_width, lift_height = spec.lift_size
    cell = (number * lift_height + (v // LIFT_STRIDE).astype(np.int32)) * lift_width + (u // LIFT_STRIDE).astype(
        np.int32
    )
    depth_width, depth_height = spec.depth_size
    depth_cell = (number * depth_height + (v // DEPTH_STRIDE).astype(np.int32)) * depth_width
    depth_cell += (u // DEPTH_STRIDE).astype(np.int32)
    position = spec.depth_bin(local[seen, 2])
    # The upper bin must stay in the same cell: the last bin is reached as (bins - 2) plus a whole share.
    lower = np.minimum(position.astype(np.int32), spec.depth_bins - 2)
    return seen, score, cell, depth_cell * spec.depth_bins + lower, (position - lower).astype(np.float32)


def _insert(
    seen: np.ndarray,
    score: np.ndarray,
    values: tuple[np.ndarray, ...],
    best: np.ndarray,
    slots: tuple[np.ndarray, ...],
) -> None:
    """Insert one camera's points into the slots, best first (in place)."""
    first = score > best[0, seen]
    moved = seen[first]
    best[1, moved] = best[0, moved]
    best[0, moved] = score[first]
    for slot, value in zip(slots, values, strict=True):
        slot[1, moved] = slot[0, moved]
        slot[0, moved] = value[first]
    rest = ~first & (score > best[1, seen])
    target = seen[rest]
    best[1, target] = score[rest]
    for slot, value in zip(slots, values, strict=True):
        slot[1, target] = value[rest]
