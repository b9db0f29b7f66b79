"""One thread that always works on the newest item: late results about old images are worth nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestOnlyWorker(Generic[Item]):
    """Runs `process` on one background thread; a waiting item is replaced by a newer one.

    Args:
        process: called with each item that is worked on.
        failed: called on the worker thread with what `process` raised; the worker goes on.
        name: of the thread.
    """

    def __init__(self, process: Callable[[Item], None], failed: Callable[[Exception], None], name: str = "worker"):
        self._process = process
        self._failed = failed
        self._waiting: list[Item] = []
        self._stopping = False
        self._busy = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: Item) -> int:
        """Hand over an item.

        Returns:
            How many waiting items it displaced: 0 or 1.
        """
        with self._changed:
            displaced = len(self._waiting)
            self._waiting = [item]
            self._changed.notify_all()
        return displaced

    @property
    def waiting(self) -> int:
        """How many items wait: 0 or 1."""
        return len(self._waiting)

    def discard(self) -> None:
        """Forget the waiting item."""
        with self._changed:
            self._waiting = []

    def wait_idle(self, timeout_s: float) -> bool:
        """Block until nothing waits and nothing runs; False after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Drop what waits, let the running item finish, end the thread; False if it did not end in time."""
        with self._changed:
            self._stopping = True
            self._waiting = []
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                item = self._waiting.pop()
                self._busy = True
            try:
                self._process(item)
            except Exception as error:  # the door of the thread: whatever happened, the next frame gets its chance
                self._failed(error)
            finally:
                del item
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
