from dataclasses import replace

import numpy as np
import pytest
from vote_scenes import GRID, camera_at, frame_of, said, with_ranges

from airside_perception.geometry import pose_from_xyz_yaw
from airside_perception.geometry.se3 import invert_transform, wrap_angle
from airside_perception.records import NetworkOutput
from airside_perception.refine.cell_votes import votes_of_frame
from airside_perception.refine.image_votes import gather_votes


@pytest.mark.parametrize("yaw", [0.0, 0.4])
def test_votes_lead_back_to_the_object_wherever_the_vehicle_stands(yaw):
    pose = pose_from_xyz_yaw(100.0, -50.0, 0.0, 2.2)
    camera = camera_at(yaw)
    middle = pose @ [12.0, 5.0, 1.0, 1.0]
    truth = np.array([[*middle[:3], 5.0, 2.0, 2.2, 0.7]])
    block = [(r, c) for r in range(20, 26) for c in range(10, 30, 3)]
    network = said(camera, pose, truth, block)
    guess = truth + [[0.8, -0.6, 0, 0, 0, 0, 2.0]]
    votes = gather_votes(votes_of_frame(frame_of(camera, pose), network), pose, guess, ["gse"])
    assert votes.count[0] == pytest.approx(len(block))
    assert votes.center[0] == pytest.approx(truth[0, :2], abs=1e-3)
    assert np.exp(votes.log_size[0]) == pytest.approx([5.0, 2.0, 2.2], rel=1e-5)
    assert wrap_angle(np.arctan2(votes.heading[0, 1], votes.heading[0, 0]) - 0.7) == pytest.approx(0.0, abs=1e-4)
    assert np.arctan2(votes.axis[0, 1], votes.axis[0, 0]) == pytest.approx(1.4, abs=1e-4)
    assert np.hypot(*votes.heading[0]) == pytest.approx(1.0, abs=1e-4)
    # The network can say so of the camera's own frame as well: nothing here depends on odom.
    assert invert_transform(pose) @ [*votes.center[0], 0.0, 1.0] == pytest.approx([12, 5, 0, 1], abs=1e-2)


def test_neighbours_get_their_own_votes_and_strangers_none():
    camera, pose = camera_at(), np.eye(4)
    truth = np.array([[12.0, 3.0, 1, 4, 2, 2, 0.3], [12.0, -3.0, 1, 6, 2, 2, -1.0]])
    block = [(r, c) for r in range(20, 24) for c in range(20, 60)]
    network = said(camera, pose, truth, block)
    guess = np.concatenate([truth + 0.3, [[30.0, 0, 1, 4, 2, 2, 0]], truth[:1]])
    votes = gather_votes(votes_of_frame(frame_of(camera, pose), network), pose, guess, ["gse", "gse", "gse", "person"])
    assert votes.count.tolist() == [80.0, 80.0, 0.0, 0.0]
    assert votes.center[0] == pytest.approx(truth[0, :2], abs=1e-3)
    assert votes.center[1] == pytest.approx(truth[1, :2], abs=1e-3)
    assert np.isfinite(votes.center).all()


def test_votes_of_a_neighbour_that_nobody_detected_hardly_count():
    camera, pose = camera_at(), np.eye(4)
    train = np.array([[22.0, 0.0, 1, 3.3, 1.6, 1.5, 0.0], [26.2, 0.0, 1, 3.3, 1.6, 1.5, 0.0]])
    network = said(camera, pose, train, [(20, c) for c in range(20, 40)])
    votes = gather_votes(votes_of_frame(frame_of(camera, pose), network), pose, train[:1] + 0.3, ["gse"])
    assert votes.center[0, 0] == pytest.approx(22.0, abs=0.5), "a plain mean would be 24.1"


def test_networks_that_do_not_speak_of_objects_have_no_votes():
    camera, pose = camera_at(), np.eye(4)
    truth = np.array([[12.0, 3.0, 1, 4, 2, 2, 0.3]])
    network = said(camera, pose, truth, [(20, 20)])
    silent = NetworkOutput(GRID, network.class_id, network.probability, (), network.image_semantics)
    assert gather_votes(votes_of_frame(frame_of(camera, pose), silent), pose, truth, ["gse"]).count.tolist() == [0.0]


def test_cells_that_answer_nan_or_absurd_sizes_do_not_spoil_the_others():
    camera, pose = camera_at(), np.eye(4)
    truth = np.array([[12.0, 3.0, 1, 4, 2, 2, 0.3]])
    network = said(camera, pose, truth, [(20, c) for c in range(20, 30)])
    network.image_objects["front"][6, 20, 20] = np.nan
    network.image_objects["front"][4, 20, 21] = np.nan
    network.image_objects["front"][7, 20, 22] = 500.0
    votes = gather_votes(votes_of_frame(frame_of(camera, pose), network), pose, truth, ["gse"])
    assert votes.count.tolist() == [8.0]
    assert votes.center[0] == pytest.approx(truth[0, :2], abs=1e-3)
    assert np.exp(votes.log_size[0]).max() < 100.0


def test_cells_that_know_their_range_better_count_for_more():
    camera, pose = camera_at(x=0.0), np.eye(4)
    truth = np.array([[15.0, 0.2, 1, 4, 2, 2, 0.3]])
    network = said(camera, pose, truth, [(20, c) for c in range(35, 45)])
    # One cell in ten is sure of 15 m, the others guess 18 m.
    sure = np.arange(80) == 40
    network = with_ranges(network, camera, np.where(sure, 15.0, 18.0), np.where(sure, -3.7, -0.7))
    votes = gather_votes(votes_of_frame(frame_of(camera, pose), network), pose, truth, ["gse"])
    assert votes.center[0, 0] == pytest.approx(15.0, abs=0.2)
    assert 0.3 < votes.range_std[0] < 1.5, "between that of the sure one and those of the rest"


def test_votes_that_tell_their_error_are_not_drawn_to_the_detection():
    camera, pose = camera_at(x=0.0), np.eye(4)
    truth = np.array([[20.0, 0.2, 1, 4, 2, 2, 0.3]])
    network = said(camera, pose, truth, [(20, c) for c in range(30, 50)])
    # Ranges that err on both sides of the truth, and a detection that is too near.
    network = with_ranges(network, camera, 20.0 + 3.0 * np.where(np.arange(80) % 2, 1.0, -1.0), -1.9)
    guess = truth - [[2.0, 0, 0, 0, 0, 0, 0]]
    votes = gather_votes(votes_of_frame(frame_of(camera, pose), network), pose, guess, ["gse"])
    silent = replace(network, image_ranges={})
    silent.image_objects["front"][4] = np.log(20.0 + 3.0 * np.where(np.arange(80) % 2, 1.0, -1.0))
    drawn = gather_votes(votes_of_frame(frame_of(camera, pose), silent), pose, guess, ["gse"])
    assert abs(votes.center[0, 0] - 20.0) < 0.6 * abs(drawn.center[0, 0] - 20.0)
    assert votes.range_std[0] == pytest.approx(20 * np.exp(-1.9), rel=0.2)
    assert np.isnan(drawn.range_std[0])


def test_ranges_that_are_not_numbers_count_for_nothing():
    camera, pose = camera_at(x=0.0), np.eye(4)
    truth = np.array([[15.0, 0.2, 1, 4, 2, 2, 0.3]])
    network = said(camera, pose, truth, [(20, c) for c in range(35, 45)])
    distances = np.full(80, 15.0)
    network = with_ranges(network, camera, distances, -3.0)
    network.image_ranges["front"][:, 20, 36:40] = np.nan
    votes = gather_votes(votes_of_frame(frame_of(camera, pose), network), pose, truth, ["gse"])
    assert votes.center[0, 0] == pytest.approx(15.0, abs=0.2)
    assert np.isfinite(votes.range_std).all()
