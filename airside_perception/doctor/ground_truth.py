"""Whether ground truth, calibration and the ground plane of base_link agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from airside_perception.classes import GROUND
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.findings import Finding
from airside_perception.geometry import Camera, Rig, invert_transform, transform_points

_FARTHEST_M = 20.0
_DEPTH_SHARE = 0.03
"""Depth of the ground may differ from the plane's by this share (median)."""

_BOX_M = 0.3
"""Undersides of boxes lie within this distance of the ground plane (median)."""


def examine_truth(folder: Path, rig: Rig) -> Iterator[Finding]:
    """Compare depth images and boxes with the plane z = 0 of base_link."""
    truth = TruthLabels(folder)
    for name, camera in rig.cameras.items():
        error = _depth_error(truth, camera)
        if error is None:
            continue
        wrong = error > _DEPTH_SHARE
        advice = "tilt or height of the camera is wrong, or the ground is not flat" if wrong else ""
        detail = f"ground is {100 * error:.1f} % off the ground plane (median)"
        yield Finding(f"depth {name}", "warn" if wrong else "ok", detail, advice)
    heights = np.concatenate([_underside_heights(truth, index) for index in range(len(truth.poses))] or [np.zeros(0)])
    if heights.size:
        middle = float(np.median(np.abs(heights)))
        wrong = middle > _BOX_M
        advice = "base_link must stand on the ground (z = 0 at the wheels' contact)" if wrong else ""
        detail = f"undersides are {middle:.2f} m off the ground plane (median of {heights.size})"
        yield Finding("boxes", "warn" if wrong else "ok", detail, advice)


def _depth_error(truth: TruthLabels, camera: Camera) -> float | None:
    """Median relative difference between depth images and the ground plane, over near ground pixels; None without."""
    errors = []
    for index in range(len(truth.poses)):
        depth, semantic = truth.depth(camera.name, index), truth.semantic(camera.name, index)
        if depth is None or semantic is None or depth.shape != (camera.height, camera.width):
            continue
        rows, columns = np.nonzero((semantic == GROUND) & (depth > 0.0) & (depth < _FARTHEST_M))
        step = max(len(rows) // 2000, 1)
        pixels = np.stack([columns, rows], axis=-1)[::step].astype(np.float64)
        points, hit = camera.ground_intersection(pixels)
        expected = transform_points(camera.camera_from_base, points[hit])[:, 2]
        found = depth[rows[::step], columns[::step]][hit]
        errors.append(np.abs(found - expected) / np.maximum(expected, 0.1))
        if len(errors) >= 3:
            break
    together = np.concatenate(errors) if errors else np.zeros(0)
    return float(np.median(together)) if together.size else None


def _underside_heights(truth: TruthLabels, index: int) -> np.ndarray:
    """(N,) heights of the undersides of a frame's boxes above the ground plane of base_link, metres."""
    objects = truth.frame(index)["objects"]
    centers = np.array([entry["translation"] for entry in objects], np.float64).reshape(-1, 3)
    heights = np.array([entry["size"][2] for entry in objects], np.float64)
    return transform_points(invert_transform(truth.poses[index]), centers)[:, 2] - 0.5 * heights
