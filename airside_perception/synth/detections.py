"""Detections as an outside, camera-only 3D detector would give them: ground truth with a detector's errors.

A real detector errs in time as one piece: it sees the same truck too far away for seconds, misses the
same half-hidden person frame after frame. So every error is a mixture of a part that stays with the
object, a part that drifts, and a part that is new in every frame. White noise alone would be smoothed
away by any filter and flatter every tracker.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtr

from airside_perception.classes import OBJECT_CLASSES

_TYPICAL_SIZE = {"aircraft": (30.0, 28.0, 9.5), "gse": (5.5, 2.2, 2.3), "person": (0.6, 0.6, 1.75)}


@dataclass(frozen=True)
class DetectorErrors:
    """How a detector errs; the defaults are those of a good camera-only one.

    Attributes:
        range_sigma: (metres, metres per metre of range) along the line of sight.
        lateral_share: sigma across the line of sight over that along it.
        ground_sigma: metres, height of the box's bottom.
        size_sigma: relative, each of length, width, height; half of its variance goes with range, since
            a camera can't tell far and big from near and small.
        yaw_sigma_deg: by class.
        flip_rate: share of the time that a heading is turned round.
        miss_rate: share of missed objects where nothing makes it hard.
        easy_range, max_range: metres; between them misses grow, beyond nothing is found.
        min_visibility, easy_visibility: fractions; between them misses fall.
        false_alarms: mean number per frame.
        false_alarm_s: mean life of one, seconds.
        shares: variance shares of the constant, drifting and white part of every error.
        drift_s: correlation time of the drifting part, seconds.
    """

    range_sigma: tuple[float, float] = (0.3, 0.025)
    lateral_share: float = 0.5
    ground_sigma: float = 0.08
    size_sigma: float = 0.08
    yaw_sigma_deg: Mapping[str, float] = field(default_factory=lambda: {"aircraft": 6.0, "gse": 12.0, "person": 40.0})
    flip_rate: float = 0.04
    miss_rate: float = 0.10
    easy_range: float = 20.0
    max_range: float = 60.0
    min_visibility: float = 0.05
    easy_visibility: float = 0.5
    false_alarms: float = 0.3
    false_alarm_s: float = 0.3
    shares: tuple[float, float, float] = (0.4, 0.35, 0.25)
    drift_s: float = 1.5

    def miss_probability(self, distance: float, visibility: float) -> float:
        """Chance to miss an object at `distance` metres of which the fraction `visibility` shows."""
        if distance > self.max_range or visibility < self.min_visibility:
            return 1.0
        far = max(distance - self.easy_range, 0.0) / (self.max_range - self.easy_range)
        hidden = max(self.easy_visibility - visibility, 0.0) / (self.easy_visibility - self.min_visibility)
        return 1 - (1 - self.miss_rate) * (1 - 0.5 * far) * (1 - 0.8 * hidden)


def simulate_detections(
    frames: Sequence[Mapping[str, Any]], seed: int, errors: DetectorErrors | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Detections of a sequence.

    Args:
        frames: "frames" of tracks.json, in time order.
        seed: decides all errors; an object's errors do not depend on the other objects.
        errors: of the detector.

    Returns:
        The content of a detections file: stamp_ns as text -> entries in odom, best first.
    """
    detector = SimulatedDetector(seed, errors)
    return {str(frame["stamp_ns"]): detector.detect(frame) for frame in frames}


class SimulatedDetector:
    """The detector of one sequence, frame by frame; arguments as of `simulate_detections`."""

    def __init__(self, seed: int, errors: DetectorErrors | None = None) -> None:
        self._seed = seed
        self._errors = errors or DetectorErrors()
        self._sources: dict[str, _ErrorSource] = {}
        self._alarms = _FalseAlarms(np.random.default_rng([seed, 4242]), self._errors)
        self._first_ns: int | None = None

    def detect(self, frame: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Entries of the next frame, odom, best first.

        Args:
            frame: one of "frames" of tracks.json, later than those before.
        """
        if self._first_ns is None:
            self._first_ns = int(frame["stamp_ns"])
        time_s = (frame["stamp_ns"] - self._first_ns) * 1e-9
        ego = np.asarray(frame["ego_pose"]["translation"], float)
        entries = self._alarms.at(time_s, ego)
        for truth in frame["objects"]:
            name = str(truth["id"])
            if name not in self._sources:
                own = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
                self._sources[name] = _ErrorSource(own, self._errors)
            entry = self._sources[name].detect(truth, ego, time_s)
            if entry is not None:
                entries.append(entry)
        return sorted(entries, key=lambda entry: -entry["score"])


class _ErrorSource:
    """Errors of one object over time, each of unit variance until it is scaled."""

    _NAMES = ("along", "across", "ground", "length", "width", "height", "yaw", "flip", "miss", "score")

    def __init__(self, rng: np.random.Generator, errors: DetectorErrors):
        self._rng, self._errors = rng, errors
        self._constant = rng.standard_normal(len(self._NAMES))
        self._drift = rng.standard_normal(len(self._NAMES))
        self._time: float | None = None

    def _draw(self, time_s: float) -> dict[str, float]:
        if self._time is not None:
            keep = np.exp(-max(time_s - self._time, 0.0) / self._errors.drift_s)
            fresh = self._rng.standard_normal(len(self._NAMES))
            self._drift = keep * self._drift + np.sqrt(1 - keep**2) * fresh
        self._time = time_s
        parts = np.stack([self._constant, self._drift, self._rng.standard_normal(len(self._NAMES))])
        values = np.sqrt(np.asarray(self._errors.shares) / np.sum(self._errors.shares)) @ parts
        return dict(zip(self._NAMES, values.tolist(), strict=True))

    def detect(self, truth: Mapping[str, Any], ego: np.ndarray, time_s: float) -> dict[str, Any] | None:
        """The detection of a truth entry, or None where it is missed."""
        unit, errors = self._draw(time_s), self._errors
        center, size = np.asarray(truth["translation"], float), np.asarray(truth["size"], float)
        sight = center[:2] - ego[:2]
        distance = float(np.linalg.norm(sight))
        # The normal cumulative turns a correlated Gaussian into a correlated chance of the wanted rate.
        missed = errors.miss_probability(distance, float(truth["visibility"]))
        if ndtr(unit["miss"]) < missed:
            return None
        sight = sight / max(distance, 1e-6)
        sigma = errors.range_sigma[0] + errors.range_sigma[1] * distance
        across = sigma * errors.lateral_share * unit["across"]
        moved = center[:2] + sigma * unit["along"] * sight + across * np.array([-sight[1], sight[0]])
        own = np.array([unit["length"], unit["width"], unit["height"]])
        scaled = size * np.exp(errors.size_sigma * np.sqrt(0.5) * (own + unit["along"]))
        bottom = center[2] - size[2] / 2 + errors.ground_sigma * unit["ground"]
        # Objects of the apron stand upright: the quaternion turns about z alone.
        yaw = 2.0 * math.atan2(truth["rotation"][3], truth["rotation"][0])
        yaw += math.radians(errors.yaw_sigma_deg[truth["class"]]) * unit["yaw"]
        if ndtr(unit["flip"]) < errors.flip_rate:
            yaw += np.pi
        score = 0.93 - 0.75 * (missed - errors.miss_rate) + 0.06 * unit["score"]
        return _entry(truth["class"], [*moved, bottom + scaled[2] / 2], scaled, yaw, float(np.clip(score, 0.15, 0.99)))


class _FalseAlarms:
    """Things that are not there, for a few frames each, standing on the ground around the vehicle."""

    def __init__(self, rng: np.random.Generator, errors: DetectorErrors):
        self._rng, self._errors = rng, errors
        self._alive: list[dict[str, Any]] = []
        self._time: float | None = None

    def at(self, time_s: float, ego: np.ndarray) -> list[dict[str, Any]]:
        rng, errors = self._rng, self._errors
        if self._time is None:
            born = rng.poisson(errors.false_alarms)
        else:
            # Born and ended so that their mean number stays at `false_alarms`.
            stay = np.exp(-(time_s - self._time) / errors.false_alarm_s)
            self._alive = [alarm for alarm in self._alive if rng.random() < stay]
            born = rng.poisson(errors.false_alarms * (1 - stay))
        self._time = time_s
        self._alive += [self._invent(ego) for _ in range(born)]
        return [self._shaken(alarm) for alarm in self._alive]

    def _invent(self, ego: np.ndarray) -> dict[str, Any]:
        rng = self._rng
        name = OBJECT_CLASSES[int(rng.choice(len(OBJECT_CLASSES), p=[0.05, 0.6, 0.35]))]
        size = np.array(_TYPICAL_SIZE[name]) * np.exp(rng.normal(0, 0.2, 3))
        bearing, distance = rng.uniform(-np.pi, np.pi), rng.uniform(5, 45)
        center = ego + [distance * np.cos(bearing), distance * np.sin(bearing), size[2] / 2]
        score = float(np.clip(rng.beta(2, 3.5), 0.1, 0.9))
        return _entry(name, center, size, rng.uniform(-np.pi, np.pi), score)

    def _shaken(self, alarm: dict[str, Any]) -> dict[str, Any]:
        moved = np.array(alarm["translation"]) + [*self._rng.normal(0, 0.25, 2), 0.0]
        return {**alarm, "translation": [round(float(v), 4) for v in moved]}


def _entry(
    name: str, center: Sequence[float] | np.ndarray, size: np.ndarray, yaw: float, score: float
) -> dict[str, Any]:
    return {
        "translation": [round(float(v), 4) for v in center],
        "size": [round(float(v), 4) for v in size],
        "rotation": [round(math.cos(yaw / 2), 6), 0.0, 0.0, round(math.sin(yaw / 2), 6)],
        "class": name,
        "score": round(score, 4),
    }
