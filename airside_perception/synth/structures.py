"""All structures around a stand, by kind."""

from __future__ import annotations

from airside_perception.synth.apron_structures import APRON_STRUCTURE_KINDS
from airside_perception.synth.buildings import BUILDING_KINDS
from airside_perception.synth.field_structures import FIELD_STRUCTURE_KINDS

STRUCTURE_KINDS = {**BUILDING_KINDS, **APRON_STRUCTURE_KINDS, **FIELD_STRUCTURE_KINDS}

__all__ = ["STRUCTURE_KINDS"]
