"""What the cameras of the own vehicle can see of objects: lines of sight against the meshes in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import warp as wp

from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import invert_transform, pose_from_xyz_yaw, transform_points
from airside_perception.rendering.warp_runtime import start_warp
from airside_perception.synth.scene import SceneObject, Trajectory
from airside_perception.synth.sight_kernels import lines_blocked

RANGE_M = 60.0
"""Farther objects count as out of view."""
BLOCKERS = ("aircraft", "gse", "structure")
"""Classes that hide others; people and cones are too thin."""
_PLACES = np.array([(x, y, z) for x in (-0.35, 0.0, 0.35) for y in (-0.3, 0.3) for z in (-0.25, 0.3)])


@dataclass(frozen=True)
class Sight:
    """What is seen of N objects at T times.

    Attributes:
        in_view: (N, T) bool, some of the box lies inside an image, in range, hidden or not.
        share: (N, T) float64, part of the lines of sight into the box that nothing blocks; 0 out of view.
        blocker: (N, T) int, index of the object that blocks most lines; -1 where none does.
    """

    in_view: np.ndarray
    share: np.ndarray
    blocker: np.ndarray


class SightLines:
    """Lines of sight from a vehicle's cameras.

    Args:
        objects: all that may hide.
        ego: path of the vehicle.
        rig: its cameras.
    """

    def __init__(self, objects: Sequence[SceneObject], ego: Trajectory, rig: Rig):
        start_warp()
        self._objects, self._ego, self._rig = objects, ego, rig
        self._eyes = np.array([camera.base_from_camera[:3, 3] for camera in rig.cameras.values()])
        self._meshes: dict[int, wp.Mesh] = {}

    def look(self, targets: Sequence[SceneObject], times: np.ndarray) -> Sight:
        """See `Sight`; a target never hides itself.

        Args:
            targets: objects to look at, among those that may hide or not.
            times: (T,) seconds.
        """
        times = np.asarray(times, float)
        points = np.stack([[_points_in(target, time) for time in times] for target in targets])  # (N, T, P, 3)
        bases = [pose_from_xyz_yaw(x, y, 0.0, yaw) for x, y, yaw in self._ego.sample(times)]
        eyes = np.stack([transform_points(base, self._eyes) for base in bases])  # (T, C, 3)
        inside = self._inside(points, bases)  # (N, T, C, P)
        middles = points.mean(axis=2)
        near = np.linalg.norm(middles[..., :2] - eyes.mean(axis=1)[None, :, :2], axis=-1) < RANGE_M
        inside &= near[..., None, None]
        starts = np.broadcast_to(eyes[None, :, :, None], (*inside.shape, 3))
        ends = np.broadcast_to(points[:, :, None], (*inside.shape, 3))
        blocked = np.zeros(inside.shape, bool)
        most, blocker = np.zeros(inside.shape[:2], int), np.full(inside.shape[:2], -1)
        reach = np.linalg.norm(points - middles[:, :, None], axis=-1).max(axis=-1)
        own = {id(target): row for row, target in enumerate(targets)}
        for index, thing in enumerate(self._objects):
            if thing.asset.class_name not in BLOCKERS:
                continue
            pairs = inside.any(axis=(2, 3)) & self._between(thing, times, eyes.mean(axis=1), middles, reach)
            if id(thing) in own:
                pairs[own[id(thing)]] = False
            rows, columns = np.nonzero(pairs)
            if not len(rows):
                continue
            hits = self._blocked_by(index, times[columns], starts[rows, columns], ends[rows, columns])
            hits &= inside[rows, columns]
            blocked[rows, columns] |= hits
            count = hits.sum(axis=(1, 2))
            better = count > most[rows, columns]
            most[rows[better], columns[better]] = count[better]
            blocker[rows[better], columns[better]] = index
        lines = inside.sum(axis=(2, 3))
        share = (inside & ~blocked).sum(axis=(2, 3)) / np.maximum(lines, 1)
        return Sight(lines > 0, share, blocker)

    def _inside(self, points: np.ndarray, bases: Sequence[np.ndarray]) -> np.ndarray:
        """(N, T, C, P) bool: which points lie inside which images."""
        in_base = np.stack(
            [transform_points(invert_transform(base), points[:, k].reshape(-1, 3)) for k, base in enumerate(bases)]
        )
        in_base = in_base.reshape(len(bases), len(points), -1, 3).swapaxes(0, 1)
        return np.stack([camera.project_base(in_base)[2] for camera in self._rig.cameras.values()], axis=2)

    def _between(
        self, thing: SceneObject, times: np.ndarray, eyes: np.ndarray, middles: np.ndarray, reach: np.ndarray
    ) -> np.ndarray:
        """(N, T) bool: whether the object comes near the line from the vehicle to the target at all."""
        center = thing.trajectory.sample(times)[:, :2]
        line = middles[..., :2] - eyes[None, :, :2]
        offset = (center - eyes[:, :2])[None]
        along = np.clip((offset * line).sum(-1) / np.maximum((line**2).sum(-1), 1e-9), 0.0, 1.0)
        distance = np.linalg.norm(offset - along[..., None] * line, axis=-1)
        return distance < np.hypot(*thing.asset.size[:2]) / 2 + reach + 1.5

    def _blocked_by(self, index: int, times: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """(M, C, P) bool: which lines, (M, C, P, 3) world at times (M,), the mesh of one object blocks."""
        thing = self._objects[index]
        own = np.stack([invert_transform(thing.pose(time)) for time in times])
        first, last = (
            np.einsum("mij,mcpj->mcpi", own[:, :3, :3], lines) + own[:, None, None, :3, 3] for lines in (starts, ends)
        )
        crossing = _crosses_box(first, last, thing.asset.size)
        hits = np.zeros(crossing.shape, bool)
        if crossing.any():
            result: wp.array = wp.zeros(int(crossing.sum()), dtype=wp.int32, device="cpu")
            arguments = [self._mesh(index).id, _vectors(first[crossing]), _vectors(last[crossing]), result]
            wp.launch(lines_blocked, len(result), arguments, device="cpu")
            hits[crossing] = result.numpy() > 0
        return hits

    def _mesh(self, index: int) -> wp.Mesh:
        if index not in self._meshes:
            mesh = self._objects[index].asset.mesh
            corners: wp.array = wp.array(mesh.faces.ravel().astype(np.int32), dtype=wp.int32, device="cpu")
            self._meshes[index] = wp.Mesh(_vectors(mesh.vertices), corners)
        return self._meshes[index]


def _vectors(points: np.ndarray) -> wp.array:
    """(N,) Warp vectors of (N, 3) points."""
    return wp.array(np.ascontiguousarray(points, np.float32), dtype=wp.vec3, device="cpu")


def _points_in(target: SceneObject, time_s: float) -> np.ndarray:
    """(P, 3) world points spread through the box."""
    return transform_points(target.pose(time_s), _PLACES * target.asset_at(time_s).size)


def _crosses_box(starts: np.ndarray, ends: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(...) bool: slab test of lines against a box of (3,) `size` about the origin."""
    line = np.where(np.abs(ends - starts) < 1e-9, 1e-9, ends - starts)
    first, second = (-size / 2 - starts) / line, (size / 2 - starts) / line
    enter, leave = np.minimum(first, second).max(axis=-1), np.maximum(first, second).min(axis=-1)
    return (enter < leave) & (leave > 0) & (enter < 1)
