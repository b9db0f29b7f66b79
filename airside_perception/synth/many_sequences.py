"""Many generated sequences: a folder for each seed, made by several processes, resumed after any stop."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import Empty
from typing import Any

from tqdm import tqdm

from airside_perception.errors import AirsideError
from airside_perception.synth.generate import run_synth
from airside_perception.synth.sequence_options import SynthOptions, check_options
from airside_perception.synth.sequence_writer import GENERATOR

_POLL_S = 0.2


def run_synths(options: SynthOptions, count: int, jobs: int = 1) -> dict[str, Any]:
    """Generate sequences of the seeds from `options.seed` on, each in the folder out/<seed>.

    Sequences that are whole already stay as they are; those that a killed run left unfinished are made anew.

    Args:
        options: of every sequence; `out` is the folder of all.
        count: number of sequences.
        jobs: processes.

    Returns:
        The manifest of all, as written to out/manifest.json.

    Raises:
        AirsideError: bad option; a folder of that name holds something else, or was made with other options;
            something can't be written, or a process died.
    """
    check_options(options)
    if count < 1 or jobs < 1:
        raise AirsideError(f"--count and --jobs: expected at least 1, got {count} and {jobs}")
    out = Path(options.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(out, error) from error
    each = [
        replace(options, out=out / str(seed), seed=seed, progress=False)
        for seed in range(options.seed, options.seed + count)
    ]
    manifests = {one.seed: _whole(one) for one in each}
    missing = [one for one in each if manifests[one.seed] is None]
    total = count * options.frames
    with tqdm(
        total=total, initial=total - len(missing) * options.frames, desc=f"synth {out.name}", unit="frame",
        disable=not options.progress,
    ) as bar:  # fmt: skip
        made = _in_turn(missing, bar) if jobs == 1 or len(missing) < 2 else _in_parallel(missing, jobs, bar)
        manifests.update((manifest["seed"], manifest) for manifest in made)
    return _write_manifest(out, options, [manifest for manifest in manifests.values() if manifest is not None])


def _whole(options: SynthOptions) -> dict[str, Any] | None:
    """The manifest of a sequence that is there already and as asked for; None where it has to be made."""
    folder = Path(options.out)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        found = {"generator": manifest["generator"], "seed": manifest["seed"], **manifest["options"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AirsideError(
            f"--out: {folder} is there already and no sequence of this generator; remove it or choose another --out"
        ) from error
    wanted = {"generator": GENERATOR, "seed": options.seed, **options.content()}
    for name in sorted({*wanted, *found}):
        if found.get(name) != wanted.get(name):
            raise AirsideError(
                f"--out: {folder} was made with {name} {found.get(name)!r}, asked for is {wanted.get(name)!r}; "
                "remove it or choose another --out"
            )
    return manifest


def _in_turn(missing: list[SynthOptions], bar: tqdm) -> Iterator[dict[str, Any]]:
    for one in missing:
        yield run_synth(one, on_frame=lambda done, frames: _tick(bar))


def _tick(bar: tqdm) -> None:
    bar.update()


def _in_parallel(missing: list[SynthOptions], jobs: int, bar: tqdm) -> Iterator[dict[str, Any]]:
    # Torch and Warp hold threads and locks that a forked process would inherit broken.
    context = multiprocessing.get_context("spawn")
    frames = context.Queue()
    with _pool(jobs, context, frames) as pool:
        waiting = {pool.submit(_make, one) for one in missing}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                _count(frames, bar)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise AirsideError(
                "--jobs: a process was killed, perhaps for memory; run the same command again, with fewer --jobs, "
                "to make what is missing"
            ) from error
    _count(frames, bar)


@contextmanager
def _pool(jobs: int, context: Any, frames: Any) -> Iterator[ProcessPoolExecutor]:
    """A pool that drops what it hasn't begun when an error comes."""
    pool = ProcessPoolExecutor(jobs, context, _begin, (frames,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _count(frames: Any, bar: tqdm) -> None:
    while True:
        try:
            bar.update(frames.get_nowait())
        except Empty:
            return


_frames_made: Any = None


def _begin(frames: Any) -> None:
    """Set up a process: where it tells of its frames, and that it ends when its parent is killed."""
    global _frames_made
    _frames_made = frames
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(options: SynthOptions) -> dict[str, Any]:
    return run_synth(options, on_frame=lambda done, frames: _frames_made.put(1))


def _write_manifest(out: Path, options: SynthOptions, manifests: list[dict[str, Any]]) -> dict[str, Any]:
    manifests = sorted(manifests, key=lambda manifest: manifest["seed"])
    manifest = {
        "generator": GENERATOR,
        "split": options.split,
        "seeds": [each["seed"] for each in manifests],
        "frames": sum(each["frames"] for each in manifests),
        "families": sorted({family for each in manifests for family in each["families"]}),
        "options": options.content(),
    }
    unfinished = out / ".manifest.json.unfinished"
    try:
        unfinished.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        os.replace(unfinished, out / "manifest.json")
    except OSError as error:
        raise _unwritable(out, error) from error
    return manifest


def _unwritable(out: Path, error: OSError) -> AirsideError:
    return AirsideError(f"--out {out}: cannot be written ({error.strerror}); choose another folder")
