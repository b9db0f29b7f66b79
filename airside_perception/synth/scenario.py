"""Random apron scenes: a stand layout with turnaround traffic, or a free scatter for training breadth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.geometry.rig import Rig
from airside_perception.synth.catalogue import SPLITS
from airside_perception.synth.ground import GroundPainter
from airside_perception.synth.lighting import CONDITIONS, random_lighting
from airside_perception.synth.own_assets import OwnAsset
from airside_perception.synth.randomised_look import randomised
from airside_perception.synth.routes import drive
from airside_perception.synth.scatter_layout import fill_scatter
from airside_perception.synth.scene import LOOKS, Scene, Trajectory
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.sensor import random_sensor
from airside_perception.synth.stand_layout import fill_stands

LAYOUTS = ("stands", "scatter")
"""Names of the layouts."""


def build_scene(
    seed: int,
    split: str,
    rig: Rig,
    duration_s: float = 10.0,
    rate_hz: float = 10.0,
    layout: str | None = None,
    condition: str | None = None,
    own_assets: Sequence[OwnAsset] = (),
    look: str = "realistic",
) -> Scene:
    """Draw one scene.

    Args:
        seed: the same seed, split and arguments give the same scene on every machine.
        split: asset families to use: "train", "val" or "test".
        rig: cameras of the own vehicle.
        duration_s, rate_hz: time span.
        layout: "stands" or "scatter"; None draws stands for val and test, both for training.
        condition: a name of `lighting.CONDITIONS`; None draws one.
        own_assets: meshes from files that join in.
        look: a name of `scene.LOOKS`; "randomised" replaces colours, light and camera, and `condition` decides
            nothing but the weather's draws.

    Raises:
        AirsideError: unknown split, layout, condition or look; the message lists the known ones.
    """
    _expect("split", split, SPLITS)
    _expect("layout", layout, (None, *LAYOUTS))
    _expect("condition", condition, (None, *CONDITIONS))
    _expect("look", look, LOOKS)
    builder = SceneBuilder(seed, split, duration_s, own_assets)
    rng = builder.rng
    if layout is None:
        layout = "scatter" if split == "train" and rng.random() < 0.45 else "stands"
    painter = GroundPainter(rng, (0.0, 0.0))
    ego = _ego_route(rng, duration_s, layout)
    builder.reserve_ego(ego)
    (fill_scatter if layout == "scatter" else fill_stands)(builder, painter, ego)
    for _ in range(int(rng.integers(4, 40))):
        x, y, radius, strength = rng.uniform((-70, -70, 0.5, 0.55), (70, 70, 6.0, 1.1))
        painter.stain(x, y, radius, strength)
    lighting, drawn = random_lighting(rng, condition)
    sensor = random_sensor(rng, night=drawn == "night", wet=lighting.rain > 0)
    scene = Scene(
        seed,
        split,
        tuple(builder.objects),
        ego,
        rig,
        painter.finish(),
        lighting,
        sensor,
        duration_s,
        rate_hz,
        tuple(sorted(builder.families)),
    )
    # A generator of its own: both looks of a seed show the same objects.
    return scene if look == "realistic" else randomised(scene, np.random.default_rng([seed, 5113]))


def _expect(what: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        names = ", ".join(name for name in known if name is not None)
        raise AirsideError(f"--{what}: expected one of {names}, got '{value}'")


def _ego_route(rng: np.random.Generator, duration_s: float, layout: str) -> Trajectory:
    """The vehicle drives along the service road (y about 0) on the right, with bends or a stop now and then."""
    speed = 0.0 if rng.random() < 0.08 else rng.uniform(1.5, 5.0)
    bends = rng.normal(0, 0.10, 4) if rng.random() < 0.6 else np.zeros(4)
    half = speed * duration_s / 2
    if layout == "scatter":
        yaw, across = rng.uniform(-np.pi, np.pi), rng.uniform(-3, 3)
    else:
        # Swerves that cancel out: a service road has kerbs.
        bends = bends - bends.mean()
        yaw = 0.0 if rng.random() < 0.5 else np.pi
        across = (-1.9 if yaw == 0.0 else 1.9) + rng.normal(0, 0.4)
    start = (-half * np.cos(yaw), across - half * np.sin(yaw), yaw)
    return drive(start, speed, bends, duration_s)
