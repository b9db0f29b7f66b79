"""What one object has beyond its codes: offsets of its distances and colours seen on its surface.

Codes hold what objects of a class have in common. Where an object has been seen from several sides, images say more: a
nose longer than any in training, a livery. Offsets on the lattice's nodes play the part of GET3D's deformed grid
vertices; colours are kept where they were seen, and fade into those of the code away from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

_NEIGHBOURS = 8
_NORMAL_WEIGHT = 0.05
"""Of a unit of difference between normals, over the box diagonal: two sides of a plate have colours of their own."""
_SPACING, _REACH = 1e-3, 0.04
"""Over the box diagonal: distance below which all neighbours count alike, and at which the code counts as much as a
place that was seen."""


@dataclass(frozen=True)
class SeenColors:
    """Colours of places on a surface, as differences from those of a code.

    Attributes:
        points: (N, 3) float32, box-normalised.
        normals: (N, 3) float32, unit vectors in the frame of the box in metres.
        offsets: (N, 3) float32, seen albedo minus the code's.
        proportions: (3,) float32, size of the box over its diagonal.
    """

    points: Tensor
    normals: Tensor
    offsets: Tensor
    proportions: Tensor

    def at(self, points: Tensor, normals: Tensor) -> Tensor:
        """Offsets (V, 3) at other places; zeros far from all that was seen.

        Args:
            points: (V, 3) float, box-normalised.
            normals: (V, 3) float, box-normalised (as of `TexturedMesh`).
        """
        metric = normals / self.proportions
        metric = metric / metric.norm(dim=1, keepdim=True).clamp_min(1e-12)
        neighbours = min(_NEIGHBOURS, len(self.points))
        tree = cKDTree(self._places(self.points, self.normals))
        distance, index = tree.query(self._places(points, metric), k=neighbours)
        distance, index = distance.reshape(len(points), neighbours), index.reshape(len(points), neighbours)
        weights = 1.0 / (distance**2 + _SPACING**2)
        weights /= weights.sum(axis=1, keepdims=True) + 1.0 / _REACH**2
        chosen = self.offsets.cpu().numpy()[index]
        return torch.from_numpy((chosen * weights[..., None]).sum(axis=1)).to(points)

    def _places(self, points: Tensor, normals: Tensor) -> np.ndarray:
        return torch.cat([points * self.proportions, _NORMAL_WEIGHT * normals], dim=1).cpu().numpy()


@dataclass(frozen=True)
class Detail:
    """Beyond the codes of one object; see `invert_views`.

    Attributes:
        distances: (X, Y, Z) float32 cells, added to those of the shape code; zeros at outermost nodes.
        colors: colours that were seen, or None.
    """

    distances: Tensor
    colors: SeenColors | None = None
