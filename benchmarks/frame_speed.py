"""Time per frame and stage of the whole pipeline: six cameras of 640 x 400 on two cores, warm, with peak memory.

python benchmarks/frame_speed.py --json
python benchmarks/frame_speed.py --busy 1

Replays a generated sequence of the split `test` (made at the first run) as `airside eval` does, without scoring.
With --busy, other programs keep some of the cores taken, as on a vehicle.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from _machine import describe_machine, machine_line, peak_memory_mib
from _sequences import generated, held_out_sequences

from airside_perception.config import Config
from airside_perception.console import add_config_arguments, read_config
from airside_perception.errors import AirsideError

STAGES = ("read_and_decode", "network", "visibility", "predict", "refine", "expected_visibility", "tracking")
"""Stages in their order; `frame` is all but the first together."""


def prepare_machine(device: str, cores: int) -> None:
    """Keep this process on `cores` cores and, for the CPU, away from GPUs; before any library starts threads.

    Raises:
        AirsideError: fewer cores than asked for, or no GPU.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < cores:
        raise AirsideError(f"--cores: expected at most {len(allowed)} (as many as there are), got {cores}")
    os.sched_setaffinity(0, allowed[:cores])
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    import torch

    if not torch.cuda.is_available():
        raise AirsideError("--device: cuda was asked for, but torch finds no CUDA device here; use --device cpu")


@contextmanager
def taken_cores(count: int) -> Iterator[None]:
    """Keep the last `count` of this process's cores busy with programs that do nothing else.

    Raises:
        AirsideError: fewer cores than that.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if not 0 <= count <= len(allowed):
        raise AirsideError(f"--busy: expected 0 to {len(allowed)} (the cores used), got {count}")
    program = "import os, sys\nos.sched_setaffinity(0, [int(sys.argv[1])])\nwhile True: pass"
    busy = [subprocess.Popen([sys.executable, "-c", program, str(core)]) for core in allowed[len(allowed) - count :]]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def measure(sequence: Path, config: Config, warm_frames: int, overlays: int) -> dict[str, Any]:
    """Replay `sequence` and time every frame after the first `warm_frames`."""
    from airside_perception.evaluation.sequence_frames import SequenceFrames
    from airside_perception.pipeline import Pipeline

    began = time.perf_counter()
    with SequenceFrames(sequence, config) as frames:
        pipeline = Pipeline.from_config(config, frames.rig)
        start_s, loaded_mib = time.perf_counter() - began, peak_memory_mib()
        rows: list[dict[str, float]] = []
        counts: dict[str, list[int]] = {"cameras": [], "detections": [], "refined": [], "tracks": []}
        overlay_ms: list[float] = []
        for number, frame in enumerate(frames):
            cpu = time.process_time()
            scene = pipeline.step(frame)
            cpu_ms = (time.process_time() - cpu) * 1e3
            if number < warm_frames:
                continue
            rows.append({**scene.timing_ms, "read_and_decode": frames.decode_ms, "frame_cpu": cpu_ms})
            counts["cameras"].append(len(frame.images))
            counts["detections"].append(len(scene.detections))
            counts["refined"].append(sum(estimate.refined for estimate in scene.estimates))
            counts["tracks"].append(len(scene.tracks))
            if len(overlay_ms) < overlays:
                overlay_ms.append(_overlay_ms(scene, sorted(frame.images)[number % len(frame.images)], pipeline))
    if not rows:
        raise AirsideError(f"--warm: expected fewer than the sequence's frames, got {warm_frames}; nothing was timed")
    refine_s = sum(row["refine"] for row in rows) / 1e3
    return {
        "frames": len(rows),
        "timing_ms": {name: _percentiles([row[name] for row in rows]) for name in (*STAGES, "frame", "frame_cpu")},
        "overlay_ms_per_camera": _percentiles(overlay_ms) if overlay_ms else None,
        "mean_per_frame": {name: round(float(np.mean(values)), 2) for name, values in counts.items()},
        "refined_objects_per_s": sum(counts["refined"]) / refine_s if refine_s > 0 else None,
        "start_s": round(start_s, 2),
        "memory_mib": {"models_loaded": round(loaded_mib), "peak": round(peak_memory_mib())},
        "runs_on": pipeline.device_report(),
        "failures": dict(pipeline.counts),
    }


def _overlay_ms(scene: Any, camera: str, pipeline: Any) -> float:
    """Time to draw one explanation picture; the live node does so only while somebody looks."""
    from airside_perception.explain.overlay import draw_overlay

    began = time.perf_counter()
    draw_overlay(scene, camera, pipeline.prior, pipeline.config.explain)
    return (time.perf_counter() - began) * 1e3


def _percentiles(values: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2)}


def table(result: dict[str, Any]) -> str:
    """The figures as Markdown."""
    rows = ["| stage | p50, ms | p95, ms |", "| --- | --- | --- |"]
    for name, times in result["timing_ms"].items():
        rows.append(f"| {name} | {times['p50']:.1f} | {times['p95']:.1f} |")
    if result["overlay_ms_per_camera"]:
        times = result["overlay_ms_per_camera"]
        rows.append(f"| overlay of one camera | {times['p50']:.1f} | {times['p95']:.1f} |")
    means = ", ".join(f"{value:g} {name}" for name, value in result["mean_per_frame"].items())
    rows += [
        "",
        f"{result['frames']} frames of {result['sequence']}; per frame on average {means}.",
        f"Start {result['start_s']} s; memory {result['memory_mib']['models_loaded']} MiB with models loaded, "
        f"{result['memory_mib']['peak']} MiB at most. Runs on {result['runs_on']}.",
        f"{machine_line(result['machine'])}, {result['cores_used']} of them used, "
        f"{result['cores_taken_by_others']} of those taken by others, too.",
    ]
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: of the network's runtime")
    parser.add_argument("--cores", type=int, default=2, help="cores to use (default: %(default)s)")
    parser.add_argument("--busy", type=int, default=0, help="how many of them others take (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=Path("out/bench/accuracy"), help="where sequences are kept")
    parser.add_argument("--sequence", type=Path, help="any sequence or bag instead of the generated one")
    parser.add_argument("--warm", type=int, default=5, help="first frames that are not timed (default: %(default)s)")
    parser.add_argument("--overlays", type=int, default=12, help="explanation pictures to time (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_config_arguments(parser)
    arguments = parser.parse_args()
    try:
        return _run(arguments)
    except AirsideError as error:
        print(f"frame_speed: error: {error}", file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    config = read_config(arguments)
    machine = describe_machine()
    prepare_machine(arguments.device, arguments.cores)
    sequence = arguments.sequence or generated(held_out_sequences(1, 10.0, 5.0)[0], arguments.work)
    with taken_cores(arguments.busy):
        figures = measure(sequence, config, arguments.warm, arguments.overlays)
    result: dict[str, Any] = {
        "sequence": sequence.name,
        "device": arguments.device,
        "cores_used": arguments.cores,
        "cores_taken_by_others": arguments.busy,
        **figures,
        "machine": machine,
    }
    print(json.dumps(result) if arguments.json else table(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
