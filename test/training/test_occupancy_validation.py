"""Validation figures that decide what a node publishes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from occupancy_samples import SPEC, drawn_sample

from airside_perception.classes import OBJECT_CLASSES, SEMANTIC_NAMES
from airside_perception.occupancy.calibration import Calibration
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.training.occupancy_validation import FREE_SHARE, ValidationScores, validate


def test_free_ends_where_hidden_voxels_would_be_called_free():
    """What the network finds nothing in front of is published, also where in truth something hides it."""
    scores = ValidationScores(len(SEMANTIC_NAMES), OBJECT_CLASSES)
    random = np.random.default_rng(0)
    probability = np.full((20, 20, 10), 0.01)
    truth, observed = np.zeros(probability.shape, np.uint8), np.ones(probability.shape, bool)
    # A room behind a wall: not observed, half full, and the network is not sure.
    probability[:4], observed[:4] = 0.1, False
    truth[:4] = 3 * (random.random(truth[:4].shape) < 0.5)
    # Seen things that the network finds, so that there is something to calibrate on.
    truth[10, :, :2], probability[10, :, :2] = 3, 0.9
    class_id = np.full(probability.shape, 3)
    scores.add_voxels(probability, class_id, truth, observed)
    scores.add_published(probability, truth, np.ones(probability.shape, bool))
    scores.add_pixels(np.ones(4, int), np.ones(4, int))
    figures = scores.summary()
    free = figures["free_threshold"]
    calibrated = Calibration(figures["voxel_temperature"], figures["voxel_bias"]).apply(probability)
    published = calibrated < free
    assert not published[:4].any()
    assert published[11:].all()
    assert (truth[published] > 0).mean() <= FREE_SHARE
    assert scores.reliability.threshold_for_share(FREE_SHARE) > free, "observed voxels alone would have said more"


@pytest.mark.parametrize("labelled", [True, False])
def test_every_network_gets_a_free_threshold(labelled):
    """Also on logs without voxel labels, where only what label images say is asked."""
    torch.manual_seed(0)
    sample = drawn_sample(0)
    if not labelled:
        sample = replace(sample, occupancy=0 * sample.occupancy, observed=np.zeros_like(sample.observed))
    figures = validate(OccupancyNetwork(SPEC), [sample])
    assert 0.0 <= figures["free_threshold"] <= 1.0
    assert np.isfinite(figures["cell_place"])


def test_velocities_are_judged_by_those_that_move():
    scores = ValidationScores(len(SEMANTIC_NAMES), OBJECT_CLASSES)
    boxes = np.zeros((3, 7))
    boxes[:, 0] = [5.0, 15.0, 25.0]
    boxes[:, 3:6] = 1.0
    sample = replace(
        drawn_sample(0),
        boxes=boxes,
        box_class=np.array([1, 1, 1]),
        box_visibility=np.ones(3, np.float32),
        box_velocity=np.array([[3.0, 4.0], [0.1, 0.0], [0.0, -2.0]], np.float32),
        box_kind=np.zeros(3, np.int64),
    )
    told = np.array([[3.0, 3.0], [7.0, 7.0], [0.0, -2.0]])
    scores.add_boxes(boxes, np.ones(3, int), sample, 40.0, told)
    scores.add_pixels(np.ones(4, int), np.ones(4, int))
    figures = scores.summary()
    assert figures["velocity_gse"] == pytest.approx(0.5)
    assert figures["speed_gse"] == pytest.approx(3.5)
    assert "velocity_person" not in figures
