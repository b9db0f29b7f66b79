"""`airside demo`: ten seconds of a generated apron, from images to tracks, voxels, pictures and a report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from airside_perception.config import Config, load_config
from airside_perception.evaluation.live_scenes import LiveRunner, live_scenes
from airside_perception.evaluation.pictures import overview_frame, reduced, write_animation, write_png
from airside_perception.evaluation.replay import run_evaluation
from airside_perception.evaluation.results_format import write_json
from airside_perception.evaluation.sequence_scores import SequenceScores, finite, summarize
from airside_perception.evaluation.tracking_metrics import DEFAULT_RANGE
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.explain.birds_eye import draw_birds_eye
from airside_perception.explain.overlay import draw_overlay
from airside_perception.explain.voxel_view import draw_voxels
from airside_perception.prior import ObjectPrior
from airside_perception.records import SceneEstimate
from airside_perception.resources import find_file
from airside_perception.synth.generate import SynthOptions, run_synth

SEED, RIG, DURATION_S, RATE_HZ = 11, "four_surround", 10.0, 5.0
"""Of the sequence; its assets belong to the test split, which training never sees."""

LIVE_RATE = 0.1
"""Times real time: one frame in two seconds is what two cores without a GPU keep up with, the player beside them."""

_GIF_WIDTH = 860
_STILLS = 3


def run_demo(out: str | Path, live: LiveRunner | None = None, config: Config | None = None) -> dict[str, Any]:
    """Generate a sequence, track everything in it, score and draw it.

    Args:
        out: folder for everything; a sequence of an earlier demo is used again.
        live: plays the bag to the live node over the middleware (`ros.live_run.run_live`); its output is then scored
            and drawn instead. None: no ROS involved.
        config: of the pipeline; the defaults if None.

    Returns:
        The content of summary.json, with "files": what was written, by name.

    Raises:
        AirsideError: weights are missing, or `out` cannot be written.
    """
    out, config = Path(out), config or load_config()
    # Without weights the minute of generating would be in vain.
    if config.network.enabled:
        find_file(config.network.engine, "network.engine")
    if config.refine.prior:
        find_file(config.refine.prior, "refine.prior")
    if live is not None:
        return _run_live(live, out, config)
    sequence = demo_sequence(out / "sequence")
    gallery = _Gallery(out, config)
    summary = run_evaluation([sequence], out, config, observer=gallery.see)
    files = {"summary": out / "summary.json", "report": out / "report" / "index.html"}
    summary["files"] = {**{name: str(path) for name, path in files.items()}, **gallery.write()}
    return summary


def _run_live(run_live: LiveRunner, out: Path, config: Config) -> dict[str, Any]:
    """Track the sequence by the live node; score and draw what it published, all of it from its messages."""
    sequence = demo_sequence(out / "sequence")
    live = run_live(sequence, out, config, LIVE_RATE)
    prior = ObjectPrior.load(find_file(config.refine.prior, "refine.prior")) if config.refine.prior else None
    scores = SequenceScores("live", TruthLabels(sequence / "ground_truth"), DEFAULT_RANGE)
    gallery = _Gallery(out, config)
    scenes = live_scenes(sequence, config, live.tracks, live.voxels, live.unobserved)
    for scene in tqdm(scenes, desc="score and draw", total=len(live.tracks), unit="frame"):
        scores.add(scene, prior)
        gallery.see(scene, scores.truth_of(scene), prior)
    summary = {
        **summarize([scores], DEFAULT_RANGE),
        "timing_ms": live.summary["timing_ms"],
        "live": live.summary["live"],
    }
    write_json(out / "summary.json", finite(summary))
    files = {"summary": str(out / "summary.json"), "results": live.summary["results"], "live": live.summary["overlays"]}
    return {**summary, "files": {**files, **gallery.write()}}


def demo_sequence(folder: Path, seed: int = SEED, duration_s: float = DURATION_S, rate_hz: float = RATE_HZ) -> Path:
    """The sequence of the demo, generated unless it is there already.

    Args:
        folder: where it belongs.
        seed, duration_s, rate_hz: of the generator.

    Raises:
        AirsideError: the folder holds something else.
    """
    frames = round(duration_s * rate_hz)
    wanted = {"seed": seed, "split": "test", "rig": RIG, "frames": frames}
    manifest = folder / "manifest.json"
    if manifest.is_file():
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        if all(found.get(name) == value for name, value in wanted.items()):
            return folder
        shutil.rmtree(folder)
    options = SynthOptions(
        out=folder, seed=seed, split="test", rig=RIG, duration_s=duration_s, rate_hz=rate_hz, label_every=2
    )
    run_synth(options)
    return folder


class _Gallery:
    """Draws the run while it goes on: every frame small for the animation, some in full."""

    def __init__(self, out: Path, config: Config):
        self._out, self._config = out, config
        self._frames: list[np.ndarray] = []
        self._cameras: list[str] = []
        self._stills = set(np.linspace(0, DURATION_S * RATE_HZ, _STILLS + 2).astype(int)[1:-1].tolist())
        self._files: dict[str, str] = {}

    def see(self, scene: SceneEstimate, truth: Mapping[str, Any] | None, prior: ObjectPrior | None) -> None:
        """Take in one scene."""
        self._cameras = self._cameras or [*scene.frame.images, *scene.frame.missing]
        explain = self._config.explain
        self._frames.append(overview_frame(scene, self._cameras, prior, explain, truth))
        number = len(self._frames) - 1
        if number not in self._stills:
            return
        for camera in scene.frame.images:
            write_png(
                self._out / "overlays" / f"{number:03d}_{camera}.png", draw_overlay(scene, camera, prior, explain)
            )
        # The last one of the stills stays: tracks have a history by then.
        self._files["overlays"] = str(self._out / "overlays")
        self._files["birds_eye"] = str(write_png(self._out / "birds_eye.png", draw_birds_eye(scene, truth)))
        self._files["voxels"] = str(write_png(self._out / "voxels.png", draw_voxels(scene)))

    def write(self) -> dict[str, str]:
        """Write the animations; returns name -> path of all pictures."""
        for _ in tqdm([0] if self._frames else [], desc="animation", unit="file"):
            path = self._out / "overview.webp"
            self._files["overview"] = str(write_animation(path, self._frames, RATE_HZ))
            # Every second frame at reduced size keeps the GIF at a few megabytes.
            small = [reduced(frame, _GIF_WIDTH) for frame in self._frames[::2]]
            self._files["overview_gif"] = str(write_animation(self._out / "overview.gif", small, RATE_HZ / 2))
        return self._files
