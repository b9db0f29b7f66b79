"""Booms and platforms that rise: geometry, boxes and all truth follow, and wheels stay where they stand."""

import numpy as np
import pytest
from synth_scenes import plain_scene

from airside_perception.geometry.se3 import invert_transform, transform_points
from airside_perception.records import GridSpec
from airside_perception.synth.assets import families, make_asset
from airside_perception.synth.frames import render_frame
from airside_perception.synth.lifting import LIFTING_KINDS, raised_to
from airside_perception.synth.pixel_layers import LAYERS, PixelLayers
from airside_perception.synth.point_tracks import PointTracks
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.scene import Raising, SceneObject, Trajectory
from airside_perception.synth.scene_geometry import GeometryCache

GRID = GridSpec((-10.0, -16.0, -1.0), (0.5, 0.5, 0.5), (64, 64, 14))


def loader(family="open_centre", seed=3):
    return make_asset("belt_loader", seed, "train", family, lifting=True)


def beside_the_vehicle(raising) -> SceneObject:
    """A belt loader 9 m to the left, broadside on."""
    return SceneObject("gse_000", loader(), Trajectory.standing(0.8, 9.0, 0.0), raising=raising)


@pytest.fixture(scope="module")
def rising(small_rig):
    """It rises through all of the scene's second."""
    return plain_scene([beside_the_vehicle(Raising(np.array([0.0, 1.0]), np.array([0.0, 1.0])))], small_rig)


@pytest.mark.parametrize("kind", LIFTING_KINDS)
def test_every_lifting_kind_has_a_family_that_rises_in_each_split(kind):
    risen = set()
    for family, split in families(kind).items():
        low = make_asset(kind, 5, split, family, lifting=True)
        high = raised_to(low, 1.0)
        np.testing.assert_array_equal(low.mesh.faces, high.mesh.faces)
        if low.raised is not None:
            assert high.size[2] >= low.size[2] - 1e-6, family
            rise = low.raised.vertices[:, 2] - low.mesh.vertices[:, 2]
            assert rise.max() > 0.2, family
            assert (rise == 0).any(), "wheels"
            risen.add(split)
    assert risen == {"train", "val", "test"}


def test_an_asset_without_raised_state_stays_as_it_is():
    tractor = make_asset("baggage_tractor", 1, "train", lifting=True)
    assert tractor.raised is None
    assert raised_to(tractor, 0.7) is tractor


def test_what_stands_on_the_ground_stays_there_while_the_boom_rises(rising):
    (item,) = rising.objects
    vertices = [transform_points(item.pose(t), item.mesh(t).vertices) for t in (0.0, 0.4, 1.0)]
    low = vertices[0][:, 2] < 0.3
    assert low.sum() > 30
    for later in vertices[1:]:
        np.testing.assert_allclose(later[low], vertices[0][low], atol=2e-3)
    assert (vertices[2][:, 2] - vertices[0][:, 2]).max() > 0.5


@pytest.mark.parametrize("time_s", [0.0, 0.5, 1.0])
def test_the_box_is_that_of_the_mesh_at_any_height(rising, time_s):
    (item,) = rising.objects
    local = item.mesh(time_s).vertices
    np.testing.assert_allclose(local.max(axis=0), item.box(time_s)[3:6] / 2, atol=1e-4)
    np.testing.assert_allclose(local.min(axis=0), -item.box(time_s)[3:6] / 2, atol=1e-4)
    assert (item.pose(time_s) @ [0, 0, -item.box(time_s)[5] / 2, 1])[2] == pytest.approx(0.0, abs=1e-6)


def test_images_and_voxels_show_the_boom_where_it_is(rising, small_rig):
    backend, rng = RasterBackend(rising), np.random.default_rng(0)
    frames = [render_frame(backend, rising, small_rig, t, rng, GRID) for t in (0.0, 1.0)]
    top = [np.flatnonzero((frame.layers["left"].item == 0).any(axis=1))[0] for frame in frames]
    assert top[1] < top[0] - 3, "rows of the boom's highest pixel"
    highest = [np.flatnonzero((frame.occupancy > 1).any(axis=(0, 1))).max() for frame in frames]
    assert highest[1] > highest[0]
    heights = [frame.boxes[0, 5] for frame in frames]
    assert heights[1] > heights[0] + 0.4
    assert frames[1].objects[0]["size"][2] == pytest.approx(heights[1], abs=1e-3)


def test_flow_goes_up_with_the_boom(rising, small_rig):
    layers = PixelLayers(rising).render(0.5, small_rig.cameras["left"], LAYERS)
    flow, own = layers["forward_flow"], layers["instance"] == 1
    camera = small_rig.cameras["left"]
    geometry, later = (GeometryCache(rising).at(t) for t in (0.5, 0.5 + 1 / rising.rate_hz))
    pixels = [camera.project_base(each.vertices)[0] for each in (geometry, later)]
    expected = pixels[1] - pixels[0]
    risen = flow[own][:, 1]
    assert np.nanmin(risen) < -0.3
    assert np.nanmin(risen) >= expected[:, 1].min() - 0.05
    assert np.nanmedian(np.abs(risen)) < 0.5 * np.abs(expected[:, 1]).max(), "the chassis stays"


def test_points_on_the_boom_rise_with_it(rising, small_rig):
    times = [0.0, 0.5, 1.0]
    followed = PointTracks(rising, times, 160, np.random.default_rng(1))
    backend, noise = RasterBackend(rising), np.random.default_rng(0)
    for index, time_s in enumerate(times):
        followed.see(index, render_frame(backend, rising, small_rig, time_s, noise, None))
    own = followed.odom[followed.points.item == 0]
    rise = own[:, -1, 2] - own[:, 0, 2]
    assert rise.max() > 0.2
    assert np.abs(rise).min() < 1e-3
    (item,) = rising.objects
    box = item.box(1.0)
    local = transform_points(invert_transform(item.pose(1.0)), own[:, -1].astype(np.float64))
    assert (np.abs(local) <= box[3:6] / 2 + 1e-3).all()


def test_docking_scenes_raise_what_has_docked_and_lower_what_departs(small_rig):
    for layout, sign in (("docking", 1.0), ("departure", -1.0)):
        moved = 0.0
        for seed in range(8):
            scene = build_scene(seed, "train", small_rig, 12.0, layout=layout)
            for item in scene.objects:
                if item.raising is not None:
                    moved = max(moved, sign * (item.box(12.0)[5] - item.box(0.0)[5]))
            if moved > 0.1:
                break
        assert moved > 0.1, layout
