"""Ground support equipment by kind."""

from __future__ import annotations

from airside_perception.synth.ground_equipment.loaders import LOADER_KINDS
from airside_perception.synth.ground_equipment.towing import TOWING_KINDS
from airside_perception.synth.ground_equipment.trucks import TRUCK_KINDS

GROUND_EQUIPMENT_KINDS = {**TOWING_KINDS, **TRUCK_KINDS, **LOADER_KINDS}

__all__ = ["GROUND_EQUIPMENT_KINDS"]
