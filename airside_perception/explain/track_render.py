"""All tracks of a scene as one camera would see them: what the system believes, in pixels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from airside_perception.geometry.boxes import box_corners
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform, pose_from_xyz_yaw, transform_points
from airside_perception.records import SceneEstimate, Track
from airside_perception.rendering.scene_renderer import SceneItem, render_scene

if TYPE_CHECKING:
    from airside_perception.prior import ObjectPrior

SAME_CODE = 0.15
"""Codes that differ by less in every entry look alike: the mesh decoded before is used again."""

_KEPT_MESHES = 256
_GAIN_RANGE = (0.25, 4.0)
_NEAR = 0.1


@dataclass(frozen=True)
class TrackRender:
    """One camera's image and the tracks drawn into the same pixels.

    Attributes:
        camera: of `image`; resized where a width was asked for.
        image: (H, W, 3) uint8 RGB, as taken.
        color: (H, W, 3) float32 in 0..1, the tracks' meshes, each as bright as the image where it is drawn.
        depth: (H, W) float32 metres, 0 on background.
        track: (H, W) int32 index into SceneEstimate.tracks, -1 on background.
    """

    camera: Camera
    image: np.ndarray
    color: np.ndarray
    depth: np.ndarray
    track: np.ndarray


class TrackMeshes:
    """Decoded meshes by track, decoded anew only when a track's codes have moved visibly."""

    def __init__(self, prior: ObjectPrior, level: str | int = "refine"):
        self._prior, self._level = prior, level
        self._kept: OrderedDict[tuple[str, str], tuple[np.ndarray, SceneItem]] = OrderedDict()

    def item(self, track: Track) -> SceneItem | None:
        """The track's mesh in box units ([-0.5, 0.5]^3), or None where it has no codes or its class no prior."""
        if track.shape_code is None or track.texture_code is None or track.class_name not in self._prior.class_names:
            return None
        codes = np.concatenate([track.shape_code, track.texture_code])
        if not np.isfinite(codes).all():
            return None
        key = (track.class_name, track.track_id)
        kept = self._kept.get(key)
        if kept is None or kept[0].shape != codes.shape or np.abs(kept[0] - codes).max() > SAME_CODE:
            mesh = self._prior.decode(track.class_name, track.shape_code, track.texture_code, self._level)
            arrays = (each.detach().cpu().numpy() for each in (mesh.vertices, mesh.faces, mesh.colors, mesh.normals))
            vertices, faces, colors, normals = arrays
            self._kept[key] = kept = (codes, SceneItem(vertices, faces, None, colors, None, normals))
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT_MESHES:
            self._kept.popitem(last=False)
        return kept[1]

    def metric_item(self, track: Track, base_from_odom: np.ndarray) -> SceneItem | None:
        """The track's mesh in metres at its pose."""
        item = self.item(track)
        if item is None:
            return None
        size = np.maximum(track.box[3:6], 1e-3)
        normals = np.asarray(item.normals) / size
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        pose = base_from_odom @ pose_from_xyz_yaw(track.box[0], track.box[1], track.box[2], track.box[6])
        return SceneItem(item.vertices * size, item.faces, pose, item.vertex_colors, None, normals)


_meshes_of_prior: WeakKeyDictionary[ObjectPrior, TrackMeshes] = WeakKeyDictionary()


def meshes_of(prior: ObjectPrior) -> TrackMeshes:
    """The mesh cache that all drawings with one prior share."""
    if prior not in _meshes_of_prior:
        _meshes_of_prior[prior] = TrackMeshes(prior)
    return _meshes_of_prior[prior]


def render_tracks(
    scene: SceneEstimate, camera_name: str, prior: ObjectPrior | None, width: int | None = None
) -> TrackRender:
    """Draw every track's recovered mesh, nearest in front, into one camera.

    Args:
        scene: tracks and images.
        camera_name: a camera with an image in this scene.
        prior: decodes the codes; None draws nothing.
        width: of the result, pixels; None: as the image.

    Raises:
        ValueError: the scene has no image of that camera.
    """
    if camera_name not in scene.frame.images:
        have = ", ".join(scene.frame.images) or "none"
        raise ValueError(f"camera: expected one with an image in this scene ({have}), got {camera_name!r}")
    camera, image = _at_width(scene.frame.images[camera_name].camera, scene.frame.images[camera_name].image, width)
    drawn, items = _items_in_view(scene, camera, prior)
    if not items:
        empty = np.zeros(image.shape[:2], np.float32)
        return TrackRender(camera, image, np.zeros(image.shape, np.float32), empty, np.full(empty.shape, -1, np.int32))
    render = render_scene(camera, items, near=_NEAR, cull_backfaces=True)
    track = np.append(np.array(drawn, np.int32), np.int32(-1))[render.item_id]
    color = match_brightness(image, render.color, render.item_id, len(items))
    return TrackRender(camera, image, color, render.depth, track)


def match_brightness(image: np.ndarray, color: np.ndarray, item_id: np.ndarray, count: int) -> np.ndarray:
    """Scale each item's colours to the brightness that the image has in its pixels.

    The prior knows albedo, not light: without this an object in shade would look wrong where only the light is.

    Args:
        image: (H, W, 3) uint8.
        color: (H, W, 3) float32 in 0..1.
        item_id: (H, W) int32, -1 on background.
        count: number of items.

    Returns:
        (H, W, 3) float32 in 0..1.
    """
    drawn = item_id >= 0
    owner, rendered = item_id[drawn], color[drawn]
    taken = image[drawn].astype(np.float32) / 255.0
    # Least squares: the gain g that brings g * rendered nearest to the image.
    product = np.bincount(owner, (taken * rendered).sum(axis=1), minlength=count)
    power = np.bincount(owner, (rendered * rendered).sum(axis=1), minlength=count)
    gain = np.clip(product / np.maximum(power, 1e-9), *_GAIN_RANGE).astype(np.float32)
    result = np.zeros_like(color)
    result[drawn] = np.clip(rendered * gain[owner, None], 0.0, 1.0)
    return result


def base_boxes(tracks: Sequence[Track], odom_from_base: np.ndarray) -> np.ndarray:
    """(N, 8, 3) corners of the tracks' boxes in base_link, in the order of `box_corners`."""
    boxes = np.array([track.box for track in tracks], np.float64).reshape(-1, 7)
    corners = box_corners(boxes)
    return transform_points(invert_transform(odom_from_base), corners.reshape(-1, 3)).reshape(corners.shape)


def _at_width(camera: Camera, image: np.ndarray, width: int | None) -> tuple[Camera, np.ndarray]:
    if width is None or width == camera.width:
        return camera, np.ascontiguousarray(image)
    height = max(round(camera.height * width / camera.width), 1)
    method = cv2.INTER_AREA if width < camera.width else cv2.INTER_LINEAR
    return camera.resized(width, height), cv2.resize(image, (width, height), interpolation=method)


def _items_in_view(
    scene: SceneEstimate, camera: Camera, prior: ObjectPrior | None
) -> tuple[list[int], list[SceneItem]]:
    """Indices of the tracks whose box may touch the image, and their meshes."""
    if prior is None or not scene.tracks:
        return [], []
    sound = [k for k, track in enumerate(scene.tracks) if np.isfinite(track.box).all()]
    corners = base_boxes([scene.tracks[k] for k in sound], scene.frame.odom_from_base)
    base_from_odom = invert_transform(scene.frame.odom_from_base)
    drawn, items = [], []
    for k, touches in zip(sound, _may_touch(camera, corners), strict=True):
        item = meshes_of(prior).metric_item(scene.tracks[k], base_from_odom) if touches else None
        if item is not None:
            drawn.append(k)
            items.append(item)
    return drawn, items


def _may_touch(camera: Camera, corners: np.ndarray) -> np.ndarray:
    """(N,) bool: False where all corners (N, 8, 3) of a box lie beyond one edge of the image."""
    if not len(corners):
        return np.zeros(0, bool)
    points = transform_points(camera.camera_from_base, corners.reshape(-1, 3)).reshape(corners.shape)
    clip = camera.clip_positions(points.reshape(-1, 3)).reshape(*corners.shape[:2], 4)
    w = clip[..., 3:]
    beyond = np.concatenate([clip[..., :2] > w, clip[..., :2] < -w], axis=-1).all(axis=1).any(axis=-1)
    return np.asarray((points[..., 2] > _NEAR).any(axis=1) & ~beyond)
