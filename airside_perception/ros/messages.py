"""Records to ROS messages: pure conversions, no node, no state.

Every message carries the frame's anchor stamp. Large arrays are filled with
`array.frombytes`, which copies memory once; assigning bytes or lists goes through Python
integers and costs ten times as much.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from nav_msgs.msg import OccupancyGrid as OccupancyGridMessage
from sensor_msgs.msg import CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header

from airside_perception.classes import FREE, GROUND, SEMANTIC_COLORS
from airside_perception.records import NEVER_SEEN, GridSpec, OccupancyGrid, Track

VOXEL_DTYPE = np.dtype(
    {
        "names": ["x", "y", "z", "rgb", "probability", "class_id", "visibility"],
        "formats": ["<f4", "<f4", "<f4", "<u4", "<f4", "u1", "u1"],
        "offsets": [0, 4, 8, 12, 16, 20, 21],
        "itemsize": 24,
    }
)
"""One point of `~/occupancy/voxels`; `rgb` is 0x00RRGGBB in the bits of a float32 (the PCL convention)."""

POINT_DTYPE = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
"""One point of `~/occupancy/unobserved`."""

_FIELD_TYPES = {"f4": PointField.FLOAT32, "u4": PointField.FLOAT32, "u1": PointField.UINT8}

GRID_FREE, GRID_OCCUPIED, GRID_UNKNOWN = 0, 100, -1
"""Cell values of `~/occupancy/grid`."""


def time_message(stamp_ns: int) -> Time:
    """Integer nanoseconds as builtin_interfaces/Time."""
    seconds, nanoseconds = divmod(int(stamp_ns), 1_000_000_000)
    return Time(sec=seconds, nanosec=nanoseconds)


def stamp_from_message(stamp: Time) -> int:
    """builtin_interfaces/Time as integer nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def header(stamp_ns: int, frame_id: str) -> Header:
    """std_msgs/Header."""
    return Header(stamp=time_message(stamp_ns), frame_id=frame_id)


def yaw_quaternion(yaw: float) -> Quaternion:
    """Rotation about +z by `yaw` radians."""
    return Quaternion(x=0.0, y=0.0, z=float(np.sin(yaw / 2)), w=float(np.cos(yaw / 2)))


def box_pose(box: np.ndarray) -> Pose:
    """Pose of a (7,) box's centre."""
    return Pose(position=point(box[:3]), orientation=yaw_quaternion(box[6]))


def point(xyz: Sequence[float] | np.ndarray) -> Point:
    """geometry_msgs/Point from three metres."""
    return Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def vector(xyz: Sequence[float] | np.ndarray) -> Vector3:
    """geometry_msgs/Vector3 from three numbers."""
    return Vector3(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def cloud(points: np.ndarray, stamp_ns: int, frame_id: str) -> PointCloud2:
    """An unordered point cloud.

    Args:
        points: (N,) structured array; its dtype gives the fields.
        stamp_ns: anchor stamp.
        frame_id: frame of x, y, z.
    """
    points = np.ascontiguousarray(points)
    fields = [
        PointField(name=name, offset=offset, datatype=_FIELD_TYPES[kind.str[1:]], count=1)
        for name, (kind, offset, *_) in (points.dtype.fields or {}).items()
    ]
    message = PointCloud2(
        header=header(stamp_ns, frame_id),
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=points.dtype.itemsize,
        row_step=points.dtype.itemsize * len(points),
        is_dense=True,
    )
    message.data.frombytes(points.view(np.uint8).data)
    return message


def voxel_cloud(grid: OccupancyGrid, stamp_ns: int) -> PointCloud2:
    """Occupied voxels (ground included) as points at the voxel centres, fields as in `VOXEL_DTYPE`."""
    occupied = grid.class_id != FREE
    centers = _centers(grid.spec)[occupied.ravel()]
    points = np.zeros(len(centers), VOXEL_DTYPE)
    points["x"], points["y"], points["z"] = centers.T
    points["class_id"] = grid.class_id[occupied]
    points["probability"] = grid.probability[occupied]
    points["visibility"] = grid.visibility[occupied]
    points["rgb"] = _packed_colors()[points["class_id"]]
    return cloud(points, stamp_ns, grid.spec.frame_id)


def unobserved_cloud(grid: OccupancyGrid, stamp_ns: int) -> PointCloud2:
    """Centres of the voxels that no camera ever saw: unknown is not free."""
    unseen = (grid.visibility == NEVER_SEEN).ravel()
    points = _centers(grid.spec)[unseen].view(POINT_DTYPE).ravel()
    return cloud(points, stamp_ns, grid.spec.frame_id)


@lru_cache(maxsize=1)
def _centers(spec: GridSpec) -> np.ndarray:
    """(X*Y*Z, 3) float32 centres of all voxels; a node has one grid for life."""
    return np.ascontiguousarray(spec.centers().reshape(-1, 3), dtype="<f4")


def _packed_colors() -> np.ndarray:
    """(256,) uint32 0x00RRGGBB per semantic id; unknown ids are white."""
    packed = np.full(256, 0xFFFFFF, np.uint32)
    colors = np.asarray(SEMANTIC_COLORS, np.uint32)
    packed[: len(colors)] = colors @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    return packed


def project_to_plane(grid: OccupancyGrid, lowest: float, highest: float) -> np.ndarray:
    """What a planner may assume of each column of voxels.

    A column is occupied where any voxel of the band holds something other than ground, free
    where all of its voxels were seen (now or earlier), and unknown otherwise: a camera that saw
    the air above a bumper says nothing of the bumper.

    Args:
        grid: semantic voxels.
        lowest, highest: the band that the vehicle sweeps: voxels whose centre lies within, metres in base_link.

    Returns:
        (X, Y) int8: 0 free, 100 occupied, -1 unknown.
    """
    spec = grid.spec
    centers = spec.origin[2] + (np.arange(spec.shape[2]) + 0.5) * spec.voxel_size[2]
    band = (centers >= lowest) & (centers <= highest)
    classes = grid.class_id[:, :, band]
    occupied = ((classes != FREE) & (classes != GROUND)).any(axis=2)
    seen = ((grid.visibility[:, :, band] != NEVER_SEEN) | (classes == GROUND)).all(axis=2) & bool(band.any())
    cells = np.full(spec.shape[:2], GRID_UNKNOWN, np.int8)
    cells[seen] = GRID_FREE
    cells[occupied] = GRID_OCCUPIED
    return cells


def planner_grid(grid: OccupancyGrid, stamp_ns: int, lowest: float, highest: float) -> OccupancyGridMessage:
    """`project_to_plane` as nav_msgs/OccupancyGrid in the grid's frame, z = 0.

    Raises:
        ValueError: voxels that are not square seen from above (the message has one resolution).
    """
    spec = grid.spec
    if not np.isclose(spec.voxel_size[0], spec.voxel_size[1]):
        raise ValueError(f"grid.voxel_size: expected equal x and y for nav_msgs/OccupancyGrid, got {spec.voxel_size}")
    message = OccupancyGridMessage(header=header(stamp_ns, spec.frame_id))
    message.info.map_load_time = time_message(stamp_ns)
    message.info.resolution = float(spec.voxel_size[0])
    message.info.width, message.info.height = int(spec.shape[0]), int(spec.shape[1])
    message.info.origin.position = point((spec.origin[0], spec.origin[1], 0.0))
    # Rows of the message run along x: cell (ix, iy) is element iy * width + ix.
    cells = np.ascontiguousarray(project_to_plane(grid, lowest, highest).T)
    message.data.frombytes(cells.view(np.uint8).data)
    return message


def image_message(rgb: np.ndarray, stamp_ns: int, frame_id: str) -> Image:
    """An RGB image (H, W, 3) uint8 as a raw message."""
    height, width = rgb.shape[:2]
    message = Image(header=header(stamp_ns, frame_id), height=height, width=width, encoding="rgb8", step=3 * width)
    message.data.frombytes(np.ascontiguousarray(rgb).reshape(-1).data)
    return message


def jpeg_message(rgb: np.ndarray, stamp_ns: int, frame_id: str, quality: int = 85) -> CompressedImage:
    """An RGB image (H, W, 3) uint8 as a JPEG message."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    message = CompressedImage(header=header(stamp_ns, frame_id), format="rgb8; jpeg compressed bgr8")
    message.data.frombytes(np.asarray(data, np.uint8).data)
    return message


def has_vision_messages() -> bool:
    """True where vision_msgs is installed (it is part of ROS distributions, not of PyPI)."""
    return importlib.util.find_spec("vision_msgs") is not None


def detection_array(tracks: Sequence[Track], stamp_ns: int, frame_id: str) -> Any:
    """Tracks as vision_msgs/Detection3DArray; pose covariance in (x, y, z, roll, pitch, yaw).

    Raises:
        ImportError: vision_msgs is not installed.
    """
    from vision_msgs.msg import Detection3D, Detection3DArray, ObjectHypothesisWithPose

    message = Detection3DArray(header=header(stamp_ns, frame_id))
    for track in tracks:
        hypothesis = ObjectHypothesisWithPose()
        hypothesis.hypothesis.class_id = track.class_name
        hypothesis.hypothesis.score = float(track.score)
        hypothesis.pose.pose = box_pose(track.box)
        hypothesis.pose.covariance = pose_covariance(track.covariance)
        detection = Detection3D(header=message.header, id=track.track_id)
        detection.results.append(hypothesis)
        detection.bbox.center = box_pose(track.box)
        detection.bbox.size = vector(track.box[3:6])
        message.detections.append(detection)
    return message


def pose_covariance(box_covariance: np.ndarray) -> np.ndarray:
    """(7, 7) covariance of a box as the (36,) row-major pose covariance of ROS: x, y, z, roll, pitch, yaw."""
    covariance = np.zeros((6, 6))
    ours, theirs = [0, 1, 2, 6], [0, 1, 2, 5]
    covariance[np.ix_(theirs, theirs)] = np.asarray(box_covariance)[np.ix_(ours, ours)]
    return covariance.ravel()
