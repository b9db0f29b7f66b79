"""How objects move between frames: batched motion models around one filterpy Kalman filter per track.

All classes share one state, so that tracks of any class are propagated together; classes differ
in their noise, in whether the velocity turns with the heading, and in how fast motion dies out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from filterpy.kalman import KalmanFilter

from airside_perception.config import ClassTrackingConfig
from airside_perception.geometry.se3 import wrap_angle

STATE_SIZE = 10
"""x, y, z, length, width, height, yaw (the order of records.STATE_NAMES), vx, vy, yaw rate."""

BOX_SIZE = 7
YAW, VX, VY, YAW_RATE = 6, 7, 8, 9

_MEASUREMENT_SIZE = BOX_SIZE + 1
"""The box, and the sideways velocity, which is measured to be about zero: wheels and feet go forward."""

_FREE_SIDEWAYS_STD = 1e3
"""Standard deviation (m/s) that switches the sideways measurement off."""

MINIMUM_STD = np.array([0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.01])
"""No measured box is better than this (metres, radians): guards against overconfident covariances."""

SMALLEST_SIZE = 0.05
"""No box edge shrinks below this, metres."""

NIS_LIMIT = 24.3
"""99.9 % point of chi-square with 7 degrees of freedom; beyond it a measurement's noise is inflated."""


@dataclass(frozen=True)
class MotionParameters:
    """Per-track motion parameters, each (N,) float64.

    Attributes:
        turns: 1 where the velocity turns with the yaw rate (coordinated turn), else 0.
        acceleration: spectral density's root of the horizontal acceleration, m/s^2 per sqrt(Hz).
        yaw_acceleration: the same for the yaw acceleration, rad/s^2 per sqrt(Hz).
        height_walk: random walk of z, m per sqrt(s).
        size_walk: random walk of length, width and height, m per sqrt(s).
        velocity_decay_s: time constant of the velocity; infinite for constant velocity.
        sideways_std: standard deviation of the velocity across the heading, m/s; 0 for "no such rule".
    """

    turns: np.ndarray
    acceleration: np.ndarray
    yaw_acceleration: np.ndarray
    height_walk: np.ndarray
    size_walk: np.ndarray
    velocity_decay_s: np.ndarray
    sideways_std: np.ndarray

    @classmethod
    def from_configs(cls, configs: Sequence[ClassTrackingConfig]) -> MotionParameters:
        """One row per track, from the class section of each track."""
        decay = np.array([c.velocity_decay_s for c in configs])
        return cls(
            turns=np.array([c.motion == "coordinated_turn" for c in configs], np.float64),
            acceleration=np.array([c.acceleration_noise for c in configs]),
            yaw_acceleration=np.array([c.yaw_acceleration_noise for c in configs]),
            height_walk=np.array([c.height_walk for c in configs]),
            size_walk=np.array([c.size_walk for c in configs]),
            velocity_decay_s=np.where(decay > 0.0, decay, np.inf),
            sideways_std=np.array([c.sideways_std for c in configs]),
        )

    def rows(self, indices: Sequence[int]) -> MotionParameters:
        """The parameters of the given rows, in that order, repeats allowed."""
        picked = np.asarray(indices, int)
        return MotionParameters(*(getattr(self, field.name)[picked] for field in fields(self)))


YAW_RATE_DECAY_S = 2.0
"""Nobody turns for ever: time constant of the yaw rate, seconds."""


def propagate(states: np.ndarray, dt: float, parameters: MotionParameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move states forward in time.

    Args:
        states: (N, 10) float64, see STATE_SIZE.
        dt: seconds, >= 0.
        parameters: rows as `states`.

    Returns:
        (N, 10) new states (yaw wrapped), (N, 10, 10) Jacobians, (N, 10, 10) process noise.
    """
    count = len(states)
    vx, vy = states[:, VX], states[:, VY]
    rate = states[:, YAW_RATE] * parameters.turns
    sine, cosine = np.sin(rate * dt), np.cos(rate * dt)
    along, across, along_rate, across_rate = _arc(rate, dt, sine, cosine)
    keep = np.exp(-dt / parameters.velocity_decay_s)
    keep_rate = np.exp(-dt / YAW_RATE_DECAY_S)

    moved = states.copy()
    moved[:, 0] += along * vx - across * vy
    moved[:, 1] += across * vx + along * vy
    moved[:, YAW] = wrap_angle(states[:, YAW] + dt * states[:, YAW_RATE])
    moved[:, VX] = keep * (cosine * vx - sine * vy)
    moved[:, VY] = keep * (sine * vx + cosine * vy)
    moved[:, YAW_RATE] *= keep_rate

    jacobian = np.broadcast_to(np.eye(STATE_SIZE), (count, STATE_SIZE, STATE_SIZE)).copy()
    jacobian[:, 0, VX] = jacobian[:, 1, VY] = along
    jacobian[:, 0, VY], jacobian[:, 1, VX] = -across, across
    jacobian[:, VX, VX] = jacobian[:, VY, VY] = keep * cosine
    jacobian[:, VX, VY], jacobian[:, VY, VX] = -keep * sine, keep * sine
    jacobian[:, YAW, YAW_RATE] = dt
    jacobian[:, YAW_RATE, YAW_RATE] = keep_rate
    turns = parameters.turns
    jacobian[:, 0, YAW_RATE] = turns * (along_rate * vx - across_rate * vy)
    jacobian[:, 1, YAW_RATE] = turns * (across_rate * vx + along_rate * vy)
    jacobian[:, VX, YAW_RATE] = -turns * dt * moved[:, VY]
    jacobian[:, VY, YAW_RATE] = turns * dt * moved[:, VX]
    return moved, jacobian, _process_noise(dt, parameters, count)


def _arc(rate: np.ndarray, dt: float, sine: np.ndarray, cosine: np.ndarray) -> tuple[np.ndarray, ...]:
    """sin(w t)/w and (1 - cos(w t))/w, and their derivatives in w, with their series where w is small."""
    small = np.abs(rate * dt) < 1e-3
    safe = np.where(small, 1.0, rate)
    along = np.where(small, dt - rate**2 * dt**3 / 6.0, sine / safe)
    across = np.where(small, 0.5 * rate * dt**2, (1.0 - cosine) / safe)
    along_rate = np.where(small, -rate * dt**3 / 3.0, (dt * cosine - along) / safe)
    across_rate = np.where(small, 0.5 * dt**2, (dt * sine - across) / safe)
    return along, across, along_rate, across_rate


def _process_noise(dt: float, parameters: MotionParameters, count: int) -> np.ndarray:
    """(N, 10, 10): white accelerations, random walks of height and size."""
    noise = np.zeros((count, STATE_SIZE, STATE_SIZE))
    for position, velocity, density in (
        (0, VX, parameters.acceleration),
        (1, VY, parameters.acceleration),
        (YAW, YAW_RATE, parameters.yaw_acceleration),
    ):
        noise[:, position, position] = density**2 * dt**3 / 3.0
        noise[:, position, velocity] = noise[:, velocity, position] = density**2 * dt**2 / 2.0
        noise[:, velocity, velocity] = density**2 * dt
    noise[:, 2, 2] = parameters.height_walk**2 * dt
    for axis in (3, 4, 5):
        noise[:, axis, axis] = parameters.size_walk**2 * dt
    return noise


def new_filter(
    box: np.ndarray, covariance: np.ndarray, velocity: np.ndarray | None, config: ClassTrackingConfig
) -> KalmanFilter:
    """A filter that starts from one measurement.

    Args:
        box: (7,) float64 in the fixed frame.
        covariance: (7, 7) of `box`.
        velocity: (2,) m/s, or None: standing, with the class's spread.
        config: the object's class section.
    """
    kalman = KalmanFilter(dim_x=STATE_SIZE, dim_z=_MEASUREMENT_SIZE)
    kalman.x = np.zeros(STATE_SIZE)
    kalman.x[:BOX_SIZE] = box
    kalman.x[YAW] = wrap_angle(box[6])
    kalman.P = np.zeros((STATE_SIZE, STATE_SIZE))
    kalman.P[:BOX_SIZE, :BOX_SIZE] = covariance
    spread = config.initial_speed_std
    if velocity is not None and np.all(np.isfinite(velocity)):
        kalman.x[VX : VY + 1] = velocity
        spread = min(1.0, spread)
    kalman.P[VX, VX] = kalman.P[VY, VY] = spread**2
    kalman.P[YAW_RATE, YAW_RATE] = config.initial_yaw_rate_std**2
    return kalman


def predict(filters: Sequence[KalmanFilter], dt: float, parameters: MotionParameters) -> None:
    """Advance all filters by `dt` seconds, in place."""
    if not filters:
        return
    states, jacobians, noise = propagate(np.stack([kalman.x for kalman in filters]), dt, parameters)
    covariances = jacobians @ np.stack([kalman.P for kalman in filters]) @ np.swapaxes(jacobians, -1, -2) + noise
    # filterpy's own predict would move the mean by the Jacobian (a turn is not linear), one track at a time.
    for kalman, state, covariance in zip(filters, states, covariances, strict=True):
        kalman.x, kalman.P = state, covariance


def correct(
    filters: Sequence[KalmanFilter], boxes: np.ndarray, covariances: np.ndarray, parameters: MotionParameters
) -> np.ndarray:
    """Update each filter with its own measured box, in place.

    A heading that is off by more than a quarter turn is taken as its opposite: render-and-compare
    and detectors mix up front and back far more often than objects turn round between two frames.

    Args:
        filters: N filters.
        boxes: (N, 7) measured boxes.
        covariances: (N, 7, 7) of the boxes, see `safe_covariances`.
        parameters: rows as `filters`.

    Returns:
        (N,) bool, True where the measured heading was turned by pi.
    """
    if not filters:
        return np.zeros(0, bool)
    states = np.stack([kalman.x for kalman in filters])
    innovation = boxes - states[:, :BOX_SIZE]
    innovation[:, YAW] = wrap_angle(innovation[:, YAW])
    flipped = np.abs(innovation[:, YAW]) > 0.5 * np.pi
    innovation[flipped, YAW] = wrap_angle(innovation[flipped, YAW] + np.pi)

    prior = np.stack([kalman.P[:BOX_SIZE, :BOX_SIZE] for kalman in filters])
    noise = covariances * _inflation(innovation, prior, covariances)[:, None, None]
    observation, sideways = _observation(states)
    full_noise = np.zeros((len(filters), _MEASUREMENT_SIZE, _MEASUREMENT_SIZE))
    full_noise[:, :BOX_SIZE, :BOX_SIZE] = noise
    std = np.where(parameters.sideways_std > 0.0, parameters.sideways_std, _FREE_SIDEWAYS_STD)
    full_noise[:, BOX_SIZE, BOX_SIZE] = std**2
    # filterpy forms z - H x itself; adding H x makes that our wrapped and nonlinear innovation.
    measured = np.einsum("nij,nj->ni", observation, states)
    measured += np.concatenate([innovation, -sideways[:, None]], axis=1)
    for kalman, z, matrix, spread in zip(filters, measured, observation, full_noise, strict=True):
        kalman.update(z, R=spread, H=matrix)
        kalman.x[YAW] = (kalman.x[YAW] + np.pi) % (2.0 * np.pi) - np.pi
        np.maximum(kalman.x[3:6], SMALLEST_SIZE, out=kalman.x[3:6])
    return flipped


def _observation(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 8, 10) measurement Jacobians and (N,) sideways velocities, m/s."""
    sine, cosine = np.sin(states[:, YAW]), np.cos(states[:, YAW])
    vx, vy = states[:, VX], states[:, VY]
    matrix = np.zeros((len(states), _MEASUREMENT_SIZE, STATE_SIZE))
    matrix[:, :BOX_SIZE, :BOX_SIZE] = np.eye(BOX_SIZE)
    matrix[:, BOX_SIZE, VX], matrix[:, BOX_SIZE, VY] = -sine, cosine
    matrix[:, BOX_SIZE, YAW] = -(vx * cosine + vy * sine)
    return matrix, cosine * vy - sine * vx


def _inflation(innovation: np.ndarray, prior: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(N,) factors >= 1 on measurement noise: measurements that fit badly count less (M-estimation)."""
    solved = np.linalg.solve(prior + noise, innovation[..., None])[..., 0]
    squared = np.einsum("ni,ni->n", innovation, solved)
    return np.maximum(squared / NIS_LIMIT, 1.0)


def safe_covariances(covariances: np.ndarray, scale: float, fallback_std: np.ndarray) -> np.ndarray:
    """Measurement noise that a filter can live with.

    Args:
        covariances: (N, 7, 7) as estimated; may hold NaN or be indefinite.
        scale: factor on the covariance.
        fallback_std: (N, 7) standard deviations in place of unusable covariances.

    Returns:
        (N, 7, 7) symmetric, positive definite, at least MINIMUM_STD on the diagonal.
    """
    symmetric = 0.5 * scale * (covariances + np.swapaxes(covariances, -1, -2))
    fallback = fallback_std[:, :, None] ** 2 * np.eye(BOX_SIZE)
    usable = np.isfinite(symmetric).all(axis=(1, 2)) & (np.einsum("nii->ni", symmetric) >= 0.0).all(axis=1)
    result = np.where(usable[:, None, None], symmetric, fallback) + np.diag(MINIMUM_STD**2)
    try:
        np.linalg.cholesky(result)
    except np.linalg.LinAlgError:
        definite = np.linalg.eigvalsh(result)[:, 0] > 0.0
        result = np.where(definite[:, None, None], result, fallback + np.diag(MINIMUM_STD**2))
    return result
