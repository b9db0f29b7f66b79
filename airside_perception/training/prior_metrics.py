"""How well the prior explains assets of families that it never saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from airside_perception.prior.fitting import fit_codes
from airside_perception.prior.object_prior import ObjectPrior
from airside_perception.prior.textured_mesh import TexturedMesh
from airside_perception.rendering import interpolate, rasterize
from airside_perception.training.prior_data import AssetData, draw_assets, prepare_asset

VIEWS = 8
RESOLUTION = 128
_SURFACE_POINTS = 4000
_BACKGROUND = 0.5
_NEAR = 1.2


@dataclass(frozen=True)
class InversionScore:
    """One held-out asset after inversion.

    Attributes:
        name: asset name.
        silhouette_iou: mean over views all round.
        foreground_psnr: dB of albedo where both silhouettes cover.
        chamfer: mean of both directions' mean nearest distances over the box diagonal.
        distance_error: mean absolute residual of the shape fit, cells.
        triangles: of the decoded mesh.
    """

    name: str
    silhouette_iou: float
    foreground_psnr: float
    chamfer: float
    distance_error: float
    triangles: int


def ring_clip_positions(vertices: Tensor, size: Tensor, views: int = VIEWS) -> Tensor:
    """Clip positions of cameras on a ring around an object, looking at its centre.

    Args:
        vertices: (V, 3) float32 metres, box-centred.
        size: (3,) metres; sets the distance so that the object fills most of the image.
        views: cameras, evenly spaced, alternately level and 20 degrees up.

    Returns:
        (views, V, 4) float32; row 0 of the image is its top.
    """
    radius = float(size.norm()) / 2
    distance, focal = 4.0 * radius, 3.6
    result = []
    for view in range(views):
        azimuth = 2 * np.pi * (view + 0.3) / views
        elevation = 0.05 if view % 2 else 0.35
        toward = -np.array(
            [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
        )
        right = np.cross(toward, [0, 0, 1])
        right /= np.linalg.norm(right)
        axes = torch.from_numpy(np.stack([right, np.cross(toward, right), toward])).to(vertices)
        camera = vertices @ axes.T
        depth = camera[:, 2] + distance
        near, far = distance - 1.5 * radius, distance + 1.5 * radius
        z = (far + near) / (far - near) * depth - 2 * far * near / (far - near)
        result.append(torch.stack([focal * camera[:, 0], focal * camera[:, 1], z, depth], dim=1))
    return torch.stack(result)


def render_ring(vertices: Tensor, faces: Tensor, colors: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Albedo (views, H, W, 3) and coverage (views, H, W) bool from all round; background is mid grey."""
    triangles = faces.to(torch.int32).contiguous()
    clip = ring_clip_positions(vertices, size)
    raster = rasterize(clip, triangles, (RESOLUTION, RESOLUTION))
    image = interpolate(colors[None].contiguous(), raster, triangles)
    covered = raster[..., 3] > 0
    return torch.where(covered[..., None], image, torch.full_like(image, _BACKGROUND)), covered


def _surface_points(vertices: Tensor, faces: Tensor, rng: np.random.Generator) -> np.ndarray:
    corners = vertices[faces.long()].numpy()
    edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.linalg.norm(np.cross(edge_a, edge_b), axis=1)
    chosen = rng.choice(len(area), _SURFACE_POINTS, p=area / area.sum())
    s, t = rng.random((2, _SURFACE_POINTS, 1))
    s, t = np.where(s + t > 1, 1 - s, s), np.where(s + t > 1, 1 - t, t)
    return corners[chosen, 0] + s * edge_a[chosen] + t * edge_b[chosen]


def chamfer_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean nearest distance, averaged over both directions; (N, 3) and (M, 3) points."""
    return float(cKDTree(a).query(b)[0].mean() + cKDTree(b).query(a)[0].mean()) / 2


def invert(prior: ObjectPrior, class_name: str, data: AssetData, level: str = "full") -> tuple[TexturedMesh, float]:
    """Fit codes to an asset's distances and colours and decode them; also the mean distance residual."""
    shape = prior.classes[class_name].shape
    wanted = torch.from_numpy(data.distances.astype(np.float32)).reshape(-1)[shape.live]
    # All nodes near the surface and every third of the rest, so that empty space doesn't outvote thin parts.
    kept = wanted.abs() < _NEAR
    kept[::3] = True
    shape_fit = fit_codes(prior, class_name, shape.positions[shape.live[kept]], wanted[kept], iterations=20)
    points, colors = torch.from_numpy(data.points), torch.from_numpy(data.colors)
    texture = fit_codes(prior, class_name, points, colors=colors, iterations=20).texture
    return prior.decode(class_name, shape_fit.shape, texture, level), shape_fit.shape_error


def score_inversion(
    prior: ObjectPrior, class_name: str, data: AssetData, face_colors: np.ndarray, level: str = "full"
) -> InversionScore:
    """Invert one held-out asset and compare it with the original from all round.

    Args:
        prior: on the CPU.
        class_name: class of the asset.
        data: the asset, not augmented.
        face_colors: (F, 3) float albedo of `data.faces`.
        level: level of detail to judge.
    """
    mesh, distance_error = invert(prior, class_name, data, level)
    size = torch.from_numpy(np.asarray(data.size, dtype=np.float32))
    own = torch.from_numpy(data.vertices) * size
    faces = torch.from_numpy(np.ascontiguousarray(data.faces).astype(np.int64))
    # Flat colours: every face gets its own three vertices.
    split = torch.arange(faces.numel()).reshape(-1, 3)
    flat = torch.from_numpy(np.repeat(face_colors.astype(np.float32), 3, axis=0))
    wanted_image, wanted_cover = render_ring(own[faces.reshape(-1)], split, flat, size)
    image, cover = render_ring(mesh.vertices * size, mesh.faces, mesh.colors, size)
    both = wanted_cover & cover
    union = (wanted_cover | cover).sum(dim=(1, 2)).clamp_min(1)
    mse = float((image - wanted_image)[both].square().mean()) if bool(both.any()) else 1.0
    rng = np.random.default_rng(0)
    own_points, points = (_surface_points(v, f, rng) for v, f in ((own, faces), (mesh.vertices * size, mesh.faces)))
    return InversionScore(
        name=data.name,
        silhouette_iou=float((both.sum(dim=(1, 2)) / union).mean()),
        foreground_psnr=float(-10 * np.log10(max(mse, 1e-10))),
        chamfer=chamfer_distance(own_points, points) / float(size.norm()),
        distance_error=distance_error,
        triangles=len(mesh.faces),
    )


def score_split(
    prior: ObjectPrior, class_name: str, split: str, count: int, seed: int = 7, levels: tuple[str, ...] = ("full",)
) -> dict[str, list[InversionScore]]:
    """Invert `count` assets of a split, visiting its kinds in turn; level of detail to one score per asset."""
    rng = np.random.default_rng(seed)
    scores: dict[str, list[InversionScore]] = {level: [] for level in levels}
    for asset in draw_assets(class_name, split, count, seed):
        data = prepare_asset(asset, rng, augment=False)
        for level in levels:
            scores[level].append(score_inversion(prior, class_name, data, np.asarray(asset.mesh.face_colors), level))
    return scores
