"""The parts of the report: figures, times, errors, tracks, input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from airside_perception.classes import CLASS_COLORS, OBJECT_CLASSES, SEMANTIC_COLORS, SEMANTIC_NAMES
from airside_perception.evaluation.match_errors import match_errors
from airside_perception.evaluation.report_charts import Axes, fraction_bar, life_line, spark_lines, stage_bars
from airside_perception.evaluation.sequence_scores import SequenceScores
from airside_perception.evaluation.stage_times import StageTimes
from airside_perception.evaluation.track_history import TrackHistory, TrackLife
from airside_perception.explain.reasons import REASONS, reason_text

_TRACKING_COLUMNS = (
    ("amota", "AMOTA", "{:.3f}"),
    ("amotp", "AMOTP (m)", "{:.2f}"),
    ("mota", "MOTA", "{:.3f}"),
    ("hota", "HOTA", "{:.3f}"),
    ("recall", "recall", "{:.3f}"),
    ("id_switches", "ID switches", "{:.0f}"),
    ("fragmentations", "fragments", "{:.0f}"),
    ("translation_rmse_m", "translation RMSE (m)", "{:.2f}"),
    ("yaw_rmse_deg", "yaw RMSE (deg)", "{:.1f}"),
    ("size_rmse_m", "size RMSE (m)", "{:.2f}"),
    ("iou3d_mean", "IoU 3D", "{:.3f}"),
)
_MOST_TRACKS = 80


def figures_section(summary: Mapping[str, Any]) -> str:
    """Cards of the main figures, and the tables per class."""
    tracking, occupancy = summary.get("tracking") or {}, summary.get("occupancy") or {}
    render, timing = summary.get("render") or {}, summary.get("timing_ms") or {}
    cards = [
        ("AMOTA", tracking.get("amota"), "{:.3f}"),
        ("recall", tracking.get("recall"), "{:.3f}"),
        ("ID switches", tracking.get("id_switches"), "{:.0f}"),
        ("translation RMSE", tracking.get("translation_rmse_m"), "{:.2f} m"),
        ("yaw RMSE", tracking.get("yaw_rmse_deg"), "{:.1f}°"),
        ("camera-visible mIoU", occupancy.get("miou"), "{:.3f}"),
        ("RayIoU", occupancy.get("ray_iou"), "{:.3f}"),
        ("silhouette IoU", render.get("mask_iou"), "{:.3f}"),
        ("frame, median", timing.get("frame", {}).get("p50"), "{:.0f} ms"),
        ("objects refined / s", summary.get("objects_per_second"), "{:.1f}"),
    ]
    boxes = "".join(f"<div class='card'><b>{_format(v, f)}</b><span>{name}</span></div>" for name, v, f in cards)
    return f"<div class='cards'>{boxes}</div>{_tracking_table(tracking)}{_class_tables(summary)}"


def _tracking_table(tracking: Mapping[str, Any]) -> str:
    if not tracking:
        return (
            "<section><h2>Tracking</h2><p class='none'>There is no ground truth: nothing could be scored.</p></section>"
        )
    head = "".join(f"<th>{title}</th>" for _, title, _ in _TRACKING_COLUMNS)
    rows = [("all classes", tracking, "total", "")]
    rows += [(name, figures, "", _dot(name)) for name, figures in tracking.get("per_class", {}).items()]
    body = "".join(
        f"<tr class='{kind}'><td>{dot}{escape(name)}</td>"
        + "".join(f"<td>{_format(figures.get(key), form)}</td>" for key, _, form in _TRACKING_COLUMNS)
        + "</tr>"
        for name, figures, kind, dot in rows
    )
    note = (
        "nuScenes protocol: a match is nearer than "
        f"{tracking.get('match_distance_m', 2):g} m on the ground; means are over the classes of the ground truth."
    )
    return (
        f"<section><h2>Tracking</h2><table><tr><th></th>{head}</tr>{body}</table><p class='note'>{note}</p></section>"
    )


def _class_tables(summary: Mapping[str, Any]) -> str:
    """Occupancy, renders and detections side by side."""
    parts = []
    occupancy = summary.get("occupancy")
    if occupancy:
        rays = occupancy.get("ray_iou_per_class", {})
        rows = "".join(
            f"<tr><td>{_semantic_dot(name)}{name}</td><td class='left'>{fraction_bar(value)}</td>"
            f"<td>{_format(rays.get(name), '{:.3f}')}</td></tr>"
            for name, value in occupancy["per_class"].items()
        )
        parts.append(
            f"<div><h3>Occupancy: IoU of visible voxels, and of rays</h3><table><tr><th></th><th class='left'>IoU</th>"
            f"<th>RayIoU</th></tr>{rows}</table><p class='note'>Counted: {escape(str(occupancy['mask']))}.</p></div>"
        )
    render, detection = summary.get("render"), summary.get("detection")
    if render or detection:
        masks = (render or {}).get("per_class", {})
        found = (detection or {}).get("per_class", {})
        rows = "".join(
            f"<tr><td>{_dot(name)}{name}</td><td class='left'>{fraction_bar(masks.get(name), '#12b76a')}</td>"
            f"<td>{_format(found.get(name, {}).get('ap'), '{:.3f}')}</td>"
            f"<td>{_format(found.get(name, {}).get('recall_2m'), '{:.3f}')}</td></tr>"
            for name in OBJECT_CLASSES
        )
        psnr = _format((render or {}).get("psnr_db"), "{:.1f} dB")
        parts.append(
            "<div><h3>Renders against labels; detections before tracking</h3><table><tr><th></th>"
            "<th class='left'>silhouette IoU</th><th>AP</th><th>recall at 2 m</th></tr>"
            f"{rows}</table><p class='note'>PSNR inside the objects: {psnr}.</p></div>"
        )
    return f"<section><div class='columns'>{''.join(parts)}</div></section>" if parts else ""


def timing_section(summary: Mapping[str, Any], parts: Sequence[SequenceScores]) -> str:
    """Bars per stage, and the time of every frame."""
    times = StageTimes()
    for part in parts:
        times.merge(part.times)
    series = times.series("frame")
    plot = Axes((0, max(len(series) - 1, 1)), (0, max(series, default=1.0) * 1.05), "frame", "ms per frame", 520, 220)
    plot.curve(list(range(len(series))), series, "#344054", 1.2)
    return (
        "<section><h2>Time</h2><div class='columns'>"
        f"<div><h3>Median and 95th percentile per stage</h3>{stage_bars(summary.get('timing_ms', {}))}</div>"
        f"<div><h3>Whole step, without reading and decoding</h3>{plot.svg()}</div></div></section>"
    )


def errors_section(scores: SequenceScores) -> str:
    """Errors of single matches over distance, and how yaw errors are spread."""
    if scores.truth is None:
        return ""
    errors = match_errors(scores.frames, scores.truth, scores.max_range)
    if not len(errors.distance):
        return ""
    scatter = Axes((0, scores.max_range), (0, 2.0), "distance from the vehicle (m)", "translation error (m)")
    spread = Axes((0, 180), (0, 1), "yaw error (degrees)", "share of matches below")
    legend = []
    for number, name in enumerate(OBJECT_CLASSES):
        own = errors.class_index == number
        if not own.any():
            continue
        color = _css(CLASS_COLORS[name])
        # Thousands of points say no more than some hundreds, and make a slow page.
        pick = np.flatnonzero(own)[:: max(int(own.sum()) // 400, 1)]
        scatter.points(errors.distance[pick].tolist(), errors.translation[pick].tolist(), color)
        sorted_yaw = np.degrees(np.sort(errors.yaw[own]))
        share = np.arange(1, len(sorted_yaw) + 1) / len(sorted_yaw)
        thin = slice(None, None, max(len(sorted_yaw) // 200, 1))
        x, y = [0.0, *sorted_yaw[thin].tolist(), 180.0], [0.0, *share[thin].tolist(), 1.0]
        spread.curve(x, y, color)
        median = float(np.median(errors.translation[own]))
        legend.append(
            f"{_dot(name)}{name}: {int(own.sum())} matches, median {median:.2f} m, "
            f"{float(np.median(sorted_yaw)):.1f}&deg;"
        )
    return (
        "<section><h2>Errors</h2><div class='columns'>"
        f"<div><h3>Translation over distance</h3>{scatter.svg()}</div><div><h3>Yaw</h3>{spread.svg()}</div></div>"
        f"<p class='note'>{' &nbsp; '.join(legend)}</p></section>"
    )


def tracks_section(history: TrackHistory) -> str:
    """One row per track: when it lived, how well it was explained, and why."""
    if not history.lives:
        return "<section><h2>Tracks</h2><p class='none'>There was no confirmed track.</p></section>"
    first, last = history.stamps_ns[0], max(history.stamps_ns)
    period = float(np.median(np.diff(history.stamps_ns))) / 1e9 if len(history.stamps_ns) > 1 else 0.1
    lives = sorted(history.lives.values(), key=lambda life: -len(life.stamps_ns))
    rows = "".join(_life_row(life, first, (0.0, (last - first) / 1e9), abs(period)) for life in lives[:_MOST_TRACKS])
    rest = f"<p class='note'>and {len(lives) - _MOST_TRACKS} shorter ones</p>" if len(lives) > _MOST_TRACKS else ""
    met = sorted({code for life in lives for code in life.reasons})
    meanings = "".join(f"<li><b>{escape(c)}</b>: {escape(reason_text(c))} ({_test_of(c)})</li>" for c in met)
    return (
        "<section><h2>Tracks</h2><table><tr><th>track</th><th class='left'>measured, predicted (pale)</th>"
        "<th class='left'>loss before (grey), after</th><th>mean</th><th>visible</th>"
        "<th>size (m)</th><th>top speed</th>"
        f"<th class='left'>reasons (frames)</th></tr>{rows}</table>{rest}"
        f"<details class='note'><summary>What the reason codes mean</summary><ul>{meanings}</ul></details></section>"
    )


def _life_row(life: TrackLife, first_ns: int, span: tuple[float, float], period: float) -> str:
    color = _css(CLASS_COLORS[life.class_name])
    alive = [((stamp - first_ns) / 1e9, state) for stamp, state in zip(life.stamps_ns, life.states, strict=True)]
    known = [v for v in (*life.loss_before, *life.loss_after) if math.isfinite(v)]
    sparks = spark_lines([(life.loss_before, "#98a2b3"), (life.loss_after, color)], max(known, default=1.0))
    chips = "".join(
        f"<span class='chip' title='{escape(reason_text(code))}'>{escape(code)} {count}</span>"
        for code, count in life.reasons.most_common()
    )
    loss = f"{_mean(life.loss_before)} → {_mean(life.loss_after)}"
    size = " × ".join(f"{edge:.1f}" for edge in life.sizes)
    return (
        f"<tr><td>{_dot(life.class_name)}{escape(life.track_id)}</td>"
        f"<td class='left'>{life_line(alive, span, period, color)}</td><td class='left'>{sparks}</td>"
        f"<td>{loss}</td><td>{_mean(life.visible)}</td><td>{size}</td><td>{life.fastest:.1f} m/s</td>"
        f"<td class='reasons'>{chips}</td></tr>"
    )


def input_section(meta: Mapping[str, Any]) -> str:
    """What was read, what was skipped, what computed."""
    rows = [("cameras", ", ".join(meta.get("cameras", ())))]
    rows += [(name.replace("_", " "), _counts(value)) for name, value in meta.get("input", {}).items()]
    rows += [(name.replace("_", " "), str(value)) for name, value in meta.get("pipeline", {}).items()]
    rows += [(name, str(value)) for name, value in meta.get("device", {}).items()]
    rows += [("note", note) for note in meta.get("notes", ())]
    body = "".join(f"<tr><td>{escape(name)}</td><td class='left'>{escape(text)}</td></tr>" for name, text in rows)
    return f"<section><h2>Input and device</h2><table>{body}</table></section>"


def _counts(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    return str(value) if value else "none"


def _mean(values: Sequence[float]) -> str:
    known = [v for v in values if math.isfinite(v)]
    return f"{sum(known) / len(known):.2f}" if known else "–"


def _format(value: Any, form: str) -> str:
    return form.format(value) if isinstance(value, (int, float)) else "<span class='none'>–</span>"


def _test_of(code: str) -> str:
    return escape(REASONS[code].test) if code in REASONS else ""


def _css(color: Sequence[int]) -> str:
    return f"rgb({color[0]},{color[1]},{color[2]})"


def _dot(class_name: str) -> str:
    return f"<span class='dot' style='background:{_css(CLASS_COLORS[class_name])}'></span>"


def _semantic_dot(name: str) -> str:
    return f"<span class='dot' style='background:{_css(SEMANTIC_COLORS[SEMANTIC_NAMES.index(name)])}'></span>"
