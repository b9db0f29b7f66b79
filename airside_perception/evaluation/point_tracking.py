"""Point tracking as the TAP-Vid benchmark scores it (Doersch et al. 2022, arXiv 2211.03726, section 3).

Protocol: images scaled to 256 x 256; a point is queried where it first shows ("queried first"); scored are the
frames after that. A point outside the image counts as occluded. Each camera of a sequence is a video, figures are
means over videos. Images that were lost are not scored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

THRESHOLDS = (1, 2, 4, 8, 16)
"""Pixels of the scaled image."""

SIDE = 256
"""Width and height of the scaled image, pixels."""

PROTOCOL = f"TAP-Vid, queried first, images scaled to {SIDE} x {SIDE}, mean over videos (one for each camera)"

MAIN_FIGURES = ("average_jaccard", "delta_avg", "occlusion_accuracy")


@dataclass(frozen=True)
class PointVideo:
    """True tracks of the points of one video.

    Attributes:
        query: (P,) int, frame in which each point first shows.
        pixels: (P, T, 2) float64 in the scaled image.
        visible: (P, T) bool.
        scored: (P, T) bool, frames after the query that have an image.
        on_object: (P,) bool, points of tracked objects; the others belong to the standing world.
    """

    query: np.ndarray
    pixels: np.ndarray
    visible: np.ndarray
    scored: np.ndarray
    on_object: np.ndarray

    def subset(self, chosen: np.ndarray) -> PointVideo:
        """Only the points that (P,) bool `chosen` names."""
        each = (self.query, self.pixels, self.visible, self.scored, self.on_object)
        return PointVideo(*(values[chosen] for values in each))

    def query_pixels(self) -> np.ndarray:
        """(P, 2) where each point is queried."""
        return self.pixels[np.arange(len(self.query)), self.query]


def video_figures(video: PointVideo, pixels: np.ndarray, visible: np.ndarray) -> dict[str, Any]:
    """Figures of one video.

    Args:
        video: the truth.
        pixels: (P, T, 2) predicted, in the scaled image.
        visible: (P, T) bool, predicted.

    Returns:
        average_jaccard, delta_avg and occlusion_accuracy as fractions, and "jaccard" and "delta" for each of
        THRESHOLDS; None where nothing could be counted.
    """
    scored, truly = video.scored, video.scored & video.visible
    claimed = scored & visible
    distance = np.linalg.norm(pixels - video.pixels, axis=-1)
    jaccard, delta = {}, {}
    for threshold in THRESHOLDS:
        near = truly & (distance < threshold)
        hits = int((near & claimed).sum())
        false_alarms = int((claimed & ~near).sum())
        jaccard[str(threshold)] = _ratio(hits, int(truly.sum()) + false_alarms)
        delta[str(threshold)] = _ratio(int(near.sum()), int(truly.sum()))
    return {
        "average_jaccard": _mean(jaccard.values()),
        "delta_avg": _mean(delta.values()),
        "occlusion_accuracy": _ratio(int((scored & (visible == video.visible)).sum()), int(scored.sum())),
        "jaccard": jaccard,
        "delta": delta,
    }


def no_motion(video: PointVideo) -> tuple[np.ndarray, np.ndarray]:
    """The baseline that leaves every point where it was queried, visible: (P, T, 2) pixels and (P, T) bool."""
    pixels = np.repeat(video.query_pixels()[:, None], video.pixels.shape[1], axis=1)
    return pixels, np.ones(pixels.shape[:2], bool)


def mean_figures(figures: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over videos of what `video_figures` gives, leaving out what a video could not count."""
    videos = list(figures)
    result: dict[str, Any] = {name: _mean(each[name] for each in videos) for name in MAIN_FIGURES}
    for name in ("jaccard", "delta"):
        result[name] = {str(t): _mean(each[name][str(t)] for each in videos) for t in THRESHOLDS}
    return result


def summarize_points(scored: Iterable[tuple[PointVideo, np.ndarray, np.ndarray]]) -> dict[str, Any] | None:
    """The part of summary.json on point tracks.

    Args:
        scored: truth, predicted pixels and predicted visibility of each video.

    Returns:
        Figures over all points, the same of those on objects, and of the no-motion baseline; None without a video.
    """
    videos = [each for each in scored if each[0].scored.any()]
    if not videos:
        return None
    on_objects = [
        (video.subset(video.on_object), pixels[video.on_object], visible[video.on_object])
        for video, pixels, visible in videos
    ]
    return {
        **_with_baseline(videos),
        "objects": _with_baseline([each for each in on_objects if each[0].scored.any()]),
        "videos": len(videos),
        "points": sum(len(video.query) for video, _, _ in videos),
        "protocol": PROTOCOL,
    }


def _with_baseline(videos: list[tuple[PointVideo, np.ndarray, np.ndarray]]) -> dict[str, Any]:
    return {
        **mean_figures(video_figures(*each) for each in videos),
        "no_motion": mean_figures(video_figures(video, *no_motion(video)) for video, _, _ in videos),
    }


def _ratio(count: int, of: int) -> float | None:
    return count / of if of else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
