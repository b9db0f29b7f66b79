"""Cameras: from points to pixels, from pixels to rays, and to the rasteriser's clip space.

Pixel convention of ROS and OpenCV: the centre of the top-left pixel is (0, 0), so an image
covers [-0.5, width - 0.5) x [-0.5, height - 0.5). Optical frame: z forward, x right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from airside_perception.errors import AirsideError
from airside_perception.geometry.distortion import COEFFICIENT_COUNT, Equidistant, RadialTangential
from airside_perception.geometry.se3 import invert_transform, rotate_vectors, transform_points

_MIN_DEPTH = 1e-6
"""Points nearer to the image plane than this (metres) count as behind a pinhole camera."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera mounted on the vehicle.

    Attributes:
        name: unique in its rig.
        width, height: image size in pixels that `intrinsics` belongs to.
        intrinsics: (3, 3) float64 K.
        base_from_camera: (4, 4) float64, pose of the optical frame in base_link.
        distortion_model: "pinhole", "plumb_bob", "rational_polynomial" or "equidistant".
        distortion: float64 coefficients; fewer than the model takes are filled with zeros.

    Raises:
        AirsideError: (ValueError) a shape, size, model or coefficient count that makes no camera.
    """

    name: str
    width: int
    height: int
    intrinsics: np.ndarray
    base_from_camera: np.ndarray = field(default_factory=lambda: np.eye(4))
    distortion_model: str = "pinhole"
    distortion: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        intrinsics = np.array(self.intrinsics, np.float64)
        pose = np.array(self.base_from_camera, np.float64)
        if intrinsics.shape != (3, 3) or pose.shape != (4, 4):
            raise AirsideError(
                f"camera {self.name!r}: expected intrinsics (3, 3) and base_from_camera (4, 4), "
                f"got {intrinsics.shape} and {pose.shape}"
            )
        if not (np.isfinite(intrinsics).all() and np.isfinite(pose).all()):
            raise AirsideError(f"camera {self.name!r}: expected finite intrinsics and base_from_camera")
        if self.width < 1 or self.height < 1:
            raise AirsideError(f"camera {self.name!r}: expected an image size > 0, got {self.width}x{self.height}")
        if not (intrinsics[0, 0] > 0 and intrinsics[1, 1] > 0):
            raise AirsideError(
                f"camera {self.name!r}: expected focal lengths > 0, got fx={intrinsics[0, 0]:g}, "
                f"fy={intrinsics[1, 1]:g}. Calibrate it, or remove it from rig.cameras."
            )
        object.__setattr__(self, "intrinsics", intrinsics)
        object.__setattr__(self, "base_from_camera", pose)
        object.__setattr__(self, "distortion", self._checked_distortion())

    def _checked_distortion(self) -> np.ndarray:
        coefficients = np.array(self.distortion, np.float64).reshape(-1)
        count = COEFFICIENT_COUNT.get(self.distortion_model)
        if count is None:
            raise AirsideError(
                f"camera {self.name!r}: expected a distortion model of {', '.join(COEFFICIENT_COUNT)}, "
                f"got {self.distortion_model!r}"
            )
        if np.any(coefficients[count:]) or not np.all(np.isfinite(coefficients)):
            raise AirsideError(
                f"camera {self.name!r}: {self.distortion_model} takes {count} finite distortion coefficients, "
                f"got {coefficients.tolist()}"
            )
        return np.concatenate([coefficients[:count], np.zeros(max(0, count - len(coefficients)))])

    @cached_property
    def camera_from_base(self) -> np.ndarray:
        """(4, 4) float64, inverse of `base_from_camera`."""
        return invert_transform(self.base_from_camera)

    @property
    def position(self) -> np.ndarray:
        """(3,) float64: optical centre in base_link, metres."""
        return self.base_from_camera[:3, 3]

    @cached_property
    def is_linear(self) -> bool:
        """True where straight lines stay straight, so that one matrix projects everything."""
        return self.distortion_model != "equidistant" and not np.any(self.distortion)

    @cached_property
    def _radial(self) -> RadialTangential:
        return RadialTangential(np.concatenate([self.distortion, np.zeros(8 - len(self.distortion))]))

    @cached_property
    def _fisheye(self) -> Equidistant:
        return Equidistant(self.distortion)

    @property
    def max_angle(self) -> float:
        """Largest angle to the optical axis (rad) that the model can draw and invert."""
        if self.distortion_model == "equidistant":
            return float(self._fisheye.max_angle)
        return float(np.arctan(self._radial.max_radius)) if not self.is_linear else 0.5 * np.pi

    def project(self, points_camera: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of points in the optical frame.

        Args:
            points_camera: (..., 3) metres.

        Returns:
            pixels (..., 2) float64 and valid (...,) bool. Valid points are in front of the camera
            (fisheye: within its angle, which may exceed 90 degrees) and inside the region where
            the distortion does not fold; they need not lie inside the image. Pixels of invalid
            points are finite but mean nothing.
        """
        points = np.asarray(points_camera, np.float64)
        if self.distortion_model == "equidistant":
            x, y, valid = self._fisheye.distort(points)
            return self._to_pixels(x, y), valid
        depth = np.maximum(points[..., 2], _MIN_DEPTH)
        valid = points[..., 2] > _MIN_DEPTH
        x, y = points[..., 0] / depth, points[..., 1] / depth
        if not self.is_linear:
            x, y, unfolded = self._radial.distort(x, y)
            valid = valid & unfolded
        return self._to_pixels(x, y), valid

    def project_base(self, points_base: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels of points in base_link.

        Args:
            points_base: (..., 3) metres.

        Returns:
            pixels (..., 2) float64, depth (...,) float64 along the optical axis in metres (negative
            behind the image plane, which a fisheye may still see), inside (...,) bool: valid and
            inside the image.
        """
        points_base = np.asarray(points_base, np.float64)
        points = transform_points(self.camera_from_base, points_base.reshape(-1, 3)).reshape(points_base.shape)
        pixels, valid = self.project(points)
        return pixels, points[..., 2], valid & self.contains(pixels)

    def contains(self, pixels: ArrayLike) -> np.ndarray:
        """(...,) bool: which pixels (..., 2) lie inside the image."""
        pixels = np.asarray(pixels)
        u, v = pixels[..., 0], pixels[..., 1]
        return (u >= -0.5) & (u < self.width - 0.5) & (v >= -0.5) & (v < self.height - 0.5)

    def unproject(self, pixels: ArrayLike) -> np.ndarray:
        """Viewing rays of pixels (..., 2): unit vectors (..., 3) in the optical frame.

        Pixels that no point projects to (outside a fisheye's circle) get the nearest ray of the
        model's region; `project` of that ray does not return the pixel.
        """
        pixels = np.asarray(pixels, np.float64)
        y = (pixels[..., 1] - self.intrinsics[1, 2]) / self.intrinsics[1, 1]
        x = (pixels[..., 0] - self.intrinsics[0, 2] - self.intrinsics[0, 1] * y) / self.intrinsics[0, 0]
        if self.distortion_model == "equidistant":
            return self._fisheye.undistort(x, y)
        if not self.is_linear:
            x, y = self._radial.undistort(x, y)
        rays = np.stack([x, y, np.ones_like(x)], axis=-1)
        return rays / np.linalg.norm(rays, axis=-1, keepdims=True)

    def ground_intersection(self, pixels: ArrayLike, height: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Where the viewing rays of pixels (..., 2) meet the horizontal plane z = height of base_link.

        Returns:
            points (..., 3) float64 in base_link, metres, and hit (...,) bool. Rays that never come
            down have hit False and the camera's own position as point.
        """
        rays = self.unproject(pixels)
        direction = rotate_vectors(self.base_from_camera, rays.reshape(-1, 3)).reshape(rays.shape)
        drop = height - self.position[2]
        hit = direction[..., 2] * np.sign(drop) > 1e-9
        distance = np.where(hit, drop / np.where(hit, direction[..., 2], 1.0), 0.0)
        return self.position + distance[..., None] * direction, hit

    def resized(self, width: int, height: int) -> Camera:
        """The camera of the same view resampled to another image size.

        Pixel centres sit at whole numbers, hence cx' = (cx + 0.5) * scale - 0.5.
        """
        scale = np.diag([width / self.width, height / self.height, 1.0])
        shift = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
        intrinsics = np.linalg.inv(shift) @ scale @ shift @ self.intrinsics
        return replace(self, width=int(width), height=int(height), intrinsics=intrinsics)

    def cropped(self, x0: int, y0: int, width: int, height: int) -> Camera:
        """The camera of the sub-image whose top-left pixel is (x0, y0); it may reach beyond the image."""
        intrinsics = self.intrinsics.copy()
        intrinsics[0, 2] -= x0
        intrinsics[1, 2] -= y0
        return replace(self, width=int(width), height=int(height), intrinsics=intrinsics)

    def with_pose(self, base_from_camera: np.ndarray) -> Camera:
        """The same camera mounted elsewhere; (4, 4)."""
        return replace(self, base_from_camera=base_from_camera)

    def clip_matrix(self, near: float = 0.1, far: float = 500.0) -> np.ndarray:
        """(4, 4) float64 from homogeneous optical-frame points to clip space, without distortion.

        Pixel row v maps to clip y = 2 (v + 0.5) / height - 1, so output row 0 of the rasteriser
        (y = -1) is image row 0; w is the optical-axis depth and z / w runs from -1 at `near`
        (metres) to 1 at `far`.
        """
        to_clip = np.array([[2.0 / self.width, 0, 1 / self.width - 1], [0, 2.0 / self.height, 1 / self.height - 1]])
        matrix = np.zeros((4, 4))
        matrix[:2, :3] = to_clip @ self.intrinsics
        matrix[2, 2] = (far + near) / (far - near)
        matrix[2, 3] = -2.0 * far * near / (far - near)
        matrix[3, 2] = 1.0
        return matrix

    def clip_positions(self, points_camera: ArrayLike, near: float = 0.1, far: float = 500.0) -> np.ndarray:
        """Clip-space positions of mesh vertices, distortion applied per vertex.

        Args:
            points_camera: (..., 3) in the optical frame, metres.
            near, far: depth range, metres.

        Returns:
            (..., 4) float32. Edges between vertices stay straight, so meshes must be fine where
            distortion is strong. Points behind the image plane keep their valid homogeneous
            pinhole position, which the rasteriser clips; of a fisheye, only the front half space
            can be drawn this way.
        """
        points = np.asarray(points_camera, np.float32)
        matrix = self.clip_matrix(near, far).astype(np.float32)
        clip = points @ matrix[:, :3].T
        clip[..., 2] += matrix[2, 3]
        if not self.is_linear:
            front = points[..., 2] > _MIN_DEPTH
            seen = points[front]
            depth = seen[:, 2:3]
            x, y = self._distorted_coordinates(seen)
            bent = np.stack([x, y, np.ones_like(x)], axis=-1).astype(np.float32) * depth
            clip[front, :2] = bent @ matrix[:2, :3].T
        return clip

    def _distorted_coordinates(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.distortion_model == "equidistant":
            return self._fisheye.distort(points)[:2]
        return self._radial.distort(points[..., 0] / points[..., 2], points[..., 1] / points[..., 2])[:2]

    def _to_pixels(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        k = self.intrinsics
        return np.stack([k[0, 0] * x + k[0, 1] * y + k[0, 2], k[1, 1] * y + k[1, 2]], axis=-1)


def camera_from_info(
    name: str,
    width: int,
    height: int,
    k: Sequence[float],
    d: Sequence[float],
    distortion_model: str,
    base_from_camera: np.ndarray,
) -> Camera:
    """Camera from the fields of a `sensor_msgs/CameraInfo`.

    Args:
        name: camera name, for messages.
        width, height: image size in pixels.
        k: 9 numbers, K row by row.
        d: distortion coefficients.
        distortion_model: as in the message; empty means none.
        base_from_camera: (4, 4) pose of the optical frame in base_link.

    Raises:
        AirsideError: uncalibrated (k[0] == 0) or unsupported calibration.
    """
    intrinsics = np.asarray(k, np.float64).reshape(3, 3)
    if intrinsics[0, 0] == 0.0:
        raise AirsideError(
            f"camera {name!r}: camera_info.k[0] is 0 (uncalibrated). Calibrate it, or remove it from rig.cameras."
        )
    coefficients = np.asarray(d, np.float64)
    model = distortion_model or ("plumb_bob" if len(coefficients) else "pinhole")
    if model == "fisheye":
        model = "equidistant"
    return Camera(name, int(width), int(height), intrinsics, base_from_camera, model, coefficients)
