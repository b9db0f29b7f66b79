"""Upright (yaw) boxes: x, y, z of the centre, length, width, height, yaw; metres and radians.

Overlaps are exact and computed for all pairs at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from airside_perception.geometry.se3 import rotation_z, transform_points, wrap_angle, yaw_of

_CORNER_SIGNS = 0.5 * np.array(
    [[1, 1, -1], [-1, 1, -1], [-1, -1, -1], [1, -1, -1], [1, 1, 1], [-1, 1, 1], [-1, -1, 1], [1, -1, 1]], np.float64
)


def _as_boxes(boxes: ArrayLike) -> np.ndarray:
    array = np.asarray(boxes, np.float64)
    if array.size == 0:
        return np.zeros((0, 7))
    if array.ndim != 2 or array.shape[1] != 7:
        raise ValueError(f"expected boxes of shape (N, 7) (x, y, z, length, width, height, yaw), got {array.shape}")
    return array


BOX_EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
"""Pairs of corners, in the order of `box_corners`, that an edge connects."""


def box_corners(boxes: ArrayLike) -> np.ndarray:
    """Corners (N, 8, 3) of boxes (N, 7).

    Corners 0..3 are the bottom, counter-clockwise seen from above, starting front left
    (front left, rear left, rear right, front right); 4..7 are the top in the same order.
    """
    boxes = _as_boxes(boxes)
    corners = _CORNER_SIGNS * boxes[:, None, 3:6]
    return corners @ np.swapaxes(rotation_z(boxes[:, 6]), -1, -2) + boxes[:, None, :3]


def ground_distance(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """(N, M) distances between the centres of (N, 7) and (M, 7) boxes in the x-y plane, metres."""
    a, b = _as_boxes(a), _as_boxes(b)
    return np.linalg.norm(a[:, None, :2] - b[None, :, :2], axis=-1)


def transform_boxes(target_from_source: ArrayLike, boxes: ArrayLike) -> np.ndarray:
    """Boxes (N, 7) in the target frame; boxes stay upright, so only the transform's yaw turns them."""
    transform = np.asarray(target_from_source, np.float64)
    moved = _as_boxes(boxes).copy()
    moved[:, :3] = transform_points(transform, moved[:, :3])
    moved[:, 6] = wrap_angle(moved[:, 6] + yaw_of(transform))
    return moved


def points_in_boxes(points: ArrayLike, boxes: ArrayLike) -> np.ndarray:
    """(P, N) bool: which of the points (P, 3) lie in which of the boxes (N, 7), borders included."""
    points, boxes = np.asarray(points, np.float64), _as_boxes(boxes)
    offset = points[:, None, :] - boxes[None, :, :3]
    local = np.einsum("pni,nij->pnj", offset, rotation_z(boxes[:, 6]))
    return np.all(np.abs(local) <= 0.5 * boxes[None, :, 3:6], axis=-1)


def iou_bev(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """(N, M) intersection over union of the ground rectangles of (N, 7) and (M, 7) boxes."""
    a, b = _as_boxes(a), _as_boxes(b)
    intersection = _rectangle_intersection(a[:, None], b[None])
    union = (a[:, 3] * a[:, 4])[:, None] + (b[:, 3] * b[:, 4])[None, :] - intersection
    return intersection / np.maximum(union, 1e-12)


def iou_3d(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """(N, M) intersection over union of the volumes of (N, 7) and (M, 7) boxes, exact for yaw boxes."""
    intersection, union = _volumes(_as_boxes(a)[:, None], _as_boxes(b)[None])
    return intersection / np.maximum(union, 1e-12)


def giou_3d(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """(N, M) generalised IoU in (-1, 1] of (N, 7) and (M, 7) boxes.

    IoU minus the part of the enclosing volume that neither box fills (Rezatofighi et al. 2019).
    The enclosing volume is the convex hull on the ground times the joint height range, as is
    usual for yaw boxes (SimpleTrack).
    """
    return _giou_3d(_as_boxes(a)[:, None], _as_boxes(b)[None])


def giou_3d_pairs(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """(N,) generalised IoU of row i of `a` (N, 7) with row i of `b` (N, 7): for a few pairs out of many."""
    a, b = _as_boxes(a), _as_boxes(b)
    if len(a) != len(b):
        raise ValueError(f"expected as many boxes on both sides, got {len(a)} and {len(b)}")
    return _giou_3d(a, b)


_HULL_SIDES = np.array([(0, 1), (1, 2), (4, 5), (5, 6), *((i, j) for i in range(4) for j in range(4, 8))]).T
"""Pairs of the eight corners of two rectangles that give all directions which a side of their hull can have."""

# Below, boxes are (..., 7) arrays whose leading axes broadcast against each other.


def _giou_3d(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    intersection, union = _volumes(a, b)
    top = np.maximum(a[..., 2] + 0.5 * a[..., 5], b[..., 2] + 0.5 * b[..., 5])
    bottom = np.minimum(a[..., 2] - 0.5 * a[..., 5], b[..., 2] - 0.5 * b[..., 5])
    enclosing = np.maximum(_hull_area(a, b) * (top - bottom), 1e-12)
    return intersection / np.maximum(union, 1e-12) - (enclosing - union) / enclosing


def _volumes(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intersection and union volumes, cubic metres."""
    top = np.minimum(a[..., 2] + 0.5 * a[..., 5], b[..., 2] + 0.5 * b[..., 5])
    bottom = np.maximum(a[..., 2] - 0.5 * a[..., 5], b[..., 2] - 0.5 * b[..., 5])
    intersection = _rectangle_intersection(a, b) * np.maximum(top - bottom, 0.0)
    return intersection, np.prod(a[..., 3:6], axis=-1) + np.prod(b[..., 3:6], axis=-1) - intersection


def _ground_corners(boxes: np.ndarray) -> np.ndarray:
    """(..., 4, 2) corners of the ground rectangles, counter-clockwise."""
    corners = _CORNER_SIGNS[:4, :2] * boxes[..., None, 3:5]
    return corners @ np.swapaxes(rotation_z(boxes[..., 6])[..., :2, :2], -1, -2) + boxes[..., None, :2]


def _rectangle_intersection(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Exact areas of the overlap of ground rectangles, square metres.

    In the frame of rectangle b the overlap is the integral over |x| <= length/2 of the height
    of polygon a clamped to |y| <= width/2. By Green's theorem that is a sum over the four edges
    of a of an integral of a clamped linear function, which has a closed form. Unlike polygon
    clipping it needs neither sorting nor compaction, and touching edges are no special case.
    """
    corners = _ground_corners(a) - b[..., None, :2]
    local = corners @ rotation_z(b[..., 6])[..., :2, :2]
    start, end = local, np.roll(local, -1, axis=-2)
    half_x, half_y = 0.5 * b[..., None, 3], 0.5 * b[..., None, 4]

    x0, x1 = np.clip(start[..., 0], -half_x, half_x), np.clip(end[..., 0], -half_x, half_x)
    run = end[..., 0] - start[..., 0]
    slope = (end[..., 1] - start[..., 1]) / np.where(run == 0.0, 1.0, run)
    y0 = start[..., 1] + slope * (x0 - start[..., 0])
    y1 = start[..., 1] + slope * (x1 - start[..., 0])
    # Steep edges lose digits in `slope`; the edge itself bounds what y can be.
    low_end, high_end = np.minimum(start[..., 1], end[..., 1]), np.maximum(start[..., 1], end[..., 1])
    y0, y1 = np.clip(y0, low_end, high_end), np.clip(y1, low_end, high_end)
    area = -np.sum((x1 - x0) * _mean_of_clamped(y0, y1, half_y), axis=-1)
    return np.maximum(area, 0.0)


def _mean_of_clamped(y0: np.ndarray, y1: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Mean of clip(y, -limit, limit) while y runs linearly from y0 to y1."""
    low, high = np.minimum(y0, y1), np.maximum(y0, y1)
    span = np.maximum(high - low, 1e-200)
    below = np.clip((-limit - low) / span, 0.0, 1.0)
    above = np.clip((high - limit) / span, 0.0, 1.0)
    between = np.clip(1.0 - below - above, 0.0, 1.0)
    middle = 0.5 * (np.clip(low, -limit, limit) + np.clip(high, -limit, limit))
    return limit * (above - below) + between * middle


def _hull_area(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Areas of the convex hulls of pairs of ground rectangles.

    The hull's vertices are the extreme points over all directions. The extreme point changes
    only at directions normal to a side of the hull, which is a side of one rectangle or joins corners
    of both, so one direction between each two consecutive normals finds them all, in order; repeated
    points add nothing to the shoelace sum.
    """
    corners_a, corners_b = np.broadcast_arrays(_ground_corners(a), _ground_corners(b))
    if corners_a.size == 0:
        return np.zeros(corners_a.shape[:-2])
    points = np.concatenate([corners_a, corners_b], axis=-2)
    points = points - points.mean(axis=-2, keepdims=True)  # the shoelace sum cancels far from the origin
    edges = points[..., _HULL_SIDES[0], :] - points[..., _HULL_SIDES[1], :]
    # Normals come in opposite pairs: half a turn of directions finds the other half by the least extent.
    normals = np.sort(np.arctan2(-edges[..., 0], edges[..., 1]) % np.pi, axis=-1)
    following = np.concatenate([normals[..., 1:], normals[..., :1] + np.pi], axis=-1)
    middle = 0.5 * (normals + following)
    extent = np.cos(middle)[..., None] * points[..., None, :, 0] + np.sin(middle)[..., None] * points[..., None, :, 1]
    order = np.concatenate([np.argmax(extent, axis=-1), np.argmin(extent, axis=-1)], axis=-1)
    extreme = np.take_along_axis(points, order[..., None], axis=-2)
    after = np.roll(extreme, -1, axis=-2)
    return 0.5 * np.sum(extreme[..., 0] * after[..., 1] - extreme[..., 1] * after[..., 0], axis=-1)
