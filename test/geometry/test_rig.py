"""Rig files: round trip, shipped rigs, and what is said about broken ones."""

from pathlib import Path

import numpy as np
import pytest

from airside_perception.errors import AirsideError
from airside_perception.geometry import Camera, Rig, make_transform, rotation_z

RIGS = Path(__file__).parents[2] / "config" / "rigs"
K = np.array([[300.0, 0, 320], [0, 300, 200], [0, 0, 1]])


def test_save_and_load(tmp_path):
    left = Camera("left", 640, 400, K, make_transform(rotation_z(0.4), [1, 2, 3]), "plumb_bob", [0.1, 0, 0, 0, 0.2])
    rig = Rig({"left": left, "front": Camera("front", 320, 200, K)}, "test", {"left": "/cams/left/image"})
    rig.save(tmp_path / "rig.yaml")
    loaded = Rig.load(tmp_path / "rig.yaml")
    assert (loaded.name, loaded.names, loaded.topics) == ("test", ("left", "front"), {"left": "/cams/left/image"})
    for name in rig.names:
        assert loaded.cameras[name].intrinsics == pytest.approx(rig.cameras[name].intrinsics)
        assert loaded.cameras[name].base_from_camera == pytest.approx(rig.cameras[name].base_from_camera)
        assert loaded.cameras[name].distortion == pytest.approx(rig.cameras[name].distortion)
    assert loaded.cameras["front"].width == 320


@pytest.mark.parametrize(
    ("file", "count", "view"), [("four_surround", 4, 100.0), ("six_surround", 6, 75.0), ("eight_surround", 8, 65.0)]
)
def test_shipped_rigs_look_all_around(file, count, view):
    rig = Rig.load(RIGS / f"{file}.yaml")
    assert len(rig.names) == count
    azimuth = np.deg2rad(np.arange(0, 360, 1.0))
    ring = np.stack([25 * np.cos(azimuth), 25 * np.sin(azimuth), np.zeros_like(azimuth)], -1)
    seen = np.stack([camera.project_base(ring)[2] for camera in rig.cameras.values()])
    assert seen.any(axis=0).all()  # the ground 25 m away is seen in every direction
    for camera in rig.cameras.values():
        ends = camera.unproject([[-0.5, 199.5], [639.5, 199.5]])
        assert np.degrees(np.arccos(ends[0] @ ends[1])) == pytest.approx(view, abs=0.1)
        assert np.linalg.det(camera.base_from_camera[:3, :3]) == pytest.approx(1.0)
        assert camera.base_from_camera[2, 2] < 0  # tilted down


def test_six_cameras_are_sixty_degrees_apart():
    forward = [camera.base_from_camera[:2, 2] for camera in Rig.load(RIGS / "six_surround.yaml").cameras.values()]
    headings = np.sort(np.degrees([np.arctan2(y, x) for x, y in forward]) % 360)
    assert np.diff(headings) == pytest.approx([60.0] * 5, abs=1e-4)


def test_resized_and_subset():
    rig = Rig.load(RIGS / "four_surround.yaml")
    assert all((c.width, c.height) == (320, 200) for c in rig.resized(320, 200).cameras.values())
    assert rig.subset(["rear", "front"]).names == ("rear", "front")
    with pytest.raises(AirsideError, match="no camera 'roof'; its cameras are front, left, rear, right"):
        rig.subset(["roof"])


GOOD = "{width: 640, height: 400, fx: 300, fy: 300, cx: 320, cy: 200, translation: [0, 0, 2], rotation: [1, 0, 0, 0]}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cameras: [", "no valid YAML"),
        ("- 3", "expected a mapping with the key 'cameras'"),
        ("cameras: {}", "at least one camera"),
        ("kameras: {}\ncameras: {}", "unknown key 'kameras'"),
        ("cameras: {a: 3}", "camera 'a': expected a mapping"),
        ("cameras: {a: {width: 3}}", "camera 'a': 'height' is missing"),
        (f"cameras: {{a: {GOOD.replace('fx', 'fz: 1, fx')}}}", "unknown key 'fz'"),
        (f"cameras: {{a: {GOOD.replace('640', 'wide')}}}", "camera 'a': .*'wide'"),
        (f"cameras: {{a: {GOOD.replace('[1, 0, 0, 0]', '[0, 0, 0, 0]')}}}", "non-zero length"),
        (f"cameras: {{a: {GOOD.replace('fx: 300', 'fx: 0')}}}", "focal lengths > 0"),
    ],
)
def test_broken_rig_files(tmp_path, text, message):
    path = tmp_path / "rig.yaml"
    path.write_text(text)
    with pytest.raises(AirsideError, match=message) as error:
        Rig.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_missing_rig_file(tmp_path):
    with pytest.raises(AirsideError, match="cannot be read"):
        Rig.load(tmp_path / "nothing.yaml")
