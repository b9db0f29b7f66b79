"""Object-centred crops: what the image part of the network learns from most cheaply.

Most of an apron image is concrete and sky. Crops around objects show the network four times as many objects per
second of training, at every scale, and since the geometry of every pixel is an input, a crop is just the image of
another camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from airside_perception.classes import OBJECT_CLASSES, SEMANTIC_OF_CLASS
from airside_perception.geometry.boxes import box_corners
from airside_perception.geometry.cameras import Camera
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.occupancy.pixel_geometry import pixel_geometry
from airside_perception.training.occupancy_data import LABEL_STRIDE, TrainingSample
from airside_perception.training.occupancy_pixel_targets import object_targets
from airside_perception.training.occupancy_targets import LEAST_VISIBILITY, depth_target

CROP_SIZE = 128
"""Pixels, each way."""

CROPS_PER_SAMPLE = 24

BACKGROUND_SHARE = 0.15
"""Crops that are cut anywhere instead of around an object."""

SMALLEST_SIDE = 40
"""Image pixels that a crop shows at least; finer than a third of a pixel there is nothing to see."""


@dataclass(frozen=True)
class CropBatch:
    """N crops; shapes as in training.occupancy_batches.Batch."""

    images: Tensor
    geometry: Tensor
    depth: Tensor
    semantic: Tensor
    objects: Tensor
    surface: Tensor
    ranges: Tensor
    object_weight: Tensor
    kinds: Tensor

    def to(self, device: torch.device | str) -> CropBatch:
        return CropBatch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def make_crop_batch(samples: Sequence[TrainingSample], spec: NetworkSpec) -> CropBatch:
    """Stack the crops of samples that `crop_sample` made."""
    objects = [object_targets(sample) for sample in samples]
    sized = replace(spec, image_size=(CROP_SIZE, CROP_SIZE))

    def stack(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(arrays))

    return CropBatch(
        images=stack([sample.images for sample in samples]).permute(0, 3, 1, 2),
        geometry=stack([pixel_geometry(sample.cameras, sized) for sample in samples]),
        depth=stack([depth_target(sample.depth) for sample in samples]),
        semantic=stack([sample.semantic for sample in samples]),
        objects=stack([each.objects for each in objects]),
        surface=stack([each.surface for each in objects]),
        ranges=stack([each.ranges for each in objects]),
        object_weight=stack([each.weight for each in objects]),
        kinds=stack([each.kinds for each in objects]),
    )


def crop_sample(sample: TrainingSample, random: np.random.Generator, count: int = CROPS_PER_SAMPLE) -> TrainingSample:
    """`count` crops of a frame as a frame of `count` cameras (its voxels and boxes stay as they are)."""
    rectangles = _object_rectangles(sample)
    height, width = sample.images.shape[1:3]
    images, cameras, depths, semantics = [], [], [], []
    for _ in range(count):
        if len(rectangles) and random.random() > BACKGROUND_SHARE:
            index, *rectangle = rectangles[random.integers(len(rectangles))]
            left, top, side = _around(np.array(rectangle), width, height, random)
        else:
            index = random.integers(len(sample.cameras))
            shortest = min(width, height)
            side = int(random.integers(min(2 * SMALLEST_SIDE, shortest), shortest + 1))
            left, top = int(random.integers(width - side + 1)), int(random.integers(height - side + 1))
        index = int(index)
        window = sample.images[index, top : top + side, left : left + side]
        method = cv2.INTER_AREA if side > CROP_SIZE else cv2.INTER_LINEAR
        images.append(cv2.resize(window, (CROP_SIZE, CROP_SIZE), interpolation=method))
        cameras.append(_cut(sample.cameras[index], left, top, side))
        # The label pixel under the middle of each label cell of the crop.
        middles = (np.arange(CROP_SIZE // LABEL_STRIDE) + 0.5) * LABEL_STRIDE * side / CROP_SIZE
        rows, columns = (((start + middles) // LABEL_STRIDE).astype(int) for start in (top, left))
        depths.append(sample.depth[index][rows][:, columns])
        semantics.append(sample.semantic[index][rows][:, columns])
    return replace(
        sample,
        images=np.stack(images),
        cameras=tuple(cameras),
        depth=np.stack(depths),
        semantic=np.stack(semantics),
        earlier=(),
    )


def _cut(camera: Camera, left: int, top: int, side: int) -> Camera:
    return camera.cropped(left, top, side, side).resized(CROP_SIZE, CROP_SIZE)


def _object_rectangles(sample: TrainingSample) -> np.ndarray:
    """(R, 5) camera index, left, top, right, bottom of the objects that show, in pixels of their images."""
    height, width = sample.images.shape[1:3]
    seen = sample.box_visibility >= LEAST_VISIBILITY
    boxes = sample.boxes[seen].astype(np.float64)
    labels = np.array([SEMANTIC_OF_CLASS[OBJECT_CLASSES[index]] for index in sample.box_class[seen]])
    found = []
    corners = box_corners(boxes) if len(boxes) else np.zeros((0, 8, 3))
    for index, camera in enumerate(sample.cameras):
        if not len(boxes):
            break
        pixels, depth, _ = camera.project_base(corners)
        ahead = (depth > 0.3).sum(axis=1) >= 4
        pixels = np.where((depth > 0.3)[..., None], pixels, np.nan)[ahead]
        if not len(pixels):
            continue
        low, high = np.nanmin(pixels, axis=1), np.nanmax(pixels, axis=1)
        inside_low, inside_high = np.maximum(low, 0), np.minimum(high, [width - 1, height - 1])
        shown = np.prod(np.maximum(inside_high - inside_low, 0), axis=1)
        keep = (shown > 0.15 * np.prod(high - low, axis=1)) & ((inside_high - inside_low).max(axis=1) > 8)
        rectangles = np.concatenate([inside_low, inside_high], axis=1)[keep]
        own = labels[ahead][keep]
        showing = [_shows(sample.semantic[index], *pair) for pair in zip(rectangles, own, strict=True)]
        rectangles = rectangles[np.array(showing, bool)]
        found.append(np.concatenate([np.full((len(rectangles), 1), index), rectangles], axis=1))
    return np.concatenate(found) if found else np.zeros((0, 5))


def _shows(semantic: np.ndarray, rectangle: np.ndarray, label: int) -> bool:
    """Whether a tenth of a rectangle (image pixels) shows the class: boxes may be hidden, or reach into the image."""
    left, top, right, bottom = (rectangle // LABEL_STRIDE).astype(int)
    return bool((semantic[top : bottom + 1, left : right + 1] == label).mean() > 0.1)


def _around(rectangle: np.ndarray, width: int, height: int, random: np.random.Generator) -> tuple[int, int, int]:
    """left, top and side of a square window around a rectangle, jittered in place and scale, inside the image."""
    extent = float((rectangle[2:] - rectangle[:2]).max())
    side = int(np.clip(extent * np.exp(random.uniform(np.log(1.15), np.log(3.0))), SMALLEST_SIDE, min(width, height)))
    middle = 0.5 * (rectangle[:2] + rectangle[2:]) + random.uniform(-0.25, 0.25, 2) * max(side - extent, 0.2 * side)
    left, top = np.clip(np.round(middle - side / 2), 0, [width - side, height - side]).astype(int)
    return int(left), int(top), side
