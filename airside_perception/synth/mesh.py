"""Closed triangle parts from which every procedural asset is assembled.

Each builder returns a `Mesh` whose edges are each shared by exactly two faces and whose faces
turn counter-clockwise seen from outside, so that signed volumes are positive and back-face
culling, ray parity and signed distances all work. Lengths are metres, x forward, y left, z up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

MATERIALS = ("paint", "metal", "glass", "rubber", "fabric", "concrete", "emissive")
"""Names of the values in `Mesh.face_materials`."""

PAINT, METAL, GLASS, RUBBER, FABRIC, CONCRETE, EMISSIVE = range(len(MATERIALS))

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with one flat colour and one material per face.

    Attributes:
        vertices: (V, 3) float32, metres.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        face_colors: (F, 3) float32 albedo in 0..1.
        face_materials: (F,) uint8, index into `MATERIALS`.
    """

    vertices: FloatArray
    faces: IntArray
    face_colors: FloatArray
    face_materials: IntArray

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corner, each (3,)."""
        return self.vertices.min(axis=0), self.vertices.max(axis=0)

    @property
    def size(self) -> FloatArray:
        """Edge lengths of the axis-aligned bounding box, (3,)."""
        low, high = self.bounds
        return high - low

    @property
    def volume(self) -> float:
        """Signed volume in cubic metres; positive when faces point outward."""
        corners = self.vertices.astype(np.float64)[self.faces]
        return float(np.vdot(corners[:, 0], cross(corners[:, 1], corners[:, 2])) / 6.0)

    def transformed(self, transform: ArrayLike) -> Mesh:
        """Apply a 4x4 affine transform; a mirroring one also turns the faces round."""
        matrix = np.asarray(transform, dtype=np.float64)
        vertices = (self.vertices @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
        faces = self.faces if np.linalg.det(matrix[:3, :3]) > 0 else self.faces[:, ::-1]
        return replace(self, vertices=vertices, faces=faces)

    def translated(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        return replace(self, vertices=self.vertices + np.array([x, y, z], dtype=np.float32))

    def scaled(self, factors: ArrayLike) -> Mesh:
        """Scale about the origin by one positive factor or three."""
        return replace(self, vertices=(self.vertices * np.asarray(factors)).astype(np.float32))

    def rotated(self, axis: str, angle: float, pivot: ArrayLike = (0.0, 0.0, 0.0)) -> Mesh:
        """Rotate by `angle` radians (right-handed) about an axis through `pivot`."""
        pivot = np.asarray(pivot, dtype=np.float64)
        vertices = (self.vertices - pivot) @ rotation(axis, angle).T + pivot
        return replace(self, vertices=vertices.astype(np.float32))

    def mirrored(self) -> Mesh:
        """The left-right mirror image (y negated), still outward-oriented."""
        vertices = self.vertices * np.array([1, -1, 1], dtype=np.float32)
        return replace(self, vertices=vertices, faces=self.faces[:, ::-1])

    def recolored(self, color: ArrayLike, material: int | None = None) -> Mesh:
        colors = np.broadcast_to(np.asarray(color, dtype=np.float32), self.face_colors.shape)
        materials = self.face_materials if material is None else np.full_like(self.face_materials, material)
        return replace(self, face_colors=colors, face_materials=materials)

    def centred(self) -> tuple[Mesh, FloatArray]:
        """The mesh moved so that its bounding box is centred at the origin, and the old centre."""
        low, high = self.bounds
        centre = (low + high) / 2
        return replace(self, vertices=self.vertices - centre), centre


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Cross product over the last axis; several times faster than the general one on small arrays."""
    result = np.empty(np.broadcast_shapes(a.shape, b.shape))
    result[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    result[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    result[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return result


def rotation(axis: str, angle: float) -> FloatArray:
    """3x3 right-handed rotation about 'x', 'y' or 'z'."""
    c, s = np.cos(angle), np.sin(angle)
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def make_mesh(vertices: ArrayLike, faces: ArrayLike, color: ArrayLike, material: ArrayLike = PAINT) -> Mesh:
    """Mesh from arrays; colour and material may be one value or one per face."""
    faces = np.asarray(faces, dtype=np.int32)
    colors = np.empty((len(faces), 3), dtype=np.float32)
    colors[:] = color
    materials = np.empty(len(faces), dtype=np.uint8)
    materials[:] = material
    return Mesh(np.asarray(vertices, dtype=np.float32), faces, colors, materials)


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of all parts; vertices are not welded, so each part stays closed."""
    counts = [len(mesh.vertices) for mesh in meshes]
    offsets = np.cumsum([0, *counts[:-1]], dtype=np.int32)
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]).astype(np.int32),
        np.concatenate([mesh.face_colors for mesh in meshes]).astype(np.float32),
        np.concatenate([mesh.face_materials for mesh in meshes]).astype(np.uint8),
    )
