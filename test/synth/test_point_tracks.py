"""Surface points stay on their surface, and their flags say what the images show."""

import numpy as np
import pytest
from synth_scenes import plain_scene, standing

from airside_perception.geometry.se3 import invert_transform, transform_points
from airside_perception.synth.frames import render_frame
from airside_perception.synth.generate import run_synth
from airside_perception.synth.point_tracks import NO_IMAGE, OCCLUDED, OUTSIDE, VISIBLE, PointTracks
from airside_perception.synth.raster_backend import RasterBackend
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.sequence_options import SynthOptions
from airside_perception.synth.surface_points import WORLD, first_hit, pick_points

TIMES = [0.0, 0.5, 1.0, 1.5]


@pytest.fixture(scope="module")
def busy(small_rig):
    return build_scene(3, "train", small_rig, 2.0, layout="stands", condition="clear")


@pytest.fixture(scope="module")
def tracks(busy):
    """All points followed; in the third frame the left camera loses its image."""
    followed = PointTracks(busy, TIMES, 120, np.random.default_rng(1))
    backend, noise = RasterBackend(busy), np.random.default_rng(0)
    for index, time_s in enumerate(TIMES):
        exposures = {name: time_s + 0.01 * k for k, name in enumerate(busy.rig.names) if (index, name) != (2, "left")}
        followed.see(index, render_frame(backend, busy, busy.rig, time_s, noise, None, exposures))
    return followed


def test_points_are_of_objects_that_move_of_people_and_of_the_world(busy, tracks):
    points = tracks.points
    assert 80 < len(points) <= 120
    on_objects = points.item[points.item >= 0]
    assert any(busy.objects[k].trajectory.moves for k in on_objects)
    assert any(busy.objects[k].asset.class_name == "person" for k in on_objects)
    assert (points.item == WORLD).sum() > 5
    assert set(points.frame) == {0, 1, 2, 3}
    assert 0.4 < (points.frame == 0).mean() < 0.7


def test_rigid_points_move_with_their_box_and_the_ground_stays(busy, tracks):
    points = tracks.points
    moved = 0.0
    for point, item in enumerate(points.item):
        own = tracks.odom[point].astype(np.float64)
        if item == WORLD:
            np.testing.assert_allclose(own, np.broadcast_to(own[0], own.shape))
            assert own[0, 2] == pytest.approx(0.0, abs=1e-4)
        elif not busy.objects[item].deforms:
            poses = [busy.objects[item].pose(time_s) for time_s in TIMES]
            local = [transform_points(invert_transform(pose), place) for pose, place in zip(poses, own, strict=True)]
            np.testing.assert_allclose(local, np.broadcast_to(local[0], (4, 3)), atol=1e-3)
            moved = max(moved, float(np.linalg.norm(own[-1] - own[0])))
    assert moved > 1.0


def test_people_carry_their_points_in_their_stride(busy, tracks):
    """A point on a leg swings: it leaves its place in the box, but stays on the mesh of that moment."""
    points = tracks.points
    swing = 0.0
    for point in np.flatnonzero(points.item >= 0):
        item = busy.objects[points.item[point]]
        if item.stride == 0:
            continue
        local = []
        for index, time_s in enumerate(TIMES):
            mesh = item.mesh(time_s)
            local.append(transform_points(invert_transform(item.pose(time_s)), tracks.odom[point, index].astype(float)))
            corners = mesh.vertices[mesh.faces[points.face[point]]]
            normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
            off = (local[-1] - corners[0]) @ normal / np.linalg.norm(normal)
            assert abs(off) < 1e-3
        swing = max(swing, float(np.ptp(local, axis=0).max()))
    assert swing > 0.05, "nobody walks: the test shows nothing"


def test_points_show_in_the_image_they_were_picked_from(busy, tracks):
    points = tracks.points
    at = [
        tracks.state[points.camera[k], k, points.frame[k]]
        for k in range(len(points))
        if (points.frame[k], busy.rig.names[points.camera[k]]) != (2, "left")
    ]
    # The other cameras expose some milliseconds later: what showed at an edge may be hidden by then.
    assert np.mean(np.array(at) == VISIBLE) > 0.93


def test_flags_agree_with_rays_cast_through_the_whole_scene(busy, tracks):
    backend, points = RasterBackend(busy), tracks.points
    agree, hidden = [], 0
    for which, name in enumerate(busy.rig.names):
        time_s = TIMES[1] + 0.01 * which
        geometry = backend.geometry(time_s)
        triangles = geometry.vertices[geometry.faces].astype(np.float64)
        camera = busy.rig.cameras[name]
        center = (busy.odom_from_base(time_s) @ camera.base_from_camera)[:3, 3]
        places, normals = points.at(busy, time_s)
        inside = np.flatnonzero(tracks.state[which, :, 1] > OUTSIDE)
        for point in inside[:25]:
            reach = first_hit(triangles, center, places[point] - center)[0]
            free = reach > 0.99 and (center - places[point]) @ normals[point] > 0
            agree.append(free == (tracks.state[which, point, 1] == VISIBLE))
            hidden += not free
    assert len(agree) > 40
    assert hidden > 3, "nothing was hidden: the test shows nothing"
    # Points within a pixel of an edge may be told either way.
    assert np.mean(agree) > 0.92


def test_a_lost_image_and_the_edge_of_the_image_have_their_own_flags(busy, tracks):
    which = busy.rig.names.index("left")
    assert np.all(tracks.state[which, :, 2] == NO_IMAGE)
    assert np.all(tracks.state[which, :, 1] != NO_IMAGE)
    camera = busy.rig.cameras["left"]
    seen = tracks.state >= OCCLUDED
    assert np.all(camera.contains(tracks.pixels[seen]))
    assert (tracks.state == OUTSIDE).any()


def test_a_wall_that_moves_in_between_occludes(small_rig):
    box = standing("box", (1.0, 1.0, 1.0), 8.0, 0.0)
    scene = plain_scene([box], small_rig)
    walled = plain_scene([box, standing("wall", (0.2, 4.0, 3.0), 5.0, 0.0)], small_rig)
    tracks = PointTracks(scene, [0.0], 40, np.random.default_rng(0))
    assert len(tracks.points) > 20
    front, on_box = small_rig.names.index("front"), tracks.points.item == 0
    tracks.see(0, render_frame(RasterBackend(scene), scene, small_rig, 0.0, np.random.default_rng(0), None))
    assert np.all(tracks.state[front, on_box, 0] == VISIBLE)
    on_face = np.abs(tracks.odom[on_box, 0] - [8.0, 0.0, 0.5]).max(axis=1)
    np.testing.assert_allclose(on_face, 0.5, atol=1e-4)
    tracks.see(0, render_frame(RasterBackend(walled), walled, small_rig, 0.0, np.random.default_rng(0), None))
    assert np.all(tracks.state[front, on_box, 0] == OCCLUDED)


def test_rays_hit_the_nearest_front():
    near = np.array([[5.0, -1, -1], [5, 0, 1], [5, 1, -1]])
    corners = np.stack([near + [2.0, 0, 0], near, near[::-1] - [1.0, 0, 0]])
    reach, face, weights = first_hit(corners, np.zeros(3), np.array([1.0, 0, 0]))
    assert (reach, face) == (pytest.approx(5.0), 1)
    np.testing.assert_allclose(weights @ corners[face], [5.0, 0, 0], atol=1e-9)
    assert first_hit(corners, np.zeros(3), np.array([-1.0, 0, 0]))[0] == np.inf


def test_the_same_seed_picks_the_same_points(busy):
    one, two = (pick_points(RasterBackend(busy), busy, TIMES, 40, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.item, two.item)
    np.testing.assert_array_equal(one.at(busy, 0.7)[0], two.at(busy, 0.7)[0])


def test_sequences_hold_the_tracks_that_were_asked_for(small_rig, tmp_path):
    small_rig.resized(96, 60).save(tmp_path / "rig.yaml")
    options = SynthOptions(
        tmp_path / "s", rig=str(tmp_path / "rig.yaml"), duration_s=0.3, point_tracks=30, label_every=9, progress=False
    )
    run_synth(options)
    with np.load(tmp_path / "s" / "ground_truth" / "point_tracks.npz") as content:
        count = len(content["object_id"])
        assert 10 < count <= 30
        assert content["pixels"].shape == (4, count, 3, 2)
        assert content["state"].shape == (4, count, 3)
        assert content["odom"].shape == (count, 3, 3)
        assert content["image_size"].tolist() == [[96, 60]] * 4
        assert np.ptp(content["stamp_ns"]) == 200_000_000
        assert (content["state"] == VISIBLE).any(axis=(0, 2)).mean() > 0.9
        assert set(content["class_name"]) <= {"aircraft", "gse", "person", "obstacle", "structure", "ground"}
