import numpy as np
import pytest
import torch

from airside_perception.classes import SEMANTIC_OF_CLASS
from airside_perception.geometry.object_range import cell_angles, decode_range, encode_range
from airside_perception.occupancy.center_votes import _told_range, image_votes, lift_votes, vote_channels
from airside_perception.occupancy.lifting import build_lifting_tables
from airside_perception.occupancy.pixel_geometry import pixel_geometry

CENTER = np.array([5.4, 0.6])


def answers(spec, cameras, log_spread, log_ground_spread):
    """Answers of a network that sees a vehicle wherever it looks its way: semantics, objects, ranges, geometry."""
    height, width = spec.depth_size[::-1]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([columns.ravel(), rows.ravel()], 1) * 8.0 + 3.5
    objects = np.zeros((len(cameras), 9, height, width), np.float32)
    ranges = np.zeros((len(cameras), 4, height, width), np.float32)
    semantics = torch.full((len(cameras), 7, 2 * height, 2 * width), -20.0)
    semantics[:, 0] = 0.0
    for index, camera in enumerate(cameras):
        scaled = camera.resized(*spec.image_size)
        rays = scaled.unproject(pixels) @ camera.base_from_camera[:3, :3].T
        bearing = np.arctan2(rays[:, 1], rays[:, 0])
        offset = CENTER - camera.position[:2]
        distance = np.full(len(pixels), np.hypot(*offset))
        objects[index, 5] = (offset[1] * np.cos(bearing) - offset[0] * np.sin(bearing)).reshape(height, width)
        told = encode_range(distance, camera.position[2], *cell_angles(scaled, pixels, 8.0))
        ranges[index, 0], ranges[index, 2] = told.reshape(2, height, width)
        ranges[index, 1], ranges[index, 3] = log_spread, log_ground_spread
        facing = (rays[:, :2] @ offset > 0).reshape(height, width).repeat(2, axis=0).repeat(2, axis=1)
        semantics[index, SEMANTIC_OF_CLASS["gse"]] = torch.from_numpy(np.where(facing, 20.0, -20.0))
    geometry = torch.from_numpy(pixel_geometry(cameras, spec))
    pooled = torch.nn.functional.avg_pool2d(geometry, 2)
    return semantics, torch.from_numpy(objects), torch.from_numpy(ranges), pooled


@pytest.mark.parametrize("spreads", [(-4.0, 3.0), (0.0, -3.0)])
def test_votes_meet_where_the_centre_is(small_spec, ring, spreads):
    """Whichever of its two answers the network is sure of."""
    tables = [torch.from_numpy(array)[None] for array in vars(build_lifting_tables(ring, small_spec)).values()]
    votes = image_votes(small_spec, *answers(small_spec, ring, *spreads))
    lifted = lift_votes(small_spec, votes, *tables[1:])[0]
    assert len(lifted) == vote_channels(small_spec)
    per_class = lifted.reshape(len(small_spec.lift_heights), 3, *lifted.shape[1:]).sum(0).numpy()
    assert per_class[0].max() < 1e-3, "nothing says aircraft"
    assert per_class[1].max() > 0.5
    weight = per_class[1] / per_class[1].sum()
    grid = small_spec.grid
    x, y = (grid.origin[i] + (np.arange(grid.shape[i]) + 0.5) * grid.voxel_size[i] for i in range(2))
    assert [(weight.sum(1) * x).sum(), (weight.sum(0) * y).sum()] == pytest.approx(CENTER, abs=0.6)
    best = np.unravel_index(weight.argmax(), weight.shape)
    assert [x[best[0]], y[best[1]]] == pytest.approx(CENTER, abs=1.0)


def test_tensors_and_arrays_agree(small_spec, ring):
    """The network's own copy of decode_range, from the maps of geometry instead of from cameras."""
    semantics, objects, ranges, geometry = answers(small_spec, ring[:1], -2.0, 0.2)
    ranges += 0.3 * torch.randn(ranges.shape, generator=torch.Generator().manual_seed(0))
    votes = image_votes(small_spec, semantics, objects, ranges, geometry).numpy()
    camera, (width, height) = ring[0].resized(*small_spec.image_size), small_spec.depth_size
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([columns.ravel(), rows.ravel()], 1) * 8.0 + 3.5
    angles = cell_angles(camera, pixels, 8.0)
    distance, error = decode_range(ranges[0].numpy().reshape(4, -1), camera.position[2], *angles)
    rays = camera.unproject(pixels)
    level = np.hypot(*(rays @ camera.base_from_camera[:3, :3].T)[:, :2].T)
    near = (np.abs(angles[0]) < 0.5) & (error > 0.05)
    depth = distance * rays[:, 2] / level
    np.testing.assert_allclose(np.exp(votes[near, 0]), depth[near], rtol=0.08)
    np.testing.assert_allclose(1 / votes[near, 1], error[near], rtol=0.1)


def test_unsure_votes_spread_along_the_ray(small_spec, ring):
    tables = [torch.from_numpy(array)[None] for array in vars(build_lifting_tables(ring, small_spec)).values()]
    sure, unsure = (
        lift_votes(small_spec, image_votes(small_spec, *answers(small_spec, ring, spread, 3.5)), *tables[1:])
        for spread in (-4.0, -0.7)
    )
    assert (unsure > 0.3).sum() > 2 * (sure > 0.3).sum()


@pytest.mark.parametrize("log_ground_spread", [-3.0, 3.5])
def test_half_floats_hold_what_a_vehicles_engine_computes(small_spec, ring, log_ground_spread):
    _, _, ranges, geometry = answers(small_spec, ring, -4.5, log_ground_spread)
    exact, error = _told_range(ranges, geometry)
    half, half_error = _told_range(ranges.half(), geometry.half())
    assert torch.isfinite(half).all()
    assert torch.isfinite(half_error).all()
    torch.testing.assert_close(half.float(), exact, rtol=0.0, atol=0.05)
    torch.testing.assert_close(half_error.float(), error, rtol=0.05, atol=1e-3)
