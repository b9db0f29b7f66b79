"""What the live node published, as the scenes that it stands for: so live output is scored and drawn like any other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from airside_perception.config import Config
from airside_perception.evaluation.sequence_frames import SequenceFrames
from airside_perception.pipeline import grid_spec
from airside_perception.records import (
    NEVER_SEEN,
    SEEN_NOW,
    Explanation,
    GridSpec,
    OccupancyGrid,
    RigFrame,
    SceneEstimate,
    Track,
)

_TRAIL_FRAMES = 25


class LiveRunLike(Protocol):
    """What was heard of the live node; see `ros.live_run.LiveRun`."""

    @property
    def summary(self) -> dict[str, Any]: ...

    @property
    def tracks(self) -> Mapping[int, list[dict[str, Any]]]: ...

    @property
    def voxels(self) -> Mapping[int, np.ndarray]: ...

    @property
    def unobserved(self) -> Mapping[int, np.ndarray]: ...


LiveRunner = Callable[[Path, Path, Config, float], LiveRunLike]
"""Plays (sequence, for the folder out, with a config, at a rate) to the live node and listens."""


def live_scenes(
    sequence: str | Path,
    config: Config,
    tracks: Mapping[int, list[dict[str, Any]]],
    voxels: Mapping[int, np.ndarray],
    unobserved: Mapping[int, np.ndarray],
) -> Iterator[SceneEstimate]:
    """Scenes of the frames that the node answered; images come from the bag that was played to it.

    Args:
        sequence: the recording that was played.
        config: of the node.
        tracks: stamp_ns -> tracks as `explanations_json` writes them.
        voxels: stamp_ns -> structured points with x, y, z, class_id, probability, visibility.
        unobserved: stamp_ns -> structured points with x, y, z.
    """
    spec = grid_spec(config)
    trails: dict[str, list[np.ndarray]] = {}
    with SequenceFrames(sequence, config) as frames:
        for frame in frames:
            if frame.stamp_ns not in tracks:
                continue
            grid = None
            if frame.stamp_ns in voxels:
                grid = grid_from_points(spec, voxels[frame.stamp_ns], unobserved.get(frame.stamp_ns))
            yield _scene(frame, tracks[frame.stamp_ns], grid, trails)


def grid_from_points(spec: GridSpec, voxels: np.ndarray, unobserved: np.ndarray | None) -> OccupancyGrid:
    """Voxels from the two clouds; what is in neither is free and counts as seen now.

    Args:
        spec: the grid that the clouds were made of.
        voxels: (N,) structured, occupied voxels' centres with class_id, probability, visibility.
        unobserved: (M,) structured, centres that no camera ever saw, or None.
    """
    class_id, visibility = np.zeros(spec.shape, np.uint8), np.full(spec.shape, SEEN_NOW, np.uint8)
    probability = np.zeros(spec.shape, np.float32)
    if unobserved is not None:
        visibility[_cells(spec, unobserved)] = NEVER_SEEN
    cells = _cells(spec, voxels)
    class_id[cells] = voxels["class_id"]
    probability[cells] = voxels["probability"]
    visibility[cells] = voxels["visibility"]
    return OccupancyGrid(spec, class_id, probability, visibility)


def _cells(spec: GridSpec, points: np.ndarray) -> tuple[np.ndarray, ...]:
    xyz = np.stack([points["x"], points["y"], points["z"]], axis=-1)
    return tuple(spec.indices(xyz)[0].T)


def _scene(
    frame: RigFrame, entries: list[dict[str, Any]], grid: OccupancyGrid | None, trails: dict[str, list[np.ndarray]]
) -> SceneEstimate:
    tracks = []
    for entry in entries:
        track = _track(entry)
        trail = trails.setdefault(track.track_id, [])
        trail.append(track.box[:3].astype(np.float32))
        tracks.append(replace(track, trail=np.array(trail[-_TRAIL_FRAMES:])))
    explanations = tuple(_explanation(entry, track) for entry, track in zip(entries, tracks, strict=True))
    return SceneEstimate(frame.stamp_ns, frame, (), (), tuple(tracks), grid, explanations)


def _track(entry: Mapping[str, Any]) -> Track:
    return Track(
        track_id=entry["id"],
        class_name=entry["class"],
        box=np.array(entry["box"], np.float64),
        velocity=np.array(entry["velocity"], np.float64),
        covariance=np.zeros((7, 7)),
        score=float(entry["score"]),
        state=entry["state"],
        age_s=float(entry["age_s"]),
        hits=int(entry["hits"]),
        misses=int(entry["misses"]),
        shape_code=_code(entry["shape_code"]),
        texture_code=_code(entry["texture_code"]),
        match_cost=entry["match_cost"],
        rejected_cost=entry["rejected_cost"],
    )


def _explanation(entry: Mapping[str, Any], track: Track) -> Explanation:
    return Explanation(
        track_id=track.track_id,
        class_name=track.class_name,
        loss_before=_number(entry["loss_before"]),
        loss_after=_number(entry["loss_after"]),
        visible_fraction=_number(entry["visible_fraction"]),
        shape_code=track.shape_code,
        texture_code=track.texture_code,
        match_cost=track.match_cost,
        rejected_cost=track.rejected_cost,
        reasons=tuple(entry["reasons"]),
    )


def _code(values: list[float] | None) -> np.ndarray | None:
    return None if values is None else np.array(values, np.float32)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
