"""Fewer triangles by merging neighbouring vertices that face the same way.

Plain vertex clustering glues the two skins of a wing together as soon as the clusters are
thicker than the wing. Here a cluster is a block of the lattice *and* one of six facing
directions, so thin parts keep two skins and sharp edges stay sharp. Identifying vertices can't
open a closed surface, so the result is closed whenever the input was: every directed edge still
meets its opposite.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ATTEMPTS = 4
_TOLERANCE = 0.25
_FIRST_CELL = 0.7
"""Block side that usually hits the target at once, over the square root of the wanted reduction."""


@dataclass(frozen=True)
class Clustering:
    """A coarser mesh whose vertices stand for groups of vertices of the finer one.

    Attributes:
        labels: (V,) int64, coarse vertex of each fine vertex; -1 where the group lost all its faces.
        faces: (F', 3) int64.
        count: number of coarse vertices V'.
    """

    labels: Tensor
    faces: Tensor
    count: int

    def members(self) -> tuple[Tensor, Tensor]:
        """Fine vertices sorted by group, (M,) int64, and where each group starts, (V',) int64."""
        kept = (self.labels >= 0).nonzero().squeeze(1)
        labels = self.labels[kept]
        counts = torch.bincount(labels, minlength=self.count)
        return kept[labels.argsort(stable=True)], counts.cumsum(0) - counts

    def mean(self, values: Tensor) -> Tensor:
        """Average (V, ...) values over each group: (V', ...)."""
        kept = self.labels >= 0
        labels = self.labels[kept]
        total = values.new_zeros((self.count, *values.shape[1:])).index_add_(0, labels, values[kept])
        members = torch.bincount(labels, minlength=self.count).to(values.dtype)
        return total / members.reshape(-1, *([1] * (values.dim() - 1)))


def face_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Area-weighted face normals, (F, 3), not normalised."""
    a, b, c = vertices[faces].unbind(1)
    return torch.linalg.cross(b - a, c - a)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit vertex normals, (V, 3): area-weighted means of the adjoining faces; +z where they cancel."""
    normals = face_normals(vertices, faces)
    total = torch.zeros_like(vertices)
    total.index_add_(0, faces.reshape(-1), normals.repeat_interleave(3, dim=0))
    length = total.norm(dim=1, keepdim=True)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=vertices.dtype, device=vertices.device)
    return torch.where(length > 1e-12, total / length.clamp_min(1e-12), up)


def _facing(normals: Tensor) -> Tensor:
    """Index 0..5 of the signed axis closest to each normal."""
    axis = normals.abs().argmax(dim=1)
    positive = normals.gather(1, axis[:, None]).squeeze(1) > 0
    return 2 * axis + positive


def _cancel_opposites(faces: Tensor, count: int) -> Tensor:
    """Drop collapsed faces and pairs that cover each other back to back."""
    a, b, c = faces.unbind(1)
    faces = faces[(a != b) & (b != c) & (c != a)]
    if not len(faces):
        return faces
    # Rotate the smallest index to the front; orientation is then told by the order of the other two.
    start = faces.argmin(dim=1, keepdim=True)
    faces = faces.gather(1, (start + torch.arange(3, device=faces.device)) % 3)
    forward = faces[:, 1] < faces[:, 2]
    low, high = torch.minimum(faces[:, 1], faces[:, 2]), torch.maximum(faces[:, 1], faces[:, 2])
    key = (faces[:, 0] * count + low) * count + high
    unique, inverse = torch.unique(key, return_inverse=True)
    net = torch.zeros(len(unique), dtype=torch.int64, device=faces.device)
    net.index_add_(0, inverse, torch.where(forward, 1, -1))
    unique = unique.repeat_interleave(net.abs())
    sign = net.repeat_interleave(net.abs())
    first, low, high = unique // (count * count), unique // count % count, unique % count
    return torch.stack([first, torch.where(sign > 0, low, high), torch.where(sign > 0, high, low)], dim=1)


def cluster_vertices(points: Tensor, normals: Tensor, faces: Tensor, cell: float) -> Clustering:
    """Merge vertices that share a cubic block of side `cell` and a facing direction.

    Args:
        points: (V, 3) float; lattice coordinates, so that blocks follow the lattice's own spacing.
        normals: (V, 3) float in the same coordinates.
        faces: (F, 3) int64, closed and oriented.
        cell: block side in the units of `points`.

    Returns:
        `Clustering`; closed and oriented like the input, some edges may be shared by four faces.
    """
    blocks = torch.floor((points - points.min(dim=0).values) / cell).to(torch.int64)
    extent = blocks.max(dim=0).values + 1
    key = ((blocks[:, 0] * extent[1] + blocks[:, 1]) * extent[2] + blocks[:, 2]) * 6 + _facing(normals)
    unique, labels = torch.unique(key, return_inverse=True)
    coarse = _cancel_opposites(labels[faces], len(unique))
    used = torch.zeros(len(unique), dtype=torch.bool, device=points.device)
    used[coarse.reshape(-1)] = True
    renumber = torch.where(used, used.cumsum(0) - 1, -1)
    return Clustering(renumber[labels], renumber[coarse], int(used.sum()))


def reduce_to(points: Tensor, normals: Tensor, faces: Tensor, target: int) -> Clustering:
    """Cluster until the mesh has about `target` triangles (within 25 %, where the shape allows it).

    Args:
        points, normals, faces: see `cluster_vertices`.
        target: wanted number of triangles, > 0.

    Returns:
        The `Clustering` closest to the target among at most four tries; the identity when the mesh is small enough.
    """
    identity = Clustering(torch.arange(len(points), device=points.device), faces, len(points))
    if len(faces) <= target:
        return identity
    best = identity
    cell = _FIRST_CELL * (len(faces) / target) ** 0.5
    for _ in range(_ATTEMPTS):
        trial = cluster_vertices(points, normals, faces, cell)
        count = max(len(trial.faces), 1)
        if len(trial.faces) and abs(len(trial.faces) - target) < abs(len(best.faces) - target):
            best = trial
        if abs(count - target) <= _TOLERANCE * target:
            break
        cell *= (count / target) ** 0.5
    return best
