"""One generated sequence: its bag, its ground truth and its manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from airside_perception import __version__
from airside_perception.bags import ApronBagWriter
from airside_perception.config import GridConfig
from airside_perception.records import GridSpec
from airside_perception.synth.detections import SimulatedDetector
from airside_perception.synth.exposures import draw_exposures
from airside_perception.synth.frames import SceneBackend, render_frame
from airside_perception.synth.image_files import write_png
from airside_perception.synth.own_assets import load_own_assets
from airside_perception.synth.pixel_layers import PixelLayers
from airside_perception.synth.point_tracks import PointTracks
from airside_perception.synth.preview import contact_sheet
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.scene import Scene
from airside_perception.synth.sequence_options import SynthOptions, resolve_rig
from airside_perception.synth.truth_files import (
    GrowingJson,
    make_truth_folders,
    track_entry,
    write_labels,
    write_layers,
)

FIRST_STAMP_NS = 1_700_000_000_000_000_000
"""Stamp of time 0 of every generated sequence."""

GENERATOR = f"airside_perception {__version__}"

_ODOMETRY_PER_FRAME = 5
_NOISE_STREAM, _TIMING_STREAM, _POINT_STREAM = 77, 78, 79
"""Random streams of a seed that don't disturb each other."""


def draw_scene(options: SynthOptions) -> Scene:
    """The scene that the options name."""
    return build_scene(
        options.seed,
        options.split,
        resolve_rig(options.rig),
        options.duration_s,
        options.rate_hz,
        options.layout,
        options.condition,
        load_own_assets(options.assets),
        options.look,
    )


def write_sequence(
    options: SynthOptions, scene: Scene, folder: Path, on_frame: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Render a scene into a folder that exists and is empty.

    Args:
        options: what to write.
        scene: of `draw_scene`.
        folder: gets bag/, ground_truth/, detections.json, manifest.json and (wanted) preview.png.
        on_frame: called with (frames done, frames) after each frame.

    Returns:
        The manifest.

    Raises:
        OSError: something cannot be written.
    """
    rig, truth = scene.rig, folder / "ground_truth"
    grid = _grid_spec(GridConfig())
    make_truth_folders(truth, rig.names, options.layers)
    backend = make_backend(scene, options)
    extra = PixelLayers(scene) if options.layers else None
    noise, timing, luck = (
        np.random.default_rng([options.seed, stream]) for stream in (_NOISE_STREAM, _TIMING_STREAM, _POINT_STREAM)
    )
    times = [index / options.rate_hz for index in range(options.frames)]
    exposures = draw_exposures(timing, rig.names, times, options.camera_jitter_s, options.drop)
    points = PointTracks(scene, times, options.point_tracks, luck, options.device) if options.point_tracks else None
    detector, shown = SimulatedDetector(options.seed), []
    head = f'{{"frame_id": "odom", "rate_hz": {json.dumps(options.rate_hz)}, "frames": ['
    with (
        ApronBagWriter(folder / "bag", rig) as bag,
        GrowingJson(truth / "tracks.json", head, "]}") as tracks,
        GrowingJson(folder / "detections.json", "{", "}") as detections,
    ):
        bag.write_static(FIRST_STAMP_NS)
        for index, time_s in enumerate(times):
            labelled = index % options.label_every == 0
            frame = render_frame(backend, scene, rig, time_s, noise, grid if labelled else None, exposures[index])
            _write_odometry(bag, scene, time_s, options.rate_hz)
            for name, layers in frame.layers.items():
                bag.write_image(name, _stamp(exposures[index][name]), layers.rgb, jpeg_quality=options.jpeg_quality)
            entry = track_entry(frame, _stamp(time_s))
            tracks.add(entry)
            detections.add(detector.detect(entry), str(entry["stamp_ns"]))
            if options.preview and index in (0, options.frames // 2):
                shown.append(frame)
            if labelled:
                write_labels(truth, index, frame)
                if extra is not None:
                    write_layers(truth, index, extra, rig, frame, options.layers)
            if points is not None:
                points.see(index, frame)
            if on_frame is not None:
                on_frame(index + 1, options.frames)
        # Cameras that expose after the last anchor have odometry on both sides, too.
        _write_odometry(bag, scene, options.frames / options.rate_hz, options.rate_hz)
    spec = {"origin": grid.origin, "voxel_size": grid.voxel_size, "shape": grid.shape, "frame": grid.frame_id}
    (truth / "occupancy" / "grid.json").write_text(json.dumps(spec))
    if points is not None:
        points.write(truth / "point_tracks.npz", [_stamp(time_s) for time_s in times])
    if shown:
        sheet = contact_sheet(shown, rig, extra or PixelLayers(scene))
        write_png(folder / "preview.png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    manifest = make_manifest(options, scene, exposures)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return manifest


def make_manifest(options: SynthOptions, scene: Scene, exposures: list[dict[str, float]]) -> dict[str, Any]:
    """What a sequence was made of."""
    lost = {name: [k for k, seen in enumerate(exposures) if name not in seen] for name in scene.rig.names}
    return {
        "generator": GENERATOR,
        "seed": options.seed,
        "split": options.split,
        "rig": scene.rig.name,
        "layout": scene.layout,
        "backend": options.backend,
        "frames": options.frames,
        "dropped_images": {name: frames for name, frames in lost.items() if frames},
        "families": list(scene.families),
        "episodes": [asdict(episode) for episode in scene.episodes],
        "options": options.content(),
    }


def make_backend(scene: Scene, options: SynthOptions) -> SceneBackend:
    """The renderer that the options name, for one scene."""
    if options.backend == "cycles":
        from airside_perception.synth.cycles_backend import CyclesBackend

        return CyclesBackend(scene, options.samples)
    return RasterBackend(scene, options.device)


def _grid_spec(config: GridConfig) -> GridSpec:
    x, y, z = config.origin
    dx, dy, dz = config.voxel_size
    nx, ny, nz = config.shape
    return GridSpec((x, y, z), (dx, dy, dz), (nx, ny, nz))


def _stamp(time_s: float) -> int:
    return FIRST_STAMP_NS + round(time_s * 1e9)


def _write_odometry(bag: ApronBagWriter, scene: Scene, until_s: float, rate_hz: float) -> None:
    """Odometry of the time of one frame that ends at `until_s`; it comes faster than images, as on a vehicle."""
    for step in range(_ODOMETRY_PER_FRAME):
        time_s = until_s + (step + 1 - _ODOMETRY_PER_FRAME) / (_ODOMETRY_PER_FRAME * rate_hz)
        yaw = scene.ego.at(time_s)[2]
        velocity = scene.ego.velocity(time_s)
        forward = np.array([np.cos(yaw) * velocity[0] + np.sin(yaw) * velocity[1], 0.0, 0.0])
        bag.write_odometry(_stamp(time_s), scene.odom_from_base(time_s), forward, scene.ego.yaw_rate(time_s))
