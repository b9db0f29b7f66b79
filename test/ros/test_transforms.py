"""Poses between the package's 4x4 matrices and ROS messages; calibration from camera_info."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from geometry_msgs.msg import Quaternion, Vector3
from live import info_message
from ros_scenes import STAMP_NS, make_rig

from airside_perception.config import Config, load_config
from airside_perception.errors import AirsideError
from airside_perception.geometry import Rig, make_transform, quaternion_to_matrix
from airside_perception.ros.calibration import (
    camera_from_message,
    camera_info_topic,
    collect_rig,
    image_topic,
    same_calibration,
)
from airside_perception.ros.transforms import (
    broadcast_rig,
    has_tf,
    pose_message,
    transform_from_parts,
    transform_message,
)

pytestmark = pytest.mark.ros

POSE = make_transform(quaternion_to_matrix([0.5, 0.1, -0.7, 0.4]), [1.0, -2.0, 3.0])


def test_poses_survive_the_way_to_a_message_and_back():
    message = pose_message(POSE)
    np.testing.assert_allclose(transform_from_parts(message.position, message.orientation), POSE, atol=1e-12)


def test_quaternions_of_messages_are_x_y_z_w():
    quarter_turn = transform_from_parts(Vector3(), Quaternion(x=0.0, y=0.0, z=np.sqrt(0.5), w=np.sqrt(0.5)))
    np.testing.assert_allclose(quarter_turn[:3, :3] @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)


def test_a_transform_is_the_pose_of_the_child_in_the_parent():
    message = transform_message(POSE, STAMP_NS, "base_link", "front_optical_frame")
    assert (message.header.frame_id, message.child_frame_id) == ("base_link", "front_optical_frame")
    translation = message.transform.translation
    assert (translation.x, translation.y, translation.z) == (1.0, -2.0, 3.0)


@pytest.mark.parametrize(
    ("translation", "rotation", "reason"),
    [
        (Vector3(x=float("nan")), Quaternion(w=1.0), "finite"),
        (Vector3(), Quaternion(w=0.0), "unit quaternion"),
    ],
)
def test_poses_that_nobody_filled_in_are_refused(translation, rotation, reason):
    with pytest.raises(AirsideError, match=reason):
        transform_from_parts(translation, rotation)


def test_camera_info_gives_the_camera_back():
    front = make_rig().cameras["front"]
    again = camera_from_message("front", info_message(front, STAMP_NS), front.base_from_camera)
    assert same_calibration(front, again)
    np.testing.assert_allclose(again.intrinsics, front.intrinsics)


def test_uncalibrated_camera_info_is_refused_with_the_name():
    info = info_message(make_rig().cameras["front"], STAMP_NS)
    info.k[0] = 0.0
    with pytest.raises(AirsideError, match=r"camera 'front': camera_info\.k\[0\] is 0"):
        camera_from_message("front", info, np.eye(4))


def test_calibrations_differ_by_lens_size_or_mount():
    front = make_rig().cameras["front"]
    assert not same_calibration(front, front.resized(32, 20))
    assert not same_calibration(front, front.with_pose(POSE))


def test_topics_come_from_the_rig_file_or_the_pattern():
    rig = make_rig()
    named = Rig(rig.cameras, "named", {"front": "/driver/front/image_rect/compressed"})
    ros = Config().ros
    assert image_topic(named, ros, "front") == "/driver/front/image_rect"
    assert camera_info_topic(named, ros, "front") == "/driver/front/camera_info"
    assert image_topic(named, ros, "rear") == "/camera/rear/image_raw"
    assert camera_info_topic(named, ros, "rear") == "/camera/rear/camera_info"


@pytest.mark.skipif(has_tf(), reason="tf2_ros is installed: extrinsics come from TF")
def test_without_tf_and_rig_file_nothing_is_guessed(middleware):
    with pytest.raises(AirsideError, match=r"set rig\.file"):
        collect_rig(load_config(None, {"ros.calibration_timeout_s": 0.1}))
    with pytest.raises(AirsideError, match=r"ros\.publish_tf needs tf2_ros"):
        broadcast_rig(None, make_rig(), "base_link", [], STAMP_NS)
