"""Tracking with and without refinement on the same simulated detections, and the published schedule beside them.

python benchmarks/tracking.py --sequences 4 --seeds 1 2 3
python benchmarks/tracking.py --noise 0.5 1 2 --miss 0 0.2 0.4
python benchmarks/tracking.py --ablate

Generates sequences (kept between runs), runs the network over each once, and follows every sequence with detections of
a simulated outside detector, one set per seed, the same for all columns: boxes only (Kalman filter and Hungarian
assignment, nothing rendered, in the manner of AB3DMOT), the published schedule of six Adam steps on our prior, and the
refiner. Figures are means over seeds with their standard deviation. Nothing is tuned here; `--split val` is for that.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import torch
from _machine import describe_machine, machine_line
from _sequences import SPLITS, generated, manifest, sequences_of
from _tracking_figures import tracking_figures
from _tracking_runs import Column, DetectorGrade, Run, follow, record
from _tracking_tables import comparison, grades, short_rows

from airside_perception.config import load_config
from airside_perception.errors import AirsideError
from airside_perception.evaluation.truth_labels import TruthLabels
from airside_perception.prior import ObjectPrior
from airside_perception.resources import find_file
from airside_perception.synth.sequence_options import BACKENDS

BOXES, PUBLISHED, OURS = Column("boxes only", "none"), Column("published schedule", "published"), Column("refined")

ABLATIONS = (
    Column("without silhouettes", options={"refine.iterations": "0"}),
    Column("without votes of image cells", options={"refine.image_votes": "false"}),
    Column("without places on surfaces", options={"refine.surface_weight": "0"}),
    Column("without the network's boxes", without=("network boxes",)),
    Column("without shapes of tracks", without=("track",)),
    Column("without ground plane", options={"refine.ground_plane": "false"}),
    Column("one camera an object", options={"refine.cameras_per_object": "1"}),
    Column("without occlusion", options={"refine.occlusion": "false"}),
    Column("without expected visibility", without=("scene model",)),
    Column("without covariance", without=("covariance",)),
    Column("without shape codes", without=("shape codes",)),
    Column("without learned detector errors", options={"refine.learn_outside_error": "false"}),
    Column("without codes in matches", options={"tracking.code_weight": "0"}),
    Column("with colours of the prior", options={"refine.color_weight": "20"}),
)

Figures = dict[str, list[dict[str, Any]]]
"""Column name -> figures of every seed."""


def measure(
    folders: Sequence[Path], work: Path, columns: list[Column], seeds: list[int], grade: DetectorGrade, options: Any
) -> Figures:
    """Follow all sequences in all ways."""
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        tasks = [pool.submit(_follow, folder, work, columns, seeds, grade) for folder in folders]
        runs = [task.result() for task in tasks]
    truths = [TruthLabels(folder / "ground_truth") for folder in folders]
    figures: Figures = {}
    for column in columns:
        for seed in seeds:
            of_column = [run[column.name, seed] for run in runs]
            parts = list(zip(of_column, truths, folders, strict=True))
            figures.setdefault(column.name, []).append(tracking_figures(parts, options.max_range))
    return figures


def _follow(
    folder: Path, work: Path, columns: list[Column], seeds: list[int], grade: DetectorGrade
) -> dict[tuple[str, int], Run]:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = load_config(None, {})
    prior = ObjectPrior.load(find_file(config.refine.prior, "refine.prior"))
    return follow(folder, record(folder, work), columns, seeds, grade, prior)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("out/bench/tracking"), help="sequences and results go here")
    parser.add_argument("--split", choices=SPLITS, default="test", help="asset families (default: %(default)s)")
    parser.add_argument("--backend", choices=BACKENDS, default="raster", help="renderer (default: %(default)s)")
    parser.add_argument("--sequences", type=int, default=4, help="how many (default: %(default)s)")
    parser.add_argument("--duration", type=float, default=10.0, help="seconds of each (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=5.0, help="frames per second (default: %(default)s)")
    parser.add_argument("--folders", type=Path, nargs="+", help="these generated sequences instead of own ones")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the detections (default: 1 2 3)")
    parser.add_argument("--noise", type=float, nargs="+", default=[1.0], help="factors on the detector's errors")
    parser.add_argument(
        "--miss", type=float, nargs="+", default=[], help="shares of missed objects, one table row each"
    )
    parser.add_argument("--ablate", action="store_true", help="leave out each part of the refiner in turn")
    parser.add_argument("--without-published", action="store_true", help="skip the published schedule: it is slow")
    parser.add_argument("--max-range", type=float, default=40.0, help="score up to this many metres (default: 40)")
    parser.add_argument("--jobs", type=int, default=1, help="sequences at a time (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of Markdown")
    options = parser.parse_args()
    try:
        return _run(options)
    except AirsideError as error:
        print(f"tracking: error: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    machine = describe_machine()
    folders = options.folders or _sequences(options)
    for folder in folders:
        if not (folder / "manifest.json").is_file():
            raise AirsideError(f"--folders {folder}: expected a generated sequence (manifest.json), found none")
    result: dict[str, Any] = {"sequences": [folder.name for folder in folders], "seeds": options.seeds}
    told = [manifest(folder) for folder in folders]
    for name in ("split", "backend"):
        result[name] = ", ".join(sorted({str(each.get(name)) for each in told}))
    result.update(max_range_m=options.max_range, machine=machine)
    result["columns"] = _main_columns(folders, options)
    if len(options.noise) > 1 or options.miss:
        result["grades"] = _grades(folders, options)
    if options.ablate:
        figures = measure(folders, options.work, [*ABLATIONS], options.seeds, DetectorGrade(), options)
        result["ablation"] = {OURS.name: result["columns"][OURS.name], **figures}
    options.work.mkdir(parents=True, exist_ok=True)
    (options.work / "tracking.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(json.dumps(result) if options.json else _markdown(result))
    return 0


def _sequences(options: argparse.Namespace) -> list[Path]:
    wanted = sequences_of(options.split, options.sequences, options.duration, options.rate, options.backend)
    return [generated(each, options.work) for each in wanted]


def _main_columns(folders: Sequence[Path], options: argparse.Namespace) -> Figures:
    columns = [BOXES, OURS] if options.without_published else [BOXES, PUBLISHED, OURS]
    return measure(folders, options.work, columns, options.seeds, DetectorGrade(), options)


def _grades(folders: Sequence[Path], options: argparse.Namespace) -> list[dict[str, Any]]:
    wanted = [DetectorGrade(noise) for noise in options.noise] + [DetectorGrade(1.0, miss) for miss in options.miss]
    rows = []
    for grade in wanted:
        figures = measure(folders, options.work, [BOXES, OURS], options.seeds, grade, options)
        rows.append({**asdict(grade), "columns": figures})
    return rows


def _markdown(result: dict[str, Any]) -> str:
    parts = [
        f"{len(result['sequences'])} sequences of the split `{result['split']}` ({result['backend']}), objects within "
        f"{result['max_range_m']:g} m, detections of seeds {', '.join(map(str, result['seeds']))}: mean ± standard "
        "deviation over seeds.",
        "",
        comparison(result["columns"], BOXES.name),
    ]
    if "grades" in result:
        parts += ["", "## Worse and better detections", "", grades(result["grades"])]
    if "ablation" in result:
        parts += ["", "## Each part left out in turn", "", short_rows(result["ablation"])]
    return "\n".join([*parts, "", f"Ran on {machine_line(result['machine'])}."])


if __name__ == "__main__":
    raise SystemExit(main())
