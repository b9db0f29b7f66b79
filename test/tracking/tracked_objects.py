"""Estimates of objects of usual sizes, and a tracker that is fed with them."""

import numpy as np

from airside_perception.records import ObjectEstimate

FRAME_NS = 100_000_000
SIZES = {"aircraft": (37.6, 35.8, 11.8), "gse": (4.0, 1.8, 2.0), "person": (0.5, 0.5, 1.75)}


def estimate(name, x, y, yaw=0.0, score=0.8, std=0.2, **fields):
    length, width, height = SIZES[name]
    box = np.array([x, y, height / 2, length, width, height, yaw])
    spread = np.array([std, std, 0.1, 0.1, 0.1, 0.1, 0.1])
    return ObjectEstimate(name, box, np.diag(spread**2), score, **fields)


def run(tracker, frames, first=0, visibility=None):
    """Feed lists of estimates at 10 Hz; returns the tracks of each frame."""
    return [tracker.update(frame, (first + k) * FRAME_NS, visibility) for k, frame in enumerate(frames)]
