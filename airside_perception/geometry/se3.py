"""Rigid transforms as 4x4 matrices named `target_from_source`, quaternions as (w, x, y, z).

Everything is float64 and batched over leading axes. Angles are radians, lengths metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

_SMALL_ANGLE = 1e-4
"""Below this angle (rad) the closed forms of exp/log lose digits and their series take over."""


def make_transform(rotation: ArrayLike, translation: ArrayLike) -> np.ndarray:
    """Put a rotation and a translation into homogeneous matrices.

    Args:
        rotation: (..., 3, 3) rotation matrices.
        translation: (..., 3) metres; leading axes broadcast against those of `rotation`.

    Returns:
        (..., 4, 4) float64.
    """
    rotation = np.asarray(rotation, np.float64)
    translation = np.asarray(translation, np.float64)
    batch = np.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1])
    transform = np.zeros((*batch, 4, 4))
    transform[..., :3, :3] = rotation
    transform[..., :3, 3] = translation
    transform[..., 3, 3] = 1.0
    return transform


def invert_transform(transform: ArrayLike) -> np.ndarray:
    """Inverse of rigid transforms (..., 4, 4), by transposing the rotation."""
    transform = np.asarray(transform, np.float64)
    rotation = np.swapaxes(transform[..., :3, :3], -1, -2)
    return make_transform(rotation, -(rotation @ transform[..., :3, 3:])[..., 0])


def transform_points(transform: ArrayLike, points: ArrayLike) -> np.ndarray:
    """Move points into the target frame.

    Args:
        transform: (..., 4, 4) target_from_source.
        points: (..., N, 3) in the source frame; a single point (3,) is accepted.

    Returns:
        (..., N, 3) float64 in the target frame.
    """
    transform = np.asarray(transform, np.float64)
    points = np.asarray(points, np.float64)
    if points.ndim == 1:
        return transform[..., :3, :3] @ points + transform[..., :3, 3]
    return points @ np.swapaxes(transform[..., :3, :3], -1, -2) + transform[..., None, :3, 3]


def rotate_vectors(transform: ArrayLike, vectors: ArrayLike) -> np.ndarray:
    """Turn directions or velocities (no translation).

    Args:
        transform: (..., 4, 4) transform or (..., 3, 3) rotation.
        vectors: (..., N, 3) in the source frame; a single vector (3,) is accepted.

    Returns:
        (..., N, 3) float64 in the target frame.
    """
    rotation = np.asarray(transform, np.float64)[..., :3, :3]
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim == 1:
        return rotation @ vectors
    return vectors @ np.swapaxes(rotation, -1, -2)


def rotation_z(yaw: ArrayLike) -> np.ndarray:
    """Rotation matrices (..., 3, 3) about +z by `yaw` (...,) radians."""
    yaw = np.asarray(yaw, np.float64)
    rotation = np.zeros((*yaw.shape, 3, 3))
    rotation[..., 0, 0] = rotation[..., 1, 1] = np.cos(yaw)
    rotation[..., 1, 0] = np.sin(yaw)
    rotation[..., 0, 1] = -rotation[..., 1, 0]
    rotation[..., 2, 2] = 1.0
    return rotation


def yaw_of(rotation: ArrayLike) -> np.ndarray:
    """Heading of the rotated x axis in the target's x-y plane, radians; from (..., 3, 3) or (..., 4, 4)."""
    rotation = np.asarray(rotation, np.float64)
    return np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0])


def wrap_angle(angle: ArrayLike) -> np.ndarray:
    """Bring angles (radians) into [-pi, pi)."""
    wrapped = np.mod(np.asarray(angle, np.float64) + np.pi, 2.0 * np.pi) - np.pi
    # np.mod of a tiny negative number rounds up to 2 pi itself.
    return np.where(wrapped >= np.pi, -np.pi, wrapped)[()]


def pose_from_xyz_yaw(x: ArrayLike, y: ArrayLike, z: ArrayLike, yaw: ArrayLike) -> np.ndarray:
    """Upright poses (..., 4, 4) from positions (metres) and yaw (radians)."""
    position = np.stack(np.broadcast_arrays(x, y, z), axis=-1)
    return make_transform(rotation_z(yaw), position)


def quaternion_to_matrix(quaternion: ArrayLike) -> np.ndarray:
    """Rotation matrices (..., 3, 3) from quaternions (..., 4) in (w, x, y, z) order, of any length but 0.

    Raises:
        ValueError: a quaternion of length 0.
    """
    quaternion = np.asarray(quaternion, np.float64)
    norm = np.linalg.norm(quaternion, axis=-1, keepdims=True)
    if not np.all(norm > 1e-12):
        raise ValueError(f"expected a quaternion (w, x, y, z) of non-zero length, got {quaternion.tolist()}")
    w, x, y, z = np.moveaxis(quaternion / norm, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_quaternion(rotation: ArrayLike) -> np.ndarray:
    """Unit quaternions (..., 4), (w, x, y, z) with w >= 0, from (..., 3, 3) or (..., 4, 4) matrices.

    Of the four equivalent formulas the one with the largest divisor is used, so that no
    rotation angle is ill-conditioned (Shepperd 1978).
    """
    m = np.asarray(rotation, np.float64)[..., :3, :3]
    diagonal = np.moveaxis(np.diagonal(m, axis1=-2, axis2=-1), -1, 0)
    trace = diagonal.sum(axis=0)
    sums = {(i, j): m[..., i, j] + m[..., j, i] for i, j in ((0, 1), (0, 2), (1, 2))}
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    # Row k is 4 * q_k * q; picking the row of the largest q_k and normalising gives q.
    candidates = np.stack(
        [
            np.stack([1 + trace, wx, wy, wz], axis=-1),
            np.stack([wx, 1 + 2 * diagonal[0] - trace, sums[0, 1], sums[0, 2]], axis=-1),
            np.stack([wy, sums[0, 1], 1 + 2 * diagonal[1] - trace, sums[1, 2]], axis=-1),
            np.stack([wz, sums[0, 2], sums[1, 2], 1 + 2 * diagonal[2] - trace], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(np.diagonal(candidates, axis1=-2, axis2=-1), axis=-1)
    quaternion = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def transform_from_pose_dict(pose: Mapping[str, Sequence[float]]) -> np.ndarray:
    """(4, 4) from `{"translation": [x, y, z], "rotation": [w, x, y, z]}`, the form of tracks.json and rig files."""
    translation = np.asarray(pose["translation"], np.float64)
    rotation = np.asarray(pose["rotation"], np.float64)
    if translation.shape != (3,) or rotation.shape != (4,):
        raise ValueError(
            "expected a pose with translation [x, y, z] and rotation [w, x, y, z], "
            f"got {translation.size} and {rotation.size} numbers"
        )
    return make_transform(quaternion_to_matrix(rotation), translation)


def interpolate_transform(start: ArrayLike, end: ArrayLike, alpha: ArrayLike) -> np.ndarray:
    """Pose between two poses: position along the line, rotation along the shortest arc.

    Args:
        start, end: (..., 4, 4) transforms at alpha 0 and 1.
        alpha: (...,) fraction; values outside [0, 1] extrapolate.

    Returns:
        (..., 4, 4) float64.
    """
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    alpha = np.asarray(alpha, np.float64)[..., None]
    relative = np.swapaxes(start[..., :3, :3], -1, -2) @ end[..., :3, :3]
    rotation = start[..., :3, :3] @ _exp_so3(alpha * _log_so3(relative))
    return make_transform(rotation, (1.0 - alpha) * start[..., :3, 3] + alpha * end[..., :3, 3])


def exp_se3(twist: ArrayLike) -> np.ndarray:
    """Exponential map of twists (..., 6), (translation part, rotation part), to (..., 4, 4)."""
    twist = np.asarray(twist, np.float64)
    rho, phi = twist[..., :3], twist[..., 3:]
    angle, hat = np.linalg.norm(phi, axis=-1)[..., None, None], _skew(phi)
    safe = np.where(angle < _SMALL_ANGLE, 1.0, angle)
    b = np.where(angle < _SMALL_ANGLE, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    c = np.where(angle < _SMALL_ANGLE, 1 / 6 - angle**2 / 120, (safe - np.sin(safe)) / safe**3)
    left_jacobian = np.eye(3) + b * hat + c * hat @ hat
    return make_transform(_exp_so3(phi), (left_jacobian @ rho[..., None])[..., 0])


def log_se3(transform: ArrayLike) -> np.ndarray:
    """Inverse of `exp_se3`: (..., 4, 4) to twists (..., 6) with a rotation part of length <= pi."""
    transform = np.asarray(transform, np.float64)
    phi = _log_so3(transform[..., :3, :3])
    angle, hat = np.linalg.norm(phi, axis=-1)[..., None, None], _skew(phi)
    safe = np.where(angle < _SMALL_ANGLE, 1.0, angle)
    half = 0.5 * safe
    c = np.where(angle < _SMALL_ANGLE, 1 / 12 + angle**2 / 720, (1 - half * np.cos(half) / np.sin(half)) / safe**2)
    inverse_jacobian = np.eye(3) - 0.5 * hat + c * hat @ hat
    return np.concatenate([(inverse_jacobian @ transform[..., :3, 3:])[..., 0], phi], axis=-1)


def _skew(vector: np.ndarray) -> np.ndarray:
    """Cross-product matrices (..., 3, 3) of vectors (..., 3)."""
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _exp_so3(phi: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3), through the unit quaternion."""
    half = 0.5 * np.linalg.norm(phi, axis=-1, keepdims=True)
    # np.sinc(t) is sin(pi t) / (pi t): no special case at 0.
    return quaternion_to_matrix(np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * phi], axis=-1))


def _log_so3(rotation: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) of rotation matrices (..., 3, 3); length <= pi."""
    quaternion = matrix_to_quaternion(rotation)
    sine = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    half = np.arctan2(sine, quaternion[..., :1])
    scale = np.where(sine < 1e-9, 2.0, 2.0 * half / np.where(sine < 1e-9, 1.0, sine))
    return scale * quaternion[..., 1:]
