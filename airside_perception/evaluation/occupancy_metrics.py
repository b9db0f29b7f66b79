"""Semantic occupancy against ground truth: mIoU on voxels that cameras see, and RayIoU.

The mask protocol matters: mIoU counts only voxels that the ground truth marks as seen by a camera;
RayIoU looks along rays at everything, seen or not, so it also punishes thick walls and clutter in
unseen space.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from airside_perception.classes import FREE, SEMANTIC_NAMES
from airside_perception.evaluation.ray_casting import evaluation_directions, first_hits
from airside_perception.geometry.se3 import invert_transform, transform_points
from airside_perception.records import GridSpec

_CLASSES = len(SEMANTIC_NAMES)

RAY_TOLERANCES = (1.0, 2.0, 4.0)
"""Depth errors, metres, below which a ray of the right class is right."""

SENSOR_HEIGHT = 1.84
"""Height of the ray origins above base_link, metres: where nuScenes has its lidar."""

ORIGIN_REACH, MOST_ORIGINS = 39.0, 8


class ConfusionAccumulator:
    """One confusion matrix over all frames.

    Attributes:
        matrix: (7, 7) int64, rows ground truth, columns prediction, in the order of SEMANTIC_NAMES.
    """

    def __init__(self) -> None:
        self.matrix = np.zeros((_CLASSES, _CLASSES), np.int64)

    def add(self, predicted: np.ndarray, truth: np.ndarray, seen: np.ndarray) -> None:
        """Count one frame.

        Args:
            predicted, truth: (X, Y, Z) uint8 semantic ids, 0 = free.
            seen: (X, Y, Z) bool, voxels that count.

        Raises:
            ValueError: shapes disagree or an id is unknown.
        """
        if not predicted.shape == truth.shape == seen.shape:
            raise ValueError(f"expected grids of one shape, got {predicted.shape}, {truth.shape} and {seen.shape}")
        _check_ids(predicted, truth)
        pairs = truth[seen].astype(np.int64) * _CLASSES + predicted[seen]
        self.matrix += np.bincount(pairs, minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)

    def merge(self, other: ConfusionAccumulator) -> None:
        """Add the counts of another accumulator."""
        self.matrix += other.matrix

    def iou(self) -> np.ndarray:
        """(7,) intersection over union per class, NaN for classes that the ground truth does not have."""
        hits, truth, predicted = np.diag(self.matrix), self.matrix.sum(axis=1), self.matrix.sum(axis=0)
        union = truth + predicted - hits
        return np.where(truth > 0, hits / np.maximum(union, 1), np.nan)

    def miou(self) -> float | None:
        """Mean over the classes of the ground truth without "free"; None if it has none."""
        return _mean(np.delete(self.iou(), FREE))

    def geometric_iou(self) -> float | None:
        """Occupied against free, whatever the class; None if nothing is occupied in the ground truth."""
        both = self.matrix[1:, 1:].sum()
        truth, predicted = self.matrix[1:].sum(), self.matrix[:, 1:].sum()
        return float(both / (truth + predicted - both)) if truth else None

    def summary(self) -> dict[str, Any]:
        """{"miou", "geometric_iou", "voxels", "per_class": {name: fraction or None}}."""
        return {
            "miou": self.miou(),
            "geometric_iou": self.geometric_iou(),
            "voxels": int(self.matrix.sum()),
            "per_class": _by_name(self.iou()),
        }


class RayIouAccumulator:
    """RayIoU over all frames: what a lidar at the vehicle's places would measure in both grids.

    A ray counts if it meets something in the ground truth. It is right if the first occupied voxel
    of the prediction has the same class and the depths differ by less than the tolerance.
    """

    def __init__(self) -> None:
        self._directions = evaluation_directions()
        self._truth = np.zeros(_CLASSES, np.int64)
        self._predicted = np.zeros(_CLASSES, np.int64)
        self._hits = np.zeros((len(RAY_TOLERANCES), _CLASSES), np.int64)

    def add(self, predicted: np.ndarray, truth: np.ndarray, spec: GridSpec, origins: np.ndarray) -> None:
        """Cast all rays of one frame.

        Args:
            predicted, truth: (X, Y, Z) uint8 semantic ids, 0 = free.
            spec: geometry of both grids.
            origins: (N, 3) ray origins in the grid's frame, see `ray_origins`.

        Raises:
            ValueError: shapes disagree or an id is unknown.
        """
        if predicted.shape != tuple(spec.shape) or truth.shape != tuple(spec.shape):
            raise ValueError(f"expected grids of shape {tuple(spec.shape)}, got {predicted.shape} and {truth.shape}")
        _check_ids(predicted, truth)
        grids = np.stack([predicted, truth]).astype(np.uint8)
        for origin in np.asarray(origins, np.float64).reshape(-1, 3):
            starts = np.broadcast_to(origin, self._directions.shape)
            (label, true_label), (depth, true_depth) = first_hits(grids, spec, starts, self._directions)
            counted = true_label != FREE
            label, true_label = label[counted], true_label[counted]
            error = np.abs(depth[counted] - true_depth[counted])
            self._truth += np.bincount(true_label, minlength=_CLASSES)
            self._predicted += np.bincount(label, minlength=_CLASSES)
            for row, tolerance in enumerate(RAY_TOLERANCES):
                right = (label == true_label) & (error < tolerance)
                self._hits[row] += np.bincount(true_label[right], minlength=_CLASSES)

    def merge(self, other: RayIouAccumulator) -> None:
        """Add the counts of another accumulator."""
        self._truth += other._truth
        self._predicted += other._predicted
        self._hits += other._hits

    def iou(self) -> np.ndarray:
        """(3, 7) per tolerance and class, NaN for classes that no counted ray meets in the ground truth."""
        union = self._truth + self._predicted - self._hits
        return np.where(self._truth > 0, self._hits / np.maximum(union, 1), np.nan)

    def ray_iou(self) -> float | None:
        """Mean over classes, then over tolerances; None without a counted ray."""
        return _mean(np.array([_nan(_mean(row)) for row in self.iou()[:, 1:]]))

    def summary(self) -> dict[str, Any]:
        """{"ray_iou", "ray_iou_1m", "ray_iou_2m", "ray_iou_4m", "rays", "ray_iou_per_class": {...}}."""
        iou = self.iou()
        result: dict[str, Any] = {"ray_iou": self.ray_iou()}
        result.update({f"ray_iou_{t:g}m": _mean(row[1:]) for t, row in zip(RAY_TOLERANCES, iou, strict=True)})
        result["rays"] = int(self._truth.sum())
        result["ray_iou_per_class"] = _by_name(iou.mean(axis=0))
        return result


def ray_origins(fixed_from_base: np.ndarray, frame: int, height: float = SENSOR_HEIGHT) -> np.ndarray:
    """Where rays start for one frame of a sequence: at the vehicle's places, as far as the grid reaches.

    Args:
        fixed_from_base: (N, 4, 4) poses of the vehicle over the sequence.
        frame: index of the frame whose grid is scored.
        height: of the origins above base_link, metres.

    Returns:
        (M, 3) metres in base_link of `frame`, M <= 8, evenly drawn where there are more.
    """
    poses = invert_transform(fixed_from_base[frame]) @ np.asarray(fixed_from_base, np.float64)
    origins = np.stack([transform_points(pose, np.array([0.0, 0.0, height])) for pose in poses])
    origins = origins[np.all(np.abs(origins[:, :2]) < ORIGIN_REACH, axis=1)]
    if len(origins) > MOST_ORIGINS:
        origins = origins[np.round(np.linspace(0, len(origins) - 1, MOST_ORIGINS)).astype(int)]
    return origins


def _check_ids(*grids: np.ndarray) -> None:
    highest = max(int(grid.max(initial=0)) for grid in grids)
    if highest >= _CLASSES:
        raise ValueError(f"expected semantic ids 0..{_CLASSES - 1}, got {highest}")


def _mean(values: np.ndarray) -> float | None:
    """Mean of the values that are not NaN; None if there are none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _by_name(values: np.ndarray) -> dict[str, float | None]:
    """Figures per class without "free"; None where unknown."""
    return {
        name: float(value) if np.isfinite(value) else None
        for name, value in zip(SEMANTIC_NAMES, values, strict=True)
        if name != SEMANTIC_NAMES[FREE]
    }
