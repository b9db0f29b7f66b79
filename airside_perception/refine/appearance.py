"""Texture codes: a linear least-squares fit of the prior's colours, with light factored out."""

from __future__ import annotations

import numpy as np

from airside_perception.refine.residuals import Poses, SilhouetteBatch

_RIDGE = 30.0
"""Weight of the code prior against pixels (unit-variance codes, colours in 0..1, noise about 0.15)."""


def fit_texture(batch: SilhouetteBatch, poses: Poses, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit every object's texture code to its pixels.

    Shading is a linear function of the normal (1, nx, ny, nz), grey, so that light doesn't pass for paint; it
    and the code are solved in turn.

    Args:
        batch: views with images and weights.
        poses: refined states.
        count: number of objects N.

    Returns:
        (N, T) float32 code offsets from each object's typical texture code (zeros without a view)
        and (N,) float64 mean absolute colour error after the fit (NaN without pixels).
    """
    textures = len(batch.shapes[0].texture_code)
    offsets, errors = np.zeros((count, textures), np.float32), np.full(count, np.nan)
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
        if int(keep.sum()) < 30:
            continue
        values = maps[own][keep].double().numpy()
        images = np.stack([batch.views[i].image for i in own])[keep.numpy()].astype(np.float64)
        offsets[index], errors[index] = _fit_one(values, images, textures)
    return offsets, errors


def _fit_one(values: np.ndarray, image: np.ndarray, textures: int) -> tuple[np.ndarray, float]:
    """One object's pixels: values (M, 6 + 3 T), image (M, 3)."""
    if len(values) > 1500:
        pick = np.linspace(0, len(values) - 1, 1500).astype(int)
        values, image = values[pick], image[pick]
    normals = values[:, :3] / np.maximum(np.linalg.norm(values[:, :3], axis=1, keepdims=True), 1e-6)
    base, columns = values[:, 3:6], values[:, 6:].reshape(len(values), 3, textures)
    light = np.concatenate([np.ones((len(values), 1)), normals], axis=1)
    code = np.zeros(textures)
    for _ in range(2):
        albedo = np.clip(base + columns @ code, 0.02, 1.0)
        design = light * albedo.mean(axis=1, keepdims=True)
        shading = light @ np.linalg.solve(design.T @ design + 2.0 * np.eye(4), design.T @ image.mean(axis=1))
        shading = np.clip(shading, 0.05, 3.0)[:, None]
        slope = (columns * shading[:, :, None]).reshape(-1, textures)
        target = (image - shading * base).reshape(-1)
        weight = max(len(values) / 400.0, 1.0)
        code = np.linalg.solve(slope.T @ slope / weight + _RIDGE * np.eye(textures), slope.T @ target / weight)
    residual = np.abs(image - shading * np.clip(base + columns @ code, 0, 1)).mean()
    return np.clip(code, -3, 3).astype(np.float32), float(residual)
