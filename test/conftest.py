"""What holds for all tests: one thread per library, repeatable property tests, skips that say why."""

from __future__ import annotations

import importlib.util
import os

# Before numpy or torch start their pools: small arrays, and several test runs may share a machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("repeatable")


def _missing(marker: str) -> str | None:
    """Why tests with this marker cannot run here, or None."""
    if marker == "ros" and importlib.util.find_spec("rclpy") is None:
        return "rclpy is not installed (extra: ros)"
    if marker == "cycles" and importlib.util.find_spec("bpy") is None:
        return "bpy is not installed (extra: cycles)"
    if marker == "gpu":
        import torch

        if not torch.cuda.is_available():
            return "no CUDA device"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for marker in ("ros", "gpu", "cycles"):
        marked = [item for item in items if item.get_closest_marker(marker)]
        reason = _missing(marker) if marked else None
        for item in marked if reason else ():
            item.add_marker(pytest.mark.skip(reason=reason))
