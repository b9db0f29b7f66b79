"""Overlays, maps and voxel pictures: the right colours at the right places."""

import colorsys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from explain_scenes import DISTORTIONS, camera, estimate, grid, scene, track

from airside_perception.classes import AIRCRAFT, CLASS_COLORS, GSE
from airside_perception.config import ExplainConfig
from airside_perception.explain import draw_birds_eye, draw_overlay, draw_voxels, explain_tracks
from airside_perception.explain.birds_eye import EGO
from airside_perception.explain.overlay import track_label
from airside_perception.explain.track_render import render_tracks

BOX = [10.0, 1.5, 1.5, 3.0, 2.0, 2.0, 0.3]
PLAIN = ExplainConfig(overlay_width=320, residual_strip=False)


def hue(rgb) -> float:
    """Hue in degrees."""
    return 360 * colorsys.rgb_to_hsv(*(float(c) / 255 for c in rgb))[0]


def saturated(picture) -> np.ndarray:
    """(H, W) bool, where the picture is not grey."""
    return picture.max(axis=-1).astype(int) - picture.min(axis=-1) > 60


def near(picture, color, limit=40) -> np.ndarray:
    """(H, W) bool, where the picture is about of that colour."""
    return np.abs(picture.astype(int) - np.array(color)).max(axis=-1) < limit


@pytest.mark.parametrize("model", DISTORTIONS)
def test_outline_lies_on_the_silhouette_and_the_rest_of_the_image_is_untouched(prior, model):
    shown = scene((track("gse-1", BOX),), (camera(model=model),))
    picture = draw_overlay(shown, "front", prior, PLAIN)
    assert picture.shape == (200, 320, 3)
    mask = (render_tracks(shown, "front", prior).track == 0).astype(np.uint8)
    ring = mask.astype(bool) & ~cv2.erode(mask, np.ones((3, 3), np.uint8)).astype(bool)
    yellow = np.array([35 < hue(c) < 60 for c in picture[ring]]) & saturated(picture)[ring]
    assert yellow.mean() > 0.9
    assert (picture[150:, 200:] == 100).all(), "no ink where no object is"


def test_size_depends_on_camera_and_options_alone(prior):
    busy = scene(tuple(track(f"gse-{k}", [8.0, 3.0 * k - 6, 1, 2, 2, 2, 0]) for k in range(5)))
    for options in (ExplainConfig(), ExplainConfig(overlay_width=480), PLAIN):
        with_tracks, without = (draw_overlay(s, "front", prior, options) for s in (busy, scene()))
        assert with_tracks.shape == without.shape
        assert with_tracks.shape[1] == options.overlay_width


def test_strip_shows_largest_objects_with_their_losses(prior):
    tracks = (track("gse-1", BOX, estimate_index=0),)
    explained = scene(tracks, estimates=(estimate(),), explanations=explain_tracks(tracks, [estimate()], {}))
    options = ExplainConfig(overlay_width=320)
    strip = draw_overlay(explained, "front", prior, options)[200:]
    empty = draw_overlay(scene(), "front", prior, options)[200:]
    assert (strip != empty).any(axis=-1)[:, :105].mean() > 0.3
    assert (strip != empty).any(axis=-1)[:50, 110:].mean() == 0.0


def test_strip_marks_where_network_and_render_disagree(prior):
    probabilities = np.zeros((7, 50, 80), np.float32)
    probabilities[GSE, :, :20] = 1.0
    tracks = (track("gse-1", [10.0, 4.5, 1.5, 3.0, 2.0, 2.0, 0.0]),)
    seen = scene(tracks, image_semantics={"front": probabilities})
    options = ExplainConfig(overlay_width=320)
    strip = draw_overlay(seen, "front", prior, options)[200:]
    left_column = strip[:60, 72:106]
    hues = [hue(c) for c in left_column[left_column.max(axis=-1) > left_column.min(axis=-1).astype(int) + 60]]
    assert any(200 < h < 240 for h in hues), "seen by the network, not rendered: blue"


def test_tracks_without_codes_are_boxes(prior):
    picture = draw_overlay(scene((track("gse-1", BOX, coded=False),)), "front", prior, PLAIN)
    assert near(picture, CLASS_COLORS["gse"], 90).sum() > 60
    assert (draw_overlay(scene((track("gse-1", BOX, coded=False),)), "front", None, PLAIN) == picture).all()


def test_label_gives_class_id_and_the_speed_of_what_moves():
    assert track_label(track("gse-7", BOX, velocity=np.array([3.0, 4.0]))) == "gse-7 · 5.0 m/s"
    assert track_label(track("gse-7", BOX, velocity=np.array([0.1, 0.0]))) == "gse-7"
    assert track_label(track("7", BOX)) == "gse 7"


def test_map_has_forward_up_and_left_left():
    occupancy = grid()
    occupancy.class_id[32, 35, 1] = AIRCRAFT  # x = 12.5, y = 15.5
    picture = draw_birds_eye(scene(occupancy=occupancy), size=400)[30:430]
    blue = np.array([200 < hue(c) < 240 for c in picture.reshape(-1, 3)]).reshape(400, 400)
    rows, columns = np.nonzero(blue & saturated(picture))
    assert [rows.mean(), columns.mean()] == pytest.approx([75, 45], abs=2)
    assert near(picture, EGO)[190:205, 195:205].any()


def test_map_tells_seen_now_seen_before_and_never_seen():
    occupancy = grid()
    occupancy.visibility[:, :13] = 1
    occupancy.visibility[:, 27:] = 0
    picture = draw_birds_eye(scene(occupancy=occupancy), size=400)[30:430].astype(float)
    never, now, before = (picture[250:390, a:b].mean() for a, b in ((20, 110), (150, 250), (290, 380)))
    assert never < before - 5 < now - 15
    assert picture[250:390, 20:110].std() > picture[340:390, 290:380].std(), "never seen is hatched"


def test_map_draws_tracks_truth_and_velocity():
    moving = track("gse-1", [8.0, 0, 1, 4, 2, 2, 0], velocity=np.array([4.0, 0.0]))
    truth = {
        "objects": [
            {"translation": [0.0, 12.0, 1.0], "size": [4, 2, 2], "rotation": [1, 0, 0, 0], "visibility": 1.0},
            {"translation": [0.0, -12.0, 1.0], "size": [4, 2, 2], "rotation": [1, 0, 0, 0], "visibility": 0.0},
        ]
    }
    picture = draw_birds_eye(scene((moving,), occupancy=grid()), truth, size=400)[30:430]
    white = near(picture, (255, 255, 255), 60)
    assert white[170:230, 60:100].sum() > 15, "truth that is visible"
    assert white[170:230, 300:340].sum() == 0, "truth that no camera sees"
    assert white[40:80, 195:206].sum() > 5, "arrow to where it will be in two seconds"
    yellow = np.array([35 < hue(c) < 60 for c in picture[90:150, 180:220].reshape(-1, 3)])
    assert yellow.mean() > 0.15


def test_measured_tracks_lie_over_dim_and_nameless_predicted_ones():
    box = [8.0, 0, 1, 4, 2, 2, 0]
    measured, predicted = track("gse-1", box), track("gse-2", box, state="coasting")
    alone = draw_birds_eye(scene((measured,), occupancy=grid()), size=400)[30:430]
    both = [
        draw_birds_eye(scene(pair, occupancy=grid()), size=400)[30:430]
        for pair in ((measured, predicted), (predicted, measured))
    ]
    np.testing.assert_array_equal(both[0], both[1])
    assert (both[0] != alone).any(axis=2).mean() < 0.002, "only through the transparent fill"
    dim = draw_birds_eye(scene((predicted,), occupancy=grid()), size=400)[30:430]
    empty = draw_birds_eye(scene((), occupancy=grid()), size=400)[30:430]
    changed = {name: picture.astype(int) - empty for name, picture in (("dim", dim), ("bright", alone))}
    assert 0 < np.abs(changed["dim"]).sum() < 0.3 * np.abs(changed["bright"]).sum()


def test_voxels_have_the_colour_of_their_class_and_darken_unseen():
    occupancy = grid()
    occupancy.class_id[30:33, 18:22, 1:3] = GSE
    bright = draw_voxels(scene(occupancy=occupancy), 320, 200)
    assert bright.shape == (200, 320, 3)
    yellow = np.array([35 < hue(c) < 55 and max(c) > 120 for c in bright.reshape(-1, 3)])
    assert 60 < yellow.sum() < 5000
    hidden = replace(occupancy, visibility=np.zeros_like(occupancy.visibility))
    assert draw_voxels(scene(occupancy=hidden), 320, 200).mean() < bright.mean()


def test_scenes_without_occupancy_can_be_drawn():
    assert draw_voxels(scene((track("gse-1", BOX),)), 160, 100).shape == (100, 160, 3)
    assert draw_birds_eye(scene((track("gse-1", BOX),)), size=200).shape[1] == 200
