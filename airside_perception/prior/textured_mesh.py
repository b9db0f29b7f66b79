"""What decoding yields: a closed, coloured triangle mesh in the box-normalised frame."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TexturedMesh:
    """A closed surface, triangles counter-clockwise seen from outside.

    Attributes:
        vertices: (V, 3) float32; the object's box is [-0.5, 0.5]^3, x forward, y left, z up.
        faces: (F, 3) int32.
        normals: (V, 3) float32 unit vectors, outward, in the box-normalised frame.
        colors: (V, 3) float32 albedo in 0..1.
        fallback: True where the code's own surface was empty and the class mean stands in.
    """

    vertices: Tensor
    faces: Tensor
    normals: Tensor
    colors: Tensor
    fallback: bool = False

    def metric(self, size: Tensor) -> tuple[Tensor, Tensor]:
        """Vertices and unit normals of an object of the given size.

        Args:
            size: (3,) length, width, height in metres.

        Returns:
            (V, 3) vertices in metres about the box centre, and (V, 3) normals.
        """
        size = torch.as_tensor(size, dtype=self.vertices.dtype, device=self.vertices.device)
        normals = self.normals / size
        return self.vertices * size, normals / normals.norm(dim=1, keepdim=True).clamp_min(1e-12)


@dataclass(frozen=True)
class LinearizedMesh:
    """A mesh and how it moves with the codes, topology held.

    Attributes:
        mesh: the decoded mesh.
        shape_jacobian: (V, 3, S) float32, d vertices / d shape code.
        texture_jacobian: (V, 3, T) float32, d colours / d texture code.
    """

    mesh: TexturedMesh
    shape_jacobian: Tensor
    texture_jacobian: Tensor
