"""The report's table of point tracks."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from airside_perception.evaluation.point_tracking import THRESHOLDS


def points_section(summary: Mapping[str, Any]) -> str:
    """Point tracking beside the no-motion baseline; empty where there are no point tracks."""
    figures = summary.get("point_tracking")
    if not figures:
        return ""
    head = "<th>average Jaccard</th><th>&delta; average</th><th>occlusion accuracy</th>"
    head += "".join(f"<th>&delta; {t} px</th>" for t in THRESHOLDS)
    objects = figures["objects"]
    rows = [
        ("recovered surfaces, points on objects", objects, "total"),
        ("no motion, points on objects", objects["no_motion"], ""),
        ("recovered surfaces, all points", figures, "total"),
        ("no motion, all points", figures["no_motion"], ""),
    ]
    body = "".join(f"<tr class='{kind}'><td>{name}</td>{_cells(row)}</tr>" for name, row, kind in rows)
    note = f"{figures['points']} points in {figures['videos']} videos; {escape(figures['protocol'])}."
    table = f"<table><tr><th></th>{head}</tr>{body}</table>"
    return f"<section><h2>Point tracks</h2>{table}<p class='note'>{note}</p></section>"


def _cells(figures: Mapping[str, Any]) -> str:
    values = [figures["average_jaccard"], figures["delta_avg"], figures["occlusion_accuracy"]]
    values += [figures["delta"][str(t)] for t in THRESHOLDS]
    return "".join("<td class='none'>–</td>" if value is None else f"<td>{value:.3f}</td>" for value in values)
