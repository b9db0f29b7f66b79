"""Texture codes: a linear least-squares fit of the prior's colours, with light factored out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional

from airside_perception.refine.residuals import Poses, SilhouetteBatch

LEAST_PIXELS = 30
"""Objects with fewer pixels of their own keep their typical look."""

_RIDGE = 30.0
"""Weight of the code prior against pixels (unit-variance codes, colours in 0..1, noise about 0.15)."""


DARK, BRIGHT = 0.06, 0.97
"""Grey values (0..1) beyond which a pixel holds no more than "black" or "white"."""


@dataclass(frozen=True)
class Look:
    """How N objects look.

    Attributes:
        texture: (N, T) float32 code offsets from each object's typical texture code; zeros without enough pixels.
        contrast: (N,) standard deviation of the grey values 0..1 of its pixels; NaN without enough pixels.
        blinded: (N,) share of its pixels that are darker than `DARK` or brighter than `BRIGHT`; NaN as above.
    """

    texture: np.ndarray
    contrast: np.ndarray
    blinded: np.ndarray


def fit_look(batch: SilhouetteBatch, poses: Poses, count: int) -> Look:
    """Fit every object's texture code to its pixels, and say how much they could tell.

    Shading is a linear function of the normal (1, nx, ny, nz), grey, so that light doesn't pass for paint; it
    and the code are solved in turn.

    Args:
        batch: views with images and weights.
        poses: refined states.
        count: number of objects N.
    """
    textures = len(batch.shapes[0].texture_code)
    look = Look(np.zeros((count, textures), np.float32), np.full(count, np.nan), np.full(count, np.nan))
    raster = batch.raster(batch.project(batch.surface(poses)))
    normals, colors = batch.vertex_values("normals"), batch.vertex_values("colors")
    columns = batch.vertex_values("texture_columns").reshape(len(colors), -1)
    maps = batch.interpolate(np.concatenate([normals, colors, columns], axis=1), raster)
    trusted = ((raster[..., 3] > 0) & (batch.blurred_target(0.0) > 0.5)).float() * batch.weight
    for index in range(count):
        own = np.flatnonzero(batch.object_of_view == index)
        if not len(own):
            continue
        keep = trusted[own] > 0.5
        if int(keep.sum()) < LEAST_PIXELS:
            continue
        images = np.stack([batch.views[i].image for i in own])[keep.numpy()].astype(np.float64)
        grey = images.mean(axis=1)
        look.texture[index] = _fit_one(maps[own][keep].double(), torch.from_numpy(images), textures).numpy()
        look.contrast[index] = grey.std()
        look.blinded[index] = np.mean((grey < DARK) | (grey > BRIGHT))
    return look


def _fit_one(values: torch.Tensor, image: torch.Tensor, textures: int) -> torch.Tensor:
    """(T,) float32 offsets of one object; values (M, 6 + 3 T) and image (M, 3) of its pixels, float64.

    In torch, as its threads are limited: those of numpy's matrix products wait for each other, and on a machine whose
    cores are taken this fit then costs as much as the network.
    """
    if len(values) > 1500:
        pick = torch.linspace(0, len(values) - 1, 1500).long()
        values, image = values[pick], image[pick]
    normals = functional.normalize(values[:, :3], dim=1, eps=1e-6)
    base, columns = values[:, 3:6], values[:, 6:].reshape(len(values), 3, textures)
    light = torch.cat([torch.ones_like(normals[:, :1]), normals], dim=1)
    code = values.new_zeros(textures)
    shade_ridge, code_ridge = 2.0 * torch.eye(4).to(values), _RIDGE * torch.eye(textures).to(values)
    for _ in range(2):
        albedo = (base + columns @ code).clamp(0.02, 1.0)
        design = light * albedo.mean(dim=1, keepdim=True)
        shading = light @ torch.linalg.solve(design.T @ design + shade_ridge, design.T @ image.mean(dim=1))
        shading = shading.clamp(0.05, 3.0)[:, None]
        slope = (columns * shading[:, :, None]).reshape(-1, textures)
        target = (image - shading * base).reshape(-1)
        weight = max(len(values) / 400.0, 1.0)
        code = torch.linalg.solve(slope.T @ slope / weight + code_ridge, slope.T @ target / weight)
    return code.clamp(-3, 3).float()
