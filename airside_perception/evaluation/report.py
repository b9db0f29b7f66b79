"""The report of an evaluation: one HTML file that needs nothing else, and no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from airside_perception.config import ExplainConfig
from airside_perception.errors import AirsideError
from airside_perception.evaluation.report_points import points_section
from airside_perception.evaluation.report_sections import (
    errors_section,
    figures_section,
    input_section,
    timing_section,
    tracks_section,
)
from airside_perception.evaluation.report_style import STYLE
from airside_perception.evaluation.sequence_scores import SequenceScores
from airside_perception.evaluation.track_history import TrackHistory
from airside_perception.explain.birds_eye import draw_birds_eye
from airside_perception.explain.overlay import draw_overlay
from airside_perception.explain.voxel_view import draw_voxels
from airside_perception.prior import ObjectPrior
from airside_perception.records import SceneEstimate

_JPEG_QUALITY = 84

_VOXEL_SIZE = (960, 742)
"""As high beside the bird's-eye map as that is."""


@dataclass(frozen=True)
class ReportSample:
    """Pictures of one frame, as JPEG bytes.

    Attributes:
        stamp_ns: of the frame.
        overlays: camera name -> overlay.
        birds_eye, voxels: the scene from above and in perspective.
    """

    stamp_ns: int
    overlays: Mapping[str, bytes]
    birds_eye: bytes
    voxels: bytes

    @staticmethod
    def draw(
        scene: SceneEstimate, prior: ObjectPrior | None, config: ExplainConfig, truth: Mapping[str, Any] | None
    ) -> ReportSample:
        """Draw one scene.

        Args:
            scene: what was estimated.
            prior: decodes meshes, or None.
            config: of the overlays.
            truth: the frame's ground truth, or None.
        """
        overlays = {name: jpeg(draw_overlay(scene, name, prior, config)) for name in scene.frame.images}
        return ReportSample(
            scene.stamp_ns, overlays, jpeg(draw_birds_eye(scene, truth)), jpeg(draw_voxels(scene, *_VOXEL_SIZE))
        )


@dataclass(frozen=True)
class SequenceReport:
    """What the report shows of one sequence."""

    name: str
    meta: Mapping[str, Any]
    scores: SequenceScores
    history: TrackHistory
    samples: Sequence[ReportSample]


def jpeg(rgb: np.ndarray) -> bytes:
    """An RGB image (H, W, 3) uint8 as JPEG."""
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()


def write_report(folder: Path, summary: Mapping[str, Any], sequences: Sequence[SequenceReport]) -> Path:
    """Write `folder`/index.html.

    Args:
        folder: made if needed.
        summary: content of summary.json.
        sequences: what to show of each.

    Returns:
        Path of the file.

    Raises:
        AirsideError: it cannot be written.
    """
    body = [
        _headline(summary, sequences),
        figures_section(summary),
        points_section(summary),
        timing_section(summary, [s.scores for s in sequences]),
    ]
    for sequence in sequences:
        body.append(_sequence(sequence, alone=len(sequences) == 1))
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Airside perception: evaluation</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>"
    )
    path = folder / "index.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise AirsideError(f"{path}: cannot be written ({error.strerror})") from error
    return path


def _headline(summary: Mapping[str, Any], sequences: Sequence[SequenceReport]) -> str:
    meta = summary.get("meta", {})
    names = ", ".join(escape(s.name) for s in sequences)
    refine = "refined by rendering" if meta.get("refine") else "not refined"
    detector = {"file": "from a file", "network": "from the network"}.get(meta.get("detections"), "none")
    return (
        f"<header><h1>Evaluation</h1><p>{names} &middot; {summary['frames']} frames &middot; detections {detector}, "
        f"{refine} &middot; scored up to {meta.get('max_range_m', 0):g} m</p></header>"
    )


def _sequence(sequence: SequenceReport, alone: bool) -> str:
    title = "" if alone else f"<h2 class='sequence'>{escape(sequence.name)}</h2>"
    pictures = [_sample(sample, sequence.history) for sample in sequence.samples]
    # One frame in full view; tracks have a history in the middle of a sequence.
    first = pictures.pop(len(pictures) // 2) if pictures else ""
    more = f"<details><summary>{len(pictures)} more frames</summary>{''.join(pictures)}</details>" if pictures else ""
    return "".join(
        [
            title,
            first,
            more,
            errors_section(sequence.scores),
            tracks_section(sequence.history),
            input_section(sequence.meta),
        ]
    )


def _sample(sample: ReportSample, history: TrackHistory) -> str:
    seconds = (sample.stamp_ns - history.stamps_ns[0]) / 1e9 if history.stamps_ns else 0.0
    scene = _image(sample.birds_eye, "bird's eye") + _image(sample.voxels, "voxels")
    cameras = "".join(_image(data, name) for name, data in sample.overlays.items())
    columns = "two" if len(sample.overlays) in (1, 2, 4) else "three"
    return (
        f"<section><h2>Frame at {seconds:.1f} s</h2><div class='pictures wide'>{scene}</div>"
        f"<div class='pictures {columns}'>{cameras}</div></section>"
    )


def _image(data: bytes, caption: str) -> str:
    encoded = base64.b64encode(data).decode("ascii")
    return f"<figure><img alt='{escape(caption)}' src='data:image/jpeg;base64,{encoded}'></figure>"
