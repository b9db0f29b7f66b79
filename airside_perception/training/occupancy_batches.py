"""Batches for the training loop, prepared by a background thread while the network computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from airside_perception.occupancy.lifting import build_lifting_tables
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.training.occupancy_augment import augment
from airside_perception.training.occupancy_data import SamplePool, TrainingSample
from airside_perception.training.occupancy_targets import center_targets, depth_target, voxel_coverage


@dataclass(frozen=True)
class Batch:
    """B samples, N images in all; shapes as in OccupancyNetwork.forward, CenterTargets and TrainingSample."""

    images: Tensor
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

    def network_inputs(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The arguments of OccupancyNetwork.forward."""
        return self.images, self.feature_index, self.depth_index, self.depth_fraction, self.slot_weight

    def to(self, device: torch.device | str) -> Batch:
        return Batch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def make_batch(samples: Sequence[TrainingSample], spec: NetworkSpec) -> Batch:
    """Stack samples (of any camera counts) and build their tables and targets."""
    tables = [build_lifting_tables(sample.cameras, spec) for sample in samples]
    coverage = [voxel_coverage(spec, table.covered) for table in tables]
    centers = [
        center_targets(sample, spec, np.any(cover, axis=2)) for sample, cover in zip(samples, coverage, strict=True)
    ]
    offsets = np.cumsum([0] + [len(sample.cameras) for sample in samples])[:-1]

    def stack(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays))

    images = np.concatenate([sample.images for sample in samples])
    return Batch(
        images=torch.from_numpy(images).permute(0, 3, 1, 2),
        feature_index=stack(
            [_shift(t.feature_index, o, spec.lift_size, 1) for t, o in zip(tables, offsets, strict=True)]
        ),
        depth_index=stack(
            [_shift(t.depth_index, o, spec.depth_size, spec.depth_bins) for t, o in zip(tables, offsets, strict=True)]
        ),
        depth_fraction=stack([table.depth_fraction for table in tables]),
        slot_weight=stack([table.slot_weight for table in tables]),
        depth=torch.from_numpy(np.concatenate([depth_target(sample.depth) for sample in samples])),
        semantic=torch.from_numpy(np.concatenate([sample.semantic for sample in samples])),
        occupancy=stack([sample.occupancy for sample in samples]),
        observed=stack([sample.observed & cover for sample, cover in zip(samples, coverage, strict=True)]),
        heatmap=stack([center.heatmap for center in centers]),
        heatmap_mask=stack([center.heatmap_mask for center in centers]),
        boxes=stack([center.boxes for center in centers]),
        box_weight=stack([center.box_weight for center in centers]),
    )


def _shift(index: np.ndarray, first_image: int, size: tuple[int, int], bins: int) -> np.ndarray:
    """Indices of a sample's own images -> of the whole batch's images."""
    return index + np.int32(first_image * size[0] * size[1] * bins)


def stream_batches(pool: SamplePool, spec: NetworkSpec, batch_size: int, seed: int, ahead: int = 3) -> Iterator[Batch]:
    """Augmented batches without end, prepared `ahead` of use in a thread (OpenCV and numpy release the GIL).

    Raises:
        AirsideError: the pool is empty or holds a broken file.
    """
    random = np.random.default_rng(seed)
    ready: queue.Queue[Batch | Exception] = queue.Queue(maxsize=ahead)
    closed = threading.Event()

    def produce() -> None:
        while not closed.is_set():
            try:
                samples = [augment(pool.draw(), spec.grid, random) for _ in range(batch_size)]
                item: Batch | Exception = make_batch(samples, spec)
            except Exception as error:  # handed to the consumer, which raises it
                item = error
            while not closed.is_set():
                try:
                    ready.put(item, timeout=0.5)
                    break
                except queue.Full:
                    continue
            if isinstance(item, Exception):
                return

    thread = threading.Thread(target=produce, name="occupancy-batches", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        closed.set()
