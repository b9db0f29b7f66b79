"""How each object begins: which track it continues, its start pose, its heading and its typical shape."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from airside_perception.geometry.boxes import ground_distance
from airside_perception.geometry.se3 import wrap_angle
from airside_perception.records import Detection3D, RigFrame, Track
from airside_perception.refine.gauss_newton import REFERENCE_BLUR_PX
from airside_perception.refine.heading_belief import GRID, peaks
from airside_perception.refine.priors import PosePrior
from airside_perception.refine.residuals import Poses, SilhouetteBatch
from airside_perception.refine.shape_library import LinearShape, ShapeLibrary
from airside_perception.refine.views import View

START_SHAPES = 3
"""Typical shapes that a new object tries."""

HEADING_DEPTH = 3.0
"""Nats below the best at which a new object still tries a heading: all of them where little is known."""

HEADING_STEP = np.pi / 4
"""Between tried headings, beside the peaks of the belief."""

RIVAL_ANGLE, RIVAL_DEPTH = np.pi / 4, 1.0
"""A heading farther away than this angle and less than so many nats worse makes the pose ambiguous."""

WARM_GATE = {"aircraft": 6.0, "gse": 2.5, "person": 1.2}
"""Metres between a detection and the prediction that starts it."""


@dataclass
class Start:
    """How one object begins: detection, shape and what a track contributes."""

    detection: Detection3D
    shape_index: int
    shape_offset: np.ndarray
    log_size: np.ndarray
    track: Track | None


def make_start(detection: Detection3D, track: Track | None, library: ShapeLibrary) -> Start:
    """Start of one detection; a track lends its shape.

    Not its size: the tracker joins the sizes of all frames, and one that had been measured with its own belief would
    confirm that belief. On `val` sequences sizes came out worse with it.
    """
    offset, shape_index = np.zeros(library.shape_parameters), -1
    if track is not None and track.shape_code is not None:
        shape_index = library.nearest(detection.class_name, track.shape_code)
        offset = library.shape(detection.class_name, shape_index).offset_of(track.shape_code, 2.0)
    return Start(detection, shape_index, offset, np.log(detection.size), track)


def start_poses(frame: RigFrame, starts: list[Start], on_ground: bool = True) -> Poses:
    """Detections as solver states: they stand on the vehicle's ground plane, or (not `on_ground`) where boxes end."""
    ground = np.array([s.detection.center for s in starts], float)
    ground[:, 2] -= [s.detection.size[2] / 2 for s in starts]
    if on_ground:
        ground[:, 2] = frame.odom_from_base[2, 3]
    return Poses(
        ground,
        np.array([s.detection.yaw for s in starts], float),
        np.stack([s.log_size for s in starts]),
        np.stack([s.shape_offset for s in starts]),
    )


def match_predictions(detections: tuple[Detection3D, ...], predictions: list[Track]) -> dict[int, Track]:
    """Nearest predicted track of the same class for each detection, one to one, nearest pairs first."""
    if not predictions:
        return {}
    a = np.stack([d.box for d in detections])
    b = np.stack([t.box for t in predictions])
    distance = ground_distance(a, b)
    matches: dict[int, Track] = {}
    used: set[int] = set()
    for flat in np.argsort(distance, axis=None, kind="stable"):
        i, j = divmod(int(flat), len(predictions))
        name = detections[i].class_name
        if not distance[i, j] <= WARM_GATE[name]:
            continue
        if i in matches or j in used or predictions[j].class_name != name:
            continue
        matches[i] = predictions[j]
        used.add(j)
    return matches


@dataclass(frozen=True)
class _Trial:
    """One way in which an object could begin."""

    owner: int
    shape: LinearShape
    yaw: float
    yaw_std: float
    log_belief: float


def choose_starts(
    starts: list[Start], prior: PosePrior, beliefs: np.ndarray, views: list[View], library: ShapeLibrary
) -> tuple[PosePrior, list[LinearShape], np.ndarray]:
    """Decide heading and typical shape of every object.

    Objects that a track vouches for keep its shape and take the best heading of their belief. New ones try a
    few shapes at a few headings and take the pair that pixels and belief together like best.

    Args:
        starts: N objects.
        prior: their Gaussian belief; trials are rendered at its mean.
        beliefs: (N, BINS) log-beliefs of the headings.
        views: crops of the objects.
        library: typical shapes.

    Returns:
        The prior with the chosen headings and their standard deviations, N shapes, and (N,) bool, True where quite
        another heading is hardly less likely.
    """
    trials = []
    for index, start in enumerate(starts):
        name, tracked = start.detection.class_name, start.shape_index >= 0
        candidates = [start.shape_index] if tracked else library.by_size(name, np.exp(start.log_size), START_SHAPES)
        found = peaks(beliefs[index], HEADING_DEPTH, 1 if tracked else 4)
        for yaw, log_belief, std in found if tracked else _with_steps_between(beliefs[index], found):
            for candidate in candidates:
                trials.append(_Trial(index, library.shape(name, candidate), yaw, std, log_belief))
    cost = _trial_energy(trials, prior, views) - np.array([trial.log_belief for trial in trials])
    best: dict[int, int] = {}
    for position, trial in enumerate(trials):
        # Without a view: the likeliest heading and the shape of the nearest size, which come first.
        if trial.owner not in best or cost[position] < cost[best[trial.owner]] - 1e-9:
            best[trial.owner] = position
    picked = [trials[best[index]] for index in range(len(starts))]
    headings, deviations = np.array([t.yaw for t in picked]), np.array([t.yaw_std for t in picked])
    rival = np.full(len(starts), np.inf)
    for position, trial in enumerate(trials):
        if abs(wrap_angle(trial.yaw - headings[trial.owner])) > RIVAL_ANGLE:
            rival[trial.owner] = min(rival[trial.owner], cost[position] - cost[best[trial.owner]])
    return prior.with_heading(headings, deviations), [trial.shape for trial in picked], rival < RIVAL_DEPTH


def _with_steps_between(
    belief: np.ndarray, found: list[tuple[float, float, float]]
) -> list[tuple[float, float, float]]:
    """The peaks of a belief, and headings between them that are not much less likely."""
    result = list(found)
    for step in np.arange(1, round(2 * np.pi / HEADING_STEP)):
        heading = float(wrap_angle(found[0][0] + step * HEADING_STEP))
        log_belief = float(np.interp(heading, GRID, belief, period=2 * np.pi))
        apart = min(abs(wrap_angle(heading - other)) for other, _, _ in found)
        if log_belief > -HEADING_DEPTH and apart > 0.5 * HEADING_STEP:
            result.append((heading, log_belief, 0.5 * HEADING_STEP))
    return result


def _trial_energy(trials: list[_Trial], prior: PosePrior, views: list[View]) -> np.ndarray:
    """(T,) energy of every trial in its object's best view, in nats; zeros where an object has but one trial."""
    owners = np.array([trial.owner for trial in trials])
    rivals = np.bincount(owners) > 1
    best_view: dict[int, View] = {}
    for view in views:  # each object's best comes first; a second camera hardly ever decides
        best_view.setdefault(view.object_index, view)
    trial_views = [
        replace(best_view[int(owner)], object_index=position)
        for position, owner in enumerate(owners)
        if rivals[owner] and int(owner) in best_view
    ]
    if not trial_views:
        return np.zeros(len(owners))
    mean = prior.mean
    headings = np.array([trial.yaw for trial in trials])
    poses = Poses(mean.ground[owners], headings, mean.log_size[owners], mean.shape[owners])
    batch = SilhouetteBatch(trial_views, [trial.shape for trial in trials])
    blur = REFERENCE_BLUR_PX * batch.size / 64
    terms = batch.evaluate(poses, blur, blur, with_jacobian=False)
    return np.bincount(batch.object_of_view, batch.information * terms.energy, minlength=len(owners))
