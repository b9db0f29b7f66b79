import numpy as np
import pytest

from airside_perception.classes import SEMANTIC_OF_CLASS
from airside_perception.geometry import pose_from_xyz_yaw
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform, wrap_angle
from airside_perception.records import CameraImage, GridSpec, NetworkOutput, RigFrame
from airside_perception.refine.cell_votes import LABEL_PLACE
from airside_perception.refine.image_votes import gather_votes

GRID = GridSpec((-40.0, -40.0, -1.2), (0.8, 0.8, 0.8), (100, 100, 16))


def camera_at(yaw=0.0, x=1.0):
    pose = np.eye(4)
    pose[:3, :3] = np.array([[np.sin(yaw), 0, np.cos(yaw)], [-np.cos(yaw), 0, np.sin(yaw)], [0, -1, 0]])
    pose[:3, 3] = [x, 0.2, 2.0]
    return Camera("front", 640, 400, np.array([[380.0, 0, 320], [0, 380, 200], [0, 0, 1]]), pose)


def said(camera, frame_pose, boxes, block, class_name="gse"):
    """Network answers in which the cells of `block` (rows, columns) each speak for one of the boxes, in turns."""
    maps = np.zeros((9, 48, 80), np.float32)
    semantics = np.zeros((7, 96, 160), np.float32)
    semantics[0] = 1.0
    base = boxes.copy()
    odom_from_camera = frame_pose @ camera.base_from_camera
    for turn, (row, column) in enumerate(block):
        box = base[turn % len(base)]
        pixel = (np.array([column, row]) + LABEL_PLACE) * [640 / 80, 400 / 48] - 0.5
        ray = odom_from_camera[:3, :3] @ camera.unproject(pixel)
        bearing = np.arctan2(ray[1], ray[0])
        offset = box[:2] - odom_from_camera[:2, 3]
        local = box[6] - bearing
        maps[:4, row, column] = [np.sin(local), np.cos(local), np.sin(2 * local), np.cos(2 * local)]
        maps[4, row, column] = np.log(np.hypot(*offset))
        maps[5, row, column] = offset[1] * np.cos(bearing) - offset[0] * np.sin(bearing)
        maps[6:, row, column] = np.log(box[3:6])
        semantics[:, 2 * row, 2 * column] = 0
        semantics[SEMANTIC_OF_CLASS[class_name], 2 * row, 2 * column] = 1.0
    return NetworkOutput(
        GRID,
        np.zeros((100, 100, 16), np.uint8),
        np.zeros((100, 100, 16), np.float32),
        (),
        {camera.name: semantics},
        {camera.name: maps},
    )


def frame_of(camera, pose):
    return RigFrame(0, {camera.name: CameraImage(camera, np.zeros((400, 640, 3), np.uint8), 0)}, (), pose)


@pytest.mark.parametrize("yaw", [0.0, 0.4])
def test_votes_lead_back_to_the_object_wherever_the_vehicle_stands(yaw):
    pose = pose_from_xyz_yaw(100.0, -50.0, 0.0, 2.2)
    camera = camera_at(yaw)
    middle = pose @ [12.0, 5.0, 1.0, 1.0]
    truth = np.array([[*middle[:3], 5.0, 2.0, 2.2, 0.7]])
    block = [(r, c) for r in range(20, 26) for c in range(10, 30, 3)]
    network = said(camera, pose, truth, block)
    guess = truth + [[0.8, -0.6, 0, 0, 0, 0, 2.0]]
    votes = gather_votes(frame_of(camera, pose), network, guess, ["gse"])
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
    votes = gather_votes(frame_of(camera, pose), network, guess, ["gse", "gse", "gse", "person"])
    assert votes.count.tolist() == [80.0, 80.0, 0.0, 0.0]
    assert votes.center[0] == pytest.approx(truth[0, :2], abs=1e-3)
    assert votes.center[1] == pytest.approx(truth[1, :2], abs=1e-3)
    assert np.isfinite(votes.center).all()


def test_networks_that_do_not_speak_of_objects_have_no_votes():
    camera, pose = camera_at(), np.eye(4)
    truth = np.array([[12.0, 3.0, 1, 4, 2, 2, 0.3]])
    network = said(camera, pose, truth, [(20, 20)])
    silent = NetworkOutput(GRID, network.class_id, network.probability, (), network.image_semantics)
    assert gather_votes(frame_of(camera, pose), silent, truth, ["gse"]).count.tolist() == [0.0]


def test_cells_that_answer_nan_or_absurd_sizes_do_not_spoil_the_others():
    camera, pose = camera_at(), np.eye(4)
    truth = np.array([[12.0, 3.0, 1, 4, 2, 2, 0.3]])
    network = said(camera, pose, truth, [(20, c) for c in range(20, 30)])
    network.image_objects["front"][6, 20, 20] = np.nan
    network.image_objects["front"][4, 20, 21] = np.nan
    network.image_objects["front"][7, 20, 22] = 500.0
    votes = gather_votes(frame_of(camera, pose), network, truth, ["gse"])
    assert votes.count.tolist() == [8.0]
    assert votes.center[0] == pytest.approx(truth[0, :2], abs=1e-3)
    assert np.exp(votes.log_size[0]).max() < 100.0
