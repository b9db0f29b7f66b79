"""Cameras expose at their own stamps, and some images never arrive."""

import json

import cv2
import numpy as np
import pytest

from airside_perception.bags import BagReader
from airside_perception.bags.events import ImageEvent
from airside_perception.errors import AirsideError
from airside_perception.geometry.se3 import transform_points
from airside_perception.synth.exposures import draw_exposures
from airside_perception.synth.frames import render_frame
from airside_perception.synth.generate import run_synth
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.sequence_options import SynthOptions
from airside_perception.synth.sequence_writer import FIRST_STAMP_NS, draw_scene

CAMERAS = ("front", "left", "rear")
TIMES = np.arange(200) / 10


def test_the_anchor_is_on_time_and_the_others_follow_within_the_jitter():
    drawn = draw_exposures(np.random.default_rng(0), CAMERAS, TIMES, 0.02, 0.0)
    delays = np.array([[seen[name] for name in CAMERAS] for seen in drawn]) - TIMES[:, None]
    np.testing.assert_array_equal(delays[:, 0], 0.0)
    assert delays.min() == 0.0
    assert 0.018 < delays[:, 1:].max() <= 0.02


def test_lost_images_are_as_many_as_asked_for_and_change_nothing_else():
    whole = draw_exposures(np.random.default_rng(3), CAMERAS, TIMES, 0.02, 0.0)
    some = draw_exposures(np.random.default_rng(3), CAMERAS, TIMES, 0.02, 0.2)
    assert set(some[0]) == set(CAMERAS), "nothing is lost from the first frame"
    lost = 1 - sum(map(len, some)) / (len(TIMES) * len(CAMERAS))
    assert 0.15 < lost < 0.25
    assert all(whole[k][name] == time for k, seen in enumerate(some) for name, time in seen.items())


def test_each_image_shows_the_scene_at_its_own_time(scene, small_rig):
    exposures = {"front": 1.5, "left": 1.53, "right": 1.51}
    frame = render_frame(RasterBackend(scene), scene, small_rig, 1.5, np.random.default_rng(0), None, exposures)
    assert list(frame.layers) == list(exposures)
    together = render_frame(RasterBackend(scene), scene, small_rig, 1.53, np.random.default_rng(0), None)
    np.testing.assert_array_equal(frame.layers["left"].depth, together.layers["left"].depth)
    np.testing.assert_array_equal(frame.layers["left"].item, together.layers["left"].item)
    assert np.any(frame.layers["right"].depth != together.layers["right"].depth)
    # Boxes and pose stay those of the anchor.
    np.testing.assert_array_equal(frame.odom_from_base, scene.odom_from_base(1.5))
    own = scene.objects[[o.object_id for o in scene.objects].index(frame.objects[0]["id"])]
    np.testing.assert_array_equal(frame.boxes[0], own.box(1.5))


def test_a_frame_without_any_image_is_labelled_all_the_same(scene, small_rig, backend):
    from conftest import GRID

    frame = render_frame(backend, scene, small_rig, 1.5, np.random.default_rng(0), GRID, {})
    assert frame.layers == {}
    assert not frame.observed.any()
    assert frame.occupancy.any()
    assert all(entry["visibility"] == 0 for entry in frame.objects)


@pytest.fixture(scope="module")
def written(small_rig, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exposures")
    small_rig.resized(96, 60).save(folder / "rig.yaml")
    options = SynthOptions(
        folder / "s", seed=4, rig=str(folder / "rig.yaml"), duration_s=1.0, layout="stands", condition="clear",
        camera_jitter_s=0.045, drop=0.3, label_every=3, progress=False,
    )  # fmt: skip
    return options, run_synth(options)


def test_the_bag_lacks_the_lost_images_and_the_manifest_names_them(written):
    options, manifest = written
    stamps = [FIRST_STAMP_NS + k * 100_000_000 for k in range(10)]
    with BagReader(options.out / "bag") as bag:
        images = [event for event in bag.messages() if isinstance(event, ImageEvent)]
    lost = manifest["dropped_images"]
    assert lost == json.loads((options.out / "manifest.json").read_text())["dropped_images"]
    assert 4 <= sum(map(len, lost.values())) <= 20
    present = {(event.camera, int(np.searchsorted(stamps, event.stamp_ns, "right")) - 1) for event in images}
    missing = {(name, k) for name in ("front", "left", "rear", "right") for k in range(10)} - present
    assert missing == {(name, k) for name, frames in lost.items() for k in frames}
    labelled = {(name, k) for name, k in present if k % 3 == 0}
    files = (options.out / "ground_truth" / "depth").rglob("*.png")
    assert {(path.parent.name, int(path.stem)) for path in files} == labelled


def test_depth_belongs_to_the_images_own_stamp(written):
    """Depth images, put into the world with the pose at the image's stamp, lie on the ground where they show it."""
    options, _ = written
    scene = draw_scene(options)
    with BagReader(options.out / "bag") as bag:
        stamps = {
            (event.camera, round((event.stamp_ns - FIRST_STAMP_NS) / 1e8 - 0.225)): event.stamp_ns
            for event in bag.messages()
            if isinstance(event, ImageEvent)
        }
    assert np.ptp(scene.ego.positions, axis=0).max() > 1.0, "the vehicle stands: the test shows nothing"
    truth = options.out / "ground_truth"
    standing = [o for o in scene.objects if not o.trajectory.moves and o.asset.class_name == "gse"]
    checked = 0
    for name, camera in scene.rig.cameras.items():
        columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        rays = camera.unproject(np.stack([columns, rows], -1).astype(float))
        for index in (0, 3, 6, 9):
            path = truth / "depth" / name / f"{index:04d}.png"
            if not path.is_file():
                continue
            depth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) / 100.0
            semantic = cv2.imread(str(truth / "semantic" / name / path.name), cv2.IMREAD_UNCHANGED)
            pose = scene.odom_from_base((stamps[name, index] - FIRST_STAMP_NS) / 1e9) @ camera.base_from_camera
            places = transform_points(pose, (rays / rays[..., 2:] * depth[..., None]).reshape(-1, 3))
            near = (semantic.ravel() == 3) & (depth.ravel() < 40)
            for item in standing:
                local = transform_points(np.linalg.inv(item.pose(0.0)), places[near])
                inside = np.all(np.abs(local) < item.asset.size / 2 + 0.1, axis=1)
                deep = np.all(np.abs(local) < item.asset.size / 2 + 0.02, axis=1)
                checked += int(inside.sum())
                assert deep.sum() >= 0.97 * inside.sum()
    assert checked > 50, "no standing equipment was near: the test shows nothing"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drop": 1.0}, "--drop: expected a share of images"),
        ({"camera_jitter_s": 0.06}, "--jitter-ms: expected 0 up to half the 100 ms between two frames, got 60"),
        ({"camera_jitter_s": -0.01}, "--jitter-ms"),
        ({"point_tracks": -1}, "--point-tracks: expected a number of points"),
        ({"format": "kitti"}, "--format: expected apron or nuscenes, got 'kitti'"),
        ({"format": "nuscenes", "point_tracks": 5}, "--format nuscenes: expected without"),
        ({"duration_s": 0.01}, "expected at least one frame"),
    ],
)
def test_options_that_make_no_sequence_are_refused(tmp_path, changes, message):
    with pytest.raises(AirsideError, match=message):
        run_synth(SynthOptions(tmp_path / "s", progress=False, **changes))
    assert list(tmp_path.iterdir()) == []
