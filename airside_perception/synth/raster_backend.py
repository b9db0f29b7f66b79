"""The fast backend: rasterises a scene and shades it, with labels from the same pass."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import warp as wp

from airside_perception.classes import GROUND
from airside_perception.geometry.cameras import Camera
from airside_perception.rendering import rasterize
from airside_perception.rendering.warp_runtime import start_warp
from airside_perception.synth import shading_kernels
from airside_perception.synth.scene import Scene
from airside_perception.synth.scene_geometry import GeometryCache, SceneGeometry, semantic_lookup
from airside_perception.synth.sensor import expose

NEAR, FAR = 0.25, 400.0
SHADOW_TEXELS, SHADOW_HALF_EXTENT = 1024, 70.0


@dataclass(frozen=True)
class ImageLayers:
    """What one camera sees, and the truth behind it.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32 optical-axis metres, 0 = sky.
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
    """

    def __init__(self, scene: Scene, device: str = "cpu"):
        start_warp()
        self._scene = scene
        self._device = torch.device(device)
        self._cache = GeometryCache(scene)
        self._semantic = np.concatenate([semantic_lookup(scene), [0, GROUND]]).astype(np.uint8)
        texture = torch.from_numpy(scene.ground.albedo).to(self._device)
        self._texture_tensor = texture
        self._texture = wp.from_torch(texture, dtype=wp.vec3)
        self._air = _air(scene)
        self._time: float | None = None

    def geometry(self, time_s: float) -> SceneGeometry:
        """The scene's triangles at `time_s` (kept until another time is asked for)."""
        self._prepare(time_s)
        return self._geometry

    def render(self, time_s: float, camera: Camera, rng: np.random.Generator) -> ImageLayers:
        """Render one camera of the vehicle at `time_s`.

        Args:
            time_s: scene time of exposure, seconds.
            camera: any camera model; it need not be one of the scene's rig.
            rng: draws sensor noise.
        """
        self._prepare(time_s)
        pinhole = camera if camera.is_linear else _covering_pinhole(camera)
        radiance, depth, item = self._render_linear(time_s, pinhole)
        if pinhole is not camera:
            radiance, depth, item = _bend(camera, pinhole, radiance, depth, item)
        # Exposure control: bring the mean to a middle grey, as a camera's own loop would, only halfway.
        mean = float(np.clip(radiance[::4, ::4].mean(), 1e-3, 50.0))
        gain = self._scene.lighting.exposure * (0.34 / mean) ** 0.7
        rgb = expose(radiance * gain, self._scene.sensor, rng)
        return ImageLayers(rgb, depth, self._semantic[item], item)

    def _prepare(self, time_s: float) -> None:
        if self._time == time_s:
            return
        geometry = self._cache.at(time_s)
        to = lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(self._device)  # noqa: E731
        self._geometry = geometry
        self._vertices, self._faces = to(geometry.vertices), to(geometry.faces)
        self._tensors = [
            to(geometry.corner_normals), to(geometry.face_colors), to(geometry.face_materials), to(geometry.face_items),
        ]  # fmt: skip
        normals, colors, materials, items = self._tensors
        self._arrays = [
            wp.from_torch(normals, dtype=wp.vec3), wp.from_torch(colors, dtype=wp.vec3),
            wp.from_torch(materials), wp.from_torch(items),
        ]  # fmt: skip
        self._shadow_matrix, self._shadow_depth = self._shadow_map(time_s)
        self._shadow = wp.from_torch(self._shadow_depth)
        self._time = time_s

    def _clip(self, clip_from_world: np.ndarray) -> torch.Tensor:
        matrix = torch.from_numpy(clip_from_world.astype(np.float32)).to(self._device)
        return (self._vertices @ matrix[:, :3].T + matrix[:, 3])[None].contiguous()

    def _shadow_map(self, time_s: float) -> tuple[np.ndarray, torch.Tensor]:
        """Orthographic depth from the sun over the vehicle's surroundings."""
        center = self._scene.odom_from_base(time_s)[:3, 3]
        forward = -self._scene.lighting.sun_direction
        side = np.cross(forward, [0.0, 0.0, 1.0])
        side = side / max(np.linalg.norm(side), 1e-6) if np.linalg.norm(side) > 1e-3 else np.array([1.0, 0, 0])
        down = np.cross(forward, side)
        matrix = np.eye(4)
        reach = 200.0
        for row, (axis, scale) in enumerate(((side, SHADOW_HALF_EXTENT), (down, SHADOW_HALF_EXTENT), (forward, reach))):
            matrix[row, :3] = axis / scale
            matrix[row, 3] = -axis @ center / scale
        if not len(self._geometry.faces):
            return matrix, torch.ones((SHADOW_TEXELS, SHADOW_TEXELS), device=self._device)
        raster = rasterize(self._clip(matrix), self._faces, (SHADOW_TEXELS, SHADOW_TEXELS))[0]
        depth = torch.where(raster[..., 3] > 0, raster[..., 2], torch.full_like(raster[..., 2], 2.0))
        return matrix, depth.contiguous()

    def _render_linear(self, time_s: float, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        world_from_optical = self._scene.odom_from_base(time_s) @ camera.base_from_camera
        clip = camera.clip_matrix(NEAR, FAR) @ np.linalg.inv(world_from_optical)
        shape = (camera.height, camera.width)
        if len(self._geometry.faces):
            raster = rasterize(self._clip(clip), self._faces, shape, cull_backfaces=True)[0].contiguous()
        else:
            raster = torch.zeros((*shape, 4), device=self._device)
        radiance = torch.empty((*shape, 3), device=self._device)
        depth = torch.empty(shape, device=self._device)
        item = torch.empty(shape, dtype=torch.int32, device=self._device)
        k = camera.intrinsics
        ground = self._scene.ground
        wp.launch(
            shading_kernels.shade,
            dim=shape,
            device="cpu" if self._device.type == "cpu" else wp.device_from_torch(self._device),
            inputs=[
                wp.from_torch(raster, dtype=wp.vec4),
                *self._arrays,
                wp.mat44(world_from_optical.astype(np.float32)),
                wp.vec4(1 / k[0, 0], 1 / k[1, 1], -k[0, 2] / k[0, 0], -k[1, 2] / k[1, 1]),
                NEAR,
                FAR,
                self._air,
                wp.mat44(self._shadow_matrix.astype(np.float32)),
                self._shadow,
                self._texture,
                wp.vec2(*map(float, ground.origin)),
                float(ground.metres_per_texel),
                wp.from_torch(radiance, dtype=wp.vec3),
                wp.from_torch(depth),
                wp.from_torch(item),
            ],
        )
        return radiance.cpu().numpy(), depth.cpu().numpy(), item.cpu().numpy()


def _air(scene: Scene) -> shading_kernels.Air:
    lighting, air = scene.lighting, shading_kernels.Air()
    air.sun_direction, air.sun_color = wp.vec3(*lighting.sun_direction), wp.vec3(*lighting.sun_color)
    air.ambient = wp.vec3(*lighting.ambient_color)
    air.zenith, air.horizon = wp.vec3(*lighting.sky_zenith), wp.vec3(*lighting.sky_horizon)
    air.fog_density, air.wetness = float(lighting.fog_density), float(lighting.wetness)
    air.cloudiness = float(lighting.cloudiness)
    return air


def _covering_pinhole(camera: Camera, margin_px: int = 4, widest: float = np.radians(150)) -> Camera:
    """A distortion-free camera at the same place that sees all that `camera` sees (up to `widest`)."""
    edge = np.linspace(0, 1, 33)
    u, v = edge * (camera.width - 1), edge * (camera.height - 1)
    zero_u, zero_v = np.zeros_like(u), np.zeros_like(v)
    border = np.concatenate(
        [
            np.stack([u, zero_u], 1), np.stack([u, zero_u + camera.height - 1], 1),
            np.stack([zero_v, v], 1), np.stack([zero_v + camera.width - 1, v], 1),
        ]
    )  # fmt: skip
    rays = camera.unproject(border)
    limit = np.tan(widest / 2)
    forward = np.maximum(rays[:, 2:], 1e-3)
    reach = np.clip(np.abs(rays[:, :2] / forward), 0, limit).max(axis=0)
    focal = float(camera.intrinsics[0, 0])
    width = int(2 * np.ceil(min(reach[0] * focal, 1.6 * camera.width))) + 2 * margin_px
    height = int(2 * np.ceil(min(reach[1] * focal, 1.6 * camera.height))) + 2 * margin_px
    fx, fy = (width / 2 - margin_px) / reach[0], (height / 2 - margin_px) / reach[1]
    intrinsics = np.array([[fx, 0, (width - 1) / 2], [0, fy, (height - 1) / 2], [0, 0, 1.0]])
    return Camera(camera.name, width, height, intrinsics, camera.base_from_camera)


def _bend(camera: Camera, pinhole: Camera, radiance, depth, item):
    """Resample a pinhole rendering into a distorted camera; depth stays along the shared optical axis."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.unproject(np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(float))
    pixels, valid = pinhole.project(rays)
    pixels = np.where(valid[:, None], pixels, -10.0).reshape(camera.height, camera.width, 2).astype(np.float32)
    x, y = pixels[..., 0], pixels[..., 1]
    nearest = cv2.INTER_NEAREST
    return (
        cv2.remap(radiance, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT),
        cv2.remap(depth, x, y, nearest, borderMode=cv2.BORDER_CONSTANT),
        cv2.remap(item.astype(np.float32), x, y, nearest, borderMode=cv2.BORDER_CONSTANT, borderValue=-2).astype(np.int32),
    )
