"""Replay of recordings without a network: results, scores, and what is wrong with the input."""

import json
import math
import os

import numpy as np
import pytest
from replay_scenes import FIRST_NS, FRAMES, plain_config, position, stamps, write_detections, write_sequence

from airside_perception.errors import AirsideError
from airside_perception.evaluation.replay import run_evaluation
from airside_perception.evaluation.results_format import read_results
from airside_perception.evaluation.stage_times import StageTimes
from airside_perception.evaluation.stamped_detections import StampedDetections
from airside_perception.evaluation.tracking_metrics import score_files


def evaluate(*arguments, **options):
    """A quiet run without pictures in the report."""
    return run_evaluation(*arguments, progress=False, overlays=0, **options)


@pytest.fixture(scope="module")
def sequence(tmp_path_factory):
    return write_sequence(tmp_path_factory.mktemp("apron"))


@pytest.fixture(scope="module")
def detections(tmp_path_factory):
    return write_detections(tmp_path_factory.mktemp("detections") / "detections.json")


@pytest.fixture(scope="module")
def run(sequence, detections, tmp_path_factory):
    """Folder of results and summary of one plain run."""
    out = tmp_path_factory.mktemp("eval")
    return out, evaluate([sequence], out, plain_config(), detections=detections)


def test_exact_detections_give_exact_tracks(run):
    _, summary = run
    tracking = summary["tracking"]
    assert summary["frames"] == FRAMES
    assert tracking["recall"] > 0.8, "all but the frames before a track is confirmed"
    assert tracking["amota"] > 0.7
    assert tracking["id_switches"] == 0
    assert tracking["translation_rmse_m"] < 0.35
    assert tracking["yaw_rmse_deg"] == pytest.approx(0.0, abs=0.5)
    assert tracking["per_class"]["gse"]["objects"] == FRAMES


def test_parts_that_did_not_run_are_null(run):
    _, summary = run
    assert summary["occupancy"] is None
    assert summary["render"] is None
    assert summary["objects_per_second"] is None
    assert summary["meta"]["detections"] == "file"


def test_results_are_of_the_agreed_form_and_score_alike(run, sequence):
    out, summary = run
    results = read_results(out / "results.json")
    assert sorted(map(int, results["results"])) == stamps()
    last = results["results"][str(stamps()[-1])][0]
    np.testing.assert_allclose(last["translation"], position(FRAMES - 1), atol=0.3)
    assert last["tracking_name"] == "gse"
    again = score_files(out / "results.json", sequence / "ground_truth" / "tracks.json")
    assert again["amota"] == summary["tracking"]["amota"]


def test_summary_file_is_plain_json(run):
    out, summary = run
    text = (out / "summary.json").read_text()
    assert json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON")) == summary


def test_times_of_every_stage_are_percentiles(run):
    _, summary = run
    for stage in ("frame", "tracking", "read_and_decode"):
        assert 0.0 <= summary["timing_ms"][stage]["p50"] <= summary["timing_ms"][stage]["p95"]


def test_explanations_have_a_line_per_frame(run):
    lines = (run[0] / "explanations.jsonl").read_text().splitlines()
    assert [json.loads(line)["stamp_ns"] for line in lines] == stamps()


def test_without_ground_truth_results_are_written_and_nothing_is_scored(tmp_path, detections, caplog):
    bare = write_sequence(tmp_path / "bare", truth=False)
    summary = evaluate([bare], tmp_path / "out", plain_config(), detections=detections)
    assert summary["tracking"] is None
    assert summary["occupancy"] is None
    assert len(read_results(tmp_path / "out" / "results.json")["results"]) == FRAMES
    assert "no ground truth" in caplog.text


def test_corrupt_and_missing_images_are_counted_and_skipped(tmp_path, detections):
    damaged = write_sequence(tmp_path / "damaged", corrupt=(3, 4), without_rear=(7,))
    summary = evaluate([damaged], tmp_path / "out", plain_config(), detections=detections)
    counts = summary["meta"]["sequences"][0]["input"]
    assert summary["frames"] == FRAMES
    assert counts["corrupt_images"] == {"front": 2}
    assert counts["missing_images"] == {"rear": 1}


def test_several_sequences_get_a_folder_each_and_are_pooled(tmp_path, sequence, detections):
    second = write_sequence(tmp_path / "second")
    folder = tmp_path / "detections"
    folder.mkdir()
    for name in (sequence.name, "second"):
        (folder / f"{name}.json").write_text(detections.read_text())
    out = tmp_path / "out"
    summary = evaluate([sequence, second], out, plain_config(), detections=folder)
    assert summary["frames"] == 2 * FRAMES
    assert summary["tracking"]["per_class"]["gse"]["objects"] == 2 * FRAMES
    assert summary["sequences"]["second"]["frames"] == FRAMES
    for name in (sequence.name, "second"):
        assert len(read_results(out / name / "results.json")["results"]) == FRAMES


def test_one_detections_file_cannot_serve_several_sequences(tmp_path, sequence, detections):
    with pytest.raises(AirsideError, match="one file serves one sequence, got 2"):
        evaluate([sequence, sequence], tmp_path, plain_config(), detections=detections)


def test_detections_of_another_recording_are_refused(tmp_path, sequence):
    other = write_detections(tmp_path / "other.json", offset_ns=10**12)
    with pytest.raises(AirsideError, match="none of its 12 stamps is one of sequence"):
        evaluate([sequence], tmp_path / "out", plain_config(), detections=other)


def test_a_wrong_field_of_detections_is_named(tmp_path, sequence):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({str(FIRST_NS): [{"translation": [0, 0, 0], "size": [1, 1]}]}))
    with pytest.raises(AirsideError, match=r"\[0\]\.size: expected 3"):
        evaluate([sequence], tmp_path / "out", plain_config(), detections=path)


def test_nuscenes_order_swaps_width_and_length(tmp_path, sequence, detections):
    evaluate([sequence], tmp_path, plain_config(), detections=detections, nuscenes=True)
    raw = json.loads((tmp_path / "results.json").read_text())
    entry = raw["results"][str(stamps()[-1])][0]
    assert entry["size"][0] == pytest.approx(1.5, abs=0.1)
    assert entry["size"][1] == pytest.approx(3.0, abs=0.1)


def test_detector_none_gives_empty_frames(tmp_path, sequence):
    summary = evaluate([sequence], tmp_path, plain_config(), detector="none")
    results = read_results(tmp_path / "results.json")["results"]
    assert len(results) == FRAMES
    assert not any(results.values())
    assert summary["tracking"]["recall"] == 0.0


def test_a_bag_that_does_not_exist_is_named_before_anything_runs(tmp_path, sequence):
    with pytest.raises(AirsideError, match="nowhere"):
        evaluate([sequence, tmp_path / "nowhere"], tmp_path / "out", plain_config())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path, sequence):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(AirsideError, match="cannot be written"):
        evaluate([sequence], locked / "out", plain_config())


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path, sequence):
    (tmp_path / "file").write_text("")
    with pytest.raises(AirsideError, match=r"--out .*file.*cannot be written"):
        evaluate([sequence], tmp_path / "file" / "out", plain_config())


def test_an_unknown_camera_is_named(tmp_path, sequence):
    with pytest.raises(AirsideError, match="'left'"):
        evaluate([sequence], tmp_path, plain_config(**{"rig.cameras": ["left"]}))


def test_stamps_of_detections_may_be_off_by_some_milliseconds():
    frames = StampedDetections({100_000_000: ("a",), 200_000_000: ("b",)})
    assert frames.get(110_000_000) == ("a",)
    assert frames.get(185_000_000) == ("b",)
    assert frames.get(150_000_000, ()) == ()
    assert frames.found == 2


def test_objects_per_second_counts_refined_objects_over_refine_time():
    times = StageTimes()
    times.add({"frame": 300.0, "refine": 200.0}, refined=4)
    times.add({"frame": 100.0, "refine": 50.0}, refined=1)
    assert times.objects_per_second() == pytest.approx(20.0)
    assert times.percentiles()["frame"] == {"p50": 200.0, "p95": 290.0}
    assert not math.isnan(times.percentiles()["refine"]["p50"])
