"""What happened to every track over a sequence, for the report."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from airside_perception.records import SceneEstimate


@dataclass
class TrackLife:
    """One track over time; lists run over the frames in which it was alive.

    Attributes:
        track_id, class_name: identity.
        stamps_ns: stamps.
        loss_before, loss_after: of refinement, NaN where nothing was rendered.
        visible: visible fraction, NaN where unknown.
        states: "confirmed" or "coasting".
        sizes: last length, width, height, metres.
        fastest: highest speed, m/s.
        reasons: how often each reason code arose.
    """

    track_id: str
    class_name: str
    stamps_ns: list[int] = field(default_factory=list)
    loss_before: list[float] = field(default_factory=list)
    loss_after: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    sizes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fastest: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)


class TrackHistory:
    """Lives of all tracks, in the order of their birth.

    Attributes:
        lives: by track id; after a reset ids begin anew, and "#2" tells the second round apart.
        stamps_ns: of all frames.
    """

    def __init__(self) -> None:
        self.lives: dict[str, TrackLife] = {}
        self.stamps_ns: list[int] = []
        self._round = 1

    def add(self, scene: SceneEstimate) -> None:
        """Note one frame."""
        if self.stamps_ns and scene.stamp_ns <= self.stamps_ns[-1]:
            self._round += 1
        self.stamps_ns.append(scene.stamp_ns)
        by_id = {explanation.track_id: explanation for explanation in scene.explanations}
        for track in scene.tracks:
            name = track.track_id if self._round == 1 else f"{track.track_id} #{self._round}"
            life = self.lives.setdefault(name, TrackLife(name, track.class_name))
            known = by_id.get(track.track_id)
            life.stamps_ns.append(scene.stamp_ns)
            life.loss_before.append(known.loss_before if known else math.nan)
            life.loss_after.append(known.loss_after if known else math.nan)
            life.visible.append(known.visible_fraction if known else math.nan)
            life.states.append(track.state)
            life.sizes = (float(track.box[3]), float(track.box[4]), float(track.box[5]))
            life.fastest = max(life.fastest, math.hypot(*track.velocity))
            life.reasons.update(code.split(":")[0] for code in (known.reasons if known else track.reasons))
