"""Footprints and solid space: what may stand and drive where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside_perception.synth.mesh_parts import box
from airside_perception.synth.placement import GroundPlan, SolidSpace, rectangles_overlap
from airside_perception.synth.routes import drive
from airside_perception.synth.scene import Trajectory

TIMES = np.linspace(0, 4, 17)
HERE = Trajectory.standing(0, 0, 0)

numbers = st.floats(-6, 6)
rectangles = st.tuples(numbers, numbers, st.floats(0.5, 6), st.floats(0.5, 6), st.floats(-3, 3)).map(np.array)


def test_rectangles_that_share_area_overlap():
    unit = np.array([0, 0, 2, 2, 0.0])
    assert rectangles_overlap(unit, np.array([1.9, 0, 2, 2, 0.0]))
    assert not rectangles_overlap(unit, np.array([2.1, 0, 2, 2, 0.0]))
    # Turned by 45 degrees the corner reaches 1.41 m.
    assert rectangles_overlap(unit, np.array([2.3, 0, 2, 2, np.pi / 4]))
    assert not rectangles_overlap(unit, np.array([2.5, 0, 2, 2, np.pi / 4]))


@given(rectangles, rectangles)
def test_overlap_agrees_with_sampled_points(a, b):
    grid = np.stack(np.meshgrid(*[np.linspace(-0.499, 0.499, 21)] * 2), -1).reshape(-1, 2) * a[2:4]
    world = grid @ np.array([[np.cos(a[4]), np.sin(a[4])], [-np.sin(a[4]), np.cos(a[4])]]) + a[:2]
    local = (world - b[:2]) @ np.array([[np.cos(b[4]), -np.sin(b[4])], [np.sin(b[4]), np.cos(b[4])]])
    if (np.abs(local) < b[2:4] / 2).all(axis=1).any():
        assert rectangles_overlap(a, b)
    assert rectangles_overlap(a, b) == rectangles_overlap(b, a)


def test_a_standing_rectangle_takes_its_ground():
    plan = GroundPlan(TIMES)
    assert plan.fits(HERE, 4, 2)
    plan.take(HERE, 4, 2)
    assert not plan.fits(Trajectory.standing(3.4, 0, 0), 2, 2, margin=0.5)
    assert plan.fits(Trajectory.standing(3.6, 0, 0), 2, 2, margin=0.5)


def test_paths_may_cross_at_different_times_only():
    plan = GroundPlan(TIMES)
    plan.take(drive((-10, 0, 0), 5.0, np.zeros(1), 4.0), 4, 2)  # at the origin after 2 s
    across = {delay: drive((0, -10 + 5 * delay, np.pi / 2), 5.0, np.zeros(1), 4.0) for delay in (0.0, 2.0)}
    assert not plan.fits(across[0.0], 4, 2)
    assert plan.fits(across[2.0], 4, 2)


def test_the_reserved_ground_may_lie_ahead():
    plan = GroundPlan(TIMES)
    plan.take(Trajectory.standing(0, 0, np.pi / 2), 4, 2, ahead=3.0)
    assert plan.fits(HERE, 1, 1)
    assert not plan.fits(Trajectory.standing(0, 4, 0), 1, 1)


@pytest.mark.parametrize(("height", "fits"), [(2.0, True), (3.6, False)])
def test_low_things_fit_under_a_wing(height, fits):
    space = SolidSpace()
    wing = box((0, 0, 0), (4, 30, 0.4), (1, 1, 1))
    legs = box((0, 0, -3), (0.5, 0.5, 0.1), (1, 1, 1))
    from airside_perception.synth.mesh_parts import merge

    space.fill(space.cells(merge([wing, legs]), HERE, TIMES[:1]))
    truck = box((0, 0, 0), (6, 2.4, height), (1, 1, 1))
    assert space.free(space.cells(truck, Trajectory.standing(0, 8, 0), TIMES[:1]), standing=True) is fits


def test_what_stands_stays_out_of_the_way_of_what_moves():
    space = SolidSpace()
    path = drive((-20, 0, 0), 10.0, np.zeros(1), 4.0)
    truck = box((0, 0, 0), (6, 2.4, 3), (1, 1, 1))
    space.sweep(space.cells(truck, path, TIMES))
    cone = box((0, 0, 0), (0.4, 0.4, 0.8), (1, 1, 1))
    on_the_way = space.cells(cone, Trajectory.standing(5, 1.2, 0), TIMES[:1])
    assert not space.free(on_the_way, standing=True)
    assert space.free(on_the_way, standing=False)
    assert space.free(space.cells(cone, Trajectory.standing(5, 2.4, 0), TIMES[:1]), standing=True)
