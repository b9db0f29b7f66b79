"""Rays made by hand and at random, through a small grid."""

import numpy as np
import torch

from airside_perception.records import GridSpec
from airside_perception.training.label_rays import LabelRays
from airside_perception.training.rendering_losses import RayBatch

GRID = GridSpec((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (8, 6, 4))


def make_rays(origins, directions, distance, label, cosine=None):
    directions = np.asarray(directions, np.float32)
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    count = len(directions)
    return LabelRays(
        np.broadcast_to(np.asarray(origins, np.float32), (count, 3)).copy(),
        directions,
        np.asarray(distance, np.float32),
        np.ones(count, np.float32) if cosine is None else np.asarray(cosine, np.float32),
        np.asarray(label, np.uint8),
    )


def random_rays(count, seed=0):
    random = np.random.default_rng(seed)
    origins = random.uniform([-1, -1, -1], [5, 4, 3], (count, 3)).astype(np.float32)
    return make_rays(origins, random.normal(size=(count, 3)), random.uniform(0.2, 4.0, count), np.ones(count))


def as_batch(rays):
    tensors = [torch.from_numpy(a) for a in (rays.origins, rays.directions, rays.distance, rays.cosine)]
    return RayBatch(torch.zeros(len(rays), dtype=torch.long), *tensors, torch.from_numpy(rays.label).long())
