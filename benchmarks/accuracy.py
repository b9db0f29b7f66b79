"""Accuracy on held-out generated sequences, with and without refinement, on two kinds of detections.

python benchmarks/accuracy.py --work out/bench/accuracy --jobs 2

Generates sequences of the split `test` (asset families that training never draws), runs the pipeline on the network's
detections and on simulated detections of an outside detector, each with and without refinement, and prints one table.
What an earlier run finished with the same weights, options and code is used again. Nothing is tuned here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import torch
from _accuracy_tables import markdown
from _machine import describe_machine
from _sequences import generated, held_out_sequences, manifest
from tqdm import tqdm

import airside_perception
from airside_perception.config import Config, load_config
from airside_perception.console import add_config_arguments, read_config
from airside_perception.errors import AirsideError
from airside_perception.evaluation.results_format import read_detections
from airside_perception.evaluation.sequence_frames import SequenceFrames
from airside_perception.evaluation.sequence_scores import SequenceScores, summarize
from airside_perception.evaluation.stamped_detections import StampedDetections
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.inference.engine import load_engine
from airside_perception.occupancy.detector import OccupancyNetworkRunner
from airside_perception.pipeline import Pipeline, grid_spec
from airside_perception.prior import ObjectPrior
from airside_perception.records import NetworkOutput, RigFrame
from airside_perception.resources import file_digest, find_file
from airside_perception.synth.sequence_options import BACKENDS


@dataclass(frozen=True)
class Variant:
    """One way to run the pipeline.

    Attributes:
        name: key in the results.
        external: detections of the simulated outside detector instead of the network's.
        refine: refinement on or off.
    """

    name: str
    external: bool
    refine: bool


VARIANTS = (
    Variant("network_refined", external=False, refine=True),
    Variant("external_refined", external=True, refine=True),
    Variant("network_boxes", external=False, refine=False),
    Variant("external_boxes", external=True, refine=False),
)

_ROOMS_WITHOUT_EFFECT = ("ros", "synth", "training", "explain")


class SharedNetwork:
    """A network runner that answers several pipelines for the price of one: they see the same frames.

    Args:
        runner: does the work.
    """

    def __init__(self, runner: OccupancyNetworkRunner):
        self._runner = runner
        self._last: tuple[RigFrame, NetworkOutput] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def run(self, frame: RigFrame) -> NetworkOutput:
        """The answer for `frame`; computed at the first call only."""
        if self._last is None or self._last[0] is not frame:
            self._last = (frame, self._runner.run(frame))
        return self._last[1]


def evaluate(folder: Path, work: Path, options: dict[str, Any], max_range: float) -> dict[str, SequenceScores]:
    """Run all variants over one sequence; from an earlier run where nothing changed since.

    Returns:
        Variant name -> its scores. Only the first variant's voxels are scored: the others have the same.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = load_config(None, {"network.threads": "1", **options})
    key = {"sequence": folder.name, "max_range": max_range, "config": repr(config), **_digests(config)}
    kept = work / "scores" / f"{folder.name}.pickle"
    if kept.is_file():
        found_key, found = pickle.loads(kept.read_bytes())
        if found_key == key:
            return found
    with SequenceFrames(folder, config) as frames:
        pipelines = _pipelines(config, folder)
        truth = TruthLabels(frames.ground_truth_path) if frames.ground_truth_path else None
        scores = {v.name: SequenceScores(folder.name, truth, max_range) for v in VARIANTS}
        for frame in tqdm(frames, total=frames.expected_frames, desc=folder.name, unit="frame"):
            for variant in VARIANTS:
                scene = pipelines[variant.name].step(frame)
                if variant is not VARIANTS[0]:
                    scene = replace(scene, occupancy=None)
                scores[variant.name].add(scene, None)
    failures = {name: dict(pipeline.counts) for name, pipeline in pipelines.items()}
    if any(count for counts in failures.values() for count in counts.values()):
        print(f"{folder.name}: {failures}", file=sys.stderr)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(pickle.dumps((key, scores)))
    return scores


def _pipelines(config: Config, folder: Path) -> dict[str, Pipeline]:
    """One pipeline per variant; they share the network and the prior."""
    engine = load_engine(find_file(config.network.engine, "network.engine"), config.network.runtime, threads=1)
    network = SharedNetwork(
        OccupancyNetworkRunner(
            engine, grid_spec(config), config.network.score_threshold, config.network.occupancy_threshold or None
        )
    )
    prior = ObjectPrior.load(find_file(config.refine.prior, "refine.prior"))
    pipelines = {}
    for variant in VARIANTS:
        # Boxes of the outside detector need nothing of the network; the refiner needs its silhouettes.
        used = network if variant.refine or not variant.external else None
        detections = StampedDetections(read_detections(folder / "detections.json")) if variant.external else None
        pipelines[variant.name] = Pipeline(
            replace(config, refine=replace(config.refine, enabled=variant.refine)),
            used,  # type: ignore[arg-type]
            prior,
            detections,
            "external" if variant.external else "network",
        )
        pipelines[variant.name].warm_up()
    return pipelines


def _digests(config: Config) -> dict[str, str]:
    """Of the weights and of the code that figures depend on."""
    package = Path(airside_perception.__file__).parent
    code = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in _ROOMS_WITHOUT_EFFECT:
            code.update(path.read_bytes())
    return {
        "engine": file_digest(find_file(config.network.engine, "network.engine")),
        "prior": file_digest(find_file(config.refine.prior, "refine.prior")),
        "code": code.hexdigest(),
    }


def run_all(
    sequences: list[Path], work: Path, options: dict[str, Any], max_range: float, jobs: int
) -> dict[str, dict[str, Any]]:
    """Variant name -> its summary over all sequences, and of each under "sequences"; `jobs` sequences at a time."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(evaluate, folder, work, options, max_range) for folder in sequences]
        scores = [future.result() for future in futures]
    return {v.name: _summary([part[v.name] for part in scores], max_range) for v in VARIANTS}


def _summary(parts: list[SequenceScores], max_range: float) -> dict[str, Any]:
    """As in summary.json, without times: pipelines that share a network say nothing about speed."""
    whole = {"sequences": {part.name: summarize([part], max_range) for part in parts}, **summarize(parts, max_range)}
    for summary in (whole, *whole["sequences"].values()):
        for name in ("timing_ms", "objects_per_second", "render"):
            summary.pop(name, None)
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("out/bench/accuracy"), help="sequences and results go here")
    parser.add_argument("--sequences", type=int, default=8, help="how many (default: %(default)s)")
    parser.add_argument("--backend", choices=BACKENDS, default="raster", help="renderer (default: %(default)s)")
    parser.add_argument("--duration", type=float, default=10.0, help="seconds of each (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=5.0, help="frames per second (default: %(default)s)")
    parser.add_argument("--max-range", type=float, default=40.0, help="score up to this many metres (default: 40)")
    parser.add_argument("--jobs", type=int, default=1, help="sequences at a time (default: %(default)s)")
    parser.add_argument("--only-generate", action="store_true", help="make the sequences and stop")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of Markdown")
    add_config_arguments(parser)
    arguments = parser.parse_args()
    try:
        return _run(arguments)
    except AirsideError as error:
        print(f"accuracy: error: {error}", file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    if arguments.config is not None:
        raise AirsideError("--config: give single options by --set here, so that the results can say which")
    machine = describe_machine()
    options = _options(arguments)
    read_config(arguments)
    wanted = held_out_sequences(arguments.sequences, arguments.duration, arguments.rate, arguments.backend)
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        sequences = list(pool.map(generated, wanted, [arguments.work] * len(wanted)))
    if arguments.only_generate:
        return 0
    summaries = run_all(sequences, arguments.work, options, arguments.max_range, arguments.jobs)
    result = {
        "max_range_m": arguments.max_range,
        "options": {name: str(value) for name, value in options.items()},
        "sequences": [{"name": path.name, **manifest(path)} for path in sequences],
        "weights": {name: value for name, value in _digests(load_config(None, options)).items() if name != "code"},
        "machine": machine,
        "variants": summaries,
    }
    tables = markdown(result)
    (arguments.work / "accuracy.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    (arguments.work / "accuracy.md").write_text(tables, encoding="utf-8")
    print(json.dumps(result) if arguments.json else tables)
    return 0


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Dotted names that were set on the command line."""
    pairs = (item.partition("=") for item in arguments.set)
    named = {name.strip(): value for name, _, value in pairs}
    flags = {k.removeprefix("option:"): v for k, v in vars(arguments).items() if k.startswith("option:") and v}
    return {**named, **flags}


if __name__ == "__main__":
    raise SystemExit(main())
