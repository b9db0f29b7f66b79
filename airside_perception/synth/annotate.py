"""Truth of a frame: boxes with visibility, and voxels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import warp as wp

from airside_perception.classes import AIRCRAFT, GROUND, GSE, OBJECT_CLASSES, OBSTACLE, PERSON, STRUCTURE
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform
from airside_perception.records import GridSpec
from airside_perception.rendering.view_rasterizer import ViewRasterizer
from airside_perception.rendering.warp_runtime import start_warp
from airside_perception.synth.bent_camera import bent_camera
from airside_perception.synth.raster_backend import FAR, NEAR, ImageLayers
from airside_perception.synth.scene import Scene
from airside_perception.synth.scene_geometry import SceneGeometry, semantic_lookup
from airside_perception.synth.voxel_kernels import mark_voxels

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
    groups = [
        (each, stride)
        for each, stride in ((wanted[~big], _AMODAL_STRIDE), (wanted[big], _COARSE_AMODAL_STRIDE))
        if len(each)
    ]
    counts = _pixels_alone(geometry, odom_from_base, camera, groups)
    for (group, stride), alone in zip(groups, counts, strict=True):
        amodal[group] = np.maximum(alone * stride**2, visible[group])
    return visible, amodal


def _pixels_alone(
    geometry: SceneGeometry, odom_from_base: np.ndarray, camera: Camera, groups: Sequence[tuple[np.ndarray, int]]
) -> list[np.ndarray]:
    """For each (objects, stride): (objects,) pixels, of every `stride`-th in both directions, that show each object
    with no other there."""
    bent = None if camera.is_linear else bent_camera(camera)
    vertices, faces = torch.from_numpy(geometry.vertices), torch.from_numpy(geometry.faces)
    runs = [
        np.stack([geometry.face_ranges[group], np.diff(geometry.face_ranges)[group]], axis=1) for group, _ in groups
    ]
    drawn: list[list[np.ndarray]] = [[] for _ in groups]
    view = _counting_view()
    for face in (camera,) if bent is None else bent.faces:
        # Clip space knows no pixels: one look serves all strides.
        clip = face.clip_matrix(NEAR, FAR) @ invert_transform(odom_from_base @ face.base_from_camera)
        view.look(vertices, faces, clip)
        for masks, run, (_, stride) in zip(drawn, runs, groups, strict=True):
            shape = (max(face.height // stride, 1), max(face.width // stride, 1))
            masks.append(view.covered(run, shape).numpy())
    if bent is None:
        return [np.array([np.count_nonzero(mask) for mask in masks[0]]) for masks in drawn]
    return [bent.thinned(stride).count_pixels(masks) for masks, (_, stride) in zip(drawn, groups, strict=True)]


@lru_cache(maxsize=1)
def _counting_view() -> ViewRasterizer:
    """The same buffers for all counts of a process: fresh ones would cost more than drawing small images."""
    return ViewRasterizer(torch.device("cpu"))


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
    ego = scene.ego.at(time_s)[:2]
    entries: list[dict[str, Any]] = []
    for index in np.flatnonzero(is_tracked(scene)):
        scene_object = scene.objects[index]
        box = scene_object.box(time_s)
        velocity = scene_object.trajectory.velocity(time_s)
        half_yaw = box[6] / 2
        entries.append(
            {
                "id": scene_object.object_id,
                "class": scene_object.asset.class_name,
                "subtype": scene_object.asset.subtype,
                "translation": [round(float(v), 4) for v in box[:3]],
                "size": [round(float(v), 4) for v in box[3:6]],
                "rotation": [round(math.cos(half_yaw), 6), 0.0, 0.0, round(math.sin(half_yaw), 6)],
                "velocity": [round(float(v), 4) for v in (*velocity, 0.0)],
                "visibility": round(float(visible_fraction[index]), 4),
                "num_pixels": int(visible[index]),
                "distance": round(math.dist(box[:2], ego), 3),
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
    start_warp()
    # Ranks instead of classes: the kernel keeps the highest.
    rank_of = np.zeros(max(_BY_PRIORITY) + 1, np.int32)
    rank_of[list(_BY_PRIORITY)] = np.arange(1, len(_BY_PRIORITY) + 1)
    ranks = np.zeros(spec.shape, np.int32)
    ground_layer = int(np.floor((0.0 - spec.origin[2]) / spec.voxel_size[2]))
    if 0 <= ground_layer < spec.shape[2]:
        ranks[:, :, ground_layer] = rank_of[GROUND]
    if len(geometry.faces):
        inputs = [
            wp.array(geometry.vertices, dtype=wp.vec3, device="cpu", copy=False),
            wp.array(geometry.faces, dtype=wp.int32, device="cpu", copy=False),
            wp.array(rank_of[semantic_lookup(scene)][geometry.face_items], dtype=wp.int32, device="cpu", copy=False),
            wp.mat44(invert_transform(odom_from_base).astype(np.float32)),
            wp.vec3(*map(float, spec.origin)),
            wp.vec3(*map(float, spec.voxel_size)),
            float(spacing),
            wp.array(ranks, dtype=wp.int32, device="cpu", copy=False),
        ]
        wp.launch(mark_voxels, dim=len(geometry.faces), inputs=inputs, device="cpu")
    return np.array([0, *_BY_PRIORITY], np.uint8)[ranks]
