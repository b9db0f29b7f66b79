"""Rigid transforms, oriented boxes, cameras and rigs: NumPy only, conventions in docs/conventions.md."""

from airside_perception.geometry.boxes import (
    box_corners,
    giou_3d,
    giou_3d_pairs,
    ground_distance,
    iou_3d,
    iou_bev,
    points_in_boxes,
    transform_boxes,
)
from airside_perception.geometry.cameras import Camera, camera_from_info
from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import (
    exp_se3,
    interpolate_transform,
    invert_transform,
    log_se3,
    make_transform,
    matrix_to_quaternion,
    pose_from_xyz_yaw,
    quaternion_to_matrix,
    rotate_vectors,
    rotation_z,
    transform_from_pose_dict,
    transform_points,
    wrap_angle,
    yaw_of,
)

__all__ = [
    "Camera",
    "Rig",
    "box_corners",
    "camera_from_info",
    "exp_se3",
    "giou_3d",
    "giou_3d_pairs",
    "ground_distance",
    "interpolate_transform",
    "invert_transform",
    "iou_3d",
    "iou_bev",
    "log_se3",
    "make_transform",
    "matrix_to_quaternion",
    "points_in_boxes",
    "pose_from_xyz_yaw",
    "quaternion_to_matrix",
    "rotate_vectors",
    "rotation_z",
    "transform_boxes",
    "transform_from_pose_dict",
    "transform_points",
    "wrap_angle",
    "yaw_of",
]
