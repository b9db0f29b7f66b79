"""How far a detector's boxes are off is learned from image votes, for detectors better and worse than expected."""

from __future__ import annotations

import numpy as np
import pytest

from airside_perception.refine.detector_quality import VOTE_STD, DetectorQuality
from airside_perception.refine.image_votes import ImageVotes
from airside_perception.refine.priors import OUTSIDE_SPREAD

NAMES = ["gse", "person"] * 5
SECOND_NS = 10**9


def scene(rng: np.random.Generator) -> np.ndarray:
    """(10, 7) true boxes around the origin."""
    bearing, distance = rng.uniform(-np.pi, np.pi, len(NAMES)), rng.uniform(6, 30, len(NAMES))
    boxes = np.ones((len(NAMES), 7))
    boxes[:, :2] = distance[:, None] * np.stack([np.cos(bearing), np.sin(bearing)], axis=1)
    return boxes


def learned(factor: float, frames: int, seed: int) -> DetectorQuality:
    """The quality of a detector whose errors are `factor` times the expected ones, one scene a second."""
    rng, quality = np.random.default_rng(seed), DetectorQuality()
    for frame in range(frames):
        truth = scene(rng)
        distance = np.linalg.norm(truth[:, :2], axis=1)
        across = np.stack([-truth[:, 1], truth[:, 0]], axis=1) / distance[:, None]
        expected = [OUTSIDE_SPREAD[n].stds(d)[1] for n, d in zip(NAMES, distance, strict=True)]
        constant, slope = np.array([VOTE_STD[name] for name in NAMES]).T
        boxes, center = truth.copy(), truth[:, :2].copy()
        boxes[:, :2] += (factor * np.array(expected) * rng.standard_normal(len(NAMES)))[:, None] * across
        center += ((constant + slope * distance) * rng.standard_normal(len(NAMES)))[:, None] * across
        nothing = np.zeros((len(NAMES), 3))
        votes = ImageVotes(np.full(len(NAMES), 9.0), center, nothing, nothing[:, :2], nothing[:, :2], nothing[:, 0])
        quality.update(frame * SECOND_NS, boxes, NAMES, votes, np.zeros(3), OUTSIDE_SPREAD)
    return quality


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_factor_is_found(factor):
    # Student's t takes the tails of a normal distribution for chance: its scale comes out a little low.
    assert learned(factor, 20, 3).factor == pytest.approx(factor, rel=0.25)


def test_one_frame_hardly_changes_the_belief():
    assert 0.8 < learned(2.0, 1, 5).factor < 1.4


def test_nothing_is_learned_without_votes_and_forgotten_when_time_goes_back():
    quality = learned(2.0, 20, 1)
    assert quality.factor > 1.4
    boxes = scene(np.random.default_rng(0))
    silent = ImageVotes(np.zeros(10), boxes[:, :2] + 9.0, boxes[:, :3], boxes[:, :2], boxes[:, :2], np.full(10, np.nan))
    quality.update(5 * SECOND_NS, boxes, NAMES, silent, np.zeros(3), OUTSIDE_SPREAD)
    assert quality.factor == pytest.approx(1.0)


def test_lost_boxes_do_not_pass_for_a_bad_detector():
    rng = np.random.default_rng(2)
    quality, boxes = DetectorQuality(), scene(rng)
    for frame in range(20):
        center = boxes[:, :2].copy()
        center[0] += 50.0
        votes = ImageVotes(np.full(10, 9.0), center, boxes[:, :3], boxes[:, :2], boxes[:, :2], np.full(10, np.nan))
        quality.update(frame * SECOND_NS, boxes, NAMES, votes, np.zeros(3), OUTSIDE_SPREAD)
    assert quality.factor < 1.0
