"""Box overlaps against an independent polygon clipper and against counting random points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from airside_perception.geometry import (
    box_corners,
    giou_3d,
    giou_3d_pairs,
    ground_distance,
    iou_3d,
    iou_bev,
    points_in_boxes,
    pose_from_xyz_yaw,
    transform_boxes,
    transform_points,
)

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")

boxes = st.tuples(
    *[st.floats(-3.0, 3.0)] * 3,
    *[st.floats(0.2, 6.0)] * 3,
    st.one_of(st.floats(-4, 4), st.sampled_from([0, np.pi / 2])),
).map(lambda values: np.array([values], np.float64))


def clipped_area(subject: np.ndarray, clip: np.ndarray) -> float:
    """Area of the intersection of two counter-clockwise convex polygons: Sutherland-Hodgman, one pair at a time."""
    polygon = list(subject)
    for start, end in zip(clip, np.roll(clip, -1, axis=0), strict=True):
        normal = np.array([start[1] - end[1], end[0] - start[0]])
        sides = [float(normal @ (p - start)) for p in polygon]
        result = []
        for i, (p, side) in enumerate(zip(polygon, sides, strict=True)):
            q, other = polygon[i - 1], sides[i - 1]
            if (side >= 0) != (other >= 0):
                result.append(q + (p - q) * other / (other - side))
            if side >= 0:
                result.append(p)
        polygon = result
        if not polygon:
            return 0.0
    x, y = np.array(polygon).T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def reference_overlap(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Intersection volume and union volume of two boxes (7,)."""
    area = clipped_area(box_corners(a[None])[0, :4, :2], box_corners(b[None])[0, :4, :2])
    height = min(a[2] + a[5] / 2, b[2] + b[5] / 2) - max(a[2] - a[5] / 2, b[2] - b[5] / 2)
    intersection = area * max(height, 0.0)
    return intersection, float(np.prod(a[3:6]) + np.prod(b[3:6]) - intersection)


@given(boxes, boxes)
def test_iou_matches_polygon_clipping(a, b):
    intersection, union = reference_overlap(a[0], b[0])
    assert iou_3d(a, b)[0, 0] == pytest.approx(intersection / union, abs=1e-9)


@given(boxes, boxes)
def test_giou_matches_the_convex_hull(a, b):
    intersection, union = reference_overlap(a[0], b[0])
    ground = np.concatenate([box_corners(a)[0, :4, :2], box_corners(b)[0, :4, :2]])
    z = np.concatenate([box_corners(a)[0, :, 2], box_corners(b)[0, :, 2]])
    enclosing = ConvexHull(ground).volume * (z.max() - z.min())
    expected = intersection / union - (enclosing - union) / enclosing
    assert giou_3d(a, b)[0, 0] == pytest.approx(expected, abs=1e-9)


def test_pairs_are_the_diagonal_of_all_pairs():
    rng = np.random.default_rng(2)
    a, b = (np.concatenate([rng.uniform(-3, 3, (9, 3)), rng.uniform(1, 6, (9, 4))], axis=1) for _ in range(2))
    assert giou_3d_pairs(a, b) == pytest.approx(np.diag(giou_3d(a, b)), abs=1e-12)
    with pytest.raises(ValueError, match="got 9 and 8"):
        giou_3d_pairs(a, b[:8])


def test_iou_matches_counted_points():
    rng = np.random.default_rng(1)
    for _ in range(5):
        a = np.concatenate([rng.uniform(-1, 1, 3), rng.uniform(2, 5, 3), rng.uniform(-3, 3, 1)])
        b = np.concatenate([rng.uniform(-1, 1, 3), rng.uniform(2, 5, 3), rng.uniform(-3, 3, 1)])
        inside = points_in_boxes(rng.uniform(-6, 6, (200_000, 3)), np.stack([a, b]))
        counted = np.sum(inside.all(axis=1)) / np.sum(inside.any(axis=1))
        assert iou_3d(a[None], b[None])[0, 0] == pytest.approx(counted, abs=0.02)


@given(boxes, boxes, st.floats(-50, 50), st.floats(-4, 4))
def test_overlap_is_symmetric_and_moves_with_the_frame(a, b, shift, yaw):
    forward, backward = iou_3d(a, b), iou_3d(b, a)
    assert np.allclose(forward.T, backward, atol=1e-9)
    assert iou_bev(a, a)[0, 0] == pytest.approx(1.0, abs=1e-9)
    assert giou_3d(a, a)[0, 0] == pytest.approx(1.0, abs=1e-9)
    assert -1.0 < giou_3d(a, b)[0, 0] <= iou_3d(a, b)[0, 0] + 1e-9
    pose = pose_from_xyz_yaw(shift, -shift, 1.0, yaw)
    moved = iou_3d(transform_boxes(pose, a), transform_boxes(pose, b))
    assert moved == pytest.approx(iou_3d(a, b), abs=1e-9)


def test_known_overlaps():
    unit = [0, 0, 0, 2, 2, 2, 0]
    others = [
        [1, 0, 0, 2, 2, 2, 0],  # half of it
        [2, 0, 0, 2, 2, 2, 0],  # touching
        [0, 0, 1, 2, 2, 2, np.pi / 2],  # quarter turn, half the height
        [0, 0, 0, 1, 1, 1, np.pi / 4],  # inside
        [9, 9, 9, 2, 2, 2, 1],  # far away
    ]
    assert iou_3d([unit], others)[0] == pytest.approx([1 / 3, 0, 1 / 3, 1 / 8, 0], abs=1e-12)
    octagon = 8 * (np.sqrt(2) - 1)  # a square of side 2 and itself turned by 45 degrees
    assert iou_bev([unit], [[0, 0, 0, 2, 2, 2, np.pi / 4]])[0, 0] == pytest.approx(octagon / (8 - octagon))


def test_far_from_the_origin_nothing_is_lost():
    near = np.array([[0, 0, 0, 4, 2, 1.5, 0.3]]), np.array([[0.5, 0.2, 0, 4, 2, 1.5, 0.4]])
    offset = np.array([80_000.0, -50_000.0, 0, 0, 0, 0, 0])
    assert iou_3d(near[0] + offset, near[1] + offset) == pytest.approx(iou_3d(*near), abs=1e-8)


def test_empty_lists_and_wrong_shapes():
    assert iou_3d(np.zeros((0, 7)), np.ones((3, 7))).shape == (0, 3)
    assert giou_3d(np.ones((3, 7)), []).shape == (3, 0)
    assert box_corners(np.zeros((0, 7))).shape == (0, 8, 3)
    with pytest.raises(ValueError, match=r"\(N, 7\)"):
        iou_3d(np.zeros((2, 6)), np.zeros((2, 7)))


def test_corner_order_and_points_inside():
    box = np.array([[10, 0, 1, 4, 2, 2, np.pi / 2]])
    corners = box_corners(box)[0]
    assert corners[0] == pytest.approx([9, 2, 0])  # front left, bottom
    assert corners[4] == pytest.approx([9, 2, 2])  # above it
    points = np.array([[10, 1.9, 1], [10.9, 0, 1], [11.1, 0, 1], [10, 0, 2.1]])
    assert points_in_boxes(points, box)[:, 0].tolist() == [True, True, False, False]


def test_transform_boxes_agrees_with_corners():
    box = np.array([[3, -2, 1, 4, 2, 2, 0.7]])
    pose = pose_from_xyz_yaw(5, 6, 7, 2.9)
    assert box_corners(transform_boxes(pose, box))[0] == pytest.approx(transform_points(pose, box_corners(box)[0]))


def test_ground_distance_ignores_height():
    assert ground_distance([[0, 0, 0, 1, 1, 1, 0]], [[3, 4, 50, 1, 1, 1, 0]]) == pytest.approx(np.array([[5.0]]))
