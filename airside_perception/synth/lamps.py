"""Lamps of a scene at one time: floodlight masts, headlights, beacons, and free lights."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from airside_perception.synth.scene import Scene, SceneObject

MOST = 10
"""Lamps that a backend gets: those that light the vehicle's surroundings most."""

_HEADLIGHT_CONE, _OPEN = float(np.cos(np.radians(38))), -2.0
_HEADLIGHT_COLOR = np.array([1.0, 0.95, 0.85])
_BEACON_COLOR = {"gse": np.array([1.0, 0.45, 0.04]), "aircraft": np.array([1.0, 0.06, 0.04])}
_FLASHES_PER_S = 1.2
_EGO_FRONT, _EGO_LAMP_HEIGHT = 2.9, 0.8
_REACH = 60.0
"""Metres about the vehicle within which lamps compete."""


@dataclass(frozen=True)
class Lamps:
    """Point lights in the world; a white surface that faces lamp k from `d` metres shines with color[k] / d^2.

    Attributes:
        position: (L, 3) float64 metres.
        color: (L, 3) float64.
        direction: (L, 3) float64 unit axis of a cone.
        cosine: (L,) float64 of the cone's half angle; below -1 the lamp shines everywhere.
    """

    position: np.ndarray
    color: np.ndarray
    direction: np.ndarray
    cosine: np.ndarray


def scene_lamps(scene: Scene, time_s: float, most: int = MOST) -> Lamps:
    """The lamps that matter at `time_s`, brightest about the vehicle first; at most `most`."""
    light, rows = scene.lighting, []
    ego = scene.odom_from_base(time_s)
    if np.any(light.mast_color):
        rows += [_lamp(place, light.mast_color) for place in np.reshape(light.masts, (-1, 3))]
        own = [item for item in scene.objects if item.asset.subtype == "light_mast"]
        rows += [_lamp(item.box(time_s)[:3] + [0, 0, item.asset.size[2] / 2], light.mast_color) for item in own]
    if light.headlights > 0:
        rows.append(_headlight(ego, _EGO_FRONT, _EGO_LAMP_HEIGHT, light.headlights))
        for item in scene.objects:
            if item.asset.class_name == "gse" and item.trajectory.moves:
                lamp_height = min(0.8, 0.5 * float(item.asset.size[2])) - float(item.asset.size[2]) / 2
                rows.append(_headlight(item.pose(time_s), item.asset.size[0] / 2 + 0.1, lamp_height, light.headlights))
    if light.beacons > 0:
        rows += [_beacon(item, time_s, light.beacons) for item in scene.objects if _has_beacon(item)]
    rows += [_lamp(spot[:3], spot[3:]) for spot in np.reshape(light.spots, (-1, 6))]
    if not rows:
        return Lamps(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    table = np.stack(rows)
    away = np.linalg.norm(table[:, :3] - ego[:3, 3], axis=1)
    power = table[:, 3:6].max(axis=1) / (away**2 + 100.0) * (away < 2 * _REACH)
    table, power = table[power > 0.0], power[power > 0.0]  # half of the beacons are dark between two flashes
    chosen = table[np.argsort(-power, kind="stable")[:most]]
    return Lamps(chosen[:, :3], chosen[:, 3:6], chosen[:, 6:9], chosen[:, 9])


def _lamp(position: np.ndarray, color: np.ndarray) -> np.ndarray:
    return np.concatenate([position, color, [0.0, 0.0, -1.0], [_OPEN]])


def _headlight(pose: np.ndarray, ahead: float, height: float, strength: float) -> np.ndarray:
    """Both headlights of a vehicle as one lamp, dipped."""
    position = pose[:3, 3] + pose[:3, :3] @ np.array([ahead, 0.0, height])
    direction = pose[:3, :3] @ np.array([0.985, 0.0, -0.17])
    return np.concatenate([position, strength * _HEADLIGHT_COLOR, direction, [_HEADLIGHT_CONE]])


def _has_beacon(item: SceneObject) -> bool:
    if item.asset.class_name not in _BEACON_COLOR or item.asset.subtype in ("baggage_dolly", "towbar"):
        return False
    return item.trajectory.moves or zlib.crc32(item.object_id.encode()) % 3 == 0


def _beacon(item: SceneObject, time_s: float, strength: float) -> np.ndarray:
    """An orange (aircraft: red) lamp on the roof that flashes in its own time."""
    phase = zlib.crc32(item.object_id.encode()) % 997 / 997
    flash = max(float(np.sin(2 * np.pi * (_FLASHES_PER_S * time_s + phase))), 0.0) ** 3
    top = item.box(time_s)[:3] + [0, 0, item.asset.size[2] / 2 + 0.2]
    return _lamp(top, strength * flash * _BEACON_COLOR[item.asset.class_name])
