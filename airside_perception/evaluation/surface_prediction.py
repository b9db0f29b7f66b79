"""Where tracks say that a point of an image goes: it sticks to the surface that the recovered meshes show there.

A queried pixel that shows a track's mesh (its box, where it has no mesh) becomes a place in that track's box and
moves with it. Other pixels are taken for ground, or for something infinitely far above the horizon, and move by the
vehicle's odometry alone. A point is predicted occluded where a mesh is drawn in front of it, where it leaves the
image, and once its track is gone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from airside_perception.evaluation.point_tracking import SIDE, PointVideo, summarize_points
from airside_perception.evaluation.point_truth import PointTruth
from airside_perception.explain.track_render import meshes_of
from airside_perception.geometry.boxes import box_corners
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import exp_se3, invert_transform, pose_from_xyz_yaw, transform_points
from airside_perception.prior import ObjectPrior
from airside_perception.records import SceneEstimate, Track
from airside_perception.rendering.scene_renderer import SceneItem, render_scene

_FAR_AWAY = 1e5
_BOX_FACES = np.array(
    [
        (2, 1, 0), (3, 2, 0), (4, 5, 6), (4, 6, 7), (3, 0, 4), (3, 4, 7),
        (0, 1, 5), (0, 5, 4), (1, 2, 6), (1, 6, 5), (2, 3, 7), (2, 7, 6),
    ]
)  # fmt: skip
"""Counter-clockwise triangles over the corners of `box_corners`."""


class SurfacePrediction:
    """Predicts the point tracks of one sequence, frame by frame.

    Args:
        truth: gives the queries; nothing else of it is looked at.
    """

    def __init__(self, truth: PointTruth):
        self._cameras = {name: _CameraPoints(video) for name, video in truth.videos.items()}

    def add(self, scene: SceneEstimate, index: int, prior: ObjectPrior | None) -> None:
        """Take in one frame.

        Args:
            scene: what was estimated.
            index: of the frame in the ground truth.
            prior: decodes the tracks' meshes; None takes their boxes.
        """
        tracks = [track for track in scene.tracks if np.isfinite(track.box).all()]
        for name, image in scene.frame.images.items():
            points = self._cameras.get(name)
            if points is None or not points.begun(index):
                continue
            # The vehicle moved on between exposure and anchor stamp.
            motion = np.concatenate([scene.frame.linear_velocity, [0.0, 0.0, scene.frame.yaw_rate]])
            odom_from_base = scene.frame.odom_from_base @ exp_se3(-image.age_s * motion)
            view = _View(image.camera.resized(SIDE, SIDE), odom_from_base, tracks, prior)
            points.attach(index, view)
            points.predict(index, view)

    def scored(self) -> list[tuple[PointVideo, np.ndarray, np.ndarray]]:
        """Truth, predicted pixels and predicted visibility of each camera."""
        return [(each.video, each.pixels, each.visible) for each in self._cameras.values()]


class _View:
    """One image's camera, and which track is drawn where in it."""

    def __init__(self, camera: Camera, odom_from_base: np.ndarray, tracks: list[Track], prior: ObjectPrior | None):
        self.camera, self.tracks = camera, {track.track_id: track for track in tracks}
        self.odom_from_camera = odom_from_base @ camera.base_from_camera
        self._odom_from_base = odom_from_base
        base_from_odom = invert_transform(odom_from_base)
        items = [_item(track, base_from_odom, prior) for track in tracks]
        render = render_scene(camera, items, cull_backfaces=True)
        self._ids = np.array([*self.tracks, ""], object)[render.item_id]
        self._depth = np.where(render.item_id >= 0, render.depth, np.inf)

    def surface(self, pixel: np.ndarray) -> tuple[str, np.ndarray]:
        """Track that a (2,) pixel shows ("" for none) and the place of its surface in odom, (3,)."""
        ray = self.camera.unproject(pixel)
        column, row = np.clip(np.round(pixel).astype(int), 0, SIDE - 1)
        owner = str(self._ids[row, column])
        if owner and ray[2] > 1e-3:
            place = ray / ray[2] * self._depth[row, column]
            return owner, transform_points(self.odom_from_camera, place)
        on_ground, hit = self.camera.ground_intersection(pixel)
        if hit:
            return "", transform_points(self._odom_from_base, on_ground)
        return "", transform_points(self.odom_from_camera, ray * _FAR_AWAY)

    def project(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(P, 2) pixels of (P, 3) places in odom, and (P,) bool: inside the image and nothing is drawn before them."""
        optical = transform_points(invert_transform(self.odom_from_camera), places)
        pixels, valid = self.camera.project(optical)
        inside = valid & self.camera.contains(pixels)
        column, row = np.clip(np.round(np.where(inside[:, None], pixels, 0)).astype(int), 0, SIDE - 1).T
        tolerance = 0.3 + 0.02 * optical[:, 2]
        return pixels, inside & (self._depth[row, column] > optical[:, 2] - tolerance)


class _CameraPoints:
    """Points of one camera on their way."""

    def __init__(self, video: PointVideo):
        self.video = video
        self._queried = video.query_pixels()
        self.pixels = np.repeat(self._queried[:, None], video.pixels.shape[1], axis=1)
        self.visible = np.zeros(self.pixels.shape[:2], bool)
        self._place = np.zeros((len(video.query), 3))
        self._in_box = np.zeros((len(video.query), 3))
        self._owner = np.full(len(video.query), None, object)

    def begun(self, index: int) -> bool:
        """True once some point was queried."""
        return bool((self.video.query <= index).any())

    def attach(self, index: int, view: _View) -> None:
        """Find out what the points queried in this frame belong to."""
        for point in np.flatnonzero(self.video.query == index):
            owner, place = view.surface(self._queried[point] - 0.5)
            self._owner[point], self._place[point] = owner, place
            if owner:
                box = view.tracks[owner].box
                self._in_box[point] = transform_points(invert_transform(_pose(box)), place) / box[3:6]

    def predict(self, index: int, view: _View) -> None:
        """Place all points attached so far into this frame."""
        gone = np.zeros(len(self._owner), bool)
        for owner in {each for each in self._owner if each}:
            own = self._owner == owner
            if owner in view.tracks:
                box = view.tracks[owner].box
                self._place[own] = transform_points(_pose(box), self._in_box[own] * box[3:6])
            else:
                gone |= own
        attached = np.flatnonzero([owner is not None for owner in self._owner])
        pixels, shows = view.project(self._place[attached])
        self.pixels[attached, index] = pixels + 0.5
        self.visible[attached, index] = shows & ~gone[attached]


def _pose(box: np.ndarray) -> np.ndarray:
    return pose_from_xyz_yaw(box[0], box[1], box[2], box[6])


def _item(track: Track, base_from_odom: np.ndarray, prior: ObjectPrior | None) -> SceneItem:
    item = meshes_of(prior).metric_item(track, base_from_odom) if prior is not None else None
    return item or SceneItem(box_corners(track.box[None])[0], _BOX_FACES, base_from_odom)


def summarize_predictions(parts: list[SurfacePrediction]) -> dict[str, Any] | None:
    """The part of summary.json on point tracks, over several sequences."""
    return summarize_points([video for part in parts for video in part.scored()])
