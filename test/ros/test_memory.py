"""Memory goes back to the system where the C library can, and nothing breaks where it can't."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from airside_perception.ros.memory import FreePages, give_back_memory, let_go_of_code


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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mappings as Linux with glibc has them")
def test_code_that_was_let_go_runs_again():
    matrix = np.random.default_rng(0).normal(size=(200, 200))
    before = np.linalg.inv(matrix)
    assert let_go_of_code() > 1_000_000, "this process has mapped numpy's libraries at least"
    np.testing.assert_array_equal(np.linalg.inv(matrix), before)


def test_without_a_list_of_mappings_nothing_happens(tmp_path):
    assert let_go_of_code(tmp_path / "smaps") == 0


def test_only_unchanged_code_of_libraries_is_let_go(monkeypatch, tmp_path):
    entries = {
        "1000-2000 rw-p 00000000 08:01 5 /lib/values.so": 0,
        "2000-3000 r--p 00000000 08:01 5 /lib/relocated.so": 0,
        "3000-4000 r-xp 00000000 00:00 0 ": 0,
        "4000-5000 r-xp 00000000 08:01 6 /usr/bin/program": 0,
        "5000-6000 r-xp 00000000 08:01 7 /lib/patched.so.1": 4,
        "6000-8000 r-xp 00000000 08:01 8 /lib/with a space.so.2 (deleted)": 0,
    }
    lines = [
        line
        for head, dirty in entries.items()
        for line in (
            head,
            "Rss:                   8 kB",
            f"Private_Dirty:         {dirty} kB",
            "VmFlags: rd ex mr mw me",
        )
    ]
    (tmp_path / "smaps").write_text("\n".join(lines))
    advised = []

    class Library:
        @staticmethod
        def madvise(*arguments):
            advised.append(arguments)
            return 0

    Library.madvise = type("Function", (), {"__call__": staticmethod(Library.madvise)})()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    assert let_go_of_code(tmp_path / "smaps") == 0x2000
    assert [each[:2] for each in advised] == [(0x6000, 0x2000)]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc gives each thread a heap")
def test_threads_share_one_heap():
    # Each thread keeps small blocks; with heaps of their own these lie in regions far from the program's.
    program = """
import sys
if sys.argv[1] == "one":
    from airside_perception.ros import one_heap
import ctypes, threading
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
heap = next(line.split()[0] for line in open("/proc/self/maps") if "[heap]" in line)
found = []
def keep():
    found.append(libc.malloc(1000))
    barrier.wait()
barrier = threading.Barrier(4)
threads = [threading.Thread(target=keep) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
begin = int(heap.split("-")[0], 16)
print(sum(0 <= each - begin < 1 << 30 for each in found))
"""
    count = {
        mode: int(
            subprocess.run([sys.executable, "-c", program, mode], capture_output=True, text=True, check=True).stdout
        )
        for mode in ("one", "many")
    }
    assert count["one"] == 4
    assert count["many"] < 4
