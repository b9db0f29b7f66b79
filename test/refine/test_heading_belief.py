import numpy as np
import pytest
from refine_scenes import VAN, Thing, track

from airside_perception.geometry import wrap_angle
from airside_perception.refine.heading_belief import (
    LARGEST_STD,
    frame_beliefs,
    front_odds,
    peaks,
    with_tracks,
)
from airside_perception.refine.image_votes import ImageVotes
from airside_perception.refine.priors import ClassSpread

VOTES = ClassSpread(0.5, 0.03, 0.3, 0.02, 0.5, (0.1, 0.1, 0.1), (2.4, 5.8))
SPREAD = {
    name: ClassSpread(0.5, 0.03, 0.3, 0.02, 0.5, (0.1, 0.1, 0.1), heading, votes=VOTES)
    for name, heading in (("gse", (0.7, 1.5)), ("person", (0.2, 0.1)))
}


def votes_for(heading, count=50.0, agreement=1.0):
    """Votes of one object that say `heading`."""
    unit = np.array([[np.cos(heading), np.sin(heading)]]) * agreement
    axis = np.array([[np.cos(2 * heading), np.sin(2 * heading)]]) * agreement
    return ImageVotes(np.array([count]), np.zeros((1, 2)), np.zeros((1, 3)), unit, axis, np.full(1, np.nan))


def belief_of(yaw=0.0, votes=None, known=None, name="gse"):
    return with_tracks(frame_beliefs([name], np.array([yaw]), votes, SPREAD), [name], [known])[0]


@pytest.mark.parametrize("yaw", [0.0, 1.234, -3.1, 3.139])
def test_a_detection_alone_is_believed_with_its_half_turn_as_rival(yaw):
    found = peaks(belief_of(yaw), depth=10.0, limit=3)
    assert [round(float(abs(wrap_angle(h - yaw))), 2) for h, _, _ in found] == [0.0, 3.14]
    assert found[0][1] == pytest.approx(0.0, abs=1e-3)
    assert found[1][1] == pytest.approx(-2 * SPREAD["gse"].heading[0], rel=0.01)


def test_many_votes_turn_a_detection_round_and_a_few_do_not():
    assert abs(wrap_angle(peaks(belief_of(0.0, votes_for(np.pi)), 3.0, 3)[0][0] - np.pi)) < 0.01
    few = votes_for(np.pi, count=0.5)
    assert abs(peaks(belief_of(0.0, few), 3.0, 3)[0][0]) < 0.01
    split = votes_for(np.pi, agreement=0.1)
    assert abs(peaks(belief_of(0.0, split), 3.0, 3)[0][0]) < 0.01


def test_a_track_tells_front_from_back_and_leaves_the_axis_alone():
    alone = peaks(belief_of(0.2), 3.0, 3)[0]
    old = track(Thing("gse", 10, 0, np.pi + 0.2, VAN), hits=20)
    turned = peaks(belief_of(0.2, known=old), 3.0, 3)
    assert abs(wrap_angle(turned[0][0] - np.pi - 0.2)) < 0.01
    aside = track(Thing("gse", 10, 0, 0.7, VAN), hits=20)
    pulled = peaks(belief_of(0.2, known=aside), 3.0, 3)[0]
    assert 0.2 < pulled[0] < 0.35
    assert pulled[2] == pytest.approx(alone[2], rel=0.25)


def test_people_face_where_they_walk():
    from dataclasses import replace

    walker = track(Thing("person", 10, 0, 0.0, (0.5, 0.6, 1.8)), hits=20)
    walking = replace(walker, velocity=np.array([0.0, 1.4]))
    heading, _, std = peaks(belief_of(np.pi, known=walking, name="person"), 3.0, 3)[0]
    assert heading == pytest.approx(np.pi / 2, abs=0.4)
    standing = peaks(belief_of(np.pi, known=walker, name="person"), 3.0, 3)[0]
    assert std < standing[2]


def test_a_flat_belief_says_nothing_and_stays_finite():
    ((heading, log_belief, std),) = peaks(np.zeros(144), 3.0, 3)
    assert np.isfinite(heading)
    assert log_belief == 0.0
    assert std == LARGEST_STD


def test_peaks_lie_between_the_bins():
    for yaw in np.linspace(-3, 3, 11):
        assert wrap_angle(peaks(belief_of(yaw), 3.0, 1)[0][0] - yaw) == pytest.approx(0.0, abs=2e-3)


def test_odds_of_a_frame_tell_front_from_back_without_its_track():
    alone = frame_beliefs(["gse"], np.array([0.3]), None, SPREAD)[0]
    assert front_odds(alone, 0.3) == pytest.approx(2 * SPREAD["gse"].heading[0], rel=0.01)
    assert front_odds(alone, 0.3 + np.pi) == pytest.approx(-2 * SPREAD["gse"].heading[0], rel=0.01)
    assert front_odds(alone, 0.3 + np.pi / 2) == pytest.approx(0.0, abs=0.02)
    against = frame_beliefs(["gse"], np.array([0.3]), votes_for(0.3 + np.pi), SPREAD)[0]
    assert front_odds(against, 0.3) < -2.0
    before = against.copy()
    with_tracks(against[None], ["gse"], [track(Thing("gse", 10, 0, 0.3, VAN), hits=9)])
    assert np.array_equal(against, before)
