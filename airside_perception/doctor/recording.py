"""What a recording holds, and whether its calibration fits its images, odometry and ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from airside_perception.bags import BagReader, CorruptImage, ImageEvent, open_sequence
from airside_perception.config import Config
from airside_perception.doctor.image_motion import MOVED_M, MotionFit, View, judge_motion
from airside_perception.doctor.rig_geometry import examine_rig
from airside_perception.ego_motion import EgoMotion, EgoState
from airside_perception.findings import Finding
from airside_perception.geometry import Rig
from airside_perception.resources import find_file

_MOST_VIEWS = 8
"""So many images of each camera are compared with each other."""

_CLEARLY = 0.25
"""Another explanation must fit so much more of the points before it is named."""

_FITS = 0.7
"""A calibration that fits a smaller share of the points is doubted."""


def examine_recording(config: Config, path: Path) -> Iterator[Finding]:
    """Topics, rates, calibration, image motion and, where there is some, ground truth.

    Raises:
        AirsideError: not a usable bag.
    """
    sequence = open_sequence(path)
    rig = Rig.load(find_file(config.rig.file, "rig file (rig.file)")) if config.rig.file else None
    with BagReader(sequence.bag_path, rig) as reader:
        truth = "with ground truth" if sequence.ground_truth_path else "without ground truth"
        yield Finding("bag", "ok", f"{sequence.bag_path}, {reader.duration_s:.1f} s, {truth}")
        yield from _streams(reader)
        absent = [name for name in config.rig.cameras if name not in reader.cameras]
        if absent:
            known = ", ".join(reader.cameras)
            yield Finding("rig.cameras", "fail", f"not in the bag: {', '.join(absent)}; it has {known}")
        yield from examine_rig(reader.rig())
        views, broken = _collect_views(reader)
        for name, count in broken.items():
            yield Finding(f"images {name}", "warn", f"{count} of those looked at cannot be decoded", "see the driver")
        for name, fit in judge_motion(reader.rig(), views).items():
            yield motion_finding(name, fit)
        if sequence.ground_truth_path:
            from airside_perception.doctor.ground_truth import examine_truth

            yield from examine_truth(sequence.ground_truth_path, reader.rig())


def _streams(reader: BagReader) -> Iterator[Finding]:
    """Size, count and rate of each camera and of the odometry."""
    rig, counts = reader.rig(), reader.counts
    for name in rig.names:
        camera, count = rig.cameras[name], counts.get(name, 0)
        detail = (
            f"{camera.width}x{camera.height} {camera.distortion_model}, {count} images, {_rate(reader, name):.1f} Hz"
        )
        yield Finding(f"camera {name}", "ok" if count else "warn", detail)
    images, poses = max(_rate(reader, name) for name in rig.names), _rate(reader, "odometry")
    slow = poses < images
    advice = "poses between messages are interpolated; publish odometry at the cameras' rate or faster" if slow else ""
    yield Finding("odometry", "warn" if slow else "ok", f"{counts['odometry']} messages, {poses:.1f} Hz", advice)


def _rate(reader: BagReader, stream: str) -> float:
    count = reader.counts.get(stream, 0)
    return max(count - 1, 0) / reader.duration_s if reader.duration_s > 0 else 0.0


def _collect_views(reader: BagReader) -> tuple[dict[str, list[View]], dict[str, int]]:
    """Some images of each camera, taken where the vehicle had moved on; and how many could not be decoded."""
    views: dict[str, list[View]] = {name: [] for name in reader.cameras}
    broken: dict[str, int] = {}
    ego = EgoMotion()
    for event in reader.messages():
        if not isinstance(event, ImageEvent):
            ego.add(EgoState(event.stamp_ns, event.odom_from_base, event.linear_velocity, event.yaw_rate))
            continue
        state = ego.at(event.stamp_ns)
        taken = views[event.camera]
        if state is None or len(taken) >= _MOST_VIEWS or not _moved_on(taken, state.odom_from_base):
            continue
        try:
            taken.append(View(cv2.cvtColor(event.decode(), cv2.COLOR_RGB2GRAY), state.odom_from_base))
        except CorruptImage:
            broken[event.camera] = broken.get(event.camera, 0) + 1
        if all(len(images) >= _MOST_VIEWS for images in views.values()):
            break
    return views, broken


def _moved_on(taken: list[View], odom_from_base: np.ndarray) -> bool:
    if not taken:
        return True
    return float(np.linalg.norm(odom_from_base[:3, 3] - taken[-1].odom_from_base[:3, 3])) > MOVED_M[0]


def motion_finding(name: str, fit: MotionFit) -> Finding:
    """What the image motion of a camera says of its calibration."""
    topic = f"image motion {name}"
    if not fit.judged:
        detail = f"only {fit.points} points moved enough to judge by"
        return Finding(topic, "note", detail, "record while the vehicle drives a few metres")
    detail = f"{100 * fit.own:.0f} % of {fit.points} points fit calibration, mounting and odometry"
    best, share = max(fit.others.items(), key=lambda item: item[1], default=("", 0.0))
    if fit.mirrored > fit.own + _CLEARLY and fit.mirrored >= share:
        advice = "the images look mirrored left to right: see the driver's flip setting"
        return Finding(topic, "fail", f"{detail}, {100 * fit.mirrored:.0f} % if mirrored", advice)
    if share > fit.own + _CLEARLY:
        advice = f"the images look like those of camera {best}: topics, cables or extrinsics are mixed up"
        return Finding(topic, "fail", f"{detail}, {100 * share:.0f} % at the place of {best}", advice)
    if fit.own < _FITS:
        advice = "check extrinsics (tilt above all), intrinsics, and the sign and frame of the odometry"
        return Finding(topic, "warn", detail, advice)
    return Finding(topic, "ok", detail)
