"""Giving memory back to the system: when models are let go, and now and then while frames come."""

from __future__ import annotations

import ctypes
import gc
import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)

TRIM_EVERY_S = 20.0
"""Between two returns of free pages while frames come. One takes some ten milliseconds."""


def give_back_memory() -> None:
    """Collect garbage and, where the C library can, return what the allocator keeps for later.

    After a run of minutes it keeps hundreds of MiB: freed tensors between blocks that live on.
    """
    gc.collect()
    return_free_pages()


def return_free_pages() -> None:
    """Return the allocator's free pages to the system; does nothing where the C library has no such call."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        _log.debug("this C library has no malloc_trim: freed memory stays with the process")


class FreePages:
    """Returns free pages once in a while, so that what the allocator keeps doesn't creep up over hours.

    Frames hold different numbers of objects, and every thread has a heap of its own: holes add up.

    Args:
        every_s: between two returns.
        give_back: does it.
    """

    def __init__(self, every_s: float = TRIM_EVERY_S, give_back: Callable[[], None] = return_free_pages):
        self._every_s, self._give_back = every_s, give_back
        self._last_s: float | None = None

    def after_frame(self, now_s: float) -> None:
        """Call between two frames; `now_s` on any clock that never goes back."""
        if self._last_s is None or now_s - self._last_s >= self._every_s:
            self._last_s = now_s
            self._give_back()
