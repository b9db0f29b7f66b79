"""Which cameras see an object, and what its crops hold."""

from dataclasses import replace

import numpy as np
import pytest
from refine_scenes import BUS, TRACTOR, VAN, WALKER, Thing, look, small_rig, views_of

from airside_perception.geometry import pose_from_xyz_yaw
from airside_perception.refine.views import FINEST_PX, find_views, project_boxes


def test_rectangles_of_boxes_ahead_beside_and_behind():
    frame, _ = look([], library=None)
    ahead = [11.0, 0.0, 2.0, 2.0, 4.0, 2.0, 0.0]
    boxes = np.array([ahead, [-11.0, 0, 2, 2, 4, 2, 0], [1.0, 0, 2, 4, 4, 2, 0]])
    rectangles, whole = project_boxes(frame, frame.images["front"].camera, boxes)
    # Its near face is 9 m before the camera and 4 m wide and 2 m high: 200 px x 4 m / 9 m, and so on.
    np.testing.assert_allclose(rectangles[0, 2:] - rectangles[0, :2], [200 * 4 / 9, 200 * 2 / 9])
    np.testing.assert_allclose((rectangles[0, 2:] + rectangles[0, :2]) / 2, [159.5, 99.5])
    assert np.isnan(rectangles[1]).all()
    assert np.isfinite(rectangles[2]).all()
    assert whole.tolist() == [True, False, False]


def test_the_vehicle_s_own_pose_moves_rectangles():
    frame, _ = look([], library=None)
    moved = replace(frame, odom_from_base=pose_from_xyz_yaw(5.0, 3.0, 0.0, np.pi / 2))
    here, there = np.array([[11.0, 1.0, 1.0, 4, 2, 2, 0.3]]), np.array([[4.0, 14.0, 1.0, 4, 2, 2, 0.3 + np.pi / 2]])
    camera = frame.images["front"].camera
    np.testing.assert_allclose(project_boxes(frame, camera, here)[0], project_boxes(moved, camera, there)[0], atol=1e-9)


def test_each_object_is_cut_from_the_cameras_that_see_it(library):
    things = [Thing("gse", 12, 0, 0.4, VAN), Thing("gse", -12, 1, 0.0, VAN), Thing("gse", 0, 30, 0.0, VAN)]
    frame, network = look(things, library)
    views = views_of(things, frame, network)
    assert [(v.object_index, v.camera_name) for v in views] == [(0, "front"), (1, "rear")]
    assert not any(v.truncated for v in views)


def test_a_crop_holds_the_silhouette_where_its_camera_says(library):
    van = Thing("gse", 12, 0.5, 0.4, VAN)
    frame, network = look([van], library)
    (view,) = views_of([van], frame, network)
    assert view.target.shape == view.weight.shape == (64, 64)
    assert view.image.shape == (64, 64, 3)
    inside = view.target > 0.5
    # The box's centre is inside the silhouette, the crop's corners are not.
    pixels, _, _ = view.crop.project_base(van.box[None, :3])
    column, row = np.round(pixels[0]).astype(int)
    assert inside[row, column]
    assert not inside[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    # Red paint was put exactly where the object is; the semantics are four times coarser.
    red = view.image[..., 0] - view.image[..., 2] > 0.25
    assert (red & inside).sum() / (red | inside).sum() > 0.8


def test_places_on_surfaces_are_read_where_their_cells_speak(library):
    """A cell's answer is about one pixel of its network image; between cells answers are mixed."""
    van = Thing("gse", 12, 0.5, 0.4, VAN)
    frame, network = look([van], library)
    camera = frame.images["front"].camera
    cell_rows, cell_columns = np.mgrid[0:25, 0:40].astype(np.float32)
    # Each cell says which image pixel it speaks for.
    said = np.stack([8 * cell_columns + 2, 8 * cell_rows + 2, 0 * cell_rows, 0 * cell_rows])
    assert (camera.width, camera.height) == (8 * 40, 8 * 25)
    (view,) = views_of([van], frame, replace(network, image_surface={"front": said}))
    assert views_of([van], frame, network)[0].surface is None
    rays = view.crop.unproject(np.stack(np.meshgrid(np.arange(64.0), np.arange(64.0)), axis=-1).reshape(-1, 2))
    pixels, _ = camera.project(rays)
    read = view.surface[:2].reshape(2, -1).T
    inside = (pixels > 8).all(axis=1) & (pixels < [310, 190]).all(axis=1)
    assert inside.sum() > 1000
    np.testing.assert_allclose(read[inside], pixels[inside], atol=0.3)


def test_small_objects_keep_their_surroundings(library):
    walker = Thing("person", 30, 0, 0.0, WALKER)
    frame, network = look([walker], library)
    (view,) = views_of([walker], frame, network)
    scale = view.crop.intrinsics[0, 0] / 200.0
    assert 1 / scale == pytest.approx(FINEST_PX, rel=0.05)


def test_an_object_at_the_image_border_is_truncated_and_its_outside_has_no_weight(library):
    van = Thing("gse", 9, 7.5, 0.0, VAN)
    frame, network = look([van], library)
    (view,) = views_of([van], frame, network)
    assert view.truncated
    assert (view.weight[:, 0] == 0).all(), "left of the image"
    assert view.weight.max() == 1


def test_another_class_s_pixels_are_trusted_less(library):
    tractor, walker = Thing("gse", 12, 0, 0.0, TRACTOR), Thing("person", 8, 0.3, 0.0, WALKER)
    frame, network = look([tractor, walker], library)
    view = views_of([tractor, walker], frame, network)[0]
    pixels, _, _ = view.crop.project_base(walker.box[None, :3])
    column, row = np.round(pixels[0]).astype(int)
    assert view.weight[row, column] == pytest.approx(0.2, abs=0.05)
    assert view.target[row, column] < 0.1


def test_the_largest_views_are_taken(library):
    bus = Thing("gse", 0.0, 6.0, 0.0, (20.0, 2.9, 3.2))
    frame, network = look([bus], library)
    both = views_of([bus], frame, network, cameras=2)
    assert {v.camera_name for v in both} == {"front", "rear"}
    (best,) = views_of([bus], frame, network, cameras=1)
    assert best.area_px == max(v.area_px for v in both)


def test_no_network_no_boxes_and_cameras_without_semantics_give_no_views(library):
    bus = Thing("gse", 14, 0, 0.5, BUS)
    frame, network = look([bus], library)
    assert find_views(frame, bus.box[None], ["gse"], None, 64, 2) == []
    assert find_views(frame, np.zeros((0, 7)), [], network, 64, 2) == []
    assert views_of([bus], frame, replace(network, image_semantics={})) == []
    assert views_of([bus], replace(frame, images={}), network) == []


def test_a_lens_with_distortion_projects_the_crop_s_surface_like_the_image(library):
    rig = small_rig("plumb_bob", (-0.2, 0.05, 0.0, 0.0, 0.0))
    van = Thing("gse", 10, 2.5, 0.3, VAN)
    frame, network = look([van], library, rig)
    (view,) = views_of([van], frame, network)
    assert not view.crop.is_linear
    pixels, _, _ = view.crop.project_base(van.box[None, :3])
    assert view.target[tuple(np.round(pixels[0, ::-1]).astype(int))] > 0.9
