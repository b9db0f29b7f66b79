"""The rasteriser and its interpolation: many images in one launch, on CPU and CUDA.

Conventions are those of the field's reference rasteriser: clip-space positions, output
(u, v, z/w, triangle id + 1), row 0 at clip y = -1, pixel centres at half integers. Gradients flow
through u, v and z/w to the clip positions; which triangle covers a pixel has no gradient here
(`antialias` gives that of silhouettes).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import warp as wp

from airside_perception.rendering import warp_kernels
from airside_perception.rendering.warp_runtime import launch, start_warp

_MAX_TRIANGLES = 2**24 - 1
"""Triangle ids travel as float32 in the raster, which counts exactly only up to here."""

_CUDA_LANES = 8
"""Threads that share the rows of one triangle on CUDA, so that a ground plane does not serialise."""


@dataclass(frozen=True)
class _Batch:
    """Checked, contiguous inputs of a launch: positions (P, 4), triangles (F, 3), ranges (B, 2), offsets (B,)."""

    positions: torch.Tensor
    triangles: torch.Tensor
    ranges: torch.Tensor
    vertex_offsets: torch.Tensor
    largest_range: int
    height: int
    width: int
    cull_backfaces: bool

    @property
    def images(self) -> int:
        return self.ranges.shape[0]


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
    batch = _check_batch(positions, triangles, resolution, ranges, vertex_offsets, cull_backfaces)
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
    _expect(raster.ndim == 4 and raster.shape[-1] == 4, f"raster: expected (B, H, W, 4), got {tuple(raster.shape)}")
    _check_triangles(triangles, attributes.device)
    _expect(
        attributes.dtype == torch.float32 and attributes.ndim in (2, 3),
        f"attributes: expected (B, V, A) or (P, A) float32, got {tuple(attributes.shape)} {attributes.dtype}",
    )
    images = raster.shape[0]
    if attributes.ndim == 3:
        _expect(
            attributes.shape[0] in (1, images),
            f"attributes: expected 1 or {images} in the first axis (images of raster), got {attributes.shape[0]}",
        )
        _expect(vertex_offsets is None, "vertex_offsets: only with packed attributes (P, A)")
        stride = attributes.shape[1] if attributes.shape[0] == images else 0
        offsets = _arange_offsets(images, stride, attributes.device)
    else:
        offsets = _given_offsets(vertex_offsets, images, attributes.device)
    start_warp()
    flat = attributes.reshape(-1, attributes.shape[-1]).contiguous()
    return _Interpolate.apply(flat, raster.contiguous(), triangles.contiguous(), offsets)


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, positions: torch.Tensor, batch: _Batch) -> torch.Tensor:
        shape = (batch.images, batch.height, batch.width)
        device = positions.device
        raster = torch.zeros((*shape, 4), dtype=torch.float32, device=device)
        vertices = wp.from_torch(positions.detach(), dtype=wp.vec4)
        triangles, offsets = wp.from_torch(batch.triangles), wp.from_torch(batch.vertex_offsets)
        if raster.numel() and batch.largest_range:
            depth = wp.from_torch(torch.full(shape, int(warp_kernels.EMPTY), dtype=torch.int64, device=device))
            lanes = _CUDA_LANES if device.type == "cuda" else 1
            size = [batch.width, batch.height]
            inputs = [vertices, triangles, wp.from_torch(batch.ranges), offsets, *size, lanes]
            inputs += [int(batch.cull_backfaces), depth]
            launch(warp_kernels.fill_depth, (batch.images, batch.largest_range, lanes), inputs, device)
            inputs = [vertices, triangles, offsets, *size, depth, wp.from_torch(raster, dtype=wp.vec4)]
            launch(warp_kernels.resolve, shape, inputs, device)
        ctx.save_for_backward(positions, raster)
        ctx.batch = batch
        return raster

    @staticmethod
    def backward(ctx, raster_gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        positions, raster = ctx.saved_tensors
        batch: _Batch = ctx.batch
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
            launch(warp_kernels.interpolate_forward, tuple(raster.shape[:3]), inputs, raster.device)
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
            launch(warp_kernels.interpolate_backward, tuple(raster.shape[:3]), inputs, raster.device)
        return attribute_gradient, raster_gradient, None, None


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _check_triangles(triangles: torch.Tensor, device: torch.device) -> None:
    shape, kind = tuple(triangles.shape), triangles.dtype
    _expect(
        triangles.ndim == 2 and triangles.shape[1] == 3 and kind == torch.int32,
        f"triangles: expected (F, 3) int32, got {shape} {kind}",
    )
    _expect(triangles.device == device, f"triangles: on {triangles.device}, expected {device}; move them there")
    _expect(len(triangles) <= _MAX_TRIANGLES, f"triangles: at most {_MAX_TRIANGLES}, got {len(triangles)}")


def _arange_offsets(images: int, stride: int, device: torch.device) -> torch.Tensor:
    return torch.arange(images, dtype=torch.int32, device=device) * stride


def _given_offsets(vertex_offsets: torch.Tensor | None, images: int, device: torch.device) -> torch.Tensor:
    if vertex_offsets is None:
        return torch.zeros(images, dtype=torch.int32, device=device)
    shape = tuple(vertex_offsets.shape)
    _expect(shape == (images,), f"vertex_offsets: expected ({images},), got {shape}")
    return vertex_offsets.to(device=device, dtype=torch.int32).contiguous()


def _check_batch(positions, triangles, resolution, ranges, vertex_offsets, cull_backfaces) -> _Batch:
    """Check the arguments of `rasterize` and bring its three call forms to one."""
    shape = tuple(positions.shape)
    _expect(
        positions.ndim in (2, 3) and shape[-1] == 4 and positions.dtype == torch.float32,
        f"positions: expected (B, V, 4) or (P, 4) float32, got {shape} {positions.dtype}",
    )
    device = positions.device
    _check_triangles(triangles, device)
    height, width = (int(size) for size in resolution)
    _expect(height > 0 and width > 0, f"resolution: expected positive (height, width), got {tuple(resolution)}")
    count = len(triangles)
    if positions.ndim == 3:
        _expect(vertex_offsets is None, "vertex_offsets: only with packed positions (P, 4)")
        images = shape[0]
        offsets = _arange_offsets(images, shape[1], device)
        limit = shape[1]
    else:
        _expect(ranges is not None, "ranges: packed positions (P, 4) need ranges (B, 2)")
        images = len(ranges)
        offsets = _given_offsets(vertex_offsets, images, device)
        limit = shape[0]
    if ranges is None:
        ranges = torch.tensor([[0, count]], dtype=torch.int32).expand(images, 2)
        largest = count
    else:
        _expect(tuple(ranges.shape) == (images, 2), f"ranges: expected ({images}, 2), got {tuple(ranges.shape)}")
        largest = _check_ranges(ranges, count)
    if device.type == "cpu":
        _check_indices(triangles, ranges, offsets if positions.ndim == 2 else None, limit)
    return _Batch(
        positions.reshape(-1, 4).contiguous(),
        triangles.contiguous(),
        ranges.to(device=device, dtype=torch.int32).contiguous(),
        offsets,
        largest,
        height,
        width,
        bool(cull_backfaces),
    )


def _check_ranges(ranges: torch.Tensor, triangle_count: int) -> int:
    """Return the largest count of `ranges`; the ranges must lie inside the triangles."""
    if not len(ranges):
        return 0
    on_host = ranges.cpu().long()
    lowest, ends = int(on_host.min()), on_host.sum(dim=1)
    _expect(
        lowest >= 0 and int(ends.max()) <= triangle_count,
        f"ranges: expected 0 <= first and first + count <= {triangle_count}, got min {lowest}, end {int(ends.max())}",
    )
    return int(on_host[:, 1].max())


def _check_indices(triangles, ranges, offsets, limit: int) -> None:
    """A wrong index would read outside the vertices, so on the CPU each is checked (cheap beside the launch)."""
    if not triangles.numel():
        return
    if offsets is not None and bool((offsets != 0).any()):
        _check_offset_indices(triangles, ranges, offsets, limit)
        return
    low, high = (int(value) for value in torch.aminmax(triangles))
    _expect(
        low >= 0 and high < limit,
        f"triangles: expected vertex indices in 0..{limit - 1}, got {low}..{high}",
    )


def _check_offset_indices(triangles, ranges, offsets, limit: int) -> None:
    """Check vertex indices per distinct triangle range, plus that range's extreme vertex offsets."""
    unique, inverse = torch.unique(ranges.cpu().long(), dim=0, return_inverse=True)
    for number, (first, count) in enumerate(unique.tolist()):
        if count:
            mine = offsets[inverse == number]
            low, high = (int(value) for value in torch.aminmax(triangles[first : first + count]))
            low, high = low + int(mine.min()), high + int(mine.max())
            _expect(
                low >= 0 and high < limit,
                f"triangles + vertex_offsets: expected vertex indices in 0..{limit - 1}, got {low}..{high}",
            )
