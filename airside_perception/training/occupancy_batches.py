"""Batches for the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from airside_perception.occupancy.lifting import build_lifting_tables
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.occupancy.pixel_geometry import pixel_geometry
from airside_perception.training.label_rays import LabelRays, draw_rays
from airside_perception.training.occupancy_augment import augment
from airside_perception.training.occupancy_crops import CropBatch, crop_sample, make_crop_batch
from airside_perception.training.occupancy_data import SamplePool, TrainingSample, load_sample, resize_sample
from airside_perception.training.occupancy_pixel_targets import object_targets
from airside_perception.training.occupancy_targets import center_targets, depth_target, voxel_coverage
from airside_perception.training.ray_votes import query_voxels
from airside_perception.training.rendering_losses import RayBatch
from airside_perception.training.supervision import Supervision


@dataclass(frozen=True)
class Batch:
    """B samples, N images in all; shapes as in OccupancyNetwork.forward, CenterTargets and TrainingSample.

    `occupancy` and `observed` are what the supervision contract says of the voxels: labels, or the votes of rays.
    """

    images: Tensor
    geometry: Tensor
    feature_index: Tensor
    depth_index: Tensor
    depth_fraction: Tensor
    slot_weight: Tensor
    depth: Tensor
    semantic: Tensor
    occupancy: Tensor
    observed: Tensor
    heatmap: Tensor
    heatmap_mask: Tensor
    boxes: Tensor
    box_weight: Tensor
    objects: Tensor
    surface: Tensor
    ranges: Tensor
    object_weight: Tensor
    kinds: Tensor
    rays: RayBatch

    def network_inputs(self) -> tuple[Tensor, ...]:
        """The arguments of OccupancyNetwork.forward."""
        return self.images, self.geometry, self.feature_index, self.depth_index, self.depth_fraction, self.slot_weight

    def to(self, device: torch.device | str) -> Batch:
        return Batch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def make_batch(
    samples: Sequence[TrainingSample],
    spec: NetworkSpec,
    supervision: Supervision | None = None,
    random: np.random.Generator | None = None,
) -> Batch:
    """Stack samples (of any camera counts) and build their tables and targets.

    Args:
        samples: B samples with images of the spec's size.
        spec: network spec.
        supervision: contract of the voxels; None: their labels.
        random: draws rays; only contracts with rays need it.
    """
    supervision = supervision or Supervision()
    random = random or np.random.default_rng(0)
    tables = [build_lifting_tables(sample.cameras, spec) for sample in samples]
    coverage = [voxel_coverage(spec, table.covered) for table in tables]
    centers = [
        center_targets(sample, spec, np.any(cover, axis=2)) for sample, cover in zip(samples, coverage, strict=True)
    ]
    objects = [object_targets(sample) for sample in samples]
    rays = [draw_rays(sample, supervision, random) for sample in samples] if supervision.queries else []
    fewer = replace(supervision, rays=supervision.rendered_rays)
    rendered = [draw_rays(sample, fewer, random) for sample in samples] if supervision.renders else []
    voxels = [_voxel_targets(sample, spec, supervision, rays[i : i + 1]) for i, sample in enumerate(samples)]
    offsets = np.cumsum([0] + [len(sample.cameras) for sample in samples])[:-1]

    def stack(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays))

    def join(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(arrays))

    return Batch(
        images=join([sample.images for sample in samples]).permute(0, 3, 1, 2),
        geometry=join([pixel_geometry(sample.cameras, spec) for sample in samples]),
        feature_index=stack(
            [_shift(t.feature_index, o, spec.lift_size, 1) for t, o in zip(tables, offsets, strict=True)]
        ),
        depth_index=stack(
            [_shift(t.depth_index, o, spec.depth_size, spec.depth_bins) for t, o in zip(tables, offsets, strict=True)]
        ),
        depth_fraction=stack([table.depth_fraction for table in tables]),
        slot_weight=stack([table.slot_weight for table in tables]),
        depth=join([depth_target(sample.depth) for sample in samples]),
        semantic=join([sample.semantic for sample in samples]),
        occupancy=stack([label for label, _ in voxels]),
        observed=stack([known & cover for (_, known), cover in zip(voxels, coverage, strict=True)]),
        heatmap=stack([center.heatmap for center in centers]),
        heatmap_mask=stack([c.heatmap_mask & s.boxes_known for c, s in zip(centers, samples, strict=True)]),
        boxes=stack([center.boxes for center in centers]),
        box_weight=stack([center.box_weight for center in centers]),
        objects=join([each.objects for each in objects]),
        surface=join([each.surface for each in objects]),
        ranges=join([each.ranges for each in objects]),
        object_weight=join([each.weight for each in objects]),
        kinds=join([each.kinds for each in objects]),
        rays=_ray_batch(rendered),
    )


def _voxel_targets(
    sample: TrainingSample, spec: NetworkSpec, supervision: Supervision, rays: Sequence[LabelRays]
) -> tuple[np.ndarray, np.ndarray]:
    """(X, Y, Z) uint8 labels and bool mask of the voxels that are asked directly under a contract.

    Under `mixed`, labels win and votes add the voxels that have none.
    """
    label, known = sample.occupancy, sample.observed
    if not supervision.uses_voxel_labels:
        label, known = np.zeros(spec.grid.shape, np.uint8), np.zeros(spec.grid.shape, bool)
    if supervision.queries:
        voted, met = query_voxels(rays[0], spec.grid)
        label, known = np.where(known, label, voted), known | met
    return label, known


def _ray_batch(parts: Sequence[LabelRays]) -> RayBatch:
    """The rays of all samples in a row."""

    def join(arrays: Sequence[np.ndarray], width: tuple[int, ...] = ()) -> Tensor:
        return torch.from_numpy(np.concatenate([np.zeros((0, *width), np.float32), *arrays]).astype(np.float32))

    return RayBatch(
        sample=torch.repeat_interleave(
            torch.arange(len(parts)), torch.tensor([len(p) for p in parts], dtype=torch.long)
        ),
        origins=join([p.origins for p in parts], (3,)),
        directions=join([p.directions for p in parts], (3,)),
        distance=join([p.distance for p in parts]),
        cosine=join([p.cosine for p in parts]),
        label=join([p.label for p in parts]).long(),
    )


def _shift(index: np.ndarray, first_image: int, size: tuple[int, int], bins: int) -> np.ndarray:
    """Indices of a sample's own images -> of the whole batch's images."""
    return index + np.int32(first_image * size[0] * size[1] * bins)


BURST = 8
"""Batches that are prepared in one go."""

CROP_SAMPLES = 1
"""Samples of a batch of crops, per sample of a batch of whole images."""


def stream_batches(
    pool: SamplePool,
    spec: NetworkSpec,
    batch_size: int,
    seed: int,
    image_size: Callable[[], tuple[int, int] | None] | None = None,
    threads: int = 2,
    supervision: Supervision | None = None,
) -> Iterator[Batch | CropBatch]:
    """Augmented batches without end, prepared in bursts while the training loop waits.

    On a CPU nothing is gained by preparing them beside the loop: its threads wait for each other at every
    operation, so a third busy thread on two cores doubles the time of a step.

    Args:
        pool: where samples come from.
        spec: network spec.
        batch_size: samples per batch.
        seed: of augmentation.
        image_size: asked before each burst, (width, height) of its images, or None for crops around objects; no
            function: the spec's size.
        threads: threads that prepare (OpenCV and numpy release the interpreter's lock).
        supervision: contract of the voxels, see `make_batch`.

    Raises:
        AirsideError: the pool is empty or holds a broken file.
    """
    random = np.random.default_rng(seed)
    with ThreadPoolExecutor(threads, thread_name_prefix="occupancy-batches") as workers:
        while True:
            size = image_size() if image_size is not None else spec.image_size
            count = batch_size if size is not None else CROP_SAMPLES * batch_size
            paths = [[pool.draw() for _ in range(count)] for _ in range(BURST)]
            fixed = ([each] * BURST for each in (spec, size, supervision))
            burst = list(workers.map(_prepare, paths, random.spawn(BURST), *fixed))
            while burst:
                yield burst.pop(0)


def _prepare(
    paths: Sequence[Path],
    random: np.random.Generator,
    spec: NetworkSpec,
    size: tuple[int, int] | None,
    supervision: Supervision | None,
) -> Batch | CropBatch:
    samples = [load_sample(path) for path in paths]
    if size is None:
        crops = [augment(crop_sample(sample, random), spec.grid, random) for sample in samples]
        return make_crop_batch(crops, spec)
    sized = [augment(resize_sample(sample, size), spec.grid, random) for sample in samples]
    return make_batch(sized, replace(spec, image_size=size), supervision, random)
