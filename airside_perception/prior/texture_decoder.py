"""Texture code -> albedo anywhere in the box-normalised frame.

Colours live on a grid of their own, coarser than the shape's, and are affine in the code at every node; between nodes
they are trilinear. The field knows positions and the texture code, never the shape code: swapping shapes can't
change the palette and swapping textures can't change the outline, by construction.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor, nn
from torch.nn.functional import embedding_bag


class TextureDecoder(nn.Module):
    """Colour field of one class.

    Attributes:
        shape: (3,) int64, nodes per axis; the outermost ones lie at -reach and reach.
        reach: (3,) float32, half extents of the grid in the box-normalised frame.
        live: (L,) int64, flat indices of the nodes that hold colours. Others take those of the nearest one.
        mean: (L, 3) float32, colours of the live nodes at code zero.
        basis: (L, 3 * T) float32, their derivative in the code, channel by channel.
    """

    shape: Tensor
    reach: Tensor
    live: Tensor
    row_of_node: Tensor

    def __init__(self, shape: tuple[int, int, int], reach: tuple[float, ...], live: Tensor, code_size: int) -> None:
        """Build an untrained field of mid grey with faint random patches.

        Args:
            shape: nodes per axis, at least 2.
            reach: half extents.
            live: (L,) int64 flat node indices, at least one.
            code_size: length T of a code.
        """
        super().__init__()
        self.register_buffer("shape", torch.tensor(shape))
        self.register_buffer("reach", torch.tensor(reach, dtype=torch.float32))
        self.register_buffer("live", live.long())
        self.register_buffer("row_of_node", self._rows(shape, live), persistent=False)
        self.mean = nn.Parameter(torch.full((len(live), 3), 0.5))
        self.basis = nn.Parameter(0.05 * torch.randn(len(live), 3 * code_size))

    @staticmethod
    def _rows(shape: tuple[int, int, int], live: Tensor) -> Tensor:
        """(nodes,) int64: each node's own row, or the nearest one that is there."""
        rows = np.full(int(np.prod(shape)), -1)
        rows[live.cpu().numpy()] = np.arange(len(live))
        grid = rows.reshape(shape)
        nearest = distance_transform_edt(grid < 0, return_distances=False, return_indices=True)
        return torch.from_numpy(grid[tuple(nearest)].reshape(-1)).to(live.device)

    @property
    def code_size(self) -> int:
        """Length T of a texture code."""
        return self.basis.shape[1] // 3

    def neighbours(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The eight nodes around each point.

        Args:
            points: (N, 3) float, box-normalised frame; clamped to the grid.

        Returns:
            (N, 8) int64 rows of `mean` and `basis`, and (N, 8) float trilinear weights.
        """
        last = self.shape - 1
        place = ((points / self.reach).clamp(-1.0, 1.0) + 1.0) / 2.0 * last
        lower = torch.minimum(place.long(), last - 1)
        fraction = place - lower
        corner = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], device=points.device)
        nodes = lower[:, None] + corner  # (N, 8, 3)
        flat = (nodes[..., 0] * self.shape[1] + nodes[..., 1]) * self.shape[2] + nodes[..., 2]
        weights = torch.where(corner == 1, fraction[:, None], 1.0 - fraction[:, None]).prod(dim=-1)
        return self.row_of_node[flat], weights

    def forward(self, points: Tensor, code: Tensor) -> Tensor:
        """Colours of points.

        Args:
            points: (N, 3) float, box-normalised frame.
            code: (T,) float.

        Returns:
            (N, 3) float albedo in 0..1.
        """
        rows, weights = self.neighbours(points)
        colors = self.mean + (self.basis.reshape(-1, self.code_size) @ code).reshape(-1, 3)
        return embedding_bag(rows, colors, mode="sum", per_sample_weights=weights).clamp(0.0, 1.0)

    def jacobian(self, points: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Colours and their exact derivative in the code.

        Args:
            points: (N, 3) float.
            code: (T,) float.

        Returns:
            (N, 3) colours and (N, 3, T) derivative; zero where a colour is at the end of its range.
        """
        rows, weights = self.neighbours(points)
        slope = embedding_bag(rows, self.basis, mode="sum", per_sample_weights=weights).unflatten(1, (3, -1))
        colors = embedding_bag(rows, self.mean, mode="sum", per_sample_weights=weights) + slope @ code
        within = (colors > 0.0) & (colors < 1.0)
        return colors.clamp(0.0, 1.0), slope * within[..., None]
