"""Reason codes: each by its own test, and JSON that any reader takes."""

import json
import math

import numpy as np
import pytest
from explain_scenes import estimate, scene, track

from airside_perception.explain import REASONS, explain_tracks, explanations_json, reason_text

BOX = [10.0, 0.0, 1.0, 4.0, 2.0, 2.0, 0.0]


def reasons_of(one_track, one_estimate=None, visible=None):
    estimates = [one_estimate] if one_estimate is not None else []
    return explain_tracks([one_track], estimates, visible or {})[0].reasons


def test_codes_of_refinement_and_tracking_are_gathered_once_each():
    measured = track("gse-1", BOX, estimate_index=0, reasons=("merged:gse-2", "truncated"))
    assert reasons_of(measured, estimate(reasons=("truncated",))) == ("truncated", "merged:gse-2")


def test_little_visible_is_said_below_its_limit_only():
    measured = track("gse-1", BOX, estimate_index=0)
    assert "little_visible" in reasons_of(measured, estimate(visible_fraction=0.29))
    assert "little_visible" not in reasons_of(measured, estimate(visible_fraction=0.31))


def test_expected_visibility_stands_in_where_nothing_was_measured():
    coasting = track("gse-1", BOX, state="coasting", reasons=("coasting",))
    explanation = explain_tracks([coasting], [], {"gse-1": 0.1})[0]
    assert explanation.visible_fraction == 0.1
    assert explanation.reasons == ("coasting", "little_visible")
    assert math.isnan(explain_tracks([coasting], [], {})[0].visible_fraction)


def test_the_track_that_hides_a_measured_one_is_named():
    hidden, ahead = track("person-1", BOX, "person", estimate_index=0), track("gse-2", BOX, estimate_index=1)
    estimates = [estimate(occluder=1, visible_fraction=0.4, reasons=("occluded",)), estimate()]
    first, second = explain_tracks([hidden, ahead], estimates, {})
    assert first.reasons == ("occluded", "occluded_by:gse-2")
    assert second.reasons == ()


def test_an_occluder_without_a_track_has_no_name():
    hidden = track("person-1", BOX, "person", estimate_index=0)
    estimates = [estimate(occluder=1, visible_fraction=0.4, reasons=("occluded",)), estimate()]
    assert explain_tracks([hidden], estimates, {})[0].reasons == ("occluded",)


def test_the_track_that_hides_an_unmeasured_one_is_named():
    hidden = track("person-1", BOX, "person", state="coasting", reasons=("coasting", "hidden"))
    explanation = explain_tracks([hidden], [], {"person-1": 0.1}, {"person-1": "gse-2"})[0]
    assert explanation.reasons == ("coasting", "hidden", "occluded_by:gse-2", "little_visible")
    assert reason_text("occluded_by:gse-2") == "hidden by another track (gse-2)"


def test_a_close_second_candidate_makes_the_match_ambiguous():
    close = track("gse-1", BOX, match_cost={"total": 0.30}, rejected_cost={"total": 0.38})
    clear = track("gse-1", BOX, match_cost={"total": 0.30}, rejected_cost={"total": 0.45})
    assert "ambiguous_match" in reasons_of(close)
    assert "ambiguous_match" not in reasons_of(clear)
    assert "ambiguous_match" not in reasons_of(track("gse-1", BOX, rejected_cost={"total": 0.3}))


def test_refinement_that_ends_worse_is_named():
    measured = track("gse-1", BOX, estimate_index=0)
    assert "not_improved" in reasons_of(measured, estimate(loss_before=0.1, loss_after=0.12))
    assert "not_improved" not in reasons_of(measured, estimate(loss_before=0.1, loss_after=0.1))
    assert "not_improved" not in reasons_of(measured, estimate(loss_before=math.nan, loss_after=math.nan))


def test_an_index_that_points_nowhere_is_no_measurement():
    assert reasons_of(track("gse-1", BOX, estimate_index=3), estimate()) == ()


def test_json_holds_one_object_per_track_and_no_nan():
    tracks = (track("gse-1", BOX, estimate_index=0, match_cost={"total": 0.25}), track("person-2", BOX, "person"))
    estimates = (estimate(cameras=("front",)),)
    text = explanations_json(scene(tracks, estimates=estimates, explanations=explain_tracks(tracks, estimates, {})))
    content = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    first, second = content["tracks"]
    assert (first["id"], first["class"], first["state"]) == ("gse-1", "gse", "confirmed")
    assert (first["loss_before"], first["loss_after"]) == (0.2, 0.1)
    assert first["match_cost"] == {"total": 0.25}
    assert first["refined"]
    assert first["cameras"] == ["front"]
    assert len(first["shape_code"]) == 3
    assert second["loss_before"] is None
    assert second["visible_fraction"] is None
    assert content["stamp_ns"] == 5_000_000_000


def test_json_keeps_millimetres_far_from_the_origin():
    far = track("gse-1", [1234.5678, -4321.1234, 1.0, 4.0, 2.0, 2.0, 0.0])
    box = json.loads(explanations_json(scene((far,))))["tracks"][0]["box"]
    np.testing.assert_allclose(box[:2], [1234.5678, -4321.1234], atol=1e-3)


def test_every_code_has_a_test_and_a_meaning():
    for code, reason in REASONS.items():
        assert reason.stage in ("refiner", "tracker", "explain"), code
        assert reason.test, code
        assert reason.text, code
    wanted = ("occluded_by", "truncated", "appearance_unlike_prior", "pose_ambiguous", "low_texture")
    assert set(REASONS) >= {*wanted, "shadow_or_glare", "detector_only", "no_prior", "over_budget"}
    assert reason_text("merged:gse-3") == "took over a duplicate (gse-3)"
    assert reason_text("something_new") == "something new"
