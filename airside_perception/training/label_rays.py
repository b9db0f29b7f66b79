"""Rays of 2D labels: where each labelled pixel's ray starts, what it met and how far away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airside_perception.classes import SEMANTIC_NAMES
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import rotation_z
from airside_perception.training.adjacent_frames import MOVING_SPEED, grown, label_pixels
from airside_perception.training.occupancy_data import TrainingSample
from airside_perception.training.supervision import Supervision

ADJACENT_WEIGHT = 0.3
"""Chance of a ray of an adjacent frame against one of the sample itself (RenderOcc, arXiv 2309.09502, section 3.4)."""

BALANCE = 0.005
"""Weight of a class: exp(BALANCE * (pixels of the commonest class / own pixels - 1)) (the same section)."""

LARGEST_BALANCE = np.log(100.0)
"""Of the exponent, so that a class of five pixels doesn't take all draws."""

LIDAR_ELEVATIONS = np.deg2rad(np.linspace(-30.0, 10.0, 32))
LIDAR_HALF_BEAM = np.deg2rad(0.12)
LIDAR_AZIMUTH_STEP = np.deg2rad(0.4)
"""A spinning scanner with 32 beams, as far as label pixels can stand in for its returns."""


@dataclass(frozen=True)
class LabelRays:
    """R rays in base_link.

    Attributes:
        origins: (R, 3) float32 metres.
        directions: (R, 3) float32 unit vectors.
        distance: (R,) float32 metres along the ray to the surface; inf: it met nothing (sky).
        cosine: (R,) float32, cosine to the optical axis: depth = distance * cosine.
        label: (R,) uint8 semantic id of the surface, 0 where unlabelled or sky.
    """

    origins: np.ndarray
    directions: np.ndarray
    distance: np.ndarray
    cosine: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: np.ndarray | slice) -> LabelRays:
        """The rays of a mask, of indices or of a slice."""
        return LabelRays(*(array[index] for array in vars(self).values()))


@dataclass(frozen=True)
class _LabelImage:
    camera: Camera
    depth: np.ndarray
    semantic: np.ndarray
    adjacent: bool
    usable: np.ndarray


def draw_rays(sample: TrainingSample, supervision: Supervision, random: np.random.Generator) -> LabelRays:
    """Draw the rays of a sample without replacement.

    Rays of the frame itself weigh 1, those of adjacent frames ADJACENT_WEIGHT or, where they show something that
    moves, 0; classes are balanced by how many pixels show them. Under `lidar` only pixels on a scanner's rings are
    there to draw from, all alike.

    Returns:
        At most `supervision.rays` rays in random order. Rays of adjacent frames that pass through where a moving
        object is now are cut off before it, as they say nothing about what lies there at this instant.
    """
    images = _label_images(sample, supervision)
    weights = [np.where(each.adjacent, ADJACENT_WEIGHT, 1.0) * each.usable.reshape(-1) for each in images]
    if supervision.contract == "lidar":
        weights = [w * _on_rings(each).reshape(-1) for w, each in zip(weights, images, strict=True)]
    elif supervision.class_balance:
        labels = [each.semantic.reshape(-1) for each in images]
        table = class_weights(np.concatenate([a[w > 0] for a, w in zip(labels, weights, strict=True)]))
        weights = [w * table[a] for a, w in zip(labels, weights, strict=True)]
    chosen = weighted_draw(np.concatenate(weights), supervision.rays, random)
    ends = np.cumsum([len(w) for w in weights])
    parts = []
    for image, end, weight in zip(images, ends, weights, strict=True):
        first = end - len(weight)
        rays = _rays_of(image, chosen[(chosen >= first) & (chosen < end)] - first)
        if image.adjacent and supervision.dynamic_masks:
            rays = before_moving_boxes(rays, sample.boxes, sample.box_velocity)
        parts.append(rays)
    rays = LabelRays(*(np.concatenate(arrays) for arrays in zip(*(vars(p).values() for p in parts), strict=True)))
    return rays.take(random.permutation(len(rays)))


def _label_images(sample: TrainingSample, supervision: Supervision) -> list[_LabelImage]:
    images = [
        _LabelImage(camera, depth, semantic, False, np.ones(depth.shape, bool))
        for camera, depth, semantic in zip(sample.cameras, sample.depth, sample.semantic, strict=True)
    ]
    for frame in sample.adjacent if supervision.auxiliary_rays else ():
        for camera, depth, semantic, moving in zip(
            frame.cameras, frame.depth, frame.semantic, frame.moving, strict=True
        ):
            usable = ~moving if supervision.dynamic_masks else np.ones(depth.shape, bool)
            images.append(_LabelImage(camera, depth, semantic, True, usable))
    return images


def class_weights(labels: np.ndarray) -> np.ndarray:
    """(7,) weights of drawing a label pixel of each class; 0 for classes that no pixel shows.

    Args:
        labels: (P,) uint8 semantic ids.
    """
    counts = np.bincount(labels, minlength=len(SEMANTIC_NAMES)).astype(np.float64)
    exponent = BALANCE * (counts.max(initial=0.0) / np.maximum(counts, 1.0) - 1.0)
    return np.where(counts > 0, np.exp(np.minimum(exponent, LARGEST_BALANCE)), 0.0)


def weighted_draw(weights: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Indices of at most `count` items, drawn without replacement; items of weight 0 are never drawn.

    The `count` smallest of exponential waiting times at rates `weights` (Efraimidis and Spirakis 2006).
    """
    possible = np.flatnonzero(weights > 0)
    if len(possible) <= count:
        return possible
    waiting = random.exponential(size=len(possible)) / weights[possible]
    return possible[np.argpartition(waiting, count)[:count]]


def _rays_of(image: _LabelImage, chosen: np.ndarray) -> LabelRays:
    """Rays through the label pixels (flat indices) of one image."""
    shape = image.depth.shape
    camera = image.camera
    local = camera.unproject(label_pixels(camera, (shape[0], shape[1])).reshape(-1, 2)[chosen])
    known = np.isfinite(local).all(axis=1)
    local, chosen = local[known], chosen[known]
    local = local / np.linalg.norm(local, axis=1, keepdims=True)
    depth = image.depth.reshape(-1)[chosen] / 100.0
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(depth > 0, depth / np.maximum(local[:, 2], 1e-6), np.inf)
    # At 90 degrees off the axis of a fisheye a depth along the axis says nothing.
    keep = (local[:, 2] > 0.05) | ~np.isfinite(distance)
    directions = local @ camera.base_from_camera[:3, :3].T
    return LabelRays(
        np.broadcast_to(camera.position, directions.shape).astype(np.float32)[keep],
        directions.astype(np.float32)[keep],
        distance.astype(np.float32)[keep],
        local[:, 2].astype(np.float32)[keep],
        np.where(depth > 0, image.semantic.reshape(-1)[chosen], 0).astype(np.uint8)[keep],
    )


def _on_rings(image: _LabelImage) -> np.ndarray:
    """(h, w) bool: pixels that a beam of the scanner would meet; it sees no sky and stands at the camera."""
    camera, shape = image.camera, image.depth.shape
    rays = camera.unproject(label_pixels(camera, (shape[0], shape[1]))) @ camera.base_from_camera[:3, :3].T
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    elevation, azimuth = np.arcsin(np.clip(rays[..., 2], -1, 1)), np.arctan2(rays[..., 1], rays[..., 0])
    # Label rows may lie farther apart than a beam is wide: each beam takes at least the nearest row.
    spacing = np.abs(np.diff(elevation, axis=0)).mean() if shape[0] > 1 else 0.0
    reach = max(LIDAR_HALF_BEAM, 0.5 * float(spacing))
    near_beam = np.abs(elevation[..., None] - LIDAR_ELEVATIONS).min(axis=-1) <= reach
    phase = np.floor(azimuth / LIDAR_AZIMUTH_STEP)
    first = np.ones(shape, bool)
    first[:, 1:] = phase[:, 1:] != phase[:, :-1]
    return near_beam & first & (image.depth > 0)


def before_moving_boxes(rays: LabelRays, boxes: np.ndarray, velocity: np.ndarray) -> LabelRays:
    """Drop rays that run into where a moving object is now before they reach their own surface.

    Args:
        rays: of another instant.
        boxes: (N, 7) of this instant, base_link.
        velocity: (N, 2) m/s.
    """
    fast = grown(boxes[np.hypot(*np.asarray(velocity).reshape(-1, 2).T) > MOVING_SPEED])
    keep = np.ones(len(rays), bool)
    for box in fast:
        keep &= box_entry(rays.origins, rays.directions, box) > rays.distance
    return rays if keep.all() else rays.take(keep)


def box_entry(origins: np.ndarray, directions: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(R,) distance at which rays enter a yaw box (7,), 0 from inside, inf where they miss it (slab method)."""
    turn = rotation_z(np.array(box[6]))
    start, rate = (origins - box[:3]) @ turn, directions @ turn
    half = 0.5 * np.asarray(box[3:6])
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (-half - start) / rate, (half - start) / rate
    enter = np.nanmax(np.minimum(first, second), axis=1)
    leave = np.nanmin(np.maximum(first, second), axis=1)
    outside = ((rate == 0) & (np.abs(start) > half)).any(axis=1)
    return np.where((enter < leave) & (leave > 0) & ~outside, np.maximum(enter, 0.0), np.inf)
