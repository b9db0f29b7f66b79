"""Replay with every stage: an untrained network and a small prior, so that occupancy and renders are scored, too."""

import json

import numpy as np
import pytest
from replay_scenes import (
    FRAMES,
    GRID,
    full_config,
    stamps,
    write_detections,
    write_network,
    write_prior,
    write_sequence,
)

from airside_perception.evaluation.replay import run_evaluation


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return write_network(folder / "network.onnx"), write_prior(folder / "prior.safetensors")


@pytest.fixture(scope="module")
def run(weights, tmp_path_factory):
    """Folder, summary, and the scenes that the observer saw."""
    folder = tmp_path_factory.mktemp("stages")
    sequence = write_sequence(folder / "apron")
    seen = []
    summary = run_evaluation(
        [sequence],
        folder / "out",
        full_config(*weights),
        detections=write_detections(folder / "detections.json"),
        save_occupancy=True,
        progress=False,
        overlays=1,
        observer=lambda scene, truth, prior: seen.append((scene, truth, prior)),
    )
    return folder / "out", summary, seen


def test_occupancy_is_scored_on_the_labelled_frames(run):
    _, summary, _ = run
    occupancy = summary["occupancy"]
    assert occupancy["voxels"] == 2 * np.prod(GRID.shape)
    assert occupancy["ray_iou_frames"] == 1
    assert 0.0 <= occupancy["miou"] <= 1.0
    assert "observed" in occupancy["mask"], "the mask protocol stands beside the figure"


def test_scored_confusion_is_that_of_the_saved_voxels(run):
    out, summary, _ = run
    truth = np.zeros(GRID.shape, np.uint8)
    truth[:, :, 0] = 1
    hits = union = 0
    for index in (0, 6):
        with np.load(out / "occupancy" / f"{stamps()[index]}.npz") as saved:
            ours = saved["class_id"]
            hits += np.sum((ours == 1) & (truth == 1))
            union += np.sum((ours == 1) | (truth == 1))
    assert summary["occupancy"]["per_class"]["ground"] == pytest.approx(hits / union)


def test_saved_voxels_are_of_the_agreed_form(run):
    out, _, seen = run
    assert json.loads((out / "occupancy" / "grid.json").read_text())["shape"] == list(GRID.shape)
    assert len(list((out / "occupancy").glob("*.npz"))) == FRAMES
    with np.load(out / "occupancy" / f"{stamps()[3]}.npz") as saved:
        assert {name: saved[name].dtype.name for name in saved.files} == {
            "class_id": "uint8",
            "probability": "float32",
            "visibility": "uint8",
        }
        assert (saved["class_id"] == seen[3][0].occupancy.class_id).all()


def test_renders_are_compared_with_labels(run):
    _, summary, seen = run
    assert any(estimate.refined for scene, _, _ in seen for estimate in scene.estimates)
    render = summary["render"]
    assert render["images"] == 3, "every fourth frame has labels, of the front camera"
    assert set(render["per_class"]) == {"aircraft", "gse", "person"}
    assert summary["objects_per_second"] > 0


def test_observer_sees_every_frame_with_its_truth(run):
    _, _, seen = run
    assert [scene.stamp_ns for scene, _, _ in seen] == stamps()
    assert [truth["stamp_ns"] for _, truth, _ in seen] == stamps()
    assert seen[0][2].class_names == ("gse",)


def test_no_refine_leaves_detections_as_they_are(weights, run, tmp_path):
    sequence = run[0].parent / "apron"
    scenes = []
    run_evaluation(
        [sequence],
        tmp_path,
        full_config(*weights),
        detections=run[0].parent / "detections.json",
        refine=False,
        progress=False,
        overlays=0,
        observer=lambda scene, truth, prior: scenes.append(scene),
    )
    assert not any(estimate.refined for scene in scenes for estimate in scene.estimates)
    np.testing.assert_allclose(scenes[5].estimates[0].box, scenes[5].detections[0].box)


def test_report_needs_nothing_from_outside(run):
    html = (run[0] / "report" / "index.html").read_text()
    assert "src='data:image/jpeg;base64," in html
    for foreign in ("http://", "https://", "<script", "<link"):
        assert foreign not in html.replace("http://www.w3.org/2000/svg", ""), foreign
    for part in ("AMOTA", "Occupancy", "gse-1", "Tracks", "Time"):
        assert part in html
