"""The fast backend: rasterises a scene and shades it, with labels from the same pass."""

from __future__ import annotations

import zlib
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
from airside_perception.synth.bent_camera import bent_camera
from airside_perception.synth.ground import snow_covered
from airside_perception.synth.lamps import Lamps, scene_lamps
from airside_perception.synth.precipitation import precipitation
from airside_perception.synth.scene import PATTERNS, Lighting, Scene, SensorStyle
from airside_perception.synth.scene_geometry import GeometryCache, SceneGeometry, semantic_lookup
from airside_perception.synth.sensor import expose

NEAR, FAR = 0.25, 400.0
SHADOW_TEXELS, SHADOW_HALF_EXTENT = 1024, 70.0
DARKEST = 0.06
"""Mean radiance below which exposure control has no more to give."""
OCCLUSION_HALF_EXTENT, OCCLUSION_CELL, OCCLUSION_HEIGHT = 48.0, 0.24, 7.5
SHADOW_HOLD_S = 0.01
"""Cameras of one frame that expose milliseconds apart share shadows: nothing moves a texel of them meanwhile."""


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
    """

    def __init__(self, scene: Scene, device: str = "cpu"):
        start_warp()
        self._scene = scene
        self._device = torch.device(device)
        self._cache = GeometryCache(scene)
        self._semantic = np.concatenate([semantic_lookup(scene), [0, GROUND]]).astype(np.uint8)
        self._bare = self._level_tensors(scene.ground.albedo)
        self._levels = self._covered_levels()
        self._air = _air(scene.lighting)
        self._time: float | None = None
        self._lit_time: float | None = None
        self._occlusion_time = self._shadow_time = -np.inf

    def relight(self, lighting: Lighting, sensor: SensorStyle) -> None:
        """Go on with the same scene in another light, seen by another sensor."""
        self._scene = replace(self._scene, lighting=lighting, sensor=sensor)
        self._levels = self._covered_levels()
        self._air, self._lit_time, self._shadow_time = _air(lighting), None, -np.inf

    def _covered_levels(self) -> list[torch.Tensor]:
        """Levels of the ground's texture with the snow that the light's weather lays on it."""
        snow = self._scene.lighting.snow
        return self._level_tensors(snow_covered(self._scene.ground, snow)) if snow > 0 else self._bare

    def _level_tensors(self, albedo: np.ndarray) -> list[torch.Tensor]:
        return [torch.from_numpy(level).to(self._device) for level in texture_levels(albedo)]

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
            bent = bent_camera(camera)
            radiances, depths, items = zip(*(self._render_linear(time_s, face) for face in bent.faces), strict=True)
            radiance, depth = bent.resample_image(radiances), bent.resample_depth(depths)
            item = bent.resample_labels(items, -2).astype(np.int32)
        return ImageLayers(developed(radiance, self._scene, rng, camera.name), depth, self._semantic[item], item)

    def depth(self, time_s: float, camera: Camera) -> np.ndarray:
        """(H, W) float32 optical-axis depth of a linear camera of the vehicle, metres, 0 = sky."""
        self._prepare(time_s)
        return self._render_linear(time_s, camera)[1]

    def _prepare(self, time_s: float) -> None:
        """Triangles at a time, and the light on them; what is known already is kept."""
        if self._time != time_s:
            self._place(time_s)
            self._time, self._lit_time = time_s, None
        if self._lit_time != time_s:
            self._illuminate(time_s)
            self._lit_time = time_s

    def _place(self, time_s: float) -> None:
        geometry = self._cache.at(time_s)
        self._geometry = geometry
        self._vertices, self._faces = self._tensor(geometry.vertices), self._tensor(geometry.faces)
        # A mirror turns faces round.
        self._turned = self._faces[:, [0, 2, 1]].contiguous()
        of_faces = (geometry.corner_normals, geometry.face_colors, geometry.face_materials, geometry.face_items)
        # Warp takes no empty arrays of vectors; a row that no triangle points to does no harm.
        self._tensors = [self._tensor(a if len(a) else np.zeros((1, *a.shape[1:]), a.dtype)) for a in of_faces]
        self._arrays = [
            wp.from_torch(tensor, dtype=wp.vec3) if tensor.ndim > 1 else wp.from_torch(tensor)
            for tensor in self._tensors
        ]

    def _illuminate(self, time_s: float) -> None:
        if abs(time_s - self._occlusion_time) > SHADOW_HOLD_S:
            self._occlusion, self._occlusion_time = self._occlusion_at(time_s), time_s
            self._shadow_time = -np.inf
        if abs(time_s - self._shadow_time) > SHADOW_HOLD_S:
            self._shadow_matrix, self._shadow_depth = self._shadow_map(time_s)
            self._shadow = wp.from_torch(self._shadow_depth)
            self._ground, self._shadow_time = self._ground_at(self._occlusion_time), time_s
        self._style_rows = self._tensor(style_rows(self._scene, time_s))
        self._lamp_rows = self._tensor(lamp_rows(scene_lamps(self._scene, time_s)))
        self._styles, self._lamps = wp.from_torch(self._style_rows), wp.from_torch(self._lamp_rows)

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

    def _occlusion_at(self, time_s: float) -> torch.Tensor:
        """How much low objects near the vehicle hide of the sky from each spot of ground; see `ground_occlusion`."""
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
        return torch.from_numpy(ground_occlusion(np.maximum(height, 0))).to(self._device)

    def _ground_at(self, time_s: float) -> shading_kernels.Ground:
        """Texture levels and occlusion as the kernel takes them."""
        center = self._scene.odom_from_base(time_s)[:3, 3]
        ground, texture = shading_kernels.Ground(), self._scene.ground
        ground.fine, ground.middle, ground.coarse = (wp.from_torch(level) for level in self._levels)
        ground.origin = wp.vec2(*map(float, texture.origin))
        ground.metres_per_texel = float(texture.metres_per_texel)
        ground.occlusion = wp.from_torch(self._occlusion)
        ground.occlusion_origin = wp.vec2(*(float(c - OCCLUSION_HALF_EXTENT + OCCLUSION_CELL / 2) for c in center[:2]))
        ground.occlusion_cell = OCCLUSION_CELL
        return ground

    def _mirrored(self, clip: np.ndarray, shape: tuple[int, int]) -> torch.Tensor:
        """(H, W, 4) raster of what stands on the ground as a mirror on it would show it; (1, 1, 4) on dry ground."""
        if self._scene.lighting.wetness <= 0.0 or not len(self._geometry.faces):
            return torch.zeros((1, 1, 4), device=self._device)
        below = clip @ np.diag([1.0, 1.0, -1.0, 1.0])
        return rasterize(self._clip(below), self._turned, shape, cull_backfaces=True)[0].contiguous()

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
                self._styles,
                wp.mat44(world_from_optical.astype(np.float32)),
                wp.vec4(1 / k[0, 0], 1 / k[1, 1], -k[0, 2] / k[0, 0], -k[1, 2] / k[1, 1]),
                NEAR,
                FAR,
                self._air,
                wp.mat44(self._shadow_matrix.astype(np.float32)),
                self._shadow,
                self._ground,
                self._lamps,
                wp.from_torch(self._mirrored(clip, shape), dtype=wp.vec4),
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
    air.cloudiness, air.cloud_scale = float(lighting.cloudiness), float(lighting.cloud_scale)
    air.cloud_color = wp.vec3(*(lighting.sky_horizon * 1.05 if lighting.cloud_color is None else lighting.cloud_color))
    air.sun_glow, air.mist, air.snow = wp.vec3(*lighting.sun_glow), float(lighting.mist), float(lighting.snow)
    air.glow, air.window_glow = float(lighting.glow), float(lighting.window_glow)
    return air


def style_rows(scene: Scene, time_s: float) -> np.ndarray:
    """(O, 15) float32 made-up coats and lit windows of the objects, as `shading_kernels.coat` reads them."""
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


def lamp_rows(lamps: Lamps) -> np.ndarray:
    """(L, 10) float32 lamps as `shading_kernels.lamplight` reads them."""
    table = np.concatenate([lamps.position, lamps.color, lamps.direction, lamps.cosine[:, None]], axis=1)
    return np.ascontiguousarray(table, np.float32)


def developed(radiance: np.ndarray, scene: Scene, rng: np.random.Generator, camera: str = "") -> np.ndarray:
    """(H, W, 3) uint8 image of linear radiance as the scene's camera and its exposure control give it.

    Args:
        radiance: (H, W, 3) float32 linear.
        scene: its light and sensor.
        rng: noise, drops and flakes in the air.
        camera: name of the camera: each has dirt and drops of its own on its lens.
    """
    # Exposure control: bring the mean to a middle grey, as a camera's own loop would, only part of the way.
    # A sensor's gain ends somewhere: what is darker than DARKEST stays dark.
    mean = float(np.clip(radiance[::4, ::4].mean(), DARKEST, 50.0))
    exposed = radiance * np.float32(scene.lighting.exposure * (0.34 / mean) ** scene.sensor.metering)
    falling = precipitation(exposed, scene.lighting.rain, scene.lighting.snowfall, rng)
    return expose(falling, scene.sensor, rng, zlib.crc32(camera.encode()))


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
