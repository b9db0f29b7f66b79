"""A vehicle with a camera ahead and one behind, and what a perfect network would say of hand-placed objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from airside_perception.classes import GROUND, OBJECT_CLASSES, SEMANTIC_NAMES, SEMANTIC_OF_CLASS
from airside_perception.geometry import Camera, Rig, invert_transform, make_transform, pose_from_xyz_yaw
from airside_perception.records import CameraImage, Detection3D, GridSpec, NetworkOutput, RigFrame, Track
from airside_perception.refine.residuals import Poses
from airside_perception.refine.shape_library import LinearShape, ShapeLibrary
from airside_perception.refine.views import View, find_views
from airside_perception.rendering import rasterize

STAMP_NS = 1_000_000_000
STRIDE = 4
BUS, VAN, TRACTOR = (13.0, 2.9, 3.2), (5.84, 2.03, 2.56), (6.44, 3.11, 1.91)
WALKER, AIRLINER = (0.5, 0.6, 1.8), (38.0, 35.0, 12.0)


@dataclass(frozen=True)
class Thing:
    """An object as it really is: box on the ground of odom, look of the typical shape of its size."""

    class_name: str
    x: float
    y: float
    yaw: float
    size: tuple[float, float, float]

    @property
    def box(self) -> np.ndarray:
        return np.array([self.x, self.y, self.size[2] / 2, *self.size, self.yaw])

    def shape(self, library: ShapeLibrary) -> LinearShape:
        return library.shape(self.class_name, library.by_size(self.class_name, np.array(self.size), 1)[0])


def small_rig(distortion_model: str = "pinhole", distortion: tuple[float, ...] = ()) -> Rig:
    """Front and rear, 320 x 200 pixels, two metres above the ground."""
    ahead = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    behind = np.diag([-1.0, -1.0, 1.0]) @ ahead
    k = np.array([[200.0, 0, 159.5], [0, 200.0, 99.5], [0, 0, 1]])
    mounts = {"front": make_transform(ahead, [1.0, 0, 2.0]), "rear": make_transform(behind, [-1.0, 0, 2.0])}
    return Rig(
        {
            name: Camera(name, 320, 200, k, mount, distortion_model, np.array(distortion))
            for name, mount in mounts.items()
        }
    )


def seen_classes(things: list[Thing], camera: Camera, odom_from_base: np.ndarray, library: ShapeLibrary) -> np.ndarray:
    """(H, W) int semantic id of the nearest object at every pixel, ground elsewhere."""
    labels = np.full((camera.height, camera.width), GROUND)
    if not things:
        return labels
    camera_from_odom = invert_transform(odom_from_base @ camera.base_from_camera)
    clip, faces, owners, first = [], [], [], 0
    for index, thing in enumerate(things):
        shape = thing.shape(library)
        pose = pose_from_xyz_yaw(*thing.box[:3], thing.yaw)
        odom = (shape.vertices * thing.size) @ pose[:3, :3].T + pose[:3, 3]
        clip.append(camera.clip_positions(odom @ camera_from_odom[:3, :3].T + camera_from_odom[:3, 3]))
        faces.append(shape.faces + first)
        owners += [index] * len(shape.faces)
        first += len(odom)
    positions = torch.from_numpy(np.concatenate(clip).astype(np.float32))[None]
    raster = rasterize(
        positions, torch.from_numpy(np.concatenate(faces).astype(np.int32)), (camera.height, camera.width)
    )
    face = raster[0, ..., 3].numpy().astype(int)
    semantic = np.array([SEMANTIC_OF_CLASS[things[owner].class_name] for owner in owners])
    labels[face > 0] = semantic[face[face > 0] - 1]
    return labels


def look(
    things: list[Thing], library: ShapeLibrary, rig: Rig | None = None, odom_from_base: np.ndarray | None = None
) -> tuple[RigFrame, NetworkOutput]:
    """The frame that the vehicle takes of the things, and the semantics of a network without faults."""
    rig = rig or small_rig()
    pose = np.eye(4) if odom_from_base is None else odom_from_base
    images, semantics = {}, {}
    for name, camera in rig.cameras.items():
        labels = seen_classes(things, camera, pose, library)
        colors = np.random.default_rng(0).integers(90, 110, (camera.height, camera.width, 3)).astype(np.uint8)
        colors[labels != GROUND] = (180, 60, 40)
        images[name] = CameraImage(camera, colors, STAMP_NS)
        one_hot = (labels[None] == np.arange(len(SEMANTIC_NAMES))[:, None, None]).astype(np.float32)
        cells = one_hot.reshape(len(one_hot), camera.height // STRIDE, STRIDE, camera.width // STRIDE, STRIDE)
        semantics[name] = cells.mean(axis=(2, 4))
    grid = GridSpec((-8.0, -8.0, -1.0), (1.0, 1.0, 1.0), (16, 16, 4))
    voxels = np.zeros(grid.shape)
    network = NetworkOutput(grid, voxels.astype(np.uint8), voxels.astype(np.float32), (), semantics)
    return RigFrame(STAMP_NS, images, (), pose), network


def detection(thing: Thing, dx=0.0, dy=0.0, dyaw=0.0, scale=1.0, score=0.8) -> Detection3D:
    """The thing as a detector with these errors would report it."""
    size = np.array(thing.size) * scale
    return Detection3D(
        thing.class_name, np.array([thing.x + dx, thing.y + dy, size[2] / 2]), size, thing.yaw + dyaw, score
    )


def track(thing: Thing, track_id: str = "1", **fields) -> Track:
    """A confirmed track that stands where the thing is."""
    assert thing.class_name in OBJECT_CLASSES
    return Track(track_id, thing.class_name, thing.box, np.zeros(2), np.eye(7) * 0.01, 0.9, "confirmed", **fields)


def views_of(
    things: list[Thing], frame: RigFrame, network: NetworkOutput, crop_size: int = 64, cameras: int = 2
) -> list[View]:
    """The crops of things whose boxes are known exactly."""
    boxes = np.stack([t.box for t in things])
    return find_views(frame, boxes, [t.class_name for t in things], network, crop_size, cameras)


def poses_of(things: list[Thing], parameters: int = 4) -> Poses:
    """Things as solver states with the typical shapes unchanged."""
    return Poses(
        np.array([[t.x, t.y, 0.0] for t in things]),
        np.array([t.yaw for t in things]),
        np.log(np.array([t.size for t in things])),
        np.zeros((len(things), parameters)),
    )
