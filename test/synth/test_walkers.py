"""Errands: places in time, what is done there, headings."""

import numpy as np
import pytest

from airside_perception.synth.routes import towards_motion, traffic_speeds
from airside_perception.synth.scene import Trajectory
from airside_perception.synth.walkers import TURN_RATE, errand


def test_an_errand_goes_stops_turns_and_goes_on():
    task = errand([(0, 0), (7, 0), (7, 7)], [(3.0, "crouching"), (1.0, "standing")], 1.4, begin_s=1.0)
    first, second = task.arrivals
    assert first == pytest.approx(6.0, abs=0.02)
    assert second == pytest.approx(first + 3.0 + (np.pi / 2) / TURN_RATE + 5.0, abs=0.02)
    np.testing.assert_allclose(task.path.at(first + 1.5), (7, 0, 0), atol=1e-6)
    np.testing.assert_allclose(task.path.at(second + 5), (7, 7, np.pi / 2), atol=1e-6)
    assert [name for _, name in task.activities] == ["standing", "walking", "crouching", "walking", "standing"]
    assert np.linalg.norm(task.path.velocity(3.0)) == pytest.approx(1.4, rel=0.01)


def test_motion_decides_the_heading_and_standing_keeps_it():
    times = np.arange(5.0)
    path = Trajectory(times, np.array([[0, 0], [0, 0], [0, -1], [0, -2], [0, -2.0]]), np.full(5, -1.0))
    np.testing.assert_allclose(towards_motion(path).yaws, [-1, -1, -np.pi / 2, -np.pi / 2, -np.pi / 2])


@pytest.mark.parametrize("seconds", [0.4, 4.0, 20.0])
def test_traffic_does_not_accelerate_harder_than_it_can(seconds):
    for seed in range(60):
        speeds = traffic_speeds(np.random.default_rng(seed), seconds)
        step = seconds / (len(speeds) - 1)
        assert np.abs(np.diff(speeds)).max() <= 1.0 * step + 1e-9
        assert 0 <= speeds.min() <= speeds.max() < 9.0
