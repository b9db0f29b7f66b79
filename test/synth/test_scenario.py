"""Scenes: the same for a seed, of their own families, with room for everything that stands or drives."""

import numpy as np
import pytest

from airside_perception.errors import AirsideError
from airside_perception.geometry.boxes import box_corners
from airside_perception.synth.episodes import EGO_AHEAD, EGO_LENGTH, EGO_WIDTH
from airside_perception.synth.placement import rectangles_overlap
from airside_perception.synth.scenario import build_scene

TIMES = np.linspace(0, 4, 33)


@pytest.fixture(scope="module")
def scatter(small_rig):
    return build_scene(11, "train", small_rig, duration_s=4.0, layout="scatter")


@pytest.fixture(scope="module")
def val_scene(small_rig):
    return build_scene(7, "val", small_rig, duration_s=4.0)


def footprints(scene_object, times=TIMES):
    """(T, 5) x, y, length, width, yaw of the box."""
    return np.array([scene_object.box(t)[[0, 1, 3, 4, 6]] for t in times])


def test_a_seed_is_a_scene(scene, small_rig):
    again = build_scene(7, "test", small_rig, duration_s=4.0, condition="clear")
    assert [o.object_id for o in again.objects] == [o.object_id for o in scene.objects]
    for a, b in zip(again.objects, scene.objects, strict=True):
        np.testing.assert_array_equal(a.trajectory.positions, b.trajectory.positions)
        np.testing.assert_array_equal(a.asset.mesh.vertices, b.asset.mesh.vertices)
        np.testing.assert_array_equal(a.asset.mesh.face_colors, b.asset.mesh.face_colors)
    np.testing.assert_array_equal(again.ground.albedo, scene.ground.albedo)
    assert again.families == scene.families


def test_another_seed_is_another_scene(scene, small_rig):
    other = build_scene(8, "test", small_rig, duration_s=4.0)
    assert other.families != scene.families or len(other.objects) != len(scene.objects)
    assert not np.array_equal(other.ground.albedo, scene.ground.albedo)


def test_splits_share_no_family(scene, scatter, val_scene):
    train, val, test = (set(each.families) for each in (scatter, val_scene, scene))
    assert min(len(train), len(val), len(test)) > 5
    assert not train & val
    assert not train & test
    assert not val & test


def test_a_stand_scene_holds_what_an_apron_holds(scene):
    counts = {name: sum(o.asset.class_name == name for o in scene.objects) for name in ("aircraft", "gse", "person")}
    assert counts["aircraft"] >= 1
    assert counts["gse"] >= 8
    assert counts["person"] >= 5
    assert any(o.trajectory.moves for o in scene.objects if o.asset.class_name == "gse")
    assert len({o.object_id for o in scene.objects}) == len(scene.objects)


@pytest.mark.parametrize("which", ["scene", "scatter", "val_scene"])
def test_nothing_drives_through_the_own_vehicle(which, request):
    scene = request.getfixturevalue(which)
    pose = scene.ego.sample(TIMES)
    ahead = pose[:, :2] + EGO_AHEAD * np.stack([np.cos(pose[:, 2]), np.sin(pose[:, 2])], 1)
    own = np.concatenate([ahead, np.tile([EGO_LENGTH, EGO_WIDTH], (len(TIMES), 1)), pose[:, 2:]], axis=1)
    for thing in scene.objects:
        if thing.asset.class_name in ("aircraft", "structure"):
            continue  # reach over others' ground: the test below looks at their surfaces
        assert not rectangles_overlap(own, footprints(thing)).any(), thing.object_id


@pytest.mark.parametrize("which", ["scene", "scatter"])
def test_no_surface_comes_into_the_way_of_the_own_vehicle(which, request):
    scene = request.getfixturevalue(which)
    for time in TIMES[::4]:
        base_from_odom = np.linalg.inv(scene.odom_from_base(time))
        for thing in scene.objects:
            to_base = base_from_odom @ thing.pose(time)
            points = thing.mesh(time).vertices @ to_base[:3, :3].T + to_base[:3, 3]
            inside = np.abs(points - [EGO_AHEAD, 0, 1.2]) < [EGO_LENGTH / 2, EGO_WIDTH / 2, 1.2]
            assert not inside.all(axis=1).any(), thing.object_id


def test_vehicles_and_people_keep_apart(scene):
    things = [o for o in scene.objects if o.asset.class_name in ("gse", "person", "obstacle")]
    taken = np.stack([footprints(o) for o in things])
    for index in range(len(things) - 1):
        meets = rectangles_overlap(taken[index][None], taken[index + 1 :]).any(axis=1)
        assert not meets.any(), [things[index].object_id, *np.array(things[index + 1 :])[meets]]


def test_everything_stands_on_the_ground(scene):
    for thing in scene.objects:
        lowest = (thing.mesh(1.0).vertices[:, 2] + thing.pose(1.0)[2, 3]).min()
        assert abs(lowest) < 0.06, thing.object_id


def test_boxes_hold_their_meshes(scene):
    for thing in scene.objects:
        for time in (0.0, 2.3):
            half = thing.box(time)[3:6] / 2
            reach = np.abs(thing.mesh(time).vertices).max(axis=0)
            # A stride reaches out in x; arms swing.
            slack = [0.6, 0.15, 0.05] if thing.stride else [0.5, 0.5, 0.5] if thing.asset.cycle_s else 1e-3
            assert np.all(reach <= half + slack), thing.object_id


def test_pose_and_box_agree(scene):
    for thing in scene.objects[:20]:
        box = thing.box(1.7)
        corners = np.array(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5])).reshape(3, -1).T * box[3:6]
        pose = thing.pose(1.7)
        posed = corners @ pose[:3, :3].T + pose[:3, 3]
        expected = box_corners(box[None])[0]
        nearest = np.linalg.norm(posed[:, None] - expected[None], axis=-1).min(axis=1)
        np.testing.assert_allclose(nearest, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("bad", "named"),
    [({"split": "dev"}, "split"), ({"layout": "moon"}, "layout"), ({"condition": "hail"}, "condition")],
)
def test_unknown_names_are_refused(small_rig, bad, named):
    with pytest.raises(AirsideError, match=f"--{named}: expected one of"):
        build_scene(0, **{"split": "test", "rig": small_rig, **bad})
