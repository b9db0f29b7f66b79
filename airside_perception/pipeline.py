"""The one room that knows all stages: a rig frame in, a scene estimate out."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from airside_perception.classes import FREE
from airside_perception.config import Config
from airside_perception.errors import AirsideError
from airside_perception.explain.reasons import explain_tracks
from airside_perception.geometry.rig import Rig
from airside_perception.inference.engine import load_engine
from airside_perception.occupancy.detector import OccupancyNetworkRunner, is_blank
from airside_perception.occupancy.visibility import VisibilityTracker
from airside_perception.prior import ObjectPrior
from airside_perception.records import (
    NEVER_SEEN,
    Detection3D,
    GridSpec,
    NetworkOutput,
    ObjectEstimate,
    OccupancyGrid,
    RigFrame,
    SceneEstimate,
    Track,
)
from airside_perception.refine.box_estimate import box_only
from airside_perception.refine.cell_votes import CameraVotes, votes_of_frame
from airside_perception.refine.expected_visibility import SceneVisibility, expected_visibility
from airside_perception.refine.priors import NETWORK_SPREAD, OUTSIDE_SPREAD, scaled_spreads
from airside_perception.refine.refiner import Refiner
from airside_perception.resources import find_file
from airside_perception.tracking import Tracker

_log = logging.getLogger(__name__)

DETECTION_SOURCES = ("network", "external", "none")


def grid_spec(config: Config) -> GridSpec:
    """The voxel grid of a configuration."""
    grid = config.grid
    return GridSpec(grid.origin, grid.voxel_size, grid.shape)


class Pipeline:
    """All stages for one vehicle. Make it with `from_config`; call `step` for every frame, in time order.

    Attributes:
        config: the configuration.
        spec: the voxel grid.
        prior: the object prior, or None when neither refinement nor overlays need it.
        counts: what went wrong so far, by name; shown in diagnostics.
    """

    def __init__(
        self,
        config: Config,
        network: OccupancyNetworkRunner | None,
        prior: ObjectPrior | None,
        detections: Mapping[int, tuple[Detection3D, ...]] | None = None,
        detector: str = "network",
    ):
        if detector not in DETECTION_SOURCES:
            raise AirsideError(f"detector: expected one of {', '.join(DETECTION_SOURCES)}, got '{detector}'")
        self.config, self.prior = config, prior
        self.spec = grid_spec(config)
        self._network, self._external, self._detector = network, detections or {}, detector
        external = detector == "external"
        self._spreads = scaled_spreads(OUTSIDE_SPREAD, config.refine.outside_error) if external else NETWORK_SPREAD
        self._refiner = Refiner(config.refine, prior, self._spreads) if prior is not None else None
        self._visibility = VisibilityTracker(self.spec)
        self._tracker = Tracker(config.tracking)
        self.counts: dict[str, int] = {
            "network_failures": 0,
            "refine_failures": 0,
            "frames_without_images": 0,
            "blank_images": 0,
        }

    @staticmethod
    def from_config(
        config: Config,
        rig: Rig | None = None,
        detections: Mapping[int, tuple[Detection3D, ...]] | None = None,
        detector: str | None = None,
    ) -> Pipeline:
        """Load engine and prior and connect the stages.

        Args:
            config: the configuration.
            rig: cameras that will come; lets calibration tables be computed now. None: at the first frame.
            detections: stamp -> detections from elsewhere (odom), instead of the network's.
            detector: "network", "external" or "none"; None: external where `detections` is given.

        Raises:
            AirsideError: engine or prior missing, of the wrong shape, or made for another grid.
        """
        source = detector or ("external" if detections is not None else "network")
        network = None
        if config.network.enabled:
            engine = load_engine(
                find_file(config.network.engine, "network.engine", config.network.engine_sha256),
                config.network.runtime,
                threads=config.network.threads,
                precision=config.network.precision,
                cache_dir=config.network.cache_dir or None,
                max_cameras=config.network.max_cameras,
            )
            network = OccupancyNetworkRunner(
                engine,
                grid_spec(config),
                score_threshold=config.network.score_threshold,
                occupancy_threshold=config.network.occupancy_threshold or None,
            )
        elif source == "network":
            source = "none"
        prior = None
        if config.refine.prior:
            prior = ObjectPrior.load(find_file(config.refine.prior, "refine.prior", config.refine.prior_sha256))
        pipeline = Pipeline(config, network, prior, detections, source)
        pipeline.warm_up()
        return pipeline

    def warm_up(self) -> None:
        """Do now what the first frame, or the first overlay that somebody watches, would otherwise pay for."""
        importlib.import_module("airside_perception.explain.overlay")
        if self._refiner is not None:
            self._refiner.warm_up()

    def device_report(self) -> dict[str, str]:
        """What computes: engine, runtime, device of the refiner."""
        report = {"refiner": "off" if self._refiner is None or not self.config.refine.enabled else "cpu"}
        if self._network is not None:
            report["engine"] = self._network.engine.runtime
        return report

    def reset(self) -> None:
        """Forget tracks and what was seen, as after a jump in time."""
        self._tracker.reset()
        self._visibility.reset()
        if self._network is not None:
            self._network.reset()
        if self._refiner is not None:
            self._refiner.reset()

    def reconfigure(self, config: Config) -> None:
        """Take over the options that may change while running, between two frames; tracks stay."""
        self.config = config
        self._tracker.config = config.tracking
        if self._refiner is not None:
            self._refiner.config = config.refine
        if self._network is not None:
            self._network.set_thresholds(config.network.score_threshold, config.network.occupancy_threshold or None)

    def step(self, frame: RigFrame) -> SceneEstimate:
        """Process one frame.

        Args:
            frame: images, odometry; cameras may be missing.

        Returns:
            Everything that the package says about the frame. A stage that fails is counted in
            `counts`, logged, and the rest goes on without it.
        """
        timing: dict[str, float] = {}
        if not frame.images:
            self.counts["frames_without_images"] += 1
        with _timed(timing, "frame"):
            with _timed(timing, "network"):
                network = self._perceive(frame)
            detections = self._detections(frame, network)
            with _timed(timing, "visibility"):
                occupancy = self._occupancy(self._without_blank_images(frame), network)
            with _timed(timing, "predict"):
                predictions = self._tracker.predict(frame.stamp_ns)
            with _timed(timing, "refine"):
                votes = self._cell_votes(frame, network)
                estimates = self._refine(frame, detections, predictions, network, votes)
            with _timed(timing, "expected_visibility"):
                seen = self._expected_visibility(frame, predictions, estimates, votes)
            with _timed(timing, "tracking"):
                tracks = tuple(self._tracker.update(estimates, frame.stamp_ns, seen.part))
            explanations = explain_tracks(tracks, estimates, seen.part, seen.hidden_by)
        return SceneEstimate(
            stamp_ns=frame.stamp_ns,
            frame=frame,
            detections=detections,
            estimates=estimates,
            tracks=tracks,
            occupancy=occupancy,
            explanations=explanations,
            image_semantics=network.image_semantics if network is not None else {},
            timing_ms=timing,
            tentative=tuple(self._tracker.tentative()),
        )

    def _without_blank_images(self, frame: RigFrame) -> RigFrame:
        """The frame without covered, saturated or dead cameras: nothing is free because of what they don't see."""
        blank = [name for name, image in frame.images.items() if is_blank(image.image)]
        if not blank:
            return frame
        self.counts["blank_images"] += len(blank)
        shown = {name: image for name, image in frame.images.items() if name not in blank}
        return replace(frame, images=shown, missing=(*frame.missing, *blank))

    def _perceive(self, frame: RigFrame) -> NetworkOutput | None:
        if self._network is None or not frame.images:
            return None
        try:
            return self._network.run(frame)
        except (RuntimeError, MemoryError, ValueError) as error:
            self.counts["network_failures"] += 1
            _log.error("network failed on frame %d: %s", frame.stamp_ns, error)
            return None

    def _detections(self, frame: RigFrame, network: NetworkOutput | None) -> tuple[Detection3D, ...]:
        if self._detector == "external":
            return tuple(self._external.get(frame.stamp_ns, ()))
        if self._detector == "none" or network is None:
            return ()
        return network.detections[: self.config.network.max_detections]

    def _occupancy(self, frame: RigFrame, network: NetworkOutput | None) -> OccupancyGrid | None:
        if network is None:
            return None
        seen = self._visibility.update(frame, network.class_id != FREE)
        if network.unsure is not None:
            # Neither occupied nor surely free: planners must treat it as a place that nobody looked at.
            seen[network.unsure] = NEVER_SEEN
        return OccupancyGrid(self.spec, network.class_id, network.probability, seen)

    def _cell_votes(self, frame: RigFrame, network: NetworkOutput | None) -> CameraVotes:
        """What image cells tell of objects; of refinement and of what hides what."""
        if self._refiner is None or network is None:
            return {}
        try:
            return votes_of_frame(frame, network)
        except (RuntimeError, MemoryError, ValueError) as error:
            self.counts["refine_failures"] += 1
            _log.error("votes of image cells failed on frame %d: %s", frame.stamp_ns, error)
            return {}

    def _refine(
        self,
        frame: RigFrame,
        detections: tuple[Detection3D, ...],
        predictions: list[Track],
        network: NetworkOutput | None,
        votes: CameraVotes,
    ) -> tuple[ObjectEstimate, ...]:
        if self._refiner is not None and self.config.refine.enabled:
            try:
                return self._refiner.refine(frame, detections, predictions, network, votes)
            except (RuntimeError, MemoryError, ValueError, np.linalg.LinAlgError) as error:
                self.counts["refine_failures"] += 1
                _log.error("refinement failed on frame %d: %s", frame.stamp_ns, error)
        return tuple(box_only(d, frame, ("detector_only",), self._spreads) for d in detections)

    def _expected_visibility(
        self,
        frame: RigFrame,
        predictions: list[Track],
        estimates: tuple[ObjectEstimate, ...],
        votes: CameraVotes,
    ) -> SceneVisibility:
        """Of the tracks that no estimate was started from: the others are plainly seen."""
        if self._refiner is None:
            return SceneVisibility({}, {})
        hinted = {e.track_hint for e in estimates}
        if all(t.track_id in hinted for t in predictions):
            return SceneVisibility({}, {})
        return expected_visibility(frame, predictions, self._refiner.shape_library, votes)


@contextmanager
def _timed(timing: dict[str, float], stage: str) -> Iterator[None]:
    """Add the block's wall time, in milliseconds, under `stage`."""
    began = time.perf_counter()
    try:
        yield
    finally:
        timing[stage] = (time.perf_counter() - began) * 1e3
