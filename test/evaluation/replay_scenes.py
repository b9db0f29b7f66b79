"""Small recordings with known truth: one vehicle that drives past, two cameras, detections that are exact."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from small_network import SMALL_SPEC, write_untrained_network

from airside_perception.bags import ApronBagWriter
from airside_perception.config import Config, load_config
from airside_perception.geometry import Camera, Rig, make_transform, pose_from_xyz_yaw
from airside_perception.prior import ClassPrior, ObjectPrior
from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.prior.texture_decoder import TextureDecoder

FIRST_NS, PERIOD_NS, FRAMES = 1_000_000_000_000, 100_000_000, 12
GRID = SMALL_SPEC.grid
SIZE = [3.0, 1.5, 1.8]
ROTATION = [float(np.cos(-np.pi / 4)), 0.0, 0.0, float(np.sin(-np.pi / 4))]


def stamps() -> list[int]:
    return [FIRST_NS + k * PERIOD_NS for k in range(FRAMES)]


def position(index: int) -> list[float]:
    """Of the tractor in odom: ahead to the left, driving along y."""
    return [8.0, 2.0 - 0.1 * index, 0.9]


def small_rig() -> Rig:
    """Front and rear, 96 x 64 pixels."""
    ahead = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    behind = np.diag([-1.0, -1.0, 1.0]) @ ahead
    k = np.array([[60.0, 0, 47.5], [0, 60.0, 31.5], [0, 0, 1]])
    poses = {"front": make_transform(ahead, np.array([0.5, 0, 1.5])), "rear": make_transform(behind, np.zeros(3))}
    return Rig({name: Camera(name, 96, 64, k, pose) for name, pose in poses.items()})


def write_sequence(
    folder: Path, truth: bool = True, corrupt: tuple[int, ...] = (), without_rear: tuple[int, ...] = ()
) -> Path:
    """A sequence folder; `corrupt` front images are no JPEG, `without_rear` frames lack the rear camera."""
    with ApronBagWriter(folder / "bag", small_rig()) as bag:
        bag.write_static(FIRST_NS)
        image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
        for index, stamp in enumerate(stamps()):
            bag.write_odometry(stamp, pose_from_xyz_yaw(0.0, 0.0, 0.0, 0.0), [0.0, 0.0, 0.0], 0.0)
            if index in corrupt:
                write_broken_image(bag, stamp)
            else:
                bag.write_image("front", stamp, image, jpeg_quality=90)
            if index not in without_rear:
                bag.write_image("rear", stamp + 1_000_000, image)
    if truth:
        write_truth(folder / "ground_truth")
    return folder


def write_broken_image(bag: ApronBagWriter, stamp_ns: int) -> None:
    """A message whose bytes are no JPEG: the writer's own encoder is made to fail for one call."""
    encode = cv2.imencode
    cv2.imencode = lambda *_: (True, np.frombuffer(b"no jpeg at all", np.uint8))
    try:
        bag.write_image("front", stamp_ns, np.zeros((64, 96, 3), np.uint8), jpeg_quality=90)
    finally:
        cv2.imencode = encode


def write_truth(folder: Path) -> None:
    """tracks.json, front semantics of every fourth frame, and voxels of frames 0 and 6."""
    (folder / "occupancy").mkdir(parents=True)
    (folder / "semantic" / "front").mkdir(parents=True)
    frames = []
    for index, stamp in enumerate(stamps()):
        tractor = {
            "id": "tractor",
            "class": "gse",
            "subtype": "tractor",
            "translation": position(index),
            "size": SIZE,
            "rotation": ROTATION,
            "velocity": [0.0, -1.0, 0.0],
            "visibility": 1.0,
            "num_pixels": 200,
            "distance": 8.0,
        }
        ego = {"translation": [0, 0, 0], "rotation": [1, 0, 0, 0]}
        frames.append({"stamp_ns": stamp, "ego_pose": ego, "objects": [tractor]})
        if index % 4 == 0:
            semantic = np.ones((64, 96), np.uint8)
            pixels, _, _ = small_rig().cameras["front"].project_base(np.array(position(index)))
            cv2.ellipse(semantic, (round(pixels[0]), round(pixels[1])), (5, 6), 0, 0, 360, 3, -1)
            cv2.imwrite(str(folder / "semantic" / "front" / f"{index:04d}.png"), semantic)
    (folder / "tracks.json").write_text(json.dumps({"frame_id": "odom", "rate_hz": 10, "frames": frames}))
    grid = {"origin": GRID.origin, "voxel_size": GRID.voxel_size, "shape": GRID.shape, "frame": "base_link"}
    (folder / "occupancy" / "grid.json").write_text(json.dumps(grid))
    classes = np.zeros(GRID.shape, np.uint8)
    classes[:, :, 0] = 1
    for index in (0, 6):
        np.savez(folder / "occupancy" / f"{index:04d}.npz", class_id=classes, observed=np.ones(GRID.shape, bool))


def write_detections(path: Path, offset_ns: int = 0) -> Path:
    """Exact detections of the tractor in every frame."""
    content = {
        str(stamp + offset_ns): [
            {
                "translation": position(index),
                "size": SIZE,
                "rotation": ROTATION,
                "class": "gse",
                "score": 0.9,
            }
        ]
        for index, stamp in enumerate(stamps())
    }
    path.write_text(json.dumps(content))
    return path


def write_prior(path: Path) -> Path:
    """One class of ellipsoids."""
    axes = tuple(torch.linspace(-0.55, 0.55, 13) for _ in range(3))
    positions = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    distance = positions.norm(dim=1) * 13 - 6.0
    interior = torch.zeros((13, 13, 13), dtype=torch.bool)
    interior[1:-1, 1:-1, 1:-1] = True
    live = (interior.reshape(-1) & (distance.abs() < 3)).nonzero().squeeze(1)
    decoder = ShapeDecoder(axes, live, distance.clamp(-3, 3), 4)
    with torch.no_grad():
        decoder.mean.copy_(distance[live])
        decoder.basis.copy_(0.01 * torch.ones_like(decoder.basis))
    torch.manual_seed(0)
    ObjectPrior({"gse": ClassPrior(decoder, TextureDecoder((3, 3, 3), (0.5, 0.5, 0.5), torch.arange(27), 2))}).save(
        path
    )
    return path


def write_network(path: Path) -> Path:
    """An untrained network for GRID."""
    return write_untrained_network(path, (96, 64))


def plain_config(**options: object) -> Config:
    """Neither network nor prior: the tracker alone, on detections from a file."""
    return load_config(None, {"network.enabled": False, "refine.enabled": False, "refine.prior": "", **options})


def full_config(network: Path, prior: Path) -> Config:
    """All stages."""
    return load_config(
        None,
        {
            "network.engine": str(network),
            "network.runtime": "onnxruntime",
            "network.threads": 1,
            "network.occupancy_threshold": 0.5,
            "grid.origin": list(GRID.origin),
            "grid.voxel_size": list(GRID.voxel_size),
            "grid.shape": list(GRID.shape),
            "refine.prior": str(prior),
            "refine.crop_size": 32,
            "refine.iterations": 2,
        },
    )
