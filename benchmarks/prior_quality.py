"""Quality and speed of the object prior on families that it never saw: every figure that its model card states.

python benchmarks/prior_quality.py --split test --aircraft 8 --gse 27 --person 14 --json
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import torch
from _machine import describe_machine, machine_line
from rasterizer import measure_brute_force, measure_crops

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.config import Config
from airside_perception.prior import ObjectPrior
from airside_perception.resources import find_file
from airside_perception.synth.image_files import write_png
from airside_perception.training.prior_failures import failure_sheet
from airside_perception.training.prior_metrics import Likeness
from airside_perception.training.prior_validation import disentanglement, explain_split

TIMED_OBJECTS = 20
FIGURES = ("silhouette_iou", "foreground_psnr", "chamfer", "thin_recall", "triangles")


def means(scores: list[Likeness]) -> dict[str, float]:
    """Means of all figures, and the worst silhouette."""
    rows = [asdict(score) for score in scores]
    result = {name: float(np.nanmean([row[name] for row in rows])) for name in FIGURES}
    return {**result, "worst_silhouette_iou": min(row["silhouette_iou"] for row in rows), "assets": len(rows)}


def quality(prior: ObjectPrior, class_name: str, count: int, arguments: argparse.Namespace) -> dict[str, object]:
    """Inversion from distances, 8 views and 1 view, and how far the codes are apart."""
    explained = []
    for each in explain_split(prior, class_name, arguments.split, count, arguments.seed, arguments.level):
        explained.append(each)
        if arguments.each:
            print(each.name, {way: round(score.silhouette_iou, 3) for way, score in each.scores.items()}, flush=True)
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        sheet = cv2.cvtColor(failure_sheet(explained), cv2.COLOR_RGB2BGR)
        write_png(arguments.pictures / f"prior_failures_{class_name}.png", sheet)
    figures: dict[str, object] = {way: means([e.scores[way] for e in explained]) for way in explained[0].scores}
    colors, outlines = disentanglement(prior, class_name)
    return {**figures, "swapped_shape_histogram": colors, "swapped_texture_iou": outlines}


def decode_times(prior: ObjectPrior, class_name: str) -> dict[str, float]:
    """Median CPU milliseconds at the refiner's level of detail, each object decoded for the first time."""
    prototypes = prior.prototypes(class_name)
    chosen = [prototypes[i] for i in np.linspace(0, len(prototypes) - 1, TIMED_OBJECTS).round().astype(int)]
    decode, jacobian = [], []
    for number, prototype in enumerate([chosen[0], *chosen]):
        code = prototype.shape + 1e-4 * number  # not in the cache
        start = time.process_time()
        prior.decode(class_name, code, prototype.texture)
        middle = time.process_time()
        prior.shape_jacobian(class_name, code)
        decode.append(middle - start)
        jacobian.append(time.process_time() - middle)
    return {"decode_ms": 1e3 * float(np.median(decode[1:])), "jacobian_ms": 1e3 * float(np.median(jacobian[1:]))}


def print_table(classes: dict[str, dict[str, object]]) -> None:
    """One line for each class and way of inversion."""
    print(f"{'class':10}{'from':16}{'assets':>7}{'IoU':>8}{'worst':>8}{'PSNR':>8}{'chamfer %':>11}{'thin':>7}")
    for name, figures in classes.items():
        for way, found in figures.items():
            if isinstance(found, dict):
                print(
                    f"{name:10}{way:16}{found['assets']:7}{found['silhouette_iou']:8.3f}"
                    f"{found['worst_silhouette_iou']:8.3f}{found['foreground_psnr']:8.1f}"
                    f"{100 * found['chamfer']:11.2f}{found['thin_recall']:7.2f}"
                )
    for name, figures in classes.items():
        print(
            f"{name}: histograms with shapes swapped {figures['swapped_shape_histogram']:.2f}, silhouettes with "
            f"textures swapped {figures['swapped_texture_iou']:.3f}, decode {figures['decode_ms']:.1f} ms, "
            f"Jacobian {figures['jacobian_ms']:.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prior", type=Path, help="weights (default: the shipped ones)")
    parser.add_argument("--split", choices=("val", "test"), default="val", help="families (default: %(default)s)")
    for name, count in zip(OBJECT_CLASSES, (8, 27, 14), strict=True):
        parser.add_argument(f"--{name}", type=int, default=count, help="assets; 0 leaves the class out")
    parser.add_argument("--seed", type=int, default=7, help="of the assets (default: %(default)s)")
    parser.add_argument("--level", default="full", help="level of detail that is judged (default: %(default)s)")
    parser.add_argument("--each", action="store_true", help="print every asset")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw the worst assets there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    machine = describe_machine()
    torch.set_num_threads(1)
    prior = ObjectPrior.load(arguments.prior or find_file(Config().refine.prior, "refine.prior"))
    classes = {
        name: {**quality(prior, name, count, arguments), **decode_times(prior, name)}
        for name in prior.class_names
        if (count := getattr(arguments, name))
    }
    rendering = {**measure_crops("cpu", repeats=3, crops=200), **measure_brute_force()}
    if arguments.json:
        print(json.dumps({"split": arguments.split, "classes": classes, "rendering": rendering, "machine": machine}))
        return
    print_table(classes)
    for name, value in rendering.items():
        print(f"{name:32} {value:.4g}")
    print(machine_line(machine))


if __name__ == "__main__":
    main()
