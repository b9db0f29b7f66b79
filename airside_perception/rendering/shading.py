"""Deferred shading: normals, and Lambert's law under a sun and a sky."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from airside_perception.rendering.backend import interpolate

_TINY = 1e-12


@dataclass(frozen=True)
class Lighting:
    """One distant sun and a uniform sky, in the frame of the normals.

    Attributes:
        sun_direction: from the surface towards the sun; need not be a unit vector.
        sun: radiance that a white surface facing the sun sends back for the sun's part.
        ambient: the same for the sky's part.
    """

    sun_direction: tuple[float, float, float] = (0.4, 0.3, 0.87)
    sun: float = 0.6
    ambient: float = 0.4

    def __post_init__(self) -> None:
        if not sum(component * component for component in self.sun_direction) > 0:
            raise ValueError(f"Lighting.sun_direction: expected a vector that is not zero, got {self.sun_direction}")

    def rotated(self, target_from_source: torch.Tensor) -> Lighting:
        """The same light in another frame; target_from_source (3, 3) or (4, 4)."""
        direction = target_from_source[:3, :3].double() @ torch.tensor(self.sun_direction, dtype=torch.float64)
        return Lighting(tuple(direction.tolist()), self.sun, self.ambient)


def face_normals(vertices: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Normals as long as twice the area of each triangle, outward for counter-clockwise faces.

    Args:
        vertices: (..., V, 3) float.
        triangles: (F, 3) int.

    Returns:
        (..., F, 3) float, not normalised; zero for degenerate triangles.
    """
    indices = triangles.long()
    a, b, c = (vertices[..., indices[:, corner], :] for corner in range(3))
    return torch.linalg.cross(b - a, c - a)


def vertex_normals(vertices: torch.Tensor, triangles: torch.Tensor) -> torch.Tensor:
    """Unit normals of vertices: the mean of the adjacent faces' normals, weighted by area.

    Args:
        vertices: (..., V, 3) float; differentiable.
        triangles: (F, 3) int.

    Returns:
        (..., V, 3) float; zero where a vertex has no area around it.
    """
    normals = face_normals(vertices, triangles)
    indices = triangles.long()
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(vertices.ndim - 2, indices[:, corner], normals)
    return normalized(total)


def normalized(vectors: torch.Tensor) -> torch.Tensor:
    """Unit vectors of (..., 3); zero vectors stay zero, and their gradient stays finite."""
    return vectors * (vectors.square().sum(dim=-1, keepdim=True) + _TINY**2).rsqrt()


def lambert(albedo: torch.Tensor, normals: torch.Tensor, lighting: Lighting) -> torch.Tensor:
    """Radiance = albedo * (ambient + sun * max(0, n . s)).

    Args:
        albedo: (..., C) float in 0..1.
        normals: (..., 3) float unit vectors, outward.
        lighting: sun direction in the frame of `normals`.

    Returns:
        (..., C) float.
    """
    sun = normals.new_tensor(lighting.sun_direction)
    cosine = (normals * (sun / sun.norm())).sum(dim=-1, keepdim=True).clamp(min=0)
    return albedo * (lighting.ambient + lighting.sun * cosine)


def shade(
    raster: torch.Tensor,
    triangles: torch.Tensor,
    albedo: torch.Tensor,
    normals: torch.Tensor,
    lighting: Lighting,
    vertex_offsets: torch.Tensor | None = None,
) -> torch.Tensor:
    """Shade every covered pixel once, from interpolated albedo and normals.

    Args:
        raster: (B, H, W, 4) from `rasterize`.
        triangles: (F, 3) int32.
        albedo: (B or 1, V, C), or (P, C) with packed meshes.
        normals: (B or 1, V, 3), or (P, 3): as many axes as `albedo`.
        lighting: sun direction in the frame of `normals`.
        vertex_offsets: (B,) int, as given to `rasterize`.

    Returns:
        (B, H, W, C) float32, zero on background. Differentiable in albedo, normals and raster.
    """
    if albedo.ndim != normals.ndim:
        raise ValueError(f"normals: expected {albedo.ndim} axes like albedo, got {normals.ndim}")
    if albedo.ndim == 3 and len(albedo) != len(normals):
        images = max(len(albedo), len(normals))
        albedo, normals = (values.expand(images, -1, -1) for values in (albedo, normals))
    surface = interpolate(torch.cat([albedo, normals], dim=-1), raster, triangles, vertex_offsets)
    channels = albedo.shape[-1]
    return lambert(surface[..., :channels], normalized(surface[..., channels:]), lighting)
