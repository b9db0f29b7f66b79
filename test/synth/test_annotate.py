"""Truth of a frame: voxels under the pixels, visibility, velocities."""

import numpy as np
import pytest
from synth_scenes import plain_scene, standing

from airside_perception.classes import GROUND, GSE, PERSON, STRUCTURE
from airside_perception.geometry.se3 import transform_points
from airside_perception.records import GridSpec
from airside_perception.synth.annotate import object_truth, voxelize
from airside_perception.synth.bent_camera import pixel_rays
from airside_perception.synth.frames import render_frame
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.rigs import random_rig
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.surface_samples import surface_samples

GRID = GridSpec((-40.0, -40.0, -1.2), (0.8, 0.8, 0.8), (100, 100, 16))


def labelled(objects, rig, grid=None):
    scene = plain_scene(objects, rig)
    return scene, render_frame(RasterBackend(scene), scene, rig, 0.0, np.random.default_rng(0), grid)


def test_pixels_with_depth_fall_into_occupied_voxels(scene, frame, small_rig):
    hits = total = same = 0
    for name, layers in frame.layers.items():
        camera = small_rig.cameras[name]
        rows, columns = np.nonzero(layers.depth > 0)
        rays = camera.unproject(np.stack([columns, rows], 1).astype(float))
        points = rays / rays[:, 2:] * layers.depth[rows, columns][:, None]
        indices, inside = GRID.indices(transform_points(camera.base_from_camera, points))
        found = frame.occupancy[tuple(indices[inside].T)]
        hits, total = hits + (found > 0).sum(), total + len(found)
        same += (found == layers.semantic[rows, columns][inside]).sum()
    assert total > 10_000
    assert hits / total >= 0.99
    assert same / total >= 0.95


@pytest.mark.parametrize(("seed", "lens"), [(2, "pinhole"), (4, "equidistant"), (5, "plumb_bob")])
def test_random_rigs_see_occupied_voxels_too(seed, lens):
    rng = np.random.default_rng(seed)
    rig = random_rig(rng, (192, 120), 3, lens)
    scene = build_scene(seed, "train", rig, 2.0, layout="stands")
    frame = render_frame(RasterBackend(scene), scene, rig, 0.7, rng, GRID)
    hits = total = 0
    for name, layers in frame.layers.items():
        camera, known = rig.cameras[name], layers.depth > 0
        rays = pixel_rays(camera)[known]
        points = transform_points(camera.base_from_camera, rays / rays[:, 2:] * layers.depth[known][:, None])
        indices, inside = GRID.indices(points)
        found = frame.occupancy[tuple(indices[inside].T)]
        hits, total = hits + (found > 0).sum(), total + len(found)
    assert total > 5_000
    assert hits / total >= 0.99


def test_every_sample_of_every_surface_is_in_a_marked_voxel(backend, scene):
    pose, geometry = scene.odom_from_base(1.5), backend.geometry(1.5)
    voxels = voxelize(scene, geometry, pose, GRID)
    corners = transform_points(np.linalg.inv(pose), geometry.vertices).astype(np.float32)[geometry.faces]
    points, _ = surface_samples(corners, 0.3)
    indices, inside = GRID.indices(points)
    found = voxels[tuple(indices[inside].T)] > 0
    assert len(found) > 20_000
    assert found.mean() > 0.9999, "but for points on the border of two voxels"


def test_seen_pixels_are_observed_voxels(scene, frame, small_rig):
    seen = total = 0
    for name, layers in frame.layers.items():
        camera = small_rig.cameras[name]
        rows, columns = np.nonzero((layers.depth > 0) & (layers.depth < 12))
        rays = camera.unproject(np.stack([columns, rows], 1).astype(float))
        points = rays / rays[:, 2:] * layers.depth[rows, columns][:, None]
        indices, inside = GRID.indices(transform_points(camera.base_from_camera, points))
        seen, total = seen + frame.observed[tuple(indices[inside].T)].sum(), total + inside.sum()
    # A ray ends where it enters the ground's voxels, up to 0.4 m above the ground it shows: near by, the same voxel.
    assert seen / total > 0.85


def test_a_box_fills_the_voxels_it_touches(small_rig):
    scene = plain_scene([standing("box", (4.0, 2.0, 2.4), 10.0, 5.0, np.pi / 2)], small_rig)
    voxels = voxelize(scene, RasterBackend(scene).geometry(0.0), np.eye(4), GRID)
    centers = GRID.centers()[voxels == GSE]
    np.testing.assert_allclose(centers.min(axis=0), [9.2, 3.2, 0.0], atol=0.41)
    np.testing.assert_allclose(centers.max(axis=0), [10.8, 6.8, 2.4], atol=0.41)
    ground = voxels[:, :, 1]
    assert set(np.unique(ground)) == {GROUND, GSE}
    assert not voxels[:, :, 0].any()


def test_the_class_that_matters_more_names_a_shared_voxel(small_rig):
    wall = standing("wall", (0.5, 0.5, 0.5), 10.0, 5.0, class_name="structure")
    person = standing("person", (0.5, 0.5, 0.5), 10.0, 5.0, class_name="person")
    for objects in ([wall, person], [person, wall]):
        scene = plain_scene(objects, small_rig)
        voxels = voxelize(scene, RasterBackend(scene).geometry(0.0), np.eye(4), GRID)
        assert PERSON in voxels
        assert STRUCTURE not in voxels


def test_surface_samples_lie_on_their_triangles_evenly():
    corners = np.array([[[0, 0, 0], [4, 0, 0], [0, 3, 0]], [[0, 0, 1], [0.1, 0, 1], [0, 0.1, 1]]], float)
    points, owner = surface_samples(corners, 0.1)
    assert np.bincount(owner).tolist() == [600, 3]
    first = points[owner == 0]
    assert np.all(first[:, :2] >= -1e-12)
    assert np.all(first[:, 0] / 4 + first[:, 1] / 3 <= 1 + 1e-9)
    np.testing.assert_allclose(first.mean(axis=0), corners[0].mean(axis=0), atol=0.02)


def test_visibility_is_a_fraction_and_truth_lists_the_hidden_too(scene, frame):
    tracked = [o for o in scene.objects if o.asset.class_name in ("aircraft", "gse", "person")]
    assert [entry["id"] for entry in frame.objects] == [o.object_id for o in tracked]
    visibility = np.array([entry["visibility"] for entry in frame.objects])
    pixels = np.array([entry["num_pixels"] for entry in frame.objects])
    assert visibility.min() >= 0
    assert visibility.max() <= 1
    np.testing.assert_array_equal(visibility == 0, pixels == 0)
    assert (visibility == 0).any()
    assert (visibility > 0.9).any()


def test_an_object_behind_another_is_less_visible(small_rig):
    near = standing("near", (1.0, 3.0, 3.0), 8.0, 0.0)
    _, alone = labelled([standing("far", (1.0, 4.0, 2.0), 14.0, 0.0)], small_rig)
    _, hidden = labelled([standing("far", (1.0, 4.0, 2.0), 14.0, 0.0), near], small_rig)
    _, half = labelled([standing("far", (1.0, 4.0, 2.0), 14.0, 3.0), near], small_rig)
    assert alone.objects[0]["visibility"] > 0.95
    assert hidden.objects[0]["visibility"] < 0.2
    assert 0.3 < half.objects[0]["visibility"] < 0.9
    assert hidden.objects[1]["visibility"] > 0.95


def test_velocity_is_that_of_the_positions(scene):
    step, nothing = 0.1, np.zeros(len(scene.objects))
    entries = [object_truth(scene, t, nothing.astype(int), nothing) for t in (2.0 - step, 2.0, 2.0 + step)]
    moving = 0
    for before, now, after in zip(*entries, strict=True):
        difference = (np.array(after["translation"]) - before["translation"]) / (2 * step)
        turning = np.linalg.norm(np.array(after["rotation"]) - before["rotation"]) > 0.02
        np.testing.assert_allclose(now["velocity"], difference, atol=0.5 if turning else 0.05)
        moving += np.linalg.norm(difference) > 0.5
    assert moving >= 3


def test_boxes_and_distances_agree_with_the_entries(scene, frame):
    for entry, box in zip(frame.objects, frame.boxes, strict=True):
        np.testing.assert_allclose(entry["translation"], box[:3], atol=1e-4)
        np.testing.assert_allclose(entry["size"], box[3:6], atol=1e-4)
        ego = scene.odom_from_base(1.5)[:2, 3]
        assert entry["distance"] == pytest.approx(np.linalg.norm(box[:2] - ego), abs=1e-3)
