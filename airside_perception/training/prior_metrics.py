"""How alike a decoded object and the asset are that it stands for: outlines, colours, surfaces, thin parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from airside_perception.geometry.cameras import Camera
from airside_perception.prior.textured_mesh import TexturedMesh
from airside_perception.training.prior_views import render_views, split_faces

_SURFACE_POINTS, _DENSE_POINTS = 4000, 30000
"""Drawn on a mesh for mean distances, and to tell how near it comes to a place."""
_THIN_SHARE = 0.03
"""Extent along one axis, over the box's, below which a part of an asset is thin."""
_THIN_REACH = 0.015
"""Over the box diagonal: how near the decoded surface must come to a thin part, and how far off any other part the
places must lie that are asked for (panes and paint on a body are thin, too, but nothing to lose)."""
_HISTOGRAM_BINS = 6


@dataclass(frozen=True)
class ObjectMesh:
    """An asset as it is compared: (V, 3) vertices over the box, (F, 3) faces, (F, 3) albedo, (3,) size in metres."""

    vertices: NDArray[np.floating]
    faces: NDArray[np.integer]
    face_colors: NDArray[np.floating]
    size: NDArray[np.floating]


@dataclass(frozen=True)
class Likeness:
    """A decoded mesh against its asset.

    Attributes:
        silhouette_iou: mean over views.
        foreground_psnr: dB of albedo where both silhouettes cover.
        chamfer: mean of both directions' mean nearest distances over the box diagonal.
        thin_recall: share of the thin parts' surface that the decoded one comes near to; NaN without thin parts.
        triangles: of the decoded mesh.
    """

    silhouette_iou: float
    foreground_psnr: float
    chamfer: float
    thin_recall: float
    triangles: int


def likeness(mesh: TexturedMesh, asset: ObjectMesh, cameras: Sequence[Camera]) -> Likeness:
    """Compare a decoded mesh with its asset in `cameras` (mounted in the frame of the box) and in space."""
    size = torch.from_numpy(np.asarray(asset.size, dtype=np.float32))
    corners, split, flat = split_faces(asset.vertices, asset.faces, asset.face_colors)
    wanted_image, wanted_cover = render_views(corners * size, split, flat, cameras, asset.size)
    image, cover = render_views(mesh.vertices * size, mesh.faces, mesh.colors, cameras, asset.size)
    both = wanted_cover & cover
    mse = float((image - wanted_image)[both].square().mean()) if bool(both.any()) else 1.0
    rng = np.random.default_rng(0)
    diagonal = float(np.linalg.norm(asset.size))
    points = _surface_points(mesh.vertices.numpy() * asset.size, mesh.faces.numpy(), rng)
    own = _surface_points(asset.vertices * asset.size, asset.faces, rng)
    thin = thin_points(asset, rng)
    dense = _surface_points(mesh.vertices.numpy() * asset.size, mesh.faces.numpy(), rng, _DENSE_POINTS)
    near = cKDTree(dense).query(thin)[0] < _THIN_REACH * diagonal
    return Likeness(
        silhouette_iou=float(silhouette_iou(cover, wanted_cover).mean()),
        foreground_psnr=float(-10 * np.log10(max(mse, 1e-10))),
        chamfer=chamfer_distance(own, points) / diagonal,
        thin_recall=float(near.mean()) if len(thin) else float("nan"),
        triangles=len(mesh.faces),
    )


def silhouette_iou(a: Tensor, b: Tensor) -> Tensor:
    """(views,) overlap of two stacks of masks (views, H, W); 1 where both are empty."""
    union = (a | b).sum(dim=(1, 2))
    return torch.where(union > 0, (a & b).sum(dim=(1, 2)) / union.clamp_min(1), 1.0)


def _surface_points(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], rng: np.random.Generator, count: int = _SURFACE_POINTS
) -> NDArray[np.floating]:
    corners = np.asarray(vertices)[faces]
    edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.linalg.norm(np.cross(edge_a, edge_b), axis=1)
    chosen = rng.choice(len(area), count, p=area / area.sum())
    s, t = rng.random((2, count, 1))
    s, t = np.where(s + t > 1, 1 - s, s), np.where(s + t > 1, 1 - t, t)
    return corners[chosen, 0] + s * edge_a[chosen] + t * edge_b[chosen]


def chamfer_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Mean nearest distance, averaged over both directions; (N, 3) and (M, 3) points."""
    return float(cKDTree(a).query(b)[0].mean() + cKDTree(b).query(a)[0].mean()) / 2


def thin_points(asset: ObjectMesh, rng: np.random.Generator) -> NDArray[np.floating]:
    """(N, 3) metres, places on parts of an asset that are thin along an axis and stand off its other parts.

    Parts are the connected pieces of its mesh.
    """
    count = len(asset.vertices)
    links = np.concatenate([asset.faces[:, [0, 1]], asset.faces[:, [1, 2]]])
    _, piece = connected_components(
        coo_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(count, count)), directed=False
    )
    low = np.full((piece.max() + 1, 3), np.inf)
    high = -low
    np.minimum.at(low, piece, asset.vertices)
    np.maximum.at(high, piece, asset.vertices)
    is_thin = np.any(high - low < _THIN_SHARE, axis=1)
    thin = is_thin[piece[asset.faces[:, 0]]]
    if not thin.any():
        return np.zeros((0, 3))
    metres = asset.vertices * asset.size
    places = _surface_points(metres, asset.faces[thin], rng)
    if thin.all():
        return places
    others = _surface_points(metres, asset.faces[~thin], rng, _DENSE_POINTS)
    return places[cKDTree(others).query(places)[0] > _THIN_REACH * float(np.linalg.norm(asset.size))]


def color_histogram(image: Tensor, covered: Tensor) -> NDArray[np.floating]:
    """(bins^3,) share of the covered pixels of (..., 3) albedo in each cell of the colour cube."""
    colors = image[covered].clamp(0, 1).numpy()
    histogram, _ = np.histogramdd(colors, bins=_HISTOGRAM_BINS, range=[(0, 1)] * 3)
    return histogram.reshape(-1) / max(len(colors), 1)
