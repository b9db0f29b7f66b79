"""TAP-Vid's figures against a brute-force twin and cases worked by hand; surfaces that move as their tracks do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from replay_scenes import FRAMES, plain_config, position, small_rig, stamps, write_detections, write_sequence

from airside_perception.errors import AirsideError
from airside_perception.evaluation.point_tracking import (
    SIDE,
    THRESHOLDS,
    PointVideo,
    no_motion,
    summarize_points,
    video_figures,
)
from airside_perception.evaluation.point_truth import read_point_truth
from airside_perception.evaluation.replay import run_evaluation
from airside_perception.geometry.se3 import pose_from_xyz_yaw, transform_points


def random_video(seed, points=5, frames=6):
    rng = np.random.default_rng(seed)
    visible = rng.random((points, frames)) < 0.6
    visible[np.arange(points), rng.integers(frames, size=points)] = True
    query = np.argmax(visible, axis=1)
    scored = (np.arange(frames) > query[:, None]) & (rng.random((points, frames)) < 0.9)
    pixels = rng.uniform(0, SIDE, (points, frames, 2))
    video = PointVideo(query, pixels, visible, scored, rng.random(points) < 0.5)
    return video, pixels + rng.normal(0, 6, pixels.shape), rng.random((points, frames)) < 0.6


def by_hand(video, pixels, visible):
    """The same figures, one point and frame after the other."""
    jaccards, deltas, right, scored = [], [], 0, 0
    for threshold in THRESHOLDS:
        hits = claims_missed = truly = near = 0
        for p, row in enumerate(video.scored):
            for t, counted in enumerate(row):
                if not counted:
                    continue
                within = np.hypot(*(pixels[p, t] - video.pixels[p, t])) < threshold
                truly += video.visible[p, t]
                near += video.visible[p, t] and within
                if visible[p, t] and video.visible[p, t] and within:
                    hits += 1
                elif visible[p, t]:
                    claims_missed += 1
        jaccards.append(hits / (truly + claims_missed) if truly + claims_missed else None)
        deltas.append(near / truly if truly else None)
    for p, row in enumerate(video.scored):
        for t, counted in enumerate(row):
            if counted:
                scored += 1
                right += video.visible[p, t] == visible[p, t]
    return jaccards, deltas, right / scored if scored else None


@given(st.integers(0, 10_000))
def test_figures_are_those_of_the_slow_twin(seed):
    video, pixels, visible = random_video(seed)
    jaccards, deltas, accuracy = by_hand(video, pixels, visible)
    figures = video_figures(video, pixels, visible)
    assert list(figures["jaccard"].values()) == jaccards
    assert list(figures["delta"].values()) == deltas
    assert figures["occlusion_accuracy"] == accuracy
    known = [value for value in jaccards if value is not None]
    assert figures["average_jaccard"] == (pytest.approx(sum(known) / len(known)) if known else None)


def test_the_truth_scores_one_and_a_point_that_drifts_falls_through_the_thresholds():
    video, _, _ = random_video(3)
    figures = video_figures(video, video.pixels, video.visible)
    assert [figures[name] for name in ("average_jaccard", "delta_avg", "occlusion_accuracy")] == [1.0, 1.0, 1.0]
    off = video_figures(video, video.pixels + [3.0, 0.0], video.visible)
    assert list(off["delta"].values()) == [0.0, 0.0, 1.0, 1.0, 1.0]
    # A miss at a threshold is a lost positive and a false alarm at once.
    assert off["average_jaccard"] == pytest.approx(0.6)
    assert off["occlusion_accuracy"] == 1.0


def test_a_point_said_to_show_while_it_is_hidden_costs_the_jaccard_alone():
    pixels = np.full((1, 5, 2), 100.0)
    visible = np.array([[True, True, False, False, True]])
    video = PointVideo(np.array([0]), pixels, visible, np.arange(5)[None] > 0, np.array([True]))
    figures = video_figures(video, *no_motion(video))
    assert figures["average_jaccard"] == pytest.approx(2 / 4)
    assert figures["delta_avg"] == 1.0
    assert figures["occlusion_accuracy"] == 0.5


def test_videos_weigh_alike_and_nothing_gives_nothing():
    one, two = random_video(1, points=4), random_video(2, points=9)
    summary = summarize_points([one, two])
    mean = (video_figures(*one)["delta_avg"] + video_figures(*two)["delta_avg"]) / 2
    assert summary["delta_avg"] == pytest.approx(mean)
    assert (summary["videos"], summary["points"]) == (2, 13)
    assert summarize_points([]) is None


FRONT = small_rig().cameras["front"]
TILES = np.array([[-0.2, y, z] for y in (-0.6, -0.2, 0.2, 0.6) for z in (-0.4, 0.4)])
"""Places on the tractor's side that faces the camera, in multiples of half a metre from its centre."""


def tractor_points():
    """(8, FRAMES, 3) places in odom of points on the near side of replay_scenes' tractor."""
    surface = np.stack([TILES[:, 1] * 2.0, np.full(len(TILES), 0.75), TILES[:, 2]], axis=1)
    # The tractor looks along -y: its left side is at larger x, its right side faces the vehicle.
    surface[:, 1] *= -1
    poses = [pose_from_xyz_yaw(*position(k), -np.pi / 2) for k in range(FRAMES)]
    return np.stack([transform_points(pose, surface) for pose in poses], axis=1)


def write_points(folder, odom, state=None):
    pixels, depth, inside = FRONT.project_base(odom)
    shown = np.where(inside & (depth > 0), 3, 1).astype(np.uint8)
    np.savez(
        folder / "point_tracks.npz", cameras=np.array(["front"]), image_size=np.array([[96, 64]]),
        pixels=pixels[None].astype(np.float32), state=(shown if state is None else state)[None],
        class_name=np.array(["gse"] * len(odom)), stamp_ns=np.array(stamps()),
    )  # fmt: skip


@pytest.fixture
def evaluated(tmp_path):
    """Run the tracker over the recording with the given point tracks beside it."""

    def run(odom=None, state=None):
        sequence, detections = write_sequence(tmp_path / "apron"), write_detections(tmp_path / "detections.json")
        if odom is not None:
            write_points(sequence / "ground_truth", odom, state)
        out = tmp_path / "out"
        summary = run_evaluation([sequence], out, plain_config(), detections=detections, progress=False, overlays=0)
        return summary["point_tracking"], (out / "report" / "index.html").read_text()

    return run


def test_points_on_a_track_move_with_its_box(evaluated):
    odom = tractor_points()
    assert odom[:, 0, 0].max() < 7.5, "the points are not on the near side"
    # Queried once the track is confirmed.
    state = np.full(odom.shape[:2], 3, np.uint8)
    state[:, :6] = 1
    points, report = evaluated(odom, state)
    assert points["points"] == 8
    assert points["videos"] == 1
    assert points["objects"]["delta_avg"] == points["delta_avg"] > 0.7
    assert points["occlusion_accuracy"] == 1.0
    # The tractor moves by 0.1 m in every frame: 0.9 pixels of 96, 2.3 of 256; its track is a step behind at first.
    assert points["delta"]["8"] == 1.0
    assert points["no_motion"]["delta"]["2"] == 0.0
    assert points["average_jaccard"] > points["no_motion"]["average_jaccard"] + 0.2
    assert "Point tracks" in report
    assert "no motion, points on objects" in report


def test_a_track_takes_points_that_were_queried_before_its_birth(evaluated):
    """Until the track is confirmed its points are taken for ground, which lies behind them and stays."""
    points, _ = evaluated(tractor_points())
    assert points["no_motion"]["delta"]["8"] < 0.4
    assert points["delta"]["8"] > 0.8
    assert points["occlusion_accuracy"] > 0.9


def test_points_of_the_ground_stay_and_those_behind_the_track_are_hidden(evaluated):
    # Ground beside the tractor's way, and ground beyond it that it hides as it comes along.
    beside, beyond = [6.0, -2.0, 0.0], [10.5, -0.3, 0.0]
    odom = np.repeat(np.array([beside, beyond])[:, None], FRAMES, axis=1)
    state = np.full((2, FRAMES), 3, np.uint8)
    hidden_from = 7
    state[1, hidden_from:] = 2
    points, _ = evaluated(odom, state)
    assert points["delta"]["1"] == 1.0, "the vehicle stands, and so does the ground"
    assert points["no_motion"]["occlusion_accuracy"] < 0.8
    assert points["occlusion_accuracy"] > 0.9


def test_without_point_tracks_the_part_is_null(evaluated):
    points, report = evaluated()
    assert points is None
    assert "Point tracks" not in report


def test_broken_point_tracks_are_refused(tmp_path):
    assert read_point_truth(tmp_path / "point_tracks.npz") is None
    (tmp_path / "point_tracks.npz").write_bytes(b"no archive")
    with pytest.raises(AirsideError, match="expected the arrays cameras, image_size, pixels, state, class_name"):
        read_point_truth(tmp_path / "point_tracks.npz")
    write_points(tmp_path, tractor_points(), np.zeros((3, FRAMES), np.uint8))
    with pytest.raises(AirsideError, match="expected pixels"):
        read_point_truth(tmp_path / "point_tracks.npz")


def test_queries_are_where_points_first_show_and_lost_images_do_not_count(tmp_path):
    odom = tractor_points()
    state = np.full(odom.shape[:2], 2, np.uint8)
    state[1:, 3] = state[1:, 5] = 3
    state[:, 7] = 0
    write_points(tmp_path, odom, state)
    video = read_point_truth(tmp_path / "point_tracks.npz").videos["front"]
    assert len(video.query) == 7, "one point never shows"
    assert np.all(video.query == 3)
    np.testing.assert_array_equal(np.flatnonzero(video.scored[0]), [4, 5, 6, 8, 9, 10, 11])
    pixels, _, _ = FRONT.project_base(odom[1, 3])
    np.testing.assert_allclose(video.query_pixels()[0], (pixels + 0.5) * [SIDE / 96, SIDE / 64], atol=1e-3)
