"""Ground support equipment by kind."""

from __future__ import annotations

from airside_perception.synth.ground_equipment.air_units import AIR_UNIT_KINDS
from airside_perception.synth.ground_equipment.cargo_movers import CARGO_MOVER_KINDS
from airside_perception.synth.ground_equipment.fire_trucks import FIRE_TRUCK_KINDS
from airside_perception.synth.ground_equipment.fluid_trucks import FLUID_TRUCK_KINDS
from airside_perception.synth.ground_equipment.hand_carts import HAND_CART_KINDS
from airside_perception.synth.ground_equipment.lifting_trucks import LIFTING_TRUCK_KINDS
from airside_perception.synth.ground_equipment.lifts import LIFT_KINDS
from airside_perception.synth.ground_equipment.loaders import LOADER_KINDS
from airside_perception.synth.ground_equipment.passenger_vehicles import PASSENGER_VEHICLE_KINDS
from airside_perception.synth.ground_equipment.power_units import POWER_UNIT_KINDS
from airside_perception.synth.ground_equipment.service_trucks import SERVICE_TRUCK_KINDS
from airside_perception.synth.ground_equipment.towbarless_tugs import TOWBARLESS_TUG_KINDS
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
    **AIR_UNIT_KINDS,
    **CARGO_MOVER_KINDS,
    **LIFT_KINDS,
    **SERVICE_TRUCK_KINDS,
    **TOWBARLESS_TUG_KINDS,
    **FIRE_TRUCK_KINDS,
    **HAND_CART_KINDS,
}

__all__ = ["GROUND_EQUIPMENT_KINDS"]
