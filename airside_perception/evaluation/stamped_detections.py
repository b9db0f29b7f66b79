"""Detections from elsewhere, looked up by the stamp of a frame."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path

from airside_perception.errors import AirsideError
from airside_perception.evaluation.results_format import read_detections
from airside_perception.records import Detection3D

TOLERANCE_NS = 20_000_000
"""A detector may stamp by another camera of the same frame: so far apart stamps are still the same frame."""


class StampedDetections(Mapping[int, tuple[Detection3D, ...]]):
    """Detections by stamp; a lookup finds the nearest stamp within TOLERANCE_NS.

    Args:
        frames: stamp_ns -> detections.

    Attributes:
        found: number of lookups that found an entry.
    """

    def __init__(self, frames: Mapping[int, tuple[Detection3D, ...]]):
        self._frames = dict(sorted(frames.items()))
        self._stamps = list(self._frames)
        self.found = 0

    def __getitem__(self, stamp_ns: int) -> tuple[Detection3D, ...]:
        place = bisect_left(self._stamps, stamp_ns)
        near = self._stamps[max(place - 1, 0) : place + 1]
        best = min(near, key=lambda stamp: abs(stamp - stamp_ns), default=None)
        if best is None or abs(best - stamp_ns) > TOLERANCE_NS:
            raise KeyError(stamp_ns)
        self.found += 1
        return self._frames[best]

    def __iter__(self) -> Iterator[int]:
        return iter(self._stamps)

    def __len__(self) -> int:
        return len(self._stamps)


def detections_for(path: Path, sequence_names: list[str]) -> dict[str, StampedDetections]:
    """Read the detections of every sequence.

    Args:
        path: one file for one sequence, or a folder with <sequence name>.json for each.
        sequence_names: of all sequences.

    Raises:
        AirsideError: a file is missing or has a wrong field, or one file should serve several sequences
            (generated sequences share their stamps, so it could not be told which is meant).
    """
    if path.is_dir():
        return {name: StampedDetections(read_detections(path / f"{name}.json")) for name in sequence_names}
    if len(sequence_names) > 1:
        raise AirsideError(
            f"--detections {path}: one file serves one sequence, got {len(sequence_names)} sequences; "
            "give a folder with <sequence name>.json for each"
        )
    return {sequence_names[0]: StampedDetections(read_detections(path))}
