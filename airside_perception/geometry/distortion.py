"""Lens distortion on the normalised image plane, with the region in which it can be inverted.

Models and coefficient orders are those of `sensor_msgs/CameraInfo` and OpenCV:
plumb_bob (k1, k2, p1, p2, k3), rational_polynomial (k1, k2, p1, p2, k3, k4, k5, k6),
equidistant (k1, k2, k3, k4; Kannala and Brandt 2006).

A distortion polynomial folds back beyond some radius: points out there would reappear inside
the image. Each model therefore knows its limit (`max_radius`, `max_angle`) and clamps to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

COEFFICIENT_COUNT = {"pinhole": 0, "plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
"""Distortion model -> number of coefficients it takes."""

_NEWTON_STEPS = 8
_CONVERGED = 1e-13
"""Error of the normalised coordinates at which Newton's steps end."""
_TABLE_SIZE = 512


def _smallest_positive_root(coefficients: np.ndarray) -> float:
    """Smallest positive real root of a polynomial (lowest power first), or infinity."""
    trimmed = np.trim_zeros(np.asarray(coefficients, np.float64), "b")
    if len(trimmed) < 2:
        return np.inf
    roots = np.polynomial.polynomial.polyroots(trimmed)
    real = roots.real[(np.abs(roots.imag) < 1e-9 * np.maximum(1.0, np.abs(roots))) & (roots.real > 1e-9)]
    return float(real.min()) if len(real) else np.inf


@dataclass(frozen=True, eq=False)
class RadialTangential:
    """plumb_bob and rational_polynomial: x' = x * N(r^2) / D(r^2) + tangential terms.

    Attributes:
        coefficients: (8,) float64 k1, k2, p1, p2, k3, k4, k5, k6 (zeros where the model has none).
        max_radius: largest undistorted radius (tangent of the angle) up to which the map is
            one to one; infinity if it never folds.
    """

    coefficients: np.ndarray
    max_radius: float = field(init=False)
    _table: tuple[np.ndarray, np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_radius", self._find_max_radius())
        # Inversion starts from the tabulated radial part; the table reaches 88 degrees at most.
        reach = min(np.arctan(self.max_radius), np.deg2rad(88.0))
        radius = np.tan(np.linspace(0.0, reach, _TABLE_SIZE))
        object.__setattr__(self, "_table", (radius, radius * self._radial(radius**2)))

    def _polynomials(self) -> tuple[np.ndarray, np.ndarray]:
        """N and D as coefficients over s = r^2, lowest power first."""
        k1, k2, _, _, k3, k4, k5, k6 = self.coefficients
        return np.array([1.0, k1, k2, k3]), np.array([1.0, k4, k5, k6])

    def _find_max_radius(self) -> float:
        """Radius where the map stops being one to one.

        The map is one to one on a disc on which the symmetric part of its Jacobian is positive
        definite. The radial part has the eigenvalues (r R)' and R with R = N / D; the tangential
        terms can take away at most 6 |p| r. Both conditions are polynomials in r.
        """
        polynomial = np.polynomial.polynomial
        numerator, denominator = self._polynomials()
        slope_n, slope_d = polynomial.polyder(numerator), polynomial.polyder(denominator)
        twice_s = np.array([0.0, 2.0])
        mixed = polynomial.polysub(polynomial.polymul(slope_n, denominator), polynomial.polymul(numerator, slope_d))
        product = polynomial.polymul(numerator, denominator)
        along = polynomial.polyadd(product, polynomial.polymul(twice_s, mixed))
        bend = 6.0 * float(np.hypot(self.coefficients[2], self.coefficients[3]))
        loss = polynomial.polymul([0.0, bend], _in_radius(polynomial.polymul(denominator, denominator)))
        return min(
            _smallest_positive_root(polynomial.polysub(_in_radius(along), loss)),
            _smallest_positive_root(polynomial.polysub(_in_radius(product), loss)),
            _smallest_positive_root(_in_radius(denominator)),
        )

    def _radial(self, squared: np.ndarray) -> np.ndarray:
        k1, k2, _, _, k3, k4, k5, k6 = self.coefficients
        scale = 1.0 + squared * (k1 + squared * (k2 + squared * k3))
        if k4 or k5 or k6:
            scale = scale / (1.0 + squared * (k4 + squared * (k5 + squared * k6)))
        return scale

    def distort(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distorted coordinates and a mask.

        Args:
            x, y: (...) undistorted normalised coordinates (tangents of angles).

        Returns:
            Distorted x, y (...), and bool (...): inside the invertible region. Points outside go
            on outwards along the distorted ray with the scale of the region's border, so that
            triangles never fold back into the image.
        """
        squared = x * x + y * y
        valid = squared < self.max_radius**2
        beyond = None
        if not np.all(valid):
            beyond = np.maximum(np.sqrt(squared) / self.max_radius, 1.0)
            x, y = x / beyond, y / beyond
            squared = x * x + y * y
        _, _, p1, p2, *_ = self.coefficients
        scale = self._radial(squared)
        distorted_x, distorted_y = x * scale, y * scale
        if p1 or p2:
            distorted_x = distorted_x + 2.0 * p1 * x * y + p2 * (squared + 2.0 * x * x)
            distorted_y = distorted_y + p1 * (squared + 2.0 * y * y) + 2.0 * p2 * x * y
        if beyond is not None:
            distorted_x, distorted_y = distorted_x * beyond, distorted_y * beyond
        return distorted_x, distorted_y, valid

    def undistort(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inverse of `distort` by Newton steps; pixels beyond the invertible region go to its border."""
        target = np.stack([x, y], axis=-1).astype(np.float64)
        distorted_radius = np.linalg.norm(target, axis=-1)
        radius, radius_distorted = self._table
        first = np.interp(distorted_radius, radius_distorted, radius)
        estimate = target * (first / np.maximum(distorted_radius, 1e-12))[..., None]
        for _ in range(_NEWTON_STEPS):
            off = target - self._distorted(estimate)
            if np.abs(off).max(initial=0.0) < _CONVERGED:
                break
            (a, b), (c, d) = np.moveaxis(self._jacobian(estimate), (-2, -1), (0, 1))
            # Cramer's rule: a general solver takes ten times as long on many small systems.
            across, down = d * off[..., 0] - b * off[..., 1], a * off[..., 1] - c * off[..., 0]
            estimate = self._clamp(estimate + np.stack([across, down], axis=-1) / (a * d - b * c)[..., None])
        return estimate[..., 0], estimate[..., 1]

    def _distorted(self, point: np.ndarray) -> np.ndarray:
        return np.stack(self.distort(point[..., 0], point[..., 1])[:2], axis=-1)

    def _clamp(self, point: np.ndarray) -> np.ndarray:
        """Keep Newton's iterates strictly inside the region, where the Jacobian is regular."""
        limit = min(0.9999 * self.max_radius, 1e4)
        norm = np.linalg.norm(point, axis=-1, keepdims=True)
        return point * np.minimum(1.0, limit / np.maximum(norm, 1e-12))

    def _jacobian(self, point: np.ndarray) -> np.ndarray:
        """(..., 2, 2) derivative of the distorted by the undistorted coordinates."""
        _, _, p1, p2, *_ = self.coefficients
        x, y = point[..., 0], point[..., 1]
        squared = x * x + y * y
        polynomial = np.polynomial.polynomial
        n, d = (polynomial.polyval(squared, c) for c in self._polynomials())
        n_slope, d_slope = (polynomial.polyval(squared, polynomial.polyder(c)) for c in self._polynomials())
        radial, radial_slope = n / d, (n_slope * d - n * d_slope) / d**2
        off_diagonal = 2.0 * x * y * radial_slope + 2.0 * (p1 * x + p2 * y)
        jacobian = np.empty((*x.shape, 2, 2))
        jacobian[..., 0, 0] = radial + 2.0 * x * x * radial_slope + 2.0 * p1 * y + 6.0 * p2 * x
        jacobian[..., 1, 1] = radial + 2.0 * y * y * radial_slope + 6.0 * p1 * y + 2.0 * p2 * x
        jacobian[..., 0, 1] = jacobian[..., 1, 0] = off_diagonal
        return jacobian


def _in_radius(over_squared: np.ndarray) -> np.ndarray:
    """Rewrite a polynomial over r^2 as one over r."""
    over_radius = np.zeros(2 * len(over_squared) - 1)
    over_radius[::2] = over_squared
    return over_radius


@dataclass(frozen=True, eq=False)
class Equidistant:
    """Fisheye: radius = theta * (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8).

    theta is the angle to the optical axis and may exceed 90 degrees.

    Attributes:
        coefficients: (4,) float64.
        max_angle: largest angle (rad, at most pi) up to which the radius grows.
    """

    coefficients: np.ndarray
    max_angle: float = field(init=False)
    _table: tuple[np.ndarray, np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        slope = np.concatenate([[1.0], self.coefficients * np.array([3.0, 5.0, 7.0, 9.0])])
        object.__setattr__(self, "max_angle", min(np.sqrt(_smallest_positive_root(slope)), np.pi))
        angle = np.linspace(0.0, self.max_angle, _TABLE_SIZE)
        object.__setattr__(self, "_table", (angle, self.radius(angle)))

    def radius(self, angle: np.ndarray) -> np.ndarray:
        """Distorted radius of angles (rad) inside the invertible region."""
        k1, k2, k3, k4 = self.coefficients
        squared = angle * angle
        return angle * (1.0 + squared * (k1 + squared * (k2 + squared * (k3 + squared * k4))))

    def distort(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distorted coordinates of points (..., 3) in the optical frame, and the invertible mask.

        Angles beyond `max_angle` are drawn at the radius of `max_angle`.
        """
        x, y, z = np.moveaxis(points, -1, 0)
        across = np.hypot(x, y)
        angle = np.arctan2(across, z)
        radius = self.radius(np.minimum(angle, self.max_angle))
        # radius / across tends to 1 / z on the optical axis.
        scale = np.where(across > 1e-9 * np.abs(z), radius / np.maximum(across, 1e-300), 1.0 / np.maximum(z, 1e-12))
        # Straight behind the camera the direction in the image is undefined.
        valid = (angle < self.max_angle) & ((z > 0.0) | (across > 1e-9 * np.abs(z)))
        return x * scale, y * scale, valid

    def undistort(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Unit rays (..., 3) of distorted coordinates; those beyond the region go to its border."""
        radius = np.hypot(x, y)
        angles, radii = self._table
        angle = np.interp(radius, radii, angles)
        slope = np.concatenate([[1.0], self.coefficients * np.array([3.0, 5.0, 7.0, 9.0])])
        for _ in range(_NEWTON_STEPS):
            off = radius - self.radius(angle)
            if np.abs(off).max(initial=0.0) < _CONVERGED:
                break
            step = off / np.maximum(np.polynomial.polynomial.polyval(angle**2, slope), 1e-6)
            angle = np.clip(angle + step, 0.0, self.max_angle)
        across = np.where(radius > 1e-12, np.sin(angle) / np.maximum(radius, 1e-12), 1.0)
        return np.stack([x * across, y * across, np.cos(angle)], axis=-1)
