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
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import torch
from _accuracy_tables import markdown
from _machine import describe_machine
from _sequences import generated, held_out_sequences, manifest

import airside_perception
from airside_perception.config import Config, load_config
from airside_perception.console import add_config_arguments, read_config
from airside_perception.errors import AirsideError
from airside_perception.evaluation.replay import run_evaluation
from airside_perception.inference.engine import file_digest
from airside_perception.resources import find_file


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


# The slow ones first, so that two jobs end at about the same time.
VARIANTS = (
    Variant("network_refined", external=False, refine=True),
    Variant("external_refined", external=True, refine=True),
    Variant("network_boxes", external=False, refine=False),
    Variant("external_boxes", external=True, refine=False),
)

_ROOMS_WITHOUT_EFFECT = ("ros", "synth", "training", "explain")


def evaluate(
    variant: Variant, sequences: list[Path], work: Path, options: dict[str, Any], max_range: float
) -> dict[str, Any]:
    """summary.json of one variant over all sequences; from an earlier run where nothing changed since."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = load_config(None, options)
    out = work / "runs" / variant.name
    key = {**asdict(variant), "max_range": max_range, "sequences": [s.name for s in sequences], **_digests(config)}
    key["options"] = {name: str(value) for name, value in options.items()}
    summary, known = out / "summary.json", out / "key.json"
    if summary.is_file() and known.is_file() and json.loads(known.read_text()) == key:
        return dict(json.loads(summary.read_text()))
    shutil.rmtree(out, ignore_errors=True)
    result = run_evaluation(
        sequences,
        out,
        config,
        detections=_detections_folder(sequences, work) if variant.external else None,
        refine=variant.refine,
        max_range=max_range,
        overlays=0,
    )
    known.write_text(json.dumps(key))
    return result


def _detections_folder(sequences: list[Path], work: Path) -> Path:
    """A folder with <sequence>.json for each, as the evaluation expects of several sequences."""
    folder = work / "detections"
    folder.mkdir(parents=True, exist_ok=True)
    for sequence in sequences:
        shutil.copyfile(sequence / "detections.json", folder / f"{sequence.name}.json")
    return folder


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
    """Variant name -> its summary, `jobs` of them at a time."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {v.name: pool.submit(evaluate, v, sequences, work, options, max_range) for v in VARIANTS}
        return {name: future.result() for name, future in futures.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("out/bench/accuracy"), help="sequences and results go here")
    parser.add_argument("--sequences", type=int, default=4, help="how many (default: %(default)s)")
    parser.add_argument("--duration", type=float, default=10.0, help="seconds of each (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=5.0, help="frames per second (default: %(default)s)")
    parser.add_argument("--max-range", type=float, default=40.0, help="score up to this many metres (default: 40)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time (default: %(default)s)")
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
    options = _options(arguments)
    read_config(arguments)
    wanted = held_out_sequences(arguments.sequences, arguments.duration, arguments.rate)
    sequences = [generated(sequence, arguments.work) for sequence in wanted]
    if arguments.only_generate:
        return 0
    summaries = run_all(sequences, arguments.work, options, arguments.max_range, arguments.jobs)
    result = {
        "max_range_m": arguments.max_range,
        "options": {name: str(value) for name, value in options.items()},
        "sequences": [{"name": path.name, **manifest(path)} for path in sequences],
        "weights": {name: value for name, value in _digests(load_config(None, options)).items() if name != "code"},
        "machine": describe_machine(),
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
