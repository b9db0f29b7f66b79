"""Bad recordings end in one line that says what is wrong and what to do."""

import contextlib

import numpy as np
import pytest

from airside_perception.bags import BagReader
from airside_perception.errors import AirsideError
from airside_perception.geometry import Camera, Rig


def refusal(path, **options) -> str:
    with pytest.raises(AirsideError) as caught, BagReader(path, **options) as reader:
        for _ in reader.messages():
            pass
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_path_that_does_not_exist(tmp_path):
    assert "no such file or directory" in refusal(tmp_path / "nothing")


def test_path_that_is_no_bag(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert "no bag here" in refusal(tmp_path)
    assert "no bag here" in refusal(tmp_path / "notes.txt")


def test_files_that_only_look_like_bags(tmp_path):
    for name in ("a.mcap", "a.db3"):
        (tmp_path / name).write_bytes(b"this is neither" * 100)
        assert "broken or truncated bag" in refusal(tmp_path / name)
    folder = tmp_path / "folder"
    folder.mkdir()
    for text in ("", "hello", "[", "rosbag2_bagfile_information: {}"):
        (folder / "metadata.yaml").write_text(text)
        assert "broken or truncated bag" in refusal(folder)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("compression", [None, "storage"])
def test_truncated_mcap(tmp_path, bags, kept, compression):
    bag = bags.write_bag(tmp_path / "bag", bags.recording(frames=30), compression=compression)
    file = bag / "bag.mcap"
    data = file.read_bytes()
    file.write_bytes(data[: int(kept * len(data))])
    assert "broken or truncated bag" in refusal(bag)
    assert "Repair it" in refusal(file)


def test_truncated_sqlite(tmp_path, bags):
    bag = bags.write_bag(tmp_path / "bag", bags.recording(frames=30), "sqlite3")
    file = bag / "bag.db3"
    file.write_bytes(file.read_bytes()[:6000])
    assert "broken or truncated bag" in refusal(bag)


@pytest.mark.parametrize("seed", range(8))
def test_damage_inside_never_escapes_as_another_error(tmp_path, bags, seed):
    bag = bags.write_bag(tmp_path / "bag", bags.recording(frames=30), compression="storage" if seed % 2 else None)
    file = bag / "bag.mcap"
    data = bytearray(file.read_bytes())
    rng = np.random.default_rng(seed)
    start = int(rng.integers(100, len(data) - 600))
    data[start : start + 500] = rng.bytes(500)
    file.write_bytes(data)
    with contextlib.suppress(AirsideError), BagReader(bag) as reader:
        assert sum(1 for _ in reader.messages()) <= 60


def test_no_camera_info(tmp_path, bags):
    message = refusal(bags.write_bag(tmp_path / "bag", bags.recording(with_info=False)))
    assert "no camera_info" in message
    assert "/camera/front/image_raw" in message


def test_no_images(tmp_path, bags):
    messages = [m for m in bags.recording() if not m[0].endswith("image_raw")]
    assert "no camera images" in refusal(bags.write_bag(tmp_path / "bag", messages))


def test_empty_bag(tmp_path, bags):
    assert "no camera images" in refusal(bags.write_bag(tmp_path / "bag", []))


def test_uncalibrated_camera(tmp_path, bags):
    message = refusal(bags.write_bag(tmp_path / "bag", bags.recording("rear_left", info={"k0": 0.0})))
    assert message == (
        "camera 'rear_left': camera_info.k[0] is 0 (uncalibrated). Calibrate it, or remove it from rig.cameras."
    )


def test_no_mounts(tmp_path, bags):
    message = refusal(bags.write_bag(tmp_path / "bag", bags.recording(with_static=False)))
    assert "does not connect 'base_link' with 'front_optical_frame'" in message


def test_no_odometry_and_no_tf(tmp_path, bags):
    message = refusal(bags.write_bag(tmp_path / "bag", bags.recording(with_odometry=False)))
    assert "no odometry and no tf" in message


def test_tf_that_does_not_move_the_vehicle_is_no_odometry(tmp_path, bags):
    wheel = bags.tf(bags.transform(bags.START, "base_link", "wheel"))
    messages = [*bags.recording(with_odometry=False), ("/tf", bags.START, wheel)]
    assert "no odometry and no tf" in refusal(bags.write_bag(tmp_path / "bag", messages))


def test_unknown_cameras(tmp_path, bags):
    path = bags.write_bag(tmp_path / "bag", bags.recording())
    assert "no images of camera 'roof'; the bag's cameras are front" in refusal(path, cameras=["front", "roof"])
    k = np.array([[40.0, 0, 16], [0, 40, 10], [0, 0, 1]])
    rig = Rig({name: Camera(name, 32, 20, k) for name in ("front", "tail")}, "tractor")
    assert "no images of camera 'tail'" in refusal(path, rig=rig)
    assert "rig 'tractor' has no camera 'roof'" in refusal(path, rig=rig, cameras=["roof"])
