"""Tracking metrics against figures worked by hand and against nuScenes' own evaluation code."""

import copy
import json
import math

import numpy as np
import pytest
from tracking_scenes import FRAME_NS, START_NS, ground_truth, noisy_scene, result_entry, results, truth_object

from airside_perception.errors import AirsideError
from airside_perception.evaluation.nuscenes_metrics import RECALLS, recall_thresholds
from airside_perception.evaluation.scored_tracks import scored_sequence
from airside_perception.evaluation.tracking_metrics import evaluate_sequences, evaluate_tracking, score_files

FRAMES = 10


def standing(x=5.0, frames=range(FRAMES), **fields):
    """Ground truth of one vehicle that stands at (x, 0)."""
    return ground_truth([[truth_object("t", "gse", x, 0, **fields)] if f in frames else [] for f in range(FRAMES)])


def predicted(entries):
    """Results from a function of the frame number."""
    return results([entries(f) for f in range(FRAMES)])


def gse_figures(result, truth, max_range=50.0):
    return evaluate_tracking(result, truth, max_range)["per_class"]["gse"]


def test_perfect_tracking():
    summary = evaluate_tracking(predicted(lambda f: [result_entry("a", "gse", 5, 0)]), standing())
    expected = {"amota": 1.0, "amotp": 0.0, "mota": 1.0, "motp": 0.0, "recall": 1.0, "hota": 1.0}
    expected |= {"id_switches": 0, "fragmentations": 0, "translation_rmse_m": 0.0, "yaw_rmse_deg": 0.0}
    expected |= {"size_rmse_m": 0.0, "iou3d_mean": 1.0}
    for name, value in expected.items():
        assert summary[name] == pytest.approx(value, abs=1e-9), name
        assert summary["per_class"]["gse"][name] == pytest.approx(value, abs=1e-9), name
    assert set(summary["per_class"]) == {"gse"}
    json.dumps(summary, allow_nan=False)


def test_half_of_the_frames_found():
    figures = gse_figures(predicted(lambda f: [result_entry("a", "gse", 5.5, 0)] if f < 5 else []), standing())
    # 18 of the 40 recall points lie at 0.5 or below. There MOTAR = 1 - (5 - 0.5 * 10) / 5 = 1, MOTP = 0.5 m.
    assert figures["amota"] == pytest.approx(18 / 40)
    assert figures["amotp"] == pytest.approx((18 * 0.5 + 22 * 2.0) / 40)
    assert figures["mota"] == pytest.approx(0.5)
    assert figures["recall"] == pytest.approx(0.5)
    assert figures["misses"] == 5


def test_identity_switch():
    figures = gse_figures(predicted(lambda f: [result_entry("a" if f < 5 else "b", "gse", 5, 0)]), standing())
    assert figures["id_switches"] == 1
    assert figures["mota"] == pytest.approx(0.9)
    assert figures["recall"] == pytest.approx(1.0)
    # The switch is no match: recall 0.9 is reached, at 35 of 40 points, with MOTAR = 1 - (1 - 0.1 * 10) / 9 = 1.
    assert figures["amota"] == pytest.approx(35 / 40)
    # Every match is associated with half of the object's life.
    assert figures["hota"] == pytest.approx(math.sqrt(0.5))
    assert (figures["deta"], figures["assa"]) == pytest.approx((1.0, 0.5))


def test_false_positives_of_equal_score_cost_everything():
    entries = [result_entry("a", "gse", 5, 0), result_entry("b", "gse", 15, 0)]
    figures = gse_figures(predicted(lambda f: entries), standing())
    assert figures["false_positives"] == 10
    assert figures["amota"] == pytest.approx(0.0)
    assert figures["mota"] == pytest.approx(0.0)
    assert figures["deta"] == pytest.approx(0.5)


def test_false_positives_of_low_score_are_cut_off():
    entries = [result_entry("a", "gse", 5, 0, score=0.9), result_entry("b", "gse", 15, 0, score=0.2)]
    figures = gse_figures(predicted(lambda f: entries), standing())
    assert figures["amota"] == pytest.approx(1.0)
    assert figures["false_positives"] == 0
    assert figures["score_threshold"] == pytest.approx(0.9)


def test_track_score_is_the_mean_over_its_frames():
    figures = gse_figures(predicted(lambda f: [result_entry("a", "gse", 5, 0, score=0.1 * f)]), standing())
    assert figures["score_threshold"] == pytest.approx(0.45)


def test_fragmentation_counts_found_lost_found():
    # The second track fills the gap of the first elsewhere, so the gap is a miss, not interpolated away.
    def entries(f):
        if f in (3, 4):
            return [result_entry("a", "gse", 9, 0)]
        return [result_entry("a", "gse", 5, 0)]

    figures = gse_figures(predicted(entries), standing())
    assert figures["fragmentations"] == 1
    assert figures["id_switches"] == 0
    assert figures["misses"] == 2


def test_established_pairs_stay_together():
    # From frame 5 on prediction b is nearer, but a is still within 2 m: no switch.
    def entries(f):
        return [
            result_entry("a", "gse", 5 + (1.5 if f >= 5 else 0), 0),
            result_entry("b", "gse", 5.1 if f >= 5 else 30, 0),
        ]

    assert gse_figures(predicted(entries), standing())["id_switches"] == 0


def test_two_metres_are_too_far():
    assert gse_figures(predicted(lambda f: [result_entry("a", "gse", 7.0, 0)]), standing())["matches"] == 0
    assert gse_figures(predicted(lambda f: [result_entry("a", "gse", 6.99, 0)]), standing())["matches"] == 10


def test_gaps_of_both_sides_are_interpolated():
    truth = ground_truth([[truth_object("t", "gse", 1.0 * f, 0)] if f not in (3, 4, 5) else [] for f in range(10)])
    found = predicted(lambda f: [result_entry("a", "gse", 1.0 * f, 0)] if f not in (4, 7) else [])
    sequence = scored_sequence(found, truth)["gse"]
    np.testing.assert_allclose([frame.boxes[0, 0] for frame in sequence.truth], np.arange(10.0), atol=1e-9)
    np.testing.assert_allclose([frame.boxes[0, 0] for frame in sequence.predictions], np.arange(10.0), atol=1e-9)
    assert [bool(frame.interpolated[0]) for frame in sequence.truth] == [f in (3, 4, 5) for f in range(10)]
    assert gse_figures(found, truth)["recall"] == pytest.approx(1.0)


def test_yaw_is_interpolated_across_the_wrap():
    truth = ground_truth(
        [
            [truth_object("t", "gse", 5, 0, yaw)] if yaw is not None else []
            for yaw in (math.pi - 0.1, None, 0.3 - math.pi)
        ]
    )
    middle = scored_sequence({"results": {}}, truth)["gse"].truth[1]
    assert middle.boxes[0, 6] == pytest.approx(0.1 - math.pi)


def test_unseen_ground_truth_is_neither_found_nor_missed():
    truth = ground_truth([[truth_object("t", "gse", 5, 0, visibility=0.04 if f < 4 else 0.05)] for f in range(10)])
    figures = gse_figures(predicted(lambda f: [result_entry("a", "gse", 5, 0)]), truth)
    assert figures["objects"] == 6
    assert figures["false_positives"] == 0
    assert figures["mota"] == pytest.approx(1.0)
    assert figures["hota"] == pytest.approx(1.0)


def test_only_one_prediction_is_excused_per_unseen_object():
    truth = ground_truth(
        [[truth_object("t", "gse", 20, 0), truth_object("u", "gse", 5, 0, visibility=0.0)] for _ in range(10)]
    )
    entries = [result_entry(name, "gse", x, 0) for name, x in (("a", 20), ("b", 5), ("c", 5.2))]
    assert gse_figures(predicted(lambda f: entries), truth)["false_positives"] == 10


def test_hidden_between_two_sightings_stays_in_the_ground_truth():
    truth = ground_truth([[truth_object("t", "gse", 5, 0, visibility=float(f not in (4, 5)))] for f in range(10)])
    same_id = gse_figures(predicted(lambda f: [] if f in (4, 5) else [result_entry("a", "gse", 5, 0)]), truth)
    assert (same_id["objects"], same_id["misses"], same_id["id_switches"]) == (10, 0, 0)
    new_id = gse_figures(
        predicted(lambda f: [] if f in (4, 5) else [result_entry("a" if f < 4 else "b", "gse", 5, 0)]), truth
    )
    assert (new_id["misses"], new_id["id_switches"]) == (2, 1)


def test_holding_a_hidden_object_costs_no_hota():
    truth = ground_truth([[truth_object("t", "gse", 5, 0, visibility=float(f not in (4, 5)))] for f in range(10)])
    assert gse_figures(predicted(lambda f: [result_entry("a", "gse", 5, 0)]), truth)["hota"] == pytest.approx(1.0)


def test_range_is_measured_from_the_vehicle_and_ends_both_sides():
    truth = ground_truth([[truth_object("near", "gse", 40, 0), truth_object("far", "gse", 51, 0)]] * 10)
    entries = [result_entry("a", "gse", 40, 0), result_entry("b", "gse", 49.5, 0), result_entry("c", "gse", 60, 0)]
    figures = gse_figures(predicted(lambda f: entries), truth)
    # 49.5 m lies in range but is the object at 51 m; 60 m is out of range.
    assert (figures["objects"], figures["false_positives"]) == (10, 0)
    moved = copy.deepcopy(truth)
    for frame in moved["frames"]:
        frame["ego_pose"]["translation"] = [30.0, 0.0, 0.0]
    assert gse_figures(predicted(lambda f: entries), moved)["objects"] == 20
    assert gse_figures(predicted(lambda f: entries), truth, max_range=None)["objects"] == 20


def test_hota_falls_with_distance():
    figures = gse_figures(predicted(lambda f: [result_entry("a", "gse", 6.0, 0)]), standing())
    # One metre off: similarity 0.75 passes 15 of the 19 thresholds.
    assert figures["hota"] == pytest.approx(15 / 19)


def test_box_errors_by_hand():
    def entries(f):
        yaw, size = (math.pi, (4, 2, 2)) if f == 0 else (0.1, (4.3, 2, 2))
        return [result_entry("a", "gse", 5.3, 0.4, yaw, size)]

    figures = gse_figures(predicted(entries), standing())
    assert figures["translation_rmse_m"] == pytest.approx(0.5)
    assert figures["yaw_rmse_deg"] == pytest.approx(math.degrees(math.sqrt((math.pi**2 + 9 * 0.01) / 10)))
    assert figures["yaw_folded_rmse_deg"] == pytest.approx(math.degrees(math.sqrt(0.9 * 0.01)))
    assert figures["size_rmse_m"] == pytest.approx(math.sqrt(9 * 0.09 / 30))
    assert 0.5 < figures["iou3d_mean"] < 0.8


def test_interpolated_boxes_do_not_enter_errors():
    # At the gap the straight line would be 1 m off.
    truth = ground_truth([[truth_object("t", "gse", 5, float(f == 5))] for f in range(10)])
    found = predicted(lambda f: [] if f == 5 else [result_entry("a", "gse", 5, 0)])
    figures = gse_figures(found, truth)
    assert figures["translation_rmse_m"] == pytest.approx(0.0)
    assert figures["motp"] == pytest.approx(0.1)


def test_nothing_is_invented():
    empty = evaluate_tracking({"results": {}}, standing())
    assert (empty["amota"], empty["amotp"], empty["recall"], empty["mota"]) == (0.0, 2.0, 0.0, 0.0)
    for name in ("motp", "translation_rmse_m", "yaw_rmse_deg", "size_rmse_m", "iou3d_mean"):
        assert empty[name] is None
    no_truth = evaluate_tracking(predicted(lambda f: [result_entry("a", "gse", 5, 0)]), ground_truth([[]] * 10))
    assert no_truth["amota"] is None
    assert no_truth["id_switches"] is None
    assert no_truth["per_class"] == {}


def test_mean_over_classes_and_sum_of_switches():
    truth = ground_truth([[truth_object("t", "gse", 5, 0), truth_object("u", "person", 0, 9)]] * 10)
    found = predicted(lambda f: [result_entry("a" if f < 5 else "b", "gse", 5, 0)])
    summary = evaluate_tracking(found, truth)
    assert summary["recall"] == pytest.approx(0.5)
    assert summary["amota"] == pytest.approx(0.5 * 35 / 40)
    assert summary["id_switches"] == 1
    assert summary["motp"] == pytest.approx(0.0)


def test_stamps_may_differ_by_less_than_half_a_period():
    shifted = predicted(lambda f: [result_entry("a", "gse", 5, 0)])
    shifted["results"] = {str(int(stamp) + 20_000_000): entries for stamp, entries in shifted["results"].items()}
    assert gse_figures(shifted, standing())["recall"] == pytest.approx(1.0)
    shifted["results"] = {str(START_NS + 100 * FRAME_NS): [result_entry("a", "gse", 5, 0)]}
    with pytest.raises(AirsideError, match=r"share no time: the nearest stamps are 9\.100 s apart"):
        evaluate_tracking(shifted, standing())


def test_recall_thresholds_by_hand():
    # Matches at scores 0.9, 0.5 of four objects: recall 0.25 at 0.9, 0.5 at 0.5, linear in between.
    thresholds = recall_thresholds([0.5, 0.9], 4)
    assert thresholds[0] == pytest.approx(0.9)
    at = int(np.argmin(np.abs(RECALLS - 0.4)))
    assert thresholds[at] == pytest.approx(0.9 - 0.4 * (RECALLS[at] - 0.25) / 0.25)
    assert thresholds[-1] is None


def test_figures_equal_those_of_nuscenes_own_code():
    # nuscenes-devkit 1.2.0 (TrackingEvaluation, numpy 1.26) on the same three scenes. Its interpolation weighs
    # the two ends of a gap the wrong way round; for these figures that was put right in it.
    expected = {
        "gse": {
            "amota": 0.8277150123791379,
            "amotp": 0.8419751136291129,
            "mota": 0.7866108786610879,
            "motp": 0.5794708056937544,
            "recall": 0.8284518828451883,
            "id_switches": 23,
            "fragmentations": 14,
            "matches": 571,
            "false_positives": 7,
            "misses": 123,
            "objects": 717,
            "score_threshold": 0.4715185160331923,
        },
        "person": {
            "amota": 0.6236489375451397,
            "amotp": 1.0198419177090594,
            "mota": 0.532033426183844,
            "motp": 0.837169651904221,
            "recall": 0.5905292479108635,
            "id_switches": 8,
            "fragmentations": 12,
            "matches": 204,
            "false_positives": 13,
            "misses": 147,
            "objects": 359,
            "score_threshold": 0.5095529863264164,
        },
    }
    summary = evaluate_sequences([(found, truth) for truth, found in map(noisy_scene, (1, 2, 3))], max_range=None)
    for name, figures in expected.items():
        for key, value in figures.items():
            # AMOTA: its thresholds may fall to the other side of a score by a rounding error.
            assert summary["per_class"][name][key] == pytest.approx(value, abs=1e-4), (name, key)


def test_files_are_scored_and_checked(tmp_path):
    truth_path, results_path = tmp_path / "tracks.json", tmp_path / "results.json"
    truth_path.write_text(json.dumps(standing()))
    found = predicted(lambda f: [result_entry("a", "gse", 5, 0)])
    results_path.write_text(json.dumps(found))
    assert score_files(results_path, truth_path)["amota"] == pytest.approx(1.0)
    next(iter(found["results"].values()))[0]["size"] = [1, 2]
    results_path.write_text(json.dumps(found))
    with pytest.raises(AirsideError, match=r"results\.json: results\[\d+\]\[0\]\.size: expected 3 finite numbers"):
        score_files(results_path, truth_path)
