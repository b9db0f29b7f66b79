"""Apron workers by what they do: one kind an activity, `person_walking` to `person_carrying`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from airside_perception.synth import people_poses as poses
from airside_perception.synth.catalogue import Build, Family, Kind
from airside_perception.synth.colors import GREEN_LAMP, HAZARD_YELLOW, ORANGE_LAMP, RED_LAMP, pick, random_hue
from airside_perception.synth.people_body import Figure, Pose, body
from airside_perception.synth.people_clothes import draw_figure

Style = Mapping[str, Any]

ACTIVITIES = ("walking", "standing", "crouching", "kneeling", "marshalling", "pushing", "carrying")
"""The kind of an activity is `person_` + its name. Walking, pushing and carrying step with the ground covered,
marshalling waves by the clock (`Asset.cycle_s`), the others are still. One seed (and family) is one person in all of
them: every builder draws its figure first."""


def _still(figure: Figure, pose: Pose) -> Build:
    mesh, hands = body(figure, pose)
    return Build(mesh, {"hands": hands.mean(axis=0)})


def _stepping(figure: Figure, rest: Pose, pose_at: Callable[[float], Pose]) -> Build:
    """Cycle over the ground covered, with a narrow rest pose: its box is that of the upright body."""
    mesh, hands = body(figure, rest)
    return Build(mesh, {"hands": hands.mean(axis=0)}, lambda phase: body(figure, pose_at(phase))[0])


_UPRIGHT = {f"{side}_{joint}": 0.05 for side in poses.SIDES for joint in ("hip", "knee", "arm", "elbow")}
_LEGS_TOGETHER = {f"{side}_{joint}": 0.05 for side in poses.SIDES for joint in ("hip", "knee")}


def _walker(rng: np.random.Generator, style: Style) -> Build:
    figure = draw_figure(rng, style)
    stride, swing = rng.uniform(0.38, 0.55), rng.uniform(0.2, 0.6)
    return _stepping(figure, _UPRIGHT, lambda phase: poses.walking(phase, stride, swing))


def _stander(rng: np.random.Generator, style: Style) -> Build:
    return _still(draw_figure(rng, style), poses.standing(rng))


def _croucher(rng: np.random.Generator, style: Style) -> Build:
    return _still(draw_figure(rng, style), poses.crouching(rng))


def _kneeler(rng: np.random.Generator, style: Style) -> Build:
    return _still(draw_figure(rng, style), poses.kneeling(rng))


def _pusher(rng: np.random.Generator, style: Style) -> Build:
    """Leans on a handle that is not there: the anchor `hands` says where it has to be."""
    figure = draw_figure(rng, style)
    stride, lean, reach = rng.uniform(0.32, 0.5), rng.uniform(0.12, 0.4), rng.uniform(0.95, 1.25)
    rest = {**poses.pushing(0.0, stride, lean, reach), **_LEGS_TOGETHER}
    return _stepping(figure, rest, lambda phase: poses.pushing(phase, stride, lean, reach))


def _carrier(rng: np.random.Generator, style: Style) -> Build:
    figure = draw_figure(rng, style)
    both = bool(rng.uniform() < 0.5)
    figure["held"] = "box" if both else "case"
    low, high = ((0.25, 0.35, 0.2), (0.4, 0.5, 0.4)) if both else ((0.4, 0.14, 0.28), (0.6, 0.24, 0.42))
    figure["held_size"] = rng.uniform(low, high)
    cardboard = rng.uniform() < 0.5 and both
    figure["held_color"] = (0.5, 0.36, 0.22) if cardboard else random_hue(rng, (0.0, 0.9), (0.05, 0.7))
    stride, swing = rng.uniform(0.34, 0.5), rng.uniform(0.15, 0.4)
    rest = {**poses.carrying(0.0, stride, both, 0.05), **_LEGS_TOGETHER}
    return _stepping(figure, rest, lambda phase: poses.carrying(phase, stride, both, swing))


def _marshaller(rng: np.random.Generator, style: Style) -> Build:
    figure = draw_figure(rng, style)
    wands = ((ORANGE_LAMP, 2.0), (RED_LAMP, 1.5), (GREEN_LAMP, 0.5), ((0.95, 0.9, 0.3), 0.5))
    paddles = ((HAZARD_YELLOW, 1.0), ((0.95, 0.3, 0.05), 2.0), ((0.85, 0.1, 0.08), 1.0))
    lit = rng.uniform() < 0.65
    figure |= {"held": "wands" if lit else "paddles", "held_color": pick(rng, wands if lit else paddles)}
    signal, legs = str(rng.choice(poses.SIGNALS, p=[0.4, 0.15, 0.15, 0.15, 0.15])), poses.legs_standing(rng)
    mesh, hands = body(figure, poses.marshalling(0.0, signal, legs))
    return Build(
        mesh,
        {"hands": hands.mean(axis=0)},
        lambda phase: body(figure, poses.marshalling(phase, signal, legs))[0],
        cycle_s=float(rng.uniform(1.0, 2.2)),
    )


def _families() -> dict[str, Family]:
    def family(split: str, outfit: str, build: str, **chances: float) -> Family:
        return Family(split, {"outfit": outfit, "build": build, **chances})

    return {
        "vest": family("train", "vest", "average", backpack=0.1),
        "jacket": family("train", "jacket", "heavy", helmet=0.5, hood=0.4),
        "slim_plain": family("train", "plain", "slim", helmet=0.2, backpack=0.3),
        "overall": family("train", "overall", "broad", helmet=0.6),
        "tall_suit": family("train", "suit", "tall", helmet=0.4, hood=0.5),
        "short_open_vest": family("train", "open_vest", "short", helmet=0.2),
        "narrow_vest": family("train", "vest", "narrow", helmet=0.2, backpack=0.15),
        "uniform": family("train", "uniform", "average", helmet=0.05),
        "dark_parka": family("train", "parka", "broad", helmet=0.15, hood=0.8),
        "dark_overall": family("val", "dark_overall", "average"),
        "heavy_vest": family("val", "open_vest", "heavy", helmet=0.4, hood=0.3),
        "slim_vest": family("test", "vest", "slim", helmet=0.5, backpack=0.2),
        "heavy_jacket": family("test", "jacket", "heavy", helmet=0.2, hood=0.2),
        "tall_uniform": family("test", "uniform", "tall", helmet=0.1, backpack=0.3),
    }


_BUILDERS = (_walker, _stander, _croucher, _kneeler, _marshaller, _pusher, _carrier)
PERSON_KINDS = {
    f"person_{activity}": Kind("person", _families(), builder, seeds_of="person")
    for activity, builder in zip(ACTIVITIES, _BUILDERS, strict=True)
}
