"""How well the prior explains assets of families that it never saw, and whether its two codes stay apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import transform_points
from airside_perception.prior.fitting import fit_codes, fit_texture
from airside_perception.prior.inversion import invert_views
from airside_perception.prior.object_prior import ObjectPrior
from airside_perception.prior.sampling import typical_objects
from airside_perception.prior.silhouette_rays import ObjectView
from airside_perception.prior.textured_mesh import TexturedMesh
from airside_perception.training.prior_data import AssetData, draw_assets, posed_mesh, sample_asset
from airside_perception.training.prior_metrics import (
    Likeness,
    ObjectMesh,
    color_histogram,
    likeness,
    silhouette_iou,
)
from airside_perception.training.prior_views import (
    VIEWS,
    carry,
    clip_positions,
    render_views,
    ring_cameras,
    split_faces,
)

_NEAR, _PRIOR_WEIGHT = 1.2, 1e-6
"""Cells from the surface in which all nodes count, and how little the prior does: distances are known everywhere."""
_SINGLE_VIEW = 1
"""Camera of the ring that inversion from one view gets: from ahead on the left, level."""


def held_out(class_name: str, split: str, count: int, seed: int) -> Iterator[tuple[AssetData, ObjectMesh]]:
    """`count` assets of a split, visiting its kinds in turn, each with its data and its mesh."""
    rng = np.random.default_rng(seed)
    for asset, _ in draw_assets(class_name, split, count, seed):
        vertices, faces = posed_mesh(asset, rng)
        data = sample_asset(asset, vertices, faces, rng)
        yield data, ObjectMesh(vertices, faces, np.asarray(asset.mesh.face_colors), asset.size)


def unseen_cameras(size: np.ndarray) -> list[Camera]:
    """Cameras between those that inversion looks through."""
    return ring_cameras(size, VIEWS, phase=0.8)


def from_distances(prior: ObjectPrior, class_name: str, data: AssetData, level: str | int = "full") -> TexturedMesh:
    """Fit codes to an asset's own distances and colours, and decode them: the best that the prior can do."""
    shape = prior.class_prior(class_name).shape
    wanted = torch.from_numpy(data.distances.astype(np.float32)).reshape(-1)[shape.live]
    # All nodes near the surface and every third of the rest, so that empty space doesn't outvote thin parts.
    kept = wanted.abs() < _NEAR
    kept[::3] = True
    nodes = shape.positions[shape.live[kept]]
    code = fit_codes(prior, class_name, nodes, wanted[kept], iterations=20, prior_weight=_PRIOR_WEIGHT).shape
    points, colors = torch.from_numpy(data.points), torch.from_numpy(data.colors)
    texture, _ = fit_texture(prior, class_name, points, colors, iterations=20, prior_weight=_PRIOR_WEIGHT)
    return prior.decode(class_name, code, texture, level)


def seen_views(asset: ObjectMesh, views: int = VIEWS, depth: bool = False) -> list[ObjectView]:
    """What cameras on `views` sides of an asset (1 or all round) see of it: albedo, masks and, if asked for, depths."""
    cameras = ring_cameras(asset.size)
    cameras = cameras if views == VIEWS else cameras[_SINGLE_VIEW : _SINGLE_VIEW + views]
    size = torch.from_numpy(np.asarray(asset.size, dtype=np.float32))
    corners, split, flat = split_faces(asset.vertices, asset.faces, asset.face_colors)
    images, masks = render_views(corners * size, split, flat, cameras, asset.size)
    found = [ObjectView(c, m.numpy(), i.numpy()) for c, m, i in zip(cameras, masks, images, strict=True)]
    if not depth:
        return found
    places = carry(clip_positions(corners * size, cameras, asset.size), split, corners * size)[0].numpy()
    depths = [transform_points(c.camera_from_base, p)[..., 2] for c, p in zip(cameras, places, strict=True)]
    return [replace(view, depth=d) for view, d in zip(found, depths, strict=True)]


def from_views(
    prior: ObjectPrior,
    class_name: str,
    asset: ObjectMesh,
    views: int = VIEWS,
    level: str | int = "full",
    depth: bool = False,
) -> tuple[TexturedMesh, TexturedMesh]:
    """Invert renderings of an asset; decode the codes alone, and with what was found of the object's own."""
    found = invert_views(prior, class_name, seen_views(asset, views, depth), asset.size, detail=True)
    decoded = [prior.decode(class_name, found.shape, found.texture, level, own) for own in (None, found.detail)]
    return decoded[0], decoded[1]


@dataclass(frozen=True)
class Explained:
    """One held-out asset: its mesh, and per way of inversion what came out; see `explain_split`."""

    name: str
    asset: ObjectMesh
    meshes: dict[str, TexturedMesh]
    scores: dict[str, Likeness]


def explain_split(
    prior: ObjectPrior, class_name: str, split: str, count: int, seed: int = 7, level: str | int = "full"
) -> Iterator[Explained]:
    """Invert `count` assets of a split in every way, and compare from sides that inversion did not see.

    The ways are "distances", "8 views", "1 view" and "1 view, depth"; "8 views, codes" and "1 view, codes" are what the
    codes of the second and third give without the object's own detail.
    """
    for data, asset in held_out(class_name, split, count, seed):
        meshes = {"distances": from_distances(prior, class_name, data, level)}
        for views, name in ((VIEWS, f"{VIEWS} views"), (1, "1 view")):
            meshes[f"{name}, codes"], meshes[name] = from_views(prior, class_name, asset, views, level)
        meshes["1 view, depth"] = from_views(prior, class_name, asset, 1, level, depth=True)[1]
        cameras = unseen_cameras(asset.size)
        yield Explained(data.name, asset, meshes, {k: likeness(m, asset, cameras) for k, m in meshes.items()})


def disentanglement(prior: ObjectPrior, class_name: str) -> tuple[float, float]:
    """Mean correlation of colour histograms when shapes are swapped, and of silhouettes (IoU) when textures are.

    Neighbours in the list of typical objects are swapped.
    """
    correlations, overlaps = [], []
    for one, other in pairwise(typical_objects(prior, class_name)):
        size = one.size.cpu().numpy().astype(np.float64)
        cameras = ring_cameras(size)

        def seen(shape: torch.Tensor, texture: torch.Tensor, cameras=cameras, size=size):
            mesh = prior.decode(class_name, shape, texture)
            return render_views(mesh.vertices * torch.from_numpy(size).float(), mesh.faces, mesh.colors, cameras, size)

        image, cover = seen(one.shape, one.texture)
        swapped, swapped_cover = seen(other.shape, one.texture)
        histograms = color_histogram(image, cover), color_histogram(swapped, swapped_cover)
        correlations.append(float(np.corrcoef(*histograms)[0, 1]))
        overlaps.append(float(silhouette_iou(cover, seen(one.shape, other.texture)[1]).mean()))
    return float(np.mean(correlations)), float(np.mean(overlaps))
