"""Whether a rig can be right, from its numbers alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from airside_perception.findings import Finding
from airside_perception.geometry import Camera, Rig

_HEIGHT_M = (0.2, 8.0)
"""Cameras of vehicles are mounted so high above the ground."""

_VIEW_DEG = (15.0, 220.0)
"""Horizontal fields of view of cameras that are used on vehicles."""

_RING_M = 10.0
"""Coverage is told for points on the ground at this distance from base_link."""

_RING_POINTS = 720


def examine_rig(rig: Rig) -> Iterator[Finding]:
    """Each camera's numbers, then what the cameras see together."""
    for camera in rig.cameras.values():
        yield _examine_camera(camera)
    yield from _coverage(rig)


def _examine_camera(camera: Camera) -> Finding:
    """The first complaint about a camera's numbers, or what they mean."""
    topic = f"calibration {camera.name}"
    view = horizontal_view_deg(camera)
    complaint = _intrinsics_complaint(camera, view) or _mounting_complaint(camera)
    if complaint:
        return Finding(topic, "warn", *complaint)
    down = round(np.degrees(np.arcsin(-camera.base_from_camera[2, 2])))
    row = horizon_row(camera)
    horizon = f"horizon at row {row:.0f} of {camera.height}" if row is not None else "looks straight down"
    detail = f"{view:.0f} deg wide, {camera.position[2]:.2f} m up, tilted {down} deg down, {horizon}"
    return Finding(topic, "ok", detail)


def _intrinsics_complaint(camera: Camera, view_deg: float) -> tuple[str, str] | None:
    k, mend = camera.intrinsics, "calibrate the camera at this image size, or mend width and height"
    fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    if abs(fx / fy - 1.0) > 0.1:
        return f"fx {fx:.0f} and fy {fy:.0f} differ by {100 * abs(fx / fy - 1):.0f} %: pixels are not square", mend
    off = max(abs(cx / camera.width - 0.5), abs(cy / camera.height - 0.5))
    if off > 0.15:
        other = f"{2 * cx + 1:.0f}x{2 * cy + 1:.0f}"
        return f"principal point ({cx:.0f}, {cy:.0f}) fits {other} better than {camera.width}x{camera.height}", mend
    if not _VIEW_DEG[0] <= view_deg <= _VIEW_DEG[1]:
        return f"{view_deg:.0f} deg wide with fx {fx:.0f} at {camera.width} pixels", mend
    return None


def _mounting_complaint(camera: Camera) -> tuple[str, str] | None:
    rotation, height = camera.base_from_camera[:3, :3], camera.position[2]
    mend = "mend the camera's extrinsics: base_from_camera, z of the optical frame forward, y down"
    if not _HEIGHT_M[0] <= height <= _HEIGHT_M[1]:
        return f"{height:.2f} m above the ground plane of base_link", mend
    if rotation[2, 1] > 0.3:
        return "mounted upside down: image rows run upwards", mend
    if rotation[2, 2] > 0.5:
        return f"looks {np.degrees(np.arcsin(rotation[2, 2])):.0f} deg up into the sky", mend
    roll = np.degrees(np.arcsin(np.clip(rotation[2, 0], -1.0, 1.0)))
    if abs(roll) > 20.0:
        return f"rolled by {roll:.0f} deg: the horizon is slanted", mend
    return None


def horizontal_view_deg(camera: Camera) -> float:
    """Angle between the rays of the outermost pixels of the middle row, degrees."""
    row = (camera.height - 1) / 2
    rays = camera.unproject(np.array([[0.0, row], [camera.intrinsics[0, 2], row], [camera.width - 1.0, row]]))
    halves = np.arccos(np.clip([rays[0] @ rays[1], rays[1] @ rays[2]], -1.0, 1.0))
    return float(np.degrees(halves.sum()))


def horizon_row(camera: Camera) -> float | None:
    """Image row of the horizon in the middle column; None where the camera looks straight down."""
    forward = camera.base_from_camera[:3, 2] * np.array([1.0, 1.0, 0.0])
    if np.linalg.norm(forward) < 0.2:
        return None
    ray = camera.base_from_camera[:3, :3].T @ (forward / np.linalg.norm(forward))
    pixels, valid = camera.project(ray[None] * 100.0)
    return float(pixels[0, 1]) if valid[0] else None


def seen_on_ring(rig: Rig, radius_m: float = _RING_M) -> np.ndarray:
    """(cameras, 720) bool: which points on the ground at a distance from base_link each camera sees."""
    angles = np.linspace(0.0, 2.0 * np.pi, _RING_POINTS, endpoint=False)
    ring = np.stack([radius_m * np.cos(angles), radius_m * np.sin(angles), np.zeros_like(angles)], axis=-1)
    return np.stack([camera.project_base(ring)[2] for camera in rig.cameras.values()])


def _coverage(rig: Rig) -> Iterator[Finding]:
    seen = seen_on_ring(rig)
    for name, points in zip(rig.names, seen, strict=True):
        if not points.any():
            yield Finding(
                f"view {name}",
                "warn",
                f"sees no ground at {_RING_M:.0f} m around the vehicle",
                "mend its extrinsics, or leave it out (rig.cameras)",
            )
    count = seen.sum(axis=0)
    gaps = int((count == 0).sum())
    detail = (
        f"at {_RING_M:.0f} m the cameras see {100 * (count > 0).mean():.0f} % of the ground around the vehicle, "
        f"two or more see {100 * (count > 1).mean():.0f} %"
    )
    advice = (
        f"{gaps * 360 // _RING_POINTS} deg around the vehicle stay unseen: nothing is tracked there" if gaps else ""
    )
    yield Finding("coverage", "note" if gaps else "ok", detail, advice)
