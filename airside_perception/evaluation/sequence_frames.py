"""A recording as the frames that the pipeline takes, with a count of everything that was wrong with it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from airside_perception.bags import BagReader, open_sequence
from airside_perception.config import Config
from airside_perception.errors import AirsideError
from airside_perception.geometry.rig import Rig
from airside_perception.records import RigFrame
from airside_perception.resources import find_file
from airside_perception.sync import Synchronizer, assemble_frame, synchronize


class SequenceFrames:
    """Frames of one recording; use it as a context manager and iterate once.

    Args:
        path: sequence folder, rosbag2 directory or bag file.
        config: rig and synchroniser options.

    Attributes:
        name: of the sequence, for reports.
        ground_truth_path: folder with ground truth, or None.
        rig: the cameras.
        expected_frames: about how many frames will come (images of the anchor camera).
        jumped: True where the frame given out last is the first after a jump back in time.
        decode_ms: milliseconds spent on reading and decoding the frame given out last.

    Raises:
        AirsideError: no usable bag, or rig and bag disagree.
    """

    def __init__(self, path: str | Path, config: Config):
        if config.sync.policy != "anchor":
            raise AirsideError(f"sync.policy: {config.sync.policy!r} is not supported here; set it to 'anchor'")
        sequence = open_sequence(path)
        self.name, self.ground_truth_path = sequence.name, sequence.ground_truth_path
        rig = Rig.load(find_file(config.rig.file, "rig file (rig.file)")) if config.rig.file else None
        self._reader = BagReader(path, rig, config.rig.cameras)
        try:
            sync = config.sync
            self.rig = self._reader.rig()
            self._sync = Synchronizer(self._reader.cameras, sync.anchor or None, sync.max_dt_s, sync.max_wait_s)
        except BaseException:
            self._reader.close()
            raise
        self.expected_frames = int(self._reader.counts.get(self._sync.anchor, 0))
        self.jumped, self.decode_ms = False, 0.0
        self._corrupt: Counter[str] = Counter()

    def __enter__(self) -> SequenceFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    def __iter__(self) -> Iterator[RigFrame]:
        epoch = 0
        began = time.perf_counter()
        for synced in synchronize(self._reader.messages(), self._sync):
            frame = assemble_frame(synced, self.rig, self._reader.fixed_frame, self._corrupt)
            self.jumped, epoch = synced.epoch != epoch, synced.epoch
            self.decode_ms = (time.perf_counter() - began) * 1e3
            yield frame
            began = time.perf_counter()

    def counts(self) -> dict[str, dict[str, int] | int]:
        """What was skipped so far: corrupt and missing images per camera, images in no frame, resets."""
        statistics = self._sync.statistics
        return {
            "corrupt_images": dict(self._corrupt),
            "corrupt_messages": self._reader.corrupt_messages,
            "missing_images": dict(statistics.missing),
            "unused_images": {name: count for name, count in statistics.dropped.items() if count},
            "partial_frames": statistics.partial_sets,
            "frames_without_odometry": statistics.without_odometry,
            "jumps_back": statistics.resets,
        }
