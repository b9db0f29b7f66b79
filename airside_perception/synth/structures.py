"""Buildings, masts and small obstacles around a stand."""

from __future__ import annotations

from airside_perception.synth.buildings import STRUCTURE_KINDS
from airside_perception.synth.obstacles import OBSTACLE_KINDS

__all__ = ["OBSTACLE_KINDS", "STRUCTURE_KINDS"]
