"""Which of the network's boxes belongs to which detection from elsewhere."""

import numpy as np
from refine_scenes import VAN, WALKER, Thing, detection

from airside_perception.refine.network_boxes import match_network_boxes

VANS = [Thing("gse", 12, 0, 0, VAN), Thing("gse", 15, 0, 0, VAN)]


def matched(ours, theirs):
    boxes = np.array([each.box for each in ours]).reshape(-1, 7)
    return match_network_boxes(boxes, [each.class_name for each in ours], theirs, np.zeros(3))


def test_neighbours_keep_their_own_boxes():
    ours = [detection(VANS[0], dx=0.8), detection(VANS[1], dx=0.8)]
    boxes, known = matched(ours, [detection(VANS[1]), detection(VANS[0])])
    assert known.all()
    np.testing.assert_allclose(boxes[:, 0], [12, 15])


def test_one_box_serves_one_detection():
    _, known = matched([detection(VANS[0]), detection(VANS[0], dx=0.5)], [detection(VANS[0])])
    assert known.tolist() == [True, False]


def test_far_boxes_and_other_classes_are_none():
    walker = Thing("person", 12, 0, 0, WALKER)
    _, known = matched([detection(VANS[0])], [detection(walker), detection(VANS[0], dx=4.0)])
    assert not known.any()


def test_nothing_to_match():
    boxes, known = matched([], [detection(VANS[0])])
    assert boxes.shape == (0, 7)
    assert known.shape == (0,)
    assert not matched([detection(VANS[0])], ())[1].any()
