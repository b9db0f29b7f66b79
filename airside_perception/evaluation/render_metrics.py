"""How well the rendered tracks explain the images: silhouettes against labels, colours against pixels."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from airside_perception.classes import OBJECT_CLASSES, SEMANTIC_OF_CLASS
from airside_perception.explain.track_render import TrackRender
from airside_perception.records import SceneEstimate


class RenderAccumulator:
    """Silhouette IoU per class and PSNR inside the objects, over all images added.

    Attributes:
        images: number of images added.
    """

    def __init__(self) -> None:
        self.images = 0
        self._both = np.zeros(len(OBJECT_CLASSES), np.int64)
        self._either = np.zeros(len(OBJECT_CLASSES), np.int64)
        self._squared_error = 0.0
        self._values = 0

    def add(
        self, scene: SceneEstimate, render: TrackRender, semantic: np.ndarray, depth: np.ndarray | None, reach: float
    ) -> None:
        """Compare one camera's render with its labels.

        Args:
            scene: what was estimated.
            render: its tracks in one camera.
            semantic: (h, w) uint8 ids of the same view, any size.
            depth: (h, w) metres of the same view, or None; 0 = sky.
            reach: labelled pixels farther away than this do not count, metres.
        """
        size = (render.track.shape[1], render.track.shape[0])
        labels = cv2.resize(semantic, size, interpolation=cv2.INTER_NEAREST)
        counted = np.ones(labels.shape, bool)
        if depth is not None:
            counted = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST) <= reach
        ids = [SEMANTIC_OF_CLASS[track.class_name] for track in scene.tracks]
        drawn = np.append(np.array(ids, np.uint8), np.uint8(0))[render.track]
        for row, name in enumerate(OBJECT_CLASSES):
            ours, theirs = counted & (drawn == SEMANTIC_OF_CLASS[name]), counted & (labels == SEMANTIC_OF_CLASS[name])
            self._both[row] += np.count_nonzero(ours & theirs)
            self._either[row] += np.count_nonzero(ours | theirs)
        agreed = counted & (drawn > 0) & (drawn == labels)
        error = render.color[agreed] - render.image[agreed].astype(np.float32) / 255.0
        self._squared_error += float(np.square(error, dtype=np.float64).sum())
        self._values += error.size
        self.images += 1

    def merge(self, other: RenderAccumulator) -> None:
        """Add the counts of another accumulator."""
        self.images += other.images
        self._both += other._both
        self._either += other._either
        self._squared_error += other._squared_error
        self._values += other._values

    def summary(self) -> dict[str, Any] | None:
        """{"psnr_db", "mask_iou", "per_class", "images"}; None where no image was compared.

        psnr_db looks at pixels that render and label agree on, so it measures colour, not overlap.
        """
        if not self.images:
            return None
        known = {
            name: float(both / either)
            for name, both, either in zip(OBJECT_CLASSES, self._both, self._either, strict=True)
            if either
        }
        psnr = None
        if self._values:
            psnr = -10.0 * math.log10(max(self._squared_error / self._values, 1e-10))
        mean = sum(known.values()) / len(known) if known else None
        return {
            "psnr_db": psnr,
            "mask_iou": mean,
            "per_class": {name: known.get(name) for name in OBJECT_CLASSES},
            "images": self.images,
        }
