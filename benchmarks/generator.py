"""Speed of the generator: scenes, labelled frames and training samples per second, on one core.

python benchmarks/generator.py --json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from _machine import describe_machine, machine_line

from airside_perception.geometry.rig import Rig
from airside_perception.records import GridSpec
from airside_perception.synth import RasterBackend, build_scene, preset_rig, render_frame
from airside_perception.training.stream import training_samples

GRID = GridSpec((-40.0, -40.0, -1.2), (0.8, 0.8, 0.8), (100, 100, 16))


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


def measure_scenes(repeats: int) -> dict[str, float]:
    rig = preset_rig("six_surround")
    wall, cpu = median_seconds(lambda k: build_scene(k, "test", rig), repeats)
    scenes = [build_scene(k, "test", rig) for k in range(repeats)]
    return {
        "scene_s": wall,
        "scene_cpu_s": cpu,
        "scene_objects": float(np.median([len(s.objects) for s in scenes])),
        "scene_triangles": float(np.median([sum(len(o.asset.mesh.faces) for o in s.objects) for s in scenes])),
    }


def measure_frames(device: str, repeats: int) -> dict[str, float]:
    """Six cameras of 640 x 400 at new times of one scene: images alone, and with voxels and visibility."""
    rig: Rig = preset_rig("six_surround")
    scene = build_scene(1, "test", rig)
    backend, rng = RasterBackend(scene, device), np.random.default_rng(0)

    def images(k: int) -> None:
        for camera in rig.cameras.values():
            backend.render(0.1 * k, camera, rng)

    wall, cpu = median_seconds(images, repeats)
    frame_wall, frame_cpu = median_seconds(lambda k: render_frame(backend, scene, rig, 0.1 * k, rng, GRID), repeats)
    camera = next(iter(rig.cameras.values()))
    return {
        "image_width": camera.width,
        "image_height": camera.height,
        "cameras": len(rig.names),
        "images_per_s": len(rig.names) / wall,
        "images_per_cpu_s": len(rig.names) / cpu,
        "labelled_frame_s": frame_wall,
        "labelled_frame_cpu_s": frame_cpu,
    }


def measure_training(scenes: int) -> dict[str, float]:
    """Training samples as the network gets them: 640 x 384, random rigs, four frames of each scene."""
    next(training_samples(0, "train", GRID, (640, 384)))
    samples = images = 0
    start, start_cpu = time.perf_counter(), time.process_time()
    for seed in range(100, 100 + scenes):
        for sample in training_samples(seed, "train", GRID, (640, 384)):
            samples, images = samples + 1, images + len(sample.images)
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return {
        "training_images_per_sample": images / samples,
        "training_samples_per_s": samples / wall,
        "training_cpu_s_per_sample": cpu / samples,
        "training_cpu_s_per_image": cpu / images,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of the rasteriser")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs; the median is reported")
    parser.add_argument("--scenes", type=int, default=4, help="scenes for training samples")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    machine = describe_machine()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    figures: dict[str, object] = {"device": arguments.device}
    figures |= measure_scenes(arguments.repeats)
    figures |= measure_frames(arguments.device, arguments.repeats)
    figures |= measure_training(arguments.scenes)
    if arguments.json:
        print(json.dumps({**figures, "machine": machine}))
        return
    for name, value in figures.items():
        print(f"{name:28} {value:.4g}" if isinstance(value, float) else f"{name:28} {value}")
    print(machine_line(machine))


if __name__ == "__main__":
    main()
