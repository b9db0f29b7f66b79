"""Truth of every pixel beyond depth and class: normals, object coordinates, instances and optical flow.

Made by a pass of its own over the same triangles, so that who doesn't ask for them doesn't pay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform, transform_points
from airside_perception.rendering import interpolate, rasterize
from airside_perception.rendering.warp_runtime import start_warp
from airside_perception.synth.bent_camera import BentCamera, bent_camera, pixel_rays
from airside_perception.synth.image_files import write_png
from airside_perception.synth.raster_backend import FAR, NEAR
from airside_perception.synth.scene import Scene
from airside_perception.synth.scene_geometry import GeometryCache, SceneGeometry

LAYERS = ("instance", "normals", "object_coordinates", "forward_flow", "backward_flow")
"""Layers that can be asked for; images, depth and semantics always come."""

FLOW_STEPS_PER_PIXEL, FLOW_ZERO = 64.0, 2.0**15
"""Coding of flow files: three uint16 channels, u, v and valid, as the KITTI benchmark has them."""

_INFINITY = 1e6


@dataclass(frozen=True)
class _Surface:
    """What each pixel of a linear camera shows, and where that is at another time.

    Attributes:
        item: (H, W) int32 index into scene.objects; -1 ground, -2 sky.
        point: (H, W, 3) float64 world; of the sky, a point very far along the ray.
        normal: (H, W, 3) float32 world, zero for the sky.
        coordinate: (H, W, 3) float32 in 0..1 of the object's box, zero elsewhere.
        moved: for each other time the (H, W, 3) float64 world point where the surface is then.
    """

    item: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    coordinate: np.ndarray
    moved: list[np.ndarray]


def check_layers(names: Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple.

    Raises:
        AirsideError: a layer is unknown; the message lists those that are.
    """
    for name in names:
        if name not in LAYERS:
            raise AirsideError(f"--layers: expected some of {', '.join(LAYERS)}, got '{name}'")
    return tuple(names)


class PixelLayers:
    """Renders layers of one scene.

    Args:
        scene: the scene.
    """

    def __init__(self, scene: Scene):
        start_warp()
        self._scene, self._cache = scene, GeometryCache(scene)
        self._rays: dict[str, tuple[tuple[Camera, ...], list[np.ndarray]]] = {}

    def render(
        self, time_s: float, camera: Camera, names: Sequence[str], step_s: float | None = None
    ) -> dict[str, np.ndarray]:
        """Layers of one camera of the vehicle.

        Args:
            time_s: scene time.
            camera: any camera model.
            names: some of LAYERS.
            step_s: flow reaches this far forward and backward in time; None: one frame of the scene.

        Returns:
            instance: (H, W) uint16, 0 for ground and sky, else 1 + index into scene.objects.
            normals: (H, W, 3) float32 unit vectors in odom, zero for the sky.
            object_coordinates: (H, W, 3) float32, place in the object's box from 0 (rear, right, bottom) to 1.
            forward_flow, backward_flow: (H, W, 2) float32 pixels from here to where the same surface is in the next
                (previous) frame, visible there or not; NaN where it is behind the camera then.
        """
        names = check_layers(names)
        step = 1.0 / self._scene.rate_hz if step_s is None else step_s
        flows = {name: time_s + sign * step for name, sign in (("forward_flow", 1), ("backward_flow", -1))}
        times = [flows[name] for name in flows if name in names]
        bent = None if camera.is_linear else bent_camera(camera)
        faces = (camera,) if bent is None else bent.faces
        surfaces = [
            self._surface(time_s, face, rays, times) for face, rays in zip(faces, self._rays_of(faces), strict=True)
        ]
        surface = surfaces[0] if bent is None else _joined(bent, surfaces)
        made: dict[str, np.ndarray] = {
            "instance": np.maximum(surface.item + 1, 0).astype(np.uint16),
            "normals": surface.normal.astype(np.float32),
            "object_coordinates": surface.coordinate.astype(np.float32),
        }
        for name, moved in zip([each for each in flows if each in names], surface.moved, strict=True):
            made[name] = self._flow(camera, time_s, flows[name], surface.point, moved)
        return {name: made[name] for name in names}

    def _rays_of(self, faces: tuple[Camera, ...]) -> list[np.ndarray]:
        """(h, w, 3) float64 unit rays of linear cameras in their optical frames, kept from frame to frame."""
        known = self._rays.get(faces[0].name)
        if known is None or known[0] != faces:
            known = self._rays[faces[0].name] = (faces, [pixel_rays(face) for face in faces])
        return known[1]

    def _surface(self, time_s: float, camera: Camera, rays: np.ndarray, times: Sequence[float]) -> _Surface:
        geometry = self._cache.at(time_s)
        world_from_optical = self._scene.odom_from_base(time_s) @ camera.base_from_camera
        rays = rays @ world_from_optical[:3, :3].T
        center = world_from_optical[:3, 3]
        with np.errstate(divide="ignore"):
            to_ground = np.where(rays[..., 2] < -1e-9, -center[2] / rays[..., 2], np.inf)
        forward = world_from_optical[:3, 2]
        on_ground = to_ground * (rays @ forward) < FAR
        item = np.where(on_ground, -1, -2).astype(np.int32)
        point = center + rays * np.where(on_ground, to_ground, _INFINITY)[..., None]
        normal = np.where(on_ground[..., None], [0.0, 0.0, 1.0], 0.0)
        coordinate, moved = np.zeros_like(point), [point.copy() for _ in times]
        if len(geometry.faces):
            raster, faces = self._raster(geometry, camera, world_from_optical)
            found = raster[0, ..., 3].numpy() > 0
            here = _carried(geometry.vertices, raster, faces)
            nearer = np.linalg.norm(here - center, axis=-1) <= np.where(on_ground, to_ground, np.inf) + 0.01
            own = found & nearer
            triangle = np.where(own, raster[0, ..., 3].numpy().astype(int) - 1, 0)
            item[own] = geometry.face_items[triangle][own]
            point[own] = here[own]
            normal[own] = self._normals(geometry, raster)[own]
            coordinate[own] = _carried(self._coordinates(time_s), raster, faces)[own]
            for result, time in zip(moved, times, strict=True):
                result[own] = _carried(self._cache.at(time).vertices, raster, faces)[own]
        return _Surface(item, point, normal, coordinate, moved)

    def _raster(
        self, geometry: SceneGeometry, camera: Camera, world_from_optical: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor]:
        clip = camera.clip_matrix(NEAR, FAR) @ np.linalg.inv(world_from_optical)
        homogeneous = geometry.vertices @ clip[:, :3].T.astype(np.float32) + clip[:, 3].astype(np.float32)
        faces = torch.from_numpy(geometry.faces)
        positions = torch.from_numpy(np.ascontiguousarray(homogeneous, np.float32))[None]
        return rasterize(positions, faces, (camera.height, camera.width), cull_backfaces=True), faces

    def _normals(self, geometry: SceneGeometry, raster: torch.Tensor) -> np.ndarray:
        corners = geometry.corner_normals.reshape(-1, 3)
        faces = torch.arange(len(corners), dtype=torch.int32).reshape(-1, 3)
        normal = _carried(corners, raster, faces)
        return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)

    def _coordinates(self, time_s: float) -> np.ndarray:
        """(V, 3) place of each vertex in its object's box."""
        return np.concatenate(
            [np.clip(o.mesh(time_s).vertices / o.asset_at(time_s).size + 0.5, 0.0, 1.0) for o in self._scene.objects]
        )

    def _flow(self, camera: Camera, now: float, then: float, point: np.ndarray, moved: np.ndarray) -> np.ndarray:
        def pixels(time_s: float, points: np.ndarray) -> np.ndarray:
            pose = invert_transform(self._scene.odom_from_base(time_s) @ camera.base_from_camera)
            found, valid = camera.project(transform_points(pose, points.reshape(-1, 3)))
            return np.where(valid[:, None], found, np.nan).reshape(*points.shape[:2], 2)

        return (pixels(then, moved) - pixels(now, point)).astype(np.float32)


def _joined(bent: BentCamera, faces: Sequence[_Surface]) -> _Surface:
    """What the faces of a distorted camera show, in its own pixels."""
    return _Surface(
        bent.resample_labels([face.item for face in faces], -2).astype(np.int32),
        bent.resample_labels([face.point for face in faces], 0),
        bent.resample_labels([face.normal for face in faces], 0),
        bent.resample_labels([face.coordinate for face in faces], 0),
        [bent.resample_labels(moved, 0) for moved in zip(*(face.moved for face in faces), strict=True)],
    )


def _carried(values: np.ndarray, raster: torch.Tensor, faces: torch.Tensor) -> np.ndarray:
    """(H, W, A) float64 per-vertex values over a raster."""
    # Less their middle: single precision then holds a millimetre even far from the origin.
    middle = values.mean(axis=0)
    attributes = torch.from_numpy(np.ascontiguousarray(values - middle, np.float32))
    return interpolate(attributes, raster, faces)[0].numpy().astype(np.float64) + middle


def write_layer(path: Path, name: str, layer: np.ndarray) -> None:
    """Write one layer as a 16-bit PNG (normals and coordinates: -1..1 and 0..1 over the range, RGB = x, y, z)."""
    if name == "instance":
        coded = layer
    elif name == "normals":
        coded = np.round((layer.astype(np.float64) + 1.0) * 32767.5).astype(np.uint16)
    elif name == "object_coordinates":
        coded = np.round(layer.astype(np.float64) * 65535.0).astype(np.uint16)
    else:
        valid = np.isfinite(layer).all(axis=-1) & (
            np.abs(np.nan_to_num(layer)) < FLOW_ZERO / FLOW_STEPS_PER_PIXEL - 1
        ).all(axis=-1)
        steps = np.where(valid[..., None], np.nan_to_num(layer) * FLOW_STEPS_PER_PIXEL + FLOW_ZERO, 0.0)
        coded = np.concatenate([np.round(steps), valid[..., None]], axis=-1).astype(np.uint16)
    if coded.ndim == 3:
        coded = cv2.cvtColor(coded, cv2.COLOR_RGB2BGR)
    write_png(path, coded)


def read_flow(path: Path) -> np.ndarray:
    """(H, W, 2) float32 pixels of a flow file, NaN where it is not valid."""
    coded = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if coded is None or coded.ndim != 3:
        raise AirsideError(f"{path}: expected a 16-bit PNG with three channels, cannot read it")
    channels = cv2.cvtColor(coded, cv2.COLOR_BGR2RGB).astype(np.float32)
    flow = (channels[..., :2] - FLOW_ZERO) / FLOW_STEPS_PER_PIXEL
    return np.where(channels[..., 2:] > 0, flow, np.nan).astype(np.float32)
