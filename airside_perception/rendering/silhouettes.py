"""Antialiasing of silhouettes: what makes coverage, and so the outline, differentiable.

After Laine et al., "Modular primitives for high-performance differentiable rendering", 2020,
section 3.6: between two neighbouring pixels that show different triangles, find where the nearer
one's silhouette edge crosses the line between the pixel centres, and blend the two colours by the
distance of that crossing from the middle. Here the search walks on over triangles that lie between
the pixel centres, so that silhouettes of finely meshed objects are found, too.
"""

from __future__ import annotations

import torch
import warp as wp

from airside_perception.rendering import warp_kernels_antialias
from airside_perception.rendering.arguments import check_surface, per_image_offsets
from airside_perception.rendering.warp_runtime import launch, start_warp


def edge_neighbours(triangles: torch.Tensor) -> torch.Tensor:
    """For each edge of each triangle, the triangle across it.

    Edges are told apart by vertex indices: where a mesh repeats a vertex (a crease with two
    normals), its two sides count as boundaries, which antialias treats as silhouettes.

    Args:
        triangles: (F, 3) int32.

    Returns:
        (F, 3) int32, column i for the edge opposite corner i; -1 at a boundary and where more than
        two triangles meet.
    """
    count = len(triangles)
    indices = triangles.long()
    ends = torch.stack([indices[:, [1, 2]], indices[:, [2, 0]], indices[:, [0, 1]]], dim=1).reshape(-1, 2)
    low, high = ends.amin(dim=1), ends.amax(dim=1)
    neighbours = torch.full((count * 3,), -1, dtype=torch.int32, device=triangles.device)
    if not count:
        return neighbours.reshape(0, 3)
    key = low * (int(high.max()) + 1) + high
    ordered, order = torch.sort(key, stable=True)
    same = torch.zeros(len(key) + 1, dtype=torch.bool, device=key.device)
    same[1:-1] = ordered[1:] == ordered[:-1]
    # Edge k of the sorted list starts a pair: k + 1 is equal, k - 1 and k + 2 are not.
    after_next = torch.cat([same[2:], same.new_zeros(1)])
    starts = torch.nonzero(same[1:] & ~same[:-1] & ~after_next).flatten()
    one, other = order[starts], order[starts + 1]
    neighbours[one] = (other // 3).int()
    neighbours[other] = (one // 3).int()
    return neighbours.reshape(-1, 3)


def antialias(
    color: torch.Tensor,
    raster: torch.Tensor,
    positions: torch.Tensor,
    triangles: torch.Tensor,
    vertex_offsets: torch.Tensor | None = None,
    neighbours: torch.Tensor | None = None,
) -> torch.Tensor:
    """Blend colours across silhouettes by the place of the silhouette between pixel centres.

    Differentiable in `color` and in `positions` (x, y and w of the two vertices of each silhouette
    edge). Not differentiable: which pixels are blended; crossings of surfaces without an edge.

    Args:
        color: (B, H, W, C) float32.
        raster: (B, H, W, 4) float32 from `rasterize`.
        positions: (B, V, 4) or (P, 4) float32, as given to `rasterize`.
        triangles: (F, 3) int32, as given to `rasterize`.
        vertex_offsets: (B,) int, as given to `rasterize`.
        neighbours: (F, 3) int32 from `edge_neighbours`; give it where a mesh is drawn again and
            again, else it is computed here.

    Returns:
        (B, H, W, C) float32.

    Raises:
        ValueError: shapes, types or devices disagree.
    """
    check_surface(raster, triangles, positions.device)
    if color.shape[:3] != raster.shape[:3] or color.ndim != 4 or color.dtype != torch.float32:
        raise ValueError(f"color: expected {(*raster.shape[:3], 'C')} float32, got {tuple(color.shape)} {color.dtype}")
    offsets = per_image_offsets("positions", positions, vertex_offsets, raster.shape[0], shared=False)
    if neighbours is None:
        neighbours = edge_neighbours(triangles)
    elif neighbours.shape != triangles.shape or neighbours.dtype != torch.int32:
        raise ValueError(f"neighbours: expected {tuple(triangles.shape)} int32, got {tuple(neighbours.shape)}")
    start_warp()
    flat = positions.reshape(-1, 4).contiguous()
    surface = (triangles.contiguous(), neighbours.contiguous(), offsets)
    return _Antialias.apply(color.contiguous(), flat, raster.detach().contiguous(), *surface)


class _Antialias(torch.autograd.Function):
    @staticmethod
    def forward(ctx, color, positions, raster, triangles, neighbours, vertex_offsets) -> torch.Tensor:
        saved = (color, positions, raster, triangles, neighbours, vertex_offsets)
        ctx.save_for_backward(*saved)
        output = color.detach().clone()
        if output.numel() and triangles.numel():
            inputs = [*_shared_inputs(saved), wp.from_torch(output)]
            launch(warp_kernels_antialias.antialias_forward, tuple(raster.shape[:3]), inputs, color.device)
        return output

    @staticmethod
    def backward(ctx, output_gradient: torch.Tensor):
        color, positions, raster, triangles, *_ = ctx.saved_tensors
        output_gradient = output_gradient.contiguous()
        color_gradient = output_gradient.clone()
        position_gradient = torch.zeros_like(positions)
        if output_gradient.numel() and triangles.numel():
            inputs = [*_shared_inputs(ctx.saved_tensors), wp.from_torch(output_gradient)]
            inputs += [wp.from_torch(color_gradient), wp.from_torch(position_gradient, dtype=wp.vec4)]
            launch(warp_kernels_antialias.antialias_backward, tuple(raster.shape[:3]), inputs, color.device)
        return color_gradient, position_gradient, None, None, None, None


def _shared_inputs(saved: tuple[torch.Tensor, ...]) -> list:
    """The arguments that both kernels begin with."""
    color, positions, raster, triangles, neighbours, vertex_offsets = saved
    return [
        wp.from_torch(color.detach()),
        wp.from_torch(raster, dtype=wp.vec4),
        wp.from_torch(positions.detach(), dtype=wp.vec4),
        wp.from_torch(triangles),
        wp.from_torch(neighbours),
        wp.from_torch(vertex_offsets),
        color.shape[3],
    ]
