"""Shape code -> truncated signed distances on a lattice of the box-normalised frame.

The distance at each lattice node is an affine function of the code, so a decode is one thin matrix
product, the derivative of any node's distance is a row of that matrix, and inversion is nearly
convex: what second-order refinement on a vehicle asks for. Codes come ordered by how much they
explain, and equal steps change the shape equally much; leading entries alone make a coarser prior.
Distances are measured in lattice cells, not metres: the lattice is finer where thin parts live, and
a cell is the length that the surface extraction can resolve.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

TRUNCATION = 3.0
"""Distances beyond this many cells carry no information; nodes that never come closer are constants."""


class ShapeDecoder(nn.Module):
    """Distances of one class.

    Attributes:
        axes: three (n,) float32 buffers `axis_x`, `axis_y`, `axis_z`: node coordinates in the box-normalised
            frame, ascending, reaching past [-0.5, 0.5] so that surfaces close.
        live: (L,) int64, flat indices of the nodes that vary with the code.
        resting: (X * Y * Z,) float32, distances of all other nodes.
        positions, lattice_points: (X * Y * Z, 3) float32, nodes in the box-normalised frame and in lattice units.
        mean: (L,) float32, distances of the live nodes at code zero.
        basis: (L, S) float32, their derivative in the code.
    """

    axis_x: Tensor
    axis_y: Tensor
    axis_z: Tensor
    live: Tensor
    resting: Tensor
    row_of_node: Tensor
    positions: Tensor
    lattice_points: Tensor

    def __init__(self, axes: tuple[Tensor, ...], live: Tensor, resting: Tensor, code_size: int) -> None:
        """Build an untrained decoder.

        Args:
            axes: node coordinates per axis.
            live: (L,) int64 flat node indices; must not contain outermost nodes.
            resting: (X * Y * Z,) float.
            code_size: length S of a code.
        """
        super().__init__()
        for name, axis in zip(("axis_x", "axis_y", "axis_z"), axes, strict=True):
            self.register_buffer(name, axis.float())
        self.register_buffer("live", live.long())
        self.register_buffer("resting", resting.float())
        row_of_node = torch.full((resting.numel(),), -1, dtype=torch.int64, device=live.device)
        row_of_node[live] = torch.arange(len(live), device=live.device)
        self.register_buffer("row_of_node", row_of_node, persistent=False)
        self.register_buffer("positions", self._mesh(axes), persistent=False)
        indices = tuple(torch.arange(len(axis), device=axis.device) for axis in axes)
        self.register_buffer("lattice_points", self._mesh(indices), persistent=False)
        self.mean = nn.Parameter(torch.zeros(len(live)))
        self.basis = nn.Parameter(torch.randn(len(live), code_size) / code_size**0.5)

    @staticmethod
    def _mesh(axes: tuple[Tensor, ...]) -> Tensor:
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3).float()

    @property
    def code_size(self) -> int:
        """Length S of a shape code."""
        return self.basis.shape[1]

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """Nodes per axis."""
        return len(self.axis_x), len(self.axis_y), len(self.axis_z)

    def live_distances(self, code: Tensor) -> Tensor:
        """(B, S) codes -> (B, L) distances of the live nodes, in cells, negative inside."""
        return self.mean + code @ self.basis.T

    def forward(self, code: Tensor) -> Tensor:
        """(B, S) codes -> (B, X, Y, Z) distances in cells, negative inside."""
        grid = self.resting.expand(len(code), -1).clone()
        grid[:, self.live] = self.live_distances(code)
        return grid.reshape(len(code), *self.grid_shape)

    def distance_jacobian(self, nodes: Tensor) -> Tensor:
        """Derivative of the distances of some nodes in the code.

        Args:
            nodes: (...) int64, flat node indices.

        Returns:
            (..., S) float; zeros at resting nodes.
        """
        rows = self.row_of_node[nodes]
        return self.basis[rows.clamp_min(0)] * (rows >= 0)[..., None]

    def interpolation_rows(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Trilinear distances at free points, as an affine function of the code.

        Args:
            points: (N, 3) float, box-normalised frame; clamped to the lattice.

        Returns:
            (N,) constants and (N, S) rows: distances = constants + rows @ code, cells.
        """
        nodes, weights = self.trilinear(points)
        row = self.row_of_node[nodes]
        live = row >= 0
        row = row.clamp_min(0)
        constants = (weights * torch.where(live, self.mean[row], self.resting[nodes])).sum(dim=1)
        return constants, embedding_bag(row, self.basis, mode="sum", per_sample_weights=weights * live)

    def trilinear(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The eight nodes around each point.

        Args:
            points: (N, 3) float, box-normalised frame; clamped to the lattice.

        Returns:
            (N, 8) int64 flat node indices and (N, 8) float weights.
        """
        lower, fraction = [], []
        for axis, places in enumerate((self.axis_x, self.axis_y, self.axis_z)):
            coordinate = points[:, axis].clamp(float(places[0]), float(places[-1])).contiguous()
            index = (torch.searchsorted(places, coordinate, right=True) - 1).clamp(0, len(places) - 2)
            lower.append(index)
            fraction.append((coordinate - places[index]) / (places[index + 1] - places[index]))
        corner = torch.tensor([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], device=points.device)
        node = torch.stack(lower, dim=1)[:, None] + corner
        _, ny, nz = self.grid_shape
        share = torch.stack(fraction, dim=1)[:, None]
        weights = torch.where(corner == 1, share, 1.0 - share).prod(dim=-1)
        return (node[..., 0] * ny + node[..., 1]) * nz + node[..., 2], weights
