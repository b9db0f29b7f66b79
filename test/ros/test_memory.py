"""Memory goes back to the system where the C library can, and nothing breaks where it can't."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import numpy as np
import pytest

from airside_perception.ros.memory import FreePages, give_back_memory


def resident_kib() -> int:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
def test_freed_blocks_between_living_ones_are_returned():
    # Too small to be mapped one by one; every other one lives on, so the heap cannot simply shrink.
    blocks = [np.ones(12_000, np.float64) for _ in range(1200)]
    kept = blocks[::2]
    blocks.clear()
    before = resident_kib()
    give_back_memory()
    assert resident_kib() < before - 30_000
    assert all(block[0] == 1.0 for block in kept)


def test_a_c_library_without_it_is_no_error(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    give_back_memory()


def test_free_pages_go_back_once_in_a_while():
    returned = []
    pages = FreePages(every_s=20.0, give_back=lambda: returned.append(1))
    for now in (100.0, 101.0, 119.9, 120.0, 121.0, 160.0):
        pages.after_frame(now)
    assert len(returned) == 3, "at the first frame, after 20 s and after 40 more"
