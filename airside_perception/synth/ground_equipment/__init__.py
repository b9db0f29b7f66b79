"""Ground support equipment by kind."""

from __future__ import annotations

from airside_perception.synth.ground_equipment.fluid_trucks import FLUID_TRUCK_KINDS
from airside_perception.synth.ground_equipment.lifting_trucks import LIFTING_TRUCK_KINDS
from airside_perception.synth.ground_equipment.loaders import LOADER_KINDS
from airside_perception.synth.ground_equipment.passenger_vehicles import PASSENGER_VEHICLE_KINDS
from airside_perception.synth.ground_equipment.power_units import POWER_UNIT_KINDS
from airside_perception.synth.ground_equipment.tractors import TRACTOR_KINDS
from airside_perception.synth.ground_equipment.trailers import TRAILER_KINDS

GROUND_EQUIPMENT_KINDS = {
    **TRACTOR_KINDS,
    **TRAILER_KINDS,
    **FLUID_TRUCK_KINDS,
    **LIFTING_TRUCK_KINDS,
    **PASSENGER_VEHICLE_KINDS,
    **LOADER_KINDS,
    **POWER_UNIT_KINDS,
}

__all__ = ["GROUND_EQUIPMENT_KINDS"]
