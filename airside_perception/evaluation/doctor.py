"""`airside doctor`: what is installed, whether the shipped engines load, whether a bag can be used."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from airside_perception import __version__
from airside_perception.config import Config
from airside_perception.errors import AirsideError
from airside_perception.resources import find_file

LIBRARIES = (
    "numpy",
    "torch",
    "warp-lang",
    "onnxruntime",
    "opencv-python-headless",
    "rosbags",
    "safetensors",
)
"""Distributions that the package cannot do without."""

MARKS = {"ok": "ok  ", "note": "note", "warn": "WARN", "fail": "FAIL"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        topic: what was looked at.
        state: "ok", "note" (optional part absent), "warn" (works, but look) or "fail".
        detail: what was found and, where it is bad, what to do.
    """

    topic: str
    state: str
    detail: str


def examine(config: Config, bag: Path | None = None) -> list[Finding]:
    """Look at everything; a broken part becomes a finding, never an exception.

    Args:
        config: names the engines to load and the cameras to expect.
        bag: sequence folder, bag folder or bag file to look into as well.
    """
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("environment", _environment),
        ("graphics card", _graphics_card),
        ("ROS 2", _ros),
        ("occupancy engine", lambda: _engine(config)),
        ("object prior", lambda: _prior(config)),
    ]
    if bag is not None:
        checks.append(("bag", lambda: _bag(config, bag)))
    findings: list[Finding] = []
    for topic, check in checks:
        try:
            findings.extend(check())
        except Exception as error:
            # A doctor that faints is no use: whatever breaks in a part is that part's finding.
            reason = str(error) if isinstance(error, AirsideError) else f"{type(error).__name__}: {error}"
            findings.append(Finding(topic, "fail", " ".join(reason.split())))
    return findings


def format_findings(findings: list[Finding]) -> str:
    """The report as text."""
    width = max(len(finding.topic) for finding in findings)
    lines = [f"{MARKS[finding.state]}  {finding.topic:<{width}}  {finding.detail}" for finding in findings]
    failed = sum(finding.state == "fail" for finding in findings)
    lines.append(f"{failed} of {len(findings)} checks failed" if failed else "all well")
    return "\n".join(lines)


def _environment() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding(
        "environment",
        "ok",
        f"airside_perception {__version__}, Python {platform.python_version()} at {sys.prefix}, "
        f"{platform.system()} {platform.machine()}, {cores} CPU cores",
    )
    for name in LIBRARIES:
        version = _version(name)
        if version is None and name.startswith("opencv") and importlib.util.find_spec("cv2"):
            version = "(from another distribution)"
        state, detail = ("ok", version) if version else ("fail", f"not installed; pip install {name}")
        yield Finding(name, state, detail)


def _graphics_card() -> Iterator[Finding]:
    import torch

    if not torch.cuda.is_available():
        yield Finding("graphics card", "note", "none that CUDA can use; everything runs on the CPU")
        return
    tensorrt = _version("tensorrt")
    yield Finding(
        "graphics card",
        "ok",
        f"{torch.cuda.get_device_name(0)}, " + (f"TensorRT {tensorrt}" if tensorrt else "TensorRT is not installed"),
    )


def _ros() -> Iterator[Finding]:
    if importlib.util.find_spec("rclpy") is None:
        yield Finding("ROS 2", "note", "rclpy is not installed; offline commands do without (extra: ros)")
        return
    optional = ("launch_ros", "tf2_ros", "message_filters", "vision_msgs", "cv_bridge")
    absent = [name for name in optional if importlib.util.find_spec(name) is None]
    detail = f"rclpy {_version('rclpy') or _version('ros-rclpy') or ''}".strip()
    detail += f", middleware {os.environ.get('RMW_IMPLEMENTATION', 'default')}"
    yield Finding("ROS 2", "ok", detail + (f"; not installed: {', '.join(absent)}" if absent else ""))


def _engine(config: Config) -> Iterator[Finding]:
    from airside_perception.inference import load_engine

    path = find_file(config.network.engine, "occupancy engine")
    engine = load_engine(path, config.network.runtime, config.network.threads)
    shapes = ", ".join(f"{spec.name} {tuple(spec.shape)}" for spec in engine.input_specs)
    yield Finding("occupancy engine", "ok", f"{_file(path)} on {engine.runtime}; inputs {shapes}")


def _prior(config: Config) -> Iterator[Finding]:
    from airside_perception.prior import ObjectPrior

    path = find_file(config.refine.prior, "object prior")
    prior = ObjectPrior.load(path)
    detail = f"{_file(path)}; classes {', '.join(prior.class_names)}"
    yield Finding("object prior", "ok", f"{detail}; codes {prior.shape_size} + {prior.texture_size}")


def _bag(config: Config, path: Path) -> Iterator[Finding]:
    from airside_perception.bags import BagReader, open_sequence

    sequence = open_sequence(path)
    with BagReader(sequence.bag_path) as reader:
        truth = "with ground truth" if sequence.ground_truth_path else "without ground truth"
        yield Finding("bag", "ok", f"{sequence.bag_path}, {reader.duration_s:.1f} s, {truth}")
        rig = reader.rig()
        for name in rig.names:
            camera = rig.cameras[name]
            count = reader.counts.get(name, 0)
            rate = max(count - 1, 0) / reader.duration_s if reader.duration_s > 0 else 0.0
            detail = f"{camera.width}x{camera.height} {camera.distortion_model}, {count} images, {rate:.1f} Hz"
            state = "ok" if count else "warn"
            yield Finding(f"camera {name}", state, detail)
    absent = [name for name in config.rig.cameras if name not in rig.names]
    if absent:
        yield Finding("rig.cameras", "fail", f"not in the bag: {', '.join(absent)}; it has {', '.join(rig.names)}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _file(path: Path) -> str:
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB)"
