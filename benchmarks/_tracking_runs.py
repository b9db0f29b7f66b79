"""Recorded frames with the network's answers, and the ways of tracking that `tracking.py` compares on them."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from _published_schedule import PublishedRefiner
from tqdm import tqdm

from airside_perception.config import Config, load_config
from airside_perception.evaluation.results_format import parse_detection
from airside_perception.evaluation.sequence_frames import SequenceFrames
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.inference.engine import load_engine
from airside_perception.occupancy.detector import OccupancyNetworkRunner
from airside_perception.pipeline import grid_spec
from airside_perception.prior import ObjectPrior
from airside_perception.records import Detection3D, NetworkOutput, ObjectEstimate, RigFrame, Track
from airside_perception.refine import Refiner, ShapeLibrary
from airside_perception.refine.box_estimate import box_only
from airside_perception.refine.cell_votes import votes_of_frame
from airside_perception.refine.class_spread import ClassSpread
from airside_perception.refine.expected_visibility import expected_visibility
from airside_perception.refine.priors import OUTSIDE_SPREAD, scaled_spreads
from airside_perception.resources import file_digest, find_file
from airside_perception.synth.detections import DetectorErrors, simulate_detections
from airside_perception.tracking import Tracker

Spreads = Mapping[str, ClassSpread]

_FROZEN_SHAPE = 1e-3
"""Standard deviation of shape codes that may not move."""


@dataclass(frozen=True)
class Column:
    """One way to track.

    Attributes:
        name: heads the column.
        refiner: "none" (boxes as given), "published" (six Adam steps) or "ours".
        options: dotted configuration names and their values.
        without: parts that are left out: "network boxes", "track", "shape codes", "scene model", "covariance".
    """

    name: str
    refiner: str = "ours"
    options: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class DetectorGrade:
    """How good the simulated detector is.

    Attributes:
        noise: factor on its errors of position, size and heading.
        miss: share of missed objects where nothing makes it hard; None: the generator's own.
    """

    noise: float = 1.0
    miss: float | None = None

    def errors(self) -> DetectorErrors:
        """For the generator."""
        plain = DetectorErrors()
        constant, slope = plain.range_sigma
        return replace(
            plain,
            range_sigma=(self.noise * constant, self.noise * slope),
            ground_sigma=self.noise * plain.ground_sigma,
            size_sigma=self.noise * plain.size_sigma,
            yaw_sigma_deg={name: self.noise * sigma for name, sigma in plain.yaw_sigma_deg.items()},
            miss_rate=plain.miss_rate if self.miss is None else self.miss,
        )


@dataclass
class Run:
    """What came of one sequence with one seed of detections.

    Attributes:
        frames: (stamp_ns, tracks) of every frame.
        estimates: the measurements of every frame.
        refine_s: CPU time of refinement, warm (the first frame is left out): other load leaves it as it is.
        refined: number of objects refined in that time.
    """

    frames: list[tuple[int, tuple[Track, ...]]] = field(default_factory=list)
    estimates: list[tuple[ObjectEstimate, ...]] = field(default_factory=list)
    refine_s: float = 0.0
    refined: int = 0


def record(folder: Path, work: Path) -> Path:
    """The file of a sequence's frames with the network's answers; from an earlier run if there is one."""
    config = load_config(None, {"network.threads": "1"})
    engine_path = find_file(config.network.engine, "network.engine")
    kept = work / "recorded" / f"{folder.name}_{file_digest(engine_path)[:12]}.pickle"
    if kept.is_file():
        return kept
    engine = load_engine(engine_path, config.network.runtime, threads=1)
    runner = OccupancyNetworkRunner(engine, grid_spec(config), config.network.score_threshold)
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    with SequenceFrames(folder, config) as frames, part.open("wb") as file:
        for frame in tqdm(frames, total=frames.expected_frames, desc=f"network {folder.name}", unit="frame"):
            pickle.dump((frame, runner.run(frame)), file)
    part.rename(kept)
    return kept


def recorded(path: Path) -> Iterator[tuple[RigFrame, NetworkOutput]]:
    """Frames and answers in time order."""
    with path.open("rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except EOFError:
                return


class Follower:
    """Tracks one sequence in one way; the stages are those of `Pipeline.step`.

    Args:
        column: the way.
        config: with the column's options.
        prior: the object prior.
        library: its typical shapes, shared by all ways.
        detections: stamp_ns -> detections.
    """

    def __init__(
        self,
        column: Column,
        config: Config,
        prior: ObjectPrior,
        library: ShapeLibrary,
        detections: Mapping[int, tuple[Detection3D, ...]],
    ) -> None:
        self._column, self._library, self._detections = column, library, detections
        self._spreads = scaled_spreads(OUTSIDE_SPREAD, config.refine.outside_error)
        self._tracker = Tracker(config.tracking)
        self._refiner = _refiner(column, config, prior, library, self._spreads)
        self.run = Run()

    def step(self, frame: RigFrame, network: NetworkOutput) -> None:
        """Take in one frame."""
        detections = self._detections.get(frame.stamp_ns, ())
        predictions = self._tracker.predict(frame.stamp_ns)
        began = time.process_time()
        votes = votes_of_frame(frame, network) if self._refiner is not None else {}
        if self._refiner is None:
            estimates = tuple(box_only(d, frame, ("detector_only",), self._spreads) for d in detections)
        else:
            known = [] if "track" in self._column.without else predictions
            estimates = self._refiner.refine(frame, detections, known, network, votes)
        if self.run.frames:
            self.run.refine_s += time.process_time() - began
            self.run.refined += sum(estimate.refined for estimate in estimates)
        visible = {}
        if self._refiner is not None and "scene model" not in self._column.without:
            visible = expected_visibility(frame, predictions, self._library, votes).part
        if "covariance" in self._column.without:
            estimates = tuple(self._with_constant_covariance(each, frame) for each in estimates)
        tracks = tuple(self._tracker.update(estimates, frame.stamp_ns, visible))
        self.run.frames.append((frame.stamp_ns, tracks))
        self.run.estimates.append(estimates)

    def _with_constant_covariance(self, estimate: ObjectEstimate, frame: RigFrame) -> ObjectEstimate:
        """What class and distance alone suggest."""
        box = estimate.box
        plain = Detection3D(estimate.class_name, box[:3], box[3:6], float(box[6]), estimate.score)
        return replace(estimate, covariance=box_only(plain, frame, (), self._spreads).covariance)


def _refiner(column: Column, config: Config, prior: ObjectPrior, library: ShapeLibrary, spreads: Spreads) -> Any:
    if column.refiner == "none":
        return None
    if column.refiner == "published":
        return PublishedRefiner(config.refine, library, spreads)
    if "network boxes" in column.without:
        spreads = {name: replace(spread, network=None) for name, spread in spreads.items()}
    if "shape codes" in column.without:
        spreads = {name: replace(spread, shape=_FROZEN_SHAPE) for name, spread in spreads.items()}
    refiner = Refiner(config.refine, prior, spreads)
    refiner.shape_library = library
    return refiner


def simulated(folder: Path, grade: DetectorGrade, seed: int) -> dict[int, tuple[Detection3D, ...]]:
    """The detections of a sequence by a simulated detector."""
    labels = TruthLabels(folder / "ground_truth")
    entries = simulate_detections(labels.tracks["frames"], seed, grade.errors())
    return {int(stamp): tuple(parse_detection(each) for each in found) for stamp, found in entries.items()}


def follow(
    folder: Path, frames: Path, columns: list[Column], seeds: list[int], grade: DetectorGrade, prior: ObjectPrior
) -> dict[tuple[str, int], Run]:
    """Track one sequence in all ways, each with the same detections of every seed.

    Returns:
        (column, seed) -> what came of it.
    """
    library = ShapeLibrary(prior)
    detections = {seed: simulated(folder, grade, seed) for seed in seeds}
    followers = {}
    for column in columns:
        config = load_config(None, dict(column.options))
        for seed in seeds:
            followers[column.name, seed] = Follower(column, config, prior, library, detections[seed])
    for frame, network in tqdm(recorded(frames), desc=folder.name, unit="frame"):
        for follower in followers.values():
            follower.step(frame, network)
    return {key: follower.run for key, follower in followers.items()}
