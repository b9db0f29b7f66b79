"""Augmentation of training samples: another light, another lens quality, the mirrored apron."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from airside_perception.geometry.cameras import Camera
from airside_perception.records import GridSpec
from airside_perception.training.occupancy_data import TrainingSample


def augment(sample: TrainingSample, grid: GridSpec, random: np.random.Generator) -> TrainingSample:
    """Random mirror, quarter turn, dropped camera and photometric change of a sample; the input is left as it is."""
    if random.random() < 0.5:
        sample = mirror(sample, grid)
    sample = turn(sample, grid, int(random.integers(4)))
    if len(sample.cameras) > 2 and random.random() < 0.1:
        sample = drop_camera(sample, int(random.integers(len(sample.cameras))))
    common = _light(random)
    images = np.stack([_photometric(image, common, random) for image in sample.images])
    earlier = tuple(
        replace(frame, images=np.stack([_photometric(image, common, random) for image in frame.images]))
        for frame in sample.earlier
    )
    return replace(sample, images=images, earlier=earlier)


def mirror(sample: TrainingSample, grid: GridSpec) -> TrainingSample:
    """The scene reflected in the vehicle's x-z plane, images and labels alike.

    Raises:
        ValueError: the grid isn't symmetric about y = 0.
    """
    if not np.isclose(grid.origin[1], -0.5 * grid.shape[1] * grid.voxel_size[1]):
        raise ValueError(f"mirror: expected a grid symmetric about y = 0, got origin {grid.origin}")
    boxes = sample.boxes.copy()
    boxes[:, 1] *= -1
    boxes[:, 6] *= -1
    return replace(
        sample,
        images=np.ascontiguousarray(sample.images[:, :, ::-1]),
        cameras=tuple(mirror_camera(camera) for camera in sample.cameras),
        depth=np.ascontiguousarray(sample.depth[:, :, ::-1]),
        semantic=np.ascontiguousarray(sample.semantic[:, :, ::-1]),
        occupancy=np.ascontiguousarray(sample.occupancy[:, ::-1]),
        observed=np.ascontiguousarray(sample.observed[:, ::-1]),
        boxes=boxes,
        box_velocity=sample.box_velocity * np.array([1, -1], sample.box_velocity.dtype),
        adjacent=tuple(frame.mirrored([mirror_camera(c) for c in frame.cameras]) for frame in sample.adjacent),
        earlier=tuple(frame.mirrored([mirror_camera(c) for c in frame.cameras]) for frame in sample.earlier),
    )


def turn(sample: TrainingSample, grid: GridSpec, quarters: int) -> TrainingSample:
    """The same scene in a base_link that is turned by `quarters` of a circle: cameras then look elsewhere in the grid.

    Raises:
        ValueError: the grid isn't square in x and y and centred on the vehicle.
    """
    extent = [grid.shape[i] * grid.voxel_size[i] for i in range(2)]
    if grid.shape[0] != grid.shape[1] or not np.allclose(
        [*grid.origin[:2], extent[0]], [*(-0.5 * np.array(extent)), extent[1]]
    ):
        raise ValueError(
            f"turn: expected a square grid around the vehicle, got origin {grid.origin}, shape {grid.shape}"
        )
    if quarters % 4 == 0:
        return sample
    # Whole numbers: cos and sin of quarter turns.
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters % 4]
    rotation = np.array([[cosine, -sine], [sine, cosine]], np.float64)
    pose = np.eye(4)
    pose[:2, :2] = rotation
    boxes = sample.boxes.copy()
    boxes[:, :2] = boxes[:, :2] @ rotation.T
    boxes[:, 6] += quarters * np.pi / 2
    return replace(
        sample,
        cameras=tuple(camera.with_pose(pose @ camera.base_from_camera) for camera in sample.cameras),
        occupancy=np.ascontiguousarray(np.rot90(sample.occupancy, quarters)),
        observed=np.ascontiguousarray(np.rot90(sample.observed, quarters)),
        boxes=boxes,
        box_velocity=(sample.box_velocity @ rotation.T).astype(sample.box_velocity.dtype),
        adjacent=tuple(frame.moved(pose) for frame in sample.adjacent),
        earlier=tuple(frame.turned(pose) for frame in sample.earlier),
    )


def mirror_camera(camera: Camera) -> Camera:
    """The camera that takes the left-right flipped image in the mirrored world.

    Reflecting both the world (y) and the optical frame (x) keeps the rotation proper. Of the
    distortion only the second tangential coefficient (p2) is odd in x.
    """
    intrinsics = camera.intrinsics.copy()
    intrinsics[0, 2] = camera.width - 1 - intrinsics[0, 2]
    intrinsics[0, 1] *= -1
    distortion = camera.distortion.copy()
    if camera.distortion_model in ("plumb_bob", "rational_polynomial") and len(distortion) > 3:
        distortion[3] *= -1
    pose = np.diag([1.0, -1.0, 1.0, 1.0]) @ camera.base_from_camera @ np.diag([-1.0, 1.0, 1.0, 1.0])
    return replace(camera, intrinsics=intrinsics, distortion=distortion, base_from_camera=pose)


def drop_camera(sample: TrainingSample, index: int) -> TrainingSample:
    """The sample without camera `index` (what only it saw is masked later by the lifting tables)."""
    keep = np.arange(len(sample.cameras)) != index
    return replace(
        sample,
        images=sample.images[keep],
        cameras=tuple(camera for camera, kept in zip(sample.cameras, keep, strict=True) if kept),
        depth=sample.depth[keep],
        semantic=sample.semantic[keep],
    )


def _light(random: np.random.Generator) -> np.ndarray:
    """(3, 256) uint8 lookup tables: exposure, contrast, gamma and colour cast of the whole rig."""
    level = np.linspace(0.0, 1.0, 256)
    level = level ** np.exp(random.normal(0.0, 0.25))
    gain = np.exp(random.normal(0.0, 0.22)) * np.exp(random.normal(0.0, 0.06, 3))
    contrast = np.exp(random.normal(0.0, 0.18))
    table = (level[None] * gain[:, None] - 0.45) * contrast + 0.45 + random.normal(0.0, 0.03)
    return np.clip(table * 255.0 + 0.5, 0, 255).astype(np.uint8)


def _photometric(image: np.ndarray, table: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One image through the rig's light, its own blur, noise and a few blotted patches."""
    image = cv2.LUT(image, np.ascontiguousarray(table.T).reshape(256, 1, 3))
    if random.random() < 0.15:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
        image = cv2.addWeighted(image, 0.4, np.repeat(grey, 3, axis=2), 0.6, 0.0)
    if random.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.5, 1.6)))
    if random.random() < 0.4:
        image = _add_noise(image, float(random.uniform(2.0, 12.0)), random)
    if random.random() < 0.2:
        height, width = image.shape[:2]
        for _ in range(int(random.integers(1, 4))):
            x, y = int(random.integers(width)), int(random.integers(height))
            size_x, size_y = (int(random.integers(10, 80)) for _ in range(2))
            image[y : y + size_y, x : x + size_x] = random.integers(0, 255, 3)
    return image


def _add_noise(image: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    """Sensor noise; drawn as bytes from a small table, which is ten times faster than normal deviates."""
    table = np.clip(random.normal(0.0, sigma, 256), -100, 100).astype(np.int8)
    noise = table[np.frombuffer(random.bytes(image.size), np.uint8)].reshape(image.shape)
    return cv2.add(image, noise, dtype=cv2.CV_8U)
