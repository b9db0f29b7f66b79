"""`airside synth`: one generated sequence, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from airside_perception.errors import AirsideError
from airside_perception.synth.nuscenes_export import export_nuscenes
from airside_perception.synth.scene import Scene
from airside_perception.synth.sequence_options import SynthOptions, check_options
from airside_perception.synth.sequence_writer import draw_scene, write_sequence

__all__ = ["SynthOptions", "run_synth"]

OnFrame = Callable[[int, int], None]


def run_synth(options: SynthOptions, on_frame: OnFrame | None = None) -> dict[str, Any]:
    """Generate one sequence.

    It is written beside `out` and renamed when it is whole: whenever a run dies, there is no half sequence.

    Args:
        options: what to make.
        on_frame: called with (frames done, frames) after each frame.

    Returns:
        The manifest, as written to `manifest.json`.

    Raises:
        AirsideError: bad option, or `out` holds something already or can't be written.
    """
    check_options(options)
    # Whole, or "." would have no name to write beside.
    out = Path(options.out).absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AirsideError(f"--out {options.out}: expected a folder that is new or empty; remove it or choose another")
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise AirsideError(
            f"--out {options.out}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    try:
        scene = draw_scene(options)
        with tqdm(total=options.frames, desc=f"synth {out.name}", disable=not options.progress, unit="frame") as bar:

            def after_frame(done: int, frames: int) -> None:
                bar.update()
                if on_frame is not None:
                    on_frame(done, frames)

            manifest = _write(options, scene, unfinished, after_frame)
        if out.is_dir():
            out.rmdir()
        os.replace(unfinished, out)
    except OSError as error:
        reason = error.strerror or error
        raise AirsideError(
            f"--out {options.out}: writing failed ({reason}); free space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return manifest


def _write(options: SynthOptions, scene: Scene, folder: Path, on_frame: OnFrame) -> dict[str, Any]:
    if options.format == "apron":
        return write_sequence(options, scene, folder, on_frame)
    # Raw images on the way, so that they are compressed once; of labels the tables need the boxes alone.
    passage = folder / "apron"
    passage.mkdir()
    plain = replace(options, jpeg_quality=None, label_every=options.frames)
    manifest = {**write_sequence(plain, scene, passage, on_frame), "options": options.content()}
    export_nuscenes({f"{options.split}_{options.seed}": passage}, folder, options.jpeg_quality)
    shutil.rmtree(passage)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return manifest
