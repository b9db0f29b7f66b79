"""Voxels as cubes, seen from behind and above the vehicle."""

from __future__ import annotations

import cv2
import numpy as np

from airside_perception.classes import CLASS_COLORS, FREE, GROUND, SEMANTIC_COLORS
from airside_perception.explain.birds_eye import EGO
from airside_perception.explain.drawing import FAINT, TEXT, WHITE, line, mixed, write
from airside_perception.explain.track_render import base_boxes
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import make_transform, transform_points
from airside_perception.records import NEVER_SEEN, SEEN_NOW, OccupancyGrid, SceneEstimate
from airside_perception.rendering.scene_renderer import SceneItem, SceneRender, render_scene
from airside_perception.rendering.shading import Lighting

SKY_TOP, SKY_LOW = np.array([38, 46, 60], np.float32), np.array([92, 104, 122], np.float32)

_EYE, _TARGET = np.array([-27.0, 7.0, 19.0]), np.array([13.0, -1.0, 0.0])
_FIELD_OF_VIEW = np.deg2rad(62.0)
_FOG_START, _FOG_FULL = 45.0, 120.0
_LIGHT = Lighting((-0.45, 0.55, 0.75), sun=0.55, ambient=0.5)
_GROUND_COLOR = np.array([98, 102, 110], np.float32) / 255.0
_EDGES = [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)]

# Each face of a voxel: axis, direction, and its corners counter-clockwise seen from outside.
_FACES = (
    (0, 1, [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]]),
    (0, -1, [[0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 1, 1]]),
    (1, 1, [[1, 1, 0], [0, 1, 0], [0, 1, 1], [1, 1, 1]]),
    (1, -1, [[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]]),
    (2, 1, [[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]),
    (2, -1, [[0, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]),
)


def draw_voxels(scene: SceneEstimate, width: int = 960, height: int = 600) -> np.ndarray:
    """Perspective picture of the occupied voxels, the seen ground, the tracks' boxes and the vehicle.

    Voxels that no camera sees now are darker.

    Args:
        scene: what was estimated; without occupancy the picture shows boxes and the vehicle only.
        width, height: pixels.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    # Drawn at twice the size and averaged: edges of many small cubes would flicker otherwise.
    camera = _chase_camera(2 * width, 2 * height)
    items = [_vehicle()]
    if scene.occupancy is not None:
        items += [_ground(scene.occupancy), _cubes(scene.occupancy)]
    render = render_scene(camera, [item for item in items if len(item.faces)], _LIGHT, near=0.5, cull_backfaces=True)
    picture = _developed(render, camera.height)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    _draw_tracks(picture, scene, camera.resized(width, height))
    count = 0
    if scene.occupancy is not None:
        count = int(((scene.occupancy.class_id != FREE) & (scene.occupancy.class_id != GROUND)).sum())
    return write(
        picture,
        [
            ("Occupancy", (14, 18), TEXT, 14, "lm"),
            (f"{count} occupied voxels, {len(scene.tracks)} tracks", (width - 14, 18), FAINT, 12, "rm"),
        ],
    )


def _chase_camera(width: int, height: int) -> Camera:
    forward = (_TARGET - _EYE) / np.linalg.norm(_TARGET - _EYE)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    focal = width / 2 / np.tan(_FIELD_OF_VIEW / 2)
    intrinsics = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return Camera("chase", width, height, intrinsics, make_transform(rotation, _EYE))


def _cubes(grid: OccupancyGrid) -> SceneItem:
    """The faces of occupied voxels that border on free space."""
    solid = (grid.class_id != FREE) & (grid.class_id != GROUND)
    padded = np.pad(solid, 1)
    voxel, origin = np.array(grid.spec.voxel_size), np.array(grid.spec.origin)
    quads, colors = [np.zeros((0, 4, 3))], [np.zeros((0, 3))]
    table = np.array(SEMANTIC_COLORS, np.float32) / 255.0
    for axis, direction, corners in _FACES:
        neighbour = np.roll(padded, -direction, axis=axis)[1:-1, 1:-1, 1:-1]
        cells = np.argwhere(solid & ~neighbour)
        quads.append(origin + voxel * (cells[:, None, :] + np.array(corners)))
        chosen = tuple(cells.T)
        seen = np.select([grid.visibility[chosen] == SEEN_NOW, grid.visibility[chosen] == NEVER_SEEN], [1.0, 0.5], 0.72)
        # A little lighter with height gives flat-coloured objects some depth.
        lift = 0.85 + 0.25 * cells[:, 2] / max(grid.spec.shape[2] - 1, 1)
        colors.append(table[grid.class_id[chosen]] * (seen * lift)[:, None])
    return _quad_mesh(np.concatenate(quads), np.clip(np.concatenate(colors), 0, 1))


def _ground(grid: OccupancyGrid) -> SceneItem:
    """One tile at z = 0 for every column whose ground was seen."""
    ground = (grid.class_id == GROUND) & (grid.visibility != NEVER_SEEN)
    cells = np.argwhere(ground.any(axis=2))
    now = (ground & (grid.visibility == SEEN_NOW)).any(axis=2)[tuple(cells.T)]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    flat = np.array(grid.spec.origin[:2]) + np.array(grid.spec.voxel_size[:2]) * (cells[:, None, :] + corners)
    quads = np.concatenate([flat, np.zeros((*flat.shape[:2], 1))], axis=-1)
    return _quad_mesh(quads, _GROUND_COLOR * np.where(now, 1.0, 0.72)[:, None])


def _vehicle() -> SceneItem:
    """A plain block of a tractor's size, and a cabin."""
    boxes = [([-0.7, -0.85, 0.2], [2.6, 0.85, 1.1]), ([-0.3, -0.75, 1.1], [0.9, 0.75, 1.9])]
    quads = [
        np.array(low) + (np.array(high) - low) * np.array(corners, np.float64)
        for low, high in boxes
        for _, _, corners in _FACES
    ]
    return _quad_mesh(np.array(quads), np.tile(np.array(EGO, np.float32) / 255.0, (len(quads), 1)))


def _quad_mesh(quads: np.ndarray, colors: np.ndarray) -> SceneItem:
    """Two triangles per quad (N, 4, 3), coloured (N, 3); the quad's diagonal is each triangle's edge 2-0."""
    first = 4 * np.arange(len(quads))[:, None]
    faces = np.concatenate([first + [0, 1, 2], first + [2, 3, 0]], axis=1).reshape(-1, 3)
    return SceneItem(
        quads.reshape(-1, 3).astype(np.float32),
        faces.astype(np.int32),
        face_colors=np.repeat(colors.astype(np.float32), 2, axis=0),
    )


def _developed(render: SceneRender, height: int) -> np.ndarray:
    """(H, W, 3) uint8: cube edges drawn dark, distance in haze, a sky behind."""
    u, v = render.barycentrics[..., 0], render.barycentrics[..., 1]
    # Edges 0-1 and 1-2 of a triangle are the quad's: the barycentrics of vertices 2 and 0 vanish there.
    border = np.minimum(u, 1.0 - u - v)
    # About as wide as 1.2 pixels, whatever the distance: barycentrics change by depth / (focal * voxel) per pixel.
    near_edge = np.clip(border / np.maximum(0.0016 * render.depth, 1e-6), 0, 1)
    on_cube = render.item_id >= 1
    shade = np.where(on_cube, 0.72 + 0.28 * near_edge, 1.0)[..., None]
    haze = np.clip((render.depth - _FOG_START) / (_FOG_FULL - _FOG_START), 0, 1)[..., None]
    sky = np.linspace(0, 1, height)[:, None, None] * (SKY_LOW - SKY_TOP) + SKY_TOP
    sky = np.broadcast_to(sky, render.color.shape)
    solid = 255.0 * np.clip(1.25 * render.color, 0, 1) * shade
    picture = np.where((render.item_id >= 0)[..., None], solid * (1 - haze) + SKY_LOW * haze, sky)
    return picture.astype(np.uint8)


def _draw_tracks(picture: np.ndarray, scene: SceneEstimate, camera: Camera) -> None:
    """Boxes of the tracks as light wires over the cubes."""
    sound = [track for track in scene.tracks if np.isfinite(track.box).all()]
    if not sound:
        return
    corners = base_boxes(sound, scene.frame.odom_from_base)
    points = transform_points(camera.camera_from_base, corners.reshape(-1, 3)).reshape(corners.shape)
    pixels, valid = camera.project(points)
    wires = picture.copy()
    for track, corner_pixels, ok in zip(sound, pixels, valid, strict=True):
        color = mixed(CLASS_COLORS[track.class_name], WHITE, 0.6)
        for a, b in _EDGES:
            if ok[a] and ok[b]:
                line(wires, corner_pixels[[a, b]], color, 1)
    cv2.addWeighted(wires, 0.6, picture, 0.4, 0.0, dst=picture)
