"""Apron workers: builds, clothes, hi-vis, and a walking cycle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import Color, jitter, pick, random_hue
from airside_perception.synth.mesh import cross
from airside_perception.synth.mesh_parts import FABRIC, PAINT, FloatArray, Mesh, ellipsoid, loft, merge

SKINS: tuple[tuple[Color, float], ...] = (
    ((0.82, 0.62, 0.5), 1.0), ((0.7, 0.5, 0.38), 1.0), ((0.48, 0.32, 0.22), 1.0), ((0.25, 0.16, 0.11), 0.8),
)  # fmt: skip
HI_VIS: tuple[tuple[Color, float], ...] = (
    ((0.78, 0.95, 0.12), 3.0),
    ((0.98, 0.42, 0.06), 2.0),
    ((0.95, 0.85, 0.1), 1.0),
)
CLOTH: tuple[tuple[Color, float], ...] = (
    ((0.06, 0.08, 0.16), 3.0), ((0.08, 0.08, 0.09), 2.0), ((0.3, 0.31, 0.33), 1.0), ((0.12, 0.2, 0.4), 1.0),
    ((0.35, 0.3, 0.22), 0.6), ((0.7, 0.7, 0.7), 0.4), ((0.45, 0.08, 0.08), 0.3),
)  # fmt: skip
REFLECTIVE: Color = (0.82, 0.84, 0.84)


def _limb(points: FloatArray, radii: FloatArray, color: FloatArray | Color, sides: int = 6) -> Mesh:
    """Tapered limb through joint points (N, 3); sections stay horizontal-ish, across the piece's own direction."""
    points = np.asarray(points, dtype=np.float64)
    direction = np.gradient(points, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    side = cross(np.array([0.0, 1.0, 0.0]), direction)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = cross(direction, side)
    angle = (np.arange(sides) + 0.5) * (2 * np.pi / sides)
    circle = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    return loft(points[:, None] + np.asarray(radii)[:, None, None] * circle, color, FABRIC)


def _swing(angle: float, length: float) -> FloatArray:
    """Hanging bone of a length, swung forward about y by an angle."""
    return np.array([np.sin(angle), 0.0, -np.cos(angle)]) * length


def _body(figure: Mapping[str, Any], pose: Mapping[str, float]) -> Mesh:
    """Skin a stick figure; `pose` holds joint angles in radians, forward positive (knees and elbows: flexion)."""
    tall, girth = figure["height"], figure["girth"]
    thigh, shank, spine = 0.245 * tall, 0.24 * tall, 0.30 * tall
    upper_arm, forearm = 0.175 * tall, 0.16 * tall
    lean = pose.get("lean", 0.0)
    axis = np.array([np.sin(lean), 0.0, np.cos(lean)])
    forward = np.array([np.cos(lean), 0.0, -np.sin(lean)])
    parts = []

    pelvis = np.array([0.0, 0.0, 0.54 * tall])
    for sign, name in ((1, "left"), (-1, "right")):
        hip, knee = pose[f"{name}_hip"], pose[f"{name}_knee"]
        top = pelvis + np.array([0.0, sign * 0.052 * tall, -0.01 * tall])
        middle = top + _swing(hip, thigh)
        ankle = middle + _swing(hip - knee, shank)
        path = np.stack(
            [top, 0.5 * (top + middle), middle, 0.52 * middle + 0.48 * ankle, 0.34 * middle + 0.66 * ankle, ankle]
        )
        radii = girth * tall * np.array([0.052, 0.048, 0.036, 0.036, 0.033, 0.027]) * figure["trouser_width"]
        legs = np.repeat(np.array([figure["trousers"]]), 5, axis=0)
        legs[3] = figure["leg_band"]
        parts.append(_limb(path, radii, legs[:, None]))
        foot_pitch = np.clip(hip - knee + pose.get("foot", 0.0), -0.9, 0.5)
        foot = ellipsoid(
            (0.045 * tall, 0.0, -0.012 * tall), (0.082 * tall, 0.03 * tall, 0.024 * tall), figure["shoes"], FABRIC, 6, 3
        )
        parts.append(foot.rotated("y", -foot_pitch).translated(*ankle))

        shoulder = pelvis + axis * spine * 0.9 + np.array([0.0, sign * figure["shoulders"] * tall, 0.0])
        swing, elbow = pose[f"{name}_arm"] + lean, pose[f"{name}_elbow"]
        outward = np.array([0.0, sign * pose.get("spread", 0.08), 0.0])
        joint = shoulder + _swing(swing, upper_arm) + outward * upper_arm
        wrist = joint + _swing(swing + elbow, forearm) + outward * 0.3 * forearm
        path = np.stack([shoulder + 0.01 * tall * axis, 0.5 * (shoulder + joint), joint, 0.5 * (joint + wrist), wrist])
        sleeve = np.array([figure["sleeve"], figure["sleeve"], figure["forearm"], figure["forearm"]])
        parts.append(_limb(path, girth * tall * np.array([0.036, 0.031, 0.027, 0.024, 0.019]), sleeve[:, None]))
        tip = wrist + _swing(swing + elbow, 0.04 * tall)
        parts.append(ellipsoid(tip, (0.022 * tall, 0.018 * tall, 0.045 * tall), figure["gloves"], FABRIC, 5, 3))

    levels = np.array([-0.06, 0.06, 0.2, 0.36, 0.42, 0.6, 0.66, 0.82, 0.94, 1.02, 1.06])
    across = np.array([0.07, 0.098, 0.092, 0.09, 0.092, 0.105, 0.108, 0.115, 0.1, 0.045, 0.035])
    across = across * np.where((levels > 0.5) & (levels < 1.0), figure["shoulders"] / 0.115, 1.0)
    deep = np.array([0.06, 0.072, 0.072, 0.075, 0.076, 0.078, 0.078, 0.072, 0.055, 0.036, 0.034]) * figure["belly"]
    angle = np.arange(10) * (2 * np.pi / 10)
    rings = pelvis + axis * (levels * spine)[:, None, None]
    rings = rings + (girth * tall * deep[:, None] * np.cos(angle))[..., None] * forward
    rings = rings + (girth * tall * across[:, None] * np.sin(angle))[..., None] * np.array([0.0, 1.0, 0.0])
    parts.append(loft(rings, np.asarray(figure["torso"])[:, None], FABRIC))

    nod = pose.get("nod", 0.0)
    skull = (
        pelvis + axis * spine * 1.06 + np.array([np.sin(lean * 0.6 + nod), 0.0, np.cos(lean * 0.6 + nod)]) * 0.06 * tall
    )
    parts.append(ellipsoid(skull, (0.056 * tall, 0.045 * tall, 0.068 * tall), figure["skin"], FABRIC, 8, 6))
    cap = skull + np.array([-0.004 * tall, 0.0, 0.03 * tall])
    swell = figure["headgear_size"] * tall
    parts.append(ellipsoid(cap, (0.064 * swell, 0.054 * swell, 0.046 * swell), figure["headgear"], PAINT, 8, 4))
    for sign in (1, -1):  # ear defenders
        muff = skull + np.array([0.0, sign * 0.047 * tall, 0.0])
        parts.append(
            ellipsoid(muff, np.array([0.022, 0.014, 0.028]) * tall * figure["muffs"], figure["muff_color"], PAINT, 5, 3)
        )
    mesh = merge(parts)
    return mesh.translated(z=-float(mesh.vertices[:, 2].min()))


def _walking_pose(phase: float, stride: float, arm_swing: float) -> dict[str, float]:
    """Joint angles at a phase of one full stride cycle (two steps)."""
    pose: dict[str, float] = {"lean": 0.05}
    for name, offset in (("left", 0.0), ("right", 0.5)):
        turn = 2 * np.pi * (phase + offset)
        pose[f"{name}_hip"] = stride * np.cos(turn) + 0.06
        # The knee bends most while the leg swings forward, a quarter cycle before the hip peaks.
        pose[f"{name}_knee"] = 0.12 + 0.85 * max(0.0, float(np.cos(turn + 0.5 * np.pi + 0.3))) ** 2
        pose[f"{name}_arm"] = -arm_swing * np.cos(turn)
        pose[f"{name}_elbow"] = 0.3 + 0.15 * np.cos(turn + np.pi)
    return pose


def _standing_pose(rng: np.random.Generator) -> dict[str, float]:
    pose = {"lean": rng.uniform(-0.02, 0.1), "nod": rng.uniform(-0.1, 0.5), "spread": rng.uniform(0.05, 0.25)}
    style = rng.choice(["hang", "carry", "signal", "radio"], p=[0.5, 0.25, 0.1, 0.15])
    for name in ("left", "right"):
        pose[f"{name}_hip"], pose[f"{name}_knee"] = rng.uniform(-0.08, 0.12), rng.uniform(0.0, 0.12)
        pose[f"{name}_arm"], pose[f"{name}_elbow"] = rng.uniform(-0.15, 0.15), rng.uniform(0.05, 0.4)
        if style == "carry":
            pose[f"{name}_arm"], pose[f"{name}_elbow"] = rng.uniform(0.1, 0.4), rng.uniform(1.0, 1.5)
    if style == "signal":
        pose["left_arm"], pose["right_arm"], pose["spread"] = rng.uniform(0.8, 1.4), rng.uniform(0.6, 1.4), 0.4
    if style == "radio":
        pose["right_arm"], pose["right_elbow"] = rng.uniform(0.3, 0.7), rng.uniform(1.9, 2.3)
    return pose


def _crouching_pose(rng: np.random.Generator) -> dict[str, float]:
    pose = {
        "lean": rng.uniform(0.35, 0.65),
        "nod": rng.uniform(0.0, 0.3),
        "spread": rng.uniform(0.1, 0.25),
        "foot": 0.15,
    }
    for name in ("left", "right"):
        pose[f"{name}_hip"] = rng.uniform(1.45, 1.6)
        pose[f"{name}_knee"] = pose[f"{name}_hip"] + rng.uniform(0.6, 0.8)
        pose[f"{name}_arm"], pose[f"{name}_elbow"] = rng.uniform(0.1, 0.7), rng.uniform(0.2, 1.0)
    if rng.uniform() < 0.5:  # one knee near the ground
        pose["right_hip"], pose["right_knee"] = rng.uniform(0.1, 0.35), rng.uniform(1.7, 1.9)
        pose["left_hip"], pose["left_knee"], pose["lean"] = (
            rng.uniform(1.45, 1.6),
            rng.uniform(1.5, 1.7),
            rng.uniform(0.2, 0.5),
        )
    return pose


def _figure(rng: np.random.Generator, style: Mapping[str, Any]) -> dict[str, Any]:
    """Body proportions and clothes of one worker."""
    skin = pick(rng, SKINS)
    shirt, trousers = pick(rng, CLOTH), pick(rng, CLOTH)
    bright = pick(rng, HI_VIS) if rng.uniform() < 0.85 else random_hue(rng, (0.6, 1.0), (0.5, 0.95))
    outfit = style["outfit"]
    if outfit == "overall":
        trousers = shirt = bright
    if outfit == "dark_overall":
        trousers = shirt
    upper = shirt if outfit in ("plain", "dark_overall") else bright
    band = REFLECTIVE if outfit in ("vest", "jacket", "overall") or rng.uniform() < 0.4 else upper
    long_coat = outfit == "jacket"
    torso = np.array([trousers, upper if long_coat else trousers, upper, band, upper, band, upper, upper, shirt, skin])
    short_sleeves = outfit in ("vest", "plain") and rng.uniform() < 0.35
    sleeve = bright if outfit in ("jacket", "overall") else shirt
    hair = jitter(rng, (0.1, 0.07, 0.05), 0.1)
    helmeted = rng.uniform() < style["helmet"]
    capped = rng.uniform() < 0.4
    colored = pick(rng, HI_VIS) if rng.uniform() < 0.4 else random_hue(rng, (0.0, 0.9), (0.1, 0.95))
    return {
        "height": rng.uniform(*style["height"]),
        "girth": rng.uniform(*style["girth"]),
        "belly": rng.uniform(*style.get("belly", (0.9, 1.15))),
        "shoulders": rng.uniform(*style.get("shoulders", (0.105, 0.125))),
        "trouser_width": rng.uniform(0.95, 1.25),
        "skin": skin,
        "trousers": trousers,
        "leg_band": REFLECTIVE if outfit in ("overall", "jacket") or rng.uniform() < 0.35 else trousers,
        "torso": torso,
        "sleeve": sleeve,
        "forearm": skin if short_sleeves else sleeve,
        "shoes": jitter(rng, (0.07, 0.06, 0.05), 0.1),
        "gloves": jitter(rng, (0.2, 0.2, 0.2), 0.2) if rng.uniform() < 0.4 else skin,
        "headgear": colored if helmeted or capped else hair,
        "headgear_size": 1.12 if helmeted else 0.98,
        "muffs": 1.0 if rng.uniform() < 0.5 else 0.3,
        "muff_color": random_hue(rng, (0.0, 0.9), (0.1, 0.9)),
    }


def _walker(rng: np.random.Generator, style: Mapping[str, Any]) -> Build:
    figure = _figure(rng, style)
    stride, arm_swing = rng.uniform(0.38, 0.55), rng.uniform(0.2, 0.6)
    rest = {f"{side}_{joint}": 0.05 for side in ("left", "right") for joint in ("hip", "knee", "arm", "elbow")}
    return Build(_body(figure, rest), animate=lambda phase: _body(figure, _walking_pose(phase, stride, arm_swing)))


def _stander(rng: np.random.Generator, style: Mapping[str, Any]) -> Build:
    return Build(_body(_figure(rng, style), _standing_pose(rng)))


def _croucher(rng: np.random.Generator, style: Mapping[str, Any]) -> Build:
    return Build(_body(_figure(rng, style), _crouching_pose(rng)))


def _families() -> dict[str, Family]:
    medium, slim, heavy = (0.95, 1.12), (0.82, 0.97), (1.1, 1.28)
    return {
        "vest": Family("train", {"outfit": "vest", "height": (1.66, 1.86), "girth": medium, "helmet": 0.3}),
        "jacket": Family("train", {"outfit": "jacket", "height": (1.64, 1.9), "girth": heavy, "helmet": 0.5}),
        "slim_plain": Family("train", {"outfit": "plain", "height": (1.6, 1.85), "girth": slim, "helmet": 0.2}),
        "overall": Family("train", {"outfit": "overall", "height": (1.68, 1.88), "girth": medium, "helmet": 0.6}),
        "dark_overall": Family(
            "val", {"outfit": "dark_overall", "height": (1.64, 1.86), "girth": medium, "helmet": 0.3}
        ),
        "slim_vest": Family(
            "test",
            {"outfit": "vest", "height": (1.55, 1.78), "girth": slim, "helmet": 0.5, "shoulders": (0.098, 0.112)},
        ),
        "heavy_jacket": Family(
            "test",
            {"outfit": "jacket", "height": (1.7, 1.92), "girth": (1.15, 1.3), "helmet": 0.2, "belly": (1.05, 1.3)},
        ),
    }


PERSON_KINDS = {
    "person_walking": Kind("person", _families(), _walker),
    "person_standing": Kind("person", _families(), _stander),
    "person_crouching": Kind("person", _families(), _croucher),
}
