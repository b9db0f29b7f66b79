"""Point tracks of the ground truth (`point_tracks.npz`), as videos to score."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.errors import AirsideError
from airside_perception.evaluation.point_tracking import SIDE, PointVideo

_NO_IMAGE, _VISIBLE = 0, 3
"""Values of `state`; the writer's are in synth.point_tracks, which this file must not need: recordings of real
vehicles may bring point tracks of their own."""


@dataclass(frozen=True)
class PointTruth:
    """All videos of one sequence.

    Attributes:
        videos: camera name -> its points.
    """

    videos: dict[str, PointVideo]


def read_point_truth(path: Path) -> PointTruth | None:
    """Read point tracks; None where the file is missing.

    Raises:
        AirsideError: it can't be read, or lacks an array.
    """
    if not path.is_file():
        return None
    names = ("cameras", "image_size", "pixels", "state", "class_name")
    try:
        with np.load(path, allow_pickle=False) as content:
            cameras, size, pixels, state, classes = (content[name] for name in names)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise AirsideError(f"{path}: expected the arrays {', '.join(names)}, cannot read them ({error})") from error
    if pixels.shape != (*state.shape, 2) or state.ndim != 3 or state.shape[:2] != (len(cameras), len(classes)):
        raise AirsideError(
            f"{path}: expected pixels (cameras, points, frames, 2) and state (cameras, points, frames) of "
            f"{len(cameras)} cameras and {len(classes)} points, got {pixels.shape} and {state.shape}"
        )
    on_object = np.isin(classes, OBJECT_CLASSES)
    return PointTruth(
        {str(name): _video(pixels[which], state[which], size[which], on_object) for which, name in enumerate(cameras)}
    )


def _video(pixels: np.ndarray, state: np.ndarray, size: np.ndarray, on_object: np.ndarray) -> PointVideo:
    visible = state == _VISIBLE
    shows = visible.any(axis=1)
    visible, query = visible[shows], np.argmax(visible[shows], axis=1)
    after = np.arange(state.shape[1]) > query[:, None]
    # Pixel centres of recordings sit at whole numbers, those of the benchmark at halves.
    scaled = (pixels[shows].astype(np.float64) + 0.5) * (SIDE / size)
    return PointVideo(query, scaled, visible, after & (state[shows] != _NO_IMAGE), on_object[shows])
