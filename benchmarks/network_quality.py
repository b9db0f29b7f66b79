"""What the network's voxels, images and probabilities are worth on labelled frames, before any tracking.

python benchmarks/network_quality.py out/val_1 out/val_2 --engine engines/occupancy.onnx --json

With --fit, a calibration of the voxels and the threshold below which they are called free are fitted on the same
frames (give validation sequences, never test ones); --write puts them into the metadata of the ONNX file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _machine import describe_machine, machine_line

from airside_perception.classes import FREE
from airside_perception.config import Config
from airside_perception.errors import AirsideError
from airside_perception.evaluation.detection_metrics import evaluate_detection_sequences
from airside_perception.evaluation.occupancy_metrics import ConfusionAccumulator, RayIouAccumulator, ray_origins
from airside_perception.evaluation.rendered_voxels import RenderedVoxels
from airside_perception.evaluation.sequence_frames import SequenceFrames
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.inference.engine import load_engine
from airside_perception.occupancy.calibration import Calibration, Reliability
from airside_perception.occupancy.detector import OccupancyNetworkRunner
from airside_perception.occupancy.visibility import VisibilityTracker
from airside_perception.records import NEVER_SEEN, Detection3D
from airside_perception.resources import find_file
from airside_perception.training.occupancy_validation import FREE_MARGIN, FREE_SHARE

LEAST_SCORE = 0.05
"""Average precision ranks all detections: those that a node drops for their low score count here."""

NEAR = 25.0
"""Metres within which recall is told, too."""


class Scores:
    """Sums over labelled frames of one engine; detections within `max_range` metres."""

    def __init__(self, max_range: float) -> None:
        self.max_range = max_range
        self.voxels, self.rays, self.images = ConfusionAccumulator(), RayIouAccumulator(), ConfusionAccumulator()
        self.rendered = RenderedVoxels()
        self.observed, self.published = Reliability(), Reliability()
        self.counts = {"free": 0, "free_but_occupied": 0, "unsure": 0, "seen": 0, "frames": 0}
        self.detections: list[tuple[dict[int, tuple[Detection3D, ...]], Any]] = []

    def add_sequence(self, path: Path, runner: OccupancyNetworkRunner) -> None:
        """All frames of a sequence that have voxel labels; frames after the last of them are not read.

        A network with a memory sees the frames between them, too.
        """
        runner.reset()
        with SequenceFrames(path, Config()) as frames:
            if frames.ground_truth_path is None:
                raise AirsideError(f"{path}: expected ground truth, found none")
            truth = TruthLabels(frames.ground_truth_path)
            labelled = {int(each.stem) for each in (frames.ground_truth_path / "occupancy").glob("*.npz")}
            detections: dict[int, tuple[Detection3D, ...]] = {}
            for frame in frames:
                index = truth.index_of(frame.stamp_ns)
                if index is not None and index in labelled:
                    self._add_frame(frame, index, truth, runner, detections)
                elif runner.spec.previous_volume and frame.images:
                    runner.run(frame)
                if index is not None and index >= max(labelled, default=-1):
                    break
        kept = [entry for entry in truth.tracks["frames"] if entry["stamp_ns"] in detections]
        self.detections.append((detections, {**truth.tracks, "frames": kept}))

    def _add_frame(self, frame, index, truth, runner, detections) -> None:
        labels = truth.occupancy(index)
        if labels is None or not frame.images:
            return
        class_id, observed = labels
        output = runner.run(frame)
        detections[int(truth.frame(index)["stamp_ns"])] = output.detections
        self.voxels.add(output.class_id, class_id, observed)
        self.rays.add(output.class_id, class_id, runner.spec.grid, ray_origins(truth.poses, index))
        self.observed.add(output.probability[observed], (class_id != FREE)[observed])
        seen = VisibilityTracker(runner.spec.grid).update(frame, output.class_id != FREE) != NEVER_SEEN
        unsure = np.zeros_like(seen) if output.unsure is None else output.unsure
        candidates = seen & (output.class_id == FREE)
        self.published.add(output.probability[candidates], (class_id != FREE)[candidates])
        free = candidates & ~unsure
        self.counts["free"] += int(free.sum())
        self.counts["free_but_occupied"] += int((free & (class_id != FREE)).sum())
        self.counts["unsure"] += int((candidates & unsure).sum())
        self.counts["seen"] += int(seen.sum())
        self.counts["frames"] += 1
        for name, image in frame.images.items():
            semantic, depth = truth.semantic(name, index), truth.depth(name, index)
            if semantic is not None and depth is not None:
                self.rendered.add(output.class_id, runner.spec.grid, image.camera, depth, semantic)
                maps = output.image_semantics[name]
                rows = ((np.arange(maps.shape[1]) + 0.5) * semantic.shape[0] / maps.shape[1]).astype(int)
                columns = ((np.arange(maps.shape[2]) + 0.5) * semantic.shape[1] / maps.shape[2]).astype(int)
                label = semantic[rows][:, columns]
                self.images.add(maps.argmax(axis=0).astype(np.uint8), label, np.ones(label.shape, bool))

    def summary(self) -> dict[str, Any]:
        detection = evaluate_detection_sequences(self.detections, self.max_range)
        near = evaluate_detection_sequences(self.detections, NEAR)["per_class"]
        return {
            "frames": self.counts["frames"],
            **self.voxels.summary(),
            **self.rays.summary(),
            "image_miou": float(np.nanmean(self.images.iou())),
            "rendered": self.rendered.summary(),
            "map": detection["map"],
            "recall_2m": {name: each["recall_2m"] for name, each in detection["per_class"].items()},
            "recall_2m_within_25_m": {name: each["recall_2m"] for name, each in near.items()},
            "ap_by_distance": {
                name: {key: value for key, value in each.items() if key.startswith("ap_")}
                for name, each in detection["per_class"].items()
            },
            "calibration_error": self.observed.expected_error(),
            "calibration_error_above_5_percent": self.observed.expected_error(least=0.05),
            "free_but_occupied": self.counts["free_but_occupied"] / max(self.counts["free"], 1),
            "unsure_of_seen": self.counts["unsure"] / max(self.counts["seen"], 1),
        }


def fit(scores: Scores, threshold: float) -> dict[str, Any]:
    """Calibration on observed voxels; then the free threshold on what would be published."""
    calibration = scores.observed.fit()
    free = scores.published.threshold_for_share(FREE_SHARE / FREE_MARGIN, calibration)
    occupied = float(calibration.apply(np.array([threshold]))[0])
    return {
        "metadata": {
            **calibration.to_metadata("voxel"),
            "occupancy_threshold": f"{occupied:.4f}",
            "free_threshold": f"{min(free, occupied):.4f}",
        },
        "calibration_error": scores.observed.expected_error(calibration),
        "calibration_error_above_5_percent": scores.observed.expected_error(calibration, least=0.05),
    }


def write_metadata(path: Path, entries: dict[str, str]) -> None:
    """Put entries into an ONNX file's metadata; its tensors stay as they are."""
    import onnx

    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {p.key: p.value for p in model.metadata_props} | entries)
    onnx.save(model, str(path))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequences", type=Path, nargs="+", help="sequences with ground truth")
    parser.add_argument("--engine", nargs="+", default=["engines/occupancy.onnx"], help="ONNX networks, one or several")
    parser.add_argument(
        "--max-range", type=float, default=40.0, help="of detections, metres (default: 40, as far as the grid reaches)"
    )
    parser.add_argument("--threads", type=int, default=0, help="of the runtime; 0: its own choice")
    parser.add_argument("--fit", action="store_true", help="fit calibration and free threshold on these sequences")
    parser.add_argument("--write", action="store_true", help="with --fit: write them into the ONNX file")
    parser.add_argument("--json", action="store_true", help="print one JSON object per engine")
    arguments = parser.parse_args()
    machine = describe_machine()
    try:
        for name in arguments.engine:
            path = find_file(name, "--engine")
            engine = load_engine(path, "onnxruntime", threads=arguments.threads)
            if arguments.fit and Calibration.of_metadata(engine.metadata, "voxel") != Calibration():
                raise AirsideError(f"{name}: is calibrated already; export it again before fitting")
            runner = OccupancyNetworkRunner(engine, score_threshold=LEAST_SCORE)
            scores = Scores(arguments.max_range)
            for sequence in arguments.sequences:
                scores.add_sequence(sequence, runner)
            report = {"engine": str(name), **scores.summary()}
            if arguments.fit:
                report["fit"] = fit(scores, runner.occupancy_threshold)
                if arguments.write:
                    write_metadata(Path(path), report["fit"]["metadata"])
            print(json.dumps(report) if arguments.json else json.dumps(report, indent=2), flush=True)
    except AirsideError as error:
        print(f"network_quality: error: {error}", file=sys.stderr)
        return 2
    if not arguments.json:
        print(f"\n{machine_line(machine)}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
