"""Truth of a frame: boxes with visibility, and voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from airside_perception.classes import AIRCRAFT, GROUND, GSE, OBJECT_CLASSES, OBSTACLE, PERSON, STRUCTURE
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform, matrix_to_quaternion, transform_points
from airside_perception.records import GridSpec
from airside_perception.rendering import rasterize
from airside_perception.synth.bent_camera import bent_camera
from airside_perception.synth.raster_backend import FAR, NEAR, ImageLayers
from airside_perception.synth.scene import Scene
from airside_perception.synth.scene_geometry import SceneGeometry, semantic_lookup
from airside_perception.synth.surface_samples import surface_samples

_AMODAL_STRIDE, _COARSE_AMODAL_STRIDE = 2, 4
"""Pixels between those that are counted of an object that shows little, and of one that shows a lot."""
_SHOWS_A_LOT = 2000
"""Pixels of an image."""
_BY_PRIORITY = (GROUND, STRUCTURE, AIRCRAFT, OBSTACLE, GSE, PERSON)
"""Where several classes share a voxel the later one, which matters more to a vehicle, names it."""


def is_tracked(scene: Scene) -> np.ndarray:
    """(O,) bool, True for objects of the tracked classes."""
    return np.array([o.asset.class_name in OBJECT_CLASSES for o in scene.objects], bool)


def pixel_counts(
    scene: Scene, geometry: SceneGeometry, odom_from_base: np.ndarray, camera: Camera, layers: ImageLayers
) -> tuple[np.ndarray, np.ndarray]:
    """Visible pixels of every object in one camera, and how many it would have with nothing in front.

    Args:
        scene, geometry: the scene and its triangles at the time of exposure.
        odom_from_base: (4, 4) vehicle pose at that time.
        camera: the camera that took `layers`.
        layers: its image and labels.

    Returns:
        visible (O,) int64, amodal (O,) float64, both in pixels of `layers`; amodal counts only
        what falls inside the image and is at least `visible`.
    """
    count = len(scene.objects)
    items = layers.item[layers.item >= 0]
    visible = np.bincount(items, minlength=count)[:count]
    wanted = np.flatnonzero(is_tracked(scene) & (visible > 0))
    amodal = visible.astype(np.float64)
    if not len(wanted):
        return visible, amodal
    big = visible[wanted] >= _SHOWS_A_LOT
    for group, stride in ((wanted[~big], _AMODAL_STRIDE), (wanted[big], _COARSE_AMODAL_STRIDE)):
        if len(group):
            alone = _pixels_alone(geometry, odom_from_base, camera, group, stride)
            amodal[group] = np.maximum(alone * stride**2, visible[group])
    return visible, amodal


def _pixels_alone(
    geometry: SceneGeometry, odom_from_base: np.ndarray, camera: Camera, wanted: np.ndarray, stride: int
) -> np.ndarray:
    """(len(wanted),) pixels, of every `stride`-th in both directions, that show each object with no other there."""
    if camera.is_linear:
        small = camera.resized(camera.width // stride, camera.height // stride)
        return _alone(geometry, odom_from_base, small, wanted).sum(dim=(1, 2)).numpy()
    bent = bent_camera(camera).thinned(stride)
    drawn = [_alone(geometry, odom_from_base, face, wanted).numpy() for face in bent.faces]
    return np.array([bent.resample_labels(each, 0).sum() for each in zip(*drawn, strict=True)])


def _alone(geometry: SceneGeometry, odom_from_base: np.ndarray, camera: Camera, wanted: np.ndarray) -> torch.Tensor:
    """(len(wanted), H, W) bool: the pixels of a linear camera that show each object, with no other there."""
    clip = camera.clip_matrix(NEAR, FAR) @ invert_transform(odom_from_base @ camera.base_from_camera)
    matrix = clip.astype(np.float32)
    ranges = np.stack([geometry.face_ranges[wanted], np.diff(geometry.face_ranges)[wanted]], axis=1)
    raster = rasterize(
        torch.from_numpy(np.ascontiguousarray(geometry.vertices @ matrix[:, :3].T + matrix[:, 3])),
        torch.from_numpy(geometry.faces),
        (camera.height, camera.width),
        ranges=torch.from_numpy(ranges),
        cull_backfaces=True,
    )
    return raster[..., 3] > 0


def object_truth(
    scene: Scene, time_s: float, visible: np.ndarray, visible_fraction: np.ndarray
) -> list[dict[str, Any]]:
    """Entries of a frame's "objects" in tracks.json: every tracked object, seen or not.

    Args:
        scene: the scene.
        time_s: anchor time of the frame.
        visible: (O,) visible pixels, summed over cameras.
        visible_fraction: (O,) visible over amodal pixels.
    """
    ego = np.array(scene.ego.at(time_s)[:2])
    entries: list[dict[str, Any]] = []
    for index in np.flatnonzero(is_tracked(scene)):
        scene_object = scene.objects[index]
        box = scene_object.box(time_s)
        velocity = scene_object.trajectory.velocity(time_s)
        entries.append(
            {
                "id": scene_object.object_id,
                "class": scene_object.asset.class_name,
                "subtype": scene_object.asset.subtype,
                "translation": [round(float(v), 4) for v in box[:3]],
                "size": [round(float(v), 4) for v in box[3:6]],
                "rotation": [round(float(v), 6) for v in matrix_to_quaternion(scene_object.pose(time_s)[:3, :3])],
                "velocity": [round(float(v), 4) for v in (*velocity, 0.0)],
                "visibility": round(float(visible_fraction[index]), 4),
                "num_pixels": int(visible[index]),
                "distance": round(float(np.linalg.norm(box[:2] - ego)), 3),
            }
        )
    return entries


def voxelize(
    scene: Scene, geometry: SceneGeometry, odom_from_base: np.ndarray, spec: GridSpec, spacing: float = 0.3
) -> np.ndarray:
    """Semantic voxels of everything in the grid, seen or not: every surface, and the ground plane.

    Surfaces are sampled densely (one sample per `spacing` squared, three at least for each triangle).

    Returns:
        (X, Y, Z) uint8 semantic ids, 0 = free.
    """
    base_from_odom = invert_transform(odom_from_base)
    classes = np.zeros(spec.shape, np.uint8)
    ground_layer = int(np.floor((0.0 - spec.origin[2]) / spec.voxel_size[2]))
    if 0 <= ground_layer < spec.shape[2]:
        classes[:, :, ground_layer] = GROUND
    if not len(geometry.faces):
        return classes
    corners = transform_points(base_from_odom, geometry.vertices).astype(np.float32)[geometry.faces]
    first, second, third = corners[:, 0], corners[:, 1], corners[:, 2]
    low, high = np.asarray(spec.origin), np.asarray(spec.origin) + np.asarray(spec.voxel_size) * spec.shape
    reaches_in = np.maximum(np.maximum(first, second), third) > low
    begins_before_end = np.minimum(np.minimum(first, second), third) < high
    near = np.all(reaches_in & begins_before_end, axis=1)
    corners, semantics = corners[near], semantic_lookup(scene)[geometry.face_items[near]]
    points, owner = surface_samples(corners, spacing)
    indices, inside = spec.indices(points)
    flat = np.ravel_multi_index(tuple(indices[inside].T), spec.shape)
    labels = semantics[owner[inside]]
    for semantic in _BY_PRIORITY:
        classes.ravel()[flat[labels == semantic]] = semantic
    return classes
