"""A tiny drawn world: a coloured box before a ring of cameras, with exact labels."""

from dataclasses import replace

import numpy as np
from small_network import SMALL_SPEC

from airside_perception.geometry.boxes import points_in_boxes
from airside_perception.geometry.cameras import Camera
from airside_perception.training.occupancy_data import TrainingSample

SPEC = replace(SMALL_SPEC, encoder_channels=(16, 16, 16, 16))


def ring_cameras(count=4, distortion=()):
    cameras = []
    for index in range(count):
        cos, sin = np.cos(2 * np.pi * index / count), np.sin(2 * np.pi * index / count)
        pose = np.eye(4)
        pose[:3, :3] = np.array([[sin, 0, cos], [-cos, 0, sin], [0, -1, 0]])
        pose[:3, 3] = [0.5 * cos, 0.5 * sin, 2.0]
        intrinsics = np.array([[60.0, 0, 62.0], [0, 60.0, 31.5], [0, 0, 1]])
        model = "plumb_bob" if len(distortion) else "pinhole"
        cameras.append(Camera(f"camera_{index}", 128, 64, intrinsics, pose, model, np.asarray(distortion, float)))
    return tuple(cameras)


def drawn_sample(seed=0, count=4, distortion=()):
    """A GSE box on grey ground under a blue sky, at a random place, ray-traced pixel by pixel."""
    random = np.random.default_rng(seed)
    angle, distance = random.uniform(-np.pi, np.pi), random.uniform(4.0, 5.5)
    center = [distance * np.cos(angle), distance * np.sin(angle), 1.0]
    box = np.array([[*center, 3.0, 2.0, 2.0, random.uniform(-np.pi, np.pi)]], np.float32)
    cameras = ring_cameras(count, distortion)
    images, depths, semantics = zip(*(_trace(camera, box) for camera in cameras), strict=True)
    centers = SPEC.grid.centers()
    occupancy = np.zeros(SPEC.grid.shape, np.uint8)
    occupancy[:, :, 0] = 1
    occupancy[points_in_boxes(centers.reshape(-1, 3), box).reshape(SPEC.grid.shape)] = 3
    return TrainingSample(
        images=np.stack(images),
        cameras=cameras,
        depth=np.stack(depths)[:, 2::4, 2::4],
        semantic=np.stack(semantics)[:, 2::4, 2::4],
        occupancy=occupancy,
        observed=np.ones(SPEC.grid.shape, bool),
        boxes=box,
        box_class=np.ones(1, np.uint8),
        box_visibility=np.ones(1, np.float32),
        box_velocity=np.array([[1.0, 0.5]], np.float32),
        box_kind=np.array(["bus"]),
    )


def _trace(camera, box):
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.unproject(np.stack([u, v], -1).astype(float)).reshape(-1, 3)
    distances = np.linspace(0.5, 14.0, 136)
    points = rays[:, None] * distances[None, :, None]
    base = points @ camera.base_from_camera[:3, :3].T + camera.base_from_camera[:3, 3]
    in_box = points_in_boxes(base.reshape(-1, 3), box).reshape(base.shape[:2])
    hit = in_box | (base[..., 2] < 0)
    first = hit.argmax(1)
    rows = np.arange(len(rays))
    any_hit = hit.any(1)
    semantic = np.where(~any_hit, 0, np.where(in_box[rows, first], 3, 1)).astype(np.uint8)
    depth = np.where(any_hit, points[rows, first, 2] * 100, 0).astype(np.uint16)
    colors = np.array([[90, 140, 220], [120, 120, 120], [0, 0, 0], [230, 170, 20]], np.uint8)
    shape = (camera.height, camera.width)
    return colors[semantic].reshape(*shape, 3), depth.reshape(shape), semantic.reshape(shape)
