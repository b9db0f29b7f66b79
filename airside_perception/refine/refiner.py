"""From detections to measured objects: start shapes, solve, judge, and fit the look."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from airside_perception.config import RefineConfig
from airside_perception.geometry.boxes import ground_distance
from airside_perception.geometry.se3 import wrap_angle
from airside_perception.prior import ObjectPrior
from airside_perception.records import Detection3D, NetworkOutput, ObjectEstimate, RigFrame, Track
from airside_perception.refine.appearance import fit_texture
from airside_perception.refine.gauss_newton import REFERENCE_BLUR_PX, Solution, solve
from airside_perception.refine.occlusion import explain_overlaps
from airside_perception.refine.priors import SPREAD, pose_prior
from airside_perception.refine.residuals import Poses, SilhouetteBatch
from airside_perception.refine.shape_library import LinearShape, ShapeLibrary
from airside_perception.refine.views import View, find_views

START_SHAPES = 3
"""Typical shapes that a new object tries."""

HEADINGS = {
    "aircraft": [0.0],
    "gse": [k * np.pi / 4 for k in range(8)],
    "person": [0.0],
}
"""Headings, relative to the detector's, that a new object tries."""

FLIP_GAIN = 0.8
"""A start with another heading must lower the energy to this part of the detector's own."""

WARM_GATE = {"aircraft": 6.0, "gse": 2.5, "person": 1.2}
"""Metres between a detection and the prediction that starts it."""


@dataclass
class _Start:
    """How one object begins: pose, shape and what a track contributes."""

    detection: Detection3D
    shape_index: int
    shape_offset: np.ndarray
    log_size: np.ndarray
    log_size_std: np.ndarray
    track: Track | None


class Refiner:
    """Refines all detections of a frame in one batch.

    Args:
        config: options.
        prior: the object prior; its typical shapes are decoded at the first frame that needs them.
    """

    def __init__(self, config: RefineConfig, prior: ObjectPrior):
        self.config = config
        self.shape_library = ShapeLibrary(prior)
        # Many small products per step: threads that spin for each other cost ten times what they save.
        torch.set_num_threads(config.threads)

    def warm_up(self) -> None:
        """Decode all typical shapes now instead of in the first frame."""
        for name in self.shape_library.class_names:
            self.shape_library.shapes(name)

    @torch.no_grad()
    def refine(
        self,
        frame: RigFrame,
        detections: tuple[Detection3D, ...],
        predictions: list[Track],
        network: NetworkOutput | None,
    ) -> tuple[ObjectEstimate, ...]:
        """Measure every detection.

        Args:
            frame: images, cameras, vehicle pose.
            detections: what to refine, odom.
            predictions: tracks predicted to the frame's stamp; they start objects and lend their size and shape.
            network: gives the silhouettes to match; None: boxes stay as detected.

        Returns:
            One estimate per detection, same order. Objects that can't be refined (no view, too far,
            beyond the object limit, class unknown to the prior) keep the detector's box, with a reason.
        """
        if not detections:
            return ()
        eligible = self._eligible(frame, detections)
        warm = _match_predictions(detections, predictions)
        estimates: list[ObjectEstimate | None] = [None] * len(detections)
        chosen = [i for i in range(len(detections)) if eligible[i] is None]
        starts = [self._start(detections[i], warm.get(i)) for i in chosen]
        if starts and network is not None:
            for i, estimate in zip(chosen, self._solve(frame, starts, network), strict=True):
                estimates[i] = estimate
        for i, detection in enumerate(detections):
            if estimates[i] is None:
                reason = eligible[i] or "detector_only"
                estimates[i] = box_only(detection, frame, (reason,), warm.get(i))
        return tuple(e for e in estimates if e is not None)

    def _eligible(self, frame: RigFrame, detections: tuple[Detection3D, ...]) -> list[str | None]:
        """None where a detection can be refined, else the reason code why not."""
        reasons: list[str | None] = []
        position = frame.odom_from_base[:2, 3]
        taken = 0
        for detection in detections:
            reason = None
            values = np.concatenate([detection.center, detection.size, [detection.yaw]])
            if not np.isfinite(values).all() or (detection.size <= 0).any():
                reason = "bad_detection"
            elif detection.class_name not in self.shape_library.class_names:
                reason = "no_prior"
            elif np.linalg.norm(detection.center[:2] - position) > self.config.max_range_m:
                reason = "out_of_range"
            elif taken >= self.config.max_objects:
                reason = "over_budget"
            else:
                taken += 1
            reasons.append(reason)
        return reasons

    def _start(self, detection: Detection3D, track: Track | None) -> _Start:
        spread = SPREAD[detection.class_name]
        log_size, std = np.log(detection.size), np.full(3, spread.log_size)
        if track is not None and track.hits >= 3:
            track_size = np.maximum(track.box[3:6], 0.05)
            relative = np.sqrt(np.maximum(np.diag(track.covariance)[3:6], 1e-6)) / track_size
            relative = np.clip(relative, 0.03, 0.3)
            weight = std**2 / (std**2 + relative**2)
            log_size = (1 - weight) * log_size + weight * np.log(track_size)
            std = std * np.sqrt(1 - weight)
        offset = np.zeros(self.shape_library.shape_parameters)
        shape_index = -1
        if track is not None and track.shape_code is not None:
            shape_index = self.shape_library.nearest(detection.class_name, track.shape_code)
            shape = self.shape_library.shapes(detection.class_name)[shape_index]
            offset = shape.offset_of(track.shape_code, 2.0)
        return _Start(detection, shape_index, offset, log_size, np.maximum(std, 0.02), track)

    def _solve(self, frame: RigFrame, starts: list[_Start], network: NetworkOutput) -> list[ObjectEstimate]:
        names = [s.detection.class_name for s in starts]
        poses = _poses(frame, starts)
        views = find_views(
            frame, poses.boxes(), names, network, self.config.crop_size, self.config.cameras_per_object
        )  # fmt: skip
        seen = {v.object_index for v in views}
        poses, shapes = self._choose_starts(frame, starts, poses, views)
        solution: Solution | None = None
        visible, texture, color_error = np.zeros(0), None, np.full(len(starts), np.nan)
        batch = None
        if views:
            batch = SilhouetteBatch(views, shapes)
            visible = explain_overlaps(frame, batch, poses, shapes, names)
            # What is left of a half hidden outline is cut where its occluder is thought to be: trust it less.
            batch.scale(np.clip(visible, 0.1, 1.0) ** 2)
            std = np.stack([s.log_size_std for s in starts])
            prior = pose_prior(_poses(frame, starts), names, frame.odom_from_base[:3, 3], std)
            # The heading that the start search chose is the one that the prior holds to.
            prior = pose_prior(_with_yaw(prior.mean, poses.yaw), names, frame.odom_from_base[:3, 3], std)
            solution = solve(
                batch, poses, prior, self.config.iterations, self.config.damping, self.config.budget_ms / 1000
            )
            texture, color_error = fit_texture(batch, solution.poses, len(starts))
        return [
            self._estimate(frame, i, start, shapes[i], solution, views, visible, texture, color_error)
            if i in seen and solution is not None
            else box_only(start.detection, frame, ("detector_only",), start.track)
            for i, start in enumerate(starts)
        ]

    def _choose_starts(
        self, frame: RigFrame, starts: list[_Start], poses: Poses, views: list[View]
    ) -> tuple[Poses, list[LinearShape]]:
        """Try a few typical shapes, and for vehicles both headings, for objects no track vouches for."""
        owners, shapes, yaws = [], [], []
        for index, start in enumerate(starts):
            name = start.detection.class_name
            if start.shape_index >= 0:
                candidates, flips = [start.shape_index], [0.0]
            else:
                candidates = self.shape_library.by_size(name, np.exp(start.log_size), START_SHAPES)
                flips = HEADINGS[name]
            for flip in flips:
                for candidate in candidates:
                    owners.append(index)
                    shapes.append(self.shape_library.shapes(name)[candidate])
                    yaws.append(wrap_angle(poses.yaw[index] + flip))
        own = np.array(owners)
        trial = Poses(poses.ground[own], np.array(yaws), poses.log_size[own], poses.shape[own])
        energy = self._trial_energy(own, shapes, trial, views)
        # Without a view, the first candidate: the detector's heading and the shape of the nearest size.
        best: dict[int, int] = {}
        for t, owner in enumerate(owners):
            turned = abs(wrap_angle(yaws[t] - poses.yaw[owner])) > 0.3
            cost = energy[t] / FLIP_GAIN if turned else energy[t]
            if owner not in best or cost < energy[best[owner]] - 1e-9:
                best[owner] = t
        picks = [best[i] for i in range(len(starts))]
        return (
            Poses(poses.ground, np.array([yaws[p] for p in picks]), poses.log_size, poses.shape),
            [shapes[p] for p in picks],
        )

    def _trial_energy(
        self, owners: np.ndarray, shapes: list[LinearShape], trial: Poses, views: list[View]
    ) -> np.ndarray:
        """(T,) energy of every trial over its object's views; zeros when nothing is to be decided."""
        if not views or len(owners) == len(set(owners.tolist())):
            return np.zeros(len(owners))
        by_object: dict[int, list[View]] = {}
        for view in views:
            by_object.setdefault(view.object_index, []).append(view)
        trial_views = [
            replace(view, object_index=t) for t, owner in enumerate(owners) for view in by_object.get(int(owner), [])
        ]
        batch = SilhouetteBatch(trial_views, shapes)
        blur = REFERENCE_BLUR_PX * batch.size / 64
        terms = batch.evaluate(trial, blur, blur, with_jacobian=False)
        return np.bincount(batch.object_of_view, terms.energy, minlength=len(owners))

    def _estimate(self, frame, index, start, shape, solution, views, visible, texture, color_error) -> ObjectEstimate:
        box = solution.poses.boxes()[index]
        box[6] = wrap_angle(box[6])
        own = [c for c, view in enumerate(views) if view.object_index == index]
        reasons = []
        if any(views[c].truncated for c in own):
            reasons.append("truncated")
        if max(visible[c] for c in own) < 0.5:
            reasons.append("occluded")
        if solution.loss_after[index] > 0.3:
            reasons.append("appearance_unlike_prior")
        code = shape.shape_code + solution.poses.shape[index] @ shape.directions
        return ObjectEstimate(
            class_name=start.detection.class_name,
            box=box,
            covariance=_box_covariance(solution.covariance[index], box),
            score=start.detection.score,
            velocity=start.detection.velocity,
            shape_code=code.astype(np.float32),
            texture_code=(shape.texture_code + texture[index]).astype(np.float32),
            refined=True,
            loss_before=float(solution.loss_before[index]),
            loss_after=float(solution.loss_after[index]),
            visible_fraction=float(max(visible[c] for c in own)),
            cameras=tuple(views[c].camera_name for c in own),
            reasons=tuple(reasons),
            track_hint=start.track.track_id if start.track is not None else None,
        )


def _poses(frame: RigFrame, starts: list[_Start]) -> Poses:
    """Detections as solver states: the box stands on the vehicle's ground plane."""
    ground_z = frame.odom_from_base[2, 3]
    ground = np.array([[s.detection.center[0], s.detection.center[1], ground_z] for s in starts])
    return Poses(
        ground,
        np.array([s.detection.yaw for s in starts], float),
        np.stack([s.log_size for s in starts]),
        np.stack([s.shape_offset for s in starts]),
    )


def _with_yaw(poses: Poses, yaw: np.ndarray) -> Poses:
    return Poses(poses.ground, yaw, poses.log_size, np.zeros_like(poses.shape))


def _match_predictions(detections: tuple[Detection3D, ...], predictions: list[Track]) -> dict[int, Track]:
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


def _box_covariance(covariance: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Solver covariance (x, y, yaw, log sizes, ...) -> (7, 7) of the box state."""
    slope = np.zeros((7, covariance.shape[0]))
    slope[0, 0] = slope[1, 1] = slope[6, 2] = 1.0
    slope[2, 5] = box[5] / 2
    for row, column in ((3, 3), (4, 4), (5, 5)):
        slope[row, column] = box[row]
    result = slope @ covariance @ slope.T
    result[2, 2] += 0.05**2  # the apron is not perfectly flat
    return (result + result.T) / 2


def box_only(
    detection: Detection3D, frame: RigFrame, reasons: tuple[str, ...], track: Track | None = None
) -> ObjectEstimate:
    """A detection as it came, with the covariance that its class and distance suggest."""
    spread = SPREAD[detection.class_name]
    offset = detection.center[:2] - frame.odom_from_base[:2, 3]
    distance = float(np.linalg.norm(offset))
    radial = spread.radial + spread.radial_per_m * distance
    lateral = spread.lateral + spread.lateral_per_m * distance
    along = offset / max(distance, 1e-6)
    across = np.array([-along[1], along[0]])
    covariance = np.zeros((7, 7))
    covariance[:2, :2] = np.outer(along, along) * radial**2 + np.outer(across, across) * lateral**2
    covariance[2, 2] = 0.2**2
    covariance[range(3, 6), range(3, 6)] = (spread.log_size * np.maximum(detection.size, 0.1)) ** 2
    covariance[6, 6] = spread.yaw**2
    return ObjectEstimate(
        class_name=detection.class_name,
        box=detection.box.astype(np.float64),
        covariance=covariance,
        score=detection.score,
        velocity=detection.velocity,
        reasons=reasons,
        track_hint=track.track_id if track is not None else None,
    )
