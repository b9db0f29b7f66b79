"""Simulated detections: the asked-for errors, correlated in time, readable as a detections file."""

import json

import numpy as np
import pytest

from airside_perception.evaluation.results_format import read_detections
from airside_perception.geometry.se3 import matrix_to_quaternion, rotation_z, wrap_angle
from airside_perception.synth.detections import DetectorErrors, simulate_detections

RATE = 10


def sequence(objects=200, frames=60, distance=20.0, name="gse", visibility=1.0, yaw=0.3):
    """Objects on a circle round a standing vehicle."""
    angles = np.linspace(0, 2 * np.pi, objects, endpoint=False)
    entries = [
        {
            "id": f"{name}_{k}",
            "class": name,
            "translation": [5 + distance * np.cos(a), -3 + distance * np.sin(a), 1.0],
            "size": [4.0, 2.0, 2.0],
            "rotation": matrix_to_quaternion(rotation_z(yaw)).tolist(),
            "visibility": visibility,
        }
        for k, a in enumerate(angles)
    ]
    pose = {"translation": [5.0, -3.0, 0.0], "rotation": [1, 0, 0, 0]}
    return [{"stamp_ns": 10**9 + k * 10**9 // RATE, "ego_pose": pose, "objects": entries} for k in range(frames)]


SURE = DetectorErrors(miss_rate=0.0, false_alarms=0.0, easy_range=59.0, flip_rate=0.0)


def errors_of(frames, detections):
    """(frames, objects) radial and lateral errors, log sizes and yaw errors of a sequence without misses."""
    truth = frames[0]["objects"]
    centers = np.array([entry["translation"] for entry in truth])
    ego = np.array([5.0, -3.0])
    sight = (centers[:, :2] - ego) / np.linalg.norm(centers[:, :2] - ego, axis=1, keepdims=True)
    radial, lateral, size, yaw = [], [], [], []
    for entries in detections.values():
        found = np.array([entry["translation"] for entry in entries])
        nearest = np.linalg.norm(centers[:, None, :2] - found[None, :, :2], axis=-1)
        # Bearings hardly err, so they tell who is who.
        bearings = np.arctan2(*(found[:, :2] - ego).T[::-1])
        order = np.argsort((bearings + np.pi / len(truth)) % (2 * np.pi))
        assert nearest.shape[0] == nearest.shape[1]
        entries = [entries[k] for k in order]
        moved = np.array([e["translation"][:2] for e in entries]) - centers[:, :2]
        radial.append((moved * sight).sum(1))
        lateral.append(moved[:, 1] * sight[:, 0] - moved[:, 0] * sight[:, 1])
        size.append(np.log(np.array([e["size"] for e in entries]) / [4.0, 2.0, 2.0]))
        w, z = np.array([e["rotation"] for e in entries])[:, [0, 3]].T
        yaw.append(wrap_angle(2 * np.arctan2(z, w) - 0.3))
    return np.array(radial), np.array(lateral), np.array(size), np.array(yaw)


def test_errors_have_the_asked_for_size():
    # Few objects, so that none is taken for its neighbour; the sparse ring is seen through many seeds.
    radial, lateral, size, yaw = zip(
        *(errors_of(f, simulate_detections(f, seed, SURE)) for seed in range(12) for f in [sequence(24, 20)]),
        strict=True,
    )
    sigma = 0.3 + 0.025 * 20
    assert np.std(radial) == pytest.approx(sigma, rel=0.1)
    assert np.std(lateral) == pytest.approx(sigma / 2, rel=0.1)
    assert np.std(size) == pytest.approx(0.08, rel=0.1)
    assert np.degrees(np.std(yaw)) == pytest.approx(12.0, rel=0.1)
    # Too far goes with too big.
    assert np.corrcoef(np.ravel(radial), np.concatenate(size)[..., 0].ravel())[0, 1] == pytest.approx(0.71, abs=0.08)


def test_errors_last():
    radial = np.concatenate(
        [errors_of(f, simulate_detections(f, seed, SURE))[0] for seed in range(12) for f in [sequence(24, 60)]], axis=1
    )
    radial = radial / radial.std()
    near, far = (float((radial[:-lag] * radial[lag:]).mean()) for lag in (1, 50))
    assert near == pytest.approx(0.4 + 0.35 * np.exp(-0.1 / 1.5), abs=0.08)
    assert far == pytest.approx(0.4, abs=0.12)


@pytest.mark.parametrize(("name", "sigma"), [("aircraft", 6.0), ("person", 40.0)])
def test_yaw_errs_by_class(name, sigma):
    frames = sequence(24, 30, name=name, distance=15.0)
    yaw = np.concatenate([errors_of(frames, simulate_detections(frames, seed, SURE))[3] for seed in range(12)])
    assert np.degrees(yaw.std()) == pytest.approx(sigma, rel=0.12)


def test_headings_flip_as_often_as_asked():
    flips = DetectorErrors(miss_rate=0.0, false_alarms=0.0, flip_rate=0.04, easy_range=59.0)
    frames = sequence(24, 30)
    yaw = np.concatenate([errors_of(frames, simulate_detections(frames, seed, flips))[3] for seed in range(20)])
    assert (np.abs(yaw) > np.pi / 2).mean() == pytest.approx(0.04, abs=0.015)


def found_share(**kwargs):
    frames = sequence(400, 10, **kwargs)
    detections = simulate_detections(frames, 3, DetectorErrors(false_alarms=0.0))
    return sum(map(len, detections.values())) / 4000


def test_misses_grow_with_range_and_hiding():
    assert found_share(distance=15.0) == pytest.approx(0.9, abs=0.03)
    assert 0.4 < found_share(distance=55.0) < 0.6
    assert found_share(distance=61.0) == 0
    assert 0.15 < found_share(distance=15.0, visibility=0.1) < 0.4
    assert found_share(distance=15.0, visibility=0.04) == 0


def test_false_alarms_come_at_their_rate_and_stay_a_while():
    pose = {"translation": [0.0, 0.0, 0.0], "rotation": [1, 0, 0, 0]}
    frames = [{"stamp_ns": k * 10**8, "ego_pose": pose, "objects": []} for k in range(3000)]
    counts = np.array([len(entries) for entries in simulate_detections(frames, 5).values()])
    assert counts.mean() == pytest.approx(0.3, abs=0.06)
    assert np.corrcoef(counts[:-1], counts[1:])[0, 1] == pytest.approx(np.exp(-1 / 3), abs=0.1)


def test_a_seed_decides_and_objects_do_not_influence_each_other():
    frames = sequence(10, 5)
    assert simulate_detections(frames, 1) == simulate_detections(frames, 1)
    assert simulate_detections(frames, 1) != simulate_detections(frames, 2)
    fewer = [{**frame, "objects": frame["objects"][:4]} for frame in frames]
    quiet = DetectorErrors(false_alarms=0.0)
    all_of_them, some = (simulate_detections(f, 1, quiet) for f in (frames, fewer))
    for stamp, entries in some.items():
        assert all(entry in all_of_them[stamp] for entry in entries)


def test_the_file_is_read_by_the_evaluation(tmp_path):
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(simulate_detections(sequence(10, 5), 1)))
    read = read_detections(path)
    assert list(read) == [10**9 + k * 10**8 for k in range(5)]
    assert all(0 <= detection.score <= 1 for found in read.values() for detection in found)
