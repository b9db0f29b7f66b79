"""Random apron scenes: a stand layout with turnaround traffic, or a free scatter for training breadth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.geometry.rig import Rig
from airside_perception.synth.catalogue import SPLITS
from airside_perception.synth.ego_routes import scatter_route
from airside_perception.synth.ground import GroundPainter
from airside_perception.synth.lighting import CONDITIONS, random_lighting
from airside_perception.synth.own_assets import OwnAsset
from airside_perception.synth.phases import PHASES
from airside_perception.synth.randomised_look import randomised
from airside_perception.synth.scatter_layout import fill_scatter
from airside_perception.synth.scene import LOOKS, Scene
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.sensor import random_sensor
from airside_perception.synth.stand_layout import fill_stands
from airside_perception.synth.tyre_marks import paint_tyre_marks

LAYOUTS = ("stands", "scatter", "turnaround", *PHASES)
"""Names of the layouts: stands with whatever goes on there, anything anywhere, or stands on one of which a phase of
a turnaround goes on (drawn, or the one that is named)."""


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
        layout: a name of `LAYOUTS`; None draws stands for val and test, stands or scatter for training.
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
    if layout == "scatter":
        ego = scatter_route(rng, duration_s)
        builder.reserve_ego(ego)
        fill_scatter(builder, painter, ego)
    else:
        phase = str(rng.choice(PHASES)) if layout == "turnaround" else layout
        ego = fill_stands(builder, painter, rig, phase if phase in PHASES else None)
    for _ in range(int(rng.integers(4, 40))):
        x, y, radius, strength = rng.uniform((-70, -70, 0.5, 0.55), (70, 70, 6.0, 1.1))
        painter.stain(x, y, radius, strength)
    # Of a generator of its own: the rest of a seed's scene does not depend on them.
    paint_tyre_marks(painter, np.random.default_rng([seed, 3301]))
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
        layout,
    )
    # A generator of its own: both looks of a seed show the same objects.
    return scene if look == "realistic" else randomised(scene, np.random.default_rng([seed, 5113]))


def _expect(what: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        names = ", ".join(name for name in known if name is not None)
        raise AirsideError(f"--{what}: expected one of {names}, got '{value}'")
