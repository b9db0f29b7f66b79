"""Why the system believes what it believes: reason codes, and the JSON that carries them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from airside_perception.records import Explanation, ObjectEstimate, SceneEstimate, Track

UNSEEN_BELOW = 0.3
"""Visible fraction below which a measurement rests on little of the object."""

AMBIGUOUS_MARGIN = 0.1
"""A rejected match whose total cost comes this close to the accepted one made the choice a close one."""

WORSE_FACTOR = 1.02
"""A refinement that ends above this multiple of its starting loss did not help."""


@dataclass(frozen=True)
class Reason:
    """One reason code.

    Attributes:
        stage: who says so: "refiner", "tracker" or "explain".
        test: the exact condition.
        text: what it means to a reader.
    """

    stage: str
    test: str
    text: str


REASONS: Mapping[str, Reason] = {
    "bad_detection": Reason("refiner", "box not finite or a size <= 0", "the detector's box makes no sense"),
    "no_prior": Reason("refiner", "class not in the prior", "no shape prior for this class: box as detected"),
    "out_of_range": Reason("refiner", "distance > refine.max_range_m", "too far away to refine"),
    "over_budget": Reason("refiner", "more than refine.max_objects better ones", "refinement budget was spent"),
    "detector_only": Reason("refiner", "no camera view with enough pixels, or refinement off", "box as detected"),
    "truncated": Reason("refiner", "box reaches beyond the image in a used view", "cut off by the image border"),
    "occluded": Reason("refiner", "visible fraction < 0.5 in every used view", "mostly hidden by other objects"),
    "occluded_by": Reason(
        "explain",
        "visible fraction < 0.5, and of all tracks this one covers most of what is hidden (occluded_by:<its id>)",
        "hidden by another track",
    ),
    "pose_ambiguous": Reason(
        "refiner",
        "a heading more than 45 degrees away is less than 1 nat less likely, pixels and belief together",
        "it could as well face another way",
    ),
    "low_texture": Reason(
        "refiner", "standard deviation of its grey values (0..1) < 0.03", "its surface shows nothing to hold on to"
    ),
    "shadow_or_glare": Reason(
        "refiner",
        "more than 0.3 of its pixels darker than 0.06 or brighter than 0.97 (grey, 0..1)",
        "shadow or glare hides its surface",
    ),
    "appearance_unlike_prior": Reason(
        "refiner", "mean silhouette residual > 0.3 after refinement", "no shape of the prior fits the pixels well"
    ),
    "new": Reason("tracker", "born in this frame", "seen for the first time"),
    "coasting": Reason("tracker", "no measurement matched in this frame", "predicted, not measured"),
    "hidden": Reason("tracker", "coasting and expected visibility below the tracker's limit", "hidden, so it is kept"),
    "heading_turned": Reason("tracker", "votes on front and back changed sign", "front and back were swapped"),
    "merged": Reason("tracker", "two tracks of one class overlap (merged:<id of the other>)", "took over a duplicate"),
    "in_merged_detection": Reason(
        "tracker",
        "its centre and that of another vehicle lie in one detection 1.5 times as long or more, for 5 s at most",
        "detected as one with its neighbours",
    ),
    "split": Reason(
        "tracker",
        "in 5 frames on end it matched one of several shorter detections in its place",
        "turned out to be several objects",
    ),
    "little_visible": Reason("explain", f"visible fraction < {UNSEEN_BELOW}", "little of it is visible"),
    "ambiguous_match": Reason(
        "explain",
        f"rejected total - accepted total < {AMBIGUOUS_MARGIN}",
        "another measurement would have fitted almost as well",
    ),
    "not_improved": Reason(
        "explain",
        f"loss after > {WORSE_FACTOR} x loss before",
        "rendering did not explain the image better than before",
    ),
}
"""Every reason code, who raises it and by which test. Codes with an argument carry it after a colon."""


def reason_text(code: str) -> str:
    """What a reason code means, for people; unknown codes are spelt out."""
    name, _, argument = code.partition(":")
    text = REASONS[name].text if name in REASONS else name.replace("_", " ")
    return f"{text} ({argument})" if argument else text


def explain_tracks(
    tracks: Sequence[Track],
    estimates: Sequence[ObjectEstimate],
    visible: Mapping[str, float],
    hidden_by: Mapping[str, str] | None = None,
) -> tuple[Explanation, ...]:
    """Gather what refinement and tracking know about each track.

    Args:
        tracks: of this frame; `estimate_index` refers to `estimates`.
        estimates: this frame's measurements.
        visible: track id -> expected visible fraction 0..1, for tracks where it was rendered.
        hidden_by: track id -> id of the track that hides most of it, for tracks that were not measured.

    Returns:
        One explanation per track, in their order.
    """
    of_estimate = {track.estimate_index: track.track_id for track in tracks if track.estimate_index is not None}
    explanations = []
    for track in tracks:
        estimate = _estimate_of(track, estimates)
        if estimate is None:
            occluder = (hidden_by or {}).get(track.track_id)
        else:
            occluder = of_estimate.get(estimate.occluder) if estimate.occluder is not None else None
        explanations.append(_explain(track, estimate, visible, occluder))
    return tuple(explanations)


def _estimate_of(track: Track, estimates: Sequence[ObjectEstimate]) -> ObjectEstimate | None:
    index = track.estimate_index
    return estimates[index] if index is not None and 0 <= index < len(estimates) else None


def _explain(
    track: Track, estimate: ObjectEstimate | None, visible: Mapping[str, float], occluder: str | None = None
) -> Explanation:
    seen = before = after = math.nan
    reasons = list(track.reasons)
    if estimate is not None:
        seen, before, after = estimate.visible_fraction, estimate.loss_before, estimate.loss_after
        reasons = [*estimate.reasons, *reasons]
    if not math.isfinite(seen):
        seen = visible.get(track.track_id, math.nan)
    if occluder is not None:
        reasons.append(f"occluded_by:{occluder}")
    if seen < UNSEEN_BELOW:
        reasons.append("little_visible")
    if _is_close_call(track):
        reasons.append("ambiguous_match")
    if after > before * WORSE_FACTOR:
        reasons.append("not_improved")
    return Explanation(
        track_id=track.track_id,
        class_name=track.class_name,
        loss_before=before,
        loss_after=after,
        visible_fraction=seen,
        shape_code=track.shape_code,
        texture_code=track.texture_code,
        match_cost=track.match_cost,
        rejected_cost=track.rejected_cost,
        reasons=tuple(dict.fromkeys(reasons)),
    )


def _is_close_call(track: Track) -> bool:
    chosen, rejected = track.match_cost.get("total"), track.rejected_cost.get("total")
    return chosen is not None and rejected is not None and rejected - chosen < AMBIGUOUS_MARGIN


def explanations_json(scene: SceneEstimate) -> str:
    """The explanations of one scene as JSON text; what is unknown is null.

    Returns:
        {"stamp_ns", "frame_id", "tracks": [one object per track]}: id, class, state, score, age, box and
        velocity in the fixed frame, losses before and after refinement, codes, terms of the accepted and of the
        best rejected match, visible fraction, cameras, reason codes and their meaning.
    """
    by_id = {explanation.track_id: explanation for explanation in scene.explanations}
    tracks = [
        _track_json(track, by_id.get(track.track_id), _estimate_of(track, scene.estimates)) for track in scene.tracks
    ]
    content = {"stamp_ns": scene.stamp_ns, "frame_id": scene.frame.frame_id, "tracks": tracks}
    return json.dumps(_plain(content), allow_nan=False)


def _track_json(track: Track, explanation: Explanation | None, estimate: ObjectEstimate | None) -> dict[str, Any]:
    known = explanation or _explain(track, estimate, {})
    return {
        "id": track.track_id,
        "class": track.class_name,
        "state": track.state,
        "score": track.score,
        "age_s": track.age_s,
        "hits": track.hits,
        "misses": track.misses,
        "box": track.box,
        "velocity": track.velocity,
        "refined": estimate is not None and estimate.refined,
        "cameras": list(estimate.cameras) if estimate is not None else [],
        "loss_before": known.loss_before,
        "loss_after": known.loss_after,
        "visible_fraction": known.visible_fraction,
        "shape_code": known.shape_code,
        "texture_code": known.texture_code,
        "match_cost": known.match_cost,
        "rejected_cost": known.rejected_cost,
        "reasons": list(known.reasons),
        "reason_texts": [reason_text(code) for code in known.reasons],
    }


def _plain(value: Any) -> Any:
    """`value` in JSON's own types, floats to seven digits, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
