"""The rasteriser and its interpolation: many images in one launch, on CPU and CUDA.

Conventions are those of the field's reference rasteriser: clip-space positions, output
(u, v, z/w, triangle id + 1), row 0 at clip y = -1, pixel centres at half integers. Gradients flow
through u, v and z/w to the clip positions; which triangle covers a pixel has no gradient here
(`antialias` gives that of silhouettes).
"""

from __future__ import annotations

import torch
import warp as wp

from airside_perception.rendering import warp_kernels, warp_kernels_interpolate
from airside_perception.rendering.arguments import Batch, check_batch, check_surface, per_image_offsets
from airside_perception.rendering.warp_runtime import WarpArray, launch, start_warp

_CUDA_LANES = 8
"""Threads that share the rows of one triangle on CUDA, so that a ground plane does not serialise."""

_CPU_RUN = 256
"""Triangles that one thread draws on a CPU, where starting a thread costs as much as skipping a triangle."""


def rasterize(
    positions: torch.Tensor,
    triangles: torch.Tensor,
    resolution: tuple[int, int],
    ranges: torch.Tensor | None = None,
    vertex_offsets: torch.Tensor | None = None,
    cull_backfaces: bool = False,
) -> torch.Tensor:
    """Find, for every pixel of every image, the nearest triangle and the place on it.

    Three ways to call it:
      * positions (B, V, 4): image b draws all triangles with positions[b] (one mesh, many poses);
      * positions (P, 4) and ranges (B, 2): image b draws its own run of triangles (many meshes);
      * also vertex_offsets (B,): image b adds its offset to its triangles' vertex indices, so that
        many poses of many meshes share each mesh's triangles.

    Triangles may cross the near plane or lie behind the camera; parts outside -w <= z <= w are cut
    per pixel. At equal depth the lower triangle id wins. Degenerate triangles draw nothing.

    Args:
        positions: (B, V, 4) or (P, 4) float32, clip space, on CPU or CUDA.
        triangles: (F, 3) int32, vertex indices, same device. Indices are not checked on CUDA.
        resolution: (height, width) of every image.
        ranges: (B, 2) int, first triangle and number of triangles of each image.
        vertex_offsets: (B,) int, added to the vertex indices of each image; needs positions (P, 4).
        cull_backfaces: drop triangles that appear clockwise on an image whose row 0 is at the top.

    Returns:
        (B, height, width, 4) float32: u and v (perspective-correct barycentrics of a triangle's vertex
        0 and 1), z/w, and triangle id + 1; all 0 on background. Differentiable in `positions`
        through u, v and z/w.

    Raises:
        ValueError: a shape, type, device or index is wrong.
    """
    batch = check_batch(positions, triangles, resolution, ranges, vertex_offsets, cull_backfaces)
    start_warp()
    return _Rasterize.apply(batch.positions, batch)


def interpolate(
    attributes: torch.Tensor,
    raster: torch.Tensor,
    triangles: torch.Tensor,
    vertex_offsets: torch.Tensor | None = None,
) -> torch.Tensor:
    """Interpolate vertex attributes over the rasterised triangles.

    Args:
        attributes: (B, V, A) or (1, V, A) float32; or (P, A) for packed meshes (with the
            `vertex_offsets` that `rasterize` was given, if any).
        raster: (B, H, W, 4) float32 from `rasterize`.
        triangles: (F, 3) int32, as given to `rasterize`.
        vertex_offsets: (B,) int, only with attributes (P, A).

    Returns:
        (B, H, W, A) float32, zeros on background. Differentiable in `attributes` and, through
        `raster`, in the clip positions.

    Raises:
        ValueError: shapes, types or devices disagree.
    """
    check_surface(raster, triangles, attributes.device)
    offsets = per_image_offsets("attributes", attributes, vertex_offsets, raster.shape[0], shared=True)
    start_warp()
    flat = attributes.reshape(-1, attributes.shape[-1]).contiguous()
    return _Interpolate.apply(flat, raster.contiguous(), triangles.contiguous(), offsets)


def draw_nearest(
    positions: WarpArray,
    triangles: WarpArray,
    ranges: WarpArray,
    vertex_offsets: WarpArray,
    largest_range: int,
    cull_backfaces: bool,
    entries: torch.Tensor,
) -> None:
    """Fill `entries`, (B, H, W) int64, with the z-buffer of B runs of triangles, whatever it held before.

    The other arguments are those of `rasterize` as checked Warp arrays; `largest_range` is the longest run.
    """
    entries.fill_(int(warp_kernels.EMPTY))
    images, height, width = entries.shape
    run, lanes = (1, _CUDA_LANES) if entries.is_cuda else (_CPU_RUN, 1)
    inputs = [positions, triangles, ranges, vertex_offsets, width, height, run, lanes, int(cull_backfaces)]
    launch(
        warp_kernels.fill_depth,
        (images, -(-largest_range // run), lanes),
        [*inputs, wp.from_torch(entries)],
        entries.device,
    )


def resolve(
    positions: WarpArray, triangles: WarpArray, vertex_offsets: WarpArray, entries: torch.Tensor, raster: torch.Tensor
) -> None:
    """Turn a z-buffer of `draw_nearest` into `raster`, (B, H, W, 4) float32 as `rasterize` returns it."""
    images, height, width = entries.shape
    inputs = [positions, triangles, vertex_offsets, width, height, wp.from_torch(entries)]
    inputs += [wp.from_torch(raster, dtype=wp.vec4)]
    launch(warp_kernels.resolve, (images, height, width), inputs, entries.device)


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, positions: torch.Tensor, batch: Batch) -> torch.Tensor:
        shape = (batch.images, batch.height, batch.width)
        device = positions.device
        drawn = all(shape) and batch.largest_range > 0
        raster = (torch.empty if drawn else torch.zeros)((*shape, 4), dtype=torch.float32, device=device)
        if drawn:
            depth = torch.empty(shape, dtype=torch.int64, device=device)
            vertices = wp.from_torch(positions.detach(), dtype=wp.vec4)
            triangles, offsets = wp.from_torch(batch.triangles), wp.from_torch(batch.vertex_offsets)
            mesh = (vertices, triangles, wp.from_torch(batch.ranges), offsets)
            draw_nearest(*mesh, batch.largest_range, batch.cull_backfaces, depth)
            resolve(vertices, triangles, offsets, depth, raster)
        ctx.save_for_backward(positions, raster)
        ctx.batch = batch
        return raster

    @staticmethod
    def backward(ctx, raster_gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        positions, raster = ctx.saved_tensors
        batch: Batch = ctx.batch
        gradient = torch.zeros_like(positions)
        inputs = [
            wp.from_torch(positions.detach(), dtype=wp.vec4),
            wp.from_torch(batch.triangles),
            wp.from_torch(batch.vertex_offsets),
            batch.width,
            batch.height,
            wp.from_torch(raster.detach(), dtype=wp.vec4),
            wp.from_torch(raster_gradient.contiguous(), dtype=wp.vec4),
            wp.from_torch(gradient, dtype=wp.vec4),
        ]
        if raster.numel():
            launch(warp_kernels.rasterize_backward, tuple(raster.shape[:3]), inputs, positions.device)
        return gradient, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, attributes, raster, triangles, vertex_offsets) -> torch.Tensor:
        channels = attributes.shape[1]
        output = torch.zeros((*raster.shape[:3], channels), dtype=torch.float32, device=raster.device)
        inputs = [
            wp.from_torch(attributes.detach()),
            wp.from_torch(triangles),
            wp.from_torch(vertex_offsets),
            wp.from_torch(raster.detach(), dtype=wp.vec4),
            channels,
            wp.from_torch(output),
        ]
        if output.numel() and triangles.numel():
            launch(warp_kernels_interpolate.interpolate_forward, tuple(raster.shape[:3]), inputs, raster.device)
        ctx.save_for_backward(attributes, raster, triangles, vertex_offsets)
        return output

    @staticmethod
    def backward(ctx, output_gradient: torch.Tensor):
        attributes, raster, triangles, vertex_offsets = ctx.saved_tensors
        attribute_gradient = torch.zeros_like(attributes)
        raster_gradient = torch.zeros_like(raster)
        inputs = [
            wp.from_torch(attributes.detach()),
            wp.from_torch(triangles),
            wp.from_torch(vertex_offsets),
            wp.from_torch(raster.detach(), dtype=wp.vec4),
            attributes.shape[1],
            wp.from_torch(output_gradient.contiguous()),
            wp.from_torch(attribute_gradient),
            wp.from_torch(raster_gradient, dtype=wp.vec4),
        ]
        if output_gradient.numel() and triangles.numel():
            launch(warp_kernels_interpolate.interpolate_backward, tuple(raster.shape[:3]), inputs, raster.device)
        return attribute_gradient, raster_gradient, None, None
