"""Figures of a training run as a table, and the curves drawn from it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path


class TrainingLog:
    """CSV of every reported figure (kind, step, minutes, name, value) and curves drawn from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_text("kind,step,minutes,name,value\n")

    def write(self, kind: str, step: int, minutes: float, values: Mapping[str, float]) -> None:
        with self.path.open("a", newline="") as stream:
            writer = csv.writer(stream)
            for name, value in values.items():
                writer.writerow([kind, step, f"{minutes:.2f}", name, f"{value:.6g}"])

    def plot(self, path: Path) -> None:
        """Loss terms (log scale) and validation ratios over steps."""
        from matplotlib.figure import Figure

        series: dict[tuple[str, str], list[tuple[int, float]]] = {}
        with self.path.open() as stream:
            for row in csv.DictReader(stream):
                series.setdefault((row["kind"], row["name"]), []).append((int(row["step"]), float(row["value"])))
        figure = Figure(figsize=(12, 5), layout="constrained")
        losses, ratios = figure.subplots(1, 2)
        for (kind, name), points in series.items():
            if kind == "train" and name not in ("lr", "grad"):
                losses.plot(*zip(*points, strict=True), label=name, linewidth=1)
            elif kind == "val" and name.startswith(("miou", "semantic", "recall", "precision")):
                ratios.plot(*zip(*points, strict=True), label=name, marker=".")
        losses.set(xlabel="step", title="training loss", yscale="log")
        ratios.set(xlabel="step", title="validation", ylim=(0, 1))
        for axes in (losses, ratios):
            axes.grid(alpha=0.3)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(fontsize=7)
        figure.savefig(path, dpi=90)
