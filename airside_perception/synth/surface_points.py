"""Points on the surfaces of a scene, picked where cameras see them and followed exactly ever after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import transform_points
from airside_perception.synth.annotate import is_tracked
from airside_perception.synth.raster_backend import NEAR, ImageLayers, RasterBackend
from airside_perception.synth.scene import Scene

WORLD = -1
"""Item of points on the ground."""

OBJECT_SHARE = 0.75
"""Of the points; the rest lies on the ground, buildings and obstacles."""

_LEAST_PIXELS = 12
_FARTHEST_WORLD = 60.0


@dataclass(frozen=True)
class SurfacePoints:
    """Material points: they stay on their triangle, however that moves.

    Attributes:
        item: (P,) int32 index into scene.objects, or WORLD.
        face: (P,) int32 triangle of the item's mesh; 0 on the ground.
        weights: (P, 3) float64 barycentric weights of its corners.
        ground: (P, 3) float64 world position of points on the ground, else zero.
        frame: (P,) int32 frame in which it was picked.
        camera: (P,) int32 index of the camera that saw it there.
    """

    item: np.ndarray
    face: np.ndarray
    weights: np.ndarray
    ground: np.ndarray
    frame: np.ndarray
    camera: np.ndarray

    def __len__(self) -> int:
        return len(self.item)

    def at(self, scene: Scene, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        """(P, 3) float64 world positions, metres, and (P, 3) outward unit normals at `time_s`."""
        positions, normals = self.ground.copy(), np.tile([0.0, 0.0, 1.0], (len(self), 1))
        for index in np.unique(self.item[self.item >= 0]):
            own = self.item == index
            mesh, pose = scene.objects[index].mesh(time_s), scene.objects[index].pose(time_s)
            corners = transform_points(pose, mesh.vertices[mesh.faces[self.face[own]]].astype(np.float64))
            positions[own] = (self.weights[own, :, None] * corners).sum(axis=1)
            normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            normals[own] = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        return positions, normals


def pick_points(
    backend: RasterBackend, scene: Scene, times_s: Sequence[float], count: int, rng: np.random.Generator
) -> SurfacePoints:
    """Points that cameras see, half of them in the first frame, the others at the quarters of the sequence.

    Args:
        backend: renders `scene`.
        scene: the scene.
        times_s: time of each frame.
        count: about how many; fewer where hardly anything is in view.
        rng: random source.
    """
    later = sorted({len(times_s) * quarter // 4 for quarter in (1, 2, 3)} - {0})
    each = count // 2 // max(len(later), 1)
    counts = [count - each * len(later), *[each] * len(later)]
    parts = [
        _pick_at(backend, scene, frame, times_s[frame], wanted, rng)
        for frame, wanted in zip([0, *later], counts, strict=True)
    ]
    names = ("item", "face", "weights", "ground", "frame", "camera")
    return SurfacePoints(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _pick_at(
    backend: RasterBackend, scene: Scene, frame: int, time_s: float, count: int, rng: np.random.Generator
) -> SurfacePoints:
    cameras = list(scene.rig.cameras.values())
    images = [backend.render(time_s, camera, np.random.default_rng(0)) for camera in cameras]
    tracked = np.append(is_tracked(scene), [False, False])  # -2 sky, -1 ground
    seen = [
        (which, int(item))
        for which, image in enumerate(images)
        for item, pixels in zip(*np.unique(image.item, return_counts=True), strict=True)
        if tracked[item] and pixels >= _LEAST_PIXELS
    ]
    on_objects = min(round(OBJECT_SHARE * count), count) if seen else 0
    # Each object in view is as likely as any other, near and large or far and small.
    drawn = np.bincount(rng.integers(max(len(seen), 1), size=on_objects), minlength=len(seen))[: len(seen)]
    picked = [
        (which, *pixel)
        for (which, item), wanted in zip(seen, drawn, strict=True)
        for pixel in _pixels(images[which].item == item, int(wanted), rng)
    ]
    per_camera = np.bincount(rng.integers(len(cameras), size=count - on_objects), minlength=len(cameras))
    for which, (image, wanted) in enumerate(zip(images, per_camera, strict=True)):
        still = (image.item >= WORLD) & ~tracked[image.item] & (image.depth < _FARTHEST_WORLD)
        picked += [(which, *pixel) for pixel in _pixels(still, int(wanted), rng)]
    rows = []
    for which, row, column in picked:
        found = _hit(scene, time_s, cameras[which], images[which], row, column)
        if found is not None:
            rows.append((*found, frame, which))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    return SurfacePoints(
        np.array(columns[0], np.int32),
        np.array(columns[1], np.int32),
        np.array(columns[2], np.float64).reshape(-1, 3),
        np.array(columns[3], np.float64).reshape(-1, 3),
        np.array(columns[4], np.int32),
        np.array(columns[5], np.int32),
    )


def _pixels(mask: np.ndarray, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Up to `count` different pixels (row, column) of a mask."""
    found = np.flatnonzero(mask)
    chosen = rng.permutation(found)[:count]
    return [(int(k) // mask.shape[1], int(k) % mask.shape[1]) for k in chosen]


def _hit(
    scene: Scene, time_s: float, camera: Camera, image: ImageLayers, row: int, column: int
) -> tuple[int, int, np.ndarray, np.ndarray] | None:
    """Item, triangle, weights and ground position behind a pixel; None where ray and labels disagree."""
    world_from_optical = scene.odom_from_base(time_s) @ camera.base_from_camera
    ray = camera.unproject(np.array([column, row], np.float64))
    origin, direction = world_from_optical[:3, 3], world_from_optical[:3, :3] @ ray
    item, depth = int(image.item[row, column]), float(image.depth[row, column])
    face, weights = 0, np.zeros(3)
    if item == WORLD:
        reach = -origin[2] / direction[2]
    else:
        mesh = scene.objects[item].mesh(time_s)
        corners = transform_points(scene.objects[item].pose(time_s), mesh.vertices[mesh.faces].astype(np.float64))
        reach, face, weights = first_hit(corners, origin, direction)
    # Bent cameras take labels of the nearest pixel of a pinhole: beside an edge the ray may meet something else.
    if not np.isfinite(reach) or abs(reach * ray[2] - depth) > depth_tolerance(depth):
        return None
    ground = origin + reach * direction if item == WORLD else np.zeros(3)
    return item, face, weights, ground


def depth_tolerance(depth: float | np.ndarray) -> float | np.ndarray:
    """Metres by which a surface in a depth image may be off and still be the same."""
    return 0.03 + 0.01 * depth


def first_hit(corners: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> tuple[float, int, np.ndarray]:
    """Nearest triangle that a ray meets from its front (Moeller and Trumbore 1997).

    Args:
        corners: (F, 3, 3) float64, counter-clockwise seen from the front.
        origin, direction: (3,) of the ray.

    Returns:
        multiples of `direction` to the hit (inf where there is none), the triangle, the (3,) weights of its corners.
    """
    edge_u, edge_v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(direction, edge_v)
    determinant = (edge_u * across).sum(axis=1)
    front = determinant > 1e-12
    scale = 1.0 / np.where(front, determinant, 1.0)
    away = origin - corners[:, 0]
    u = (away * across).sum(axis=1) * scale
    turned = np.cross(away, edge_u)
    v = (turned @ direction) * scale
    reach = (edge_v * turned).sum(axis=1) * scale
    met = front & (u >= 0) & (v >= 0) & (u + v <= 1) & (reach > NEAR)
    if not met.any():
        return np.inf, 0, np.zeros(3)
    face = int(np.argmin(np.where(met, reach, np.inf)))
    return float(reach[face]), face, np.array([1 - u[face] - v[face], u[face], v[face]])
