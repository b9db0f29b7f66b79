"""results.json, tracks.json and detections files: round trips, and errors that name the wrong field."""

import copy
import json

import numpy as np
import pytest

from airside_perception.errors import AirsideError
from airside_perception.evaluation import results_format
from airside_perception.records import Detection3D, Track

TRACK = Track(
    track_id="gse-4",
    class_name="gse",
    box=np.array([1.0, -2.0, 1.5, 4.0, 2.0, 3.0, 0.5 * np.pi]),
    velocity=np.array([0.5, -0.25]),
    covariance=np.eye(7),
    score=0.75,
    state="confirmed",
)

DETECTION = {
    "translation": [1.0, 2.0, 0.9],
    "size": [0.5, 0.6, 1.8],
    "rotation": [np.cos(0.2), 0.0, 0.0, np.sin(0.2)],
    "class": "person",
    "score": 0.5,
}

GROUND_TRUTH = {
    "frame_id": "odom",
    "rate_hz": 10,
    "frames": [
        {
            "stamp_ns": 100,
            "ego_pose": {"translation": [0, 0, 0], "rotation": [1, 0, 0, 0]},
            "objects": [
                {
                    "id": "a",
                    "class": "gse",
                    "translation": [1, 2, 3],
                    "size": [4, 2, 2],
                    "rotation": [1, 0, 0, 0],
                    "velocity": [0, 0, 0],
                    "visibility": 1.0,
                }
            ],
        }
    ],
}


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def test_results_round_trip(tmp_path):
    path = tmp_path / "results.json"
    results_format.write_json(path, results_format.make_results([(1_000, [TRACK]), (2_000, [])], {"config": "x"}))
    content = results_format.read_results(path)
    assert content["meta"] == {"config": "x"}
    assert list(content["results"]) == ["1000", "2000"]
    entry = content["results"]["1000"][0]
    assert entry["reasons"] == []
    assert entry["translation"] == [1.0, -2.0, 1.5]
    assert entry["size"] == [4.0, 2.0, 3.0]
    np.testing.assert_allclose(entry["rotation"], [np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
    assert (entry["velocity"], entry["tracking_id"], entry["tracking_name"]) == ([0.5, -0.25], "gse-4", "gse")
    assert entry["tracking_score"] == 0.75


def test_nuscenes_order_is_written_and_read_back(tmp_path):
    content = results_format.make_results([(1_000, [TRACK])], nuscenes=True)
    assert content["meta"]["use_camera"] is True
    assert content["results"]["1000"][0]["size"] == [2.0, 4.0, 3.0]
    assert content["results"]["1000"][0]["sample_token"] == "1000"
    path = write(tmp_path / "results.json", content)
    assert results_format.read_results(path)["results"]["1000"][0]["size"] == [4.0, 2.0, 3.0]


def test_nan_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        results_format.write_json(tmp_path / "a.json", {"x": float("nan")})


def test_unwritable_place_is_named(tmp_path):
    with pytest.raises(AirsideError, match=r"no/results\.json: cannot be written"):
        results_format.write_json(tmp_path / "no" / "results.json", {})


def test_detections_are_read_best_first(tmp_path):
    better = {**DETECTION, "score": 0.9, "velocity": [1.0, 2.0, 0.0]}
    path = write(tmp_path / "detections.json", {"200": [DETECTION, better], "100": []})
    frames = results_format.read_detections(path)
    assert list(frames) == [100, 200]
    assert [detection.score for detection in frames[200]] == [0.9, 0.5]
    assert frames[200][0].yaw == pytest.approx(0.4)
    assert frames[200][0].velocity.tolist() == [1.0, 2.0]
    assert frames[200][1].velocity is None
    assert frames[200][1].class_name == "person"


def test_detection_entry_round_trip():
    detection = Detection3D("aircraft", np.array([1.0, 2, 3]), np.array([30.0, 28, 10]), -2.5, 0.25, np.array([1.0, 0]))
    again = results_format.parse_detection(json.loads(json.dumps(results_format.detection_entry(detection))))
    np.testing.assert_allclose(again.box, detection.box)
    assert again.velocity.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class": "car"}, r"\[7\]\[0\]\.class: expected one of aircraft, gse, person, got 'car'"),
        ({"size": [1.0, 2.0]}, r"\.size: expected 3 finite numbers"),
        ({"size": [1.0, 0.0, 1.0]}, r"\.size: expected length, width, height above 0"),
        ({"size": [1.0, float("nan"), 1.0]}, r"\.size: expected 3 finite numbers"),
        ({"rotation": [0, 0, 0, 0]}, r"\.rotation: expected a unit quaternion"),
        ({"translation": "here"}, r"\.translation: expected list, got text"),
        ({"score": 1.5}, r"\.score: expected 0 to 1, got 1\.5"),
        ({"score": None}, r"\.score: expected a finite number, got null"),
        ({"score": True}, r"\.score: expected a finite number"),
        ({"velocity": [1.0]}, r"\.velocity: expected 2 or 3 finite numbers"),
    ],
)
def test_wrong_detection_fields_are_named(tmp_path, change, message):
    path = write(tmp_path / "detections.json", {"7": [{**DETECTION, **change}]})
    with pytest.raises(AirsideError, match=message):
        results_format.read_detections(path)


def test_missing_detection_field_is_named(tmp_path):
    entry = {key: value for key, value in DETECTION.items() if key != "score"}
    path = write(tmp_path / "detections.json", {"7": [entry]})
    with pytest.raises(AirsideError, match="field 'score' is missing"):
        results_format.read_detections(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected a JSON object, got a list"),
        ({"now": []}, "integer nanoseconds as keys, got 'now'"),
        ({"7": {}}, "expected a list of objects, got an object"),
        ({"7": [3]}, r"\[7\]\[0\]: expected an object, got 3"),
    ],
)
def test_wrong_detection_files(tmp_path, content, message):
    with pytest.raises(AirsideError, match=message):
        results_format.read_detections(write(tmp_path / "detections.json", content))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(AirsideError, match="cannot be read"):
        results_format.read_results(tmp_path / "missing.json")
    (tmp_path / "half.json").write_text('{"results": ')
    with pytest.raises(AirsideError, match="not JSON"):
        results_format.read_results(tmp_path / "half.json")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("tracking_name", "bus", r"results\[7\]\[0\]\.tracking_name: expected one of"),
        ("tracking_score", "high", r"\.tracking_score: expected a finite number, got text"),
        ("velocity", None, r"\.velocity: expected list, got null"),
        ("tracking_id", None, r"\.tracking_id: expected str or int, got null"),
    ],
)
def test_wrong_result_fields_are_named(field, value, message):
    entry = {**results_format.track_entry(TRACK), field: value}
    with pytest.raises(AirsideError, match=message):
        results_format.check_results({"results": {"7": [entry]}})


def test_ground_truth_is_checked():
    results_format.check_ground_truth(GROUND_TRUTH)
    with pytest.raises(AirsideError, match="field 'frames' is missing"):
        results_format.check_ground_truth({"results": {}})
    broken = copy.deepcopy(GROUND_TRUTH)
    broken["frames"][0]["objects"][0]["class"] = "cone"
    with pytest.raises(AirsideError, match=r"frames\[0\]\.objects\[0\]\.class"):
        results_format.check_ground_truth(broken)
    broken = copy.deepcopy(GROUND_TRUTH)
    del broken["frames"][0]["ego_pose"]
    with pytest.raises(AirsideError, match=r"frames\[0\]: field 'ego_pose' is missing"):
        results_format.check_ground_truth(broken)
