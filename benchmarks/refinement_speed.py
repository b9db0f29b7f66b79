"""Time of the refiner over the number of objects, and whether it grows in proportion.

python benchmarks/refinement_speed.py --objects 1 2 5 10 15 20 30 45 60 --plot docs/images/refinement_cost.png

One `test` sequence with six cameras (generated, or --folder). In every frame, the n objects nearest to the vehicle are
refined, from the boxes of a simulated detector that misses none; their tracks are warm.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _machine import describe_machine, machine_line
from _sequences import generated, held_out_sequences
from _tracking_runs import record, recorded

from airside_perception.config import load_config
from airside_perception.errors import AirsideError
from airside_perception.evaluation.results_format import parse_detection
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.prior import ObjectPrior
from airside_perception.records import Detection3D, RigFrame
from airside_perception.refine import Refiner
from airside_perception.refine.priors import OUTSIDE_SPREAD
from airside_perception.resources import find_file
from airside_perception.synth.detections import DetectorErrors, simulate_detections
from airside_perception.tracking import Tracker

WARM_UP = 4
"""Frames of each number that are not timed."""


def measure(folder: Path, frames: Path, counts: Sequence[int], longest: int) -> list[dict[str, float]]:
    """Milliseconds for each number of objects.

    Args:
        folder: the sequence.
        frames: its frames with the network's answers.
        counts: numbers of objects.
        longest: most frames of each.
    """
    config = load_config(None, {"refine.max_objects": str(max(counts))})
    prior = ObjectPrior.load(find_file(config.refine.prior, "refine.prior"))
    detections = everything(folder)
    rows = []
    for count in counts:
        refiner, tracker = Refiner(config.refine, prior, OUTSIDE_SPREAD), Tracker(config.tracking)
        refiner.warm_up()
        wall, cpu, refined = [], [], []
        for index, (frame, network) in enumerate(recorded(frames)):
            if index >= WARM_UP + longest:
                break
            chosen = nearest(frame, detections.get(frame.stamp_ns, ()), count)
            predictions = tracker.predict(frame.stamp_ns)
            began = time.perf_counter(), time.process_time()
            estimates = refiner.refine(frame, chosen, predictions, network)
            spent = time.perf_counter() - began[0], time.process_time() - began[1]
            tracker.update(estimates, frame.stamp_ns)
            if index >= WARM_UP:
                wall.append(1e3 * spent[0])
                cpu.append(1e3 * spent[1])
                refined.append(sum(estimate.refined for estimate in estimates))
        p50, p95 = np.percentile(wall, [50, 95])
        values = {"refined": np.mean(refined), "p50_ms": p50, "p95_ms": p95, "cpu_ms": np.median(cpu)}
        values["refined_per_s"] = 1e3 * np.sum(refined) / np.sum(wall)
        rows.append({"objects": count, **{name: round(float(value), 2) for name, value in values.items()}})
    return rows


def everything(folder: Path) -> dict[int, tuple[Detection3D, ...]]:
    """Simulated detections of all objects of a sequence, hidden ones too: whoever stands in a camera's field costs."""
    errors = replace(
        DetectorErrors(), miss_rate=0.0, min_visibility=0.0, easy_visibility=1e-6, easy_range=79.0, max_range=80.0
    )
    entries = simulate_detections(TruthLabels(folder / "ground_truth").tracks["frames"], 1, errors)
    return {int(stamp): tuple(parse_detection(each) for each in found) for stamp, found in entries.items()}


def nearest(frame: RigFrame, detections: Sequence[Detection3D], count: int) -> tuple[Detection3D, ...]:
    """The `count` detections nearest to the vehicle."""
    position = frame.odom_from_base[:2, 3]
    return tuple(sorted(detections, key=lambda d: float(np.linalg.norm(d.center[:2] - position)))[:count])


def line(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Straight line through CPU time over refined objects, and the share of the variance that it explains."""
    x, y = np.array([row["refined"] for row in rows]), np.array([row["cpu_ms"] for row in rows])
    slope, constant = np.polyfit(x, y, 1)
    left = np.sum((y - constant - slope * x) ** 2) / np.sum((y - y.mean()) ** 2)
    return {
        "constant_ms": round(float(constant), 1),
        "ms_an_object": round(float(slope), 2),
        "r_squared": round(float(1 - left), 4),
    }


def plot(path: Path, rows: Sequence[dict[str, float]], fitted: dict[str, float], note: str) -> None:
    """Times over refined objects, with the line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    where = np.array([row["refined"] for row in rows])
    axes.plot(where, [row["cpu_ms"] for row in rows], "o", label="CPU time, median")
    axes.plot(where, [row["p50_ms"] for row in rows], "x", label="wall time, median")
    axes.plot(where, [row["p95_ms"] for row in rows], ".", alpha=0.5, label="wall time, p95")
    ends = np.array([0.0, where.max()])
    label = f"{fitted['constant_ms']:g} ms + {fitted['ms_an_object']:g} ms an object"
    axes.plot(ends, fitted["constant_ms"] + fitted["ms_an_object"] * ends, "-", alpha=0.5, label=label)
    axes.set(xlabel="refined objects of a frame", ylabel="ms", xlim=(0, None), ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.suptitle(note, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("out/bench/tracking"), help="sequences and results go here")
    parser.add_argument("--folder", type=Path, help="this generated sequence instead of an own one")
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 2, 5, 10, 15, 20, 30, 45, 60])
    parser.add_argument("--frames", type=int, default=20, help="timed frames of each (default: %(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the times")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    machine = describe_machine()
    try:
        folder = options.folder or generated(held_out_sequences(1, 10.0, 5.0)[0], options.work)
        rows = measure(folder, record(folder, options.work), options.objects, options.frames)
    except AirsideError as error:
        print(f"refinement_speed: error: {error}", file=sys.stderr)
        return 2
    fitted = line(rows)
    if options.plot:
        plot(options.plot, rows, fitted, f"{folder.name}; {machine['cpu']}")
    result: dict[str, Any] = {"sequence": folder.name, "rows": rows, "line": fitted, "machine": machine}
    if options.json:
        print(json.dumps(result))
        return 0
    print("| objects | refined | p50, ms | p95, ms | CPU, ms | refined a second |\n" + "| --- " * 6 + "|")
    for row in rows:
        print("| " + " | ".join(f"{value:g}" for value in row.values()) + " |")
    print(
        f"\n{fitted['constant_ms']:g} ms and {fitted['ms_an_object']:g} ms an object (CPU time, r^2 "
        f"{fitted['r_squared']:g}). {machine_line(machine)}."
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
