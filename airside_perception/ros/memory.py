"""Giving memory back to the system: when models are let go, and now and then while frames come."""

from __future__ import annotations

import ctypes
import gc
import logging
from collections.abc import Callable, Iterable
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


def let_go_of_code(mappings: Path = Path("/proc/self/smaps")) -> int:
    """Take the code of shared libraries out of this process's resident memory; returns the bytes of such mappings.

    What runs again comes back from the page cache at once. The rest is free for others when memory gets short. Only
    mappings that may be executed and not written, and of which nothing differs from the file, are touched: few
    libraries patch their own code, but those that do would lose it.

    Args:
        mappings: list of them with what is resident of each, as Linux keeps it.
    """
    try:
        lines = mappings.read_text().splitlines()
        madvise = ctypes.CDLL(None).madvise
    except (AttributeError, OSError):
        return 0
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    code = [(begin, end) for begin, end, changed_kib in _code_of_libraries(lines) if not changed_kib]
    return sum(end - begin for begin, end in code if madvise(begin, end - begin, _MADV_DONTNEED) == 0)


def _code_of_libraries(lines: Iterable[str]) -> list[tuple[int, int, int]]:
    """Begin, end and changed KiB of the mappings in /proc/self/smaps that hold code of shared libraries."""
    found: list[tuple[int, int, int]] = []
    inside = False
    for line in lines:
        words = line.split(maxsplit=5)
        if words[0].endswith(":"):
            if inside and words[0] in ("Private_Dirty:", "Shared_Dirty:", "Anonymous:"):
                begin, end, changed = found[-1]
                found[-1] = begin, end, changed + int(words[1])
            continue
        inside = len(words) == 6 and words[1] == "r-xp" and words[4] != "0" and ".so" in words[5]
        if inside:
            begin, end = (int(each, 16) for each in words[0].split("-"))
            found.append((begin, end, 0))
    return found


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
