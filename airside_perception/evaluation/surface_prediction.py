"""Where tracks say that a point of an image goes: it sticks to the surface that the recovered meshes show there.

A queried pixel that shows a track's mesh (its box, where it has no mesh) becomes a place in that track's box and
moves with it. Other pixels are taken for ground, or for something infinitely far above the horizon, and move by the
vehicle's odometry alone, unless a track that is born soon after, moved back by its velocity, covers them. A point is
predicted occluded where a mesh is drawn in front of it, where it leaves the image, and once its track is gone.
Nothing is predicted from later frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
_BIRTH_S = 1.0
"""A track born within this time of a query may have been there already."""
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
        self._known: set[str] = set()

    def add(self, scene: SceneEstimate, index: int, prior: ObjectPrior | None) -> None:
        """Take in one frame.

        Args:
            scene: what was estimated.
            index: of the frame in the ground truth.
            prior: decodes the tracks' meshes; None takes their boxes.
        """
        tracks = [track for track in scene.tracks if np.isfinite(track.box).all()]
        born = [track for track in tracks if track.track_id not in self._known]
        self._known.update(track.track_id for track in born)
        for points in self._cameras.values():
            points.attach_late(scene.stamp_ns, born, prior)
        for name, image in scene.frame.images.items():
            if name not in self._cameras or not self._cameras[name].begun(index):
                continue
            # The vehicle moved on between exposure and anchor stamp.
            motion = np.concatenate([scene.frame.linear_velocity, [0.0, 0.0, scene.frame.yaw_rate]])
            odom_from_base = scene.frame.odom_from_base @ exp_se3(-image.age_s * motion)
            view = _View(image.camera.resized(SIDE, SIDE), odom_from_base, tracks, prior)
            self._cameras[name].attach(index, scene.stamp_ns, view)
            self._cameras[name].predict(index, view)

    def scored(self) -> list[tuple[PointVideo, np.ndarray, np.ndarray]]:
        """Truth, predicted pixels and predicted visibility of each camera."""
        return [(each.video, each.pixels, each.visible) for each in self._cameras.values()]


class _View:
    """One image's camera, and which track is drawn where in it."""

    def __init__(self, camera: Camera, odom_from_base: np.ndarray, tracks: list[Track], prior: ObjectPrior | None):
        self.camera, self.tracks = camera, {track.track_id: track for track in tracks}
        self.odom_from_camera = odom_from_base @ camera.base_from_camera
        self.odom_from_base = odom_from_base
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
            return "", transform_points(self.odom_from_base, on_ground)
        return "", transform_points(self.odom_from_camera, ray * _FAR_AWAY)

    def project(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(P, 2) pixels of (P, 3) places in odom, and (P,) bool: inside the image and nothing is drawn before them."""
        optical = transform_points(invert_transform(self.odom_from_camera), places)
        pixels, valid = self.camera.project(optical)
        inside = valid & self.camera.contains(pixels)
        column, row = np.clip(np.round(np.where(inside[:, None], pixels, 0)).astype(int), 0, SIDE - 1).T
        tolerance = 0.3 + 0.02 * optical[:, 2]
        return pixels, inside & (self._depth[row, column] > optical[:, 2] - tolerance)


@dataclass(frozen=True)
class _Query:
    """A frame in which points were queried."""

    index: int
    stamp_ns: int
    camera: Camera
    odom_from_base: np.ndarray


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
        self._queries: list[_Query] = []

    def begun(self, index: int) -> bool:
        """True once some point was queried."""
        return bool((self.video.query <= index).any())

    def attach(self, index: int, stamp_ns: int, view: _View) -> None:
        """Find out what the points queried in this frame belong to."""
        asked = np.flatnonzero(self.video.query == index)
        for point in asked:
            self._attach(point, view)
        if len(asked):
            self._queries.append(_Query(index, stamp_ns, view.camera, view.odom_from_base))

    def attach_late(self, stamp_ns: int, born: list[Track], prior: ObjectPrior | None) -> None:
        """Give new tracks the points that they would have covered when these were queried."""
        self._queries = [query for query in self._queries if stamp_ns - query.stamp_ns <= _BIRTH_S * 1e9]
        for query in self._queries if born else ():
            back_s = (query.stamp_ns - stamp_ns) / 1e9
            then = [replace(track, box=_moved(track, back_s)) for track in born]
            view = _View(query.camera, query.odom_from_base, then, prior)
            for point in np.flatnonzero((self.video.query == query.index) & (self._owner == "")):
                self._attach(point, view)

    def _attach(self, point: np.integer, view: _View) -> None:
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


def _moved(track: Track, seconds: float) -> np.ndarray:
    """(7,) box where the track's velocity takes it."""
    box = track.box.copy()
    box[:2] += track.velocity * seconds
    box[6] += track.yaw_rate * seconds
    return box


def _item(track: Track, base_from_odom: np.ndarray, prior: ObjectPrior | None) -> SceneItem:
    item = meshes_of(prior).metric_item(track, base_from_odom) if prior is not None else None
    return item or SceneItem(box_corners(track.box[None])[0], _BOX_FACES, base_from_odom)


def summarize_predictions(parts: list[SurfacePrediction]) -> dict[str, Any] | None:
    """The part of summary.json on point tracks, over several sequences."""
    return summarize_points([video for part in parts for video in part.scored()])
