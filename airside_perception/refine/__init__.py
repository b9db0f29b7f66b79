"""Refinement: each object is rendered from the prior and moved until the rendering agrees with the pixels."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME_OF_NAME = {"Refiner": "refiner", "ShapeLibrary": "shape_library"}

__all__ = sorted(_HOME_OF_NAME)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF_NAME[name]}"), name)
