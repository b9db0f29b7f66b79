"""Records to messages: numbers, frames, stamps, byte layouts."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")

from ros_scenes import STAMP_NS, make_occupancy, make_track

from airside_perception.classes import AIRCRAFT, SEMANTIC_COLORS
from airside_perception.records import GridSpec, OccupancyGrid
from airside_perception.ros import messages

pytestmark = pytest.mark.ros


def read_cloud(cloud) -> np.ndarray:
    """The cloud's bytes by its own field table, as a subscriber would."""
    formats = {2: "u1", 7: "<f4"}
    dtype = np.dtype(
        {
            "names": [field.name for field in cloud.fields],
            "formats": [formats[field.datatype] for field in cloud.fields],
            "offsets": [field.offset for field in cloud.fields],
            "itemsize": cloud.point_step,
        }
    )
    return np.frombuffer(cloud.data, dtype)


def test_stamps_survive_to_the_nanosecond():
    message = messages.time_message(STAMP_NS)
    assert (message.sec, message.nanosec) == (1_700_000_000, 123_456_789)
    assert messages.stamp_from_message(message) == STAMP_NS


def test_voxel_cloud_holds_every_occupied_voxel_at_its_centre():
    grid = make_occupancy()
    cloud = messages.voxel_cloud(grid, STAMP_NS)
    points = read_cloud(cloud)
    assert cloud.header.frame_id == "base_link"
    assert messages.stamp_from_message(cloud.header.stamp) == STAMP_NS
    assert (cloud.width, cloud.height, cloud.row_step) == (14, 1, 14 * 24)
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "rgb", "probability", "class_id", "visibility"]
    plane = points[points["class_id"] == AIRCRAFT][0]
    assert (plane["x"], plane["y"], plane["z"]) == (1.5, 1.5, 1.0)
    assert plane["probability"] == pytest.approx(0.9)
    assert plane["visibility"] == 2
    red, green, blue = SEMANTIC_COLORS[AIRCRAFT]
    assert plane["rgb"].tobytes() == bytes([blue, green, red, 0])


def test_unobserved_cloud_holds_the_unseen_column():
    points = read_cloud(messages.unobserved_cloud(make_occupancy(), STAMP_NS))
    assert np.stack([points[name] for name in "xyz"], axis=-1).tolist() == [
        [-0.5, 0.5, 0.0],
        [-0.5, 0.5, 1.0],
        [-0.5, 0.5, 2.0],
    ]


def test_cloud_bytes_are_copied_once_into_the_array_of_the_message():
    cloud = messages.voxel_cloud(make_occupancy(), STAMP_NS)
    assert isinstance(cloud.data, array.array)
    assert cloud.data.typecode == "B"


def test_planner_grid_tells_free_occupied_and_unknown_apart():
    message = messages.planner_grid(make_occupancy(), STAMP_NS, lowest=0.5, highest=1.5)
    cells = np.asarray(message.data, np.int8).reshape(message.info.height, message.info.width)
    # Rows run along y, columns along x; the gse voxel at z = 2 is above the band.
    assert cells.tolist() == [[0, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 100]]
    assert message.info.resolution == 1.0
    assert (message.info.origin.position.x, message.info.origin.position.y) == (-2.0, -1.0)
    assert message.info.origin.orientation.w == 1.0
    assert message.header.frame_id == "base_link"


def test_a_taller_band_sees_the_overhanging_voxel():
    cells = messages.project_to_plane(make_occupancy(), 0.5, 2.5)
    assert cells[0, 0] == 100


def test_a_band_between_the_voxel_centres_knows_nothing():
    cells = messages.project_to_plane(make_occupancy(), 0.6, 0.9)
    assert (cells == -1).all()


def test_planner_grid_refuses_oblong_voxels():
    spec = GridSpec((0.0, 0.0, 0.0), (0.5, 0.4, 0.4), (2, 2, 2))
    empty = np.zeros(spec.shape, np.uint8)
    with pytest.raises(ValueError, match="equal x and y"):
        messages.planner_grid(OccupancyGrid(spec, empty, empty.astype(np.float32), empty), STAMP_NS, 0.0, 1.0)


def test_jpeg_message_decodes_to_the_image():
    rgb = np.zeros((32, 48, 3), np.uint8)
    rgb[:, 24:] = (200, 30, 90)
    message = messages.jpeg_message(rgb, STAMP_NS, "front_optical_frame", quality=95)
    decoded = cv2.cvtColor(cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert message.header.frame_id == "front_optical_frame"
    assert "jpeg" in message.format
    assert np.abs(decoded[16, 40].astype(int) - (200, 30, 90)).max() < 12


def test_pose_covariance_puts_yaw_last():
    covariance = messages.pose_covariance(make_track().covariance).reshape(6, 6)
    assert np.diag(covariance).tolist() == [1.0, 2.0, 3.0, 0.0, 0.0, 7.0]


@pytest.mark.skipif(not messages.has_vision_messages(), reason="vision_msgs is not installed (ROS distributions only)")
def test_detection_array_is_the_machine_interface():
    message = messages.detection_array([make_track()], STAMP_NS, "odom")
    detection = message.detections[0]
    assert detection.id == "gse-1"
    assert detection.results[0].hypothesis.class_id == "gse"
    assert detection.results[0].hypothesis.score == pytest.approx(0.75)
    assert (detection.bbox.size.x, detection.bbox.size.y, detection.bbox.size.z) == (4.0, 2.0, 1.8)
    assert detection.bbox.center.orientation.z == pytest.approx(np.sin(0.25))
