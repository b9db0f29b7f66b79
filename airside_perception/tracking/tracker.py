"""Identity over time: predict, associate, update, birth and death.

Deterministic: the same estimates give the same tracks and ids, in the order of birth.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.config import ClassTrackingConfig, TrackingConfig
from airside_perception.geometry.boxes import ground_distance, iou_bev
from airside_perception.records import ObjectEstimate, Track
from airside_perception.tracking import mode_filter
from airside_perception.tracking.association import CostTerms, Weights, assign, code_costs, match_costs
from airside_perception.tracking.mode_filter import ModeFilter
from airside_perception.tracking.motion import BOX_SIZE, VX, VY, MotionParameters
from airside_perception.tracking.tracklet import LASTING_FOLLOWS, Tracklet, fuse_codes
from airside_perception.tracking.trains import several_in_one, velocity_of_row

_log = logging.getLogger(__name__)

HIDDEN_BELOW = 0.2
"""Expected visibility below which a missing measurement is no surprise at all."""

_LONGEST_CHARGE_S = 0.5
"""A pause of the input is no evidence of absence: one frame charges a track at most this much missed time."""

_GATE_SIGMAS = 2.0
_GATE_GROWTH = 2.0
"""The gate widens by so many standard deviations of an uncertain position, up to so many times the gate."""

_MERGE_FRAMES = 5
"""Confirmed tracks are merged after so many consecutive frames in one place."""

_TRAIN_CLASS = "gse"
"""Class of what is towed in a row."""

_ROW_HITS, _ROW_PARKED = 3, 0.1
"""Measurements after which a neighbour's motion is known, and probability that what is born in its row is parked."""

_ROW_SPEED_STD = 1.0
"""A velocity (m/s) that is known worse than this tells less than a moving row does."""

_MERGED_FOR_S = 5.0
"""For so long a detection over several tracks is taken for several objects; then for one that had been split."""

_SPLIT_FRAMES = 5
"""A track starts anew as a part of itself after so many consecutive frames in which only parts were measured."""

_MOST_REPEATS = 30.0
"""At any frame rate, one frame says this part of what a lone one would."""

_FALLBACK_SHARE = 0.15
"""Standard deviation of a box whose covariance is unusable, as a share of its length (at least 0.3 m)."""


class Tracker:
    """Tracks of all classes in the fixed frame.

    `update` once per frame; `predict` may be asked before it for states at the frame's stamp, to
    start refinement from. Ids are unique until `reset`.

    Attributes:
        resets: how often time went backwards or paused so long that all tracks were forgotten.
        rejected_estimates: how many estimates were unusable (NaN, size not positive).
    """

    def __init__(self, config: TrackingConfig | None = None) -> None:
        self._tracklets: list[Tracklet] = []
        self.config = config or TrackingConfig()
        self.resets = 0
        self.rejected_estimates = 0
        self.reset()

    @property
    def config(self) -> TrackingConfig:
        """Options; may be replaced between two frames, tracks live on."""
        return self._config

    @config.setter
    def config(self, config: TrackingConfig) -> None:
        self._config = config
        self._class_configs: dict[str, ClassTrackingConfig] = {name: getattr(config, name) for name in OBJECT_CLASSES}
        self._motion = MotionParameters.from_configs(list(self._class_configs.values()))
        self._weights = Weights(config.distance_weight, config.iou_weight, config.code_weight)
        for tracklet in self._tracklets:
            tracklet.config = self._class_configs[tracklet.class_name]

    def reset(self) -> None:
        """Forget all tracks and start ids anew."""
        self._tracklets = []
        self._state_ns: int | None = None
        self._update_ns: int | None = None
        self._overlaps: dict[tuple[str, str], int] = {}
        self._born = 0

    def predict(self, stamp_ns: int) -> list[Track]:
        """All tracks, tentative ones included, moved to `stamp_ns`; a following `update` goes on from there.

        Args:
            stamp_ns: integer nanoseconds; earlier than the last frame means a jump back: everything is forgotten.
        """
        self._advance(int(stamp_ns))
        return [tracklet.record(int(stamp_ns)) for tracklet in self._tracklets]

    def update(
        self,
        estimates: Sequence[ObjectEstimate],
        stamp_ns: int,
        expected_visibility: Mapping[str, float] | None = None,
    ) -> list[Track]:
        """Take in the measurements of one frame.

        Args:
            estimates: measured objects in the fixed frame; unusable ones are counted and skipped.
            stamp_ns: the frame's stamp, integer nanoseconds.
            expected_visibility: track id -> fraction 0..1 of the object that cameras should see now,
                0 where it is hidden or out of view; tracks not named count as visible.

        Returns:
            Confirmed and coasting tracks at `stamp_ns`, oldest first.
        """
        stamp_ns = int(stamp_ns)
        self._advance(stamp_ns)
        dt = 0.0 if self._update_ns is None else min((stamp_ns - self._update_ns) * 1e-9, _LONGEST_CHARGE_S)
        self._update_ns = stamp_ns

        usable, in_merged = self._without_merged(self._usable(estimates))
        for tracklet in self._tracklets:
            tracklet.reasons = ()
        noise = self._noise([estimate for _, estimate in usable])
        terms = self._costs(usable, noise, dt)
        matches = assign(terms.total, terms.allowed, self.config.max_cost)
        self._explain_matches(matches, terms)
        self._correct([(self._tracklets[i], *usable[j]) for i, j in matches], noise[[j for _, j in matches]], dt)
        matched_rows = {i for i, _ in matches}
        for row, tracklet in enumerate(self._tracklets):
            if row not in matched_rows:
                self._miss(tracklet, dt, expected_visibility or {}, row in in_merged)
        self._split_trains(usable, noise, dict(matches))
        self._tracklets = [tracklet for tracklet in self._tracklets if not tracklet.expired]
        matched_columns = {j for _, j in matches}
        self._give_birth([pair for j, pair in enumerate(usable) if j not in matched_columns], stamp_ns)
        self._merge_duplicates()
        for tracklet in self._tracklets:
            tracklet.extend_trail(stamp_ns, self.config.trail_s)
        return [tracklet.record(stamp_ns) for tracklet in self._tracklets if tracklet.confirmed]

    def tentative(self) -> list[Track]:
        """Tracks that are not confirmed yet, as of the last `update`."""
        stamp_ns = self._state_ns or 0
        return [tracklet.record(stamp_ns) for tracklet in self._tracklets if not tracklet.confirmed]

    def _advance(self, stamp_ns: int) -> None:
        """Move all filters to `stamp_ns`; forget everything where time jumped."""
        last = self._state_ns
        if last is not None and (stamp_ns < last or stamp_ns - last > self.config.max_gap_s * 1e9):
            _log.warning("time jumped by %.3f s: all tracks are forgotten", (stamp_ns - last) * 1e-9)
            self.reset()
            self.resets += 1
        elif last is not None and stamp_ns > last and self._tracklets:
            kalmans = [tracklet.kalman for tracklet in self._tracklets]
            mode_filter.predict(kalmans, (stamp_ns - last) * 1e-9, self._parameters(self._tracklets))
        self._state_ns = stamp_ns

    def _parameters(self, tracklets: Sequence[Tracklet]) -> MotionParameters:
        return self._motion.rows([OBJECT_CLASSES.index(tracklet.class_name) for tracklet in tracklets])

    def _usable(self, estimates: Sequence[ObjectEstimate]) -> list[tuple[int, ObjectEstimate]]:
        """(index, estimate) of those that a filter can take."""
        boxes = np.array([estimate.box for estimate in estimates], np.float64).reshape(-1, BOX_SIZE)
        scores = np.array([estimate.score for estimate in estimates], np.float64)
        sound = np.isfinite(boxes).all(axis=1) & (boxes[:, 3:6] > 0.0).all(axis=1) & np.isfinite(scores)
        self.rejected_estimates += int(np.sum(~sound))
        return [(k, estimates[k]) for k in np.flatnonzero(sound & (scores >= self.config.min_score)).tolist()]

    def _without_merged(
        self, usable: list[tuple[int, ObjectEstimate]]
    ) -> tuple[list[tuple[int, ObjectEstimate]], set[int]]:
        """Without estimates that span several tracked vehicles in a row, and the rows of those tracks.

        Vehicles that nobody measured by themselves for long are no argument any more: they may have been parts.
        """
        rows = [
            row
            for row, t in enumerate(self._tracklets)
            if t.class_name == _TRAIN_CLASS and t.confirmed and t.missed_s <= _MERGED_FOR_S
        ]
        columns = [k for k, (_, estimate) in enumerate(usable) if estimate.class_name == _TRAIN_CLASS]
        held = several_in_one(_boxes([usable[k][1] for k in columns]), _boxes([self._tracklets[row] for row in rows]))
        merged = {columns[k] for k in np.flatnonzero(held.any(axis=1))}
        return [pair for k, pair in enumerate(usable) if k not in merged], {
            rows[k] for k in np.flatnonzero(held.any(axis=0))
        }

    def _split_trains(
        self, usable: Sequence[tuple[int, ObjectEstimate]], noise: np.ndarray, matches: Mapping[int, int]
    ) -> None:
        """Start tracks anew that were born from one box over several vehicles, now that the parts are measured."""
        rows = [row for row, _ in matches.items() if self._tracklets[row].class_name == _TRAIN_CLASS]
        columns = [k for k, (_, estimate) in enumerate(usable) if estimate.class_name == _TRAIN_CLASS]
        held = several_in_one(_boxes([self._tracklets[row] for row in rows]), _boxes([usable[k][1] for k in columns]))
        parts = {(rows[i], columns[k]) for i, k in np.argwhere(held).tolist()}
        for row, part in matches.items():
            tracklet, estimate = self._tracklets[row], usable[part][1]
            tracklet.parts_measured = tracklet.parts_measured + 1 if (row, part) in parts else 0
            if tracklet.parts_measured >= _SPLIT_FRAMES:
                tracklet.begin_anew(_first_state(estimate, noise[part], tracklet.config, ()))

    def _costs(self, usable: Sequence[tuple[int, ObjectEstimate]], noise: np.ndarray, dt: float) -> CostTerms:
        """Costs between all tracks and all usable estimates, whose noise is (E, 7, 7), after `dt` seconds."""
        tracklets = self._tracklets
        boxes = np.array([t.box for t in tracklets]).reshape(-1, BOX_SIZE)
        measured = np.array([e.box for _, e in usable]).reshape(-1, BOX_SIZE)
        track_class = np.array([OBJECT_CLASSES.index(t.class_name) for t in tracklets], int)
        estimate_class = np.array([OBJECT_CLASSES.index(e.class_name) for _, e in usable], int)
        codes = code_costs([t.codes for t in tracklets], [(e.shape_code, e.texture_code) for _, e in usable])
        same_class = track_class[:, None] == estimate_class[None, :]
        predicted = np.array([t.kalman.P[:2, :2] for t in tracklets]).reshape(-1, 2, 2)
        predicted += np.array([t.lasting[:2, :2] for t in tracklets]).reshape(-1, 2, 2)
        sigmas = np.array([t.config.gate_sigmas for t in tracklets])
        spreads = predicted, noise[:, :2, :2], sigmas
        return match_costs(boxes, measured, self._gates(dt), same_class, codes, self._weights, spreads)

    def _gates(self, dt: float) -> np.ndarray:
        """(T,) gates in metres after `dt` seconds, wider where a track has not been measured for a while.

        What nobody knows the speed of may have gone farther where frames are rarer.
        """
        gates = np.array([t.config.gate_m + t.config.initial_speed_std * dt for t in self._tracklets])
        for row, tracklet in enumerate(self._tracklets):
            if tracklet.misses > 0:
                spread = math.sqrt(max(tracklet.kalman.P[0, 0], tracklet.kalman.P[1, 1]))
                gates[row] = min(gates[row] + _GATE_SIGMAS * spread, _GATE_GROWTH * gates[row])
        return gates

    def _explain_matches(self, matches: Sequence[tuple[int, int]], terms: CostTerms) -> None:
        """Keep the terms of the accepted and of the best rejected candidate of every track."""
        chosen = dict(matches)
        others = terms.best_others(chosen)
        for row, tracklet in enumerate(self._tracklets):
            tracklet.match_cost = terms.of_pair(row, chosen[row]) if row in chosen else {}
            tracklet.rejected_cost = terms.of_pair(row, others[row]) if row in others else {}

    def _correct(self, matches: Sequence[tuple[Tracklet, int, ObjectEstimate]], noise: np.ndarray, dt: float) -> None:
        """Update the matched tracks with their measurements, noise (N, 7, 7), `dt` seconds after the frame before."""
        # Errors of the same view of the same object repeat themselves: per second, not per frame, one learns something.
        repeats = min(max(1.0, self.config.error_memory_s / max(dt, 1e-3)), _MOST_REPEATS)
        tracklets = [tracklet for tracklet, _, _ in matches]
        boxes = np.array([estimate.box for _, _, estimate in matches], np.float64).reshape(-1, BOX_SIZE)
        filters = [tracklet.kalman for tracklet in tracklets]
        velocities = _velocities([estimate for _, _, estimate in matches], repeats)
        flipped = mode_filter.correct(filters, boxes, repeats * noise, self._parameters(tracklets), velocities)
        fuse_codes([(tracklet, estimate) for tracklet, _, estimate in matches])
        # The lasting part of the errors changes with distance and view.
        lasting = np.array([tracklet.lasting for tracklet in tracklets]).reshape(noise.shape)
        lasting += LASTING_FOLLOWS * (self.config.lasting_error * noise - lasting)
        for (tracklet, index, estimate), turned, own in zip(matches, flipped, lasting, strict=True):
            tracklet.lasting = own
            tracklet.reasons = tracklet.measured(estimate, index, bool(turned), self.config.score_memory)

    def _noise(self, estimates: Sequence[ObjectEstimate]) -> np.ndarray:
        """(N, 7, 7) measurement noise of estimates."""
        covariances = np.array([e.covariance for e in estimates], np.float64).reshape(-1, BOX_SIZE, BOX_SIZE)
        fallback = np.full((len(estimates), BOX_SIZE), 0.35)
        lengths = np.array([e.box[3] for e in estimates], np.float64)
        fallback[:, :-1] = np.maximum(0.3, _FALLBACK_SHARE * lengths)[:, None]
        return mode_filter.safe_covariances(covariances, self.config.measurement_scale, fallback)

    def _miss(self, tracklet: Tracklet, dt: float, expected_visibility: Mapping[str, float], in_merged: bool) -> None:
        """A frame without a measurement of this track; one `in_merged` was seen, but not by itself."""
        if in_merged:
            tracklet.missed(dt, 0.0, self.config.coast_decay_s)
            tracklet.reasons = ("coasting", "in_merged_detection")
            return
        visibility = float(expected_visibility.get(tracklet.track_id, 1.0))
        visibility = min(max(visibility, 0.0), 1.0) if np.isfinite(visibility) else 1.0
        hidden = visibility < HIDDEN_BELOW
        tracklet.missed(dt, 0.0 if hidden else visibility, self.config.coast_decay_s)
        tracklet.reasons = ("coasting", "hidden") if hidden else ("coasting",)

    def _give_birth(self, unmatched: Sequence[tuple[int, ObjectEstimate]], stamp_ns: int) -> None:
        """Start tracks from estimates that belong to no track and are not a second view of a tracked object."""
        candidates = [(index, e) for index, e in unmatched if e.score >= self.config.birth_score]
        if not candidates:
            return
        noise = self._noise([estimate for _, estimate in candidates])
        moving = [t for t in self._tracklets if t.class_name == _TRAIN_CLASS and t.hits >= _ROW_HITS and t.moves]
        # Surest first, so that of two detections of one new object the better one becomes the track.
        for position in sorted(range(len(candidates)), key=lambda k: (-candidates[k][1].score, k)):
            index, estimate = candidates[position]
            if self._is_duplicate(estimate):
                continue
            self._born += 1
            config = self._class_configs[estimate.class_name]
            tracklet = Tracklet(
                track_id=f"{estimate.class_name}-{self._born}",
                class_name=estimate.class_name,
                config=config,
                kalman=_first_state(estimate, noise[position], config, moving),
                lasting=self.config.lasting_error * noise[position],
                birth_ns=stamp_ns,
                score=estimate.score,
                heading=estimate.score,
                estimate_index=index,
                reasons=("new",),
            )
            tracklet.gather_evidence(estimate)
            fuse_codes([(tracklet, estimate)])
            self._tracklets.append(tracklet)

    def _is_duplicate(self, estimate: ObjectEstimate) -> bool:
        """True where a track measured in this frame already fills the estimate's place."""
        own = [t.box for t in self._tracklets if t.class_name == estimate.class_name and t.estimate_index is not None]
        if not own:
            return False
        boxes = np.array(own)
        reach = 0.5 * (np.hypot(boxes[:, 3], boxes[:, 4]) + math.hypot(estimate.box[3], estimate.box[4]))
        near = np.hypot(boxes[:, 0] - estimate.box[0], boxes[:, 1] - estimate.box[1]) < reach
        return bool(near.any() and np.max(iou_bev(estimate.box[None], boxes[near])) > self.config.duplicate_iou)

    def _merge_duplicates(self) -> None:
        """Make one track of two of a class that stay in one place; people who cross are left alone."""
        tracklets = self._tracklets
        overlaps: dict[tuple[str, str], int] = {}
        gone: set[int] = set()
        for i, j in self._overlapping_pairs():
            if i in gone or j in gone:
                continue
            pair = (tracklets[i].track_id, tracklets[j].track_id)
            overlaps[pair] = self._overlaps.get(pair, 0) + 1
            lasting = overlaps[pair] >= _MERGE_FRAMES
            if lasting or not (tracklets[i].confirmed and tracklets[j].confirmed):
                keep, drop = (i, j) if tracklets[i].hits >= tracklets[j].hits else (j, i)
                tracklets[keep].absorb(tracklets[drop])
                gone.add(drop)
        self._overlaps = overlaps
        self._tracklets = [tracklet for k, tracklet in enumerate(tracklets) if k not in gone]

    def _overlapping_pairs(self) -> list[tuple[int, int]]:
        """Pairs (older, younger) of tracks of one class whose ground rectangles overlap too much."""
        if len(self._tracklets) < 2:
            return []
        boxes = np.stack([tracklet.box for tracklet in self._tracklets])
        classes = np.array([OBJECT_CLASSES.index(tracklet.class_name) for tracklet in self._tracklets])
        reach = 0.5 * np.hypot(boxes[:, 3], boxes[:, 4])
        # Farther apart than the smaller half diagonal, boxes hardly share a third of their area.
        near = ground_distance(boxes, boxes) < np.minimum(reach[:, None], reach[None, :])
        near &= classes[:, None] == classes[None, :]
        pairs = np.argwhere(np.triu(near, k=1)).tolist()
        limit = self.config.duplicate_iou
        return [(i, j) for i, j in pairs if iou_bev(boxes[i : i + 1], boxes[j : j + 1])[0, 0] > limit]


def _first_state(
    estimate: ObjectEstimate, noise: np.ndarray, config: ClassTrackingConfig, moving: Sequence[Tracklet]
) -> ModeFilter:
    """Filter of a new track; a vehicle in a row of `moving` ones is taken to move as they do, unless told better."""
    untold = estimate.velocity is None or estimate.velocity_std > _ROW_SPEED_STD
    if moving and untold and estimate.class_name == _TRAIN_CLASS:
        velocities = np.array([t.kalman.x[VX : VY + 1] for t in moving])
        velocity = velocity_of_row(estimate.box, _boxes(moving), velocities)
        if velocity is not None:
            return mode_filter.new_filter(estimate.box, noise, velocity, config, _ROW_PARKED)
    return mode_filter.new_filter(estimate.box, noise, estimate.velocity, config, velocity_std=estimate.velocity_std)


def _velocities(estimates: Sequence[ObjectEstimate], repeats: float) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) velocities and (N,) standard deviations, variances times `repeats`; NaN where nobody told them."""
    told = [np.full(2, np.nan) if e.velocity is None else np.asarray(e.velocity, np.float64) for e in estimates]
    stds = np.array([e.velocity_std for e in estimates], np.float64)
    return np.array(told).reshape(-1, 2), math.sqrt(repeats) * stds


def _boxes(objects: Sequence[Tracklet | ObjectEstimate]) -> np.ndarray:
    """(N, 7)."""
    return np.array([each.box for each in objects]).reshape(-1, BOX_SIZE)
