"""One rig frame of a scene with all of its truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.rig import Rig
from airside_perception.occupancy.visibility import CameraRays, camera_visibility
from airside_perception.records import GridSpec
from airside_perception.synth.annotate import is_tracked, object_truth, pixel_counts, voxelize
from airside_perception.synth.bent_camera import sight_rays
from airside_perception.synth.raster_backend import ImageLayers
from airside_perception.synth.scene import Lighting, Scene, SensorStyle
from airside_perception.synth.scene_geometry import SceneGeometry


class SceneBackend(Protocol):
    """What renders a scene: RasterBackend or CyclesBackend."""

    def geometry(self, time_s: float) -> SceneGeometry:
        """The scene's triangles at `time_s`."""
        ...

    def relight(self, lighting: Lighting, sensor: SensorStyle) -> None:
        """Go on with the same scene in another light, seen by another sensor."""
        ...

    def render(self, time_s: float, camera: Camera, rng: np.random.Generator) -> ImageLayers:
        """Image and labels of one camera of the vehicle."""
        ...


@dataclass(frozen=True)
class LabelledFrame:
    """Images and truth of one frame.

    Attributes:
        time_s: anchor time in the scene.
        odom_from_base: (4, 4) vehicle pose at that time.
        layers: camera name -> image and pixel labels.
        objects: entries of tracks.json.
        boxes: (M, 7) float64, odom, of all tracked objects, in the order of `objects`.
        best_visibility: (M,) visible fraction in the camera that sees most of the object.
        occupancy: (X, Y, Z) uint8 semantic ids, or None.
        observed: (X, Y, Z) bool, voxels that a camera saw, or None.
        exposures: camera name -> time of exposure, in the order of the rig; a lost image has none.
    """

    time_s: float
    odom_from_base: np.ndarray
    layers: dict[str, ImageLayers]
    objects: list[dict[str, Any]]
    boxes: np.ndarray
    best_visibility: np.ndarray
    occupancy: np.ndarray | None
    observed: np.ndarray | None
    exposures: Mapping[str, float]


def render_frame(
    backend: SceneBackend,
    scene: Scene,
    rig: Rig,
    time_s: float,
    rng: np.random.Generator,
    grid: GridSpec | None,
    exposures: Mapping[str, float] | None = None,
    occupancy: np.ndarray | None = None,
) -> LabelledFrame:
    """Render all cameras of `rig` at `time_s` and label what they see.

    Args:
        backend: renders `scene`.
        scene: the scene.
        rig: cameras to render.
        time_s: anchor time: of the vehicle's pose, the boxes and the voxels.
        rng: sensor noise.
        grid: voxels to label, or None for none.
        exposures: camera name -> time at which that camera exposes, with the vehicle and all objects where they are
            then; cameras that are absent lose their image. None: all at `time_s`.
        occupancy: its labels at `time_s`, where an earlier frame of the same instant knows them already.
    """
    if exposures is None:
        exposures = dict.fromkeys(rig.names, time_s)
    geometry = backend.geometry(time_s)
    odom_from_base = scene.odom_from_base(time_s)
    count = len(scene.objects)
    seen, alone, best = np.zeros(count, np.int64), np.zeros(count), np.zeros(count)
    layers = {}
    for name, exposed_s in exposures.items():
        camera, pose = rig.cameras[name], scene.odom_from_base(exposed_s)
        layers[name] = backend.render(exposed_s, camera, rng)
        visible, amodal = pixel_counts(scene, backend.geometry(exposed_s), pose, camera, layers[name])
        seen, alone = seen + visible, alone + amodal
        best = np.maximum(best, visible / np.maximum(amodal, 1))
    fraction = seen / np.maximum(alone, 1)
    tracked = np.flatnonzero(is_tracked(scene))
    observed = None
    if grid is not None:
        occupancy = voxelize(scene, geometry, odom_from_base, grid) if occupancy is None else occupancy
        rays = _observing_rays(tuple(rig.cameras.values()), grid)
        observed = camera_visibility(rays, occupancy > 0, tuple(exposures))
    return LabelledFrame(
        time_s,
        odom_from_base,
        layers,
        object_truth(scene, time_s, seen, fraction),
        np.array([scene.objects[i].box(time_s) for i in tracked]).reshape(-1, 7),
        best[tracked],
        occupancy,
        observed,
        exposures,
    )


@lru_cache(maxsize=2)
def _observing_rays(cameras: tuple[Camera, ...], grid: GridSpec) -> CameraRays:
    """Rays of a rig in voxel units, kept while frames of that rig follow each other.

    Every pixel row counts: at grazing angles neighbouring rows meet the ground metres apart. Columns don't.
    """
    size = np.asarray(grid.voxel_size)
    origins, directions = [], []
    for camera in cameras:
        rays = (sight_rays(camera) @ camera.base_from_camera[:3, :3].T.astype(np.float32)) / size.astype(np.float32)
        origins.append((camera.position - grid.origin) / size)
        directions.append(rays / np.sqrt((rays**2).sum(axis=1, keepdims=True)))
    return CameraRays(
        np.array(origins, np.float32),
        np.concatenate(directions),
        np.repeat(np.arange(len(cameras), dtype=np.int32), [len(rays) for rays in directions]),
        tuple(camera.name for camera in cameras),
    )
