"""Recordings with own label images become training samples."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from occupancy_samples import SPEC, _trace, ring_cameras

from airside_perception.bags import ApronBagWriter
from airside_perception.cli import main
from airside_perception.errors import AirsideError
from airside_perception.geometry.boxes import points_in_boxes
from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import pose_from_xyz_yaw
from airside_perception.training.bag_samples import LabelledRecording, fill_pool_from_bags
from airside_perception.training.label_rays import draw_rays
from airside_perception.training.occupancy_data import SamplePool, load_sample
from airside_perception.training.supervision import Supervision

FIRST_NS, PERIOD_NS = 1_000_000_000_000, 100_000_000
BOX = np.array([[5.0, 1.5, 1.0, 3.0, 2.0, 2.0, 0.4]])
"""A vehicle that stands, in odom; the rig drives towards it, 0.8 m a frame."""


def write_recording(folder, labelled=(0, 2, 4), frames=5, tracks=True, speed=0.0, voxels=()):
    cameras = {camera.name: camera for camera in ring_cameras(3)}
    with ApronBagWriter(folder / "bag", Rig(cameras)) as bag:
        bag.write_static(FIRST_NS)
        for index in range(frames):
            stamp = FIRST_NS + index * PERIOD_NS
            pose = pose_from_xyz_yaw(0.8 * index, 0.0, 0.0, 0.0)
            bag.write_odometry(stamp, pose, [8.0, 0.0, 0.0], 0.0)
            seen = BOX - [0.8 * index, 0, 0, 0, 0, 0, 0]
            for name, camera in cameras.items():
                image, depth, semantic = _trace(camera, seen)
                bag.write_image(name, stamp, image, jpeg_quality=95)
                if index in labelled:
                    for kind, layer in (("depth", depth), ("semantic", semantic)):
                        path = folder / "ground_truth" / kind / name / f"{index:04d}.png"
                        path.parent.mkdir(parents=True, exist_ok=True)
                        cv2.imwrite(str(path), layer)
    if tracks:
        (folder / "ground_truth").mkdir(exist_ok=True)
        (folder / "ground_truth" / "tracks.json").write_text(json.dumps(truth(frames, speed)))
    for index in voxels:
        grid = {"origin": SPEC.grid.origin, "voxel_size": SPEC.grid.voxel_size, "shape": SPEC.grid.shape}
        (folder / "ground_truth" / "occupancy").mkdir(exist_ok=True)
        (folder / "ground_truth" / "occupancy" / "grid.json").write_text(json.dumps(grid))
        labels = np.full(SPEC.grid.shape, index, np.uint8)
        path = folder / "ground_truth" / "occupancy" / f"{index:04d}.npz"
        np.savez(path, class_id=labels, observed=np.ones(SPEC.grid.shape, bool))
    return folder


def truth(frames, speed):
    turn = [float(np.cos(0.2)), 0.0, 0.0, float(np.sin(0.2))]
    box = {
        "id": "bus", "class": "gse", "subtype": "bus", "translation": BOX[0, :3].tolist(), "size": [3.0, 2.0, 2.0],
        "rotation": turn, "velocity": [speed, 0.0, 0.0], "visibility": 0.9,
    }  # fmt: skip
    return {
        "frame_id": "odom",
        "rate_hz": 10,
        "frames": [
            {
                "stamp_ns": FIRST_NS + index * PERIOD_NS,
                "ego_pose": {"translation": [0.8 * index, 0.0, 0.0], "rotation": [1.0, 0.0, 0.0, 0.0]},
                "objects": [box],
            }
            for index in range(frames)
        ],
    }


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_recording(tmp_path_factory.mktemp("own") / "drive", voxels=(2,))


def test_labelled_frames_become_samples(recording):
    samples = dict(LabelledRecording(recording, SPEC).samples())
    assert sorted(samples) == [0, 2, 4]
    assert [len(samples[index].adjacent) for index in (0, 2, 4)] == [1, 2, 1]
    middle = samples[2]
    assert middle.images.shape == (3, 64, 128, 3)
    assert middle.boxes[0] == pytest.approx(BOX[0] - [1.6, 0, 0, 0, 0, 0, 0], abs=1e-5)
    assert (middle.box_kind[0], int(middle.box_class[0]), middle.boxes_known) == ("bus", 1, True)
    assert middle.observed.all()
    assert (middle.occupancy == 2).all()
    assert not samples[0].observed.any(), "no voxel labels of that frame"
    camera = ring_cameras(3)[0]
    _, depth, semantic = _trace(camera, BOX - [1.6, 0, 0, 0, 0, 0, 0])
    assert np.array_equal(middle.depth[0], depth[2::4, 2::4])
    assert np.array_equal(middle.semantic[0], semantic[2::4, 2::4])


def test_rays_of_other_moments_meet_the_same_vehicle(recording):
    """0.8 m a frame apart, all rays that show the standing vehicle end on its one box."""
    sample = dict(LabelledRecording(recording, SPEC).samples())[2]
    both = Supervision("2d", rays=10**6)
    rays = draw_rays(sample, both, np.random.default_rng(0))
    alone = draw_rays(sample, replace(both, auxiliary_rays=False), np.random.default_rng(0))
    assert len(rays) > 2.5 * len(alone)
    ends = (rays.origins + rays.directions * rays.distance[:, None])[rays.label == 3]
    grown = sample.boxes.astype(float).copy()
    grown[:, 3:6] += 0.5
    assert points_in_boxes(ends, grown).mean() > 0.97


def test_odometry_stands_in_for_tracks(tmp_path):
    recording = write_recording(tmp_path / "drive", tracks=False)
    samples = dict(LabelledRecording(recording, SPEC).samples())
    assert sorted(samples) == [0, 2, 4]
    assert not samples[2].boxes_known
    assert len(samples[2].boxes) == 0
    then = samples[2].adjacent[0].cameras[0].position - samples[2].cameras[0].position
    assert then == pytest.approx([-1.6, 0.0, 0.0], abs=1e-6)


def test_a_memory_gets_the_frames_before_labelled_or_not(tmp_path):
    recording = write_recording(tmp_path, labelled=(0, 2))
    samples = dict(LabelledRecording(recording, replace(SPEC, previous_volume=True)).samples())
    assert [len(samples[index].earlier) for index in (0, 2)] == [0, 2]
    older, newer = samples[2].earlier
    assert older.now_from_then[:3, 3] == pytest.approx([-1.6, 0, 0])
    assert older.age_s == pytest.approx(2 * newer.age_s)
    assert newer.now_from_then[:3, 3] == pytest.approx([-0.8, 0, 0])
    drawn = np.stack([_trace(camera, BOX)[0] for camera in older.cameras])
    wrong = [(np.abs(images.astype(int) - drawn).max(axis=3) > 60).sum() for images in (older.images, newer.images)]
    assert wrong[0] < 0.2 * wrong[1], "images of the moment that the pose tells of"
    assert not any(sample.earlier for _, sample in LabelledRecording(recording, SPEC).samples())


def test_moving_vehicles_are_marked_in_adjacent_frames(tmp_path):
    recording = write_recording(tmp_path / "drive", speed=2.0)
    sample = dict(LabelledRecording(recording, SPEC).samples())[2]
    shown = sample.adjacent[0].semantic == 3
    assert shown.any()
    assert sample.adjacent[0].moving[shown].mean() > 0.95
    assert not sample.adjacent[0].moving[~shown].any()


def test_the_last_of_two_recordings_is_held_out(recording, tmp_path):
    other = write_recording(tmp_path / "other", labelled=(1,), frames=2)
    counts = fill_pool_from_bags([recording, other], tmp_path / "pool", SPEC)
    assert sum(counts.values()) == 4
    assert min(counts.values()) >= 1
    for split in ("train", "val"):
        paths = SamplePool(tmp_path / "pool" / split).paths()
        assert len(paths) == counts[split]
        assert load_sample(paths[0]).images.shape == (3, 64, 128, 3)


def test_bad_labels_are_named(tmp_path):
    with pytest.raises(AirsideError, match="expected a folder ground_truth"):
        LabelledRecording(write_recording(tmp_path / "a", labelled=(), frames=1, tracks=False), SPEC)
    bare = write_recording(tmp_path / "b", labelled=(), frames=1)
    with pytest.raises(AirsideError, match=r"expected depth/<camera>/<frame>\.png and semantic"):
        LabelledRecording(bare, SPEC)
    bad = write_recording(tmp_path / "c", labelled=(0,), frames=1)
    path = bad / "ground_truth" / "depth" / "camera_0" / "0000.png"
    cv2.imwrite(str(path), np.zeros((64, 128), np.uint8))
    with pytest.raises(
        AirsideError, match=r"expected a uint16 image of one channel \(depth in centimetres\), got uint8"
    ):
        list(LabelledRecording(bad, SPEC).samples())
    cv2.imwrite(str(path), np.zeros((64, 128), np.uint16))
    semantic = bad / "ground_truth" / "semantic" / "camera_0" / "0000.png"
    cv2.imwrite(str(semantic), np.full((64, 128), 99, np.uint8))
    with pytest.raises(AirsideError, match=r"expected semantic ids 0\.\.6, got 99"):
        list(LabelledRecording(bad, SPEC).samples())
    (bad / "ground_truth" / "tracks.json").write_text('{"frames": [{"stamp_ns": 1}]}')
    with pytest.raises(AirsideError, match="expected frames with stamp_ns, ego_pose and objects"):
        LabelledRecording(bad, SPEC)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--contract", "4d"], "contract: expected one of 2d, lidar, dense3d, mixed, got '4d'"),
        (["--contract", "2d", "--ray-terms", "all"], "ray_terms: expected one of render, query, both"),
        (["--pool", "somewhere"], "--bags: expected without --pool and --assets"),
        ([], "no such file or directory"),
    ],
)
def test_the_command_refuses_in_one_line(tmp_path, capsys, extra, message):
    code = main(["train", "occupancy", "--out", str(tmp_path / "out"), "--bags", str(tmp_path / "none"), *extra])
    error = capsys.readouterr().err
    assert code != 0
    assert message in error
    assert len([line for line in error.splitlines() if line.startswith("airside")]) <= 1
