"""Time of Tracker.update per frame for growing numbers of objects, with and without codes.

python benchmarks/tracker_speed.py --objects 10 50 200 --json
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from _machine import describe_machine, machine_line

from airside_perception.records import ObjectEstimate
from airside_perception.tracking import Tracker

SIZES = {"aircraft": (37.6, 35.8, 11.8), "gse": (5.0, 2.2, 2.0), "person": (0.5, 0.5, 1.75)}


def frame_estimates(rng: np.random.Generator, objects: int, time_s: float, codes: int) -> list[ObjectEstimate]:
    """Noisy measurements of `objects` that move on an apron of 160 x 160 m."""
    layout = np.random.default_rng(7)
    estimates = []
    for k in range(objects):
        name = ("gse", "gse", "person", "gse", "person", "aircraft")[k % 6]
        start, heading = layout.uniform(-80, 80, 2), layout.uniform(-np.pi, np.pi)
        speed = {"aircraft": 0.0, "gse": 3.0, "person": 1.4}[name]
        position = start + speed * time_s * np.array([np.cos(heading), np.sin(heading)])
        box = np.array([*position, SIZES[name][2] / 2, *SIZES[name], heading])
        spread = np.array([0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05])
        code = layout.normal(size=codes).astype(np.float32) if codes else None
        estimates.append(
            ObjectEstimate(
                name, box + rng.normal(size=7) * spread, np.diag(spread**2), 0.8, shape_code=code, texture_code=code
            )
        )
    return estimates


def measure(objects: int, frames: int, codes: int) -> dict[str, float]:
    """Milliseconds per frame, p50 and p95."""
    rng = np.random.default_rng(0)
    inputs = [frame_estimates(rng, objects, 0.1 * k, codes) for k in range(frames)]
    tracker, times = Tracker(), []
    for k, estimates in enumerate(inputs):
        start = time.perf_counter()
        tracks = tracker.update(estimates, k * 100_000_000)
        times.append(1e3 * (time.perf_counter() - start))
    p50, p95 = np.percentile(times[5:], [50, 95])
    return {"objects": objects, "tracks": len(tracks), "codes": codes, "p50_ms": float(p50), "p95_ms": float(p95)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[10, 50, 200], help="numbers of objects")
    parser.add_argument("--frames", type=int, default=200, help="timed frames of each (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    machine = describe_machine()
    rows = [measure(n, arguments.frames, codes) for n in arguments.objects for codes in (0, 32)]
    if arguments.json:
        print(json.dumps({"rows": rows, "machine": machine}))
        return
    print(f"{'objects':>8} {'tracks':>7} {'codes':>6} {'p50 ms':>8} {'p95 ms':>8}")
    for row in rows:
        print(f"{row['objects']:8d} {row['tracks']:7d} {row['codes']:6d} {row['p50_ms']:8.2f} {row['p95_ms']:8.2f}")
    print(machine_line(machine))


if __name__ == "__main__":
    main()
