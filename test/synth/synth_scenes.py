"""Scenes made by hand: boxes at known places."""

import numpy as np

from airside_perception.geometry.rig import Rig
from airside_perception.synth.assets import Asset
from airside_perception.synth.mesh_parts import box
from airside_perception.synth.scene import GroundTexture, Lighting, Scene, SceneObject, SensorStyle, Trajectory


def box_asset(size, color=(0.8, 0.1, 0.1), class_name="gse") -> Asset:
    """A plain box as an asset."""
    mesh = box((0, 0, 0), size, color)
    return Asset("box", class_name, "box", "box", "test", mesh, np.asarray(size, float))


def standing(name, size, x, y, yaw=0.0, lift=0.0, color=(0.8, 0.1, 0.1), class_name="gse") -> SceneObject:
    """A box that stands at (x, y)."""
    return SceneObject(name, box_asset(size, color, class_name), Trajectory.standing(x, y, yaw), lift=lift)


def plain_scene(objects, rig: Rig) -> Scene:
    """Grey ground, even light, a sensor without noise or blur; the vehicle stands at the origin."""
    light = Lighting(
        np.array([0.0, 0.0, 1.0]),
        np.ones(3),
        np.full(3, 0.5),
        np.array([0.2, 0.3, 0.7]),
        np.full(3, 0.8),
        cloudiness=0.0,
    )
    ground = GroundTexture(np.full((64, 64, 3), 76, np.uint8), np.array([-32.0, -32.0]), 1.0)
    sensor = SensorStyle(shot_noise=0.0, read_noise=0.0, blur_px=0.0, vignette=0.0)
    ego = Trajectory.standing(0, 0, 0)
    return Scene(0, "test", tuple(objects), ego, rig, ground, light, sensor, 1.0)
