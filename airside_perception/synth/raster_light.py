"""Light of the raster backend: the sun's shadows, what hides the sky from the ground, lamps, air."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import warp as wp

from airside_perception.rendering.view_rasterizer import NOTHING, ViewRasterizer
from airside_perception.synth import shading_kernels
from airside_perception.synth.air_kernels import Air
from airside_perception.synth.ground import snow_covered
from airside_perception.synth.ground_kernels import Ground
from airside_perception.synth.lamps import Lamps, scene_lamps
from airside_perception.synth.scene import GroundTexture, Lighting, Scene

SHADOW_TEXELS, SHADOW_HALF_EXTENT = 1024, 70.0
SHADOW_REACH = 200.0
"""Metres that the shadow map reaches towards the sun and away from it."""
OCCLUSION_HALF_EXTENT, OCCLUSION_CELL, OCCLUSION_HEIGHT = 48.0, 0.24, 7.5
SHADOW_HOLD_S = 0.01
"""Cameras of one frame that expose milliseconds apart share shadows: nothing moves a texel of them meanwhile."""


class RasterLight:
    """Light on a scene, kept until time or weather change.

    Args:
        scene: its ground, lighting and lamps are used.
        device: torch device of the shading.
    """

    def __init__(self, scene: Scene, device: torch.device):
        self._device = device
        self._sun, self._below = ViewRasterizer(device), ViewRasterizer(device)
        self._bare = self._level_tensors(scene.ground.albedo)
        self._ground = Ground()
        self._light = shading_kernels.Light()
        self._occlusion_time = -np.inf
        self._scene = scene
        self.relight(scene)

    def relight(self, scene: Scene) -> None:
        """Go on with the same objects in another light, about another way of the vehicle."""
        if scene.ego is not self._scene.ego:
            self._occlusion_time = -np.inf
        self._scene = scene
        self._lay_texture(scene.ground, scene.lighting.snow)
        self._light.air = air_of(scene.lighting)
        self._shadow_time = -np.inf

    def at(
        self, time_s: float, vertices: torch.Tensor, triangles: torch.Tensor
    ) -> tuple[shading_kernels.Light, Ground]:
        """Light and ground at a time, in the layout that kernels take.

        Args:
            time_s: scene time, seconds.
            vertices: (V, 3) float32, world, at that time.
            triangles: (F, 3) int32.
        """
        center = self._scene.odom_from_base(time_s)[:3, 3]
        if abs(time_s - self._shadow_time) > SHADOW_HOLD_S:
            self._shade_from_sun(center, vertices, triangles)
            self._shadow_time = time_s
        if abs(time_s - self._occlusion_time) > SHADOW_HOLD_S:
            self._shade_from_sky(center, vertices, triangles)
            self._occlusion_time = time_s
        self._lamp_rows = torch.from_numpy(lamp_rows(scene_lamps(self._scene, time_s))).to(self._device)
        self._light.lamps = wp.from_torch(self._lamp_rows)
        return self._light, self._ground

    def _shade_from_sun(self, center: np.ndarray, vertices: torch.Tensor, triangles: torch.Tensor) -> None:
        """Orthographic depth from the sun over the vehicle's surroundings."""
        matrix = shadow_matrix(self._scene.lighting.sun_direction, center)
        self._sun.look(vertices, triangles, matrix)
        self._light.shadow_from_world = wp.mat44(matrix.astype(np.float32))
        self._light.shadow_map = wp.from_torch(self._sun.depth((SHADOW_TEXELS, SHADOW_TEXELS)))

    def _shade_from_sky(self, center: np.ndarray, vertices: torch.Tensor, triangles: torch.Tensor) -> None:
        """How much low objects near the vehicle hide of the sky from each spot of ground; see `ground_occlusion`."""
        # Seen from below: z = -0.5 m is nearest, OCCLUSION_HEIGHT farthest.
        scale = 2 / (OCCLUSION_HEIGHT + 0.5)
        matrix = np.diag([1 / OCCLUSION_HALF_EXTENT, 1 / OCCLUSION_HALF_EXTENT, scale, 1.0])
        matrix[:3, 3] = *(-center[:2] / OCCLUSION_HALF_EXTENT), 0.5 * scale - 1
        self._below.look(vertices, triangles, matrix)
        texels = int(2 * OCCLUSION_HALF_EXTENT / OCCLUSION_CELL)
        depth = self._below.depth((texels, texels)).cpu().numpy()
        height = np.where(depth < NOTHING, (depth + 1) / scale - 0.5, np.inf)
        self._occlusion = torch.from_numpy(ground_occlusion(np.maximum(height, 0))).to(self._device)
        self._ground.occlusion = wp.from_torch(self._occlusion)
        corner = center[:2] - OCCLUSION_HALF_EXTENT + OCCLUSION_CELL / 2
        self._ground.occlusion_origin = wp.vec2(*map(float, corner))

    def _lay_texture(self, texture: GroundTexture, snow: float) -> None:
        """The ground with the snow that the weather lays on it."""
        ground = self._ground
        self._levels = self._level_tensors(snow_covered(texture, snow)) if snow > 0 else self._bare
        ground.fine, ground.middle, ground.coarse = (wp.from_torch(level) for level in self._levels)
        ground.origin = wp.vec2(*map(float, texture.origin))
        ground.metres_per_texel = float(texture.metres_per_texel)
        ground.occlusion_cell = OCCLUSION_CELL

    def _level_tensors(self, albedo: np.ndarray) -> list[torch.Tensor]:
        return [torch.from_numpy(level).to(self._device) for level in texture_levels(albedo)]


def shadow_matrix(sun_direction: np.ndarray, center: np.ndarray) -> np.ndarray:
    """(4, 4) from the world to the shadow map's clip space, z growing away from the sun."""
    forward = -sun_direction
    side = np.cross(forward, [0.0, 0.0, 1.0])
    length = np.linalg.norm(side)
    side = side / length if length > 1e-3 else np.array([1.0, 0.0, 0.0])
    down = np.cross(forward, side)
    matrix = np.eye(4)
    axes = ((side, SHADOW_HALF_EXTENT), (down, SHADOW_HALF_EXTENT), (forward, SHADOW_REACH))
    for row, (axis, scale) in enumerate(axes):
        matrix[row, :3] = axis / scale
        matrix[row, 3] = -axis @ center / scale
    return matrix


def air_of(lighting: Lighting) -> Air:
    """Sun, sky and air in the layout that kernels take."""
    air = Air()
    air.sun_direction, air.sun_color = wp.vec3(*lighting.sun_direction), wp.vec3(*lighting.sun_color)
    air.ambient = wp.vec3(*lighting.ambient_color)
    air.zenith, air.horizon = wp.vec3(*lighting.sky_zenith), wp.vec3(*lighting.sky_horizon)
    air.fog_density, air.wetness = float(lighting.fog_density), float(lighting.wetness)
    air.cloudiness, air.cloud_scale = float(lighting.cloudiness), float(lighting.cloud_scale)
    air.cloud_color = wp.vec3(*(lighting.sky_horizon * 1.05 if lighting.cloud_color is None else lighting.cloud_color))
    air.sun_glow, air.mist, air.snow = wp.vec3(*lighting.sun_glow), float(lighting.mist), float(lighting.snow)
    air.glow, air.window_glow = float(lighting.glow), float(lighting.window_glow)
    return air


def lamp_rows(lamps: Lamps) -> np.ndarray:
    """(L, 10) float32 lamps as `light_kernels.lamplight` reads them."""
    table = np.concatenate([lamps.position, lamps.color, lamps.direction, lamps.cosine[:, None]], axis=1)
    return np.ascontiguousarray(table, np.float32)


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
