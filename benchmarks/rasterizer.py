"""Speed of the rasteriser: crops per second, a big scene, the backward pass, and brute force beside it.

python benchmarks/rasterizer.py --device cpu --json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch
from _machine import describe_machine, machine_line

from airside_perception.rendering import antialias, edge_neighbours, interpolate, rasterize
from airside_perception.rendering.reference import rasterize_reference

NEAR, FAR, FOCAL = 0.1, 500.0, 2.0


def torus(around: int, along: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A torus of 2 * around * along triangles, 2 m across."""
    a, b = np.meshgrid(np.arange(along) * 2 * np.pi / along, np.arange(around) * 2 * np.pi / around, indexing="ij")
    ring = 0.7 + 0.3 * np.cos(b)
    vertices = np.stack([ring * np.cos(a), ring * np.sin(a), 0.3 * np.sin(b)], axis=-1).reshape(-1, 3)
    index = np.arange(along * around).reshape(along, around)
    right, below = np.roll(index, -1, axis=0), np.roll(index, -1, axis=1)
    corner = np.roll(right, -1, axis=1)
    faces = np.concatenate([np.stack([index, right, below], -1), np.stack([right, corner, below], -1)])
    return torch.tensor(vertices, dtype=torch.float32), torch.tensor(faces.reshape(-1, 3), dtype=torch.int32)


def clip(points: torch.Tensor) -> torch.Tensor:
    """Clip positions (..., 4) of optical-frame points (..., 3)."""
    x, y, z = points.unbind(-1)
    depth = (FAR + NEAR) / (FAR - NEAR) * z - 2 * FAR * NEAR / (FAR - NEAR)
    return torch.stack([FOCAL * x, FOCAL * y, depth, z], dim=-1)


def seconds(work: Callable[[], object], device: str, repeats: int) -> float:
    """Median wall time of `work` after one warm-up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def random_poses(points: torch.Tensor, count: int, spread: float, depth: tuple[float, float]) -> torch.Tensor:
    """`count` copies (count, V, 3) of `points`, turned and shifted at random."""
    generator = torch.Generator().manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator))
    shift = (torch.rand(count, 1, 3, generator=generator) * 2 - 1) * spread
    shift[..., 2] = depth[0] + (depth[1] - depth[0]) * torch.rand(count, 1, generator=generator)
    return points @ rotation.transpose(1, 2) + shift


def measure_crops(device: str, repeats: int, crops: int = 600, size: int = 96) -> dict[str, float]:
    vertices, triangles = torus(24, 32)
    positions = clip(random_poses(vertices, crops, 0.1, (3.0, 3.5))).to(device)
    triangles = triangles.to(device)
    neighbours = edge_neighbours(triangles)
    colors = torch.rand(1, len(vertices), 3).to(device)
    raster = rasterize(positions, triangles, (size, size))
    image = interpolate(colors, raster, triangles)

    def forward(positions, colors):
        raster = rasterize(positions, triangles, (size, size))
        return antialias(interpolate(colors, raster, triangles), raster, positions, triangles, None, neighbours)

    leaves = (positions.clone().requires_grad_(), colors.clone().requires_grad_())
    rendered = forward(*leaves)
    gradient = torch.rand_like(rendered)
    forward_s = seconds(lambda: forward(positions, colors), device, repeats)
    backward_s = seconds(lambda: torch.autograd.grad(rendered, leaves, gradient, retain_graph=True), device, repeats)
    rasterize_s = seconds(lambda: rasterize(positions, triangles, (size, size)), device, repeats)
    interpolate_s = seconds(lambda: interpolate(colors, raster, triangles), device, repeats)
    antialias_s = seconds(lambda: antialias(image, raster, positions, triangles, None, neighbours), device, repeats)
    return {
        "crop_triangles": len(triangles),
        "rasterize_crops_per_s": crops / rasterize_s,
        "interpolate_crops_per_s": crops / interpolate_s,
        "antialias_crops_per_s": crops / antialias_s,
        "forward_crops_per_s": crops / forward_s,
        "backward_over_forward": backward_s / forward_s,
    }


def measure_scene(device: str, repeats: int) -> dict[str, float]:
    vertices, triangles = torus(24, 32)
    copies = 65
    points = random_poses(vertices * 3, copies, 18.0, (8.0, 60.0))
    positions = clip(points.reshape(1, -1, 3)).to(device)
    offsets = torch.arange(copies, dtype=torch.int32)[:, None, None] * len(vertices)
    faces = (triangles + offsets).reshape(-1, 3).to(device)
    raster = rasterize(positions, faces, (400, 640))
    return {
        "scene_triangles": len(faces),
        "scene_covered": float((raster[..., 3] > 0).float().mean()),
        "scene_ms": 1e3 * seconds(lambda: rasterize(positions, faces, (400, 640)), device, repeats),
        "scene_culled_ms": 1e3
        * seconds(lambda: rasterize(positions, faces, (400, 640), cull_backfaces=True), device, repeats),
    }


def measure_brute_force() -> dict[str, float]:
    vertices, triangles = torus(24, 32)
    positions = clip(random_poses(vertices, 1, 0.1, (3.0, 3.5)))
    fast = rasterize(positions, triangles, (96, 96))[0].numpy()
    start = time.perf_counter()
    slow = rasterize_reference(positions[0].numpy(), triangles.numpy(), (96, 96))
    duration = time.perf_counter() - start
    return {
        "brute_force_crops_per_s": 1 / duration,
        "same_triangle_as_brute_force": float((fast[..., 3] == slow[..., 3]).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of the rasteriser")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs; the median is reported")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    machine = describe_machine()
    torch.set_num_threads(1)
    figures: dict[str, object] = {"device": arguments.device}
    figures |= measure_crops(arguments.device, arguments.repeats)
    figures |= measure_scene(arguments.device, arguments.repeats)
    figures |= measure_brute_force()
    if arguments.json:
        print(json.dumps({**figures, "machine": machine}))
        return
    for name, value in figures.items():
        print(f"{name:32} {value:.4g}" if isinstance(value, float) else f"{name:32} {value}")
    print(machine_line(machine))


if __name__ == "__main__":
    main()
