"""One object as the tracker remembers it: filter, evidence, codes and trail."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from airside_perception.config import ClassTrackingConfig
from airside_perception.records import ObjectEstimate, Track
from airside_perception.tracking.mode_filter import PARKED, ModeFilter
from airside_perception.tracking.motion import BOX_SIZE, VX, VY, YAW, YAW_RATE

_HEADING_MEMORY = 3.0
"""Most evidence (sum of scores) that a heading can gather: a lasting turn of opinion wins after a few frames."""

LASTING_FOLLOWS = 0.2
"""Weight of the newest measurement in the remembered lasting error."""

_WALKING_PACE, _FULL_PACE = 0.5, 1.0
"""Metres per second along the heading from which motion tells front from back, and at which it tells it fully."""

_CODE_MEMORY = 10.0
"""Weight at which fused codes stop getting stiffer; one fully seen, refined measurement weighs 1."""

_UNSEEN_CODE_WEIGHT = 0.05
"""Even a hardly visible measurement says a little about appearance."""


@dataclass
class Tracklet:
    """Mutable state of one track; only the tracker changes it.

    Attributes:
        track_id, class_name, config: identity.
        kalman: its filter, which takes errors of measurements for independent.
        lasting: (7, 7) covariance of the part of their errors that is not.
        birth_ns: stamp of the first measurement.
        score: smoothed score, decaying while unmeasured.
        evidence: sum of the scores of all measurements.
        confirmed: past the tentative stage.
        hits: number of measurements.
        misses: frames since the last one.
        missed_s: time since the last measurement.
        missed_visible_s: the part of it in which the object should have been seen.
        heading: evidence that the heading is right, not opposite.
        parts_measured: consecutive frames in which several shorter objects were measured in its place.
    """

    track_id: str
    class_name: str
    config: ClassTrackingConfig
    kalman: ModeFilter
    lasting: np.ndarray
    birth_ns: int
    score: float
    evidence: float = 0.0
    confirmed: bool = False
    hits: int = 1
    misses: int = 0
    missed_s: float = 0.0
    missed_visible_s: float = 0.0
    heading: float = 0.0
    parts_measured: int = 0
    codes: list[np.ndarray | None] = field(default_factory=lambda: [None, None])
    code_weights: list[float] = field(default_factory=lambda: [0.0, 0.0])
    trail: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    trail_ns: list[int] = field(default_factory=list)
    estimate_index: int | None = None
    match_cost: dict[str, float] = field(default_factory=dict)
    rejected_cost: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def box(self) -> np.ndarray:
        """(7,) current box."""
        return self.kalman.x[:BOX_SIZE]

    @property
    def covariance(self) -> np.ndarray:
        """(7, 7) of the box, lasting errors included."""
        return self.kalman.P[:BOX_SIZE, :BOX_SIZE] + self.lasting

    @property
    def moves(self) -> bool:
        """Whether it goes at a walking pace at least."""
        x = self.kalman.x
        return not self.kalman.parked and math.hypot(x[VX], x[VY]) > _FULL_PACE

    def measured(self, estimate: ObjectEstimate, index: int, flipped: bool, score_memory: float) -> tuple[str, ...]:
        """Take in a matched estimate but for its box, which the filter has, and its codes; returns reason codes."""
        self.score = score_memory * self.score + (1.0 - score_memory) * estimate.score
        self.hits += 1
        self.misses, self.missed_s, self.missed_visible_s = 0, 0.0, 0.0
        self.estimate_index = index
        self.gather_evidence(estimate)
        return self._weigh_heading(flipped, estimate)

    def gather_evidence(self, estimate: ObjectEstimate) -> None:
        """Confirm the track once it was measured often or surely enough."""
        self.evidence += estimate.score
        if self.hits >= self.config.birth_hits or self.evidence >= self.config.birth_evidence:
            self.confirmed = True

    def _weigh_heading(self, flipped: bool, estimate: ObjectEstimate) -> tuple[str, ...]:
        """Vote on front and back, measurement and motion; turn the box round when the votes are against it."""
        vote = estimate.score
        if math.isfinite(estimate.heading_odds):
            # Probability of the measured heading less that of its opposite, in the eyes of its frame alone: the
            # measurement itself leant on the track, which must not confirm itself.
            vote *= math.tanh(0.5 * estimate.heading_odds)
        vote = (-vote if flipped else vote) + self._forward_vote()
        self.heading = min(max(self.heading + vote, -_HEADING_MEMORY), _HEADING_MEMORY)
        if self.heading >= 0.0:
            return ()
        self.kalman.turn_round()
        self.heading = -self.heading
        return ("heading_turned",)

    def _forward_vote(self) -> float:
        """What the direction of travel says of the heading: positive where it goes ahead."""
        x = self.kalman.x
        along = x[VX] * math.cos(x[YAW]) + x[VY] * math.sin(x[YAW])
        if self.kalman.parked or abs(along) < _WALKING_PACE:
            return 0.0
        return self.config.forward_weight * min(max(along / _FULL_PACE, -1.0), 1.0)

    def missed(self, dt: float, expected_visibility: float, decay_s: float) -> None:
        """Count a frame without a measurement.

        Args:
            dt: seconds since the frame before.
            expected_visibility: 0 (surely hidden) .. 1 (should have been seen).
            decay_s: time constant of the score while visible; hidden objects lose it as slowly as they may live.
        """
        self.misses += 1
        self.parts_measured = 0
        self.missed_s += dt
        self.missed_visible_s += dt * expected_visibility
        rate = expected_visibility / decay_s + (1.0 - expected_visibility) / max(self.config.max_hidden_s, decay_s)
        self.score *= math.exp(-dt * rate)
        self.estimate_index, self.match_cost = None, {}

    @property
    def expired(self) -> bool:
        """True once it was missed for longer than its class may be."""
        limit = self.config.max_coast_s if self.confirmed else 0.25 * self.config.max_coast_s
        hidden_limit = self.config.max_hidden_s if self.confirmed else limit
        return self.missed_visible_s > limit + 1e-9 or self.missed_s > max(hidden_limit, limit) + 1e-9

    def absorb(self, other: Tracklet) -> None:
        """Go on in place of `other`, which turned out to be the same object; the fresher state wins."""
        self.reasons += (f"merged:{other.track_id}",)
        self.confirmed = self.confirmed or other.confirmed
        if other.misses < self.misses:
            self.kalman, self.heading, self.score = other.kalman, other.heading, max(self.score, other.score)
            self.misses, self.missed_s, self.missed_visible_s = other.misses, other.missed_s, other.missed_visible_s
            self.estimate_index, self.match_cost = other.estimate_index, other.match_cost

    def begin_anew(self, kalman: ModeFilter) -> None:
        """Go on as one part of what was thought to be a single object."""
        self.kalman, self.parts_measured = kalman, 0
        self.codes, self.code_weights = [None, None], [0.0, 0.0]
        self.reasons += ("split",)

    def extend_trail(self, stamp_ns: int, trail_s: float) -> None:
        """Remember where the object was, and forget what is older than `trail_s`."""
        self.trail_ns.append(stamp_ns)
        first = bisect_left(self.trail_ns, stamp_ns - round(trail_s * 1e9))
        del self.trail_ns[:first]
        # A new array each time: records hold the old one.
        trail = np.empty((len(self.trail_ns), 3), np.float32)
        trail[:-1], trail[-1] = self.trail[first:], self.kalman.x[:3]
        self.trail = trail

    def record(self, stamp_ns: int) -> Track:
        """The immutable record of the present state."""
        state = "tentative" if not self.confirmed else ("coasting" if self.misses else "confirmed")
        x = self.kalman.x
        return Track(
            track_id=self.track_id,
            class_name=self.class_name,
            box=x[:BOX_SIZE].copy(),
            velocity=x[VX : VY + 1].copy(),
            covariance=self.covariance,
            score=self.score,
            state=state,
            yaw_rate=float(x[YAW_RATE]),
            age_s=(stamp_ns - self.birth_ns) * 1e-9,
            hits=self.hits,
            misses=self.misses,
            parked=float(self.kalman.probabilities[PARKED]),
            shape_code=self.codes[0],
            texture_code=self.codes[1],
            trail=self.trail,
            estimate_index=self.estimate_index,
            match_cost=self.match_cost,
            rejected_cost=self.rejected_cost,
            reasons=self.reasons,
        )


def fuse_codes(pairs: Sequence[tuple[Tracklet, ObjectEstimate]]) -> None:
    """Average shape and texture codes over time, weighted by how much of each object was seen; all pairs in one go."""
    for k, name in enumerate(("shape_code", "texture_code")):
        known: dict[tuple[int, ...], list[tuple[Tracklet, np.ndarray, float]]] = {}
        for tracklet, estimate in pairs:
            new, old = getattr(estimate, name), tracklet.codes[k]
            if new is None:
                continue
            visible = estimate.visible_fraction
            weight = max(float(visible) if math.isfinite(visible) else 0.5, _UNSEEN_CODE_WEIGHT)
            if old is not None and old.shape == new.shape:
                known.setdefault(new.shape, []).append((tracklet, new, weight))
            elif np.isfinite(new).all():
                tracklet.codes[k], tracklet.code_weights[k] = np.array(new, np.float32), weight
        for members in known.values():
            _fuse_known(k, members)


def _fuse_known(k: int, members: Sequence[tuple[Tracklet, np.ndarray, float]]) -> None:
    """Fuse codes number `k` of tracks that have one of the same length already."""
    old = np.array([tracklet.codes[k] for tracklet, _, _ in members], np.float32)
    new = np.array([code for _, code, _ in members], np.float32)
    weight = np.array([each for _, _, each in members])
    total = np.array([tracklet.code_weights[k] for tracklet, _, _ in members]) + weight
    mixed = old + (weight / total).astype(np.float32)[:, None] * (new - old)
    usable = np.asarray(np.isfinite(new).all(axis=1))
    for (tracklet, _, _), code, now, sound in zip(members, mixed, total, usable, strict=True):
        if sound:
            tracklet.codes[k], tracklet.code_weights[k] = code, min(float(now), _CODE_MEMORY)
