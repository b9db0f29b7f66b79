"""Time of the node's message conversions per frame: six images in, all outputs out.

python benchmarks/message_conversion.py --json

CPU time of the converting thread stands beside wall time: on a busy machine only the former repeats.
Publishing itself (serialisation and transport) is not in it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from _machine import describe_machine, machine_line

from airside_perception import explain
from airside_perception.classes import AIRCRAFT, GROUND, GSE
from airside_perception.config import Config
from airside_perception.explain.reasons import explain_tracks
from airside_perception.geometry import Camera
from airside_perception.records import GridSpec, OccupancyGrid, RigFrame, SceneEstimate, Track
from airside_perception.ros import messages
from airside_perception.ros.live_image import decode_message
from airside_perception.ros.markers import TrackMarkers

WIDTH, HEIGHT, CAMERAS = 640, 400, 6
STAMP_NS = 1_700_000_000_000_000_000


def make_occupancy(rng: np.random.Generator) -> OccupancyGrid:
    """A grid as of the default options: ground seen in a disk, some hundred voxels of objects, the rest unseen."""
    grid = Config().grid
    spec = GridSpec(grid.origin, grid.voxel_size, grid.shape)
    x, y = np.meshgrid(*(np.arange(size) - size / 2 for size in spec.shape[:2]), indexing="ij")
    seen = np.hypot(x, y) < 0.45 * spec.shape[0]
    class_id = np.zeros(spec.shape, np.uint8)
    class_id[seen, 1] = GROUND
    rows = rng.integers(20, 80, (1500, 2))
    class_id[rows[:, 0], rows[:, 1], rng.integers(2, 5, 1500)] = rng.choice([AIRCRAFT, GSE], 1500)
    visibility = np.where(seen[..., None], 2, 0).astype(np.uint8).repeat(spec.shape[2], axis=2)
    return OccupancyGrid(spec, class_id, np.where(class_id > 0, 0.9, 0.1).astype(np.float32), visibility)


def make_tracks(rng: np.random.Generator, count: int) -> tuple[Track, ...]:
    """Moving tracks with trails of five seconds."""
    tracks = []
    for index in range(count):
        box = np.array([*rng.uniform(-30, 30, 2), 0.9, 4.0, 2.0, 1.8, rng.uniform(-3, 3)])
        trail = (box[:3] + rng.normal(size=(50, 3))).astype(np.float32)
        tracks.append(Track(f"gse-{index}", "gse", box, np.array([1.0, 2.0]), np.eye(7), 0.8, "confirmed", trail=trail))
    return tuple(tracks)


def conversions(tracks: int) -> dict[str, Callable[[], object]]:
    """What is timed, by name; each call does one frame's work."""
    rng = np.random.default_rng(0)
    intrinsics = np.array([[400.0, 0.0, 319.5], [0.0, 400.0, 199.5], [0.0, 0.0, 1.0]])
    camera = Camera("front", WIDTH, HEIGHT, intrinsics)
    image = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    raw = messages.image_message(image, STAMP_NS, "front_optical_frame")
    grid, scene_tracks = make_occupancy(rng), make_tracks(rng, tracks)
    frame = RigFrame(STAMP_NS, {}, ("front",), np.eye(4))
    reasons = explain_tracks(scene_tracks, (), {})
    scene = SceneEstimate(STAMP_NS, frame, (), (), scene_tracks, grid, reasons)
    markers = TrackMarkers(3.0)
    low, high = Config().ros.planner_band
    return {
        "raw images in": lambda: [decode_message(raw, camera) for _ in range(CAMERAS)],
        "markers": lambda: markers.build(scene),
        "voxels": lambda: messages.voxel_cloud(grid, STAMP_NS),
        "unobserved": lambda: messages.unobserved_cloud(grid, STAMP_NS),
        "planner grid": lambda: messages.planner_grid(grid, STAMP_NS, low, high),
        "explanations": lambda: explain.explanations_json(scene),
    }


def measure(call: Callable[[], object], frames: int) -> dict[str, float]:
    """Median and 95th percentile of wall and CPU milliseconds."""
    wall, cpu = [], []
    for _ in range(frames + 5):
        began, cpu_began = time.perf_counter(), time.thread_time()
        call()
        wall.append(1e3 * (time.perf_counter() - began))
        cpu.append(1e3 * (time.thread_time() - cpu_began))
    figures = {"wall": wall[5:], "cpu": cpu[5:]}
    return {f"{name}_p{p}_ms": float(np.percentile(values, p)) for name, values in figures.items() for p in (50, 95)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=30, help="tracks of a frame (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=100, help="timed frames (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    machine = describe_machine()
    calls = conversions(arguments.tracks)
    rows = {name: measure(call, arguments.frames) for name, call in calls.items()}
    rows["all"] = measure(lambda: [call() for call in calls.values()], arguments.frames)
    if arguments.json:
        print(json.dumps({"rows": rows, "machine": machine}))
        return
    print(f"{'conversion':<16} {'wall p50':>9} {'wall p95':>9} {'CPU p50':>9} {'CPU p95':>9}   ms")
    for name, row in rows.items():
        print(f"{name:<16} " + " ".join(f"{value:9.2f}" for value in row.values()))
    print(machine_line(machine))


if __name__ == "__main__":
    main()
