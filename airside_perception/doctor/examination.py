"""All checks of `airside doctor`, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airside_perception.config import Config
from airside_perception.doctor import environment
from airside_perception.findings import Check, Finding, run_checks
from airside_perception.resources import file_digest, find_file


def examine(config: Config, bag: Path | None = None, live_s: float = 0.0) -> list[Finding]:
    """Look at everything; a broken part becomes a finding, never an exception.

    Args:
        config: names the engines to load and the cameras to expect.
        bag: sequence folder, bag folder or bag file to look into as well.
        live_s: listen to the live topics for so many seconds as well; 0: don't.
    """
    checks: list[Check] = [
        ("environment", environment.python_and_libraries),
        ("graphics card", environment.graphics_card),
        ("ROS 2", environment.ros),
        ("occupancy engine", lambda: _engine(config)),
        ("object prior", lambda: _prior(config)),
    ]
    if config.rig.file:
        checks.append(("rig.file", lambda: _rig_file(config)))
    if bag is not None:
        checks.append(("bag", lambda: _bag(config, bag)))
    if live_s > 0:
        checks.append(("live", lambda: _live(config, live_s)))
    return run_checks(checks)


def _engine(config: Config) -> Iterator[Finding]:
    from airside_perception.inference import load_engine

    path = find_file(config.network.engine, "occupancy engine", config.network.engine_sha256)
    engine = load_engine(path, config.network.runtime, config.network.threads)
    shapes = ", ".join(f"{spec.name} {tuple(spec.shape)}" for spec in engine.input_specs)
    yield Finding("occupancy engine", "ok", f"{_file(path)} on {engine.runtime}; inputs {shapes}")


def _prior(config: Config) -> Iterator[Finding]:
    from airside_perception.prior import ObjectPrior

    path = find_file(config.refine.prior, "object prior", config.refine.prior_sha256)
    prior = ObjectPrior.load(path)
    detail = f"{_file(path)}; classes {', '.join(prior.class_names)}"
    yield Finding("object prior", "ok", f"{detail}; codes {prior.shape_size} + {prior.texture_size}")


def _rig_file(config: Config) -> Iterator[Finding]:
    from airside_perception.doctor.rig_geometry import examine_rig
    from airside_perception.geometry import Rig

    path = find_file(config.rig.file, "rig file (rig.file)")
    rig = Rig.load(path)
    yield Finding("rig.file", "ok", f"{path}: {rig.name}, {len(rig.names)} cameras")
    yield from examine_rig(rig)


def _bag(config: Config, path: Path) -> Iterator[Finding]:
    from airside_perception.doctor.recording import examine_recording

    return examine_recording(config, path)


def _live(config: Config, seconds: float) -> Iterator[Finding]:
    from airside_perception.ros.live_topics import examine_live

    return examine_live(config, seconds)


def _file(path: Path) -> str:
    return f"{path} ({path.stat().st_size / 1e6:.1f} MB, SHA-256 {file_digest(path)[:12]})"
