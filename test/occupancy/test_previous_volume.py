"""The previous frame's features: drawn to where their cells are now, and forgotten when they are no use."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from surround_cameras import surround_camera

from airside_perception.geometry.se3 import invert_transform, pose_from_xyz_yaw
from airside_perception.occupancy.bev_decoder import moved_volume
from airside_perception.occupancy.lifting import build_lifting_tables
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.occupancy.pixel_geometry import pixel_geometry
from airside_perception.occupancy.previous_volume import LONGEST_GAP_S, PreviousVolume, volume_table

SECOND = 10**9


@pytest.fixture
def spec(small_spec):
    return replace(small_spec, previous_volume=True)


def drawn(grid, previous_from_now, values):
    """(X, Y) of `values` (X, Y) through the table, in numpy."""
    index, weight = volume_table(grid, previous_from_now)
    return (values.reshape(-1)[index] * weight).sum(axis=0).reshape(values.shape)


def test_a_vehicle_that_stands_draws_each_column_from_itself(small_spec):
    values = np.random.default_rng(0).normal(size=small_spec.grid.shape[:2])
    assert drawn(small_spec.grid, np.eye(4), values) == pytest.approx(values)
    # Height, roll and pitch of the vehicle play no part.
    assert drawn(small_spec.grid, pose_from_xyz_yaw(0, 0, 0.7, 0), values) == pytest.approx(values)


def test_what_stands_still_moves_against_the_vehicle(small_spec):
    values = np.zeros(small_spec.grid.shape[:2])
    values[10, 4] = 1.0
    assert drawn(small_spec.grid, pose_from_xyz_yaw(2.0, -1.0, 0, 0), values)[8, 5] == pytest.approx(1.0)
    halves = drawn(small_spec.grid, pose_from_xyz_yaw(0.5, 0.0, 0, 0), values)
    assert halves[9:11, 4] == pytest.approx([0.5, 0.5])
    turned = drawn(small_spec.grid, pose_from_xyz_yaw(0, 0, 0, np.pi / 2), values)
    assert turned == pytest.approx(np.rot90(values, -1), abs=1e-6)


def test_columns_that_the_vehicle_had_not_seen_are_unknown(small_spec):
    _, weight = volume_table(small_spec.grid, pose_from_xyz_yaw(3.0, 0, 0, 0))
    known = weight.sum(axis=0).reshape(small_spec.grid.shape[:2])
    assert known[:13] == pytest.approx(1.0)
    assert (known[13:] == 0).all()


def test_the_network_draws_as_the_table_says(spec):
    torch.manual_seed(0)
    volume = torch.rand(2, 3, *spec.grid.shape[:2])
    motions = [pose_from_xyz_yaw(1.3, 0.4, 0, 0.3), pose_from_xyz_yaw(-2.0, 0, 0, -1.0)]
    tables = [volume_table(spec.grid, motion) for motion in motions]
    index, weight = (torch.from_numpy(np.stack(parts)) for parts in zip(*tables, strict=True))
    answer = moved_volume(volume, index, weight).numpy()
    for sample, motion in enumerate(motions):
        for channel in range(3):
            expected = drawn(spec.grid, motion, volume[sample, channel].numpy())
            assert answer[sample, channel] == pytest.approx(expected, abs=1e-5)
        known = drawn(spec.grid, motion, np.ones(spec.grid.shape[:2]))
        assert answer[sample, 3] == pytest.approx(known, abs=1e-5)


def test_the_memory_holds_one_volume_for_a_moment(spec):
    memory = PreviousVolume(spec)
    pose = pose_from_xyz_yaw(4.0, 1.0, 0.0, 0.5)
    assert (memory.inputs(SECOND, pose)["previous_weight"] == 0).all(), "the first frame has nothing before it"
    volume = np.ones(spec.volume_shape, np.float32)
    memory.keep(volume, SECOND, pose)
    after = pose @ pose_from_xyz_yaw(1.0, 0.0, 0.0, 0.0)
    inputs = memory.inputs(SECOND + SECOND // 5, after)
    assert inputs["previous_volume"] is volume
    expected = volume_table(spec.grid, invert_transform(pose) @ after)
    assert np.array_equal(inputs["previous_index"], expected[0])
    assert inputs["previous_weight"] == pytest.approx(expected[1])
    too_late = SECOND + int((LONGEST_GAP_S + 0.1) * SECOND)
    for stamp in (too_late, SECOND, SECOND - 1):
        assert not memory.known_at(stamp)
        assert (memory.inputs(stamp, after)["previous_weight"] == 0).all()
    memory.forget()
    assert not memory.known_at(SECOND + 1)


def test_a_volume_that_is_not_finite_is_not_kept(spec):
    memory = PreviousVolume(spec)
    memory.keep(np.ones(spec.volume_shape, np.float32), SECOND, np.eye(4))
    memory.keep(np.full(spec.volume_shape, np.nan, np.float32), 2 * SECOND, np.eye(4))
    inputs = memory.inputs(2 * SECOND + 1, np.eye(4))
    assert (inputs["previous_weight"] == 0).all()
    assert np.isfinite(inputs["previous_volume"]).all(), "zero times NaN is NaN"


def test_weights_of_single_frames_answer_as_before(spec, small_spec):
    """What a network learned from single frames is kept when it gets a memory, until it learns what that is worth."""
    torch.manual_seed(0)
    single = OccupancyNetwork(small_spec).eval()
    remembering = OccupancyNetwork(spec).eval()
    missing = remembering.load_state_dict(single.state_dict(), strict=False).missing_keys
    assert {name.split(".")[1] for name in missing} == {"previous", "motion"}
    cameras = [surround_camera(0.5 * np.pi * index, f"camera_{index}") for index in range(4)]
    images = torch.randint(0, 256, (4, 3, 64, 128), dtype=torch.uint8)
    tables = (torch.from_numpy(array)[None] for array in vars(build_lifting_tables(cameras, spec)).values())
    inputs = images, torch.from_numpy(pixel_geometry(cameras, spec)), *tables
    table = (torch.from_numpy(array)[None] for array in volume_table(spec.grid, np.eye(4)))
    previous = torch.rand(1, *spec.volume_shape), *table
    with torch.no_grad():
        expected, first, second = single(*inputs), remembering(*inputs), remembering(*inputs, *previous)
        assert torch.equal(expected.voxels, first.voxels)
        assert torch.equal(expected.boxes, second.boxes)
        assert expected.displacement is None
        assert second.displacement.shape == (1, 3, 2, 16, 16)
        assert second.volume.shape == (1, *spec.volume_shape)
        remembering.decoder.previous.weight.data.normal_(0.0, 0.1)
        assert not torch.allclose(remembering(*inputs, *previous).voxels, expected.voxels)
