"""Imported first by a process that stays up: all its threads share one heap of the C library.

Else each new worker thread may get a heap of its own, and holes in the former one's stay with the process: 30 MiB and
more for every time a node is configured anew. Nothing here allocates from several threads at once so often that they
would wait for each other. The limit is heeded only if it is set before there are threads, and numpy starts some.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
"""Of glibc's mallopt: how many heaps there may be beside each other."""


def keep_one_heap() -> bool:
    """Ask for it; returns whether the C library can."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1))
    except (AttributeError, OSError):
        return False


keep_one_heap()
