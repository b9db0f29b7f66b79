"""What moves in the layouts: phases happen, nothing is driven through, nothing jumps, headings follow the motion."""

import numpy as np
import pytest

from airside_perception.synth.episodes import EGO_AHEAD, EGO_LENGTH, EGO_WIDTH, occlusions
from airside_perception.synth.occlusion_plans import add_occlusion
from airside_perception.synth.phases import PHASES
from airside_perception.synth.placement import rectangles_overlap
from airside_perception.synth.routes import drive
from airside_perception.synth.scenario import build_scene
from airside_perception.synth.scene_builder import SceneBuilder
from airside_perception.synth.sight import SightLines

SECONDS = 8.0
TIMES = np.linspace(0, SECONDS, 65)
LAYOUTS = (*PHASES, "scatter")


@pytest.fixture(scope="module")
def scenes(small_rig):
    """One scene of every layout."""
    return {name: build_scene(21, "test", small_rig, SECONDS, layout=name) for name in LAYOUTS}


def footprints(thing):
    """(T, 5) x, y, length, width, yaw of the box."""
    return np.array([thing.box(t)[[0, 1, 3, 4, 6]] for t in TIMES])


def moving(scene, *classes):
    return [o for o in scene.objects if o.trajectory.moves and o.asset.class_name in classes]


def hitched(a, b):
    return {a.asset.subtype, b.asset.subtype} <= {"towbar", "pushback_tractor"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_moves_through_anything(scenes, layout):
    things = [o for o in scenes[layout].objects if o.asset.class_name in ("gse", "person")]
    taken = np.stack([footprints(o) for o in things])
    for index, thing in enumerate(things[:-1]):
        meets = rectangles_overlap(taken[index][None], taken[index + 1 :]).any(axis=1)
        others = [things[index + 1 + k] for k in np.flatnonzero(meets)]
        assert not [o.object_id for o in others if not hitched(thing, o)], thing.object_id


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_drives_through_the_own_vehicle(scenes, layout):
    scene = scenes[layout]
    for time in TIMES[::4]:
        base_from_odom = np.linalg.inv(scene.odom_from_base(time))
        for thing in scene.objects:
            to_base = base_from_odom @ thing.pose(time)
            points = thing.asset_at(time).mesh.vertices @ to_base[:3, :3].T + to_base[:3, 3]
            inside = np.abs(points - [EGO_AHEAD, 0, 1.2]) < [EGO_LENGTH / 2, EGO_WIDTH / 2, 1.2]
            assert not inside.all(axis=1).any(), (layout, thing.object_id, time)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_vehicles_and_people_head_where_they_go(scenes, layout):
    for thing in moving(scenes[layout], "gse", "person", "aircraft"):
        poses = thing.trajectory.sample(TIMES)
        steps = np.diff(poses[:, :2], axis=0)
        reach = np.linalg.norm(steps, axis=1)
        assert reach.max() < 9.5 * (TIMES[1] - TIMES[0]), thing.object_id  # 34 km/h: no jumps
        sideways = np.abs(steps[:, 1] * np.cos(poses[:-1, 2]) - steps[:, 0] * np.sin(poses[:-1, 2]))
        # Long aircraft turn about their gear, not about the middle of the box.
        assert np.quantile(sideways / np.maximum(reach, 0.05), 0.9) < 0.25, thing.object_id


@pytest.mark.parametrize("layout", LAYOUTS)
def test_vehicles_accelerate_like_vehicles(scenes, layout):
    window = 0.5
    for thing in moving(scenes[layout], "gse", "aircraft"):
        poses = thing.trajectory.sample(np.arange(0, SECONDS + 1e-9, window))
        steps = np.diff(poses[:, :2], axis=0) / window
        speed = steps[:, 0] * np.cos(poses[:-1, 2]) + steps[:, 1] * np.sin(poses[:-1, 2])
        assert np.abs(np.diff(speed)).max() < 1.5 * window, thing.object_id


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nobody_walks_through_the_legs_of_aircraft(scenes, layout):
    scene = scenes[layout]
    aircraft = [o for o in scene.objects if o.asset.class_name == "aircraft"]
    for person in moving(scene, "person"):
        for time in TIMES[::5]:
            x, y, _ = person.trajectory.at(time)
            for plane in aircraft:
                to_plane = np.linalg.inv(plane.pose(time))
                feet = to_plane @ np.array([x, y, 0.0, 1.0])
                points = plane.asset.mesh.vertices
                low = points[points[:, 2] < points[:, 2].min() + 0.6]  # wheels
                assert np.linalg.norm(low[:, :2] - feet[:2], axis=1).min() > 0.25, (layout, person.object_id, time)


def test_an_arriving_aircraft_stops_before_its_marshaller(scenes):
    scene = scenes["arrival"]
    (plane,) = moving(scene, "aircraft")
    speeds = [np.linalg.norm(plane.trajectory.velocity(t)) for t in TIMES]
    assert max(speeds) < 2.8  # 10 km/h
    marshallers = [o for o in scene.objects if o.asset.subtype == "person_marshalling"]
    to_plane = np.linalg.inv(plane.pose(SECONDS + 1.0))
    ahead = [to_plane @ [*o.trajectory.at(0)[:2], 0, 1] for o in marshallers]
    assert any(plane.asset.size[0] / 2 + 4 < p[0] < plane.asset.size[0] / 2 + 25 and abs(p[1]) < 3 for p in ahead)


def test_a_pushback_keeps_tractor_and_nose_gear_together(scenes):
    scene = scenes["pushback"]
    (plane,) = moving(scene, "aircraft")
    (tractor,) = [o for o in moving(scene, "gse") if o.asset.subtype == "pushback_tractor"][:1]
    gear = np.append(plane.asset.anchors["nose_gear"], 1.0)
    gaps = [np.linalg.norm((plane.pose(t) @ gear)[:2] - tractor.trajectory.at(t)[:2]) for t in TIMES]
    assert np.ptp(gaps) < 0.1
    backwards = plane.trajectory.velocity(SECONDS) @ [np.cos(plane.box(SECONDS)[6]), np.sin(plane.box(SECONDS)[6])]
    assert -2.3 < backwards < -0.5  # 3 to 8 km/h


def test_trains_bend_in_a_bend():
    builder = SceneBuilder(3, "test", SECONDS)
    leader = drive((0.0, 0.0, 0.0), 4.0, np.array([0.0, 0.3, 0.0]), SECONDS)
    assert builder.baggage_train(leader, 5)
    dollies = [o.trajectory for o in builder.objects[1:]]
    assert len(dollies) == 5
    yaws = np.array([path.at(0.6 * SECONDS)[2] for path in (leader, *dollies)])
    assert np.all(np.diff(yaws) < 0.01)
    assert yaws[0] - yaws[-1] > 0.3
    for path in dollies:  # on the tractor's track
        last = path.at(0.9 * SECONDS)[:2]
        assert np.linalg.norm(leader.positions - last, axis=1).min() < 0.15


def test_people_change_what_they_do_and_stay_themselves(scenes):
    found = 0
    for scene in scenes.values():
        for person in scene.objects:
            if not person.changes:
                continue
            found += 1
            times = [start + 0.01 for start, _ in person.changes if 0 < start < SECONDS] or [0.0]
            for time in times:
                mesh = person.mesh(time)
                np.testing.assert_array_equal(mesh.faces, person.asset.mesh.faces)
                lowest = mesh.vertices[:, 2].min() + person.pose(time)[2, 3]
                assert abs(lowest) < 0.06
                assert person.box(time)[5] == pytest.approx(person.asset_at(time).size[2])
    assert found > 10


def test_occlusions_last_as_long_as_they_should(scenes):
    hidden = [e for name in ("docking", "loading", "scatter") for e in scenes[name].episodes if e.kind == "occlusion"]
    assert hidden
    assert all(0.99 <= e.end_s - e.start_s <= 20.0 for e in hidden)


def test_an_occlusion_is_found_where_one_was_planned(small_rig):
    ego = drive((0.0, 0.0, 0.0), 1.0, np.zeros(1), SECONDS)
    builder = SceneBuilder(5, "test", SECONDS)
    builder.reserve_ego(ego)
    for x, y in ((6.0, 14.0), (-8.0, -16.0)):
        assert builder.stand_at(builder.asset("bus"), x, y, 0.0)
    assert add_occlusion(builder, ego, small_rig)
    planned = builder.objects[-1]
    sight = SightLines(builder.objects, ego, small_rig).look([planned], TIMES)
    assert occlusions(planned, 0, sight, TIMES, builder.objects)
