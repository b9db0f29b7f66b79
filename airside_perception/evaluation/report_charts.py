"""Charts of the report as inline SVG: no scripts, no files, no requests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

GRID, AXIS, MUTED = "#e6e9ee", "#9aa4b2", "#667085"

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 34


class Axes:
    """A plot with two linear axes; collect marks, then ask for `svg`.

    Args:
        x_range, y_range: values at the ends of the axes.
        x_label, y_label: what they are, with unit.
        width, height: pixels.
    """

    def __init__(
        self,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        x_label: str,
        y_label: str,
        width: int = 460,
        height: int = 240,
    ):
        self._x_range, self._y_range = _widened(x_range), _widened(y_range)
        self._size = (width, height)
        self._labels = (x_label, y_label)
        self._marks: list[str] = []

    def points(self, x: Sequence[float], y: Sequence[float], color: str, radius: float = 2.2) -> None:
        """Scatter; values outside the axes are drawn at their border."""
        self._marks += [
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius}" fill="{color}" fill-opacity="0.5"/>'
            for a, b in zip(self._x(x), self._y(y), strict=True)
        ]

    def curve(self, x: Sequence[float], y: Sequence[float], color: str, width: float = 1.6, dash: str = "") -> None:
        """A line that breaks where y is not finite."""
        pieces: list[list[str]] = [[]]
        for a, b, value in zip(self._x(x), self._y(y), y, strict=True):
            if math.isfinite(value):
                pieces[-1].append(f"{a:.1f},{b:.1f}")
            elif pieces[-1]:
                pieces.append([])
        style = f' stroke-dasharray="{dash}"' if dash else ""
        self._marks += [
            f'<polyline points="{" ".join(piece)}" fill="none" stroke="{color}" stroke-width="{width}"{style} '
            'stroke-linejoin="round" stroke-linecap="round"/>'
            for piece in pieces
            if piece
        ]

    def bars(self, edges: Sequence[float], values: Sequence[float], color: str) -> None:
        """Histogram bars between neighbouring edges, from zero."""
        x, top, zero = self._x(edges), self._y(values), float(self._y([0.0])[0])
        self._marks += [
            f'<rect x="{a + 0.5:.1f}" y="{y:.1f}" width="{max(b - a - 1, 0.5):.1f}" height="{max(zero - y, 0):.1f}" '
            f'fill="{color}"/>'
            for a, b, y in zip(x[:-1], x[1:], top, strict=True)
        ]

    def svg(self) -> str:
        """The finished chart."""
        width, height = self._size
        parts = [_open(width, height)]
        for value in _ticks(*self._y_range):
            y = float(self._y([value])[0])
            parts.append(f'<line x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
            parts.append(_text(_LEFT - 6, y + 3.5, _number(value), "end"))
        for value in _ticks(*self._x_range):
            x = float(self._x([value])[0])
            parts.append(_text(x, height - _BOTTOM + 14, _number(value), "middle"))
        base = height - _BOTTOM
        parts.append(f'<line x1="{_LEFT}" x2="{width - _RIGHT}" y1="{base}" y2="{base}" stroke="{AXIS}"/>')
        parts += self._marks
        parts.append(_text((_LEFT + width - _RIGHT) / 2, height - 4, self._labels[0], "middle"))
        parts.append(_text(4, _TOP - 2, self._labels[1], "start"))
        return "".join([*parts, "</svg>"])

    def _x(self, values: Sequence[float]) -> np.ndarray:
        low, high = self._x_range
        share = np.clip((np.nan_to_num(np.asarray(values, float)) - low) / (high - low), 0, 1)
        return _LEFT + share * (self._size[0] - _LEFT - _RIGHT)

    def _y(self, values: Sequence[float]) -> np.ndarray:
        low, high = self._y_range
        share = np.clip((np.nan_to_num(np.asarray(values, float)) - low) / (high - low), 0, 1)
        return self._size[1] - _BOTTOM - share * (self._size[1] - _TOP - _BOTTOM - 8)


def stage_bars(stages: Mapping[str, Mapping[str, float]], width: int = 640) -> str:
    """Horizontal bars of p50 with a whisker to p95, longest first; values in milliseconds."""
    ordered = sorted(stages.items(), key=lambda item: -item[1]["p50"])
    if not ordered:
        return ""
    longest = max(values["p95"] for _, values in ordered) or 1.0
    row, left, right = 24, 150, 130
    span = width - left - right
    parts = [_open(width, row * len(ordered) + 4)]
    for number, (name, values) in enumerate(ordered):
        middle = row * number + row / 2 + 2
        p50, p95 = (span * values[key] / longest for key in ("p50", "p95"))
        color = "#344054" if name == "frame" else "#4c8bf5"
        parts.append(_text(left - 8, middle + 4, name.replace("_", " "), "end", "#1d2939"))
        parts.append(f'<rect x="{left}" y="{middle - 7:.1f}" width="{max(p50, 1):.1f}" height="14" fill="{color}"/>')
        parts.append(
            f'<path d="M{left + p50:.1f} {middle:.1f}H{left + p95:.1f}M{left + p95:.1f} {middle - 5:.1f}v10" '
            f'stroke="{AXIS}" stroke-width="1.5" fill="none"/>'
        )
        text = f"{values['p50']:.1f} / {values['p95']:.1f} ms"
        parts.append(_text(width - right + 8, middle + 4, text, "start"))
    return "".join([*parts, "</svg>"])


def fraction_bar(value: float | None, color: str = "#4c8bf5", width: int = 120) -> str:
    """A bar for a fraction 0..1, or a dash where it is unknown."""
    if value is None:
        return '<span class="none">not scored</span>'
    filled = max(min(value, 1.0), 0.0) * width
    return (
        f"{_open(width, 10)}"
        f'<rect width="{width}" height="10" rx="2" fill="{GRID}"/>'
        f'<rect width="{filled:.1f}" height="10" rx="2" fill="{color}"/></svg> <b>{value:.3f}</b>'
    )


def life_line(
    alive: Sequence[tuple[float, str]], span: tuple[float, float], period: float, color: str, width: int = 170
) -> str:
    """When a track was measured (solid) and when only predicted (pale).

    Args:
        alive: (seconds, state) of every frame of the track.
        span: first and last second of the sequence.
        period: seconds per frame.
        color: of the track's class.
        width: pixels.
    """
    scale = width / max(span[1] - span[0] + period, 1e-9)
    parts = [_open(width, 12), f'<rect y="4" width="{width}" height="4" rx="2" fill="{GRID}"/>']
    for start, stop, state in _stretches(alive, period):
        opacity = 0.35 if state == "coasting" else 1
        x, wide = (start - span[0]) * scale, max((stop - start) * scale, 1.0)
        parts.append(
            f'<rect x="{x:.1f}" y="1" width="{wide:.1f}" height="10" fill="{color}" fill-opacity="{opacity}"/>'
        )
    return "".join([*parts, "</svg>"])


def spark_lines(series: Sequence[tuple[Sequence[float], str]], top: float, width: int = 120, height: int = 30) -> str:
    """Small curves without axes, over one timeline, from 0 to `top`; broken where not finite."""
    parts = [_open(width, height)]
    for values, color in series:
        count = max(len(values) - 1, 1)
        pieces: list[list[str]] = [[]]
        for k, value in enumerate(values):
            if math.isfinite(value):
                y = height - 2 - min(max(value / max(top, 1e-9), 0.0), 1.0) * (height - 4)
                pieces[-1].append(f"{1 + k * (width - 2) / count:.1f},{y:.1f}")
            elif pieces[-1]:
                pieces.append([])
        for piece in pieces:
            if len(piece) == 1:
                across, down = piece[0].split(",")
                parts.append(f'<circle cx="{across}" cy="{down}" r="1.5" fill="{color}"/>')
            elif piece:
                points = " ".join(piece)
                parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.4"/>')
    return "".join([*parts, "</svg>"])


def _stretches(alive: Sequence[tuple[float, str]], period: float) -> list[tuple[float, float, str]]:
    """(start, stop, state) of runs of frames without a gap and with one state."""
    runs: list[tuple[float, float, str]] = []
    for second, state in alive:
        if runs and runs[-1][2] == state and second - runs[-1][1] < 0.5 * period:
            runs[-1] = (runs[-1][0], second + period, state)
        else:
            runs.append((second, second + period, state))
    return runs


def _open(width: float, height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img">'
    )


def _text(x: float, y: float, text: str, anchor: str, color: str = MUTED) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'


def _widened(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    return (low, high) if high > low else (low, low + 1.0)


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values inside the range."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e4 else f"{value:.0f}"
