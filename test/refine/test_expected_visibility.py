"""What the cameras should see of each track."""

from dataclasses import replace

import numpy as np
import pytest
from refine_scenes import AIRLINER, BUS, VAN, WALKER, Thing, look, small_rig, track
from vote_scenes import camera_at, frame_of, said, with_ranges

from airside_perception.geometry import pose_from_xyz_yaw
from airside_perception.prior import ObjectPrior
from airside_perception.refine import ShapeLibrary
from airside_perception.refine.cell_votes import votes_of_frame
from airside_perception.refine.expected_visibility import expected_visibility, track_vertices


@pytest.fixture(scope="module")
def frame():
    return look([], library=None)[0]


def parts(frame, tracks, library):
    return expected_visibility(frame, tracks, library).part


def test_alone_in_front_all_is_visible(frame, library):
    assert parts(frame, [track(Thing("gse", 12, 0, 0.3, VAN))], library) == {"1": 1.0}


def test_outside_all_images_nothing_is_visible(frame, library):
    beside = track(Thing("gse", 0, 40, 0.3, VAN))
    assert parts(frame, [beside], library) == {"1": 0.0}


def test_the_camera_behind_sees_what_is_behind(frame, library):
    tracks = [track(Thing("gse", -12, 0, 0, VAN), "behind"), track(Thing("gse", 12, 0, 0, VAN), "ahead")]
    assert parts(frame, tracks, library) == {"behind": 1.0, "ahead": 1.0}
    without_rear = replace(frame, images={"front": frame.images["front"]})
    assert parts(without_rear, tracks, library) == {"behind": 0.0, "ahead": 1.0}


def test_a_bus_hides_a_walker(frame, library):
    walker, bus = track(Thing("person", 16, 0, 0, WALKER), "walker"), track(Thing("gse", 9, 0, np.pi / 2, BUS), "bus")
    seen = expected_visibility(frame, [walker, bus], library)
    assert seen.part["walker"] < 0.05
    assert seen.part["bus"] == 1.0
    assert seen.hidden_by == {"walker": "bus"}


@pytest.mark.parametrize(
    ("away", "error", "hidden"), [(9.0, 0.1, True), (22.0, 0.1, False), (17.0, 0.1, False), (9.0, 0.8, False)]
)
def test_what_an_image_surely_shows_in_front_hides(library, away, error, hidden):
    """A van that nobody tracks hides a walker 20 m away, unless it may as well stand beside or behind."""
    camera, walker = camera_at(), track(Thing("person", 20, 0.2, 0, WALKER))
    middle = [(row, column) for row in range(48) for column in range(34, 46)]
    van = Thing("gse", away, 0.2, 0, VAN).box
    network = said(camera, np.eye(4), van[None], middle)
    # The range head says the distance between camera and centre, and the logarithm of its relative error.
    network = with_ranges(network, camera, np.full(80, away - 1.0), np.log(error))
    frame = frame_of(camera, np.eye(4))
    assert expected_visibility(frame, [walker], library).part["1"] == 1.0
    votes = votes_of_frame(frame, network)
    assert (expected_visibility(frame, [walker], library, votes).part["1"] < 0.1) == hidden
    bus = track(Thing("gse", 9, 0.2, np.pi / 2, BUS), "bus")
    seen = expected_visibility(frame, [walker, bus], library, votes)
    assert seen.hidden_by == {"1": "bus"}, "who hides it is a track, where there is one"


def test_without_told_errors_ranges_count_as_rough(library):
    camera, walker = camera_at(), track(Thing("person", 20, 0.2, 0, WALKER))
    middle = [(row, column) for row in range(48) for column in range(34, 46)]
    frame = frame_of(camera, np.eye(4))
    for away, hidden in ((12.0, True), (17.0, False)):
        network = said(camera, np.eye(4), Thing("gse", away, 0.2, 0, VAN).box[None], middle)
        votes = votes_of_frame(frame, network)
        assert (expected_visibility(frame, [walker], library, votes).part["1"] < 0.1) == hidden


def test_half_hidden(frame, library):
    behind, ahead = track(Thing("gse", 20, 0, np.pi / 2, BUS), "behind"), track(Thing("gse", 12, 0, 0, VAN), "ahead")
    assert 0.4 < parts(frame, [behind, ahead], library)["behind"] < 0.95


def test_one_s_own_vehicle_moves_along(frame, library):
    away = replace(frame, odom_from_base=pose_from_xyz_yaw(100.0, 50.0, 0.0, 1.0))
    here = track(Thing("gse", 100 + 12 * np.cos(1.0), 50 + 12 * np.sin(1.0), 1.3, VAN))
    assert parts(away, [here], library) == {"1": 1.0}


def test_tracks_that_cannot_be_rendered_are_left_out(frame, library, prior):
    broken = replace(track(Thing("gse", 12, 0, 0, VAN)), box=np.full(7, np.nan))
    assert parts(frame, [broken], library) == {}
    people = ShapeLibrary(ObjectPrior({"person": prior.classes["person"]}))
    assert parts(frame, [track(Thing("gse", 12, 0, 0, VAN))], people) == {}
    assert parts(frame, [], library) == {}
    assert parts(replace(frame, images={}), [track(Thing("gse", 12, 0, 0, VAN))], library) == {"1": 0.0}


def test_a_fisheye_sees_beside(library):
    rig = small_rig("equidistant", (0.0, 0.0, 0.0, 0.0))
    frame, _ = look([], None, rig)
    assert parts(frame, [track(Thing("gse", 12, 0, 0.3, VAN))], library)["1"] == 1.0


def test_track_meshes_stand_in_their_box(library):
    airliner = track(Thing("aircraft", 30, -10, 0.7, AIRLINER))
    vertices, faces = track_vertices(library, airliner)
    cosine, sine = np.cos(-0.7), np.sin(-0.7)
    local = (vertices - airliner.box[:3]) @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]).T
    np.testing.assert_allclose(local.max(axis=0), np.array(AIRLINER) / 2, atol=1e-3)
    assert faces.max() < len(vertices)


def test_a_code_bends_the_mesh(library):
    plain = track(Thing("gse", 12, 0, 0, VAN))
    shape = library.shape("gse", library.by_size("gse", np.array(VAN), 1)[0])
    coded = replace(plain, shape_code=shape.shape_code)
    bent = replace(plain, shape_code=shape.shape_code + 0.4 * shape.directions[0])
    np.testing.assert_allclose(track_vertices(library, coded)[0], track_vertices(library, plain)[0], atol=1e-6)
    moved = track_vertices(library, bent)[0] - track_vertices(library, coded)[0]
    expected = 0.4 * shape.shape_columns[..., 0] * np.array(VAN)
    assert (moved * expected).sum() > 0.85 * np.linalg.norm(moved) * np.linalg.norm(expected)
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(expected), rel=0.2)
