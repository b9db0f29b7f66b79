"""Rendered tracks: where the camera says, nearest in front, as bright as the image, decoded when needed."""

import numpy as np
import pytest
from explain_scenes import DISTORTIONS, SHAPE_SIZE, blob_prior, camera, scene, track

from airside_perception.explain.track_render import match_brightness, meshes_of, render_tracks
from airside_perception.geometry import pose_from_xyz_yaw

BOX = [10.0, 1.5, 1.5, 3.0, 2.0, 2.0, 0.3]


@pytest.mark.parametrize("model", DISTORTIONS)
def test_a_track_appears_where_its_camera_projects_it(prior, model):
    view = camera(model=model)
    render = render_tracks(scene((track("gse-1", BOX),), (view,)), "front", prior)
    rows, columns = np.nonzero(render.track == 0)
    pixels, depth, inside = view.project_base(np.array(BOX[:3]))
    assert inside
    assert [columns.mean(), rows.mean()] == pytest.approx(pixels.tolist(), abs=1.5)
    # The blob's nearest point is half a blob nearer than its centre.
    assert render.depth[render.track == 0].min() == pytest.approx(float(depth) - 1.1, abs=0.25)


def test_the_vehicle_s_pose_is_taken_off(prior):
    pose = pose_from_xyz_yaw(100.0, -50.0, 0.0, 2.0)
    here = render_tracks(scene((track("gse-1", BOX),)), "front", prior)
    moved = pose @ pose_from_xyz_yaw(*BOX[:3], BOX[6])
    elsewhere = [*moved[:3, 3], *BOX[3:6], BOX[6] + 2.0]
    there = render_tracks(scene((track("gse-1", elsewhere),), odom_from_base=pose), "front", prior)
    assert np.mean(here.track != there.track) < 1e-3


def test_the_nearer_track_hides_the_farther_one(prior):
    tracks = (track("gse-1", [20.0, 0, 1.5, 4, 12, 3, 0]), track("gse-2", [8.0, 0, 1.5, 2, 2, 2, 0]))
    render = render_tracks(scene(tracks), "front", prior)
    center = render.track[100, 160]
    assert center == 1
    assert render.depth[100, 160] < 8.0
    assert (render.track == 0).any(), "the farther one is larger and shows around it"


def test_width_changes_pixels_and_not_the_view(prior):
    full = render_tracks(scene((track("gse-1", BOX),)), "front", prior)
    half = render_tracks(scene((track("gse-1", BOX),)), "front", prior, width=160)
    assert half.track.shape == (100, 160)
    assert (half.track == 0).mean() == pytest.approx((full.track == 0).mean(), rel=0.08)


def test_tracks_behind_without_codes_or_of_unknown_class_are_not_drawn(prior):
    tracks = (
        track("gse-1", [-10.0, 0, 1.5, 3, 2, 2, 0]),
        track("gse-2", BOX, coded=False),
        track("aircraft-3", BOX, "aircraft"),
        track("gse-4", [np.nan, 0, 1.5, 3, 2, 2, 0]),
    )
    assert (render_tracks(scene(tracks), "front", prior).track == -1).all()
    assert (render_tracks(scene(tracks), "front", None).track == -1).all()


def test_brightness_follows_the_image_by_one_factor():
    image = np.full((4, 4, 3), 51, np.uint8)
    item = np.full((4, 4), -1)
    item[:2] = 0
    color = np.zeros((4, 4, 3), np.float32)
    color[:2] = 0.4
    matched = match_brightness(image, color, item, 1)
    np.testing.assert_allclose(matched[:2], 0.2, atol=1e-6)
    assert (matched[2:] == 0).all()


def test_brightness_does_not_blow_up_black_renders():
    image, item = np.full((2, 2, 3), 255, np.uint8), np.zeros((2, 2), int)
    matched = match_brightness(image, np.full((2, 2, 3), 0.01, np.float32), item, 1)
    np.testing.assert_allclose(matched, 0.04, atol=1e-6)


def test_meshes_are_decoded_again_only_when_codes_moved(monkeypatch):
    own = blob_prior()
    decoded = []
    original = own.decode
    monkeypatch.setattr(own, "decode", lambda *args: decoded.append(args[0]) or original(*args))
    for shift in (0.0, 0.05, 0.14, 0.2):
        meshes_of(own).item(track("gse-1", BOX, shape_code=np.full(SHAPE_SIZE, shift, np.float32)))
    assert len(decoded) == 2, "0.2 is the first one visibly off 0.0"


def test_an_unknown_camera_is_named(prior):
    with pytest.raises(ValueError, match=r"front.*got 'rear'"):
        render_tracks(scene(), "rear", prior)
