from dataclasses import replace

import numpy as np
import pytest
import torch

from airside_perception.occupancy.lifting import build_lifting_tables
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.occupancy.pixel_geometry import pixel_geometry
from airside_perception.occupancy.previous_volume import volume_table


@pytest.fixture
def network(small_spec):
    torch.manual_seed(0)
    return OccupancyNetwork(small_spec).eval()


def network_inputs(cameras, spec, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (len(cameras), 3, 64, 128), dtype=np.uint8)
    tables = build_lifting_tables(cameras, spec)
    arrays = (tables.feature_index, tables.depth_index, tables.depth_fraction, tables.slot_weight)
    geometry = torch.from_numpy(pixel_geometry(cameras, spec))
    return torch.from_numpy(images), geometry, *(torch.from_numpy(array)[None] for array in arrays)


def test_shapes_for_any_camera_count(network, small_spec, ring):
    for count in (1, 3, 4):
        output = network(*network_inputs(ring[:count], small_spec))
        assert output.voxels.shape == (1, 7, 4, 16, 16)
        assert output.heatmap.shape == (1, 3, 16, 16)
        assert output.boxes.shape == (1, 3, 10, 16, 16)
        assert output.semantics.shape == (count, 7, 16, 32)
        assert output.depth.shape == (count, 12, 8, 16)
        assert output.objects.shape == (count, 9, 8, 16)
        assert output.surface.shape == output.ranges.shape == (count, 4, 8, 16)


def test_the_order_of_cameras_does_not_matter(network, small_spec, ring):
    images, *_ = network_inputs(ring, small_spec)
    first = network(images, *network_inputs(ring, small_spec)[1:])
    second = network(images.flip(0), *network_inputs(ring[::-1], small_spec)[1:])
    assert torch.allclose(first.voxels, second.voxels, atol=1e-4)


def test_lifting_pulls_the_right_pixel_and_depth(network, small_spec, ring):
    """One lit cell and a sure depth: only points on that ray, at that depth, carry the weighted feature."""
    tables = [torch.from_numpy(array)[None] for array in vars(build_lifting_tables(ring, small_spec)).values()]
    features = torch.zeros(4, 8, 16, 32)
    # Columns 14..17 are the middle of the front camera's 32; rows from 8 on look below its horizon.
    features[0, :, 8:, 14:18] = 1.0
    depth = torch.full((4, 12, 8, 16), -30.0)
    bin_of_five_metres = round(float(small_spec.depth_bin(np.array([5.0]))[0]))
    depth[:, bin_of_five_metres] = 30.0
    lifted = network.lift(features, depth, *tables)[0].reshape(2, 10, 16, 16)
    weighted, unweighted, surface, open_sight = lifted[:, 0], lifted[:, 4], lifted[:, 8], lifted[:, 9]
    plane, x, y = (index.numpy() for index in torch.nonzero(unweighted, as_tuple=True))
    # On the optical axis, ahead: y near 0, x ahead, on either lifting plane below the 2 m camera.
    assert len(x) > 0
    assert (x >= 9).all()
    assert np.isin(y, (7, 8)).all()
    assert np.isin(plane, (0, 1)).all()
    assert (weighted > 0).sum() <= len(x)
    # A camera at x = 0.5: the surface of 5 m optical depth is at x = 5.5, that is cells 13 and 14.
    assert surface[1, 13, 7] > 1.0
    assert surface[1, 10, 7] < 1e-3
    assert open_sight[1, 10, 7] == pytest.approx(1.0, abs=1e-3)
    assert open_sight[1, 15, 7] < 1e-3


@pytest.mark.parametrize("remembers", [False, True])
def test_gradients_reach_every_parameter(small_spec, ring, remembers):
    network = OccupancyNetwork(replace(small_spec, previous_volume=remembers)).train()
    table = (torch.from_numpy(array)[None] for array in volume_table(small_spec.grid, np.eye(4)))
    previous = (torch.rand(1, *small_spec.volume_shape), *table) if remembers else ()
    output = network(*network_inputs(ring, small_spec), *previous)
    sum(tensor.square().mean() for tensor in output if tensor is not None).backward()
    missing = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not missing
