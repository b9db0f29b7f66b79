"""Which of the network's boxes belongs to which detection from elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from refine_scenes import VAN, WALKER, Thing, detection

from airside_perception.records import ObjectEstimate
from airside_perception.refine.class_spread import ClassSpread
from airside_perception.refine.network_boxes import match_network_boxes, with_velocities

SPREAD = ClassSpread(0.3, 0.02, 0.1, 0.01, 0.3, (0.1, 0.1, 0.1), (1.0, 1.0))
VANS = [Thing("gse", 12, 0, 0, VAN), Thing("gse", 15, 0, 0, VAN)]


def matched(ours, theirs):
    boxes = np.array([each.box for each in ours]).reshape(-1, 7)
    return match_network_boxes(boxes, [each.class_name for each in ours], theirs, np.zeros(3))


def test_neighbours_keep_their_own_boxes():
    ours = [detection(VANS[0], dx=0.8), detection(VANS[1], dx=0.8)]
    boxes, known, _, _ = matched(ours, [detection(VANS[1]), detection(VANS[0])])
    assert known.all()
    np.testing.assert_allclose(boxes[:, 0], [12, 15])


def test_one_box_serves_one_detection():
    _, known, _, _ = matched([detection(VANS[0]), detection(VANS[0], dx=0.5)], [detection(VANS[0])])
    assert known.tolist() == [True, False]


def test_far_boxes_and_other_classes_are_none():
    walker = Thing("person", 12, 0, 0, WALKER)
    _, known, _, _ = matched([detection(VANS[0])], [detection(walker), detection(VANS[0], dx=4.0)])
    assert not known.any()


def test_nothing_to_match():
    boxes, known, velocity, _ = matched([], [detection(VANS[0])])
    assert boxes.shape == (0, 7)
    assert known.shape == (0,)
    assert velocity.shape == (0, 2)
    assert not matched([detection(VANS[0])], ())[1].any()


@pytest.mark.parametrize(
    ("displacement", "gap_s", "counts", "std"),
    [(0.2, 0.5, True, 0.4), (0.2, np.nan, True, np.nan), (np.nan, 0.5, False, np.nan), (0.2, 0.0, False, np.nan)],
)
def test_velocities_count_as_far_as_their_errors_are_known(displacement, gap_s, counts, std):
    spread = replace(SPREAD, displacement=displacement)
    velocity, told_std = spread.velocity(np.array([1.5, -0.5]), gap_s)
    assert (velocity is not None) == counts
    np.testing.assert_equal(told_std, std)
    assert spread.velocity(None, gap_s)[0] is None


def test_velocities_of_the_network_serve_detectors_that_tell_none():
    ours = [detection(thing) for thing in VANS]
    moving = replace(detection(VANS[0]), velocity=np.array([1.5, -0.5]), velocity_gap_s=0.5)
    theirs = [moving, detection(VANS[1])]
    network = matched(ours, theirs)
    told = replace(SPREAD, displacement=0.2)
    estimates = [ObjectEstimate("gse", each.box, np.eye(7), 0.9) for each in ours]
    first, second = with_velocities(estimates, network, {"gse": replace(told, network=told)})
    np.testing.assert_allclose(first.velocity, [1.5, -0.5])
    assert first.velocity_std == 0.4
    assert second.velocity is None
    own = replace(estimates[0], velocity=np.array([2.0, 0.0]), velocity_std=0.7)
    kept = with_velocities([own], matched(ours[:1], theirs), {"gse": replace(told, network=told)})[0]
    np.testing.assert_allclose(kept.velocity, [2.0, 0.0])
    assert kept.velocity_std == 0.7
