"""Marching tetrahedra on a rectilinear lattice, batched over signed distance grids.

Every lattice cell splits into the six tetrahedra of the Kuhn triangulation, which fit together
across cells without flipping, so the extracted surface is closed wherever the outermost layer
of nodes is outside. Each surface vertex lies on one lattice edge; its position is the linear
zero of the two distances there, and so is its exact derivative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import torch
from torch import Tensor

# Corners and edge directions are bit fields: bit 0 is +x, bit 1 is +y, bit 2 is +z.


@dataclass(frozen=True)
class Isosurface:
    """Triangles of a batch of zero level sets, packed one grid after the other.

    Attributes:
        faces: (F, 3) int64, packed vertex indices, counter-clockwise seen from outside (positive side).
        edge_nodes: (V, 2) int64, the two lattice nodes of each vertex, flat indices into (B, X, Y, Z).
        vertex_counts: (B,) int64, vertices of each grid.
        face_counts: (B,) int64, triangles of each grid.
    """

    faces: Tensor
    edge_nodes: Tensor
    vertex_counts: Tensor
    face_counts: Tensor


def _kuhn_tetrahedra() -> list[tuple[int, int, int, int]]:
    """The six corner paths 000 -> 111 of a cell, each ordered to have positive volume."""
    tetrahedra = []
    for order in permutations(range(3)):
        first, second = 1 << order[0], (1 << order[0]) | (1 << order[1])
        swaps = sum(order[i] > order[j] for i in range(3) for j in range(i + 1, 3))
        tetrahedra.append((0, first, second, 7) if swaps % 2 == 0 else (0, second, first, 7))
    return tetrahedra


def _corner_position(corner: int) -> Tensor:
    return torch.tensor([float(corner >> axis & 1) for axis in range(3)])


def _case_triangles(tetrahedron: tuple[int, ...], case: int) -> list[tuple[tuple[int, int], ...]]:
    """Triangles of one inside/outside pattern, each as three (corner, corner) edges, facing outside."""
    triangles: list[tuple[tuple[int, int], ...]]
    inside = [corner for bit, corner in enumerate(tetrahedron) if case >> bit & 1]
    outside = [corner for corner in tetrahedron if corner not in inside]
    if len(inside) == 2:
        (i, j), (a, b) = inside, outside
        triangles = [((i, a), (i, b), (j, b)), ((i, a), (j, b), (j, a))]
    else:
        alone, others = (inside, outside) if len(inside) == 1 else (outside, inside)
        triangles = [tuple((alone[0], other) for other in others)]
    mean = lambda corners: torch.stack([_corner_position(c) for c in corners]).mean(0)  # noqa: E731
    outward = mean(outside) - mean(inside)
    oriented = []
    for triangle in triangles:
        p, q, r = (mean(edge) for edge in triangle)
        flip = torch.dot(torch.linalg.cross(q - p, r - p), outward) < 0
        oriented.append(triangle[::-1] if flip else triangle)
    return oriented


@lru_cache(maxsize=16)
def _edge_key_table(shape: tuple[int, int, int], device: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Tables for lattice `shape`: corner offsets (8,), tetrahedron cases (256, 6), triangle counts (16,) and edge keys.

    A cell's pattern has one bit for each of its corners inside, a tetrahedron's case one for each of its own.

    Edge keys (6, 16, 2, 3): key of a triangle corner's lattice edge relative to 8 * base node of the
    cell; key = 8 * lower node + direction bits, unique per lattice edge.
    """
    strides = (shape[1] * shape[2], shape[2], 1)
    offsets = [sum(strides[axis] * (corner >> axis & 1) for axis in range(3)) for corner in range(8)]
    tetrahedra = _kuhn_tetrahedra()
    keys = torch.zeros((6, 16, 2, 3), dtype=torch.int64)
    counts = torch.zeros(16, dtype=torch.int64)
    for number, tetrahedron in enumerate(tetrahedra):
        for case in range(1, 15):
            triangles = _case_triangles(tetrahedron, case)
            counts[case] = len(triangles)
            for row, triangle in enumerate(triangles):
                for column, (p, q) in enumerate(triangle):
                    # Corners of a Kuhn tetrahedron are nested bit fields, so the lower one is the smaller.
                    keys[number, case, row, column] = 8 * offsets[min(p, q)] + (p ^ q)
    to = lambda values: torch.as_tensor(values, dtype=torch.int64, device=device)  # noqa: E731
    patterns = torch.arange(256)[:, None, None] >> torch.tensor(tetrahedra) & 1  # (256, 6, 4)
    cases = (patterns * torch.tensor([1, 2, 4, 8])).sum(dim=-1)
    return to(offsets), cases.to(device), counts.to(device), keys.to(device)


def marching_tetrahedra(sdf: Tensor) -> Isosurface:
    """Extract the zero level sets of a batch of grids.

    Topology only: positions follow from `interpolate_edges`, which keeps the two steps apart so
    that a mesh can be re-posed for new distances without extracting it again.

    Args:
        sdf: (B, X, Y, Z) float, negative inside. The outermost nodes must be positive for a closed surface.

    Returns:
        `Isosurface`; a grid without a sign change contributes nothing.

    Raises:
        ValueError: `sdf` is not four-dimensional or an axis has fewer than two nodes.
    """
    if sdf.dim() != 4 or min(sdf.shape[1:]) < 2:
        raise ValueError(f"sdf: expected (B, X, Y, Z) with at least 2 nodes an axis, got {tuple(sdf.shape)}")
    batch, nodes = sdf.shape[0], sdf[0].numel()
    shape = (sdf.shape[1], sdf.shape[2], sdf.shape[3])
    offsets, case_table, triangle_counts, key_table = _edge_key_table(shape, str(sdf.device))

    inside = sdf < 0
    pattern = torch.zeros((batch, *(n - 1 for n in shape)), dtype=torch.int16, device=sdf.device)
    for corner in range(8):
        view = inside
        for axis in range(3):
            view = view.narrow(axis + 1, corner >> axis & 1, shape[axis] - 1)
        pattern.add_(view, alpha=1 << corner)
    mixed = (pattern > 0) & (pattern < 255)
    b, x, y, z = mixed.nonzero(as_tuple=True)
    base = b * nodes + (x * shape[1] + y) * shape[2] + z  # (A,)
    cases = case_table[pattern[b, x, y, z].long()]  # (A, 6)
    cell, tetrahedron = triangle_counts[cases].nonzero(as_tuple=True)
    case = cases[cell, tetrahedron]
    keys = 8 * base[cell, None, None] + key_table[tetrahedron, case]  # (T, 2, 3)
    used = torch.arange(2, device=sdf.device) < triangle_counts[case, None]
    keys = keys[used]  # (F, 3)

    present = torch.zeros(batch * nodes * 8, dtype=torch.bool, device=sdf.device)
    present[keys.reshape(-1)] = True
    vertex_keys = present.nonzero().squeeze(1)
    vertex_of_key = torch.empty(batch * nodes * 8, dtype=torch.int64, device=sdf.device)
    vertex_of_key[vertex_keys] = torch.arange(len(vertex_keys), device=sdf.device)
    low = vertex_keys // 8
    edge_nodes = torch.stack([low, low + offsets[vertex_keys % 8]], dim=1)
    face_grid = keys[:, 0] // (8 * nodes)
    return Isosurface(
        faces=vertex_of_key[keys],
        edge_nodes=edge_nodes,
        vertex_counts=torch.bincount(low // nodes, minlength=batch),
        face_counts=torch.bincount(face_grid, minlength=batch),
    )


def interpolate_edges(edge_nodes: Tensor, sdf: Tensor, positions: Tensor) -> Tensor:
    """Vertex positions: the linear zero of the distance along each lattice edge.

    Args:
        edge_nodes: (V, 2) int64, from `marching_tetrahedra`.
        sdf: (B * N,) or (B, X, Y, Z) float.
        positions: (N, 3) float, node positions of one grid.

    Returns:
        (V, 3) float, differentiable in `sdf`.
    """
    values = sdf.reshape(-1)[edge_nodes]
    fraction = values[:, 0] / (values[:, 0] - values[:, 1])
    ends = positions[edge_nodes % len(positions)]
    return ends[:, 0] + fraction[:, None] * (ends[:, 1] - ends[:, 0])


def edge_vertex_jacobian(edge_nodes: Tensor, sdf: Tensor, sdf_jacobian: Tensor, positions: Tensor) -> Tensor:
    """Exact derivative of `interpolate_edges` in the code behind one grid's distances.

    Args:
        edge_nodes: (V, 2) int64.
        sdf: (N,) float.
        sdf_jacobian: (V, 2, S) float, derivative of the two distances of each vertex.
        positions: (N, 3) float.

    Returns:
        (V, 3, S) float.
    """
    values = sdf.reshape(-1)[edge_nodes]
    gap = values[:, 0] - values[:, 1]
    # t = a / (a - b): dt/da = -b / (a - b)^2, dt/db = a / (a - b)^2.
    slope = (values[:, 0, None] * sdf_jacobian[:, 1] - values[:, 1, None] * sdf_jacobian[:, 0]) / gap[:, None] ** 2
    ends = positions[edge_nodes]
    return (ends[:, 1] - ends[:, 0])[:, :, None] * slope[:, None, :]
