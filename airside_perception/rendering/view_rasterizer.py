"""Views of triangles that stand in the world: many views, few allocations, no gradients.

What `rasterize` does for every call (checks, fresh tensors) costs more than drawing a small image. Here triangles
are trusted, and buffers grow to the largest image and are used again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import warp as wp

from airside_perception.rendering import warp_kernels
from airside_perception.rendering.rasterizer import draw_nearest, resolve
from airside_perception.rendering.warp_runtime import WarpArray, launch, start_warp

NOTHING = 2.0
"""Depth of pixels that show no triangle: behind everything, whose z/w ends at 1."""


class ViewRasterizer:
    """Draws triangles as seen through one matrix after another.

    What it returns lies in buffers of its own: it holds until the next call of the same method.

    Args:
        device: torch device of all tensors.
    """

    def __init__(self, device: torch.device):
        start_warp()
        self._device = device
        self._buffers: dict[str, torch.Tensor] = {}

    def look(self, vertices: torch.Tensor, triangles: torch.Tensor, clip_from_world: np.ndarray) -> None:
        """Choose what is drawn, and from where.

        Args:
            vertices: (V, 3) float32, world.
            triangles: (F, 3) int32, contiguous; indices are not checked.
            clip_from_world: (4, 4).

        Afterwards `positions` is the (V,) Warp array of their clip positions, for kernels that need them.
        """
        self._triangles = triangles
        positions = self._buffer("positions", (len(vertices), 4), torch.float32)
        self.positions, self._corners = wp.from_torch(positions, dtype=wp.vec4), wp.from_torch(triangles)
        inputs = [wp.from_torch(vertices, dtype=wp.vec3), wp.mat44(clip_from_world.astype(np.float32)), self.positions]
        launch(warp_kernels.project, len(vertices), inputs, self._device)

    def entries(
        self, resolution: tuple[int, int], cull_backfaces: bool = False, buffer: str = "entries"
    ) -> torch.Tensor:
        """(1, height, width) int64 z-buffer, see `warp_kernels.triangle_of`; `buffer` names where it is kept."""
        return self._filled([(0, len(self._triangles))], resolution, cull_backfaces, buffer)

    def raster(self, resolution: tuple[int, int], cull_backfaces: bool = False) -> torch.Tensor:
        """(height, width, 4) float32 as of `rasterize`: u, v, z/w and triangle id + 1; 0 on background."""
        entries = self.entries(resolution, cull_backfaces)
        raster = self._buffer("raster", (*entries.shape, 4), torch.float32)
        resolve(self.positions, self._corners, self._offsets(1), entries, raster)
        return raster[0]

    def depth(self, resolution: tuple[int, int]) -> torch.Tensor:
        """(height, width) float32 z/w of the nearest triangle, back faces too; NOTHING where there is none."""
        entries = self.entries(resolution)
        nearest = self._buffer("depth", resolution, torch.float32)
        launch(
            warp_kernels.nearest_depth,
            resolution,
            [wp.from_torch(entries), NOTHING, wp.from_torch(nearest)],
            self._device,
        )
        return nearest

    def covered(self, ranges: Sequence[tuple[int, int]] | np.ndarray, resolution: tuple[int, int]) -> torch.Tensor:
        """Pixels that runs of triangles cover, each run with no other there; back faces are left out.

        Args:
            ranges: (runs, 2) int, first triangle and number of triangles of each run.
            resolution: (height, width).

        Returns:
            (runs, height, width) bool.
        """
        return self._filled(ranges, resolution, True, "entries") != int(warp_kernels.EMPTY)

    def _filled(
        self,
        ranges: Sequence[tuple[int, int]] | np.ndarray,
        resolution: tuple[int, int],
        cull_backfaces: bool,
        buffer: str,
    ) -> torch.Tensor:
        entries = self._buffer(buffer, (len(ranges), *resolution), torch.int64)
        runs: WarpArray = wp.array(np.array(ranges, np.int32).reshape(-1, 2), dtype=wp.int32, device=str(self._device))
        longest = int(max((count for _, count in ranges), default=0))
        mesh = (self.positions, self._corners, runs, self._offsets(len(ranges)))
        draw_nearest(*mesh, longest, cull_backfaces, entries)
        return entries

    def _offsets(self, count: int) -> WarpArray:
        return wp.zeros(count, dtype=wp.int32, device=str(self._device))

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """A contiguous tensor of the given shape with whatever it held before."""
        size = int(np.prod(shape))
        known = self._buffers.get(name)
        if known is None or known.numel() < size:
            known = self._buffers[name] = torch.empty(size, dtype=dtype, device=self._device)
        return known[:size].view(shape)
