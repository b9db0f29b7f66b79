"""Sets of images by ROS' own `message_filters`, for rigs whose cameras are triggered together and must be complete.

`message_filters` belongs to ROS distributions and is not on PyPI: it is imported where it is needed.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from std_msgs.msg import Header

from airside_perception.ego_motion import EgoMotion, EgoState
from airside_perception.errors import AirsideError
from airside_perception.ros.messages import header
from airside_perception.sync import SyncedImage, SyncedSet, SyncStatistics

_NS_PER_S = 1_000_000_000
_QUEUE = 10
_JUMP_BACK_S = 0.5


@dataclass(frozen=True)
class _Stamped:
    """What the filters carry: they ask for `header.stamp` alone."""

    header: Header
    camera: str
    stamp_ns: int
    payload: Any


class FilterSynchronizer:
    """`message_filters.ApproximateTimeSynchronizer` behind the methods of `sync.Synchronizer`.

    Only complete sets come out: while one camera is silent there are none. Stamps that fall back (a bag
    that starts again) make new filters, which would drop everything otherwise.

    Args:
        camera_names: all cameras, in rig order.
        anchor: camera whose stamps make the sets; the first one if empty.
        max_dt_s: largest distance between two stamps of a set.
        max_wait_s: longest wait for late odometry, in stamp time.
        max_odometry_gap_s: farthest distance of the anchor stamp from an odometry message.

    Raises:
        AirsideError: `message_filters` is not installed, or the anchor is not among the cameras.
    """

    def __init__(
        self,
        camera_names: tuple[str, ...],
        anchor: str,
        max_dt_s: float,
        max_wait_s: float,
        max_odometry_gap_s: float = 0.5,
    ) -> None:
        if anchor and anchor not in camera_names:
            raise AirsideError(f"sync.anchor: expected one of the cameras {', '.join(camera_names)}, got {anchor!r}")
        try:
            import message_filters
        except ImportError as error:
            raise AirsideError(
                "sync.policy: 'message_filters' needs ROS' package message_filters, which is not installed "
                "(apt install ros-$ROS_DISTRO-message-filters); or set it to 'anchor'"
            ) from error
        self._library = message_filters
        self.statistics = SyncStatistics()
        self._names, self._anchor = camera_names, anchor or camera_names[0]
        self._max_dt_s = max_dt_s
        self._max_wait_ns = round(max_wait_s * _NS_PER_S)
        self._ego = EgoMotion(max_odometry_gap_s)
        self._start()

    def _start(self) -> None:
        self._filters = {name: self._library.SimpleFilter() for name in self._names}
        together = self._library.ApproximateTimeSynchronizer(list(self._filters.values()), _QUEUE, self._max_dt_s)
        together.registerCallback(self._on_set)
        self._together = together
        self._waiting: deque[tuple[_Stamped, ...]] = deque()
        self._given: Counter[str] = Counter()
        self._used: Counter[str] = Counter()
        self._newest: dict[str, int] = {}
        self._now_ns = 0
        self._ego.clear()

    def reset(self) -> None:
        """Forget all images and odometry, and begin a new epoch."""
        self.statistics.resets += 1
        self._start()

    def add_image(self, camera: str, stamp_ns: int, payload: Any) -> list[SyncedSet]:
        """As of `Synchronizer`."""
        self._watch_time(camera, stamp_ns)
        self._given[camera] += 1
        self._filters[camera].signalMessage(_Stamped(header(stamp_ns, camera), camera, stamp_ns, payload))
        if self._given[camera] - self._used[camera] > _QUEUE:
            self.statistics.dropped[camera] += 1  # the filters keep no more than that
            self._used[camera] += 1
        return self._ready_sets()

    def add_odometry(
        self, stamp_ns: int, odom_from_base: np.ndarray, linear_velocity: np.ndarray, yaw_rate: float
    ) -> list[SyncedSet]:
        """As of `Synchronizer`."""
        self._watch_time("", stamp_ns)
        self._ego.add(EgoState(stamp_ns, odom_from_base, np.asarray(linear_velocity, np.float64), float(yaw_rate)))
        return self._ready_sets()

    def advance(self, now_ns: int) -> list[SyncedSet]:
        """As of `Synchronizer`."""
        self._now_ns = max(self._now_ns, now_ns)
        return self._ready_sets()

    def _watch_time(self, stream: str, stamp_ns: int) -> None:
        if stamp_ns < self._newest.get(stream, stamp_ns) - _JUMP_BACK_S * _NS_PER_S:
            self.reset()
        self._newest[stream] = max(stamp_ns, self._newest.get(stream, stamp_ns))
        self._now_ns = max(self._now_ns, stamp_ns)

    def _on_set(self, *images: _Stamped) -> None:
        self._used.update(image.camera for image in images)
        self._waiting.append(images)

    def _ready_sets(self) -> list[SyncedSet]:
        """Those whose odometry is there, or will not come any more."""
        ready = []
        while self._waiting:
            anchor = next(image for image in self._waiting[0] if image.camera == self._anchor)
            newest = self._ego.newest_ns
            known = newest is not None and newest >= anchor.stamp_ns
            if not known and self._now_ns < anchor.stamp_ns + self._max_wait_ns:
                break
            images = self._waiting.popleft()
            ego = self._ego.at(anchor.stamp_ns)
            if ego is None:
                self.statistics.without_odometry += 1
                continue
            self.statistics.sets += 1
            ready.append(self._synced(anchor.stamp_ns, images, ego))
        return ready

    def _synced(self, stamp_ns: int, images: tuple[_Stamped, ...], ego: EgoState) -> SyncedSet:
        members = {
            each.camera: SyncedImage(each.stamp_ns, each.payload, (stamp_ns - each.stamp_ns) / _NS_PER_S)
            for each in images
        }
        return SyncedSet(stamp_ns, members, (), ego, self.statistics.resets)
