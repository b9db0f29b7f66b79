"""All triangles of a scene at one time, in the world, with what shading and labels need of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.classes import AIRCRAFT, GSE, OBSTACLE, PERSON, STRUCTURE
from airside_perception.synth.mesh import Mesh
from airside_perception.synth.scene import Scene

SEMANTIC_OF_ASSET = {
    "aircraft": AIRCRAFT,
    "gse": GSE,
    "person": PERSON,
    "obstacle": OBSTACLE,
    "structure": STRUCTURE,
}
"""Semantic id of each asset class."""

_CREASE_COSINE = np.cos(np.radians(42.0))


@dataclass(frozen=True)
class SceneGeometry:
    """Flattened triangles.

    Attributes:
        vertices: (V, 3) float32 world, metres.
        faces: (F, 3) int32.
        corner_normals: (F, 3, 3) float32 world, one for each corner of a face.
        face_colors: (F, 3) float32 linear albedo.
        face_materials: (F,) int32, index into mesh_parts.MATERIALS.
        face_items: (F,) int32, index into scene.objects.
        vertex_ranges, face_ranges: (O + 1,) int, where each object's vertices and faces start.
    """

    vertices: np.ndarray
    faces: np.ndarray
    corner_normals: np.ndarray
    face_colors: np.ndarray
    face_materials: np.ndarray
    face_items: np.ndarray
    vertex_ranges: np.ndarray
    face_ranges: np.ndarray


def corner_normals(mesh: Mesh) -> np.ndarray:
    """(F, 3, 3) unit normals of a mesh's face corners: smooth where faces meet gently, flat at creases."""
    points = mesh.vertices[mesh.faces].astype(np.float64)
    scaled = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    flat = scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    sums = np.stack(
        [np.bincount(mesh.faces.ravel(), np.repeat(scaled[:, k], 3), len(mesh.vertices)) for k in range(3)], axis=1
    )
    smooth = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    at_corners = smooth[mesh.faces]
    gentle = (at_corners * flat[:, None]).sum(-1, keepdims=True) > _CREASE_COSINE
    return np.where(gentle, at_corners, flat[:, None]).astype(np.float32)


class GeometryCache:
    """Builds `SceneGeometry` of a scene at any time; what does not move is transformed once."""

    def __init__(self, scene: Scene):
        self._scene = scene
        self._normals = [corner_normals(o.asset.mesh) for o in scene.objects]
        self._standing: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def at(self, time_s: float) -> SceneGeometry:
        """The scene's triangles at `time_s`."""
        vertices, normals = [], []
        for index in range(len(self._scene.objects)):
            placed = self._standing.get(index)
            if placed is None:
                placed = self._place(index, time_s)
                if self._scene.objects[index].still:
                    self._standing[index] = placed
            vertices.append(placed[0])
            normals.append(placed[1])
        return self._assemble(vertices, normals)

    def _place(self, index: int, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        scene_object = self._scene.objects[index]
        mesh = scene_object.mesh(time_s)
        own_normals = self._normals[index] if mesh is scene_object.asset.mesh else corner_normals(mesh)
        pose = scene_object.pose(time_s)
        rotation = pose[:3, :3].T.astype(np.float32)
        return mesh.vertices @ rotation + pose[:3, 3].astype(np.float32), own_normals @ rotation

    def _assemble(self, vertices: list[np.ndarray], normals: list[np.ndarray]) -> SceneGeometry:
        meshes = [o.asset.mesh for o in self._scene.objects]
        starts = np.concatenate([[0], np.cumsum([len(v) for v in vertices])])
        face_starts = np.concatenate([[0], np.cumsum([len(m.faces) for m in meshes])])
        if not meshes:
            empty = np.zeros((0, 3), np.float32)
            nothing = np.zeros(0, np.int32)
            return SceneGeometry(
                empty, np.zeros((0, 3), np.int32), np.zeros((0, 3, 3), np.float32), empty, nothing, nothing,
                starts, face_starts,
            )  # fmt: skip
        return SceneGeometry(
            np.concatenate(vertices).astype(np.float32),
            np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=False)]).astype(np.int32),
            np.concatenate(normals).astype(np.float32),
            np.concatenate([m.face_colors for m in meshes]).astype(np.float32),
            np.concatenate([m.face_materials for m in meshes]).astype(np.int32),
            np.repeat(np.arange(len(meshes), dtype=np.int32), np.diff(face_starts)),
            starts,
            face_starts,
        )


def semantic_lookup(scene: Scene) -> np.ndarray:
    """(O,) uint8 semantic id of each scene object."""
    return np.array([SEMANTIC_OF_ASSET[o.asset.class_name] for o in scene.objects], np.uint8)
