"""The fast backend: rasterises a scene and shades it, with labels from the same pass."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import warp as wp

from airside_perception.classes import GROUND
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform
from airside_perception.rendering.view_rasterizer import ViewRasterizer
from airside_perception.rendering.warp_runtime import WarpArray, launch, start_warp
from airside_perception.synth import shading_kernels, spot_kernels
from airside_perception.synth.bent_camera import bent_camera
from airside_perception.synth.exposure import developed
from airside_perception.synth.raster_light import RasterLight
from airside_perception.synth.scene import PATTERNS, Lighting, Scene, SensorStyle, Trajectory
from airside_perception.synth.scene_geometry import GeometryCache, SceneGeometry, semantic_lookup

NEAR, FAR = 0.25, 400.0


@dataclass(frozen=True)
class ImageLayers:
    """What one camera sees, and the truth behind it.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32 optical-axis metres, 0 = sky, or 90 degrees and more off the axis of a fisheye.
        semantic: (H, W) uint8 ids of classes.SEMANTIC_NAMES.
        item: (H, W) int32 index into scene.objects; -1 ground, -2 sky.
    """

    rgb: np.ndarray
    depth: np.ndarray
    semantic: np.ndarray
    item: np.ndarray


class RasterBackend:
    """Renders one scene.

    Args:
        scene: what to render.
        device: torch device of the rasteriser, "cpu" or "cuda".
        smooth: mix the colours of surfaces that share a pixel; without, edges show the steps of the pixel grid.
            Labels are those of the pixel's middle in both cases.
    """

    def __init__(self, scene: Scene, device: str = "cpu", smooth: bool = True):
        start_warp()
        self.smooth = smooth
        self._scene = scene
        self._device = torch.device(device)
        self._cache = GeometryCache(scene)
        self._semantic = np.concatenate([semantic_lookup(scene), [0, GROUND]]).astype(np.uint8)
        self._front, self._mirrored = ViewRasterizer(self._device), ViewRasterizer(self._device)
        self._lights = RasterLight(scene, self._device)
        self._surfaces = self._upload(self._cache.rest)
        self._time: float | None = None
        self._lit_time: float | None = None

    def relight(self, lighting: Lighting, sensor: SensorStyle, ego: Trajectory | None = None) -> None:
        """Go on with the same scene in another light, seen by another sensor, from another way of the vehicle."""
        self._scene = replace(self._scene, lighting=lighting, sensor=sensor, ego=ego or self._scene.ego)
        self._lights.relight(self._scene)
        self._lit_time = None

    def geometry(self, time_s: float) -> SceneGeometry:
        """The scene's triangles at `time_s` (kept until another time is asked for)."""
        if self._time != time_s:
            self._place(time_s)
            self._time, self._lit_time = time_s, None
        return self._geometry

    def render(self, time_s: float, camera: Camera, rng: np.random.Generator) -> ImageLayers:
        """Render one camera of the vehicle at `time_s`.

        Args:
            time_s: scene time of exposure, seconds.
            camera: any camera model; it need not be one of the scene's rig.
            rng: draws sensor noise.
        """
        if camera.is_linear:
            radiance, depth, item = self._render_linear(time_s, camera)
        else:
            bent = bent_camera(camera)
            views = zip(bent.faces, bent.needed, strict=True)
            radiances, depths, items = zip(*(self._render_linear(time_s, *view) for view in views), strict=True)
            radiance, depth = bent.resample_image(radiances), bent.resample_depth(depths)
            item = bent.resample_labels(items, -2).astype(np.int32)
        return ImageLayers(developed(radiance, self._scene, rng, camera.name), depth, self._semantic[item], item)

    def depth(self, time_s: float, camera: Camera) -> np.ndarray:
        """(H, W) float32 optical-axis depth of a linear camera of the vehicle, metres, 0 = sky."""
        return self._render_linear(time_s, camera)[1]

    def _place(self, time_s: float) -> None:
        """Put the triangles of a time where kernels read them."""
        geometry = self._geometry = self._cache.at(time_s)
        self._vertices = self._tensor(geometry.vertices)
        self._normals = self._tensor(geometry.corner_normals)
        self._styles = self._tensor(style_rows(self._scene, time_s))
        self._surfaces.corner_normals = wp.from_torch(self._normals, dtype=wp.vec3)
        self._surfaces.item_styles = wp.from_torch(self._styles)

    def _upload(self, geometry: SceneGeometry) -> spot_kernels.Surfaces:
        """What all times share."""
        surfaces = spot_kernels.Surfaces()
        self._faces = self._tensor(geometry.faces)
        # A mirror turns faces round.
        self._turned = self._faces[:, [0, 2, 1]].contiguous()
        self._of_faces = [
            self._tensor(each) for each in (geometry.face_colors, geometry.face_materials, geometry.face_items)
        ]
        surfaces.triangles = wp.from_torch(self._faces)
        surfaces.face_colors = wp.from_torch(self._of_faces[0], dtype=wp.vec3)
        surfaces.face_materials, surfaces.face_items = (wp.from_torch(each) for each in self._of_faces[1:])
        return surfaces

    def _illuminate(self, time_s: float) -> None:
        """Light on the triangles of a time; what is known already is kept."""
        self.geometry(time_s)
        if self._lit_time != time_s:
            self._light, self._ground = self._lights.at(time_s, self._vertices, self._faces)
            self._lit_time = time_s

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        if not len(array):
            # Warp takes no empty arrays of vectors; a row that no triangle points to does no harm.
            array = np.zeros((1, *array.shape[1:]), array.dtype)
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def _mirror_raster(self, clip: np.ndarray, shape: tuple[int, int]) -> WarpArray:
        """(H, W) raster of what stands on the ground as a mirror on it would show it; (1, 1) on dry ground."""
        if self._scene.lighting.wetness <= 0.0:
            return wp.zeros((1, 1), dtype=wp.vec4, device=str(self._device))
        self._mirrored.look(self._vertices, self._turned, clip @ np.diag([1.0, 1.0, -1.0, 1.0]))
        return wp.from_torch(self._mirrored.raster(shape, cull_backfaces=True), dtype=wp.vec4)

    def _render_linear(
        self, time_s: float, camera: Camera, needed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Radiance (H, W, 3), depth (H, W) and item (H, W) of a linear camera; of pixels where `needed`, (H, W) uint8,
        is 0, nothing that means anything."""
        self._illuminate(time_s)
        world_from_optical = self._scene.odom_from_base(time_s) @ camera.base_from_camera
        clip = camera.clip_matrix(NEAR, FAR) @ invert_transform(world_from_optical)
        shape = (camera.height, camera.width)
        self._front.look(self._vertices, self._faces, clip)
        entries = self._front.entries(shape, cull_backfaces=True)
        self._surfaces.positions = self._front.positions
        fine = None
        if self.smooth:
            fine = self._front.entries((2 * shape[0], 2 * shape[1]), cull_backfaces=True, buffer="fine entries")[0]
        needed = np.ones(shape, np.uint8) if needed is None else needed
        radiance = torch.empty((*shape, 3), device=self._device)
        depth = torch.empty(shape, device=self._device)
        item = torch.empty(shape, dtype=torch.int32, device=self._device)
        lanes = shape[1] if self._device.type == "cuda" else 1
        inputs = [
            lanes,
            wp.from_torch(entries[0]),
            wp.from_torch(entries[0, :1, :1] if fine is None else fine),
            wp.from_torch(self._tensor(needed)),
            eye_of(camera, world_from_optical),
            self._surfaces,
            self._light,
            self._ground,
            self._mirror_raster(clip, shape),
            wp.from_torch(radiance, dtype=wp.vec3),
            wp.from_torch(depth),
            wp.from_torch(item),
        ]
        launch(shading_kernels.shade, (shape[0], lanes), inputs, self._device)
        return radiance.cpu().numpy(), depth.cpu().numpy(), item.cpu().numpy()


def eye_of(camera: Camera, world_from_optical: np.ndarray) -> spot_kernels.Eye:
    """A linear camera in the layout that kernels take."""
    eye, k = spot_kernels.Eye(), camera.intrinsics
    eye.world_from_optical = wp.mat44(world_from_optical.astype(np.float32))
    eye.ray_scale = wp.vec4(1 / k[0, 0], 1 / k[1, 1], -k[0, 2] / k[0, 0], -k[1, 2] / k[1, 1])
    eye.near, eye.far, eye.width, eye.height = NEAR, FAR, camera.width, camera.height
    return eye


def style_rows(scene: Scene, time_s: float) -> np.ndarray:
    """(O, 15) float32 made-up coats and lit windows of the objects, as `material_kernels.coat` reads them."""
    rows = np.zeros((max(len(scene.objects), 1), 15), np.float32)
    rows[:, 0] = -1.0
    for row, item in zip(rows, scene.objects, strict=False):
        row[14] = item.asset.class_name == "structure"
    for row, item, pattern in zip(rows, scene.objects, scene.patterns, strict=False):
        if pattern is not None:
            x, y, z, *_, yaw = item.box(time_s)
            row[0] = PATTERNS.index(pattern.kind)
            row[1:7], row[7], row[8] = np.ravel(pattern.colors), pattern.scale, pattern.strength
            row[9:14] = x, y, z, np.cos(yaw), np.sin(yaw)
    return rows
