"""Everything that is measured while a sequence is replayed, and the summary that comes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airside_perception.evaluation.detection_metrics import evaluate_detection_sequences
from airside_perception.evaluation.occupancy_metrics import ConfusionAccumulator, RayIouAccumulator, ray_origins
from airside_perception.evaluation.render_metrics import RenderAccumulator
from airside_perception.evaluation.results_format import make_results
from airside_perception.evaluation.stage_times import StageTimes
from airside_perception.evaluation.surface_prediction import SurfacePrediction, summarize_predictions
from airside_perception.evaluation.tracking_metrics import evaluate_sequences
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.explain.track_render import render_tracks
from airside_perception.prior import ObjectPrior
from airside_perception.records import Detection3D, SceneEstimate, Track

RAY_EVERY = 5
"""RayIoU is computed on every so many labelled frames: it costs about as much as the network."""

RENDER_WIDTH = 320
"""Width of the images on which silhouettes are compared."""


class SequenceScores:
    """Measurements of one sequence.

    Args:
        name: of the sequence.
        truth: its ground truth, or None: then only times are measured.
        max_range: metres, objects and pixels beyond are not scored.

    Attributes:
        frames: (stamp_ns, tracks) of every frame.
        detections: stamp_ns -> detections.
        times: per stage.
        notes: why a part could not be scored.
    """

    def __init__(self, name: str, truth: TruthLabels | None, max_range: float):
        self.name, self.truth, self.max_range = name, truth, max_range
        self.frames: list[tuple[int, tuple[Track, ...]]] = []
        self.detections: dict[int, tuple[Detection3D, ...]] = {}
        self.times = StageTimes()
        self.notes: list[str] = []
        self.confusion, self.rays, self.render = ConfusionAccumulator(), RayIouAccumulator(), RenderAccumulator()
        self.points = SurfacePrediction(truth.points) if truth is not None and truth.points is not None else None
        self.labelled_frames = 0
        self.ray_frames = 0

    def add(self, scene: SceneEstimate, prior: ObjectPrior | None, decode_ms: float = 0.0) -> None:
        """Measure one frame."""
        self.frames.append((scene.stamp_ns, _with_all_reasons(scene)))
        self.detections[scene.stamp_ns] = scene.detections
        refined = sum(estimate.refined for estimate in scene.estimates)
        self.times.add({**scene.timing_ms, "read_and_decode": decode_ms}, refined)
        index = self.truth.index_of(scene.stamp_ns) if self.truth is not None else None
        if index is not None:
            self._score_occupancy(scene, index)
            self._score_render(scene, index, prior)
            if self.points is not None:
                self.points.add(scene, index, prior)

    def truth_of(self, scene: SceneEstimate) -> dict[str, Any] | None:
        """The scene's entry of tracks.json, or None."""
        index = self.truth.index_of(scene.stamp_ns) if self.truth is not None else None
        return self.truth.frame(index) if self.truth is not None and index is not None else None

    def _score_occupancy(self, scene: SceneEstimate, index: int) -> None:
        assert self.truth is not None
        labels = self.truth.occupancy(index) if scene.occupancy is not None else None
        if labels is None or scene.occupancy is None:
            return
        if self.truth.grid is not None and self.truth.grid != scene.occupancy.spec:
            self._note(f"{self.name}: occupancy not scored, its grid {self.truth.grid} is not the configured one")
            return
        class_id, observed = labels
        self.confusion.add(scene.occupancy.class_id, class_id, observed)
        if self.labelled_frames % RAY_EVERY == 0:
            origins = ray_origins(self.truth.poses, index)
            self.rays.add(scene.occupancy.class_id, class_id, scene.occupancy.spec, origins)
            self.ray_frames += 1
        self.labelled_frames += 1

    def _score_render(self, scene: SceneEstimate, index: int, prior: ObjectPrior | None) -> None:
        """One camera per frame: of those with labels, one after the other."""
        assert self.truth is not None
        if prior is None or not scene.frame.images:
            return
        names = sorted(scene.frame.images)
        first = self.render.images % len(names)
        for camera in [*names[first:], *names[:first]]:
            semantic = self.truth.semantic(camera, index)
            if semantic is not None:
                render = render_tracks(scene, camera, prior, RENDER_WIDTH)
                self.render.add(scene, render, semantic, self.truth.depth(camera, index), self.max_range)
                break

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def results(self, meta: Mapping[str, Any], nuscenes: bool = False) -> dict[str, Any]:
        """Content of results.json."""
        return make_results(self.frames, meta, nuscenes)


def _with_all_reasons(scene: SceneEstimate) -> tuple[Track, ...]:
    """Tracks with the reason codes of all stages, not only the tracker's."""
    codes = {explanation.track_id: explanation.reasons for explanation in scene.explanations}
    return tuple(replace(track, reasons=codes.get(track.track_id, track.reasons)) for track in scene.tracks)


def summarize(parts: Sequence[SequenceScores], max_range: float) -> dict[str, Any]:
    """The figures of summary.json over one or several sequences; what could not be scored is None."""
    times, confusion, rays, render = StageTimes(), ConfusionAccumulator(), RayIouAccumulator(), RenderAccumulator()
    for part in parts:
        times.merge(part.times)
        confusion.merge(part.confusion)
        rays.merge(part.rays)
        render.merge(part.render)
    scored = [part for part in parts if part.truth is not None]
    pairs = [(part.results({}), part.truth.tracks) for part in scored if part.truth is not None]
    summary = {
        "frames": sum(len(part.frames) for part in parts),
        "tracking": evaluate_sequences(pairs, max_range) if pairs else None,
        "detection": _detection(scored, max_range),
        "occupancy": _occupancy(confusion, rays, sum(part.ray_frames for part in parts)),
        "render": render.summary(),
        "point_tracking": summarize_predictions([part.points for part in parts if part.points is not None]),
        "timing_ms": times.percentiles(),
        "objects_per_second": times.objects_per_second(),
    }
    return finite(summary)


def _detection(parts: Sequence[SequenceScores], max_range: float) -> dict[str, Any] | None:
    """Average precision over all sequences; None where nothing was detected or nothing is known."""
    pairs = [(part.detections, part.truth.tracks) for part in parts if part.truth is not None]
    if not any(any(detections.values()) for detections, _ in pairs):
        return None
    return evaluate_detection_sequences(pairs, max_range)


def _occupancy(confusion: ConfusionAccumulator, rays: RayIouAccumulator, ray_frames: int) -> dict[str, Any] | None:
    if not confusion.matrix.any():
        return None
    return {
        **confusion.summary(),
        **rays.summary(),
        "mask": "voxels that the ground truth marks as observed by a camera; free is not a class of the mean",
        "ray_iou_frames": ray_frames,
    }


def finite(value: Any) -> Any:
    """`value` with NaN and infinity as None, as JSON wants it."""
    if isinstance(value, Mapping):
        return {str(name): finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def main_figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The few figures that a person wants first, by a readable name; None where they could not be scored."""
    part = {
        name: summary.get(name) or {} for name in ("tracking", "occupancy", "render", "point_tracking", "timing_ms")
    }
    return {
        "frames": summary.get("frames"),
        "AMOTA": part["tracking"].get("amota"),
        "recall": part["tracking"].get("recall"),
        "ID switches": part["tracking"].get("id_switches"),
        "translation RMSE (m)": part["tracking"].get("translation_rmse_m"),
        "yaw RMSE (deg)": part["tracking"].get("yaw_rmse_deg"),
        "camera-visible mIoU": part["occupancy"].get("miou"),
        "RayIoU": part["occupancy"].get("ray_iou"),
        "silhouette IoU": part["render"].get("mask_iou"),
        "points, average Jaccard": part["point_tracking"].get("average_jaccard"),
        "frame p50 (ms)": part["timing_ms"].get("frame", {}).get("p50"),
        "frame p95 (ms)": part["timing_ms"].get("frame", {}).get("p95"),
        "objects refined per second": summary.get("objects_per_second"),
    }
