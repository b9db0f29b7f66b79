"""Optional second backend on NVIDIA's nvdiffrast, with the same three functions.

Its licence forbids commercial use, so it is never the default and never a dependency: install it
yourself and call `set_backend("nvdiffrast")`. Only CUDA tensors, only batches of one mesh
(positions (B, V, 4)) and packed meshes with ranges; no culling, no vertex offsets. At equal depth
it may choose another triangle than the Warp backend does.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any

import torch

from airside_perception.errors import AirsideError
from airside_perception.rendering.arguments import check_batch, check_surface, expect


@lru_cache(maxsize=1)
def load_nvdiffrast() -> ModuleType:
    """Import `nvdiffrast.torch`.

    Raises:
        AirsideError: it is not installed.
    """
    try:
        import nvdiffrast.torch as nvdiffrast
    except ImportError as error:
        raise AirsideError(
            "rendering backend 'nvdiffrast': the package nvdiffrast is not installed. "
            "Install it (its licence forbids commercial use), or keep the backend 'warp'."
        ) from error
    return nvdiffrast


@lru_cache(maxsize=8)
def _context(device: torch.device) -> Any:
    return load_nvdiffrast().RasterizeCudaContext(device=device)


def rasterize(
    positions: torch.Tensor,
    triangles: torch.Tensor,
    resolution: tuple[int, int],
    ranges: torch.Tensor | None = None,
    vertex_offsets: torch.Tensor | None = None,
    cull_backfaces: bool = False,
) -> torch.Tensor:
    """As `rasterizer.rasterize`, for CUDA tensors; no gradient through z/w."""
    _refuse_offsets(vertex_offsets)
    expect(not cull_backfaces, "cull_backfaces: nvdiffrast cannot cull; use set_backend('warp')")
    expect(positions.ndim == 2 or ranges is None, "ranges: nvdiffrast takes them only with positions (P, 4)")
    batch = check_batch(positions, triangles, resolution, ranges, None, False)
    host_ranges = None if ranges is None else batch.ranges.cpu()
    size = (batch.height, batch.width)
    context = _context(positions.device)
    raster, _ = load_nvdiffrast().rasterize(context, positions.contiguous(), batch.triangles, size, ranges=host_ranges)
    return raster


def interpolate(
    attributes: torch.Tensor,
    raster: torch.Tensor,
    triangles: torch.Tensor,
    vertex_offsets: torch.Tensor | None = None,
) -> torch.Tensor:
    """As `rasterizer.interpolate`, for CUDA tensors."""
    _refuse_offsets(vertex_offsets)
    check_surface(raster, triangles, attributes.device)
    output, _ = load_nvdiffrast().interpolate(attributes.contiguous(), raster, triangles.contiguous())
    return output


def antialias(
    color: torch.Tensor,
    raster: torch.Tensor,
    positions: torch.Tensor,
    triangles: torch.Tensor,
    vertex_offsets: torch.Tensor | None = None,
    neighbours: torch.Tensor | None = None,
) -> torch.Tensor:
    """As `silhouettes.antialias`, for CUDA tensors; `neighbours` is not used (nvdiffrast finds its own)."""
    _refuse_offsets(vertex_offsets)
    check_surface(raster, triangles, positions.device)
    arguments = (color.contiguous(), raster, positions.contiguous(), triangles.contiguous())
    return load_nvdiffrast().antialias(*arguments)


def _refuse_offsets(vertex_offsets: torch.Tensor | None) -> None:
    expect(vertex_offsets is None, "vertex_offsets: nvdiffrast has none; repeat the triangles or set_backend('warp')")
