"""Tracks of surface points through a sequence, with what each camera sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform, transform_points
from airside_perception.synth.frames import LabelledFrame
from airside_perception.synth.raster_backend import NEAR, ImageLayers, RasterBackend
from airside_perception.synth.scene import Scene
from airside_perception.synth.surface_points import depth_tolerance, pick_points

NO_IMAGE, OUTSIDE, OCCLUDED, VISIBLE = 0, 1, 2, 3
"""States of a point in an image: the image is lost, it shows another place, something hides the point, it shows it."""


class PointTracks:
    """Follows surface points of one scene.

    Args:
        scene: the scene.
        times_s: time of each frame.
        count: about how many points.
        rng: picks them.
        device: of the rasteriser that looks for them.
    """

    def __init__(
        self, scene: Scene, times_s: Sequence[float], count: int, rng: np.random.Generator, device: str = "cpu"
    ):
        self._scene, self._cameras = scene, scene.rig.names
        self.points = pick_points(RasterBackend(scene, device), scene, times_s, count, rng)
        shape = (len(self._cameras), len(self.points), len(times_s))
        self.pixels = np.zeros((*shape, 2), np.float32)
        self.state = np.full(shape, NO_IMAGE, np.uint8)
        self.odom = np.zeros((*shape[1:], 3), np.float32)

    def see(self, index: int, frame: LabelledFrame) -> None:
        """Note where the points are in a frame, and in each of its images at that image's time of exposure."""
        self.odom[:, index] = self.points.at(self._scene, frame.time_s)[0]
        for name, time_s in frame.exposures.items():
            camera, which = self._scene.rig.cameras[name], self._cameras.index(name)
            world_from_optical = self._scene.odom_from_base(time_s) @ camera.base_from_camera
            positions, normals = self.points.at(self._scene, time_s)
            facing = ((world_from_optical[:3, 3] - positions) * normals).sum(axis=1) > 0
            optical = transform_points(invert_transform(world_from_optical), positions)
            pixels, state = point_states(camera, optical, facing, self.points.item, frame.layers[name])
            self.pixels[which, :, index], self.state[which, :, index] = pixels, state

    def write(self, path: Path, stamps_ns: Sequence[int]) -> None:
        """Write all tracks; the arrays are described in docs/generator.md."""
        objects = self._scene.objects
        tracked = [objects[k].object_id if k >= 0 else "" for k in self.points.item]
        classes = [objects[k].asset.class_name if k >= 0 else "ground" for k in self.points.item]
        np.savez_compressed(
            path,
            cameras=np.array(self._cameras),
            image_size=np.array([(c.width, c.height) for c in self._scene.rig.cameras.values()], np.int32),
            stamp_ns=np.array(stamps_ns, np.int64),
            pixels=self.pixels,
            state=self.state,
            odom=self.odom,
            object_id=np.array(tracked),
            class_name=np.array(classes),
            picked_frame=self.points.frame,
            picked_camera=self.points.camera,
        )


def point_states(
    camera: Camera, optical: np.ndarray, facing: np.ndarray, item: np.ndarray, image: ImageLayers
) -> tuple[np.ndarray, np.ndarray]:
    """Where points are in one image, and whether it shows them.

    A point shows where one of the four pixels around it shows the point's own object, no nearer than the point.

    Args:
        camera: that took the image.
        optical: (P, 3) points in its optical frame, metres.
        facing: (P,) bool, the surface turns its front to the camera.
        item: (P,) object that each point belongs to, as in `ImageLayers.item`.
        image: the image's labels.

    Returns:
        (P, 2) float32 pixels, zero where the camera model can't project the point, and (P,) uint8 states.
    """
    pixels, valid = camera.project(optical)
    inside = valid & (optical[:, 2] > NEAR) & camera.contains(pixels)
    around = np.floor(np.where(inside[:, None], pixels, 0.0)).astype(int)
    shown, drawn = np.zeros(len(item), bool), np.zeros(len(item), bool)
    for step in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column = np.clip(around[:, 0] + step[0], 0, camera.width - 1)
        row = np.clip(around[:, 1] + step[1], 0, camera.height - 1)
        depth = image.depth[row, column]
        shown |= (image.item[row, column] == item) & (depth > optical[:, 2] - depth_tolerance(optical[:, 2]))
        drawn |= image.item[row, column] >= -1
    if not camera.is_linear:
        # The corners of a fisheye's picture beyond what it can draw are black: no image there.
        inside &= drawn
    state = np.where(inside, np.where(shown & facing, VISIBLE, OCCLUDED), OUTSIDE).astype(np.uint8)
    return np.where(valid[:, None], pixels, 0.0).astype(np.float32), state
