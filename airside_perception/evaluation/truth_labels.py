"""The ground truth beside a sequence: boxes of every frame, and label images and voxels where there are some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.evaluation.point_truth import read_point_truth
from airside_perception.evaluation.results_format import read_ground_truth
from airside_perception.geometry.se3 import transform_from_pose_dict
from airside_perception.records import GridSpec


class TruthLabels:
    """Ground truth of one sequence.

    Args:
        folder: `ground_truth` of a sequence.

    Attributes:
        tracks: content of tracks.json.
        poses: (N, 4, 4) odom_from_base of its frames.
        grid: of the voxels, or None where there are none.
        points: tracks of surface points, or None where there are none.

    Raises:
        AirsideError: tracks.json is missing or has a wrong field.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.tracks = read_ground_truth(folder / "tracks.json")
        frames = self.tracks["frames"]
        self._stamps = np.array([frame["stamp_ns"] for frame in frames], np.int64)
        self._tolerance_ns = 0.5e9 / float(self.tracks.get("rate_hz", 10.0))
        self.poses = np.array([transform_from_pose_dict(frame["ego_pose"]) for frame in frames]).reshape(-1, 4, 4)
        self.grid = _read_grid(folder / "occupancy" / "grid.json")
        self.points = read_point_truth(folder / "point_tracks.npz")

    def index_of(self, stamp_ns: int) -> int | None:
        """Index of the frame nearest to a stamp, None if half a period or more away."""
        if not len(self._stamps):
            return None
        nearest = int(np.argmin(np.abs(self._stamps - stamp_ns)))
        return nearest if abs(int(self._stamps[nearest]) - stamp_ns) < self._tolerance_ns else None

    def frame(self, index: int) -> dict[str, Any]:
        """One entry of "frames" in tracks.json."""
        return self.tracks["frames"][index]

    def occupancy(self, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        """(X, Y, Z) uint8 class ids and (X, Y, Z) bool observed, or None where the frame has no voxels."""
        path = self.folder / "occupancy" / f"{index:04d}.npz"
        if not path.is_file():
            return None
        try:
            with np.load(path) as content:
                return content["class_id"], content["observed"].astype(bool)
        except (OSError, KeyError, ValueError) as error:
            raise AirsideError(f"{path}: expected arrays 'class_id' and 'observed' ({error})") from error

    def semantic(self, camera: str, index: int) -> np.ndarray | None:
        """(H, W) uint8 semantic ids of an image, or None."""
        return self._label_image("semantic", camera, index)

    def depth(self, camera: str, index: int) -> np.ndarray | None:
        """(H, W) float32 optical-axis depth in metres, 0 = sky, or None."""
        centimetres = self._label_image("depth", camera, index)
        return None if centimetres is None else centimetres.astype(np.float32) / 100.0

    def _label_image(self, kind: str, camera: str, index: int) -> np.ndarray | None:
        path = self.folder / kind / camera / f"{index:04d}.png"
        return cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None


def _read_grid(path: Path) -> GridSpec | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return GridSpec(tuple(content["origin"]), tuple(content["voxel_size"]), tuple(content["shape"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AirsideError(f"{path}: expected origin, voxel_size and shape ({error})") from error
