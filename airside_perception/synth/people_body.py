"""A jointed figure of an apron worker, skinned and dressed in closed parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from airside_perception.synth.colors import BLACK, DARK_GREY, ORANGE_LAMP
from airside_perception.synth.mesh import cross
from airside_perception.synth.mesh_parts import (
    EMISSIVE,
    FABRIC,
    PAINT,
    FloatArray,
    Mesh,
    box,
    chamfered_box,
    cylinder,
    ellipsoid,
    hexahedra,
    loft,
    merge,
)

Figure = Mapping[str, Any]
Pose = Mapping[str, float]

TORSO_LEVELS = np.array([-0.06, 0.06, 0.2, 0.36, 0.42, 0.6, 0.66, 0.82, 0.94, 1.02, 1.06])
"""Heights of the torso's rings in spine lengths above the pelvis."""
TORSO_ANGLES = np.radians([-20, 20, 36, 50, 90, 130, 144, 180, 216, 230, 270, 310, 324])
"""Points of a ring from the front to the left and round; the narrow pieces take the braces of a vest."""
_ACROSS = np.array([0.07, 0.098, 0.092, 0.09, 0.092, 0.105, 0.108, 0.115, 0.1, 0.045, 0.035])
_DEEP = np.array([0.06, 0.072, 0.072, 0.075, 0.076, 0.078, 0.078, 0.072, 0.055, 0.036, 0.034])
_LEFT = np.array([0.0, 1.0, 0.0])


def _limb(points: FloatArray, radii: FloatArray, color: FloatArray, sides: int = 6) -> Mesh:
    """Tapered limb through joint points (N, 3), its sections across the piece's own direction."""
    direction = np.gradient(points, axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    # Sections turn with the axis that the limb follows least, or an arm held sideways would collapse.
    reference = np.eye(3)[[1, 0, 2][int(np.argmin(np.abs(direction[:, [1, 0, 2]]).max(axis=0)))]]
    side = cross(reference, direction)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = cross(direction, side)
    angle = (np.arange(sides) + 0.5) * (2 * np.pi / sides)
    circle = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    return loft(points[:, None] + radii[:, None, None] * circle, color[:, None], FABRIC)


def _bone(swing: float, sideways: float, sign: int) -> FloatArray:
    """Unit vector of a hanging bone, swung forward by one angle and then raised to its side by another."""
    flat = np.array([np.sin(swing), 0.0, -np.cos(swing)])
    return np.cos(sideways) * flat + np.sin(sideways) * sign * _LEFT


def _leg(figure: Figure, pose: Pose, name: str, sign: int, pelvis: FloatArray) -> list[Mesh]:
    tall = figure["height"]
    hip, knee = pose[f"{name}_hip"], pose[f"{name}_knee"]
    top = pelvis + np.array([0.0, sign * 0.052 * tall, -0.01 * tall])
    middle = top + _bone(hip, 0.0, sign) * 0.245 * tall
    ankle = middle + _bone(hip - knee, 0.0, sign) * 0.24 * tall
    shares = np.array([0.52, 0.34])[:, None]
    path = np.concatenate([[top, 0.5 * (top + middle), middle], shares * middle + (1 - shares) * ankle, [ankle]])
    radii = figure["girth"] * tall * np.array([0.052, 0.048, 0.036, 0.036, 0.033, 0.027]) * figure["trouser_width"]
    colors = np.repeat(np.array([figure["trousers"]]), 5, axis=0)
    colors[3] = figure["leg_band"]
    pitch = np.clip(hip - knee + pose.get("foot", 0.0), -0.9, 0.5)
    center, radius = (0.045 * tall, 0.0, -0.012 * tall), (0.082 * tall, 0.03 * tall, 0.024 * tall)
    foot = ellipsoid(center, radius, figure["shoes"], FABRIC, 6, 3)
    return [_limb(path, radii, colors), foot.rotated("y", -pitch).translated(*ankle)]


def _arm(figure: Figure, pose: Pose, name: str, sign: int, shoulder: FloatArray, up: FloatArray) -> tuple[Any, ...]:
    """Sleeve, glove, and the hand's place and direction."""
    tall, girth = figure["height"], figure["girth"]
    swing, sideways = pose[f"{name}_arm"] + pose.get("lean", 0.0), pose.get(f"{name}_raise", pose.get("spread", 0.08))
    along = _bone(
        pose.get(f"{name}_forearm", swing + pose[f"{name}_elbow"]),
        pose.get(f"{name}_forearm_raise", 0.3 * sideways),
        sign,
    )
    joint = shoulder + _bone(swing, sideways, sign) * 0.175 * tall
    wrist = joint + along * 0.16 * tall
    path = np.stack([shoulder + 0.01 * tall * up, 0.5 * (shoulder + joint), joint, 0.5 * (joint + wrist), wrist])
    sleeve = np.array([figure["sleeve"], figure["sleeve_band"], figure["forearm"], figure["forearm"]])
    hand = wrist + along * 0.04 * tall
    # The glove hangs along z in its own frame; a flat palm would not be seen at these sizes.
    side = (0.026 if abs(along[2]) < 0.7 else 0.022) * tall
    glove = ellipsoid(
        hand, (side, 0.02 * tall, 0.03 * tall + 0.015 * tall * abs(along[2])), figure["gloves"], FABRIC, 5, 3
    )
    return [_limb(path, girth * tall * np.array([0.036, 0.031, 0.027, 0.024, 0.019]), sleeve), glove], hand, along


def _held(figure: Figure, hands: FloatArray, directions: FloatArray) -> list[Mesh]:
    """What the hands hold: lit wands, paddles, a box before the body or a case beside it."""
    kind, tall = figure.get("held"), figure["height"]
    if kind == "wands":
        reach = directions * 0.21 * tall
        grips = [
            cylinder(h, h + 0.35 * r, 0.016, DARK_GREY, PAINT, segments=5) for h, r in zip(hands, reach, strict=True)
        ]
        lit = [
            cylinder(h + 0.35 * r, h + r, 0.026, figure.get("held_color", ORANGE_LAMP), EMISSIVE, segments=6)
            for h, r in zip(hands, reach, strict=True)
        ]
        return grips + lit
    if kind == "paddles":
        parts = []
        for hand, along in zip(hands, directions, strict=True):
            parts.append(cylinder(hand, hand + 0.14 * along, 0.014, DARK_GREY, PAINT, segments=5))
            center = hand + 0.26 * along
            parts.append(
                cylinder(center - (0.01, 0, 0), center + (0.01, 0, 0), 0.14, figure["held_color"], PAINT, segments=10)
            )
        return parts
    if kind == "box":
        deep, wide, high = figure["held_size"]
        middle = hands.mean(axis=0) + (0.35 * deep, 0.0, 0.3 * high)
        return [chamfered_box(middle, (deep, wide, high), 0.02, figure["held_color"], FABRIC)]
    if kind == "case":
        long, thick, high = figure["held_size"]
        hand = hands[1]
        body = chamfered_box(
            hand - (0.0, 0.0, 0.06 + high / 2), (long, thick, high), 0.04, figure["held_color"], FABRIC
        )
        return [body, box(hand - (0.0, 0.0, 0.03), (0.14, 0.03, 0.06), BLACK)]
    return []


def _carried(figure: Figure, pelvis: FloatArray, axis: FloatArray, forward: FloatArray) -> list[Mesh]:
    """Backpack, hood on the shoulders and belt pouch, all of them signs of where the back is."""
    tall, spine = figure["height"], 0.30 * figure["height"]
    deep = figure["girth"] * tall * 0.076 * figure["belly"]
    parts = []
    if figure.get("backpack") is not None:
        corners = [
            pelvis + axis * spine * level - forward * (deep * 0.7 + out * 0.1 * tall) + _LEFT * side * 0.085 * tall
            for level in (0.28, 0.95)
            for side in (-1, 1)
            for out in (0.0, 1.0 if level < 0.5 else 0.7)
        ]
        parts.append(hexahedra(corners, figure["backpack"], FABRIC))
    if figure.get("hood") is not None and not figure.get("hood_up"):
        center = pelvis + axis * spine * 1.0 - forward * 0.045 * tall
        parts.append(ellipsoid(center, (0.045 * tall, 0.075 * tall, 0.04 * tall), figure["hood"], FABRIC, 8, 4))
    if figure.get("pouch") is not None:
        center = pelvis + axis * spine * 0.05 - _LEFT * 0.1 * tall * figure["girth"]
        parts.append(box(center, (0.075 * tall, 0.035 * tall, 0.08 * tall), figure["pouch"], FABRIC))
    return parts


def _head(figure: Figure, skull: FloatArray) -> list[Mesh]:
    """Face, hair behind it, what is worn on top, ear defenders and sun glasses."""
    tall = figure["height"]
    parts = [ellipsoid(skull, np.array([0.056, 0.045, 0.068]) * tall, figure["skin"], FABRIC, 8, 6)]
    if figure.get("hood_up"):
        around = np.array([0.066, 0.062, 0.08]) * tall
        return [*parts, ellipsoid(skull + np.array([-0.02, 0.0, 0.008]) * tall, around, figure["hood"], FABRIC, 8, 5)]
    parts.append(
        ellipsoid(
            skull + np.array([-0.016, 0, 0.004]) * tall,
            np.array([0.046, 0.048, 0.06]) * tall,
            figure["hair"],
            FABRIC,
            8,
            4,
        )
    )
    swell = figure["headgear_size"] * tall
    cap = skull + np.array([-0.004, 0.0, 0.03]) * tall
    parts.append(ellipsoid(cap, np.array([0.064, 0.054, 0.046]) * swell, figure["headgear"], PAINT, 8, 4))
    if figure["visor"] > 0:  # of a cap or a helmet, to the front only
        shade = cap + np.array([0.055, 0.0, -0.012]) * tall
        parts.append(
            ellipsoid(shade, np.array([0.5 * figure["visor"], 0.045, 0.008]) * tall, figure["headgear"], PAINT, 8, 3)
        )
    if figure["glasses"]:
        parts.append(box(skull + np.array([0.048, 0.0, 0.012]) * tall, (0.02 * tall, 0.07 * tall, 0.02 * tall), BLACK))
    for sign in (1, -1):
        muff = skull + np.array([0.0, sign * 0.047, 0.0]) * tall
        radii = np.array([0.022, 0.014, 0.028]) * tall * figure["muffs"]
        parts.append(ellipsoid(muff, radii, figure["muff_color"], PAINT, 5, 3))
    return parts


def body(figure: Figure, pose: Pose) -> tuple[Mesh, FloatArray]:
    """Skin a stick figure.

    Args:
        figure: proportions and clothes, from `people_clothes.draw_figure`.
        pose: joint angles in radians, forward positive (knees and elbows: flexion); see people_poses.

    Returns:
        The mesh, standing on z = 0 and facing +x, and the (2, 3) places of the left and right hand.
    """
    tall, spine = figure["height"], 0.30 * figure["height"]
    lean = pose.get("lean", 0.0)
    axis = np.array([np.sin(lean), 0.0, np.cos(lean)])
    forward = np.array([np.cos(lean), 0.0, -np.sin(lean)])
    pelvis = np.array([0.0, 0.0, 0.54 * tall])
    parts: list[Mesh] = []
    hands, directions = [], []
    for sign, name in ((1, "left"), (-1, "right")):
        parts += _leg(figure, pose, name, sign, pelvis)
        shoulder = pelvis + axis * spine * 0.9 + sign * figure["shoulders"] * tall * _LEFT
        arm, hand, along = _arm(figure, pose, name, sign, shoulder, axis)
        parts += arm
        hands.append(hand)
        directions.append(along)

    levels = TORSO_LEVELS
    across = _ACROSS * np.where((levels > 0.5) & (levels < 1.0), figure["shoulders"] / 0.115, 1.0) * figure["hips"]
    across = across * np.where(levels < 0.5, 1.0, 1.0 / figure["hips"])
    deep = _DEEP * figure["belly"]
    angle = TORSO_ANGLES
    rings = pelvis + axis * (levels * spine)[:, None, None]
    rings = rings + (figure["girth"] * tall * deep[:, None] * np.cos(angle))[..., None] * forward
    rings = rings + (figure["girth"] * tall * across[:, None] * np.sin(angle))[..., None] * _LEFT
    parts.append(loft(rings, figure["torso"], FABRIC))

    tilt = lean * 0.6 + pose.get("nod", 0.0)
    skull = pelvis + axis * spine * 1.06 + np.array([np.sin(tilt), 0.0, np.cos(tilt)]) * 0.06 * tall
    parts += _head(figure, skull)
    parts += _carried(figure, pelvis, axis, forward)
    parts += _held(figure, np.array(hands), np.array(directions))
    mesh = merge(parts)
    rise = -float(mesh.vertices[:, 2].min())
    return mesh.translated(z=rise), np.array(hands) + (0.0, 0.0, rise)
