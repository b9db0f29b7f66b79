"""Small meshes that the rendering tests share."""

from __future__ import annotations

import numpy as np
import torch


def clip_positions(points: torch.Tensor, focal: float = 1.5, near: float = 0.1, far: float = 50.0) -> torch.Tensor:
    """Clip positions (..., 4) of points (..., 3) in an optical frame (z forward)."""
    x, y, z = points.unbind(-1)
    depth = (far + near) / (far - near) * z - 2 * far * near / (far - near)
    return torch.stack([focal * x, focal * y, depth, z], dim=-1)


def sphere(segments: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit sphere whose faces are counter-clockwise seen from outside."""
    polar = np.linspace(0, np.pi, segments + 1)[1:-1]
    around = np.arange(2 * segments) * np.pi / segments
    ring = np.stack([np.cos(around), np.sin(around)], axis=-1)
    rows = [np.column_stack([np.sin(p) * ring, np.full(len(ring), np.cos(p))]) for p in polar]
    vertices = np.concatenate([[[0.0, 0.0, 1.0]], *rows, [[0.0, 0.0, -1.0]]])
    count, last = len(ring), len(vertices) - 1
    faces = []
    for k in range(count):
        n = (k + 1) % count
        faces.append([0, 1 + k, 1 + n])
        faces.append([last, last - count + n, last - count + k])
        for row in range(len(rows) - 1):
            a, b = 1 + row * count, 1 + (row + 1) * count
            faces += [[a + k, b + k, b + n], [a + k, b + n, a + n]]
    return torch.tensor(vertices, dtype=torch.float32), torch.tensor(faces, dtype=torch.int32)


def random_triangles(count: int, seed: int, depth_range: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Triangles (3 * count vertices, clip space) of mixed sizes at random places."""
    generator = np.random.default_rng(seed)
    centre = np.stack(
        [generator.uniform(-3, 3, count), generator.uniform(-3, 3, count), generator.uniform(*depth_range, count)], -1
    )
    points = centre[:, None] + generator.uniform(-1, 1, (count, 3, 3)) * generator.uniform(0.2, 3, (count, 1, 1))
    positions = clip_positions(torch.tensor(points.reshape(-1, 3), dtype=torch.float32))
    return positions, torch.arange(3 * count, dtype=torch.int32).reshape(-1, 3)
