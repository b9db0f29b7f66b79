"""From camera streams that come at their own times to one frame per anchor stamp.

`message_filters` needs every topic: one dead camera stops everything, and after a bag loop it
may drop all that comes. Here a frame is due when the anchor camera says so; the others take
part with their image nearest in time, or are marked missing.

Time is stamp time throughout, so a bag read at any speed gives the same frames as live.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from airside_perception.ego_motion import EgoMotion, EgoState
from airside_perception.errors import AirsideError
from airside_perception.geometry.rig import Rig
from airside_perception.records import CameraImage, RigFrame

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, order=True)
class SyncedImage:
    """One camera's part of a set.

    Attributes:
        stamp_ns: stamp of the image.
        payload: whatever was given to `add_image`.
        age_s: anchor stamp minus image stamp, seconds.
    """

    stamp_ns: int
    payload: Any = field(compare=False)
    age_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class SyncedSet:
    """What belongs to one anchor stamp.

    Attributes:
        stamp_ns: stamp of the anchor image.
        images: camera name -> image, in rig order; cameras without one are absent.
        missing: cameras without an image.
        ego: the vehicle's state at `stamp_ns`.
        epoch: number of resets so far; when it changes, time jumped back and tracks must go.
    """

    stamp_ns: int
    images: dict[str, SyncedImage]
    missing: tuple[str, ...]
    ego: EgoState
    epoch: int


@dataclass
class SyncStatistics:
    """Counters since construction (resets do not clear them).

    Attributes:
        sets: sets given out.
        partial_sets: those with a camera missing.
        missing: camera -> sets without it.
        dropped: camera -> images that entered no set.
        without_odometry: anchor images dropped because no odometry was near.
        resets: backward jumps of time.
    """

    sets: int = 0
    partial_sets: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    without_odometry: int = 0
    resets: int = 0


class _CameraStream:
    """Images of one camera that wait to be used, and what is known of its rhythm."""

    def __init__(self) -> None:
        self.waiting: list[SyncedImage] = []
        self.newest_ns: int | None = None
        self._intervals: deque[int] = deque(maxlen=8)

    def add(self, image: SyncedImage) -> None:
        if self.newest_ns is None or image.stamp_ns > self.newest_ns:
            if self.newest_ns is not None:
                self._intervals.append(image.stamp_ns - self.newest_ns)
            self.newest_ns = image.stamp_ns
        insort(self.waiting, image)

    def nearest(self, stamp_ns: int, max_dt_ns: int) -> SyncedImage | None:
        near = [image for image in self.waiting if abs(image.stamp_ns - stamp_ns) <= max_dt_ns]
        return min(near, key=lambda image: abs(image.stamp_ns - stamp_ns), default=None)

    def is_decided(self, stamp_ns: int, max_dt_ns: int) -> bool:
        """True when no image to come can be nearer to `stamp_ns` than the ones at hand."""
        if self.newest_ns is None:
            return False
        if self.newest_ns >= stamp_ns:
            return True
        # Waiting for the next image costs a whole period: with a regular camera it is enough
        # that the last one is much nearer than the next can be.
        nearest = self.nearest(stamp_ns, max_dt_ns)
        return bool(nearest and self._intervals and stamp_ns - nearest.stamp_ns < 0.4 * min(self._intervals))

    def take_until(self, stamp_ns: int) -> list[SyncedImage]:
        """Remove and return the images up to a stamp."""
        count = bisect_left(self.waiting, stamp_ns + 1, key=lambda image: image.stamp_ns)
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken


class Synchronizer:
    """Groups images around the anchor camera's stamps; no threads, no clocks, no I/O.

    A set is given out as soon as every camera is decided: it has an image at or after the anchor
    stamp (or so near before it that the next cannot be nearer), or it is dead; at the latest when
    stamps have gone `max_wait_s` beyond the anchor. If the anchor camera itself dies, the first
    living camera stands in until it comes back.

    Args:
        camera_names: all cameras, in rig order.
        anchor: camera whose stamps make the sets; the first one if None or empty.
        max_dt_s: largest distance of an image from the anchor stamp.
        max_wait_s: longest wait for late cameras and late odometry, in stamp time.
        max_odometry_gap_s: farthest distance of the anchor stamp from an odometry message.
        dead_after_s: a camera without images for so long is not waited for.
        jump_back_s: a stream whose stamps fall back by more than this resets everything.
        max_queue: images kept per camera; beyond it the oldest are dropped.

    Raises:
        AirsideError: the anchor is not among the cameras.
    """

    def __init__(
        self,
        camera_names: Sequence[str],
        anchor: str | None = None,
        max_dt_s: float = 0.06,
        max_wait_s: float = 0.15,
        max_odometry_gap_s: float = 0.5,
        dead_after_s: float = 1.0,
        jump_back_s: float = 0.5,
        max_queue: int = 30,
    ) -> None:
        names = tuple(camera_names)
        if not names or (anchor and anchor not in names):
            raise AirsideError(
                f"sync.anchor: expected one of the cameras {', '.join(names) or '(none)'}, got {anchor!r}"
            )
        self.camera_names = names
        self.anchor = anchor or names[0]
        self.statistics = SyncStatistics()
        self._max_dt_ns, self._max_wait_ns, self._dead_after_ns, self._jump_back_ns = (
            round(seconds * _NS_PER_S) for seconds in (max_dt_s, max_wait_s, dead_after_s, jump_back_s)
        )
        self._max_queue = max_queue
        self._ego = EgoMotion(max_odometry_gap_s)
        self._start()

    def _start(self) -> None:
        self._streams = {name: _CameraStream() for name in self.camera_names}
        self._ego.clear()
        self._first_ns: int | None = None
        self._now_ns = 0
        self._last_set_ns: int | None = None

    def reset(self) -> None:
        """Forget all images and odometry, and begin a new epoch."""
        for name, stream in self._streams.items():
            self.statistics.dropped[name] += len(stream.waiting)
        self.statistics.resets += 1
        self._start()

    def add_image(self, camera: str, stamp_ns: int, payload: Any) -> list[SyncedSet]:
        """Take in one image and return the sets that are now ready, oldest first.

        Raises:
            ValueError: unknown camera.
        """
        if camera not in self._streams:
            raise ValueError(f"expected a camera of {', '.join(self.camera_names)}, got {camera!r}")
        ready = self._watch_time(stamp_ns, self._streams[camera].newest_ns)
        stream = self._streams[camera]
        if self._last_set_ns is not None and stamp_ns <= self._last_set_ns - self._max_dt_ns:
            self.statistics.dropped[camera] += 1  # too late for any set to come
        else:
            stream.add(SyncedImage(stamp_ns, payload))
            if len(stream.waiting) > self._max_queue:
                stream.waiting.pop(0)
                self.statistics.dropped[camera] += 1
        return ready + self._ready_sets()

    def add_odometry(
        self, stamp_ns: int, odom_from_base: np.ndarray, linear_velocity: np.ndarray, yaw_rate: float
    ) -> list[SyncedSet]:
        """Take in one odometry message and return the sets that are now ready.

        Args:
            stamp_ns: integer nanoseconds.
            odom_from_base: (4, 4) pose of base_link.
            linear_velocity: (3,) m/s, base_link.
            yaw_rate: rad/s.
        """
        ready = self._watch_time(stamp_ns, self._ego.newest_ns)
        self._ego.add(EgoState(stamp_ns, odom_from_base, np.asarray(linear_velocity, np.float64), float(yaw_rate)))
        return ready + self._ready_sets()

    def advance(self, now_ns: int) -> list[SyncedSet]:
        """Let time pass without a message (a live node's timer) and return the sets that are now ready."""
        self._now_ns = max(self._now_ns, now_ns) if self._first_ns is not None else 0
        return self._ready_sets()

    def flush(self) -> list[SyncedSet]:
        """Give out what is still waiting, at the end of a recording."""
        return self._ready_sets(final=True)

    def _watch_time(self, stamp_ns: int, newest_of_stream: int | None) -> list[SyncedSet]:
        """Move the clock; a stream that falls back means a new loop: give out the rest and start over."""
        ready = []
        if newest_of_stream is not None and stamp_ns < newest_of_stream - self._jump_back_ns:
            ready = self.flush()
            self.reset()
        if self._first_ns is None:
            self._first_ns = self._now_ns = stamp_ns
        self._now_ns = max(self._now_ns, stamp_ns)
        return ready

    def _ready_sets(self, final: bool = False) -> list[SyncedSet]:
        ready = []
        while (anchor := self._next_anchor(final)) is not None:
            camera, image = anchor
            overdue = final or self._now_ns >= image.stamp_ns + self._max_wait_ns
            if not overdue and not self._is_complete(image.stamp_ns):
                break
            synced = self._make_set(camera, image)
            if synced is not None:
                ready.append(synced)
        return ready

    def _next_anchor(self, final: bool) -> tuple[str, SyncedImage] | None:
        """The oldest image that may start a set: the anchor's, or a stand-in's while the anchor is dead."""
        waiting = self._after_last_set(self.anchor)
        if waiting is not None:
            return self.anchor, waiting
        newest_anchor = self._streams[self.anchor].newest_ns
        if not (self._is_dead(self.anchor) or (final and newest_anchor is None)):
            return None
        stand_in = next((name for name in self.camera_names if self._is_alive(name)), None)
        waiting = self._after_last_set(stand_in) if stand_in else None
        return None if stand_in is None or waiting is None else (stand_in, waiting)

    def _after_last_set(self, camera: str) -> SyncedImage | None:
        waiting = self._streams[camera].waiting
        last = self._last_set_ns
        return next((image for image in waiting if last is None or image.stamp_ns > last), None)

    def _is_dead(self, camera: str) -> bool:
        last = self._streams[camera].newest_ns
        since = self._first_ns if last is None else last
        return since is not None and self._now_ns - since > self._dead_after_ns

    def _is_alive(self, camera: str) -> bool:
        return self._streams[camera].newest_ns is not None and not self._is_dead(camera)

    def _is_complete(self, stamp_ns: int) -> bool:
        newest_odometry = self._ego.newest_ns
        return (
            newest_odometry is not None
            and newest_odometry >= stamp_ns
            and all(s.is_decided(stamp_ns, self._max_dt_ns) or self._is_dead(n) for n, s in self._streams.items())
        )

    def _make_set(self, anchor: str, image: SyncedImage) -> SyncedSet | None:
        stamp_ns = image.stamp_ns
        ego = self._ego.at(stamp_ns)
        images: dict[str, SyncedImage] = {}
        for name, stream in self._streams.items():
            chosen = image if name == anchor else stream.nearest(stamp_ns, self._max_dt_ns)
            # Images older than the chosen one (or than any later set can use) are done with.
            done_until = chosen.stamp_ns if chosen else stamp_ns - self._max_dt_ns
            unused = len(stream.take_until(done_until)) - (chosen is not None and ego is not None)
            self.statistics.dropped[name] += unused
            if chosen is not None:
                images[name] = SyncedImage(chosen.stamp_ns, chosen.payload, (stamp_ns - chosen.stamp_ns) / _NS_PER_S)
        self._last_set_ns = stamp_ns
        if ego is None:
            self.statistics.without_odometry += 1
            return None
        missing = tuple(name for name in self.camera_names if name not in images)
        self.statistics.sets += 1
        self.statistics.partial_sets += bool(missing)
        self.statistics.missing.update(missing)
        return SyncedSet(stamp_ns, images, missing, ego, self.statistics.resets)


class ImageLike(Protocol):
    """An image of a stream, decoded on demand; `bags.ImageEvent` is one."""

    camera: str
    stamp_ns: int

    def decode(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB; raises ValueError where the bytes make no image."""


def assemble_frame(
    synced: SyncedSet, rig: Rig, frame_id: str = "odom", corrupt: Counter[str] | None = None
) -> RigFrame:
    """Decode a set whose payloads are `ImageLike` into the record that the pipeline takes.

    Args:
        synced: the set.
        rig: calibration of the cameras.
        frame_id: name of the fixed frame.
        corrupt: camera -> number of undecodable images, counted up; they become missing cameras.
    """
    images = {}
    for name, image in synced.images.items():
        try:
            images[name] = CameraImage(rig.cameras[name], image.payload.decode(), image.stamp_ns, image.age_s)
        except ValueError:
            if corrupt is not None:
                corrupt[name] += 1
    ego = synced.ego
    missing = tuple(name for name in rig.names if name not in images)
    return RigFrame(synced.stamp_ns, images, missing, ego.odom_from_base, ego.linear_velocity, ego.yaw_rate, frame_id)


def synchronize(events: Iterable[Any], synchronizer: Synchronizer) -> Iterator[SyncedSet]:
    """Run a stream of events (`bags.ImageEvent`, `bags.OdometryEvent`) through a synchroniser to its end."""
    for event in events:
        if hasattr(event, "camera"):
            yield from synchronizer.add_image(event.camera, event.stamp_ns, event)
        else:
            yield from synchronizer.add_odometry(
                event.stamp_ns, event.odom_from_base, event.linear_velocity, event.yaw_rate
            )
    yield from synchronizer.flush()
