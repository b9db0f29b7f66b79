import numpy as np
import pytest

from airside_perception.evaluation.refiner_errors import (
    COLUMNS,
    Source,
    heading_weights,
    report,
    spread_over_distance,
    vote_share,
)


def rows_of(random, count, yaw_std, vote_length):
    """Matched rows with known errors: radial 0.2 m + 0.02 per m, votes half as good and independent."""
    distance = random.uniform(5, 40, count)
    values = {name: np.zeros(count) for name in COLUMNS}
    values["distance"] = distance
    values["radial"] = random.normal(0, 0.2 + 0.02 * distance)
    values["vote_radial"] = random.normal(0, 2 * (0.2 + 0.02 * distance))
    # Votes tell twice their error.
    values["told"] = 4 * (0.2 + 0.02 * distance)
    values["yaw"] = random.normal(0, yaw_std, count)
    values["votes"] = np.full(count, 40.0)
    angle = random.normal(0, 0.4, count)
    values["cos"], values["sin"] = vote_length * np.cos(angle), vote_length * np.sin(angle)
    return np.stack([values[name] for name in COLUMNS], axis=1)


def test_spreads_are_found_again():
    random = np.random.default_rng(0)
    distance = random.uniform(5, 40, 8000)
    errors = (0.2 + 0.02 * distance) * random.standard_t(4, 8000)
    constant, slope = spread_over_distance(errors, distance)
    assert constant == pytest.approx(0.2, abs=0.06)
    assert slope == pytest.approx(0.02, abs=0.004)


def test_a_worse_vote_gets_the_smaller_share_and_a_copy_makes_no_difference():
    random = np.random.default_rng(1)
    own, vote = random.normal(0, 0.3, 5000), random.normal(0, 0.6, 5000)
    assert vote_share(own, vote) == pytest.approx(0.2, abs=0.08)
    assert vote_share(vote, own) == pytest.approx(0.8, abs=0.08)


def test_the_source_that_knows_the_heading_gets_the_weight():
    random = np.random.default_rng(2)
    sharp_votes = heading_weights(rows_of(random, 400, yaw_std=3.0, vote_length=0.9))
    assert sharp_votes[2] > 3 > sharp_votes[0]
    sharp_detector = heading_weights(rows_of(random, 400, yaw_std=0.2, vote_length=0.0))
    assert sharp_detector[0] + 4 * sharp_detector[1] > 10


def test_the_report_names_every_class_and_says_where_too_little_was_found():
    text = report(Source("network", {"gse": rows_of(np.random.default_rng(3), 200, 0.3, 0.8)}))
    assert "aircraft: 0 matches, too few to measure" in text
    assert "gse: 200 matches, 100% with votes" in text
    assert "best share" in text
    assert "heading weights" in text
    assert "votes' own range errors: 0.5" in text or "votes' own range errors: 0.4" in text
