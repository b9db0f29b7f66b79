"""What makes a sequence hard: objects that vanish behind others and come back, and near misses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.synth.placement import rectangles_gap
from airside_perception.synth.scene import Scene, SceneObject, Trajectory
from airside_perception.synth.sight import Sight, SightLines

EGO_LENGTH, EGO_WIDTH, EGO_HEIGHT, EGO_AHEAD = 4.0, 2.0, 2.6, 0.7
"""Space of the own vehicle, metres; its middle lies `EGO_AHEAD` before base_link."""
OCCLUSION_S = (1.0, 20.0)
"""How long an occlusion episode lasts."""
NEAR_MISS_M = 2.2
"""A crossing closer than this is a near miss."""
STEP_S = 0.2
_SEEN, _SOON_S = 0.4, 3.0


@dataclass(frozen=True)
class Episode:
    """A stretch of a scene.

    Attributes:
        kind: "occlusion" or "near_miss".
        object_id: the tracked object that vanishes, or that comes near.
        other_id: the object that hides it, or "ego".
        start_s, end_s: first and last moment that it is wholly hidden, or closer than `NEAR_MISS_M`.
        clearance_m: of a near miss, the smallest gap between both footprints; else 0.
    """

    kind: str
    object_id: str
    other_id: str
    start_s: float
    end_s: float
    clearance_m: float = 0.0


def find_episodes(scene: Scene) -> tuple[Episode, ...]:
    """All episodes of a scene in the order of their start.

    Occlusions: the object shows at least 40 % in some image, then no line of sight from any camera reaches it for
    1 to 20 s though its place stays in an image, then it shows again. Near misses: while the own vehicle drives,
    something crosses its course with less than `NEAR_MISS_M` to spare.
    """
    times = np.arange(0.0, scene.duration_s + 1e-9, STEP_S)
    tracked = [thing for thing in scene.objects if thing.asset.class_name in OBJECT_CLASSES]
    found: list[Episode] = []
    if tracked:
        sight = SightLines(scene.objects, scene.ego, scene.rig).look(tracked, times)
        for row, thing in enumerate(tracked):
            found += occlusions(thing, row, sight, times, scene.objects)
    for thing in tracked:
        miss = near_miss(thing, scene.ego, times)
        found += [miss] if miss is not None else []
    return tuple(sorted(found, key=lambda episode: (episode.start_s, episode.object_id)))


def occlusions(
    thing: SceneObject, row: int, sight: Sight, times: np.ndarray, objects: Sequence[SceneObject]
) -> list[Episode]:
    """Occlusion episodes of the object in row `row` of `sight`, seen at even `times` (T,)."""
    step = float(times[1] - times[0]) if len(times) > 1 else STEP_S
    hidden = sight.in_view[row] & (sight.share[row] == 0)
    seen = np.flatnonzero(sight.share[row] >= _SEEN)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], hidden.astype(int), [0]])))
    episodes = []
    for first, end in edges.reshape(-1, 2):
        soon = _SOON_S / step
        before, after = seen[seen < first], seen[seen >= end]
        lasts = (end - 1 - first) * step
        if not (len(before) and len(after) and OCCLUSION_S[0] <= lasts <= OCCLUSION_S[1]):
            continue
        if first - before[-1] > soon or after[0] - end > soon:
            continue
        names, counts = np.unique(sight.blocker[row, first:end], return_counts=True)
        other = objects[int(names[np.argmax(counts)])].object_id
        episodes.append(Episode("occlusion", thing.object_id, other, float(times[first]), float(times[end - 1])))
    return episodes


def near_miss(thing: SceneObject, ego: Trajectory, times: np.ndarray) -> Episode | None:
    """The near miss of an object with the own vehicle, if there is one at `times` (T,)."""
    gaps = ego_gaps(thing.trajectory, (float(thing.asset.size[0]), float(thing.asset.size[1])), ego, times)
    closest = int(np.argmin(gaps))
    mine, its = ego.velocity(times[closest]), thing.trajectory.velocity(times[closest])
    speeds = np.linalg.norm(mine), np.linalg.norm(its)
    if gaps[closest] > NEAR_MISS_M or min(speeds) < 0.4:
        return None
    if abs(mine @ its) > np.cos(np.radians(35)) * speeds[0] * speeds[1]:
        return None  # side by side, or oncoming in its own lane
    close = times[gaps <= NEAR_MISS_M]
    return Episode("near_miss", thing.object_id, "ego", float(close[0]), float(close[-1]), round(float(gaps.min()), 2))


def ego_gaps(path: Trajectory, size: tuple[float, float], ego: Trajectory, times: np.ndarray) -> np.ndarray:
    """(T,) metres between the own vehicle and a footprint of (length, width) on its path."""
    own, other = ego.sample(times), path.sample(times)
    ahead = EGO_AHEAD * np.stack([np.cos(own[:, 2]), np.sin(own[:, 2])], axis=1)
    mine = np.column_stack([own[:, :2] + ahead, np.tile([EGO_LENGTH, EGO_WIDTH], (len(times), 1)), own[:, 2]])
    its = np.column_stack([other[:, :2], np.tile(size, (len(times), 1)), other[:, 2]])
    return rectangles_gap(mine, its)
