"""Small pictures of single objects in plain light, and sheets of them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from airside_perception.explain.drawing import BACKGROUND, Color, write
from airside_perception.rendering import interpolate, rasterize

TILE = 168
MARGIN, CAPTION = 6, 22
_SHARPNESS = 2
"""Pixels of the rendering per pixel of a tile, each way."""
_LIGHT = np.array([0.35, 0.5, 0.8])
_AZIMUTH, _ELEVATION, _DISTANCE, _FILLS = np.radians(215.0), np.radians(18.0), 4.0, 0.94
"""Seen from ahead on the right, from a little above, at so many radii; share of the tile that an object spans."""

Row = tuple[str, Color, list[np.ndarray]]
"""Caption, its colour, and the tiles."""


def object_picture(vertices: Tensor, faces: Tensor, colors: Tensor, normals: Tensor) -> np.ndarray:
    """(TILE, TILE, 3) uint8: an object in plain light on a sheet's background.

    Args:
        vertices: (V, 3) float32 metres about the box centre.
        faces: (F, 3) int.
        colors: (V, 3) float32 albedo.
        normals: (V, 3) float32 unit vectors.
    """
    side = TILE * _SHARPNESS
    triangles = faces.to(torch.int32).contiguous()
    radius = float((vertices.amax(dim=0) - vertices.amin(dim=0)).norm()) / 2
    raster = rasterize(_clip_positions(vertices, radius)[None], triangles, (side, side))
    carried = interpolate(torch.cat([colors, normals], dim=1)[None].contiguous(), raster, triangles)[0].numpy()
    covered = raster[0, ..., 3].numpy() > 0
    normal = carried[..., 3:] / np.maximum(np.linalg.norm(carried[..., 3:], axis=-1, keepdims=True), 1e-6)
    light = 0.45 + 0.55 * np.maximum(normal @ (_LIGHT / np.linalg.norm(_LIGHT)), 0.0)
    shaded = np.clip(carried[..., :3], 0, 1) * light[..., None] * 255.0
    image = np.where(covered[..., None], shaded, np.array(BACKGROUND, np.float64)).astype(np.float32)
    return np.round(cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA)).astype(np.uint8)


def object_sheet(rows: list[Row]) -> np.ndarray:
    """(H, W, 3) uint8 RGB: rows of tiles below their captions."""
    height, count = TILE + CAPTION + MARGIN, max(len(tiles) for _, _, tiles in rows)
    sheet = np.full((MARGIN + len(rows) * height, MARGIN + count * (TILE + MARGIN), 3), BACKGROUND, np.uint8)
    texts = []
    for row, (title, color, tiles) in enumerate(rows):
        top = MARGIN + row * height
        texts.append((title, (float(MARGIN), top + CAPTION / 2), color, 13, "lm"))
        for column, tile in enumerate(tiles):
            left = MARGIN + column * (TILE + MARGIN)
            sheet[top + CAPTION : top + CAPTION + TILE, left : left + TILE] = tile
    return write(sheet, texts)


def _clip_positions(vertices: Tensor, radius: float) -> Tensor:
    """(V, 4) of box-centred vertices (V, 3) in metres, for a camera that looks at their middle."""
    toward = -np.array(
        [np.cos(_AZIMUTH) * np.cos(_ELEVATION), np.sin(_AZIMUTH) * np.cos(_ELEVATION), np.sin(_ELEVATION)]
    )
    right = np.cross(toward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = torch.from_numpy(np.stack([right, np.cross(toward, right), toward])).to(vertices)
    camera = vertices @ axes.T
    depth = camera[:, 2] + _DISTANCE * radius
    near, far = (_DISTANCE - 1.5) * radius, (_DISTANCE + 1.5) * radius
    z = (far + near) / (far - near) * depth - 2 * far * near / (far - near)
    focal = _FILLS / float((camera[:, :2].abs() / depth[:, None]).max().clamp_min(1e-6))
    return torch.stack([focal * camera[:, 0], focal * camera[:, 1], z, depth], dim=1).contiguous()
