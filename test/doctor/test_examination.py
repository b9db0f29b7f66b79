"""The doctor names what is there, and faints at nothing."""

import numpy as np
import pytest

from airside_perception.bags import ApronBagWriter
from airside_perception.config import load_config
from airside_perception.doctor import examine, format_findings
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.rig import Rig


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Two seconds of two cameras; "rear" gives five images a second, "front" ten."""
    intrinsics = np.array([[30.0, 0.0, 15.5], [0.0, 30.0, 11.5], [0.0, 0.0, 1.0]])
    cameras = {name: Camera(name, 32, 24, intrinsics, np.eye(4)) for name in ("front", "rear")}
    path = tmp_path_factory.mktemp("doctor") / "bag"
    image = np.zeros((24, 32, 3), np.uint8)
    with ApronBagWriter(path, Rig(cameras)) as writer:
        writer.write_static(1_000_000_000)
        for index in range(21):
            stamp = 1_000_000_000 + index * 100_000_000
            writer.write_image("front", stamp, image)
            if index % 2 == 0:
                writer.write_image("rear", stamp, image)
            writer.write_odometry(stamp, np.eye(4), np.zeros(3), 0.0)
    return path


def _by_topic(findings):
    return {finding.topic: finding for finding in findings}


def test_a_bag_is_described_camera_by_camera(bag):
    findings = _by_topic(examine(load_config(), bag))
    assert findings["bag"].state == "ok"
    assert "2.0 s, without ground truth" in findings["bag"].detail
    assert findings["camera front"].detail.endswith("21 images, 10.0 Hz")
    assert findings["camera rear"].detail.endswith("11 images, 5.0 Hz")


def test_cameras_that_the_config_wants_and_the_bag_lacks_are_named(bag):
    findings = _by_topic(examine(load_config(None, {"rig.cameras": "front,left"}), bag))
    assert findings["rig.cameras"].state == "fail"
    assert "left" in findings["rig.cameras"].detail


def test_broken_parts_are_findings_and_the_rest_is_still_examined(tmp_path):
    (tmp_path / "engine.onnx").write_bytes(b"no network")
    (tmp_path / "prior.safetensors").write_bytes(b"no weights")
    (tmp_path / "cut.mcap").write_bytes(b"\x89MCAP0\r\n")
    config = load_config(
        None,
        {"network.engine": str(tmp_path / "engine.onnx"), "refine.prior": str(tmp_path / "prior.safetensors")},
    )
    findings = examine(config, tmp_path / "cut.mcap")
    states = {finding.topic: finding.state for finding in findings}
    assert states["occupancy engine"] == states["object prior"] == states["bag"] == "fail"
    assert states["numpy"] == "ok"
    assert all("\n" not in finding.detail for finding in findings)
    assert format_findings(findings).endswith(f"3 of {len(findings)} checks failed")
