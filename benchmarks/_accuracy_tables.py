"""The figures of `accuracy.py` as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from _machine import machine_line

SOURCES = {"network": "detections of the network", "external": "simulated outside detector"}
"""Prefix of a variant's name -> what it says."""

_RATIOS = ("translation_rmse_m", "yaw_rmse_deg", "yaw_folded_rmse_deg", "size_rmse_m")

_ROWS = {
    "amota": "AMOTA",
    "amotp": "AMOTP, m",
    "recall": "recall",
    "mota": "MOTA",
    "hota": "HOTA",
    "id_switches": "identity switches",
    "fragmentations": "fragmentations",
    "translation_rmse_m": "translation RMSE, m",
    "yaw_rmse_deg": "yaw RMSE, deg",
    "yaw_folded_rmse_deg": "yaw RMSE, half turns forgiven, deg",
    "size_rmse_m": "size RMSE, m",
    "iou3d_mean": "mean 3D IoU of matches",
}

Reader = Callable[[Mapping[str, Any], str], Any]
"""Takes one figure out of a summary."""


def markdown(result: Mapping[str, Any]) -> str:
    """All tables of one run of the benchmark."""
    variants = result["variants"]
    names = [sequence["name"] for sequence in result["sequences"]]
    frames = variants["network_refined"]["frames"]
    parts = [
        f"{len(names)} sequences, {frames} frames, objects within {result['max_range_m']:g} m.",
        "Ratio: with refinement over without; below 1 refinement helps.",
        "",
        "## All sequences as one data set, mean over classes",
        "",
        _tracking_table(variants, _pooled),
        "",
        "## Occupancy",
        "",
        _occupancy_table(variants["network_refined"], names),
    ]
    for class_name in variants["network_refined"]["tracking"]["per_class"]:
        parts += ["", f"## {class_name}", "", _tracking_table(variants, _of_class(class_name))]
    parts += ["", "## Mean of the sequences", "", _tracking_table(variants, _mean_of_sequences)]
    for name in names:
        parts += ["", f"## {name}", "", _tracking_table(variants, _of_sequence(name))]
    parts += ["", f"Ran on {machine_line(result['machine'])}."]
    return "\n".join(parts) + "\n"


def _pooled(summary: Mapping[str, Any], row: str) -> Any:
    return summary["tracking"].get(row)


def _of_class(class_name: str) -> Reader:
    return lambda summary, row: summary["tracking"]["per_class"].get(class_name, {}).get(row)


def _of_sequence(name: str) -> Reader:
    return lambda summary, row: _part(summary, name)["tracking"].get(row)


def _mean_of_sequences(summary: Mapping[str, Any], row: str) -> float | None:
    parts = summary.get("sequences", {"": summary}).values()
    known = [part["tracking"][row] for part in parts if part["tracking"].get(row) is not None]
    return sum(known) / len(known) if known else None


def _part(summary: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A single sequence has no part of its own: it is the whole."""
    return summary["sequences"][name] if "sequences" in summary else summary


def _tracking_table(variants: Mapping[str, Mapping[str, Any]], read: Reader) -> str:
    header = ["figure"]
    for source, text in SOURCES.items():
        header += [
            f"{text}, boxes as detected" if source == "network" else f"{text}, boxes as given",
            "refined",
            "ratio",
        ]
    lines = []
    for row, label in _ROWS.items():
        cells = [label]
        for source in SOURCES:
            before, after = (read(variants[f"{source}_{kind}"], row) for kind in ("boxes", "refined"))
            ratio = after / before if row in _RATIOS and before and after is not None else None
            cells += [_text(before), _text(after), f"{ratio:.2f}" if ratio is not None else ""]
        lines.append(cells)
    return table(header, lines)


def _occupancy_table(summary: Mapping[str, Any], names: Sequence[str]) -> str:
    columns = {"all": summary, **{name: _part(summary, name) for name in names}} if len(names) > 1 else {"all": summary}
    rows: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "camera-visible mIoU": lambda part: part.get("miou"),
        "occupied or free IoU": lambda part: part.get("geometric_iou"),
        "RayIoU": lambda part: part.get("ray_iou"),
    }
    for name in (summary.get("occupancy") or {}).get("per_class", {}):
        rows[f"IoU {name}"] = partial(_class_iou, name)
    lines = [
        [label, *(_text(read(part.get("occupancy") or {})) for part in columns.values())]
        for label, read in rows.items()
    ]
    return table(["figure", *columns], lines)


def _class_iou(name: str, part: Mapping[str, Any]) -> Any:
    return (part.get("per_class") or {}).get(name)


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
