"""Giving memory back to the system: when models are let go, and now and then while frames come."""

from __future__ import annotations

import ctypes
import gc
import logging
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)

TRIM_EVERY_S = 20.0
"""Between two returns of free pages while frames come. One takes some ten milliseconds."""


_MADV_DONTNEED = 4
"""Of madvise: drop the pages of a mapping; those of a file that nobody writes are read again when they are needed."""


def give_back_memory() -> None:
    """Collect garbage, return what the allocator keeps for later, and let go of library code.

    After a run of minutes the allocator keeps hundreds of MiB: freed tensors between blocks that live on.
    """
    gc.collect()
    return_free_pages()
    let_go_of_code()


def let_go_of_code(maps: Path = Path("/proc/self/maps")) -> int:
    """Take the code of shared libraries out of this process's resident memory; returns the bytes of such mappings.

    What runs again comes back from the page cache at once. The rest is free for others when memory gets short. Only
    mappings that may be executed and not written are touched: others may hold values that are in no file.
    """
    try:
        regions = [line.split(maxsplit=5) for line in maps.read_text().splitlines()]
        madvise = ctypes.CDLL(None).madvise
    except (AttributeError, OSError):
        return 0
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    total = 0
    for span, permissions, _offset, _device, inode, *name in regions:
        if permissions == "r-xp" and inode != "0" and name and ".so" in name[0]:
            begin, end = (int(each, 16) for each in span.split("-"))
            total += (end - begin) if madvise(begin, end - begin, _MADV_DONTNEED) == 0 else 0
    return total


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
