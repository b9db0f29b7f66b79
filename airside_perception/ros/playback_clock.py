"""When each message of a bag is due, with rate and pause. No ROS in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_STEP_S = 0.01


class PlaybackClock:
    """Maps bag time to wall time.

    Args:
        rate: bag seconds per wall second, > 0.
        paused: start standing still.
    """

    def __init__(self, rate: float, paused: bool = False):
        self._rate = rate
        self._paused = paused
        self._lock = threading.Lock()
        self._bag_ns = 0
        self._wall_s = time.monotonic()

    def start(self, bag_ns: int) -> None:
        """Bag time is `bag_ns` from now on; a pause stays."""
        with self._lock:
            self._bag_ns, self._wall_s = bag_ns, time.monotonic()

    def now_ns(self) -> int:
        """Bag time."""
        with self._lock:
            return self._now_ns()

    @property
    def paused(self) -> bool:
        """True while time stands still."""
        return self._paused

    def pause(self, paused: bool) -> None:
        """Stop or go on."""
        with self._lock:
            self._bag_ns, self._wall_s = self._now_ns(), time.monotonic()
            self._paused = paused

    def wait_until(self, bag_ns: int, running: Callable[[], bool], tick: Callable[[int], None]) -> bool:
        """Sleep until bag time reaches `bag_ns`.

        Args:
            bag_ns: the time to wait for.
            running: asked every 10 ms; False ends the wait.
            tick: told the bag time every 10 ms.

        Returns:
            True when the time has come, False when `running` ended it.
        """
        while running():
            now_ns = self.now_ns()
            if not self._paused and now_ns >= bag_ns:
                return True
            tick(now_ns)
            left_s = (bag_ns - now_ns) / 1e9 / self._rate
            time.sleep(_STEP_S if self._paused else max(0.0, min(_STEP_S, left_s)))
        return False

    def _now_ns(self) -> int:
        if self._paused:
            return self._bag_ns
        return self._bag_ns + int((time.monotonic() - self._wall_s) * self._rate * 1e9)
