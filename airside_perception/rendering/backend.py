"""Which implementation `rasterize`, `interpolate` and `antialias` of this package call.

"warp" (the default) runs on CPU and CUDA. "nvdiffrast" applies to CUDA tensors; tensors on the CPU
are always drawn by Warp.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from airside_perception.errors import AirsideError
from airside_perception.rendering import nvdiffrast_backend, rasterizer, silhouettes

_WARP = SimpleNamespace(
    rasterize=rasterizer.rasterize, interpolate=rasterizer.interpolate, antialias=silhouettes.antialias
)
_BACKENDS = {"warp": _WARP, "nvdiffrast": nvdiffrast_backend}
_active = "warp"


def set_backend(name: str) -> None:
    """Choose the implementation for CUDA tensors: "warp" or "nvdiffrast".

    Raises:
        AirsideError: an unknown name, or nvdiffrast is not installed.
    """
    global _active
    if name not in _BACKENDS:
        raise AirsideError(f"rendering backend: expected one of {', '.join(_BACKENDS)}, got {name!r}")
    if name == "nvdiffrast":
        nvdiffrast_backend.load_nvdiffrast()
    _active = name


def get_backend() -> str:
    """Name of the implementation in use for CUDA tensors."""
    return _active


def _for(tensor: torch.Tensor):
    return _BACKENDS[_active] if tensor.is_cuda else _WARP


def rasterize(
    positions: torch.Tensor,
    triangles: torch.Tensor,
    resolution: tuple[int, int],
    ranges: torch.Tensor | None = None,
    vertex_offsets: torch.Tensor | None = None,
    cull_backfaces: bool = False,
) -> torch.Tensor:
    return _for(positions).rasterize(positions, triangles, resolution, ranges, vertex_offsets, cull_backfaces)


def interpolate(
    attributes: torch.Tensor,
    raster: torch.Tensor,
    triangles: torch.Tensor,
    vertex_offsets: torch.Tensor | None = None,
) -> torch.Tensor:
    return _for(attributes).interpolate(attributes, raster, triangles, vertex_offsets)


def antialias(
    color: torch.Tensor,
    raster: torch.Tensor,
    positions: torch.Tensor,
    triangles: torch.Tensor,
    vertex_offsets: torch.Tensor | None = None,
    neighbours: torch.Tensor | None = None,
) -> torch.Tensor:
    return _for(color).antialias(color, raster, positions, triangles, vertex_offsets, neighbours)


for _function in (rasterize, interpolate, antialias):
    _function.__doc__ = getattr(_WARP, _function.__name__).__doc__


def warm_up(device: str | torch.device = "cpu") -> None:
    """Compile and load all kernels now (seconds on a cold kernel cache), so that no frame waits for them.

    Args:
        device: torch device that will render.
    """
    positions = torch.tensor([[[-1.0, -1, 0, 1], [1, -1, 0, 1], [0, 1, 0, 1]]], device=device, requires_grad=True)
    triangles = torch.tensor([[0, 1, 2]], dtype=torch.int32, device=device)
    raster = rasterize(positions, triangles, (4, 4))
    image = interpolate(positions[..., :1].contiguous(), raster, triangles)
    antialias(image, raster, positions, triangles).sum().backward()
