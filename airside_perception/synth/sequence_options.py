"""What `airside synth` is asked for, checked before anything is drawn."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from airside_perception.errors import AirsideError
from airside_perception.geometry.rig import Rig
from airside_perception.synth.pixel_layers import check_layers
from airside_perception.synth.rigs import PRESETS, preset_rig

BACKENDS = ("raster", "cycles")
FORMATS = ("apron", "nuscenes")
DEVICES = ("cpu", "cuda")

_NOT_OF_THE_CONTENT = ("out", "seed", "progress")


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
        camera_jitter_s: every camera but the first exposes up to this much after the frame's time.
        drop: share of single images that are lost.
        assets: folder with own meshes (own_assets.load_own_assets), or None.
        preview: also write `preview.png`, a contact sheet of all layers.
        layers: further truth of every pixel to write, names of pixel_layers.LAYERS.
        point_tracks: about how many surface points to follow; 0 writes no point_tracks.npz.
        format: "apron" (bag and ground truth) or "nuscenes" (its tables and image files).
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
    drop: float = 0.0
    assets: Path | None = None
    preview: bool = False
    layers: tuple[str, ...] = ()
    point_tracks: int = 0
    format: str = "apron"
    backend: str = "raster"
    samples: int = 14
    device: str = "cpu"
    progress: bool = True

    @property
    def frames(self) -> int:
        """Number of frames of the sequence."""
        return round(self.duration_s * self.rate_hz)

    def content(self) -> dict[str, Any]:
        """The options that decide what a sequence holds, but for its seed, as plain JSON values."""
        values = {name: value for name, value in asdict(self).items() if name not in _NOT_OF_THE_CONTENT}
        values["layers"] = list(self.layers)
        values["assets"] = None if self.assets is None else str(self.assets)
        return values


def resolve_rig(name_or_path: str) -> Rig:
    """A rig by preset name or YAML path."""
    if name_or_path in PRESETS:
        return preset_rig(name_or_path)
    if Path(name_or_path).suffix in (".yaml", ".yml"):
        return Rig.load(Path(name_or_path))
    raise AirsideError(
        f"rig: expected a preset ({', '.join(PRESETS)}) or the path of a .yaml file, got '{name_or_path}'"
    )


def _check_device(name: str) -> None:
    if name not in DEVICES:
        raise AirsideError(f"--device: expected {' or '.join(DEVICES)}, got '{name}'")
    if name == "cuda" and not torch.cuda.is_available():
        raise AirsideError("--device cuda: expected a GPU that torch can use, found none; choose --device cpu")


def check_options(options: SynthOptions) -> None:
    """Raise AirsideError where an option makes no sequence; the message says what would."""
    if options.split not in ("train", "val", "test"):
        raise AirsideError(f"--split: expected train, val or test, got '{options.split}'")
    if options.backend not in BACKENDS:
        raise AirsideError(f"--backend: expected {' or '.join(BACKENDS)}, got '{options.backend}'")
    if options.format not in FORMATS:
        raise AirsideError(f"--format: expected {' or '.join(FORMATS)}, got '{options.format}'")
    if options.seed < 0:
        raise AirsideError(f"--seed: expected 0 or more, got {options.seed}")
    _check_device(options.device)
    check_layers(options.layers)
    if options.samples < 1:
        raise AirsideError(f"--samples: expected at least 1, got {options.samples}")
    if options.backend == "cycles":
        from airside_perception.synth.cycles_backend import load_blender

        load_blender()
    if not 0 < options.duration_s < math.inf or not 0 < options.rate_hz < math.inf:
        raise AirsideError(
            f"--duration and --rate: expected positive numbers, got {options.duration_s} and {options.rate_hz}"
        )
    if options.frames < 1:
        raise AirsideError(
            f"--duration {options.duration_s} at --rate {options.rate_hz}: expected at least one frame, got none"
        )
    if not 0.0 <= options.camera_jitter_s < 0.5 / options.rate_hz:
        raise AirsideError(
            f"--jitter-ms: expected 0 up to half the {1000 / options.rate_hz:g} ms between two frames, "
            f"got {1000 * options.camera_jitter_s:g}"
        )
    if not 0.0 <= options.drop < 1.0:
        raise AirsideError(f"--drop: expected a share of images, 0 up to 1, got {options.drop}")
    if options.point_tracks < 0:
        raise AirsideError(f"--point-tracks: expected a number of points, 0 for none, got {options.point_tracks}")
    if options.format == "nuscenes" and (options.layers or options.point_tracks or options.preview):
        raise AirsideError(
            "--format nuscenes: expected without --layers, --point-tracks and --preview, which its tables have no "
            "place for; write an apron sequence and convert it with airside export-nuscenes"
        )
