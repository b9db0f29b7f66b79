"""Image motion tells right calibration from mixed-up cameras, mirrored images and wrong tilt."""

from __future__ import annotations

import numpy as np
import pytest
from textured_world import drive

from airside_perception.doctor.image_motion import View, judge_motion
from airside_perception.doctor.recording import motion_finding
from airside_perception.geometry import Camera, Rig, make_transform, rotation_z

WIDTH, HEIGHT = 200, 140
NAMES = ("front", "left", "rear", "right")


def make_camera(name: str, yaw: float, tilt: float = 0.15) -> Camera:
    """100 degrees wide, 2 m up, tilted down by `tilt` radians."""
    intrinsics = np.array([[85.0, 0.0, WIDTH / 2 - 0.5], [0.0, 85.0, HEIGHT / 2 - 0.5], [0.0, 0.0, 1.0]])
    ahead = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    down = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    turn = rotation_z(yaw)[:3, :3]
    return Camera(name, WIDTH, HEIGHT, intrinsics, make_transform(turn @ ahead @ down.T, turn @ [0.8, 0.0, 2.0]))


@pytest.fixture(scope="module")
def rig() -> Rig:
    return Rig({name: make_camera(name, index * np.pi / 2) for index, name in enumerate(NAMES)})


@pytest.fixture(scope="module")
def views(rig):
    return drive(rig)


def test_right_calibration_fits(rig, views):
    for name, fit in judge_motion(rig, views).items():
        assert fit.judged
        assert fit.own > 0.8, name
        assert motion_finding(name, fit).state == "ok"


def test_exchanged_cameras_are_named(rig, views):
    exchanged = {**views, "left": views["right"], "right": views["left"]}
    fits = judge_motion(rig, exchanged)
    finding = motion_finding("left", fits["left"])
    assert finding.state == "fail"
    assert "those of camera right" in finding.advice
    assert motion_finding("front", fits["front"]).state == "ok"


def test_mirrored_images_are_named(rig, views):
    mirrored = [View(np.ascontiguousarray(view.grey[:, ::-1]), view.odom_from_base) for view in views["left"]]
    fit = judge_motion(rig, {"left": mirrored})["left"]
    assert fit.mirrored > fit.own + 0.25
    finding = motion_finding("left", fit)
    assert finding.state == "fail"
    assert "mirrored" in finding.advice


def test_wrong_tilt_is_doubted(rig, views):
    wrong = Rig({**rig.cameras, "front": make_camera("front", 0.0, tilt=0.5)})
    fit = judge_motion(wrong, {"front": views["front"]})["front"]
    assert motion_finding("front", fit).state == "warn"


def test_a_vehicle_that_stands_says_nothing(rig, views):
    fit = judge_motion(rig, {"front": [views["front"][0]] * 3})["front"]
    assert not fit.judged
    assert motion_finding("front", fit).state == "note"
