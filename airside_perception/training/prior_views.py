"""Views from all round an object: what its silhouettes and its visible colours are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import transform_points
from airside_perception.rendering import interpolate, rasterize

VIEWS = 8
RESOLUTION = 128
_RING_ELEVATIONS = (0.35, 0.05)
"""Radians, in turn around the ring."""
_BACKGROUND = 0.5
_DISTANCE, _FOCAL = 4.0, 3.6
"""Camera distance in half diagonals of the box, and the focal length that then fills most of the image."""


def ring_cameras(
    size: NDArray[np.floating], views: int = VIEWS, elevations: Sequence[float] = _RING_ELEVATIONS, phase: float = 0.3
) -> list[Camera]:
    """Cameras on a ring around an object, looking at its centre.

    Args:
        size: (3,) metres of its box; sets the distance so that the object fills most of the image.
        views: cameras, evenly spaced.
        elevations: radians above level, in turn; below pi / 2.
        phase: of the first camera's bearing, in steps between cameras.

    Returns:
        Cameras of RESOLUTION x RESOLUTION pixels mounted in the frame of the box.
    """
    middle, focal = (RESOLUTION - 1) / 2, _FOCAL * RESOLUTION / 2
    intrinsics = np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1]])
    cameras = []
    for view in range(views):
        azimuth, elevation = 2 * np.pi * (view + phase) / views, elevations[view % len(elevations)]
        outward = np.array(
            [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
        )
        right = np.cross(-outward, [0, 0, 1])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(-outward, right), -outward], axis=1)
        pose[:3, 3] = _DISTANCE * np.linalg.norm(size) / 2 * outward
        cameras.append(Camera(f"ring_{view}", RESOLUTION, RESOLUTION, intrinsics, pose))
    return cameras


def clip_positions(vertices: Tensor, cameras: Sequence[Camera], size: NDArray[np.floating]) -> Tensor:
    """(views, V, 4) float32 clip positions of (V, 3) metres in the frame of a box of `size` (3,) metres."""
    radius = float(np.linalg.norm(size)) / 2
    near, far = (_DISTANCE - 1.5) * radius, (_DISTANCE + 1.5) * radius
    points = vertices.numpy()
    return torch.stack(
        [
            torch.from_numpy(each.clip_positions(transform_points(each.camera_from_base, points), near, far))
            for each in cameras
        ]
    )


def render_views(
    vertices: Tensor, faces: Tensor, colors: Tensor, cameras: Sequence[Camera], size: NDArray[np.floating]
) -> tuple[Tensor, Tensor]:
    """Albedo (views, H, W, 3) and coverage (views, H, W) bool of (V, 3) metres; background is mid grey."""
    image, covered = carry(clip_positions(vertices, cameras, size), faces, colors)
    return torch.where(covered[..., None], image, torch.full_like(image, _BACKGROUND)), covered


def split_faces(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], face_colors: NDArray[np.floating]
) -> tuple[Tensor, Tensor, Tensor]:
    """Every face with three vertices of its own, so that flat colours stay flat.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        face_colors: (F, 3).

    Returns:
        (3F, 3) float32 vertices, (F, 3) int64 faces and (3F, 3) float32 colours.
    """
    corners = torch.from_numpy(np.ascontiguousarray(vertices[faces.reshape(-1)], dtype=np.float32))
    colors = torch.from_numpy(np.repeat(face_colors.astype(np.float32), 3, axis=0))
    return corners, torch.arange(faces.size).reshape(-1, 3), colors


def visible_colors(
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    face_colors: NDArray[np.floating],
    size: NDArray[np.floating],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Places of an object that can be seen from around and above, and their colours.

    Points drawn on the mesh itself would also show what lies under paint, panes and panels.

    Args:
        vertices: (V, 3) box-normalised.
        faces: (F, 3).
        face_colors: (F, 3) albedo.
        size: (3,) metres.

    Returns:
        (N, 3) box-normalised points, one for each covered pixel of ten views, and their (N, 3) albedo.
    """
    corners, split, colors = split_faces(vertices, faces, face_colors)
    cameras = ring_cameras(size) + ring_cameras(size, 2, (1.1,))
    clip = clip_positions(corners * torch.from_numpy(np.asarray(size, dtype=np.float32)), cameras, size)
    carried, covered = carry(clip, split, torch.cat([corners, colors], dim=1))
    seen = carried[covered].numpy()
    return seen[:, :3], seen[:, 3:]


def carry(clip: Tensor, faces: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Vertex values (V, C) at every pixel of every view, (views, H, W, C), and which pixels are covered."""
    triangles = faces.to(torch.int32).contiguous()
    raster = rasterize(clip.contiguous(), triangles, (RESOLUTION, RESOLUTION))
    return interpolate(values[None].contiguous(), raster, triangles), raster[..., 3] > 0
