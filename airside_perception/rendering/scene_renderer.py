"""One camera image of many different meshes, drawn in a single z-buffered pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import rotate_vectors, transform_points
from airside_perception.rendering.backend import interpolate, rasterize
from airside_perception.rendering.shading import Lighting, face_normals, lambert, normalized


@dataclass(frozen=True)
class SceneItem:
    """A mesh and where it stands.

    Arrays may be numpy or torch (CPU).

    Attributes:
        vertices: (V, 3) metres, in the item's own frame.
        faces: (F, 3) int, counter-clockwise seen from outside.
        base_from_item: (4, 4) pose in base_link; None if the vertices are in base_link already.
        vertex_colors: (V, 3) albedo in 0..1, or None.
        face_colors: (F, 3) albedo in 0..1; None with vertex_colors None, too: light grey.
        normals: (V, 3) unit normals in the item's frame for smooth shading; None: flat faces.
    """

    vertices: np.ndarray
    faces: np.ndarray
    base_from_item: np.ndarray | None = None
    vertex_colors: np.ndarray | None = None
    face_colors: np.ndarray | None = None
    normals: np.ndarray | None = None

    def __post_init__(self) -> None:
        counts = {"vertices": None, "faces": None, "vertex_colors": len(self.vertices)}
        counts |= {"face_colors": len(self.faces), "normals": len(self.vertices)}
        for name, count in counts.items():
            value = getattr(self, name)
            if value is None:
                continue
            shape = tuple(np.shape(value))
            if len(shape) != 2 or shape[1] != 3 or (count is not None and shape[0] != count):
                raise ValueError(f"SceneItem.{name}: expected ({'*' if count is None else count}, 3), got {shape}")


@dataclass(frozen=True)
class SceneRender:
    """What one camera would see.

    Attributes:
        color: (H, W, 3) float32, shaded; the background colour where nothing was drawn.
        depth: (H, W) float32, optical-axis metres; 0 on background.
        item_id: (H, W) int32 index into the items; -1 on background.
        triangle_id: (H, W) int32 face of that item; -1 on background.
        barycentrics: (H, W, 2) float32, u and v of that face's vertex 0 and 1.
    """

    color: np.ndarray
    depth: np.ndarray
    item_id: np.ndarray
    triangle_id: np.ndarray
    barycentrics: np.ndarray


class PackedScene(NamedTuple):
    """All items in one set of buffers, ready for the rasteriser.

    Attributes:
        points_camera: (P, 3) float32 in the optical frame.
        clip: (P, 4) float32 tensor of clip positions.
        triangles: (F, 3) int32 tensor into them.
        ranges: (items, 2) int32 tensor, first face and number of faces of each item.
        vertex_starts: (items + 1,) int64.
    """

    points_camera: np.ndarray
    clip: torch.Tensor
    triangles: torch.Tensor
    ranges: torch.Tensor
    vertex_starts: np.ndarray


def pack_scene(camera: Camera, items: Sequence[SceneItem], near: float = 0.1, far: float = 500.0) -> PackedScene:
    """Bring the items into the camera's optical frame and clip space, in one set of buffers."""
    points, faces, ranges, starts, first = [np.zeros((0, 3))], [np.zeros((0, 3), np.int32)], [], [0], 0
    for item in items:
        camera_from_item = camera.camera_from_base
        if item.base_from_item is not None:
            camera_from_item = camera_from_item @ np.asarray(item.base_from_item, np.float64)
        points.append(transform_points(camera_from_item, np.asarray(item.vertices, np.float64)))
        faces.append(np.asarray(item.faces, dtype=np.int32) + np.int32(starts[-1]))
        ranges.append((first, len(item.faces)))
        starts.append(starts[-1] + len(item.vertices))
        first += len(item.faces)
    points_camera = np.concatenate(points).astype(np.float32)
    return PackedScene(
        points_camera,
        torch.from_numpy(camera.clip_positions(points_camera, near, far)),
        torch.from_numpy(np.concatenate(faces)),
        torch.tensor(ranges, dtype=torch.int32).reshape(-1, 2),
        np.array(starts),
    )


def render_scene(
    camera: Camera,
    items: Sequence[SceneItem],
    lighting: Lighting | None = None,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    near: float = 0.1,
    far: float = 500.0,
    cull_backfaces: bool = False,
    two_sided: bool = False,
) -> SceneRender:
    """Draw all items into one image of `camera`.

    Distortion bends vertices, not edges: with a distorted camera, meshes must be fine where the
    distortion is strong (see `Camera.clip_positions`).

    Args:
        camera: any model; its image size is the output's.
        items: meshes with poses in base_link.
        lighting: sun direction in base_link; the default sun if None.
        background: colour where nothing is drawn.
        near, far: depth range that is drawn, metres.
        cull_backfaces: halves the work for closed meshes.
        two_sided: light the back of a face like its front, for open meshes (a tarpaulin, a scanned panel).
    """
    packed = pack_scene(camera, items, near, far)
    raster = rasterize(packed.clip[None], packed.triangles, (camera.height, camera.width), None, None, cull_backfaces)
    depth = interpolate(packed.clip[None, :, 3:].contiguous(), raster, packed.triangles)[0, ..., 0]

    face = raster[0, ..., 3].long() - 1
    rows, columns = torch.nonzero(face >= 0, as_tuple=True)
    drawn = face[rows, columns]
    color = torch.tensor(background, dtype=torch.float32).expand(camera.height, camera.width, 3).clone()
    pixels = raster[0, rows, columns]
    color[rows, columns] = _shade_pixels(camera, items, packed, pixels, drawn, lighting or Lighting(), two_sided)

    item_of_face = torch.repeat_interleave(torch.arange(len(items)), packed.ranges[:, 1].long())
    item_id = torch.full_like(face, -1)
    triangle_id = torch.full_like(face, -1)
    item_id[rows, columns] = item_of_face[drawn]
    triangle_id[rows, columns] = drawn - packed.ranges[:, 0].long()[item_of_face[drawn]]
    return SceneRender(
        color.numpy(),
        depth.numpy(),
        item_id.int().numpy(),
        triangle_id.int().numpy(),
        raster[0, ..., :2].numpy(),
    )


def _shade_pixels(
    camera: Camera,
    items: Sequence[SceneItem],
    packed: PackedScene,
    pixels: torch.Tensor,
    drawn: torch.Tensor,
    lighting: Lighting,
    two_sided: bool,
) -> torch.Tensor:
    """Colours (N, 3) of raster values (N, 4) whose packed faces are `drawn` (N,)."""
    if not len(drawn):
        return torch.zeros((0, 3))
    camera_from_base = torch.from_numpy(np.ascontiguousarray(camera.camera_from_base))
    corners = packed.triangles[drawn].long()
    weights = torch.stack([pixels[:, 0], pixels[:, 1], 1 - pixels[:, 0] - pixels[:, 1]], dim=1).unsqueeze(-1)

    points = torch.from_numpy(packed.points_camera)
    flat = face_normals(points, packed.triangles[drawn])
    vertex_albedo, face_albedo, face_colored, smooth_normals, smooth = _attributes(camera, items, packed)
    albedo = (vertex_albedo[corners] * weights).sum(dim=1)
    albedo = torch.where(face_colored[drawn, None], face_albedo[drawn], albedo)
    normals = torch.where(smooth[drawn, None], (smooth_normals[corners] * weights).sum(dim=1), flat)
    if two_sided:
        # A face shows its back where its own normal points away from the camera, which smooth normals may not tell.
        shows_back = (flat * points[corners[:, 0]]).sum(dim=1, keepdim=True) > 0
        normals = torch.where(shows_back, -normals, normals)
    return lambert(albedo, normalized(normals), lighting.rotated(camera_from_base))


def _attributes(camera: Camera, items: Sequence[SceneItem], packed: PackedScene) -> tuple[torch.Tensor, ...]:
    """Vertex albedo (P, 3), face albedo (F, 3) and its mask (F,), optical-frame normals (P, 3) and their mask (F,)."""
    vertex_count, face_count = len(packed.points_camera), len(packed.triangles)
    vertex_albedo = np.full((vertex_count, 3), 0.7, np.float32)
    face_albedo = np.zeros((face_count, 3), np.float32)
    normals = np.zeros((vertex_count, 3), np.float32)
    face_colored, smooth = np.zeros(face_count, bool), np.zeros(face_count, bool)
    for number, item in enumerate(items):
        vertices = slice(packed.vertex_starts[number], packed.vertex_starts[number + 1])
        first, count = packed.ranges[number].tolist()
        faces = slice(first, first + count)
        if item.vertex_colors is not None:
            vertex_albedo[vertices] = np.asarray(item.vertex_colors)
        elif item.face_colors is not None:
            face_albedo[faces] = np.asarray(item.face_colors)
            face_colored[faces] = True
        if item.normals is not None:
            camera_from_item = camera.camera_from_base
            if item.base_from_item is not None:
                camera_from_item = camera_from_item @ np.asarray(item.base_from_item, np.float64)
            normals[vertices] = rotate_vectors(camera_from_item, np.asarray(item.normals, np.float64))
            smooth[faces] = True
    return tuple(torch.from_numpy(array) for array in (vertex_albedo, face_albedo, face_colored, normals, smooth))
