"""How long each stage took, as percentiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class StageTimes:
    """Milliseconds of each stage over frames, and how many objects refinement moved in its time."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}
        self._refined = 0

    def add(self, timing_ms: Mapping[str, float], refined: int = 0) -> None:
        """Count one frame: stage -> milliseconds, and the number of refined objects."""
        for stage, milliseconds in timing_ms.items():
            self._times.setdefault(stage, []).append(float(milliseconds))
        self._refined += refined

    def merge(self, other: StageTimes) -> None:
        """Add the frames of another."""
        for stage, times in other._times.items():
            self._times.setdefault(stage, []).extend(times)
        self._refined += other._refined

    def percentiles(self) -> dict[str, dict[str, float]]:
        """Stage -> {"p50", "p95"} in milliseconds."""
        return {
            stage: {f"p{p}": round(float(np.percentile(times, p)), 2) for p in (50, 95)}
            for stage, times in self._times.items()
        }

    def series(self, stage: str) -> list[float]:
        """All times of one stage, in the order of the frames."""
        return list(self._times.get(stage, ()))

    def objects_per_second(self) -> float | None:
        """Refined objects per second of refinement; None where nothing was refined."""
        seconds = sum(self._times.get("refine", ())) / 1e3
        return self._refined / seconds if self._refined and seconds > 0 else None
