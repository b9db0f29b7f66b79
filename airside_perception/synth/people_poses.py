"""What apron workers do, as joint angles: still poses and cycles.

A pose maps `left_`/`right_` + hip, knee, arm, elbow to radians, forward positive; optional are lean, nod,
spread (of both arms), foot, `_raise` (of an arm to its side), `_forearm` and `_forearm_raise` (of a
forearm, from hanging, not from its upper arm).
"""

from __future__ import annotations

import numpy as np

SIDES = ("left", "right")
SIGNALS = ("ahead", "turn_left", "turn_right", "slow_down", "stop")
"""What a marshaller tells the pilot (ICAO Annex 2, appendix 1)."""


def legs_walking(phase: float, stride: float) -> dict[str, float]:
    """Legs at a phase of one full stride cycle (two steps)."""
    pose: dict[str, float] = {}
    for name, offset in (("left", 0.0), ("right", 0.5)):
        turn = 2 * np.pi * (phase + offset)
        pose[f"{name}_hip"] = stride * np.cos(turn) + 0.06
        # The knee bends most while the leg swings forward, a quarter cycle before the hip peaks.
        pose[f"{name}_knee"] = 0.12 + 0.85 * max(0.0, float(np.cos(turn + 0.5 * np.pi + 0.3))) ** 2
    return pose


def legs_standing(rng: np.random.Generator) -> dict[str, float]:
    """Legs of someone who stands at ease."""
    pose = {}
    for name in SIDES:
        pose[f"{name}_hip"], pose[f"{name}_knee"] = rng.uniform(-0.08, 0.12), rng.uniform(0.0, 0.12)
    return pose


def walking(phase: float, stride: float, arm_swing: float) -> dict[str, float]:
    """A walker at a phase of the stride cycle."""
    pose = {"lean": 0.05, **legs_walking(phase, stride)}
    for name, offset in (("left", 0.0), ("right", 0.5)):
        turn = 2 * np.pi * (phase + offset)
        pose[f"{name}_arm"] = -arm_swing * np.cos(turn)
        pose[f"{name}_elbow"] = 0.3 + 0.15 * np.cos(turn + np.pi)
    return pose


def standing(rng: np.random.Generator) -> dict[str, float]:
    """Arms hang, hold something, point, speak into a radio or rest on the hips."""
    pose = {"lean": rng.uniform(-0.02, 0.1), "nod": rng.uniform(-0.1, 0.5), "spread": rng.uniform(0.05, 0.25)}
    pose |= legs_standing(rng)
    style = rng.choice(["hang", "tablet", "point", "radio", "hips"], p=[0.4, 0.2, 0.12, 0.16, 0.12])
    for name in SIDES:
        pose[f"{name}_arm"], pose[f"{name}_elbow"] = rng.uniform(-0.15, 0.15), rng.uniform(0.05, 0.4)
        if style == "tablet":
            pose[f"{name}_arm"], pose[f"{name}_elbow"] = rng.uniform(0.1, 0.4), rng.uniform(1.0, 1.5)
        if style == "hips":
            pose[f"{name}_raise"], pose[f"{name}_forearm_raise"] = 0.75, -0.75
            pose[f"{name}_arm"], pose[f"{name}_elbow"] = -0.3, 0.5
    if style == "point":
        pose["left_arm"], pose["left_elbow"], pose["left_raise"] = rng.uniform(0.8, 1.5), 0.1, rng.uniform(0.1, 1.0)
    if style == "radio":
        pose["right_arm"], pose["right_elbow"] = rng.uniform(0.3, 0.7), rng.uniform(1.9, 2.3)
    return pose


def crouching(rng: np.random.Generator) -> dict[str, float]:
    """Squatting on both feet, or bent over with straight legs."""
    pose = {"nod": rng.uniform(0.0, 0.3), "spread": rng.uniform(0.1, 0.25), "foot": 0.15}
    deep = rng.uniform() < 0.8
    pose["lean"] = rng.uniform(0.35, 0.65) if deep else rng.uniform(0.9, 1.2)
    for name in SIDES:
        pose[f"{name}_hip"] = rng.uniform(1.45, 1.6) if deep else rng.uniform(0.3, 0.5)
        pose[f"{name}_knee"] = pose[f"{name}_hip"] + (rng.uniform(0.6, 0.8) if deep else rng.uniform(0.1, 0.3))
        pose[f"{name}_arm"], pose[f"{name}_elbow"] = rng.uniform(0.1, 0.7), rng.uniform(0.2, 1.0)
        if not deep:  # hands hang down to the work
            pose[f"{name}_arm"] = -pose["lean"] + rng.uniform(0.1, 0.6)
    return pose


def kneeling(rng: np.random.Generator) -> dict[str, float]:
    """One knee on the ground, hands at work before the body."""
    pose = {"lean": rng.uniform(0.15, 0.5), "nod": rng.uniform(0.1, 0.4), "spread": rng.uniform(0.08, 0.25)}
    down, up = ("left", "right") if rng.uniform() < 0.5 else ("right", "left")
    # The shank of the lower knee lies on the ground: hip - knee is a quarter turn back.
    pose[f"{down}_hip"] = rng.uniform(-0.05, 0.12)
    pose[f"{down}_knee"] = pose[f"{down}_hip"] + rng.uniform(1.5, 1.62)
    pose[f"{up}_hip"] = rng.uniform(1.35, 1.55)
    pose[f"{up}_knee"] = pose[f"{up}_hip"] + rng.uniform(-0.1, 0.15)
    for name in SIDES:
        pose[f"{name}_arm"], pose[f"{name}_elbow"] = rng.uniform(0.2, 0.8), rng.uniform(0.4, 1.1)
    return pose


def pushing(phase: float, stride: float, lean: float, reach: float) -> dict[str, float]:
    """Walking with both hands on a handle before the body, `reach` radians from hanging."""
    pose = {"lean": lean, "spread": 0.1, **legs_walking(phase, stride)}
    for name in SIDES:
        pose[f"{name}_arm"], pose[f"{name}_forearm"] = reach - 0.35 - lean, reach + 0.35
        pose[f"{name}_elbow"] = 0.7
    return pose


def carrying(phase: float, stride: float, both_hands: bool, swing: float) -> dict[str, float]:
    """Walking with a box before the body, or with a case in the right hand."""
    pose = walking(phase, stride, swing)
    if both_hands:
        pose["lean"] = -0.04
        for name in SIDES:
            pose[f"{name}_arm"], pose[f"{name}_elbow"], pose[f"{name}_raise"] = 0.15, 1.25, 0.12
        return pose
    pose["lean"], pose["right_arm"], pose["right_elbow"], pose["right_raise"] = 0.08, 0.0, 0.05, 0.14
    return pose


def marshalling(phase: float, signal: str, legs: dict[str, float]) -> dict[str, float]:
    """A marshaller at a phase of the signal; phase 0 is its widest and highest moment.

    Raises:
        ValueError: `signal` is not one of SIGNALS.
    """
    if signal not in SIGNALS:
        raise ValueError(f"unknown signal {signal!r}; expected one of {', '.join(SIGNALS)}")
    pose = {**legs, "lean": 0.0, "nod": 0.1, "left_arm": 0.0, "right_arm": 0.0, "left_elbow": 0.0, "right_elbow": 0.0}
    wave = 0.5 + 0.5 * float(np.cos(2 * np.pi * phase))
    for name in SIDES:
        if signal == "slow_down":  # both arms up and down beside the body
            pose[f"{name}_raise"] = pose[f"{name}_forearm_raise"] = 0.55 + 0.9 * wave
        elif signal == "stop":  # wands cross above the head
            pose[f"{name}_arm"], pose[f"{name}_raise"] = np.pi, 0.45
            pose[f"{name}_forearm"], pose[f"{name}_forearm_raise"] = np.pi, -0.75 + 1.0 * wave
        elif signal == f"turn_{name}":  # the other arm beckons
            pose[f"{name}_raise"] = pose[f"{name}_forearm_raise"] = 1.5
        else:  # beckon: the forearms swing between upright and forward
            pose[f"{name}_raise"] = 1.35
            pose[f"{name}_forearm"], pose[f"{name}_forearm_raise"] = np.pi - 1.3 * (1.0 - wave), 0.1
    return pose
