"""Speed and memory of the generator: scenes, images, labelled frames, training samples, path-traced images.

python benchmarks/generator.py --json
python benchmarks/generator.py --jobs 2 --cycles 3
python benchmarks/generator.py --memory 60

Rates are those of `--jobs` processes together, one thread each, as `airside synth` and the training stream run them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from _machine import describe_machine, machine_line

from airside_perception.geometry.rig import Rig
from airside_perception.records import GridSpec
from airside_perception.synth import RasterBackend, Scene, build_scene, preset_rig, render_frame
from airside_perception.training.stream import training_samples

GRID = GridSpec((-40.0, -40.0, -1.2), (0.8, 0.8, 0.8), (100, 100, 16))
LEAST_TRIANGLES = 100_000
RIG = "six_surround"
STREAM_SIZE = (320, 192)
MEMORY_SCENES = 6


def median_seconds(work: Callable[[int], object], repeats: int) -> tuple[float, float]:
    """Median wall and CPU time of `work(k)`, k = 0, 1, ..., after one warm-up."""
    work(0)
    times = []
    for k in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        work(k)
        times.append((time.perf_counter() - start, time.process_time() - start_cpu))
    wall, cpu = np.median(times, axis=0)
    return float(wall), float(cpu)


def triangles(scene: Scene) -> int:
    return sum(len(item.asset.mesh.faces) for item in scene.objects)


def measure_scenes(repeats: int) -> dict[str, float]:
    rig = preset_rig(RIG)
    wall, cpu = median_seconds(lambda k: build_scene(k, "test", rig), repeats)
    scenes = [build_scene(k, "test", rig) for k in range(repeats)]
    return {
        "scene_s": wall,
        "scene_cpu_s": cpu,
        "scene_objects": float(np.median([len(s.objects) for s in scenes])),
        "scene_triangles": float(np.median([triangles(s) for s in scenes])),
    }


def large_scene(rig: Rig) -> Scene:
    """The first scene of at least `LEAST_TRIANGLES`, or the largest of twelve."""
    largest: Scene | None = None
    for seed in range(12):
        scene = build_scene(seed, "test", rig, layout="stands", condition="clear")
        if largest is None or triangles(scene) > triangles(largest):
            largest = scene
        if triangles(largest) >= LEAST_TRIANGLES:
            break
    assert largest is not None
    return largest


def measure_frames(device: str, repeats: int) -> dict[str, float]:
    """Cameras of 640 x 400 at new times of one scene: rgb, depth, instance and semantics, then with voxels, too."""
    rig: Rig = preset_rig(RIG)
    scene = large_scene(rig)
    backend, rng = RasterBackend(scene, device), np.random.default_rng(0)

    def images(k: int) -> None:
        for camera in rig.cameras.values():
            backend.render(0.1 * k, camera, rng)

    wall, cpu = median_seconds(images, repeats)
    frame_wall, frame_cpu = median_seconds(lambda k: render_frame(backend, scene, rig, 0.1 * k, rng, GRID), repeats)
    camera = next(iter(rig.cameras.values()))
    return {
        "raster_triangles": triangles(scene),
        "raster_width": camera.width,
        "raster_height": camera.height,
        "raster_cameras": len(rig.names),
        "raster_images_per_s": len(rig.names) / wall,
        "raster_images_per_cpu_s": len(rig.names) / cpu,
        "labelled_frame_s": frame_wall,
        "labelled_frame_cpu_s": frame_cpu,
    }


def measure_training(scenes: int, size: tuple[int, int], first_seed: int = 100) -> dict[str, float]:
    """Training samples as the network gets them: random rigs, lights and looks, all frames of each scene."""
    next(training_samples(0, "train", GRID, size))
    samples = images = 0
    start, start_cpu = time.perf_counter(), time.process_time()
    for seed in range(first_seed, first_seed + scenes):
        for sample in training_samples(seed, "train", GRID, size):
            samples, images = samples + 1, images + len(sample.images)
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return {
        "training_width": size[0],
        "training_height": size[1],
        "training_images_per_sample": images / samples,
        "training_samples_per_s": samples / wall,
        "training_images_per_s": images / wall,
        "training_images_per_cpu_s": images / cpu,
    }


def measure_cycles(images: int, samples: int) -> dict[str, float]:
    """Path-traced images of 640 x 400 on all cores, after a first one that uploads the scene."""
    from airside_perception.synth.cycles_backend import CyclesBackend

    rig = preset_rig(RIG)
    backend, rng = CyclesBackend(large_scene(rig), samples), np.random.default_rng(0)
    cameras = list(rig.cameras.values())
    wall, cpu = median_seconds(lambda k: backend.render(0.1 * k, cameras[k % len(cameras)], rng), images)
    return {"cycles_samples": samples, "cycles_s_per_image": wall, "cycles_cpu_s_per_image": cpu}


def measure_memory(minutes: float) -> dict[str, float]:
    """Growth of resident memory over minutes of generation, scene after scene.

    The same scenes again and again, in small images: else their sizes would hide what is never freed. The slope
    is fitted to the second half of the run: caches fill in the first.
    """
    start = time.monotonic()
    times: list[float] = []
    resident: list[float] = []
    images = 0
    while time.monotonic() - start < 60 * minutes:
        for sample in training_samples(
            len(times) % MEMORY_SCENES, "train", GRID, (160, 96), frames_per_scene=3, cameras=3
        ):
            images += len(sample.images)
        times.append(time.monotonic() - start)
        resident.append(resident_mib())
    # Whole rounds: within one, memory follows the size of the scene.
    rounds = len(times) // MEMORY_SCENES
    ends = np.array(times)[MEMORY_SCENES - 1 :: MEMORY_SCENES][:rounds]
    means = np.array(resident)[: rounds * MEMORY_SCENES].reshape(rounds, MEMORY_SCENES).mean(axis=1)
    late = slice(rounds // 2, None)
    return {
        "memory_minutes": times[-1] / 60,
        "memory_scenes": len(times),
        "memory_images": images,
        "memory_first_round_mib": float(means[0]) if rounds else resident[-1],
        "memory_last_round_mib": float(means[-1]) if rounds else resident[-1],
        "memory_growth_kib_per_scene": 1024 * slope(np.arange(rounds)[late], means[late]) / MEMORY_SCENES,
        "memory_growth_mib_per_hour": 3600 * slope(ends[late], means[late]),
    }


def resident_mib() -> float:
    """Resident memory of this process now."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(at: np.ndarray, values: np.ndarray) -> float:
    return float(np.polyfit(at, values, 1)[0]) if len(values) > 2 else float("nan")


def _one_process(arguments: tuple[str, int, int, int]) -> dict[str, float]:
    device, repeats, scenes, number = arguments
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return measure_frames(device, repeats) | measure_training(scenes, STREAM_SIZE, 100 + 1000 * number)


def measure_rates(device: str, repeats: int, scenes: int, jobs: int) -> dict[str, float]:
    """Frames and training samples in `jobs` processes at once; rates are added up, the rest is averaged."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # before the processes load numpy: each keeps to one thread
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        results = pool.map(_one_process, [(device, repeats, scenes, number) for number in range(jobs)])
    merged = {name: float(np.mean([result[name] for result in results])) for name in results[0]}
    added = [name for name in merged if name.endswith("_per_s")]
    return merged | {name: float(sum(result[name] for result in results)) for name in added}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of the rasteriser")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes (default: cores)")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs; the median is reported")
    parser.add_argument("--scenes", type=int, default=4, help="scenes of training samples for each process")
    parser.add_argument("--cycles", type=int, default=0, metavar="N", help="also path-trace N images")
    parser.add_argument("--samples", type=int, default=14, help="paths for each pixel of them")
    parser.add_argument("--memory", type=float, default=0, metavar="MINUTES", help="only watch memory that long")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    machine = describe_machine()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    figures: dict[str, object] = {"device": arguments.device, "jobs": arguments.jobs}
    if arguments.memory:
        figures |= measure_memory(arguments.memory)
    else:
        figures |= measure_scenes(arguments.repeats)
        figures |= measure_rates(arguments.device, arguments.repeats, arguments.scenes, arguments.jobs)
        if arguments.cycles:
            figures |= measure_cycles(arguments.cycles, arguments.samples)
    if arguments.json:
        print(json.dumps({**figures, "machine": machine}))
        return
    for name, value in figures.items():
        print(f"{name:28} {value:.4g}" if isinstance(value, float) else f"{name:28} {value}")
    print(machine_line(machine))


if __name__ == "__main__":
    main()
