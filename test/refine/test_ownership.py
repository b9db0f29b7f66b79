"""Cells of neighbours, of what stands behind, and of what nobody detected."""

import numpy as np
import pytest
from vote_scenes import camera_at, frame_of, said

from airside_perception.refine.cell_votes import votes_of_frame
from airside_perception.refine.ownership import Ownership
from airside_perception.refine.views import find_views

LEFT = [12.0, 1.6, 1.0, 3.2, 1.6, 2.0, 0.0]
RIGHT = [12.0, -1.6, 1.0, 3.2, 1.6, 2.0, 0.0]
FAR = [25.0, -1.6, 1.0, 3.2, 1.6, 2.0, 0.0]
NEAR = [6.0, -1.6, 1.0, 3.2, 1.6, 2.0, 0.0]
ROWS, LEFT_COLUMNS, RIGHT_COLUMNS = range(22, 30), range(30, 37), range(37, 44)


def beside(left, right, class_name="gse"):
    """Camera, frame and network where cells on the left speak for one box and cells on the right for another."""
    camera, pose = camera_at(), np.eye(4)
    block = [(r, c) for r in ROWS for pair in zip(LEFT_COLUMNS, RIGHT_COLUMNS, strict=True) for c in pair]
    return frame_of(camera, pose), said(camera, pose, np.array([left, right]), block, class_name)


def ownership(frame, network, boxes, class_name="gse"):
    return Ownership(frame, network, votes_of_frame(frame, network), np.array(boxes), [class_name] * len(boxes))


def on(values, columns):
    return values[ROWS.start : ROWS.stop, columns.start : columns.stop]


def test_cells_go_to_the_neighbour_they_speak_for():
    frame, network = beside(LEFT, RIGHT)
    owners = ownership(frame, network, [LEFT, RIGHT])
    for index, own, other in ((0, LEFT_COLUMNS, RIGHT_COLUMNS), (1, RIGHT_COLUMNS, LEFT_COLUMNS)):
        seen = owners.seen_from("front", index)
        assert on(seen.share, own).min() > 0.95
        assert on(seen.share, other).max() < 0.05


def test_cells_of_an_object_that_nobody_detected_belong_to_no_one():
    frame, network = beside(LEFT, FAR)
    seen = ownership(frame, network, [LEFT]).seen_from("front", 0)
    assert on(seen.share, LEFT_COLUMNS).min() > 0.95
    assert on(seen.share, RIGHT_COLUMNS).max() < 0.05


def test_what_stands_behind_is_told_from_what_stands_before():
    frame, network = beside(LEFT, FAR)
    owners = ownership(frame, network, [LEFT, FAR])
    assert on(owners.seen_from("front", 0).behind, RIGHT_COLUMNS).min() > 0.95
    assert on(owners.seen_from("front", 1).behind, LEFT_COLUMNS).max() < 0.05
    # Cells that vote for nothing may be anything.
    assert owners.seen_from("front", 0).behind[0, 0] == pytest.approx(0.5)
    assert owners.seen_from("rear", 0) is None


@pytest.mark.parametrize(("neighbour", "least", "most"), [(FAR, 0.9, 1.0), (NEAR, 0.0, 0.4)])
def test_a_neighbour_behind_bounds_the_silhouette_and_one_before_may_hide_it(neighbour, least, most):
    frame, network = beside(LEFT, neighbour)
    boxes, names = np.array([LEFT]), ["gse"]
    (whole,) = find_views(frame, boxes, names, network, 48, 1)
    (apart,) = find_views(frame, boxes, names, network, 48, 1, ownership(frame, network, boxes))
    own, foreign = apart.target > 0.9, (whole.target > 0.9) & (apart.target < 0.05)
    assert own.sum() > 100
    assert foreign.sum() > 20
    assert least <= apart.weight[foreign].min() <= apart.weight[foreign].max() <= most
    assert whole.weight[foreign].min() == 1.0
    assert apart.weight[own].min() > 0.95


def test_of_an_aircraft_nothing_counts_as_behind():
    frame, network = beside([20.0, 8.0, 3.0, 20.0, 18.0, 6.0, 0.0], FAR, "aircraft")
    seen = ownership(frame, network, [[20.0, 8.0, 3.0, 20.0, 18.0, 6.0, 0.0]], "aircraft").seen_from("front", 0)
    assert (seen.behind == 0.5).all()
