"""From detections to measured objects: start shapes, solve, judge, and fit the look."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from airside_perception.config import RefineConfig
from airside_perception.geometry.se3 import wrap_angle
from airside_perception.prior import ObjectPrior
from airside_perception.records import Detection3D, NetworkOutput, ObjectEstimate, RigFrame, Track
from airside_perception.refine.appearance import Look, fit_look
from airside_perception.refine.box_estimate import box_only
from airside_perception.refine.cell_votes import CameraVotes, votes_of_frame
from airside_perception.refine.detector_quality import DetectorQuality
from airside_perception.refine.expected_visibility import OCCLUDED_BELOW
from airside_perception.refine.gauss_newton import Solution, solve
from airside_perception.refine.heading_belief import frame_beliefs, front_odds, with_tracks
from airside_perception.refine.image_votes import gather_votes
from airside_perception.refine.network_boxes import match_network_boxes, with_velocities
from airside_perception.refine.occlusion import explain_overlaps
from airside_perception.refine.ownership import Ownership
from airside_perception.refine.photometric import ColorResiduals
from airside_perception.refine.priors import NETWORK_SPREAD, ClassSpread, pose_prior, scaled_spreads
from airside_perception.refine.residuals import SilhouetteBatch
from airside_perception.refine.shape_library import LinearShape, ShapeLibrary
from airside_perception.refine.starts import Start, choose_starts, make_start, match_predictions, start_poses
from airside_perception.refine.surface_residuals import SurfaceResiduals
from airside_perception.refine.views import View, find_views

UNLIKE_ABOVE = 0.3
"""Mean silhouette residual after refinement above which no shape of the prior fits."""

FLAT_BELOW = 0.03
"""Standard deviation of an object's grey values (0..1) below which its surface shows nothing to hold on to."""

BLINDED_ABOVE = 0.3
"""Share of an object's pixels in black or white above which shadow or glare hides its surface."""


class Refiner:
    """Refines all detections of a frame in one batch.

    Args:
        config: options.
        prior: the object prior; its typical shapes are decoded at the first frame that needs them.
        spreads: errors of the detections that will come, by class.

    Attributes:
        config: options; may be replaced between two frames.
        spreads: the errors as the frames so far suggest them.
        quality: what they suggest of a detector from elsewhere.
    """

    def __init__(
        self, config: RefineConfig, prior: ObjectPrior, spreads: Mapping[str, ClassSpread] = NETWORK_SPREAD
    ) -> None:
        self.config, self._expected = config, spreads
        self.spreads = spreads
        self._brought = any(spread.network is not None for spread in spreads.values())
        self.quality = DetectorQuality()
        self.shape_library = ShapeLibrary(prior)
        # Many small products per step: threads that spin for each other cost ten times what they save.
        torch.set_num_threads(config.threads)

    def warm_up(self) -> None:
        """Decode all typical shapes now instead of in the first frame."""
        for name in self.shape_library.class_names:
            self.shape_library.shapes(name)

    def reset(self) -> None:
        """Forget what earlier frames said of the detector."""
        self.quality.reset()
        self.spreads = self._expected

    @torch.no_grad()
    def refine(
        self,
        frame: RigFrame,
        detections: tuple[Detection3D, ...],
        predictions: list[Track],
        network: NetworkOutput | None,
        votes: CameraVotes | None = None,
    ) -> tuple[ObjectEstimate, ...]:
        """Measure every detection.

        Args:
            frame: images, cameras, vehicle pose.
            detections: what to refine, odom.
            predictions: tracks predicted to the frame's stamp; they start objects and lend their shape.
            network: gives the silhouettes to match; None: boxes stay as detected.
            votes: of cell_votes.votes_of_frame, where the caller has them already.

        Returns:
            One estimate per detection, same order. Objects that can't be refined (no view, too far,
            beyond the object limit, class unknown to the prior) keep the detector's box, with a reason.
        """
        if not detections:
            return ()
        budget_s = self.config.budget_ms / 1000
        deadline_s = time.perf_counter() + budget_s if budget_s > 0 else None
        eligible = self._eligible(frame, detections)
        warm = match_predictions(detections, predictions)
        estimates: list[ObjectEstimate | None] = [None] * len(detections)
        chosen = [i for i in range(len(detections)) if eligible[i] is None]
        library = self.shape_library
        starts = [make_start(detections[i], warm.get(i), library) for i in chosen]
        if starts and network is not None:
            if not self.config.image_votes:
                votes = {}
            elif votes is None:
                votes = votes_of_frame(frame, network)
            for i, estimate in zip(chosen, self._solve(frame, starts, network, votes, deadline_s), strict=True):
                hidden_by = estimate.occluder
                estimates[i] = replace(estimate, occluder=chosen[hidden_by]) if hidden_by is not None else estimate
        for i, detection in enumerate(detections):
            if estimates[i] is None:
                reason = eligible[i] or "detector_only"
                estimates[i] = box_only(detection, frame, (reason,), self.spreads, warm.get(i))
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

    def _solve(
        self,
        frame: RigFrame,
        starts: list[Start],
        network: NetworkOutput,
        cell_votes: CameraVotes,
        deadline_s: float | None,
    ) -> list[ObjectEstimate]:
        names = [s.detection.class_name for s in starts]
        detected = start_poses(frame, starts, self.config.ground_plane)
        viewpoint = frame.odom_from_base[:3, 3]
        votes = gather_votes(cell_votes, frame.odom_from_base, detected.boxes(), names)
        second = None
        if self._brought:
            second = match_network_boxes(detected.boxes(), names, network.detections, viewpoint)
            self.spreads = self._expected
            if self.config.learn_outside_error:
                boxes = np.stack([s.detection.box for s in starts])
                self.quality.update(frame.stamp_ns, boxes, names, votes, viewpoint, self._expected)
                self.spreads = scaled_spreads(self._expected, self.quality.factor, headings=False)
        prior = pose_prior(detected, names, viewpoint, self.spreads, votes, second)
        seen_headings = frame_beliefs(names, detected.yaw, votes, self.spreads)
        headings = with_tracks(seen_headings, names, [s.track for s in starts])
        boxes = prior.mean.boxes()
        ownership = Ownership(frame, network, cell_votes, boxes, names)
        views = find_views(
            frame, boxes, names, network, self.config.crop_size, self.config.cameras_per_object, ownership
        )  # fmt: skip
        seen = {v.object_index for v in views}
        prior, shapes, ambiguous = choose_starts(starts, prior, headings, views, self.shape_library)
        solution: Solution | None = None
        visible, occluder, look = np.zeros(0), np.zeros(0, int), None
        if views:
            batch = SilhouetteBatch(views, shapes)
            poses = replace(prior.mean, shape=detected.shape)
            visible, occluder = np.ones(len(views)), np.full(len(views), -1)
            if self.config.occlusion:
                visible, occluder = explain_overlaps(frame, batch, poses, shapes, names)
            # What is left of a half hidden outline is cut where its occluder is thought to be: trust it less.
            batch.scale(np.clip(visible, 0.1, 1.0) ** 2)
            self._compare_inside(batch, starts)
            solution = solve(batch, poses, prior, self.config.iterations, self.config.damping, deadline_s)
            look = fit_look(batch, solution.poses, len(starts))
        estimates = [
            replace(
                self._estimate(i, start, shapes[i], solution, views, visible, occluder, look, bool(ambiguous[i])),
                heading_odds=front_odds(seen_headings[i], solution.poses.yaw[i]),
            )
            if i in seen and solution is not None and look is not None
            else box_only(start.detection, frame, ("detector_only",), self.spreads, start.track)
            for i, start in enumerate(starts)
        ]
        return estimates if second is None else with_velocities(estimates, second, self.spreads)

    def _compare_inside(self, batch: SilhouetteBatch, starts: list[Start]) -> None:
        """Have the batch compare what lies inside of the outlines, as far as the options ask for it."""
        views, shapes = batch.views, batch.shapes
        if self.config.color_weight > 0:
            colors = ColorResiduals(views, shapes, _known_textures(starts, shapes))
            batch.compare_inside(colors, self.config.color_weight)
        if self.config.surface_weight > 0 and all(view.surface is not None for view in views):
            # A view of the surface counts as so many measurements, whatever a pixel of an outline is worth.
            batch.compare_inside(SurfaceResiduals(views, shapes), self.config.surface_weight / batch.information)

    def _estimate(
        self,
        index: int,
        start: Start,
        shape: LinearShape,
        solution: Solution,
        views: list[View],
        visible: np.ndarray,
        occluder: np.ndarray,
        look: Look,
        ambiguous: bool,
    ) -> ObjectEstimate:
        box = solution.poses.boxes()[index]
        box[6] = wrap_angle(box[6])
        own = [c for c, view in enumerate(views) if view.object_index == index]
        best = max(own, key=lambda c: visible[c])
        tests = {
            "truncated": any(views[c].truncated for c in own),
            "occluded": visible[best] < OCCLUDED_BELOW,
            "appearance_unlike_prior": solution.loss_after[index] > UNLIKE_ABOVE,
            "pose_ambiguous": ambiguous,
            "low_texture": look.contrast[index] < FLAT_BELOW,
            "shadow_or_glare": look.blinded[index] > BLINDED_ABOVE,
        }
        detection, spread = start.detection, self.spreads[start.detection.class_name]
        velocity, velocity_std = spread.velocity(detection.velocity, detection.velocity_gap_s)
        code = shape.shape_code + solution.poses.shape[index] @ shape.directions
        return ObjectEstimate(
            class_name=detection.class_name,
            box=box,
            covariance=_box_covariance(solution.covariance[index], box, spread.doubt),
            score=detection.score,
            velocity=velocity,
            velocity_std=velocity_std,
            shape_code=code.astype(np.float32),
            texture_code=(shape.texture_code + look.texture[index]).astype(np.float32),
            refined=True,
            loss_before=float(solution.loss_before[index]),
            loss_after=float(solution.loss_after[index]),
            visible_fraction=float(visible[best]),
            cameras=tuple(views[c].camera_name for c in own),
            occluder=int(occluder[best]) if tests["occluded"] and occluder[best] >= 0 else None,
            reasons=tuple(name for name, holds in tests.items() if holds),
            track_hint=start.track.track_id if start.track is not None else None,
        )


def _known_textures(starts: list[Start], shapes: list[LinearShape]) -> np.ndarray:
    """(N, T) offsets of texture codes: what the tracks know, else the typical look."""
    offsets = np.zeros((len(starts), len(shapes[0].texture_code)), np.float32)
    for index, (start, shape) in enumerate(zip(starts, shapes, strict=True)):
        if start.track is not None and start.track.texture_code is not None:
            offsets[index] = start.track.texture_code - shape.texture_code
    return offsets


def _box_covariance(covariance: np.ndarray, box: np.ndarray, doubt: tuple[float, float, float]) -> np.ndarray:
    """Solver covariance (x, y, yaw, log sizes, ...) -> (7, 7) of the box state, widened by `ClassSpread.doubt`."""
    position, size, heading = doubt
    slope = np.zeros((7, covariance.shape[0]))
    slope[0, 0] = slope[1, 1] = position
    slope[6, 2] = heading
    slope[2, 5] = size * box[5] / 2
    for row, column in ((3, 3), (4, 4), (5, 5)):
        slope[row, column] = size * box[row]
    result = slope @ covariance @ slope.T
    result[2, 2] += 0.05**2  # the apron is not perfectly flat
    return (result + result.T) / 2
