"""Numbers of rigs that cannot be right are told, shipped rigs are not complained of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from airside_perception.doctor.rig_geometry import examine_rig, horizon_row, horizontal_view_deg, seen_on_ring
from airside_perception.geometry import Camera, Rig, make_transform

ROOT = Path(__file__).resolve().parents[2]
AHEAD = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def make_camera(**changes: object) -> Camera:
    """64 x 40 pixels, 90 degrees wide, 2 m up, level."""
    intrinsics = np.array([[32.0, 0.0, 31.5], [0.0, 32.0, 19.5], [0.0, 0.0, 1.0]])
    camera = Camera("front", 64, 40, intrinsics, make_transform(AHEAD, [1.0, 0.0, 2.0]))
    return replace(camera, **changes)


def finding(camera: Camera):
    findings = {found.topic: found for found in examine_rig(Rig({"front": camera}))}
    return findings["calibration front"]


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "rigs").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_rigs_are_fine(path):
    assert {found.state for found in examine_rig(Rig.load(path))} <= {"ok", "note"}


def test_a_level_camera_is_described():
    found = finding(make_camera())
    assert found.state == "ok"
    assert "2.00 m up, tilted 0 deg down" in found.detail
    assert horizon_row(make_camera()) == pytest.approx(19.5, abs=0.1)
    assert horizontal_view_deg(make_camera()) == pytest.approx(2 * np.degrees(np.arctan(31.5 / 32)), abs=0.1)


def intrinsics(fx: float, fy: float, cx: float = 31.5, cy: float = 19.5) -> np.ndarray:
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"intrinsics": intrinsics(32, 40)}, "pixels are not square"),
        ({"intrinsics": intrinsics(64, 64, 63.5, 39.5)}, "fits 128x80 better than 64x40"),
        ({"intrinsics": intrinsics(900, 900)}, "4 deg wide"),
        ({"base_from_camera": make_transform(AHEAD, [1.0, 0.0, 0.0])}, "0.00 m above the ground plane"),
        ({"base_from_camera": make_transform(AHEAD @ np.diag([-1, -1, 1]), [1, 0, 2])}, "upside down"),
        ({"base_from_camera": make_transform(np.eye(3), [1, 0, 2])}, "90 deg up into the sky"),
        (
            {"base_from_camera": make_transform(AHEAD @ [[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]], [1, 0, 2])},
            "the horizon is slanted",
        ),
    ],
)
def test_what_cannot_be_right_is_told(changes, complaint):
    found = finding(make_camera(**changes))
    assert found.state == "warn"
    assert complaint in found.detail
    assert found.advice


def test_coverage_counts_the_ground_around_the_vehicle():
    rig = Rig({"front": make_camera()})
    assert seen_on_ring(rig).mean() == pytest.approx(0.23, abs=0.03)
    coverage = next(found for found in examine_rig(rig) if found.topic == "coverage")
    assert coverage.state == "note"
    assert "stay unseen" in coverage.advice
