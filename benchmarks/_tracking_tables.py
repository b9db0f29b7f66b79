"""The figures of `tracking.py` as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from _accuracy_tables import table
from _tracking_figures import mean_and_spread

from airside_perception.classes import OBJECT_CLASSES

Seeds = Sequence[Mapping[str, Any]]
"""Figures of one column, one entry per seed."""

_RATIOS = ("translation_rmse_m", "yaw_rmse_deg", "yaw_folded_rmse_deg", "size_rmse_m", "id_switches", "ms_per_object")

_ROWS = {
    "amota": "AMOTA",
    "mota": "MOTA",
    "recall": "recall",
    "id_switches": "identity switches",
    "fragmentations": "fragmentations",
    "translation_rmse_m": "translation RMSE, m",
    "yaw_rmse_deg": "yaw RMSE, deg",
    "yaw_folded_rmse_deg": "yaw RMSE, half turns forgiven, deg",
    "size_rmse_m": "size RMSE, m",
    "iou3d_mean": "mean 3D IoU of matches",
    "occlusions": "occlusions of 1 to 5 s of tracked objects",
    "same_id": "the same id afterwards",
    "ms_per_object": "refinement, CPU ms an object",
}

_CLASS_ROWS = {
    "amota": "AMOTA",
    "id_switches": "identity switches",
    "translation_rmse_m": "translation RMSE, m",
    "ground_rmse_30_m": "ground position within 30 m, RMSE, m",
    "yaw_rmse_deg": "yaw RMSE, deg",
    "size_rmse_m": "size RMSE, m",
    "normalised_position": "normalised position error (1 is honest)",
    "normalised_yaw": "normalised heading error (1 is honest)",
}


def comparison(columns: Mapping[str, Seeds], reference: str) -> str:
    """Columns beside each other, each but the first with its ratio to `reference`."""
    lines = [_line(label, columns, reference, row, partial(_figure, row, None)) for row, label in _ROWS.items()]
    parts = [table(_header(columns, reference), lines)]
    for name in OBJECT_CLASSES:
        lines = [
            _line(label, columns, reference, row, partial(_figure, row, name)) for row, label in _CLASS_ROWS.items()
        ]
        parts += ["", f"### {name}", "", table(_header(columns, reference), lines)]
    return "\n".join(parts)


def _figure(row: str, class_name: str | None, figures: Mapping[str, Any]) -> Any:
    """One figure of a seed, of all or of one class."""
    return (figures if class_name is None else figures["per_class"][class_name]).get(row)


def _header(columns: Mapping[str, Seeds], reference: str) -> list[str]:
    header = ["figure"]
    for name in columns:
        header += [name] if name == reference else [name, "ratio"]
    return header


def _line(
    label: str, columns: Mapping[str, Seeds], reference: str, row: str, read: Callable[[Mapping[str, Any]], Any]
) -> list[str]:
    base = mean_and_spread([read(each) for each in columns[reference]])
    cells = [label]
    for name, seeds in columns.items():
        found = mean_and_spread([read(each) for each in seeds])
        cells.append(_text(found))
        if name != reference:
            with_ratio = row in _RATIOS and found is not None and base is not None and base[0] > 0
            cells.append(f"{found[0] / base[0]:.2f}" if with_ratio and found and base else "")
    return cells


def grades(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line per noise or miss rate: boxes and refined."""
    header = ["noise", "missed", "columns", *(_ROWS[name] for name in _SHORT)]
    lines = []
    for row in rows:
        missed = "as generated" if row["miss"] is None else f"{row['miss']:g}"
        for name, seeds in row["columns"].items():
            lines.append([f"{row['noise']:g}", missed, name, *_short(seeds)])
    return table(header, lines)


_SHORT = ("amota", "recall", "id_switches", "translation_rmse_m", "yaw_rmse_deg", "size_rmse_m", "iou3d_mean")


def short_rows(columns: Mapping[str, Seeds]) -> str:
    """One line per column."""
    return table(["", *(_ROWS[name] for name in _SHORT)], [[name, *_short(seeds)] for name, seeds in columns.items()])


def _short(seeds: Seeds) -> list[str]:
    return [_text(mean_and_spread([each.get(name) for each in seeds])) for name in _SHORT]


def _text(found: tuple[float, float] | None) -> str:
    if found is None:
        return "-"
    digits = 3 if abs(found[0]) < 10 else 1
    return f"{found[0]:.{digits}f} ± {found[1]:.{digits}f}"
