"""What the live node counts about itself, and when that is a reason to worry. No ROS in here.

Ages and rates use the receiver's monotonic clock, never message stamps: they must stay true when
simulated time stands still or a bag starts again.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np


class Level(IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


# How bad a level is for the whole node: nothing heard yet is worse than a warning, better than an error.
_SEVERITY = {Level.OK: 0, Level.WARN: 1, Level.STALE: 2, Level.ERROR: 3}


@dataclass(frozen=True)
class Status:
    """One line of the diagnostics: who, how bad, why, and the figures behind it."""

    name: str
    level: Level
    message: str
    values: Mapping[str, str] = field(default_factory=dict)


class StreamHealth:
    """Arrival record of one input stream (a camera, the odometry)."""

    WINDOW = 50

    def __init__(self) -> None:
        self.received = 0
        self.dropped = 0
        self.faults: Counter[str] = Counter()
        self.last_fault = ""
        self._arrivals: deque[float] = deque(maxlen=self.WINDOW)
        self._faults_reported = 0

    def arrived(self, now_s: float) -> None:
        """A message came in, whatever it holds."""
        self.received += 1
        self._arrivals.append(now_s)

    def failed(self, kind: str, reason: str) -> None:
        """A message could not be used; `kind` is what is counted ("corrupt", "wrong_size")."""
        self.faults[kind] += 1
        self.last_fault = reason

    def age_s(self, now_s: float) -> float | None:
        """Seconds since the last arrival, None before the first."""
        return now_s - self._arrivals[-1] if self._arrivals else None

    def rate_hz(self) -> float:
        """Mean rate over the last arrivals; 0 with fewer than two."""
        if len(self._arrivals) < 2 or self._arrivals[-1] <= self._arrivals[0]:
            return 0.0
        return (len(self._arrivals) - 1) / (self._arrivals[-1] - self._arrivals[0])

    def status(self, name: str, now_s: float, timeout_s: float) -> Status:
        """STALE before the first message, ERROR when silent for `timeout_s`, WARN after new faults."""
        age = self.age_s(now_s)
        new_faults = self.faults.total() - self._faults_reported
        self._faults_reported = self.faults.total()
        if age is None:
            level, message = Level.STALE, "nothing received yet"
        elif age > timeout_s:
            level, message = Level.ERROR, f"silent for {age:.1f} s (limit {timeout_s:.1f} s)"
        elif new_faults:
            level, message = Level.WARN, f"{new_faults} unusable since the last report: {self.last_fault}"
        else:
            level, message = Level.OK, f"{self.rate_hz():.1f} Hz"
        values = {
            "received": str(self.received),
            "age_s": "" if age is None else f"{age:.3f}",
            "rate_hz": f"{self.rate_hz():.2f}",
            "dropped": str(self.dropped),
            **{kind: str(count) for kind, count in sorted(self.faults.items())},
        }
        return Status(name, level, message, values)


class StageLatencies:
    """Recent durations of each stage of the pipeline."""

    def __init__(self, window: int = 100):
        self._window = window
        self._samples: dict[str, deque[float]] = {}

    def add(self, timing_ms: Mapping[str, float]) -> None:
        """One frame's `SceneEstimate.timing_ms`, or any other named milliseconds."""
        for stage, milliseconds in timing_ms.items():
            self._samples.setdefault(stage, deque(maxlen=self._window)).append(float(milliseconds))

    def percentiles(self) -> dict[str, tuple[float, float]]:
        """Stage -> (p50, p95) milliseconds over the window."""
        return {
            stage: (float(np.percentile(samples, 50)), float(np.percentile(samples, 95)))
            for stage, samples in self._samples.items()
        }


class NodeHealth:
    """All counters of the node. Written by the receiving thread and the worker, read by the report timer.

    Args:
        cameras: names of the rig's cameras; all of them are required.
        timeout_s: a stream that is silent for longer is an error.
    """

    def __init__(self, cameras: Iterable[str], timeout_s: float = 1.0):
        self.cameras = {name: StreamHealth() for name in cameras}
        self.odometry = StreamHealth()
        self.device: Mapping[str, str] = {}
        self.processed = 0
        self.counters: Counter[str] = Counter()
        self._timeout_s = timeout_s
        self._latencies = StageLatencies()
        self._last_error = ""
        self._failing = False
        self._frame_stamps: deque[int] = deque(maxlen=20)
        self._degraded: dict[str, int] = {}
        self._degraded_reported: dict[str, int] = {}
        self._lock = threading.Lock()

    def image_arrived(self, camera: str, now_s: float) -> None:
        """An image message came in."""
        with self._lock:
            self.cameras[camera].arrived(now_s)

    def image_failed(self, camera: str, kind: str, reason: str) -> None:
        """An image could not be used."""
        with self._lock:
            self.cameras[camera].failed(kind, reason)

    def odometry_arrived(self, now_s: float, fault: str = "") -> None:
        """An odometry message came in; `fault` says why it could not be used."""
        with self._lock:
            self.odometry.arrived(now_s)
            if fault:
                self.odometry.failed("invalid", fault)

    def count(self, counter: str, amount: int = 1) -> None:
        """Add to a named counter ("frames_dropped_stale", "time_jumps")."""
        with self._lock:
            self.counters[counter] += amount

    def observe_synchronizer(self, counters: Mapping[str, int], dropped: Mapping[str, int]) -> None:
        """Totals that the synchroniser keeps: named counters, and camera -> images that entered no set."""
        with self._lock:
            for name, value in counters.items():
                self.counters[name] = value
            for camera, count in dropped.items():
                self.cameras[camera].dropped = count

    def frame_ready(self, stamp_ns: int) -> None:
        """The synchroniser made a frame; tells the period that the worker has to keep up with."""
        with self._lock:
            if self._frame_stamps and stamp_ns <= self._frame_stamps[-1]:
                self._frame_stamps.clear()
            self._frame_stamps.append(stamp_ns)

    def observe_pipeline(self, counts: Mapping[str, int]) -> None:
        """Totals of what went wrong inside frames that still gave a result ("network_failures")."""
        with self._lock:
            self._degraded = dict(counts)

    def frame_done(self, timing_ms: Mapping[str, float]) -> None:
        """A frame went through the whole pipeline and was published; "total" is held against the period."""
        with self._lock:
            self.processed += 1
            self._failing = False
            self._latencies.add(timing_ms)

    def frame_failed(self, reason: str) -> None:
        """The worker raised on a frame."""
        with self._lock:
            self.counters["frames_failed"] += 1
            self._failing = True
            self._last_error = reason

    def report(self, now_s: float) -> list[Status]:
        """The whole node first, then one status per stream and per concern."""
        with self._lock:
            parts = [
                *(self.cameras[name].status(f"camera {name}", now_s, self._timeout_s) for name in self.cameras),
                self.odometry.status("odometry", now_s, self._timeout_s),
                self._frames_status(),
                Status("device", Level.OK, self.device.get("engine", "no engine"), self.device),
            ]
        worst = max(parts, key=lambda part: _SEVERITY[part.level])
        message = "all well" if worst.level == Level.OK else f"{worst.name}: {worst.message}"
        return [Status("summary", worst.level, message, {"frames_processed": str(self.processed)}), *parts]

    def _period_ms(self) -> float:
        """Median distance of the frames' stamps; 0 with fewer than two."""
        if len(self._frame_stamps) < 2:
            return 0.0
        return float(np.median(np.diff(np.array(self._frame_stamps)))) / 1e6

    def _frames_status(self) -> Status:
        percentiles = self._latencies.percentiles()
        period = self._period_ms()
        p95 = percentiles.get("total", percentiles.get("frame", (0.0, 0.0)))[1]
        new_failures = [name for name, count in self._degraded.items() if count > self._degraded_reported.get(name, 0)]
        self._degraded_reported = dict(self._degraded)
        if self._failing:
            level, message = Level.ERROR, f"the last frame failed: {self._last_error}"
        elif self.processed == 0:
            level, message = Level.STALE, "no frame processed yet"
        elif new_failures:
            level, message = Level.WARN, f"{', '.join(new_failures)} since the last report"
        elif period and p95 > period:
            level, message = (
                Level.WARN,
                f"p95 {p95:.0f} ms exceeds the frame period {period:.0f} ms: frames are dropped",
            )
        else:
            level, message = Level.OK, f"p95 {p95:.0f} ms"
        values = {"processed": str(self.processed), "period_ms": f"{period:.1f}", "last_error": self._last_error}
        values |= {counter: str(count) for counter, count in sorted((self.counters + Counter(self._degraded)).items())}
        for stage, (median, high) in percentiles.items():
            values[f"{stage}_p50_ms"], values[f"{stage}_p95_ms"] = f"{median:.2f}", f"{high:.2f}"
        return Status("frames", level, message, values)
