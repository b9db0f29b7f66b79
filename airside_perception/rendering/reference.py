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


def antialias_reference(
    color: np.ndarray, raster: np.ndarray, positions: np.ndarray, triangles: np.ndarray
) -> np.ndarray:
    """Pixel-by-pixel `antialias` of one image, in screen space; all vertices must have w > 0.

    Args:
        color: (H, W, C).
        raster: (H, W, 4).
        positions: (V, 4) clip space.
        triangles: (F, 3) int.

    Returns:
        (H, W, C) float64.
    """
    height, width = raster.shape[:2]
    positions = np.asarray(positions, dtype=np.float64)
    screen = (positions[:, :2] / positions[:, 3:] * 0.5 + 0.5) * [width, height] - 0.5
    owners: dict[frozenset[int], list[int]] = {}
    for number, corners in enumerate(np.asarray(triangles).tolist()):
        for side in range(3):
            owners.setdefault(frozenset((corners[side - 2], corners[side - 1])), []).append(number)
    output = np.array(color, dtype=np.float64)
    for row in range(height):
        for column in range(width):
            for other in ((row, column + 1), (row + 1, column)):
                if other[0] < height and other[1] < width:
                    _blend_pair((row, column), other, color, raster, screen, triangles, owners, output)
    return output


def _blend_pair(here, there, color, raster, screen, triangles, owners, output) -> None:
    """Blend two neighbouring pixels (row, column) in `output` if a silhouette runs between them."""
    if raster[here][3] == raster[there][3]:
        return
    depth = [raster[pixel][2] if raster[pixel][3] > 0 else np.inf for pixel in (here, there)]
    a, b = (here, there) if depth[0] <= depth[1] else (there, here)
    found = _walk_to_silhouette(np.array(a[::-1]), np.array(b[::-1]), int(raster[a][3]) - 1, screen, triangles, owners)
    if found is None:
        return
    t, edge = found
    upright = abs(edge[1]) >= abs(edge[0])
    if upright != (here[0] == there[0]):
        return
    target = b if t > 0.5 else a
    output[target] += (t - 0.5) * (np.asarray(color[a], dtype=np.float64) - color[b])


def _walk_to_silhouette(a, b, triangle, screen, triangles, owners):
    """(t, edge vector) of the first silhouette edge between screen points a and b (x, y), or None."""
    entered_by = None
    for _ in range(32):
        corners = [int(corner) for corner in triangles[triangle]]
        crossing = None
        for side in range(3):
            ends = (corners[side - 2], corners[side - 1])
            if frozenset(ends) == entered_by:
                continue
            edge = screen[ends[1]] - screen[ends[0]]
            # a + t (b - a) = ends[0] + s edge
            matrix = np.column_stack([b - a, -edge])
            if np.linalg.det(matrix) == 0:
                continue
            t, s = np.linalg.solve(matrix, screen[ends[0]] - a)
            if 0 <= t <= 1 and 0 <= s <= 1:
                crossing = (t, edge, ends, corners[side])
        if crossing is None:
            return None
        t, edge, ends, opposite = crossing
        across = [number for number in owners[frozenset(ends)] if number != triangle]
        if len(across) != 1:
            return t, edge
        far = next(int(corner) for corner in triangles[across[0]] if corner not in ends)
        normal = np.array([-edge[1], edge[0]])
        sides = [normal @ (screen[corner] - screen[ends[0]]) for corner in (opposite, far)]
        if sides[0] * sides[1] > 0:
            return t, edge
        triangle, entered_by = across[0], frozenset(ends)
    return None
