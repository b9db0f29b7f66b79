"""Measures, on sequences with ground truth, the errors that the refiner's beliefs rest on.

python -m airside_perception.evaluation.refiner_errors VAL_SEQUENCE ... prints, per class and kind of detections, the
spreads of detections and of image votes (refine/priors.py), how much a vote should weigh beside a detection, and the
heading weights (refine/heading_belief.py). For sequences of the split `val`; never for what is reported.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment, minimize

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.config import Config, load_config
from airside_perception.errors import AirsideError
from airside_perception.evaluation.results_format import parse_detection, read_detections
from airside_perception.evaluation.sequence_frames import SequenceFrames
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.geometry.boxes import ground_distance
from airside_perception.geometry.se3 import wrap_angle
from airside_perception.inference.engine import load_engine
from airside_perception.occupancy.detector import OccupancyNetworkRunner
from airside_perception.pipeline import grid_spec
from airside_perception.records import Detection3D, NetworkOutput, RigFrame
from airside_perception.refine.cell_votes import votes_of_frame
from airside_perception.refine.heading_belief import GRID, VOTES_HALF
from airside_perception.refine.image_votes import gather_votes
from airside_perception.resources import find_file

MATCH_GATE = {"aircraft": 6.0, "gse": 3.0, "person": 1.5}
"""Metres on the ground within which a detection is taken for an object."""

LEAST_VISIBILITY = 0.05

COLUMNS = (
    "distance",
    *("radial", "lateral", "log_length", "log_width", "log_height", "yaw"),
    *("votes", "vote_radial", "vote_lateral", "vote_log_length", "vote_log_width", "vote_log_height", "told"),
    *("cos", "sin", "cos2", "sin2"),
)
"""One row per matched detection: its errors, its votes' errors and the range error that they tell of themselves (NaN
where they don't), and the vote's heading vectors seen from the truth."""


@dataclass(frozen=True)
class Source:
    """A kind of detections and the matched rows of each class."""

    name: str
    rows: dict[str, np.ndarray]


def collect(sequences: Sequence[Path], config: Config, max_range: float = 45.0) -> list[Source]:
    """Errors of the network's detections and, where a sequence has detections.json, of those."""
    engine = load_engine(find_file(config.network.engine, "network.engine"), config.network.runtime, threads=1)
    runner = OccupancyNetworkRunner(engine, grid_spec(config), config.network.score_threshold)
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for folder in sequences:
        stored = folder / "detections.json"
        outside = read_detections(stored) if stored.exists() else {}
        for frame, truth, network in _frames(folder, config, runner, max_range):
            kinds = {"network": network.detections, "outside": outside.get(frame.stamp_ns, ())}
            for kind, detections in kinds.items():
                for name, row in _matched(frame, truth, network, tuple(detections)):
                    found.setdefault(kind, {}).setdefault(name, []).append(row)
    return [Source(kind, {name: np.stack(rows) for name, rows in each.items()}) for kind, each in found.items()]


def _frames(
    folder: Path, config: Config, runner: OccupancyNetworkRunner, max_range: float
) -> Iterator[tuple[RigFrame, list[Detection3D], NetworkOutput]]:
    with SequenceFrames(folder, config) as frames:
        if frames.ground_truth_path is None:
            raise AirsideError(f"{folder}: expected a sequence with ground truth, found none")
        labels = TruthLabels(frames.ground_truth_path)
        for frame in frames:
            index = labels.index_of(frame.stamp_ns)
            if index is None:
                continue
            objects = labels.frame(index)["objects"]
            near = [o for o in objects if o["visibility"] >= LEAST_VISIBILITY and o["distance"] < max_range]
            yield frame, [parse_detection({**o, "score": 1.0}) for o in near], runner.run(frame)


def _matched(
    frame: RigFrame, truth: list[Detection3D], network: NetworkOutput, detections: tuple[Detection3D, ...]
) -> Iterator[tuple[str, np.ndarray]]:
    """(class, row of COLUMNS) of every detection that has an object."""
    if not truth or not detections:
        return
    boxes, names = np.stack([d.box for d in detections]), [d.class_name for d in detections]
    wanted = np.stack([d.box for d in truth])
    distance = ground_distance(boxes, wanted)
    gates = np.array([MATCH_GATE[name] for name in names])
    same = np.array([[name == other.class_name for other in truth] for name in names])
    allowed = same & (distance < gates[:, None])
    votes = gather_votes(votes_of_frame(frame, network), frame.odom_from_base, boxes, names)
    for i, j in zip(*linear_sum_assignment(np.where(allowed, distance, 1e3)), strict=True):
        if not allowed[i, j]:
            continue
        offset = wanted[j, :2] - frame.odom_from_base[:2, 3]
        along = offset / np.linalg.norm(offset)
        axes = np.stack([along, [-along[1], along[0]]])
        yaw, count = wanted[j, 6], votes.count[i]
        turned = [_seen_from(votes.heading[i], yaw), _seen_from(votes.axis[i], 2 * yaw)]
        voted = [*(axes @ (votes.center[i] - wanted[j, :2])), *(votes.log_size[i] - np.log(wanted[j, 3:6]))]
        yield (
            names[i],
            np.array(
                [
                    np.linalg.norm(offset),
                    *(axes @ (boxes[i, :2] - wanted[j, :2])),
                    *np.log(boxes[i, 3:6] / wanted[j, 3:6]),
                    wrap_angle(boxes[i, 6] - yaw),
                    count,
                    *(voted if count > 0 else [np.nan] * 5),
                    votes.range_std[i],
                    *turned[0],
                    *turned[1],
                ]
            ),
        )


def _seen_from(vector: np.ndarray, angle: float) -> np.ndarray:
    """A vector (2,) in axes that are turned by `angle`."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([cosine * vector[0] + sine * vector[1], cosine * vector[1] - sine * vector[0]])


def spread_over_distance(errors: np.ndarray, distance: np.ndarray) -> tuple[float, float]:
    """Constant and slope of the standard deviation, by maximum likelihood under Student's t with 4 degrees.

    Heavy tails: a few detections that belong to another object must not widen the rest.
    """

    def cost(parameters: np.ndarray) -> float:
        scale = parameters[0] + parameters[1] * distance
        return float(np.sum(np.log(scale) + 2.5 * np.log1p((errors / scale) ** 2 / 4)))

    start = np.array([max(float(np.median(np.abs(errors))), 0.05), 0.01])
    constant, slope = minimize(cost, start, bounds=[(0.03, 10), (0.0, 0.5)]).x
    return float(constant), float(slope)


def told_factor(errors: np.ndarray, told: np.ndarray) -> float:
    """Factor on the errors that votes tell of themselves under which 68 in 100 lie within them, as of a Gaussian."""
    return float(np.quantile(np.abs(errors) / told, 0.683))


def vote_share(detected: np.ndarray, voted: np.ndarray) -> float:
    """Weight 0..1 of the vote in the mean of vote and detection that errs least (median-based)."""
    shares = np.linspace(0.0, 1.0, 41)
    costs = [np.mean(np.minimum(np.abs((1 - share) * detected + share * voted), 2.0)) for share in shares]
    return float(shares[int(np.argmin(costs))])


def heading_weights(rows: np.ndarray) -> np.ndarray:
    """(4,) weights of detector, its axis, votes, their axis: the most likely ones, none below 0."""
    column = {name: rows[:, index] for index, name in enumerate(COLUMNS)}
    trust = column["votes"] / (column["votes"] + VOTES_HALF)

    def features(angle: np.ndarray) -> np.ndarray:
        """(4, rows, angles): what each unit of weight adds at `angle` from the truth."""
        away = angle[None, :] - column["yaw"][:, None]
        one = column["cos"][:, None] * np.cos(angle) + column["sin"][:, None] * np.sin(angle)
        two = column["cos2"][:, None] * np.cos(2 * angle) + column["sin2"][:, None] * np.sin(2 * angle)
        return np.stack([np.cos(away), np.cos(2 * away), trust[:, None] * one, trust[:, None] * two])

    everywhere, at_truth = features(GRID), features(np.zeros(1))[:, :, 0]

    def cost(weights: np.ndarray) -> float:
        logits = np.tensordot(weights, everywhere, axes=1)
        top = logits.max(axis=1)
        partition = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        return float(np.sum(partition - weights @ at_truth))

    return np.asarray(minimize(cost, np.full(4, 0.5), bounds=[(0.0, 30.0)] * 4).x)


def report(source: Source) -> str:
    """All figures of one kind of detections as text."""
    lines = [f"{source.name} detections"]
    for name in OBJECT_CLASSES:
        rows = source.rows.get(name)
        if rows is None or len(rows) < 20:
            lines.append(f"  {name}: {0 if rows is None else len(rows)} matches, too few to measure")
            continue
        column = {key: rows[:, index] for index, key in enumerate(COLUMNS)}
        lines.append(f"  {name}: {len(rows)} matches, {np.mean(column['votes'] > 0):.0%} with votes")
        voted = rows[:, COLUMNS.index("votes")] > 0
        for axis in ("radial", "lateral"):
            constant, slope = spread_over_distance(column[axis], column["distance"])
            line = f"    {axis}: {constant:.2f} m + {slope:.4f} per m"
            if voted.sum() >= 20:
                own, vote = column[axis][voted], column[f"vote_{axis}"][voted]
                constant, slope = spread_over_distance(vote, column["distance"][voted])
                share = vote_share(own, vote)
                fused = (1 - share) * own + share * vote
                line += f"; votes {constant:.2f} m + {slope:.4f} per m, bias {np.median(vote):+.2f}; "
                line += f"best share {share:.2f}: {np.median(np.abs(own)):.2f} -> {np.median(np.abs(fused)):.2f} m"
            lines.append(line)
        told = np.isfinite(column["told"])
        if told.sum() >= 20:
            factor = told_factor(column["vote_radial"][told], column["told"][told])
            lines.append(f"    votes' own range errors: {factor:.2f} of what they tell")
        for axis in ("log_length", "log_width", "log_height"):
            line = f"    {axis}: {1.48 * np.median(np.abs(column[axis])):.3f}"
            if voted.sum() >= 20:
                own, vote = column[axis][voted], column[f"vote_{axis}"][voted]
                line += f"; votes {1.48 * np.median(np.abs(vote)):.3f}; best share {vote_share(own, vote):.2f}"
            lines.append(line)
        turned = np.abs(column["yaw"])
        halves, weights = np.mean(turned > np.pi / 2), np.round(heading_weights(rows), 2).tolist()
        lines.append(f"    heading: median {np.degrees(np.median(turned)):.1f} deg, half turns {halves:.0%}")
        lines.append(f"    heading weights (detector, its axis, votes, their axis): {weights}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequences", nargs="+", type=Path)
    parser.add_argument("--engine", default="engines/occupancy.onnx")
    parser.add_argument("--score-threshold", default="0.2")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = load_config(None, {"network.engine": options.engine, "network.score_threshold": options.score_threshold})
    for source in collect(options.sequences, config):
        print(report(source))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
