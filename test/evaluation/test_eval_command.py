"""`airside eval` with bad input: one line that names it and exit code 2; a damaged image is skipped and counted."""

import json
from pathlib import Path

import numpy as np
import pytest
from replay_scenes import FIRST_NS, FRAMES, write_detections, write_network, write_prior, write_sequence
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from safetensors.numpy import load_file, save_file

from airside_perception import cli

TYPES = get_typestore(Stores.ROS2_HUMBLE)
TRACKER_ALONE = ("--set", "network.enabled=false", "--set", "refine.prior=", "--no-refine")


@pytest.fixture(scope="module")
def sequence(tmp_path_factory) -> Path:
    return write_sequence(tmp_path_factory.mktemp("apron"))


@pytest.fixture
def refusal(tmp_path, capsys):
    """Run `airside eval` and return the one line that it ends with."""

    def run(*arguments) -> str:
        capsys.readouterr()
        command = ["eval", *map(str, arguments)]
        if "--out" not in command:
            command += ["--out", str(tmp_path / "out")]
        code = cli.main(command)
        done = capsys.readouterr()
        assert code == 2
        assert done.out == ""
        assert done.err.startswith("airside eval: error: ")
        assert done.err.count("\n") == 1
        assert len(done.err) < 500
        return done.err

    return run


def altered(sequence: Path, bag: Path, drop=(), edit=None) -> Path:
    """A copy of a recording without the topics that end as `drop` says; `edit` changes messages in place."""
    with Reader(sequence / "bag") as reader, Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kept = {
            connection.id: writer.add_connection(connection.topic, connection.msgtype, typestore=TYPES)
            for connection in reader.connections
            if not connection.topic.endswith(tuple(drop))
        }
        for connection, time, data in reader.messages():
            if connection.id not in kept:
                continue
            if edit is not None:
                message = TYPES.deserialize_cdr(data, connection.msgtype)
                edit(connection.topic, message)
                data = TYPES.serialize_cdr(message, connection.msgtype)
            writer.write(kept[connection.id], time, data)
    return bag


def uncalibrate_rear(topic, message):
    if topic == "/camera/rear/camera_info":
        message.k = np.zeros(9)


def test_a_path_that_is_no_bag(tmp_path, refusal):
    assert "no such file or directory" in refusal(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("hello")
    assert "no bag here" in refusal(tmp_path / "notes.txt")


def test_a_truncated_mcap(tmp_path, sequence, refusal):
    bag = altered(sequence, tmp_path / "bag")
    (file,) = bag.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert "broken or truncated bag" in refusal(bag, *TRACKER_ALONE)


def test_no_camera_info(tmp_path, sequence, refusal):
    bag = altered(sequence, tmp_path / "bag", drop=["camera_info"])
    assert "no camera_info" in refusal(bag, *TRACKER_ALONE)


def test_an_uncalibrated_camera(tmp_path, sequence, refusal):
    bag = altered(sequence, tmp_path / "bag", edit=uncalibrate_rear)
    assert "camera 'rear': camera_info.k[0] is 0 (uncalibrated)" in refusal(bag, *TRACKER_ALONE)


def test_an_uncalibrated_camera_may_be_left_out(tmp_path, sequence):
    bag = altered(sequence, tmp_path / "bag", edit=uncalibrate_rear)
    only_front = ("--set", "rig.cameras=front", "--detector", "none")
    assert cli.main(["eval", str(bag), "--out", str(tmp_path / "out"), *TRACKER_ALONE, *only_front]) == 0


def test_no_odometry_and_no_tf(tmp_path, sequence, refusal):
    bag = altered(sequence, tmp_path / "bag", drop=["/odom", "/tf"])
    assert "no odometry and no tf" in refusal(bag, *TRACKER_ALONE)


def test_a_camera_that_the_recording_does_not_have(sequence, refusal):
    assert "'roof'" in refusal(sequence, *TRACKER_ALONE, "--set", "rig.cameras=roof")


def test_a_rig_file_that_names_another_camera(tmp_path, sequence, refusal):
    rig = tmp_path / "rig.yaml"
    camera = (
        "{width: 96, height: 64, fx: 60, fy: 60, cx: 47.5, cy: 31.5, translation: [0, 0, 0], rotation: [1, 0, 0, 0]}"
    )
    rig.write_text(f"name: tractor\ncameras:\n  roof: {camera}\n")
    assert "'roof'" in refusal(sequence, *TRACKER_ALONE, "--set", f"rig.file={rig}")


def test_a_config_with_an_unknown_key(tmp_path, sequence, refusal):
    config = tmp_path / "site.yaml"
    config.write_text("tracking: {birth_scores: 0.3}\n")
    line = refusal(sequence, "--config", config)
    assert "unknown option 'tracking.birth_scores'; did you mean 'tracking.birth_score'" in line


def test_missing_weights(tmp_path, sequence, refusal):
    assert "network.engine: expected a file, found none" in refusal(sequence, "--set", "network.engine=none.onnx")
    line = refusal(sequence, "--set", "network.enabled=false", "--set", "refine.prior=none.safetensors")
    assert "refine.prior: expected a file, found none" in line


def test_weights_that_are_none(tmp_path, sequence, refusal):
    broken = tmp_path / "broken"
    broken.write_bytes(b"neither ONNX nor safetensors" * 50)
    assert str(broken) in refusal(sequence, "--set", f"network.engine={broken}", "--set", "refine.prior=")
    assert str(broken) in refusal(sequence, "--set", "network.enabled=false", "--set", f"refine.prior={broken}")


def test_an_engine_for_another_grid(tmp_path, sequence, refusal):
    engine = write_network(tmp_path / "small.onnx")
    line = refusal(sequence, "--set", f"network.engine={engine}", "--set", "refine.prior=")
    assert "grid" in line
    assert "100" in line
    assert "16" in line


def test_a_prior_without_some_tensor_and_with_one_of_another_shape(tmp_path, sequence, refusal):
    good = write_prior(tmp_path / "good.safetensors")
    tensors = load_file(good)
    name = next(name for name in tensors if tensors[name].ndim == 2)
    from safetensors import safe_open

    with safe_open(good, "numpy") as file:
        metadata = file.metadata()
    wrong = tmp_path / "wrong.safetensors"
    for change in ({name: np.zeros((3, 3), np.float32)}, {name: None}):
        changed = {k: v for k, v in {**tensors, **change}.items() if v is not None}
        save_file(changed, wrong, metadata)
        line = refusal(sequence, "--set", "network.enabled=false", "--set", f"refine.prior={wrong}")
        assert str(wrong) in line
        assert name.rsplit(".", 1)[-1] in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "not JSON"),
        ({"1000000000000": [{"translation": [1, 2, 3], "size": [1, 1]}]}, "[0].size: expected 3"),
        ({"1000000000000": [{"translation": [1, 2, 3], "size": [1, 1, 1], "rotation": [1, 0, 0, 0]}]}, "class"),
        ({"yesterday": []}, "yesterday"),
        ([], "expected"),
    ],
    ids=["no JSON", "two sizes", "no class", "no stamp", "a list"],
)
def test_a_wrong_field_of_detections(tmp_path, sequence, refusal, content, message):
    path = tmp_path / "detections.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    line = refusal(sequence, *TRACKER_ALONE, "--detections", path)
    assert message in line
    assert str(path) in line


def test_a_folder_for_results_that_cannot_be_made(tmp_path, sequence, refusal):
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        assert f"--out {out}: cannot be written" in refusal(sequence, *TRACKER_ALONE, "--out", out)


def test_damaged_images_and_a_missing_camera_are_skipped_and_counted(tmp_path, capsys):
    damaged = write_sequence(tmp_path / "damaged", corrupt=(3, 4), without_rear=(7, 8, 9))
    detections = write_detections(tmp_path / "detections.json")
    arguments = ("eval", damaged, "--out", tmp_path / "out", *TRACKER_ALONE, "--detections", detections, "--json")
    assert cli.main(list(map(str, arguments))) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["frames"] == FRAMES
    assert summary["tracking"]["recall"] > 0.8
    counts = summary["meta"]["sequences"][0]["input"]
    assert counts["corrupt_images"] == {"front": 2}
    assert counts["missing_images"] == {"rear": 3}
    assert (tmp_path / "out" / "summary.json").is_file()
    assert str(FIRST_NS) in (tmp_path / "out" / "results.json").read_text()
