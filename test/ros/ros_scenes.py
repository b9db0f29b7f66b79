"""Small real records for the tests of the live node."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np

from airside_perception.classes import AIRCRAFT, GROUND, GSE
from airside_perception.config import Config
from airside_perception.geometry import Camera, Rig, make_transform, pose_from_xyz_yaw
from airside_perception.records import CameraImage, GridSpec, OccupancyGrid, RigFrame, SceneEstimate, Track

STAMP_NS = 1_700_000_000_123_456_789


def make_rig(width: int = 64, height: int = 40) -> Rig:
    """Two cameras, ahead and behind, 2 m up."""
    intrinsics = np.array([[30.0, 0.0, width / 2 - 0.5], [0.0, 30.0, height / 2 - 0.5], [0.0, 0.0, 1.0]])
    ahead = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    behind = np.diag([-1.0, -1.0, 1.0]) @ ahead
    return Rig(
        {
            "front": Camera("front", width, height, intrinsics, make_transform(ahead, [1.0, 0.0, 2.0])),
            "rear": Camera("rear", width, height, intrinsics, make_transform(behind, [-1.0, 0.0, 2.0])),
        },
        "pair",
    )


def make_ring(count: int = 6, width: int = 64, height: int = 40) -> Rig:
    """So many cameras around the vehicle: front, rear, and others between them, as of `make_rig`."""
    pair = make_rig(width, height).cameras
    cameras = dict(pair)
    for index in range(count - 2):
        turn = pose_from_xyz_yaw(0.0, 0.0, 0.0, np.pi * (index + 1) / (count - 1))
        name = f"side_{index + 1}"
        cameras[name] = replace(pair["front"], name=name, base_from_camera=turn @ pair["front"].base_from_camera)
    return Rig(cameras, "ring")


def make_track(track_id: str = "gse-1", **changes: object) -> Track:
    fields: dict = {
        "track_id": track_id,
        "class_name": "gse",
        "box": np.array([10.0, -2.0, 0.9, 4.0, 2.0, 1.8, 0.5]),
        "velocity": np.array([1.5, 2.0]),
        "covariance": np.diag(np.arange(1.0, 8.0)),
        "score": 0.75,
        "state": "confirmed",
        "trail": np.array([[8.0, -4.0, 0.9], [9.0, -3.0, 0.9]], np.float32),
    }
    return Track(**(fields | changes))


def make_occupancy() -> OccupancyGrid:
    """4 x 3 x 3 voxels of 1 m from (-2, -1, -0.5): ground below, one aircraft voxel, one column unseen."""
    spec = GridSpec((-2.0, -1.0, -0.5), (1.0, 1.0, 1.0), (4, 3, 3))
    class_id = np.zeros(spec.shape, np.uint8)
    class_id[:, :, 0] = GROUND
    class_id[3, 2, 1] = AIRCRAFT
    class_id[0, 0, 2] = GSE
    visibility = np.full(spec.shape, 2, np.uint8)
    visibility[1, 1, :] = 0
    visibility[2, 0, 1] = 1
    probability = np.where(class_id > 0, 0.9, 0.1).astype(np.float32)
    return OccupancyGrid(spec, class_id, probability, visibility)


def make_frame(rig: Rig, stamp_ns: int = STAMP_NS) -> RigFrame:
    images = {
        name: CameraImage(camera, np.full((camera.height, camera.width, 3), 50, np.uint8), stamp_ns)
        for name, camera in rig.cameras.items()
    }
    return RigFrame(stamp_ns, images, (), np.eye(4))


def make_scene(tracks: tuple[Track, ...] = (), stamp_ns: int = STAMP_NS) -> SceneEstimate:
    frame = make_frame(make_rig(), stamp_ns)
    return SceneEstimate(stamp_ns, frame, (), (), tracks, make_occupancy(), (), timing_ms={"frame": 12.0})


class RepeatingPipeline:
    """Stand-in for the real pipeline: each frame gives the same track, one metre further per second.

    Counts what the node asks of it, so that tests can look, and is slow or fails where they want it.

    Attributes:
        delay_s: how long a step takes.
        failure: the next step raises this.
        go_on: a step does not end while this is cleared.
    """

    prior = None

    def __init__(self, config: Config):
        self.config = config
        self.counts = {"network_failures": 0}
        self.frames: list[RigFrame] = []
        self.resets = 0
        self.delay_s = 0.0
        self.failure: Exception | None = None
        self.go_on = threading.Event()
        self.go_on.set()

    def step(self, frame: RigFrame) -> SceneEstimate:
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        time.sleep(self.delay_s)
        self.go_on.wait()
        self.frames.append(frame)
        ahead = (frame.stamp_ns - STAMP_NS) / 1e9
        track = make_track(box=np.array([10.0 + ahead, -2.0, 0.9, 4.0, 2.0, 1.8, 0.5]))
        return SceneEstimate(
            frame.stamp_ns, frame, (), (), (track,), make_occupancy(), (), timing_ms={"frame": 5.0, "network": 3.0}
        )

    def reset(self) -> None:
        self.resets += 1

    def reconfigure(self, config: Config) -> None:
        self.config = config

    def device_report(self) -> dict[str, str]:
        return {"engine": "stand-in", "device": "cpu"}
