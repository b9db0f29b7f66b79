"""The assets that the prior explains worst, beside what it made of them."""

from __future__ import annotations

import numpy as np
import torch

from airside_perception.explain.drawing import FAINT, TEXT
from airside_perception.explain.object_pictures import Row, object_picture, object_sheet
from airside_perception.prior.textured_mesh import TexturedMesh
from airside_perception.rendering import vertex_normals
from airside_perception.training.prior_metrics import ObjectMesh
from airside_perception.training.prior_validation import Explained
from airside_perception.training.prior_views import split_faces


def failure_sheet(explained: list[Explained], count: int = 8) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the `count` assets of the lowest silhouette overlap from 8 views, worst first.

    The first row shows the assets, each other row one way of inversion, with its overlap from unseen sides; codes
    without the object's own detail are left out.
    """
    worst = sorted(explained, key=lambda each: each.scores["8 views"].silhouette_iou)[:count]
    rows: list[Row] = [("assets: " + ", ".join(each.name for each in worst), TEXT, [_asset(e.asset) for e in worst])]
    for way in worst[0].meshes:
        if way.endswith("codes"):
            continue
        overlaps = ", ".join(f"{each.scores[way].silhouette_iou:.2f}" for each in worst)
        rows.append((f"from {way}: overlap {overlaps}", FAINT, [_decoded(e.meshes[way], e.asset) for e in worst]))
    return object_sheet(rows)


def _asset(asset: ObjectMesh) -> np.ndarray:
    corners, faces, colors = split_faces(asset.vertices * asset.size, asset.faces, asset.face_colors)
    return object_picture(corners, faces, colors, vertex_normals(corners, faces))


def _decoded(mesh: TexturedMesh, asset: ObjectMesh) -> np.ndarray:
    vertices, normals = mesh.metric(torch.from_numpy(np.asarray(asset.size, dtype=np.float32)))
    return object_picture(vertices, mesh.faces, mesh.colors, normals)
