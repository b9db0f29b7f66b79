"""Signed distances of closed triangle meshes on the prior's lattices.

Distances are measured in lattice cells (see `prior.shape_decoder`), so meshes are first carried
into lattice coordinates, where every cell is a unit cube. Assets are unions of closed, outward
oriented parts: a point is inside where the signed crossings of a line through it do not cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]

_JITTER = (1.37e-4, 2.71e-4)
"""Columns pass this far beside the nodes, so that they don't run along edges of axis-aligned parts."""

_SAMPLES_PER_CELL = 4.0
_LONGEST_EDGE = 4.0
_THIN_RADIUS, _THIN_DEPTH = 0.45, 0.12
"""Half thickness that lost parts get, and the least depth of the node closest to them, cells."""


@dataclass(frozen=True)
class SurfaceSamples:
    """Points on the outer surface, lattice coordinates.

    Attributes:
        points, normals: (N, 3) float64; unit normals.
        faces: (N,) int64, triangle each point lies on.
    """

    points: FloatArray
    normals: FloatArray
    faces: IntArray


def to_lattice(points: FloatArray, axes: tuple[FloatArray, ...]) -> FloatArray:
    """Box-normalised (N, 3) points in lattice coordinates; extrapolates linearly beyond the outermost nodes."""
    columns = []
    for axis, nodes in enumerate(axes):
        value = np.interp(points[:, axis], nodes, np.arange(len(nodes)))
        value += np.minimum(points[:, axis] - nodes[0], 0) / (nodes[1] - nodes[0])
        value += np.maximum(points[:, axis] - nodes[-1], 0) / (nodes[-1] - nodes[-2])
        columns.append(value)
    return np.stack(columns, axis=1)


def subdivide(vertices: FloatArray, faces: IntArray, axes: tuple[FloatArray, ...]) -> FloatArray:
    """Split long triangles in four until they bend with the lattice's spacing.

    Args:
        vertices: (V, 3) float, box-normalised.
        faces: (F, 3) int.
        axes: node coordinates per axis.

    Returns:
        (F', 3, 3) triangle corners in lattice coordinates.
    """
    corners = vertices[faces].astype(np.float64)
    done = []
    for _ in range(6):
        lattice = to_lattice(corners.reshape(-1, 3), axes).reshape(-1, 3, 3)
        longest = np.linalg.norm(lattice - np.roll(lattice, 1, axis=1), axis=2).max(axis=1)
        long = longest > _LONGEST_EDGE
        done.append(lattice[~long])
        if not long.any():
            break
        a, b, c = corners[long].transpose(1, 0, 2)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        quarters = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        corners = np.concatenate([np.stack(quarter, axis=1) for quarter in quarters])
    else:
        done.append(to_lattice(corners.reshape(-1, 3), axes).reshape(-1, 3, 3))
    return np.concatenate(done)


def _winding_along(corners: FloatArray, shape: tuple[int, int, int], axis: int) -> NDArray[np.int32]:
    """Winding number at every node from the signed crossings of lines along one axis."""
    u_axis, v_axis = (axis + 1) % 3, (axis + 2) % 3
    u, v, w = corners[:, :, u_axis] - _JITTER[0], corners[:, :, v_axis] - _JITTER[1], corners[:, :, axis]
    u0 = np.clip(np.ceil(u.min(1)), 0, None).astype(np.int64)
    v0 = np.clip(np.ceil(v.min(1)), 0, None).astype(np.int64)
    nu = np.clip(np.floor(u.max(1)).clip(max=shape[u_axis] - 1).astype(np.int64) - u0 + 1, 0, None)
    nv = np.clip(np.floor(v.max(1)).clip(max=shape[v_axis] - 1).astype(np.int64) - v0 + 1, 0, None)
    counts = nu * nv
    triangle = np.repeat(np.arange(len(corners)), counts)
    local = np.arange(len(triangle)) - np.repeat(np.cumsum(counts) - counts, counts)
    column_u = u0[triangle] + local // np.maximum(nv[triangle], 1)
    column_v = v0[triangle] + local % np.maximum(nv[triangle], 1)

    ut, vt, wt = u[triangle], v[triangle], w[triangle]

    def cross(i: int, j: int) -> FloatArray:
        return (ut[:, i] - column_u) * (vt[:, j] - column_v) - (ut[:, j] - column_u) * (vt[:, i] - column_v)

    areas = np.stack([cross(1, 2), cross(2, 0), cross(0, 1)], axis=1)
    total = areas.sum(1)
    hit = (np.all(areas >= 0, axis=1) | np.all(areas < 0, axis=1)) & (total != 0)
    height = (areas[hit] * wt[hit]).sum(1) / total[hit]
    # A crossing counts for all nodes below it; +1 where the surface faces up the axis.
    top = np.ceil(height).astype(np.int64) - 1
    sign = np.where(total[hit] > 0, 1, -1)
    above = top >= 0
    winding = np.zeros((shape[u_axis], shape[v_axis], shape[axis]), dtype=np.int32)
    np.add.at(winding, (column_u[hit][above], column_v[hit][above], top[above].clip(max=shape[axis] - 1)), sign[above])
    winding = np.cumsum(winding[:, :, ::-1], axis=2)[:, :, ::-1]
    return np.ascontiguousarray(np.moveaxis(winding, (0, 1, 2), (u_axis, v_axis, axis)))


def inside_nodes(corners: FloatArray, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Nodes inside the union of closed parts: two of three axes must agree, which forgives small cracks.

    Args:
        corners: (F, 3, 3) triangle corners, lattice coordinates, counter-clockwise seen from outside.
        shape: nodes per axis.

    Returns:
        (X, Y, Z) bool.
    """
    votes = sum((_winding_along(corners, shape, axis) > 0).astype(np.int8) for axis in range(3))
    return np.asarray(votes) >= 2


def _trilinear(grid: FloatArray, points: FloatArray) -> FloatArray:
    """Interpolate a node grid at (N, 3) lattice points, clamped."""
    shape = np.array(grid.shape)
    points = np.clip(points, 0, shape - 1.001)
    lower = points.astype(np.int64)
    fraction = points - lower
    value = np.zeros(len(points))
    for corner in range(8):
        bits = np.array([corner >> axis & 1 for axis in range(3)])
        weight = np.prod(np.where(bits, fraction, 1 - fraction), axis=1)
        value += weight * grid[tuple((lower + bits).T)]
    return value


def sample_outer_surface(corners: FloatArray, inside: NDArray[np.bool_], rng: np.random.Generator) -> SurfaceSamples:
    """Points spread over the triangles that border the outside; walls between merged parts are left out."""
    edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normals = np.cross(edge_a, edge_b)
    area = 0.5 * np.linalg.norm(normals, axis=1)
    normals /= np.maximum(2 * area, 1e-12)[:, None]
    counts = np.where(area > 1e-9, 1 + np.floor(area * _SAMPLES_PER_CELL), 0).astype(np.int64)
    face = np.repeat(np.arange(len(corners)), counts)
    s, t = rng.random((2, len(face)))
    s, t = np.where(s + t > 1, 1 - s, s), np.where(s + t > 1, 1 - t, t)
    points = corners[face, 0] + s[:, None] * edge_a[face] + t[:, None] * edge_b[face]
    buried = _trilinear(inside.astype(np.float64), points + 0.6 * normals[face]) > 0.99
    return SurfaceSamples(points[~buried], normals[face[~buried]], face[~buried])


def _triangle_distance(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Exact distances of (N, 3) points to one triangle each, (N, 3, 3)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    squared = np.maximum((normal**2).sum(1), 1e-18)
    best = np.full(len(points), np.inf)
    within = np.ones(len(points), dtype=bool)
    for start, end in ((a, b), (b, c), (c, a)):
        edge, offset = end - start, points - start
        along = np.clip((offset * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-18), 0, 1)
        best = np.minimum(best, np.linalg.norm(offset - along[:, None] * edge, axis=1))
        within &= (np.cross(edge, offset) * normal).sum(1) >= 0
    plane = np.abs(((points - a) * normal).sum(1)) / np.sqrt(squared)
    return np.where(within, plane, best)


def signed_distance(
    corners: FloatArray, shape: tuple[int, int, int], truncation: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], SurfaceSamples]:
    """Truncated signed distances at the nodes, in cells, negative inside.

    Parts too thin for the lattice are thickened to about one cell instead of being lost.

    Args:
        corners: (F, 3, 3) triangle corners, lattice coordinates.
        shape: nodes per axis.
        truncation: largest distance kept, cells.
        rng: places the surface samples that find the nearest triangles.

    Returns:
        (X, Y, Z) float32 distances and the outer surface samples.
    """
    inside = inside_nodes(corners, shape)
    samples = sample_outer_surface(corners, inside, rng)
    band = _nodes_around(samples.points, shape, int(np.ceil(truncation)))
    rough, nearest = cKDTree(samples.points).query(band, distance_upper_bound=truncation + 0.5)
    near = np.isfinite(rough)
    distance = np.full(len(band), truncation)
    exact = _triangle_distance(band[near], corners[samples.faces[nearest[near]]])
    distance[near] = np.minimum(exact, truncation)
    unsigned = np.full(shape, truncation)
    unsigned[tuple(band.T)] = distance
    signed = np.where(inside, -unsigned, unsigned)
    _thicken(signed, samples)
    for axis in range(3):
        for end in (0, -1):
            outermost = np.moveaxis(signed, axis, 0)[end]
            np.maximum(outermost, 0.5, out=outermost)
    return signed.astype(np.float32), samples


def _nodes_around(points: FloatArray, shape: tuple[int, int, int], reach: int) -> IntArray:
    """(N, 3) int64, nodes at most `reach` cells along each axis from a point's nearest node."""
    touched = np.zeros(shape, dtype=np.uint8)
    nearest = np.clip(np.rint(points).astype(np.int64), 0, np.array(shape) - 1)
    touched[tuple(nearest.T)] = 1
    return np.argwhere(maximum_filter(touched, size=2 * reach + 1))


def _thicken(signed: FloatArray, samples: SurfaceSamples) -> None:
    """Pull distances down, in place, around surface points that the lattice fails to enclose."""
    below = samples.points - 0.1 * samples.normals
    lost = below[_trilinear(signed, below) > 0.1]
    if not len(lost):
        return
    band = _nodes_around(lost, signed.shape, 2)
    reach, _ = cKDTree(lost).query(band, distance_upper_bound=2.0)
    index = tuple(band[np.isfinite(reach)].T)
    signed[index] = np.minimum(signed[index], reach[np.isfinite(reach)] - _THIN_RADIUS)
    closest = np.clip(np.rint(lost).astype(np.int64), 0, np.array(signed.shape) - 1)
    index = tuple(closest.T)
    signed[index] = np.minimum(signed[index], -_THIN_DEPTH)
