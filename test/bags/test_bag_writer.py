"""What the writer writes, the reader reads; and the topics are those of the format."""

import numpy as np
import pytest
from rosbags.rosbag2 import Reader

from airside_perception.bags import ApronBagWriter, BagReader, ImageEvent, OdometryEvent
from airside_perception.errors import AirsideError
from airside_perception.geometry import Camera, Rig, exp_se3, pose_from_xyz_yaw

START = 1_700_000_000_123_456_789
MODELS = {
    "pinhole": [],
    "plumb_bob": [-0.1, 0.01, 0.001, 0.002, 0.003],
    "rational_polynomial": [0.1] * 8,
    "equidistant": [0.01, 0.02, 0.03, 0.04],
}


def make_rig() -> Rig:
    k = np.array([[50.0, 0, 31.5], [0, 51, 19.5], [0, 0, 1]])
    rng = np.random.default_rng(0)
    poses = [exp_se3(rng.normal(size=6)) for _ in MODELS]
    cameras = zip(MODELS.items(), poses, strict=True)
    return Rig({model: Camera(model, 64, 40, k, pose, model, d) for (model, d), pose in cameras})


def smooth_image(shift: int) -> np.ndarray:
    v, u = np.mgrid[0:40, 0:64]
    return np.stack([3 * u + shift, 5 * v, 100 + 0 * u], -1).astype(np.uint8)


def write(path, rig, jpeg_quality=None):
    with ApronBagWriter(path, rig) as writer:
        writer.write_static(START)
        for i in range(3):
            stamp = START + 100_000_000 * i
            writer.write_odometry(stamp, pose_from_xyz_yaw(i, 2.0, 0, 0.1 * i), [5.0, 0.1, 0], 0.2)
            for camera in rig.names:
                writer.write_image(camera, stamp, smooth_image(i), jpeg_quality)


@pytest.mark.parametrize("jpeg_quality", [None, 90])
def test_round_trip(tmp_path, jpeg_quality):
    rig = make_rig()
    write(tmp_path / "bag", rig, jpeg_quality)
    with BagReader(tmp_path / "bag") as reader:
        assert reader.cameras == rig.names
        for name, camera in rig.cameras.items():
            read = reader.rig().cameras[name]
            assert read.intrinsics == pytest.approx(camera.intrinsics)
            assert read.base_from_camera == pytest.approx(camera.base_from_camera, abs=1e-12)
            assert read.distortion_model == ("plumb_bob" if name == "pinhole" else name)
            assert read.is_linear == camera.is_linear
            if name != "pinhole":
                assert read.distortion == pytest.approx(camera.distortion)
        found = list(reader.messages())
    images = [e for e in found if isinstance(e, ImageEvent)]
    poses = [e for e in found if isinstance(e, OdometryEvent)]
    assert [e.stamp_ns for e in poses] == [START + 100_000_000 * i for i in range(3)]
    assert poses[2].odom_from_base == pytest.approx(pose_from_xyz_yaw(2, 2.0, 0, 0.2))
    assert poses[2].linear_velocity == pytest.approx([5.0, 0.1, 0])
    assert poses[2].yaw_rate == 0.2
    assert len(images) == 12
    difference = np.abs(images[-1].decode().astype(int) - smooth_image(2))
    assert difference.max() <= (0 if jpeg_quality is None else 12)


def test_topics_of_the_format(tmp_path):
    write(tmp_path / "bag", make_rig().subset(["pinhole"]))
    with Reader(tmp_path / "bag") as reader:
        kinds = {c.topic: c.msgtype for c in reader.connections}
        latched = next(c for c in reader.connections if c.topic == "/tf_static").ext.offered_qos_profiles[0]
    assert kinds == {
        "/tf_static": "tf2_msgs/msg/TFMessage",
        "/odom": "nav_msgs/msg/Odometry",
        "/tf": "tf2_msgs/msg/TFMessage",
        "/camera/pinhole/image_raw": "sensor_msgs/msg/Image",
        "/camera/pinhole/camera_info": "sensor_msgs/msg/CameraInfo",
    }
    assert latched.durability.name == "TRANSIENT_LOCAL"


def test_same_calls_same_bytes(tmp_path):
    rig = make_rig()
    write(tmp_path / "a" / "bag", rig, 80)
    write(tmp_path / "b" / "bag", rig, 80)
    for name in ("bag.mcap", "metadata.yaml"):
        assert (tmp_path / "a" / "bag" / name).read_bytes() == (tmp_path / "b" / "bag" / name).read_bytes()


def test_refuses_to_overwrite_and_wrong_sizes(tmp_path):
    rig = make_rig()
    write(tmp_path / "bag", rig)
    with pytest.raises(AirsideError, match="exists already"):
        ApronBagWriter(tmp_path / "bag", rig)
    with (
        ApronBagWriter(tmp_path / "other", rig) as writer,
        pytest.raises(ValueError, match=r"expected an image \(40, 64, 3\)"),
    ):
        writer.write_image("pinhole", START, np.zeros((64, 40, 3), np.uint8))


def test_not_writable(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AirsideError, match="cannot write a bag here"):
        ApronBagWriter(tmp_path / "file" / "bag", make_rig())
