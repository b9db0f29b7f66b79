"""Tracks over time: motion models, association, birth and death."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airside_perception.tracking.tracker import Tracker

__all__ = ["Tracker"]


def __getattr__(name: str) -> Any:
    # Association brings scipy along: only whoever tracks waits for it.
    if name == "Tracker":
        from airside_perception.tracking.tracker import Tracker

        return Tracker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
