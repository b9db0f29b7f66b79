"""What the live node counts about itself, and when that is a reason to worry. No ROS in here.

The rules stand in docs/diagnostics.md. All times are the receiver's monotonic clock.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from airside_perception.ros.status import Level, Status, worst
from airside_perception.ros.stream_health import StreamHealth, StreamRules


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


@dataclass(frozen=True)
class HealthRules:
    """When silence or slowness is a reason to worry.

    Attributes:
        timeout_s: a stream that is silent for longer is an error.
        required: cameras whose silence is an error, that of others a warning; empty: all.
        frame_timeout_s: a frame in work for longer is an error.
    """

    timeout_s: float = 1.0
    required: tuple[str, ...] = ()
    frame_timeout_s: float = 10.0

    def of_camera(self, name: str) -> StreamRules:
        """What is expected of one camera."""
        return StreamRules(self.timeout_s, not self.required or name in self.required)


@dataclass
class _Work:
    """What the worker did and does."""

    processed: int = 0
    began_s: float | None = None
    failing: bool = False
    last_error: str = ""
    latencies: StageLatencies = field(default_factory=StageLatencies)
    degraded: dict[str, int] = field(default_factory=dict)
    degraded_reported: dict[str, int] = field(default_factory=dict)


class NodeHealth:
    """All counters of the node. Written by the receiving thread and the worker, read by the report timer.

    Args:
        cameras: names of the rig's cameras.
        rules: when to worry.
        device: what computes, for the report ("engine", "refiner").
    """

    def __init__(
        self, cameras: Iterable[str], rules: HealthRules | None = None, device: Mapping[str, str] | None = None
    ):
        self.cameras = {name: StreamHealth() for name in cameras}
        self.odometry = StreamHealth()
        self.device = dict(device or {})
        self.counters: Counter[str] = Counter()
        self._rules = rules or HealthRules()
        self._work = _Work()
        self._first_arrival_s: float | None = None
        self._frame_stamps: deque[int] = deque(maxlen=20)
        self._waiting = 0
        self._lock = threading.Lock()

    @property
    def processed(self) -> int:
        """Frames that went through the whole pipeline."""
        return self._work.processed

    def image_arrived(self, camera: str, now_s: float) -> None:
        """An image message came in."""
        with self._lock:
            self._note_arrival(now_s)
            self.cameras[camera].arrived(now_s)

    def image_failed(self, camera: str, kind: str, reason: str) -> None:
        """An image could not be used."""
        with self._lock:
            self.cameras[camera].failed(kind, reason)

    def odometry_arrived(self, now_s: float) -> None:
        """An odometry message came in."""
        with self._lock:
            self._note_arrival(now_s)
            self.odometry.arrived(now_s)

    def odometry_failed(self, kind: str, reason: str) -> None:
        """An odometry message could not be used, or broke with those before it."""
        with self._lock:
            self.odometry.failed(kind, reason)

    def count(self, counter: str, amount: int = 1) -> None:
        """Add to a named counter ("frames_dropped", "tracker_resets")."""
        with self._lock:
            self.counters[counter] += amount

    def observe_synchronizer(
        self, counters: Mapping[str, int], dropped: Mapping[str, int], missing: Mapping[str, int]
    ) -> None:
        """Totals that the synchroniser keeps.

        Args:
            counters: named totals; "sync_sets" is the number of frames.
            dropped: camera -> images that entered no frame.
            missing: camera -> frames without it.
        """
        with self._lock:
            self.counters.update({name: value - self.counters[name] for name, value in counters.items()})
            for name, camera in self.cameras.items():
                camera.dropped = dropped.get(name, 0)
                camera.observe_frames(missing.get(name, 0), counters.get("sync_sets", 0))

    def frame_ready(self, stamp_ns: int) -> None:
        """The synchroniser made a frame; tells the period that the worker has to keep up with."""
        with self._lock:
            if self._frame_stamps and stamp_ns <= self._frame_stamps[-1]:
                self._frame_stamps.clear()
            self._frame_stamps.append(stamp_ns)

    def observe_queue(self, waiting: int) -> None:
        """How many frames wait for the worker."""
        with self._lock:
            self._waiting = waiting

    def observe_pipeline(self, counts: Mapping[str, int]) -> None:
        """Totals of what went wrong inside frames that still gave a result ("network_failures")."""
        with self._lock:
            self._work.degraded = dict(counts)

    def frame_begun(self, now_s: float) -> None:
        """The worker took a frame."""
        with self._lock:
            self._work.began_s = now_s

    def frame_ended(self) -> None:
        """The worker is idle again, whatever became of the frame."""
        with self._lock:
            self._work.began_s = None

    def frame_done(self, timing_ms: Mapping[str, float]) -> None:
        """A frame went through the whole pipeline and was published; "total" is held against the period."""
        with self._lock:
            self._work.processed += 1
            self._work.failing = False
            self._work.latencies.add(timing_ms)

    def frame_failed(self, reason: str) -> None:
        """The worker raised on a frame."""
        with self._lock:
            self.counters["frames_failed"] += 1
            self._work.failing = True
            self._work.last_error = reason

    def report(self, now_s: float) -> list[Status]:
        """The whole node first, then one status per stream and per concern."""
        with self._lock:
            waiting_s = 0.0 if self._first_arrival_s is None else now_s - self._first_arrival_s
            rules = self._rules
            parts = [
                *(c.status(f"camera {n}", now_s, rules.of_camera(n), waiting_s) for n, c in self.cameras.items()),
                self.odometry.status("odometry", now_s, StreamRules(rules.timeout_s), waiting_s),
                self._frames_status(now_s),
                Status("device", Level.OK, self.device.get("engine", "no engine"), self.device),
            ]
        first = worst(parts)
        message = "all well" if first.level == Level.OK else f"{first.name}: {first.message}"
        return [Status("summary", first.level, message, {"frames_processed": str(self.processed)}), *parts]

    def _note_arrival(self, now_s: float) -> None:
        if self._first_arrival_s is None:
            self._first_arrival_s = now_s

    def _period_ms(self) -> float:
        """Median distance of the frames' stamps; 0 with fewer than two."""
        if len(self._frame_stamps) < 2:
            return 0.0
        return float(np.median(np.diff(np.array(self._frame_stamps)))) / 1e6

    def _frames_status(self, now_s: float) -> Status:
        work, percentiles, period = self._work, self._work.latencies.percentiles(), self._period_ms()
        in_work_s = 0.0 if work.began_s is None else now_s - work.began_s
        p95 = percentiles.get("total", percentiles.get("frame", (0.0, 0.0)))[1]
        level, message = self._judge_frames(in_work_s, p95, period)
        values = {
            "processed": str(work.processed),
            "period_ms": f"{period:.1f}",
            "queue": str(self._waiting),
            "in_work_s": f"{in_work_s:.2f}",
            "last_error": work.last_error,
        }
        totals = Counter(self.counters)
        totals.update(work.degraded)
        values |= {counter: str(count) for counter, count in sorted(totals.items())}
        for stage, (median, high) in percentiles.items():
            values[f"{stage}_p50_ms"], values[f"{stage}_p95_ms"] = f"{median:.2f}", f"{high:.2f}"
        return Status("frames", level, message, values)

    def _judge_frames(self, in_work_s: float, p95: float, period: float) -> tuple[Level, str]:
        work = self._work
        new_failures = [name for name, count in work.degraded.items() if count > work.degraded_reported.get(name, 0)]
        work.degraded_reported = dict(work.degraded)
        if in_work_s > self._rules.frame_timeout_s:
            return Level.ERROR, f"a frame has been in work for {in_work_s:.0f} s"
        if work.failing:
            return Level.ERROR, f"the last frame failed: {work.last_error}"
        if work.processed == 0:
            return Level.STALE, "no frame processed yet"
        if new_failures:
            return Level.WARN, f"{', '.join(new_failures)} since the last report"
        if period and p95 > period:
            return Level.WARN, f"p95 {p95:.0f} ms exceeds the frame period {period:.0f} ms: frames are dropped"
        return Level.OK, f"p95 {p95:.0f} ms"
