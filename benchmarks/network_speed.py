"""Latency of the occupancy network over cameras and grid size, with preparation and decoding beside it.

python benchmarks/network_speed.py --cameras 1 2 4 6 8 --json
python benchmarks/network_speed.py --grids 48 100 152 --plot docs/images/network_cost.png

Networks of other grids have random weights: they cost what trained ones cost.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _machine import describe_machine, machine_line, peak_memory_mib

from airside_perception.errors import AirsideError
from airside_perception.inference.engine import Engine, load_engine
from airside_perception.occupancy.detector import OccupancyNetworkRunner
from airside_perception.occupancy.network_spec import DEFAULT_GRID, NetworkSpec
from airside_perception.records import CameraImage, RigFrame
from airside_perception.resources import find_file
from airside_perception.synth.rigs import random_rig

IMAGE_SIZE = (640, 400)


class TimedEngine:
    """An engine that remembers how long its runs took.

    Attributes:
        times_ms: of all runs since the list was emptied.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.perf_counter):
        self._engine, self._clock = engine, clock
        self.times_ms: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        began = self._clock()
        outputs = self._engine.run(inputs)
        self.times_ms.append((self._clock() - began) * 1e3)
        return outputs


def noise_frame(cameras: int) -> RigFrame:
    """A frame of random pixels from a random rig: what the network shows does not change its time."""
    rng = np.random.default_rng(cameras)
    rig = random_rig(rng, IMAGE_SIZE, cameras)
    images = {
        name: CameraImage(camera, rng.integers(0, 256, (camera.height, camera.width, 3), np.uint8), 0)
        for name, camera in rig.cameras.items()
    }
    return RigFrame(0, images, (), np.eye(4))


def measure(
    runner: OccupancyNetworkRunner,
    engine: TimedEngine,
    cameras: int,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Milliseconds for one number of cameras; the first run builds the calibration tables of the rig."""
    frame = noise_frame(cameras)
    began = clock()
    runner.run(frame)
    first_ms = (clock() - began) * 1e3
    runner.run(frame)
    engine.times_ms.clear()
    whole = []
    for _ in range(repeats):
        began = clock()
        runner.run(frame)
        whole.append((clock() - began) * 1e3)
    p50, p95 = np.percentile(engine.times_ms, [50, 95])
    around = float(np.median(np.array(whole) - np.array(engine.times_ms)))
    values = {"engine_p50_ms": p50, "engine_p95_ms": p95, "around_it_ms": around, "first_frame_ms": first_ms}
    return {"cameras": cameras, **{name: round(float(value), 2) for name, value in values.items()}}


def measure_grid(
    side: int, cameras: int, repeats: int, runtime: str, threads: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Milliseconds of a network whose grid has `side` x `side` columns of the usual voxels around the vehicle."""
    import torch

    from airside_perception.occupancy.network import OccupancyNetwork
    from airside_perception.training.export import export_network

    size = DEFAULT_GRID.voxel_size
    corner = -0.5 * side * size[0]
    grid = replace(DEFAULT_GRID, origin=(corner, corner, DEFAULT_GRID.origin[2]), shape=(side, side, 16))
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_network(OccupancyNetwork(NetworkSpec(grid=grid)).eval(), path, half_weights=False)
        engine = TimedEngine(load_engine(path, runtime, threads=threads), clock)
        row = measure(OccupancyNetworkRunner(engine), engine, cameras, repeats, clock)
    return {"side": side, "reach_m": -corner, **row}


def plot(path: Path, rows: list[dict[str, float]], grids: list[dict[str, float]], note: str) -> None:
    """Two curves: network time over cameras, and over the side of the grid."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, points, name, label in (
        (left, rows, "cameras", "cameras of 640 x 400"),
        (right, grids, "side", "columns of the grid each way (0.8 m voxels)"),
    ):
        where = [point[name] for point in points]
        axes.plot(where, [point["engine_p50_ms"] for point in points], marker="o", label="network, median")
        axes.plot(where, [point["engine_p95_ms"] for point in points], marker=".", alpha=0.5, label="network, p95")
        axes.plot(where, [point["around_it_ms"] for point in points], marker=".", label="preparation and decoding")
        axes.set(xlabel=label, ylabel="ms", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.suptitle(note, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6, 7, 8], help="numbers of cameras")
    parser.add_argument("--grids", type=int, nargs="+", default=[], help="sides of other grids, multiples of 4")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves (needs --grids)")
    parser.add_argument("--engine", default="engines/occupancy.onnx", help="ONNX network (default: %(default)s)")
    parser.add_argument("--runtime", default="auto", help="auto, onnxruntime or tensorrt (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="of the runtime; 0: its own choice")
    parser.add_argument("--repeats", type=int, default=15, help="timed runs of each (default: %(default)s)")
    parser.add_argument(
        "--cpu-time", action="store_true", help="measure CPU time of the process, on a machine that others use, too"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    if arguments.plot and not arguments.grids:
        parser.error("--plot: expected with --grids")
    machine = describe_machine()
    try:
        path = find_file(arguments.engine, "--engine")
        clock = time.process_time if arguments.cpu_time else time.perf_counter
        engine = TimedEngine(load_engine(path, arguments.runtime, threads=arguments.threads), clock)
        runner = OccupancyNetworkRunner(engine)
    except AirsideError as error:
        print(f"network_speed: error: {error}", file=sys.stderr)
        return 2
    rows = [measure(runner, engine, cameras, arguments.repeats, clock) for cameras in arguments.cameras]
    fixed = (max(arguments.cameras), arguments.repeats, arguments.runtime, arguments.threads, clock)
    grids = [measure_grid(side, *fixed) for side in arguments.grids]
    if grids:
        own = next(row for row in rows if row["cameras"] == fixed[0])
        side = runner.spec.grid.shape[0]
        grids.append({"side": side, "reach_m": -runner.spec.grid.origin[0], **own})
        grids.sort(key=lambda row: row["side"])
    if arguments.plot:
        threads = arguments.threads or machine["cores"]
        kind = "CPU time" if arguments.cpu_time else "wall time"
        note = f"{kind}; {engine.runtime}, {threads} thread(s); grids with {fixed[0]} cameras; {machine['cpu']}"
        plot(arguments.plot, rows, grids, note)
    if arguments.json:
        report = {"runtime": engine.runtime, "threads": arguments.threads, "peak_memory_mib": round(peak_memory_mib())}
        print(json.dumps({**report, "rows": rows, "grids": grids, "machine": machine}))
        return 0
    print("| cameras | network p50, ms | network p95, ms | around it, ms | first frame, ms |\n" + "| --- " * 5 + "|")
    for row in rows:
        print("| " + " | ".join(f"{value:g}" for value in row.values()) + " |")
    for row in grids:
        print(f"grid {row['side']} x {row['side']} x 16: p50 {row['engine_p50_ms']:g} ms with {fixed[0]} cameras")
    print(f"\n{engine.runtime}; largest memory {peak_memory_mib():.0f} MiB. {machine_line(machine)}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
