"""The fast backend: rasterises a scene and shades it, with labels from the same pass."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import warp as wp

from airside_perception.classes import GROUND
from airside_perception.geometry.cameras import Camera
from airside_perception.rendering import rasterize
from airside_perception.rendering.warp_runtime import start_warp
from airside_perception.synth import shading_kernels
from airside_perception.synth.bent_camera import BentCamera
from airside_perception.synth.scene import Lighting, Scene, SensorStyle
from airside_perception.synth.scene_geometry import GeometryCache, SceneGeometry, semantic_lookup
from airside_perception.synth.sensor import expose

NEAR, FAR = 0.25, 400.0
SHADOW_TEXELS, SHADOW_HALF_EXTENT = 1024, 70.0
OCCLUSION_HALF_EXTENT, OCCLUSION_CELL, OCCLUSION_HEIGHT = 48.0, 0.24, 7.5
SHADOW_HOLD_S = 0.01
"""Cameras of one frame that expose milliseconds apart share shadows: nothing moves a texel of them meanwhile."""


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
        self._levels = [torch.from_numpy(level).to(self._device) for level in texture_levels(scene.ground.albedo)]
        self._air = _air(scene.lighting)
        self._bent: dict[str, BentCamera] = {}
        self._time: float | None = None
        self._shadow_time = -np.inf

    def relight(self, lighting: Lighting, sensor: SensorStyle) -> None:
        """Go on with the same scene in another light, seen by another sensor."""
        self._scene = replace(self._scene, lighting=lighting, sensor=sensor)
        self._air, self._time, self._shadow_time = _air(lighting), None, -np.inf

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
        if camera.is_linear:
            radiance, depth, item = self._render_linear(time_s, camera)
        else:
            bent = self._bent.get(camera.name)
            if bent is None or bent.camera is not camera:
                bent = self._bent[camera.name] = BentCamera(camera)
            radiance, depth, item = bent.resample(*self._render_linear(time_s, bent.pinhole))
        return ImageLayers(developed(radiance, self._scene, rng), depth, self._semantic[item], item)

    def _prepare(self, time_s: float) -> None:
        if self._time == time_s:
            return
        geometry = self._cache.at(time_s)
        self._geometry = geometry
        self._vertices, self._faces = self._tensor(geometry.vertices), self._tensor(geometry.faces)
        of_faces = (geometry.corner_normals, geometry.face_colors, geometry.face_materials, geometry.face_items)
        # Warp takes no empty arrays of vectors; a row that no triangle points to does no harm.
        self._tensors = [self._tensor(a if len(a) else np.zeros((1, *a.shape[1:]), a.dtype)) for a in of_faces]
        self._arrays = [
            wp.from_torch(tensor, dtype=wp.vec3) if tensor.ndim > 1 else wp.from_torch(tensor)
            for tensor in self._tensors
        ]
        if abs(time_s - self._shadow_time) > SHADOW_HOLD_S:
            self._shadow_matrix, self._shadow_depth = self._shadow_map(time_s)
            self._shadow = wp.from_torch(self._shadow_depth)
            self._ground = self._ground_at(time_s)
            self._shadow_time = time_s
        self._time = time_s

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

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

    def _ground_at(self, time_s: float) -> shading_kernels.Ground:
        """Texture levels, and how much low objects near the vehicle hide of the sky from each spot of ground."""
        center = self._scene.odom_from_base(time_s)[:3, 3]
        matrix = np.zeros((4, 4))
        matrix[0, 0] = matrix[1, 1] = 1 / OCCLUSION_HALF_EXTENT
        matrix[:2, 3] = -center[:2] / OCCLUSION_HALF_EXTENT
        # Seen from below: z = -0.5 m is nearest, OCCLUSION_HEIGHT farthest.
        matrix[2, 2] = 2 / (OCCLUSION_HEIGHT + 0.5)
        matrix[2, 3] = matrix[2, 2] * 0.5 - 1
        matrix[3, 3] = 1
        texels = int(2 * OCCLUSION_HALF_EXTENT / OCCLUSION_CELL)
        height = np.full((texels, texels), np.inf, np.float32)
        if len(self._geometry.faces):
            raster = rasterize(self._clip(matrix), self._faces, (texels, texels))[0].cpu().numpy()
            covered = raster[..., 3] > 0
            height[covered] = (raster[..., 2][covered] + 1) / matrix[2, 2] - 0.5
        self._occlusion = torch.from_numpy(ground_occlusion(np.maximum(height, 0))).to(self._device)
        ground, texture = shading_kernels.Ground(), self._scene.ground
        ground.fine, ground.middle, ground.coarse = (wp.from_torch(level) for level in self._levels)
        ground.origin = wp.vec2(*map(float, texture.origin))
        ground.metres_per_texel = float(texture.metres_per_texel)
        ground.occlusion = wp.from_torch(self._occlusion)
        ground.occlusion_origin = wp.vec2(*(float(c - OCCLUSION_HALF_EXTENT + OCCLUSION_CELL / 2) for c in center[:2]))
        ground.occlusion_cell = OCCLUSION_CELL
        return ground

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
                self._ground,
                wp.from_torch(radiance, dtype=wp.vec3),
                wp.from_torch(depth),
                wp.from_torch(item),
            ],
        )
        return radiance.cpu().numpy(), depth.cpu().numpy(), item.cpu().numpy()


def _air(lighting: Lighting) -> shading_kernels.Air:
    air = shading_kernels.Air()
    air.sun_direction, air.sun_color = wp.vec3(*lighting.sun_direction), wp.vec3(*lighting.sun_color)
    air.ambient = wp.vec3(*lighting.ambient_color)
    air.zenith, air.horizon = wp.vec3(*lighting.sky_zenith), wp.vec3(*lighting.sky_horizon)
    air.fog_density, air.wetness = float(lighting.fog_density), float(lighting.wetness)
    air.cloudiness = float(lighting.cloudiness)
    return air


def developed(radiance: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 image of linear radiance as the scene's camera and its exposure control give it."""
    # Exposure control: bring the mean to a middle grey, as a camera's own loop would, only halfway.
    mean = float(np.clip(radiance[::4, ::4].mean(), 1e-3, 50.0))
    return expose(radiance * (scene.lighting.exposure * (0.34 / mean) ** 0.7), scene.sensor, rng)


def texture_levels(albedo: np.ndarray) -> list[np.ndarray]:
    """The (rows, columns, 3) uint8 texture and its averages over 4 x 4 and 16 x 16 texels."""
    levels = [albedo]
    for _ in range(2):
        rows, columns = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (columns // 4, rows // 4), interpolation=cv2.INTER_AREA))
    return levels


def ground_occlusion(height: np.ndarray) -> np.ndarray:
    """How dark the ground is under and beside things.

    Args:
        height: (rows, columns) float32 metres to the lowest surface above each spot, inf where there is none.

    Returns:
        (rows, columns) float32 in 0..1: 0 open to the sky. A sharp part comes from wheels and low
        bellies, a wide one from what stands higher.
    """
    near = cv2.GaussianBlur(np.exp(-height / 1.2), (0, 0), 0.3 / OCCLUSION_CELL)
    wide = cv2.GaussianBlur(np.exp(-height / 4.0), (0, 0), 1.4 / OCCLUSION_CELL)
    return 1 - (1 - 0.85 * near) * (1 - 0.5 * wide)
