"""Checks at the door of the rasteriser's functions, and one form for their several ways to be called."""

from __future__ import annotations

from dataclasses import dataclass

import torch

MAX_TRIANGLES = 2**24 - 1
"""Triangle ids travel as float32 in the raster, which counts exactly only up to here."""


@dataclass(frozen=True)
class Batch:
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


def expect(condition: bool, message: str) -> None:
    """Raise ValueError with `message` unless `condition`."""
    if not condition:
        raise ValueError(message)


def check_surface(raster: torch.Tensor, triangles: torch.Tensor, device: torch.device) -> None:
    """Check a raster (B, H, W, 4) float32 and its triangles (F, 3) int32 on `device`."""
    shape = tuple(raster.shape)
    expect(
        raster.ndim == 4 and shape[-1] == 4 and raster.dtype == torch.float32,
        f"raster: expected (B, H, W, 4) float32, got {shape} {raster.dtype}",
    )
    expect(raster.device == device, f"raster: on {raster.device}, expected {device}; move it there")
    check_triangles(triangles, device)


def check_triangles(triangles: torch.Tensor, device: torch.device) -> None:
    """Check triangles (F, 3) int32 on `device`."""
    shape, kind = tuple(triangles.shape), triangles.dtype
    expect(
        triangles.ndim == 2 and triangles.shape[1] == 3 and kind == torch.int32,
        f"triangles: expected (F, 3) int32, got {shape} {kind}",
    )
    expect(triangles.device == device, f"triangles: on {triangles.device}, expected {device}; move them there")
    expect(len(triangles) <= MAX_TRIANGLES, f"triangles: at most {MAX_TRIANGLES}, got {len(triangles)}")


def per_image_offsets(
    name: str, values: torch.Tensor, vertex_offsets: torch.Tensor | None, images: int, shared: bool
) -> torch.Tensor:
    """Where each image's vertices begin in the flattened per-vertex `values`.

    Args:
        name: of `values`, for messages.
        values: (B, V, A) or (P, A) float32; with `shared` also (1, V, A) for all images.
        vertex_offsets: (B,) int or None; only with (P, A).
        images: B.

    Returns:
        (B,) int32 on the device of `values`.
    """
    expect(
        values.dtype == torch.float32 and values.ndim in (2, 3),
        f"{name}: expected (B, V, A) or (P, A) float32, got {tuple(values.shape)} {values.dtype}",
    )
    if values.ndim == 2:
        if vertex_offsets is None:
            return torch.zeros(images, dtype=torch.int32, device=values.device)
        shape = tuple(vertex_offsets.shape)
        expect(shape == (images,), f"vertex_offsets: expected ({images},), got {shape}")
        return vertex_offsets.to(device=values.device, dtype=torch.int32).contiguous()
    expect(vertex_offsets is None, f"vertex_offsets: only with packed {name} of two axes")
    allowed = (1, images) if shared else (images,)
    expect(values.shape[0] in allowed, f"{name}: expected first axis in {allowed}, got {values.shape[0]}")
    stride = values.shape[1] if values.shape[0] == images else 0
    return torch.arange(images, dtype=torch.int32, device=values.device) * stride


def check_batch(
    positions: torch.Tensor,
    triangles: torch.Tensor,
    resolution: tuple[int, int],
    ranges: torch.Tensor | None,
    vertex_offsets: torch.Tensor | None,
    cull_backfaces: bool,
) -> Batch:
    """Check the arguments of `rasterize` and bring its three call forms to one."""
    shape = tuple(positions.shape)
    expect(
        positions.ndim in (2, 3) and shape[-1] == 4 and positions.dtype == torch.float32,
        f"positions: expected (B, V, 4) or (P, 4) float32, got {shape} {positions.dtype}",
    )
    device = positions.device
    check_triangles(triangles, device)
    height, width = (int(size) for size in resolution)
    expect(height > 0 and width > 0, f"resolution: expected positive (height, width), got {tuple(resolution)}")
    if positions.ndim == 3:
        images = shape[0]
    elif ranges is not None:
        images = len(ranges)
    else:
        raise ValueError("ranges: packed positions (P, 4) need ranges (B, 2)")
    offsets = per_image_offsets("positions", positions, vertex_offsets, images, shared=False)
    if ranges is None:
        ranges = torch.tensor([[0, len(triangles)]], dtype=torch.int32).expand(images, 2)
        largest = len(triangles)
    else:
        expect(tuple(ranges.shape) == (images, 2), f"ranges: expected ({images}, 2), got {tuple(ranges.shape)}")
        largest = _check_ranges(ranges, len(triangles))
    if device.type == "cpu":
        _check_indices(triangles, ranges, offsets if positions.ndim == 2 else None, shape[-2])
    return Batch(
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
    lowest, end = int(on_host.min()), int(on_host.sum(dim=1).max())
    expect(
        lowest >= 0 and end <= triangle_count,
        f"ranges: expected 0 <= first and first + count <= {triangle_count}, got min {lowest}, end {end}",
    )
    return int(on_host[:, 1].max())


def _check_indices(triangles: torch.Tensor, ranges: torch.Tensor, offsets: torch.Tensor | None, limit: int) -> None:
    """A wrong index would read outside the vertices, so on the CPU each is checked (cheap beside the launch)."""
    if not triangles.numel():
        return
    if offsets is not None and bool((offsets != 0).any()):
        _check_offset_indices(triangles, ranges, offsets, limit)
        return
    low, high = (int(value) for value in torch.aminmax(triangles))
    expect(
        low >= 0 and high < limit,
        f"triangles: expected vertex indices in 0..{limit - 1}, got {low}..{high}",
    )


def _check_offset_indices(triangles: torch.Tensor, ranges: torch.Tensor, offsets: torch.Tensor, limit: int) -> None:
    """Check vertex indices per distinct triangle range, plus that range's extreme vertex offsets."""
    unique, inverse = torch.unique(ranges.cpu().long(), dim=0, return_inverse=True)
    for number, (first, count) in enumerate(unique.tolist()):
        if count:
            mine = offsets[inverse == number]
            low, high = (int(value) for value in torch.aminmax(triangles[first : first + count]))
            low, high = low + int(mine.min()), high + int(mine.max())
            expect(
                low >= 0 and high < limit,
                f"triangles + vertex_offsets: expected vertex indices in 0..{limit - 1}, got {low}..{high}",
            )
