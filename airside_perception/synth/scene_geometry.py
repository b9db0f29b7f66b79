"""All triangles of a scene at one time, in the world, with what shading and labels need of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    """Builds `SceneGeometry` of a scene at any time; what does not move is transformed once.

    Attributes:
        rest: faces, colours and ranges of all objects; of vertices and normals only what stands.
    """

    def __init__(self, scene: Scene):
        self._scene = scene
        self._normals = [corner_normals(o.asset.mesh) for o in scene.objects]
        self.rest = self._at_rest()
        # What stands is put in its place here, once.
        for index, scene_object in enumerate(scene.objects):
            if scene_object.still:
                self._put(self.rest, index, 0.0)

    def at(self, time_s: float) -> SceneGeometry:
        """The scene's triangles at `time_s`."""
        rest = self.rest
        placed = replace(rest, vertices=rest.vertices.copy(), corner_normals=rest.corner_normals.copy())
        for index, scene_object in enumerate(self._scene.objects):
            if not scene_object.still:
                self._put(placed, index, time_s)
        return placed

    def _put(self, geometry: SceneGeometry, index: int, time_s: float) -> None:
        """Write one object's vertices and normals at a time into `geometry`."""
        scene_object = self._scene.objects[index]
        mesh = scene_object.mesh(time_s)
        own_normals = self._normals[index] if mesh is scene_object.asset.mesh else corner_normals(mesh)
        pose = scene_object.pose(time_s)
        rotation = pose[:3, :3].T.astype(np.float32)
        vertices, faces = (slice(*ends[index : index + 2]) for ends in (geometry.vertex_ranges, geometry.face_ranges))
        geometry.vertices[vertices] = mesh.vertices @ rotation + pose[:3, 3].astype(np.float32)
        geometry.corner_normals[faces] = own_normals @ rotation

    def _at_rest(self) -> SceneGeometry:
        """Everything that time does not change; vertices and normals are yet to be put."""
        meshes = [o.asset.mesh for o in self._scene.objects]
        starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        face_starts = np.cumsum([0, *(len(mesh.faces) for mesh in meshes)])
        none = np.zeros((0, 3), np.float32)
        faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
        return SceneGeometry(
            np.zeros((starts[-1], 3), np.float32),
            np.concatenate([none, *faces]).astype(np.int32),
            np.zeros((face_starts[-1], 3, 3), np.float32),
            np.concatenate([none, *(mesh.face_colors for mesh in meshes)]).astype(np.float32),
            np.concatenate([none[:, 0], *(mesh.face_materials for mesh in meshes)]).astype(np.int32),
            np.repeat(np.arange(len(meshes), dtype=np.int32), np.diff(face_starts)),
            starts,
            face_starts,
        )


def semantic_lookup(scene: Scene) -> np.ndarray:
    """(O,) uint8 semantic id of each scene object."""
    return np.array([SEMANTIC_OF_ASSET[o.asset.class_name] for o in scene.objects], np.uint8)
