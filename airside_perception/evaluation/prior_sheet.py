"""A contact sheet of the object prior: typical objects, random ones, and ways from one to another."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from airside_perception.explain.drawing import BACKGROUND, FAINT, TEXT, Color, write
from airside_perception.prior import ObjectPrior
from airside_perception.prior.paths import plausible_path
from airside_perception.prior.sampling import PriorObject, sample_object, typical_objects
from airside_perception.rendering import interpolate, rasterize

TILE = 168
_SHARPNESS = 2
"""Pixels of the rendering per pixel of a tile, each way."""
_MARGIN, _CAPTION = 6, 22
_LIGHT = np.array([0.35, 0.5, 0.8])
_AZIMUTH, _ELEVATION, _DISTANCE, _FILLS = np.radians(215.0), np.radians(18.0), 4.0, 0.94
"""Seen from ahead on the right, from a little above, at so many radii; share of the tile that an object spans."""


def prior_sheet(prior: ObjectPrior, count: int = 8, seed: int = 0) -> np.ndarray:
    """Draw the sheet.

    Args:
        prior: weights, on the CPU.
        count: objects of each row.
        seed: of the random rows.

    Returns:
        (H, W, 3) uint8 RGB: for every class a row of typical objects, two of random ones and two interpolations.

    Raises:
        AirsideError: a class has no typical objects.
    """
    generator = torch.Generator().manual_seed(seed)
    rows: list[tuple[str, Color, list[np.ndarray]]] = []
    for name in prior.class_names:
        known = typical_objects(prior, name)
        chosen = np.linspace(0, len(known) - 1, count).round().astype(int)
        rows.append((f"{name}: typical", TEXT, [_picture(prior, name, known[i]) for i in chosen]))
        for _ in range(2):
            drawn = [sample_object(prior, name, generator) for _ in range(count)]
            rows.append((f"{name}: random", FAINT, [_picture(prior, name, each) for each in drawn]))
        for _ in range(2):
            start = int(torch.randint(len(known), (1,), generator=generator))
            end = int(torch.randint(len(known), (1,), generator=generator))
            between = plausible_path(prior, name, known[start], known[end], count)
            rows.append((f"{name}: from one to another", FAINT, [_picture(prior, name, each) for each in between]))
    height = TILE + _CAPTION + _MARGIN
    sheet = np.full((_MARGIN + len(rows) * height, _MARGIN + count * (TILE + _MARGIN), 3), BACKGROUND, np.uint8)
    texts = []
    for row, (title, color, pictures) in enumerate(rows):
        top = _MARGIN + row * height
        texts.append((title, (float(_MARGIN), top + _CAPTION / 2), color, 13, "lm"))
        for column, picture in enumerate(pictures):
            left = _MARGIN + column * (TILE + _MARGIN)
            sheet[top + _CAPTION : top + _CAPTION + TILE, left : left + TILE] = picture
    return write(sheet, texts)


def _picture(prior: ObjectPrior, class_name: str, thing: PriorObject) -> np.ndarray:
    """(TILE, TILE, 3) uint8: an object in plain light on the sheet's background."""
    mesh = prior.decode(class_name, thing.shape, thing.texture, "full")
    vertices, normals = mesh.metric(thing.size)
    side = TILE * _SHARPNESS
    triangles = mesh.faces.contiguous()
    raster = rasterize(_clip_positions(vertices, float(thing.size.norm()) / 2)[None], triangles, (side, side))
    carried = interpolate(torch.cat([mesh.colors, normals], dim=1)[None].contiguous(), raster, triangles)[0].numpy()
    covered = raster[0, ..., 3].numpy() > 0
    normal = carried[..., 3:] / np.maximum(np.linalg.norm(carried[..., 3:], axis=-1, keepdims=True), 1e-6)
    light = 0.45 + 0.55 * np.maximum(normal @ (_LIGHT / np.linalg.norm(_LIGHT)), 0.0)
    shaded = np.clip(carried[..., :3], 0, 1) * light[..., None] * 255.0
    image = np.where(covered[..., None], shaded, np.array(BACKGROUND, np.float64)).astype(np.float32)
    return np.round(cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA)).astype(np.uint8)


def _clip_positions(vertices: torch.Tensor, radius: float) -> torch.Tensor:
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
