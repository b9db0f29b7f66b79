"""Write generated apron sequences: a bag and its ground truth, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from airside_perception import __version__
from airside_perception.bags import ApronBagWriter
from airside_perception.config import GridConfig
from airside_perception.errors import AirsideError
from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import matrix_to_quaternion
from airside_perception.records import GridSpec
from airside_perception.synth.detections import simulate_detections
from airside_perception.synth.frames import LabelledFrame, SceneBackend, render_frame
from airside_perception.synth.own_assets import load_own_assets
from airside_perception.synth.pixel_layers import PixelLayers, check_layers, write_layer
from airside_perception.synth.preview import contact_sheet
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.rigs import PRESETS, preset_rig
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.scene import Scene

FIRST_STAMP_NS = 1_700_000_000_000_000_000
"""Stamp of time 0 of every generated sequence."""


BACKENDS = ("raster", "cycles")


@dataclass(frozen=True)
class SynthOptions:
    """What `airside synth` makes.

    Attributes:
        out: sequence folder to write; must not exist or be empty.
        seed: decides everything that is drawn.
        split: asset families: "train", "val" or "test".
        rig: a preset name or the path of a rig YAML.
        duration_s, rate_hz: length and frame rate.
        layout, condition: see `scenario.build_scene`; None draws them.
        look: "realistic", or "randomised": textures, lights and cameras far beyond it.
        jpeg_quality: None writes raw images.
        label_every: write depth, semantics and occupancy for every n-th frame.
        camera_jitter_s: cameras are stamped off the anchor by up to this much.
        assets: folder with own meshes (own_assets.load_own_assets), or None.
        preview: also write `preview.png`, a contact sheet of all layers.
        layers: further truth of every pixel to write, names of pixel_layers.LAYERS.
        backend: "raster" (fast) or "cycles" (path-traced, needs the extra `cycles`).
        samples: paths for each pixel of the cycles backend.
        device: of the rasteriser.
        progress: show a progress bar.
    """

    out: Path
    seed: int = 0
    split: str = "test"
    rig: str = "four_surround"
    duration_s: float = 10.0
    rate_hz: float = 10.0
    layout: str | None = None
    condition: str | None = None
    look: str = "realistic"
    jpeg_quality: int | None = 90
    label_every: int = 1
    camera_jitter_s: float = 0.004
    assets: Path | None = None
    preview: bool = False
    layers: tuple[str, ...] = ()
    backend: str = "raster"
    samples: int = 14
    device: str = "cpu"
    progress: bool = True


def resolve_rig(name_or_path: str) -> Rig:
    """A rig by preset name or YAML path."""
    if name_or_path in PRESETS:
        return preset_rig(name_or_path)
    if Path(name_or_path).suffix in (".yaml", ".yml"):
        return Rig.load(Path(name_or_path))
    raise AirsideError(
        f"rig: expected a preset ({', '.join(PRESETS)}) or the path of a .yaml file, got '{name_or_path}'"
    )


def run_synth(options: SynthOptions, on_frame: Callable[[int, int], None] | None = None) -> dict[str, object]:
    """Generate one sequence.

    Args:
        options: what to make.
        on_frame: called with (frame, frames) after each frame.

    Returns:
        The manifest, as written to `manifest.json`.

    Raises:
        AirsideError: bad option, or `out` holds something already or can't be written.
    """
    _check(options)
    rig = resolve_rig(options.rig)
    scene = build_scene(
        options.seed,
        options.split,
        rig,
        options.duration_s,
        options.rate_hz,
        options.layout,
        options.condition,
        load_own_assets(options.assets),
        options.look,
    )
    out = Path(options.out)
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise AirsideError(f"--out {out}: cannot be written ({error.strerror}); choose another folder") from error
    try:
        manifest = _write_sequence(options, scene, rig, unfinished, on_frame)
        if out.is_dir():
            out.rmdir()
        os.replace(unfinished, out)
    except OSError as error:
        raise AirsideError(
            f"--out {out}: writing failed ({error.strerror}); free space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return manifest


def _check(options: SynthOptions) -> None:
    if options.split not in ("train", "val", "test"):
        raise AirsideError(f"--split: expected train, val or test, got '{options.split}'")
    if options.backend not in BACKENDS:
        raise AirsideError(f"--backend: expected {' or '.join(BACKENDS)}, got '{options.backend}'")
    check_layers(options.layers)
    if options.samples < 1:
        raise AirsideError(f"--samples: expected at least 1, got {options.samples}")
    if options.backend == "cycles":
        from airside_perception.synth.cycles_backend import load_blender

        load_blender()
    if not options.duration_s > 0 or not options.rate_hz > 0:
        raise AirsideError(
            f"--duration and --rate: expected positive numbers, got {options.duration_s} and {options.rate_hz}"
        )
    out = Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AirsideError(f"--out {out}: expected a folder that is new or empty; remove it or choose another")


def _write_sequence(options: SynthOptions, scene: Scene, rig: Rig, folder: Path, on_frame) -> dict[str, object]:
    grid = _grid_spec(GridConfig())
    truth = folder / "ground_truth"
    for kind in ("depth", "semantic", *options.layers):
        for camera in rig.names:
            (truth / kind / camera).mkdir(parents=True)
    (truth / "occupancy").mkdir()
    backend = make_backend(scene, options)
    extra = PixelLayers(scene) if options.layers else None
    rng = np.random.default_rng([options.seed, 77])
    frames = round(options.duration_s * options.rate_hz)
    entries, shown = [], []
    with ApronBagWriter(folder / "bag", rig) as bag:
        bag.write_static(FIRST_STAMP_NS)
        for index in tqdm(
            range(frames), desc=f"synth {folder.name[1:-11]}", disable=not options.progress, unit="frame"
        ):
            time_s = index / options.rate_hz
            labelled = index % options.label_every == 0
            frame = render_frame(backend, scene, rig, time_s, rng, grid if labelled else None)
            _write_frame_to_bag(bag, scene, frame, options, rng)
            entries.append(_truth_entry(frame))
            if options.preview and index in (0, frames // 2):
                shown.append(frame)
            if labelled:
                _write_labels(truth, index, frame)
                if extra is not None:
                    _write_layers(truth, index, extra, rig, time_s, options.layers)
            if on_frame is not None:
                on_frame(index + 1, frames)
    tracks = {"frame_id": "odom", "rate_hz": options.rate_hz, "frames": entries}
    (truth / "tracks.json").write_text(json.dumps(tracks))
    (folder / "detections.json").write_text(json.dumps(simulate_detections(entries, options.seed)))
    spec = {"origin": grid.origin, "voxel_size": grid.voxel_size, "shape": grid.shape, "frame": grid.frame_id}
    (truth / "occupancy" / "grid.json").write_text(json.dumps(spec))
    if shown:
        sheet = contact_sheet(shown, rig, extra or PixelLayers(scene))
        cv2.imwrite(str(folder / "preview.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    manifest: dict[str, object] = {
        "generator": f"airside_perception {__version__}",
        "seed": options.seed,
        "split": options.split,
        "rig": rig.name,
        "backend": options.backend,
        "look": options.look,
        "frames": frames,
        "families": list(scene.families),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return manifest


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


def _write_frame_to_bag(
    bag: ApronBagWriter, scene: Scene, frame: LabelledFrame, options: SynthOptions, rng: np.random.Generator
) -> None:
    stamp = _stamp(frame.time_s)
    # Odometry comes faster than images, as on a vehicle.
    for step in range(5):
        time_s = frame.time_s + (step - 4) * 0.2 / options.rate_hz
        yaw = scene.ego.at(time_s)[2]
        velocity = scene.ego.velocity(time_s)
        forward = np.array([np.cos(yaw) * velocity[0] + np.sin(yaw) * velocity[1], 0.0, 0.0])
        bag.write_odometry(_stamp(time_s), scene.odom_from_base(time_s), forward, scene.ego.yaw_rate(time_s))
    for index, (name, layers) in enumerate(frame.layers.items()):
        jitter = 0.0 if index == 0 else rng.uniform(0, options.camera_jitter_s)
        bag.write_image(name, stamp + round(jitter * 1e9), layers.rgb, jpeg_quality=options.jpeg_quality)


def _truth_entry(frame: LabelledFrame) -> dict[str, object]:
    pose = {
        "translation": [round(float(v), 5) for v in frame.odom_from_base[:3, 3]],
        "rotation": [round(float(v), 7) for v in matrix_to_quaternion(frame.odom_from_base[:3, :3])],
    }
    return {"stamp_ns": _stamp(frame.time_s), "ego_pose": pose, "objects": frame.objects}


def _write_labels(truth: Path, index: int, frame: LabelledFrame) -> None:
    for name, layers in frame.layers.items():
        centimetres = np.clip(np.round(layers.depth * 100), 0, 65535).astype(np.uint16)
        cv2.imwrite(str(truth / "depth" / name / f"{index:04d}.png"), centimetres)
        cv2.imwrite(str(truth / "semantic" / name / f"{index:04d}.png"), layers.semantic)
    if frame.occupancy is not None and frame.observed is not None:
        path = truth / "occupancy" / f"{index:04d}.npz"
        np.savez_compressed(path, class_id=frame.occupancy, observed=frame.observed)


def _write_layers(truth: Path, index: int, extra: PixelLayers, rig: Rig, time_s: float, names: tuple[str, ...]) -> None:
    for camera_name, camera in rig.cameras.items():
        for name, layer in extra.render(time_s, camera, names).items():
            write_layer(truth / name / camera_name / f"{index:04d}.png", name, layer)
