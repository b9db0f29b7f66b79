"""One line of the diagnostics, and how lines add up. No ROS in here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """Levels of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


# How bad a level is for the whole node: nothing heard yet is worse than a warning, better than an error.
_SEVERITY = {Level.OK: 0, Level.WARN: 1, Level.STALE: 2, Level.ERROR: 3}


@dataclass(frozen=True)
class Status:
    """One line of the diagnostics: who, how bad, why, and the figures behind it."""

    name: str
    level: Level
    message: str
    values: Mapping[str, str] = field(default_factory=dict)


def worst(statuses: Iterable[Status]) -> Status:
    """The first of the statuses that matter most to the whole node."""
    return max(statuses, key=lambda status: _SEVERITY[status.level])
