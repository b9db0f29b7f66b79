"""Slow, readable twins of the rasteriser, written to be checked by eye; the tests compare the two.

Everything here is float64 numpy, works on one image with one mesh, and tests every triangle
against every pixel.
"""

from __future__ import annotations

import numpy as np


def pixel_centres(height: int, width: int) -> np.ndarray:
    """Normalised device coordinates (height, width, 2) of pixel centres; row 0 is next to y = -1."""
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = (np.arange(height) + 0.5) / height * 2 - 1
    return np.stack(np.meshgrid(x, y), axis=-1)


def rasterize_reference(
    positions: np.ndarray, triangles: np.ndarray, resolution: tuple[int, int], cull_backfaces: bool = False
) -> np.ndarray:
    """Brute-force `rasterize` of one image.

    For each pixel p = (X, Y, 1) and triangle with vertices v_i = (x, y, w) solve sum(b_i v_i) = p.
    The pixel is inside where all b_i >= 0; b / sum(b) are the barycentrics, sum(b_i z_i) is z/w.

    Args:
        positions: (V, 4) clip space.
        triangles: (F, 3) int.
        resolution: (height, width).
        cull_backfaces: as in `rasterize`.

    Returns:
        (height, width, 4) float64: (u, v, z/w, triangle id + 1), zeros on background.
    """
    positions = np.asarray(positions, dtype=np.float64)
    points = np.concatenate([pixel_centres(*resolution), np.ones((*resolution, 1))], axis=-1)
    raster = np.zeros((*resolution, 4))
    nearest = np.full(resolution, np.inf)
    for number, corners in enumerate(np.asarray(triangles)):
        vertices = positions[corners][:, [0, 1, 3]]
        determinant = np.linalg.det(vertices)
        if determinant == 0 or (cull_backfaces and determinant > 0):
            continue
        b = points @ np.linalg.inv(vertices)
        z = b @ positions[corners, 2]
        drawn = (b >= 0).all(axis=-1) & (np.abs(z) <= 1) & (z < nearest)
        barycentrics = b[drawn] / b[drawn].sum(axis=-1, keepdims=True)
        nearest[drawn] = z[drawn]
        raster[drawn, :2] = barycentrics[:, :2]
        raster[drawn, 2] = z[drawn]
        raster[drawn, 3] = number + 1
    return raster


def interpolate_reference(attributes: np.ndarray, raster: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Brute-force `interpolate` of one image: attributes (V, A), raster (H, W, 4) -> (H, W, A) float64."""
    output = np.zeros((*raster.shape[:2], attributes.shape[1]))
    for row, column in np.argwhere(raster[..., 3] > 0):
        u, v, _, triangle = raster[row, column]
        a0, a1, a2 = np.asarray(attributes, dtype=np.float64)[triangles[int(triangle) - 1]]
        output[row, column] = u * a0 + v * a1 + (1 - u - v) * a2
    return output
