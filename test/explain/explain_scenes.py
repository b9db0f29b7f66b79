"""A small scene with a known layout: two cameras, a blob-shaped prior, tracks where the test puts them."""

from __future__ import annotations

import numpy as np
import torch

from airside_perception.geometry import Camera, make_transform
from airside_perception.prior import ClassPrior, ObjectPrior
from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.prior.texture_decoder import TextureDecoder
from airside_perception.records import (
    CameraImage,
    GridSpec,
    ObjectEstimate,
    OccupancyGrid,
    RigFrame,
    SceneEstimate,
    Track,
)

SHAPE_SIZE, TEXTURE_SIZE = 3, 2
STAMP_NS = 5_000_000_000
FORWARD = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Rotation base_from_camera of a camera that looks along x."""

DISTORTIONS = {
    "pinhole": [],
    "plumb_bob": [-0.18, 0.03, 0.001, -0.001, 0.0],
    "equidistant": [0.02, -0.01, 0.003, -0.001],
}


def blob_prior() -> ObjectPrior:
    """Ellipsoids that fill about 0.77 of their boxes, for gse and person; codes hardly change them."""
    return ObjectPrior({name: _blob_class(seed) for seed, name in enumerate(("gse", "person"))})


def _blob_class(seed: int) -> ClassPrior:
    axes = tuple(torch.linspace(-0.55, 0.55, 13) for _ in range(3))
    positions = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    distance = positions.norm(dim=1) * 13 - 5.0
    interior = torch.zeros((13, 13, 13), dtype=torch.bool)
    interior[1:-1, 1:-1, 1:-1] = True
    live = (interior.reshape(-1) & (distance.abs() < 3)).nonzero().squeeze(1)
    decoder = ShapeDecoder(axes, live, distance.clamp(-3, 3), SHAPE_SIZE)
    with torch.no_grad():
        decoder.mean.copy_(distance[live])
        decoder.basis.copy_(0.01 * torch.ones_like(decoder.basis))
    torch.manual_seed(seed)
    return ClassPrior(decoder, TextureDecoder((3, 3, 3), (0.5, 0.5, 0.5), torch.arange(27), TEXTURE_SIZE))


def camera(name: str = "front", model: str = "pinhole", width: int = 320, height: int = 200) -> Camera:
    """A camera 1.5 m above the vehicle's origin that looks ahead."""
    intrinsics = np.array([[180.0, 0, (width - 1) / 2], [0, 180.0, (height - 1) / 2], [0, 0, 1]])
    pose = make_transform(FORWARD, np.array([0.0, 0.0, 1.5]))
    return Camera(name, width, height, intrinsics, pose, model, np.array(DISTORTIONS[model]))


def track(track_id: str, box: list[float], class_name: str = "gse", coded: bool = True, **others) -> Track:
    """A confirmed track; `box` is x, y, z, length, width, height, yaw in odom."""
    values = {
        "velocity": np.zeros(2),
        "state": "confirmed",
        "shape_code": np.zeros(SHAPE_SIZE, np.float32) if coded else None,
        "texture_code": np.zeros(TEXTURE_SIZE, np.float32) if coded else None,
        **others,
    }
    return Track(track_id, class_name, np.array(box, np.float64), covariance=np.eye(7), score=0.8, **values)


def estimate(**others) -> ObjectEstimate:
    """A refined measurement."""
    values = {"loss_before": 0.2, "loss_after": 0.1, "visible_fraction": 0.9, "refined": True, **others}
    return ObjectEstimate("gse", np.array([10.0, 0, 1, 4, 2, 2, 0]), np.eye(7), 0.8, **values)


def scene(
    tracks: tuple[Track, ...] = (),
    cameras: tuple[Camera, ...] | None = None,
    occupancy: OccupancyGrid | None = None,
    brightness: int = 100,
    odom_from_base: np.ndarray | None = None,
    **others,
) -> SceneEstimate:
    """Plain grey images and the given tracks."""
    images = {
        each.name: CameraImage(each, np.full((each.height, each.width, 3), brightness, np.uint8), STAMP_NS)
        for each in cameras or (camera(),)
    }
    pose = np.eye(4) if odom_from_base is None else odom_from_base
    frame = RigFrame(STAMP_NS, images, (), pose)
    values = {"detections": (), "estimates": (), "explanations": (), **others}
    return SceneEstimate(STAMP_NS, frame, tracks=tracks, occupancy=occupancy, **values)


def grid() -> OccupancyGrid:
    """40 x 40 x 4 voxels of 1 m about the vehicle: ground everywhere, all seen now."""
    spec = GridSpec((-20.0, -20.0, -1.0), (1.0, 1.0, 1.0), (40, 40, 4))
    classes = np.zeros(spec.shape, np.uint8)
    classes[:, :, 0] = 1
    return OccupancyGrid(spec, classes, (classes > 0).astype(np.float32), np.full(spec.shape, 2, np.uint8))
