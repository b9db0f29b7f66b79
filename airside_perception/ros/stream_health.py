"""Health of one input stream: a camera or the odometry. No ROS in here.

Ages and rates use the receiver's monotonic clock, never message stamps: they must stay true when
simulated time stands still or a bag starts again.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from airside_perception.ros.status import Level, Status

_MISSED_SHARE = 0.5
"""A living camera that is missing from more than this share of the new frames is warned of."""


@dataclass(frozen=True)
class StreamRules:
    """What is expected of a stream.

    Attributes:
        timeout_s: longer silence is an error.
        required: False: silence is a warning only.
    """

    timeout_s: float
    required: bool = True

    @property
    def silent(self) -> Level:
        """Level of a stream that is silent for too long."""
        return Level.ERROR if self.required else Level.WARN


class StreamHealth:
    """Arrival record of one input stream."""

    WINDOW = 50

    def __init__(self) -> None:
        self.received = 0
        self.dropped = 0
        self.faults: Counter[str] = Counter()
        self.last_fault = ""
        self._arrivals: deque[float] = deque(maxlen=self.WINDOW)
        self._faults_reported = 0
        self._missed, self._frames = 0, 0
        self._missed_reported, self._frames_reported = 0, 0

    def arrived(self, now_s: float) -> None:
        """A message came in, whatever it holds."""
        self.received += 1
        self._arrivals.append(now_s)

    def failed(self, kind: str, reason: str) -> None:
        """A message could not be used; `kind` is what is counted ("corrupt", "wrong_size")."""
        self.faults[kind] += 1
        self.last_fault = reason

    def observe_frames(self, missed: int, frames: int) -> None:
        """Totals of the synchroniser: frames without this stream, and all frames."""
        self._missed, self._frames = missed, frames

    def age_s(self, now_s: float) -> float | None:
        """Seconds since the last arrival, None before the first."""
        return now_s - self._arrivals[-1] if self._arrivals else None

    def rate_hz(self) -> float:
        """Mean rate over the last arrivals; 0 with fewer than two."""
        if len(self._arrivals) < 2 or self._arrivals[-1] <= self._arrivals[0]:
            return 0.0
        return (len(self._arrivals) - 1) / (self._arrivals[-1] - self._arrivals[0])

    def status(self, name: str, now_s: float, rules: StreamRules, waiting_s: float) -> Status:
        """The stream's line of the diagnostics; faults and missed frames count since the last call.

        Args:
            name: of the line.
            now_s: monotonic seconds.
            rules: what is expected.
            waiting_s: for how long other streams have been delivering; the first message is due within
                `rules.timeout_s` of that.
        """
        level, message = self._judge(now_s, rules, waiting_s)
        age = self.age_s(now_s)
        values = {
            "received": str(self.received),
            "age_s": "" if age is None else f"{age:.3f}",
            "rate_hz": f"{self.rate_hz():.2f}",
            "dropped": str(self.dropped),
            "missing_in_frames": str(self._missed),
            "last_fault": self.last_fault,
            **{kind: str(count) for kind, count in sorted(self.faults.items())},
        }
        return Status(name, level, message, values)

    def _judge(self, now_s: float, rules: StreamRules, waiting_s: float) -> tuple[Level, str]:
        new_faults, self._faults_reported = self.faults.total() - self._faults_reported, self.faults.total()
        missed, self._missed_reported = self._missed - self._missed_reported, self._missed
        frames, self._frames_reported = self._frames - self._frames_reported, self._frames
        age = self.age_s(now_s)
        if age is None and waiting_s <= rules.timeout_s:
            return Level.STALE, "nothing received yet"
        if age is None:
            return rules.silent, f"nothing received for {waiting_s:.1f} s while other inputs came"
        if age > rules.timeout_s:
            return rules.silent, f"silent for {age:.1f} s (limit {rules.timeout_s:.1f} s)"
        if new_faults:
            return Level.WARN, f"{new_faults} unusable since the last report: {self.last_fault}"
        if frames > 1 and missed > _MISSED_SHARE * frames:
            return Level.WARN, f"too late for {missed} of {frames} frames (see sync.max_wait_s, sync.max_dt_s)"
        return Level.OK, f"{self.rate_hz():.1f} Hz"
