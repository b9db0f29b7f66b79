"""How objects move between frames, or stay: batched motion models of one state.

All classes share the state, so that tracks of any class are propagated together; classes differ in
their noise, in whether the velocity turns with the heading, and in how fast motion dies out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from airside_perception.config import ClassTrackingConfig
from airside_perception.geometry.se3 import wrap_angle

STATE_SIZE = 10
"""x, y, z, length, width, height, yaw (the order of records.STATE_NAMES), vx, vy, yaw rate."""

BOX_SIZE = 7
YAW, VX, VY, YAW_RATE = 6, 7, 8, 9


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
        restart_speed_std, restart_yaw_rate_std: of what was parked and starts to move, m/s and rad/s.
        stays_parked_s, stays_moving_s: mean times in these modes, seconds.
    """

    turns: np.ndarray
    acceleration: np.ndarray
    yaw_acceleration: np.ndarray
    height_walk: np.ndarray
    size_walk: np.ndarray
    velocity_decay_s: np.ndarray
    sideways_std: np.ndarray
    restart_speed_std: np.ndarray
    restart_yaw_rate_std: np.ndarray
    stays_parked_s: np.ndarray
    stays_moving_s: np.ndarray

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
            restart_speed_std=np.array([c.restart_speed_std for c in configs]),
            restart_yaw_rate_std=np.array([c.initial_yaw_rate_std for c in configs]),
            stays_parked_s=np.array([c.stays_parked_s for c in configs]),
            stays_moving_s=np.array([c.stays_moving_s for c in configs]),
        )

    def rows(self, indices: Sequence[int]) -> MotionParameters:
        """The parameters of the given rows, in that order, repeats allowed."""
        picked = np.asarray(indices, int)
        return MotionParameters(*(getattr(self, field.name)[picked] for field in fields(self)))


YAW_RATE_DECAY_S = 2.0
"""Nobody turns for ever: time constant of the yaw rate, seconds."""

PARKED_WALK = np.array([0.02, 0.02, 0.01])
"""Random walk of x, y (m per sqrt(s)) and yaw (rad per sqrt(s)) of what is parked: odometry drifts a little, too."""

_PARKED_SPEED_STD = 0.02
"""Keeps the covariance of a parked state regular, m/s and rad/s."""


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


def hold(states: np.ndarray, dt: float, parameters: MotionParameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Let parked objects stay where they are; arguments and results as of `propagate`."""
    count = len(states)
    held = states.copy()
    held[:, VX:] = 0.0
    jacobian = np.broadcast_to(np.diag(np.arange(STATE_SIZE) < VX).astype(float), (count, STATE_SIZE, STATE_SIZE))
    noise = np.zeros((count, STATE_SIZE, STATE_SIZE))
    for axis, walk in zip((0, 1, YAW), PARKED_WALK, strict=True):
        noise[:, axis, axis] = walk**2 * dt
    for axis in (VX, VY, YAW_RATE):
        noise[:, axis, axis] = _PARKED_SPEED_STD**2
    _add_walks(noise, dt, parameters)
    return held, jacobian, noise


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
    _add_walks(noise, dt, parameters)
    return noise


def _add_walks(noise: np.ndarray, dt: float, parameters: MotionParameters) -> None:
    noise[:, 2, 2] = parameters.height_walk**2 * dt
    for axis in (3, 4, 5):
        noise[:, axis, axis] = parameters.size_walk**2 * dt
