"""`airside synth`: a sequence on disk as docs/formats.md says, whole or not at all."""

import json

import cv2
import numpy as np
import pytest

from airside_perception import cli
from airside_perception.bags import BagReader, open_sequence
from airside_perception.bags.events import ImageEvent, OdometryEvent
from airside_perception.errors import AirsideError
from airside_perception.evaluation.results_format import read_detections, read_ground_truth
from airside_perception.synth import SynthOptions, run_synth
from airside_perception.synth.scenario import LAYOUTS
from airside_perception.synth.sequence_writer import FIRST_STAMP_NS


@pytest.fixture(scope="module")
def rig_file(small_rig, tmp_path_factory):
    path = tmp_path_factory.mktemp("rig") / "small.yaml"
    small_rig.save(path)
    return path


def options(out, rig_file, **changes):
    values = {
        "out": out,
        "seed": 5,
        "rig": str(rig_file),
        "duration_s": 0.4,
        "rate_hz": 5.0,
        "progress": False,
        "layout": "scatter",
    }
    return SynthOptions(**{**values, **changes})


@pytest.fixture(scope="module")
def written(rig_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("synth") / "sequence"
    calls = []
    manifest = run_synth(options(out, rig_file), on_frame=lambda *at: calls.append(at))
    assert calls == [(1, 2), (2, 2)]
    return out, manifest


def test_the_bag_is_read_with_its_rig(written, small_rig):
    out, _ = written
    sequence = open_sequence(out)
    with BagReader(sequence.bag_path) as bag:
        rig = bag.rig()
        events = list(bag.messages())
    assert rig.names == small_rig.names
    for name, camera in rig.cameras.items():
        np.testing.assert_allclose(camera.intrinsics, small_rig.cameras[name].intrinsics, atol=1e-6)
        np.testing.assert_allclose(camera.base_from_camera, small_rig.cameras[name].base_from_camera, atol=1e-5)
    images = [event for event in events if isinstance(event, ImageEvent)]
    odometry = [event for event in events if isinstance(event, OdometryEvent)]
    assert len(images) == 2 * 4
    assert len(odometry) == 3 * 5, "that of each frame, and of the period after the last"
    assert images[0].decode().shape == (120, 192, 3)
    stamps = np.array([event.stamp_ns for event in images]).reshape(2, 4)
    assert np.all(np.ptp(stamps, axis=1) <= 4_000_000)


def test_truth_follows_the_formats(written, small_rig):
    out, _ = written
    truth = read_ground_truth(out / "ground_truth" / "tracks.json")
    assert truth["frame_id"] == "odom"
    assert truth["rate_hz"] == 5.0
    assert [frame["stamp_ns"] for frame in truth["frames"]] == [FIRST_STAMP_NS + k * 200_000_000 for k in (0, 1)]
    keys = {
        "id",
        "class",
        "subtype",
        "translation",
        "size",
        "rotation",
        "velocity",
        "visibility",
        "num_pixels",
        "distance",
    }
    for frame in truth["frames"]:
        assert len(frame["objects"]) > 10
        assert all(set(entry) == keys for entry in frame["objects"])
    for camera in small_rig.names:
        for kind, dtype in (("depth", np.uint16), ("semantic", np.uint8)):
            image = cv2.imread(str(out / "ground_truth" / kind / camera / "0001.png"), cv2.IMREAD_UNCHANGED)
            assert (image.shape, image.dtype) == ((120, 192), dtype)
    with np.load(out / "ground_truth" / "occupancy" / "0001.npz") as voxels:
        assert (voxels["class_id"].shape, voxels["class_id"].dtype) == ((100, 100, 16), np.uint8)
        assert (voxels["observed"].shape, voxels["observed"].dtype) == ((100, 100, 16), bool)
    grid = json.loads((out / "ground_truth" / "occupancy" / "grid.json").read_text())
    assert grid == {"origin": [-40, -40, -1.2], "voxel_size": [0.8] * 3, "shape": [100, 100, 16], "frame": "base_link"}


def test_truth_and_odometry_agree(written):
    out, _ = written
    truth = json.loads((out / "ground_truth" / "tracks.json").read_text())
    with BagReader(out / "bag") as bag:
        poses = {e.stamp_ns: e.odom_from_base for e in bag.messages() if isinstance(e, OdometryEvent)}
    for frame in truth["frames"]:
        at = frame["ego_pose"]["translation"]
        np.testing.assert_allclose(poses[frame["stamp_ns"]][:3, 3], at, atol=1e-4)


def test_detections_and_manifest_lie_beside(written):
    out, manifest = written
    truth = json.loads((out / "ground_truth" / "tracks.json").read_text())
    detections = read_detections(out / "detections.json")
    assert list(detections) == [frame["stamp_ns"] for frame in truth["frames"]]
    assert json.loads((out / "manifest.json").read_text()) == manifest
    assert manifest["seed"] == 5
    assert manifest["frames"] == 2
    assert manifest["layout"] in LAYOUTS
    assert all(e["end_s"] >= e["start_s"] for e in manifest["episodes"])
    assert {path.name for path in out.iterdir()} == {"bag", "ground_truth", "detections.json", "manifest.json"}


def test_the_same_seed_writes_the_same_sequence(written, rig_file, tmp_path):
    out, again = written[0], tmp_path / "again"
    run_synth(options(again, rig_file))
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.suffix in (".png", ".json", ".npz"))
    assert len(files) == 2 * 9 + 4
    for name in files:
        assert (again / name).read_bytes() == (out / name).read_bytes(), name
    with BagReader(out / "bag") as one, BagReader(again / "bag") as two:
        pairs = zip(*([e for e in bag.messages() if isinstance(e, ImageEvent)] for bag in (one, two)), strict=True)
        for a, b in pairs:
            assert a.stamp_ns == b.stamp_ns
            np.testing.assert_array_equal(a.decode(), b.decode())


def test_an_interrupted_run_leaves_nothing(rig_file, tmp_path):
    out = tmp_path / "broken"

    def stop(frame, frames):
        assert not out.exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_synth(options(out, rig_file), on_frame=stop)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_may_be_filled(rig_file, tmp_path):
    out = tmp_path / "empty"
    out.mkdir()
    run_synth(options(out, rig_file, duration_s=0.2, label_every=2, jpeg_quality=None))
    assert (out / "bag").is_dir()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rig": "five_round"}, "rig: expected a preset"),
        ({"split": "dev"}, "--split: expected train, val or test, got 'dev'"),
        ({"duration_s": 0.0}, "--duration and --rate: expected positive numbers"),
        ({"layout": "moon"}, "--layout: expected one of stands, scatter, turnaround, .* got 'moon'"),
        ({"duration_s": float("inf")}, "--duration and --rate: expected positive numbers"),
        ({"condition": "hail"}, "--condition: expected one of"),
        ({"seed": -1}, "--seed: expected 0 or more, got -1"),
        ({"device": "tpu"}, "--device: expected cpu or cuda, got 'tpu'"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(rig_file, tmp_path, changes, message):
    with pytest.raises(AirsideError, match=message):
        run_synth(options(tmp_path / "out", rig_file, **changes))
    assert list(tmp_path.iterdir()) == []


def test_a_filled_folder_is_left_alone(rig_file, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(AirsideError, match="expected a folder that is new or empty"):
        run_synth(options(tmp_path, rig_file))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unwritable_place_is_refused(rig_file, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AirsideError, match="cannot be written"):
        run_synth(options(tmp_path / "file" / "out", rig_file))


def test_the_command_writes_a_sequence(rig_file, tmp_path, capsys):
    arguments = [
        "synth",
        "--seed",
        "7",
        "--out",
        str(tmp_path / "s"),
        "--rig",
        str(rig_file),
        "--duration",
        "0.1",
        "--json",
    ]
    assert cli.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 1
    assert open_sequence(tmp_path / "s").ground_truth_path is not None


def test_the_command_reports_errors_in_one_line(rig_file, tmp_path, capsys):
    assert cli.main(["synth", "--out", str(tmp_path / "s"), "--rig", "five_round"]) != 0
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert "four_surround" in error


def test_preview_shows_every_layer_of_two_frames(tmp_path, rig_file):
    out = tmp_path / "s"
    run_synth(options(out, rig_file, preview=True))
    sheet = cv2.imread(str(out / "preview.png"))
    rows, columns = 4, 7
    assert sheet.shape[1] > columns * 300
    assert sheet.shape[0] > rows * 200
    tile = sheet.shape[1] // columns
    for k in range(columns):
        column = sheet[40:, k * tile + 10 : (k + 1) * tile - 10]
        assert len(np.unique(column.reshape(-1, 3), axis=0)) > 3, f"column {k} is empty"
