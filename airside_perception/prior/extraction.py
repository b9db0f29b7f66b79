"""One object's extracted topology: what stays while vertices follow the shape code."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from airside_perception.prior.isosurface import edge_vertex_jacobian, interpolate_edges, marching_tetrahedra
from airside_perception.prior.level_of_detail import Clustering, reduce_to, vertex_normals
from airside_perception.prior.shape_decoder import ShapeDecoder

LEVELS: dict[str, int | None] = {"full": None, "refine": 1500, "far": 400}
"""Target triangle counts of the named levels of detail; None keeps all triangles."""


@dataclass(frozen=True)
class Extraction:
    """Connectivity of a decoded surface at one level of detail.

    Attributes:
        faces: (F, 3) int64.
        edge_nodes: (V, 2) int64, lattice edges of the fine vertices.
        clustering: groups of fine vertices, or None at full detail.
        offset: (V', 3) float, from each group's mean to where its planes meet; zero at full detail.
    """

    faces: Tensor
    edge_nodes: Tensor
    clustering: Clustering | None
    offset: Tensor

    def vertices(self, decoder: ShapeDecoder, sdf: Tensor) -> Tensor:
        """(V', 3) vertices for distances `sdf` (X, Y, Z), box-normalised frame, topology kept."""
        fine = interpolate_edges(self.edge_nodes, sdf, decoder.positions)
        return self._reduce(fine) + self.offset

    def jacobian(self, decoder: ShapeDecoder, sdf: Tensor) -> Tensor:
        """(V', 3, S) derivative of `vertices` in the code."""
        if self.clustering is None:
            rows = decoder.distance_jacobian(self.edge_nodes)
            return edge_vertex_jacobian(self.edge_nodes, sdf, rows, decoder.positions)
        return self._group_jacobian(decoder, sdf, self.clustering)

    def _group_jacobian(self, decoder: ShapeDecoder, sdf: Tensor, clustering: Clustering) -> Tensor:
        """Mean of the members' `edge_vertex_jacobian` as weighted sums of basis rows: no (V, 3, S) in between."""
        members, starts = clustering.members()
        nodes = self.edge_nodes[members]
        values = sdf.reshape(-1)[nodes]
        gap = values[:, 0] - values[:, 1]
        rows = decoder.row_of_node[nodes]
        weights = torch.stack([-values[:, 1], values[:, 0]], dim=1) / gap[:, None] ** 2 * (rows >= 0)
        count = torch.diff(starts, append=starts.new_tensor([len(members)]))
        weights = weights / count.repeat_interleave(count)[:, None]
        ends = decoder.positions[nodes]
        columns = [
            embedding_bag(
                rows.clamp_min(0).reshape(-1),
                decoder.basis,
                2 * starts,
                mode="sum",
                per_sample_weights=(weights * (ends[:, 1, axis] - ends[:, 0, axis])[:, None]).reshape(-1),
            )
            for axis in range(3)
        ]
        return torch.stack(columns, dim=1)

    def _reduce(self, values: Tensor) -> Tensor:
        return values if self.clustering is None else self.clustering.mean(values)


def target_of(level: str | int) -> int | None:
    """Triangle target of a level name or of a plain count.

    Raises:
        ValueError: unknown name, or a count below 20 (less can't close around an object).
    """
    if isinstance(level, str):
        if level not in LEVELS:
            raise ValueError(f"level: expected one of {tuple(LEVELS)} or a triangle count, got {level!r}")
        return LEVELS[level]
    if level < 20:
        raise ValueError(f"level: expected at least 20 triangles, got {level}")
    return int(level)


def extract(decoder: ShapeDecoder, sdf: Tensor, target: int | None) -> Extraction | None:
    """Extract one surface at a level of detail.

    Args:
        decoder: gives the lattice.
        sdf: (X, Y, Z) float, cells.
        target: wanted triangle count, None for all.

    Returns:
        `Extraction`, or None where no node is inside.
    """
    surface = marching_tetrahedra(sdf[None])
    if not len(surface.faces):
        return None
    none = sdf.new_zeros((1, 3))
    if target is None or len(surface.faces) <= target:
        return Extraction(surface.faces, surface.edge_nodes, None, none)
    points = interpolate_edges(surface.edge_nodes, sdf, decoder.lattice_points)
    normals = vertex_normals(points, surface.faces)
    clustering = reduce_to(points, normals, surface.faces, target)
    offset = _plane_offsets(clustering, points, normals)
    # Offsets arise in lattice units; a cell's extent at the group's own place turns them into positions.
    offset = offset * clustering.mean(_cell_extent(decoder, surface.edge_nodes))
    return Extraction(clustering.faces, surface.edge_nodes, clustering, offset)


def _cell_extent(decoder: ShapeDecoder, edge_nodes: Tensor) -> Tensor:
    """(V, 3) side lengths of the lattice cell above each vertex's lower node, box-normalised frame."""
    lattice = decoder.lattice_points[edge_nodes[:, 0]].long()
    extents = []
    for axis, nodes in enumerate((decoder.axis_x, decoder.axis_y, decoder.axis_z)):
        extents.append(torch.diff(nodes)[lattice[:, axis].clamp_max(len(nodes) - 2)])
    return torch.stack(extents, dim=1)


def _plane_offsets(clustering: Clustering, points: Tensor, normals: Tensor) -> Tensor:
    """Shift of each group's mean towards the best fit of its members' tangent planes, (V', 3).

    The mean of points on a bulge lies inside it; the point closest to all tangent planes does not
    (Garland and Heckbert's quadric, damped so that flat groups stay where they are). At most one cell.
    """
    center = clustering.mean(points)
    kept = clustering.labels >= 0
    gap = torch.zeros_like(points)
    gap[kept] = points[kept] - center[clustering.labels[kept]]
    along = (normals * gap).sum(dim=1, keepdim=True)
    right = clustering.mean(normals * along)
    quadric = clustering.mean(normals[:, :, None] * normals[:, None, :])
    damping = 0.1 * torch.eye(3, dtype=points.dtype, device=points.device)
    shift = torch.linalg.solve(quadric + damping, right[:, :, None]).squeeze(2)
    length = shift.norm(dim=1, keepdim=True)
    return shift * (1.0 / length.clamp_min(1.0))
