"""Batches for the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from airside_perception.geometry.se3 import invert_transform
from airside_perception.occupancy.lifting import LiftingTables, build_lifting_tables
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.occupancy.pixel_geometry import pixel_geometry
from airside_perception.occupancy.previous_volume import volume_table
from airside_perception.training.earlier_frames import EarlierFrame
from airside_perception.training.label_rays import LabelRays, draw_rays
from airside_perception.training.occupancy_augment import augment
from airside_perception.training.occupancy_crops import CropBatch, crop_sample, make_crop_batch
from airside_perception.training.occupancy_data import SamplePool, TrainingSample, load_sample, resize_sample
from airside_perception.training.occupancy_pixel_targets import object_targets
from airside_perception.training.occupancy_targets import center_targets, depth_target, voxel_coverage
from airside_perception.training.ray_votes import query_voxels
from airside_perception.training.rendering_losses import RayBatch
from airside_perception.training.supervision import Supervision

_Inputs = TypeVar("_Inputs", bound="RigInputs")


@dataclass(frozen=True)
class RigInputs:
    """What the network is given of B samples, N images in all; shapes as in OccupancyNetwork.forward."""

    images: Tensor
    geometry: Tensor
    feature_index: Tensor
    depth_index: Tensor
    depth_fraction: Tensor
    slot_weight: Tensor

    def network_inputs(self) -> tuple[Tensor, ...]:
        """The arguments of OccupancyNetwork.forward."""
        return self.images, self.geometry, self.feature_index, self.depth_index, self.depth_fraction, self.slot_weight

    def to(self: _Inputs, device: torch.device | str) -> _Inputs:
        return type(self)(**{field.name: _moved(getattr(self, field.name), device) for field in fields(self)})


def _moved(value: Any, device: torch.device | str) -> Any:
    return tuple(each.to(device) for each in value) if isinstance(value, tuple) else value.to(device)


@dataclass(frozen=True)
class EarlierBatch(RigInputs):
    """An earlier frame of S of the batch's samples.

    `rows` (S,) says of which; `next_index` and `next_weight` (S, 4, X*Y) where columns of the frame after lie in this
    frame's volume.
    """

    rows: Tensor
    next_index: Tensor
    next_weight: Tensor


@dataclass(frozen=True)
class Batch(RigInputs):
    """B samples with their targets; shapes as in CenterTargets and TrainingSample.

    `occupancy` and `observed` are what the supervision contract says of the voxels: labels, or the votes of rays.
    `displacement` is what boxes moved since the frame before, metres, NaN where nobody knows. `earlier` holds the
    frames before, oldest first, for networks with a previous volume.
    """

    depth: Tensor
    semantic: Tensor
    occupancy: Tensor
    observed: Tensor
    heatmap: Tensor
    heatmap_mask: Tensor
    boxes: Tensor
    box_weight: Tensor
    displacement: Tensor
    objects: Tensor
    surface: Tensor
    ranges: Tensor
    object_weight: Tensor
    kinds: Tensor
    rays: RayBatch
    earlier: tuple[EarlierBatch, ...]


def remembered(network: OccupancyNetwork, batch: Batch) -> tuple[Tensor, ...]:
    """What `network` makes of the batch's earlier frames: the last arguments of its forward; empty without any.

    Samples that have none, or fewer, begin with the weights of a first frame: zeros.
    """
    previous: tuple[Tensor, ...] = ()
    for frame in batch.earlier:
        known = tuple(each[frame.rows] for each in previous)
        answer = network(*frame.network_inputs(), *known).volume, frame.next_index, frame.next_weight
        before = previous or tuple(each.new_zeros(len(batch.heatmap), *each.shape[1:]) for each in answer)
        previous = tuple(all_.index_copy(0, frame.rows, some) for all_, some in zip(before, answer, strict=True))
    return previous


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
    return Batch(
        **_rig_inputs(samples, tables, spec),
        earlier=_earlier_batches(samples, spec) if spec.previous_volume else (),
        displacement=stack(
            [center.velocity * _newest_age(sample) for center, sample in zip(centers, samples, strict=True)]
        ),
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


def stack(arrays: Sequence[np.ndarray]) -> Tensor:
    """Arrays of one shape as a tensor with one more axis."""
    return torch.from_numpy(np.stack(arrays))


def join(arrays: Sequence[np.ndarray]) -> Tensor:
    """Arrays as one tensor, in a row."""
    return torch.from_numpy(np.concatenate(arrays))


def _rig_inputs(
    frames: Sequence[TrainingSample | EarlierFrame], tables: Sequence[LiftingTables], spec: NetworkSpec
) -> dict[str, Tensor]:
    """Fields of RigInputs: images of all frames in a row, their geometry, and tables that find them there."""
    offsets = np.cumsum([0] + [len(frame.cameras) for frame in frames])[:-1]
    placed = list(zip(tables, offsets, strict=True))
    return {
        "images": join([frame.images for frame in frames]).permute(0, 3, 1, 2),
        "geometry": join([pixel_geometry(frame.cameras, spec) for frame in frames]),
        "feature_index": stack([_shift(table.feature_index, first, spec.lift_size, 1) for table, first in placed]),
        "depth_index": stack(
            [_shift(table.depth_index, first, spec.depth_size, spec.depth_bins) for table, first in placed]
        ),
        "depth_fraction": stack([table.depth_fraction for table in tables]),
        "slot_weight": stack([table.slot_weight for table in tables]),
    }


def _newest_age(sample: TrainingSample) -> np.float32:
    """Seconds from the frame before the sample to it; NaN where there is none, or nobody knows."""
    return np.float32(sample.earlier[-1].age_s if sample.earlier else np.nan)


def _earlier_batches(samples: Sequence[TrainingSample], spec: NetworkSpec) -> tuple[EarlierBatch, ...]:
    """Oldest first; the last one is every sample's newest."""
    batches = []
    for back in range(max(len(sample.earlier) for sample in samples), 0, -1):
        rows = [row for row, sample in enumerate(samples) if len(sample.earlier) >= back]
        frames = [samples[row].earlier[-back] for row in rows]
        after = [samples[row].earlier[1 - back].now_from_then if back > 1 else np.eye(4) for row in rows]
        moved = [
            volume_table(spec.grid, invert_transform(frame.now_from_then) @ pose)
            for frame, pose in zip(frames, after, strict=True)
        ]
        tables = [build_lifting_tables(frame.cameras, spec) for frame in frames]
        batches.append(
            EarlierBatch(
                **_rig_inputs(frames, tables, spec),
                rows=torch.tensor(rows),
                next_index=stack([index for index, _ in moved]),
                next_weight=stack([weight for _, weight in moved]),
            )
        )
    return tuple(batches)


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

    def in_a_row(arrays: Sequence[np.ndarray], width: tuple[int, ...] = ()) -> Tensor:
        return join([np.zeros((0, *width), np.float32), *arrays]).float()

    return RayBatch(
        sample=torch.repeat_interleave(
            torch.arange(len(parts)), torch.tensor([len(p) for p in parts], dtype=torch.long)
        ),
        origins=in_a_row([p.origins for p in parts], (3,)),
        directions=in_a_row([p.directions for p in parts], (3,)),
        distance=in_a_row([p.distance for p in parts]),
        cosine=in_a_row([p.cosine for p in parts]),
        label=in_a_row([p.label for p in parts]).long(),
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
    if not spec.previous_volume:
        samples = [replace(sample, earlier=()) for sample in samples]
    else:
        # Of every length of memory down to none: a vehicle starts without, and cameras fail.
        dropped = [int(random.integers(len(sample.earlier) + 1)) for sample in samples]
        samples = [replace(sample, earlier=sample.earlier[n:]) for sample, n in zip(samples, dropped, strict=True)]
    sized = [augment(resize_sample(sample, size), spec.grid, random) for sample in samples]
    return make_batch(sized, replace(spec, image_size=size), supervision, random)
