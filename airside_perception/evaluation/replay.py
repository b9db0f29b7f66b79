"""`airside eval`: run the pipeline over recordings, write results, score them, report."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from airside_perception import __version__
from airside_perception.config import Config
from airside_perception.errors import AirsideError
from airside_perception.evaluation.report import ReportSample, SequenceReport, write_report
from airside_perception.evaluation.results_format import write_json
from airside_perception.evaluation.sequence_frames import SequenceFrames
from airside_perception.evaluation.sequence_scores import SequenceScores, finite, summarize
from airside_perception.evaluation.stamped_detections import StampedDetections, detections_for
from airside_perception.evaluation.track_history import TrackHistory
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.explain.reasons import explanations_json
from airside_perception.pipeline import Pipeline
from airside_perception.prior import ObjectPrior
from airside_perception.records import OccupancyGrid, SceneEstimate

_log = logging.getLogger(__name__)

SceneObserver = Callable[[SceneEstimate, "dict[str, Any] | None", "ObjectPrior | None"], None]
"""Called with every scene, its frame of ground truth or None, and the prior."""

SAMPLE_FRAMES = 3
"""Frames per sequence of which the report shows pictures."""


def run_evaluation(
    sequences: Iterable[str | Path],
    out: str | Path,
    config: Config,
    detections: str | Path | None = None,
    detector: str = "network",
    refine: bool = True,
    save_occupancy: bool = False,
    max_range: float = 50.0,
    nuscenes: bool = False,
    progress: bool = True,
    overlays: int = SAMPLE_FRAMES,
    observer: SceneObserver | None = None,
) -> dict[str, Any]:
    """Replay sequences through the pipeline, write results, and score them where there is ground truth.

    Args:
        sequences: sequence folders, rosbag2 directories or bag files.
        out: folder for results.json, summary.json, explanations.jsonl, report/ and (wanted) occupancy/; several
            sequences get a folder of their own for all but the summary and the report.
        config: of the pipeline.
        detections: detections from elsewhere: a file, or with several sequences a folder with <name>.json for each.
        detector: "network" or "none"; with `detections` the file's are used.
        refine: False tracks detections as they are.
        save_occupancy: write the voxels of every frame.
        max_range: metres; what is farther away is not scored.
        nuscenes: results.json in nuScenes' field order.
        progress: show a bar for each sequence.
        overlays: frames per sequence that the report pictures.
        observer: sees every scene.

    Returns:
        The content of summary.json.

    Raises:
        AirsideError: bad sequence, detections, weights, or `out` cannot be written; or no frame came of a sequence.
    """
    paths = [Path(path) for path in sequences]
    if not paths:
        raise AirsideError("eval: expected at least one sequence, got none")
    if not refine:
        config = replace(config, refine=replace(config.refine, enabled=False))
    out = _made_folder(Path(out))
    with ExitStack() as stack:
        # Everything is opened before the first frame: a wrong path should not show after an hour.
        opened = [stack.enter_context(SequenceFrames(path, config)) for path in paths]
        names = _unique([frames.name for frames in opened])
        external = detections_for(Path(detections), names) if detections is not None else {}
        truths = [TruthLabels(f.ground_truth_path) if f.ground_truth_path else None for f in opened]
        runs = []
        for name, frames, truth in zip(names, opened, truths, strict=True):
            folder = out if len(names) == 1 else _made_folder(out / name)
            pipeline = Pipeline.from_config(
                config, frames.rig, external.get(name), "none" if detector == "none" and not external else None
            )
            run = _SequenceRun(name, frames, pipeline, SequenceScores(name, truth, max_range), folder)
            run.replay(save_occupancy, progress, overlays, observer)
            run.check(external.get(name))
            run.write(nuscenes)
            runs.append(run)
    summary = _summary(runs, max_range, config, detections, detector)
    write_json(out / "summary.json", summary)
    write_report(out / "report", summary, [run.report() for run in runs])
    return summary


class _SequenceRun:
    """One sequence on its way through the pipeline."""

    def __init__(self, name: str, frames: SequenceFrames, pipeline: Pipeline, scores: SequenceScores, folder: Path):
        self.name, self.frames, self.pipeline = name, frames, pipeline
        self.scores, self.folder = scores, folder
        self.history = TrackHistory()
        self.samples: list[ReportSample] = []
        self.pipeline_notes: dict[str, dict[str, Any]] = {}

    def replay(self, save_occupancy: bool, progress: bool, overlays: int, observer: SceneObserver | None) -> None:
        """Step through all frames."""
        expected = self.frames.expected_frames
        pictured = set(np.linspace(0, expected, overlays + 2).astype(int)[1:-1].tolist())
        lines = (self.folder / "explanations.jsonl").open("w", encoding="utf-8")
        bar = tqdm(total=expected or None, desc=f"eval {self.name}", unit="frame", disable=not progress)
        with lines, bar:
            for number, frame in enumerate(self.frames):
                if self.frames.jumped:
                    self.pipeline.reset()
                scene = self.pipeline.step(frame)
                truth = self.scores.truth_of(scene)
                self.scores.add(scene, self.pipeline.prior, self.frames.decode_ms)
                self.history.add(scene)
                lines.write(explanations_json(scene) + "\n")
                if save_occupancy and scene.occupancy is not None:
                    self._save_occupancy(scene.stamp_ns, scene.occupancy)
                if number in pictured:
                    self.samples.append(
                        ReportSample.draw(scene, self.pipeline.prior, self.pipeline.config.explain, truth)
                    )
                if observer is not None:
                    observer(scene, truth, self.pipeline.prior)
                bar.update()
        self.pipeline_notes = {"pipeline": dict(self.pipeline.counts), "device": dict(self.pipeline.device_report())}
        # Models are large, and the next sequence loads its own.
        del self.pipeline

    def check(self, external: StampedDetections | None) -> None:
        """Raise AirsideError where nothing could come out."""
        counts = self.frames.counts()
        if not self.scores.frames:
            raise AirsideError(
                f"sequence {self.name}: no frame could be made of it ({counts['frames_without_odometry']} without "
                "odometry at their stamp); images and odometry must overlap in time"
            )
        if external is not None and len(external) and not external.found:
            first, theirs = self.scores.frames[0][0], next(iter(external))
            raise AirsideError(
                f"--detections: none of its {len(external)} stamps is one of sequence {self.name} "
                f"(frames begin at {first}, detections at {theirs})"
            )
        if self.scores.truth is None:
            _log.warning("sequence %s has no ground truth: results are written, nothing is scored", self.name)

    def meta(self) -> dict[str, Any]:
        """What was run on what, and what was skipped."""
        return {
            "sequence": self.name,
            "generator": f"airside_perception {__version__}",
            "frame_id": "odom",
            "cameras": list(self.frames.rig.names),
            "ground_truth": self.scores.truth is not None,
            "input": self.frames.counts(),
            **self.pipeline_notes,
            "notes": list(self.scores.notes),
        }

    def write(self, nuscenes: bool) -> None:
        """Write results.json."""
        write_json(self.folder / "results.json", self.scores.results(finite(self.meta()), nuscenes))

    def report(self) -> SequenceReport:
        """What the report shows of this sequence."""
        return SequenceReport(self.name, self.meta(), self.scores, self.history, self.samples)

    def _save_occupancy(self, stamp_ns: int, grid: OccupancyGrid) -> None:
        folder = _made_folder(self.folder / "occupancy")
        spec = grid.spec
        if not (folder / "grid.json").exists():
            content = {
                "origin": spec.origin,
                "voxel_size": spec.voxel_size,
                "shape": spec.shape,
                "frame": spec.frame_id,
            }
            (folder / "grid.json").write_text(json.dumps(content), encoding="utf-8")
        np.savez_compressed(
            folder / f"{stamp_ns}.npz",
            class_id=grid.class_id.astype(np.uint8),
            probability=grid.probability.astype(np.float32),
            visibility=grid.visibility.astype(np.uint8),
        )


def _summary(
    runs: list[_SequenceRun], max_range: float, config: Config, detections: str | Path | None, detector: str
) -> dict[str, Any]:
    summary = summarize([run.scores for run in runs], max_range)
    if len(runs) > 1:
        summary["sequences"] = {run.name: summarize([run.scores], max_range) for run in runs}
    summary["meta"] = finite(
        {
            "detections": "file" if detections is not None else detector if config.network.enabled else "none",
            "refine": config.refine.enabled,
            "max_range_m": max_range,
            "sequences": [run.meta() for run in runs],
        }
    )
    return summary


def _unique(names: list[str]) -> list[str]:
    """Names that repeat get a number, so that each has a folder of its own."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result


def _made_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AirsideError(f"--out {path}: cannot be written ({error.strerror}); choose another folder") from error
    return path
