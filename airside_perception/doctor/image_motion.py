"""Whether what moves in the images is what calibration, mounting and odometry say must move.

Points of the still world that are followed from one frame to another lie on epipolar lines that
follow from odometry and extrinsics alone, and in front of the camera. Where a camera's points do
not, but would if its images were mirrored or came from another camera's place, that is most likely
what happened. Nothing needs to be known of the scene; the vehicle must have moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from airside_perception.geometry import Camera, Rig, invert_transform, rotate_vectors

_MOST_POINTS = 300
_SMALLEST_FLOW_PX = 2.0
_TOLERANCE_PX = 0.5
_TOLERANCE_SHARE = 0.15
"""A point may lie off its epipolar line by so many pixels and this share of its way through the image."""

_FEWEST_POINTS = 40
MOVED_M = (0.25, 2.0)
"""Frames are compared whose vehicle positions are so far apart, metres."""


@dataclass(frozen=True)
class View:
    """One image of a camera and where the vehicle was: grey (H, W) uint8, odom_from_base (4, 4)."""

    grey: np.ndarray
    odom_from_base: np.ndarray


@dataclass(frozen=True)
class Flow:
    """Points followed from one frame to a later one.

    Attributes:
        first, second: (N, 2) pixels.
        first_from_second: (4, 4) pose of the later base_link in the earlier one.
    """

    first: np.ndarray
    second: np.ndarray
    first_from_second: np.ndarray


@dataclass(frozen=True)
class MotionFit:
    """How well a camera's image motion fits what it should be.

    Attributes:
        points: how many followed points the shares are of.
        own: share of points that fit the camera's own calibration and mounting.
        mirrored: share that would fit if the images were mirrored left to right.
        others: other camera -> share that would fit at its place.
    """

    points: int
    own: float
    mirrored: float
    others: Mapping[str, float]

    @property
    def judged(self) -> bool:
        """True where there is enough motion to say anything."""
        return self.points >= _FEWEST_POINTS


def follow_points(first: View, second: View) -> Flow:
    """Corners of the first image and where they are in the second; only those that moved in the image."""
    corners = cv2.goodFeaturesToTrack(first.grey, _MOST_POINTS, 0.01, 7)
    motion = invert_transform(first.odom_from_base) @ second.odom_from_base
    empty = np.zeros((0, 2))
    if corners is None:
        return Flow(empty, empty, motion)
    ahead, found, _ = cv2.calcOpticalFlowPyrLK(first.grey, second.grey, corners, np.empty_like(corners))
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(second.grey, first.grey, ahead, np.empty_like(corners))
    start, end, again = (points.reshape(-1, 2).astype(np.float64) for points in (corners, ahead, back))
    kept = (found.ravel() == 1) & (found_back.ravel() == 1) & (np.linalg.norm(start - again, axis=1) < 0.5)
    kept &= np.linalg.norm(end - start, axis=1) > _SMALLEST_FLOW_PX
    return Flow(start[kept], end[kept], motion)


def fitting_share(camera: Camera, flows: Iterable[Flow], mirrored: bool = False) -> float:
    """Share of the followed points that are points of a still world seen by this camera; 0 without any."""
    fits = [_fits(camera, flow, mirrored) for flow in flows]
    together = np.concatenate(fits) if fits else np.zeros(0, bool)
    return float(together.mean()) if together.size else 0.0


def _fits(camera: Camera, flow: Flow, mirrored: bool) -> np.ndarray:
    """(N,) bool: near its epipolar line, and in front of the camera in both frames."""
    first, second = flow.first, flow.second
    if mirrored:
        first, second = ([camera.width - 1.0, 0.0] + pixels * [-1.0, 1.0] for pixels in (first, second))
    motion = camera.camera_from_base @ flow.first_from_second @ camera.base_from_camera
    ray = camera.unproject(first)
    other = rotate_vectors(motion, camera.unproject(second))
    shift = motion[:3, 3]
    # ray * a = shift + other * b: solved for the depths a and b in the plane of the two rays.
    normal = np.cross(ray, other)
    square = np.maximum((normal**2).sum(axis=1), 1e-12)
    depth_first = (np.cross(np.broadcast_to(shift, other.shape), other) * normal).sum(axis=1) / square
    depth_second = (np.cross(np.broadcast_to(shift, ray.shape), ray) * normal).sum(axis=1) / square
    plane = np.cross(np.broadcast_to(shift, ray.shape), ray)
    sine = np.abs((plane * other).sum(axis=1)) / np.maximum(np.linalg.norm(plane, axis=1), 1e-12)
    allowed = _TOLERANCE_PX + _TOLERANCE_SHARE * np.linalg.norm(second - first, axis=1)
    return (sine * camera.intrinsics[0, 0] < allowed) & (depth_first > 0) & (depth_second > 0)


def judge_motion(rig: Rig, views: Mapping[str, list[View]]) -> dict[str, MotionFit]:
    """Camera -> how its image motion fits, from all pairs of views that are far enough apart."""
    fits = {}
    for name, camera_views in views.items():
        pairs = [pair for pair in combinations(camera_views, 2) if MOVED_M[0] <= _distance(*pair) <= MOVED_M[1]]
        flows = [follow_points(first, second) for first, second in pairs]
        camera = rig.cameras[name]
        same_size = [c for n, c in rig.cameras.items() if n != name and _size(c) == _size(camera)]
        fits[name] = MotionFit(
            points=sum(len(flow.first) for flow in flows),
            own=fitting_share(camera, flows),
            mirrored=fitting_share(camera, flows, mirrored=True),
            others={other.name: fitting_share(other, flows) for other in same_size},
        )
    return fits


def _size(camera: Camera) -> tuple[int, int]:
    return camera.width, camera.height


def _distance(first: View, second: View) -> float:
    return float(np.linalg.norm(first.odom_from_base[:3, 3] - second.odom_from_base[:3, 3]))
