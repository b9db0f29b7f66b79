"""Average precision of detections worked by hand."""

import numpy as np
import pytest
from tracking_scenes import FRAME_NS, START_NS, ground_truth, truth_object

from airside_perception.evaluation.detection_metrics import (
    average_precision,
    evaluate_detection_sequences,
    evaluate_detections,
)
from airside_perception.records import Detection3D


def detection(name, x, y, score):
    return Detection3D(name, np.array([x, y, 1.0]), np.array([4.0, 2.0, 2.0]), 0.0, score)


def frames(*lists):
    return {START_NS + k * FRAME_NS: tuple(items) for k, items in enumerate(lists)}


def test_perfect_detections():
    truth = ground_truth([[truth_object("t", "gse", 5, 0), truth_object("u", "person", 9, 9)]] * 3)
    found = frames(*[[detection("gse", 5, 0, 0.9), detection("person", 9, 9, 0.4)]] * 3)
    result = evaluate_detections(found, truth)
    assert result["map"] == pytest.approx(1.0)
    assert result["per_class"]["gse"]["objects"] == 3


def test_distance_decides_at_which_limit_a_detection_counts():
    truth = ground_truth([[truth_object("t", "gse", 5, 0)]] * 2)
    result = evaluate_detections(frames([detection("gse", 6.5, 0, 0.9)], [detection("gse", 6.5, 0, 0.9)]), truth)
    figures = result["per_class"]["gse"]
    assert [figures[f"ap_{d}m"] for d in ("0.5", "1", "2", "4")] == pytest.approx([0, 0, 1, 1])
    assert figures["ap"] == pytest.approx(0.5)
    assert figures["recall_2m"] == 1.0


def test_false_positive_before_the_hit_halves_precision():
    # Precision 1/2 at recall 1, and by interpolation from the first point on 0 .. 1/2.
    hits = np.array([False, True])
    curve = np.interp(np.linspace(0, 1, 101), [0.0, 1.0], [0.0, 0.5])[11:]
    assert average_precision(hits, 1) == pytest.approx(np.mean(np.maximum(curve - 0.1, 0)) / 0.9)
    assert average_precision(np.array([True, False]), 1) > 0.9
    assert average_precision(np.zeros(0, bool), 3) == 0.0


def test_second_detection_of_an_object_is_false():
    truth = ground_truth([[truth_object("t", "gse", 5, 0)]])
    one = evaluate_detections(frames([detection("gse", 5, 0, 0.5)]), truth)
    two = evaluate_detections(frames([detection("gse", 5.2, 0, 0.9), detection("gse", 5, 0, 0.5)]), truth)
    assert one["per_class"]["gse"]["ap_1m"] == pytest.approx(1.0)
    # The false one comes after full recall: only the last of 90 points of the curve falls, from 1 to a half.
    assert two["per_class"]["gse"]["ap_1m"] == pytest.approx(1.0 - 0.5 / 90 / 0.9)
    three = evaluate_detections(frames([detection("gse", 8, 0, 0.9), detection("gse", 5, 0, 0.5)]), truth)
    assert three["per_class"]["gse"]["ap_1m"] < 0.5


def test_sequences_are_ranked_together_and_matched_apart():
    """Two sequences with the same stamps: a sure false alarm in one stands before the hit in the other."""
    first = ground_truth([[truth_object("t", "gse", 5, 0)]])
    second = ground_truth([[truth_object("u", "gse", 20, 0)]])
    right = [(frames([detection("gse", 5, 0, 0.6)]), first), (frames([detection("gse", 20, 0, 0.5)]), second)]
    assert evaluate_detection_sequences(right)["map"] == pytest.approx(1.0)
    assert evaluate_detection_sequences(right)["per_class"]["gse"]["objects"] == 2
    swapped = [(right[1][0], first), (right[0][0], second)]
    assert evaluate_detection_sequences(swapped)["map"] == 0.0
    alarm = [(frames([detection("gse", 9, 9, 0.9), detection("gse", 5, 0, 0.6)]), first), right[1]]
    # Ranked: false, true, true: precision 0, 1/2, 2/3 at recall 0, 1/2, 1.
    expected = average_precision(np.array([False, True, True]), 2)
    assert evaluate_detection_sequences(alarm)["per_class"]["gse"]["ap_1m"] == pytest.approx(expected)


def test_unseen_and_far_objects_are_excused():
    seen, hidden = truth_object("t", "gse", 5, 0), truth_object("u", "gse", 15, 0, visibility=0.0)
    truth = ground_truth([[seen, hidden, truth_object("v", "gse", 60, 0)]] * 2)
    found = [detection("gse", 15, 0, 0.95), detection("gse", 5, 0, 0.9), detection("gse", 60, 0, 0.99)]
    result = evaluate_detections(frames(found, found), truth)
    assert result["map"] == pytest.approx(1.0)
    assert result["per_class"]["gse"]["objects"] == 2


def test_no_truth_is_none():
    assert evaluate_detections(frames([detection("gse", 5, 0, 0.9)]), ground_truth([[]]))["map"] is None
