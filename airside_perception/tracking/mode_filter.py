"""Two motion hypotheses per track, parked and moving, filtered side by side and mixed by their probabilities.

Most of what stands on an apron is parked. A filter that must always expect it to drive off forgets within seconds
where it was seen before; one that may believe it parked averages over all views, and the vehicle's own motion then
triangulates what no single view can range. Interacting multiple models after Blom and Bar-Shalom (1988), all tracks in
one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from airside_perception.config import ClassTrackingConfig
from airside_perception.geometry.se3 import wrap_angle
from airside_perception.tracking import motion
from airside_perception.tracking.motion import BOX_SIZE, STATE_SIZE, VX, VY, YAW, YAW_RATE, MotionParameters

PARKED, MOVING = 0, 1

_MEASUREMENT_SIZE = BOX_SIZE + 1
"""The box, and the sideways velocity, which is measured to be about zero: wheels and feet go forward."""

_FREE_SIDEWAYS_STD = 1e3
"""Standard deviation (m/s) that switches the sideways measurement off."""

MINIMUM_STD = np.array([0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.01])
"""No measured box is better than this (metres, radians): guards against overconfident covariances."""

SMALLEST_SIZE = 0.05
"""No box edge shrinks below this, metres."""

_UNTOLD_SPEED_STD = 1.0
"""Standard deviation (m/s) of a new track's velocity that came without one."""

NIS_LIMIT = 24.3
"""99.9 % point of chi-square with 7 degrees of freedom; beyond it a measurement's noise is inflated."""

VELOCITY_NIS_LIMIT = 13.8
"""The same with 2 degrees of freedom, for measured velocities."""

_LARGEST_SURPRISE = 5.0
"""One measurement shifts the odds between the modes by so many nats at most: outliers are no motion."""

_SMALLEST_PROBABILITY = 1e-4


@dataclass
class ModeFilter:
    """Filter of one track.

    Attributes:
        states: (2, 10) float64 of the modes PARKED and MOVING, see motion.STATE_SIZE.
        covariances: (2, 10, 10).
        probabilities: (2,) of the modes, sum 1.
        x, P: (10,) and (10, 10), mean and covariance of the mixture.
    """

    states: np.ndarray
    covariances: np.ndarray
    probabilities: np.ndarray
    x: np.ndarray = field(init=False)
    P: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        means, spreads = _mixture(self.states[None], self.covariances[None], self.probabilities[None])
        self.x, self.P = means[0], spreads[0]

    @property
    def parked(self) -> bool:
        """True where the object more likely stands than moves."""
        return bool(self.probabilities[PARKED] > 0.5)

    def turn_round(self) -> None:
        """Front becomes back, in all modes."""
        self.states[:, YAW] = wrap_angle(self.states[:, YAW] + np.pi)
        self.x[YAW] = wrap_angle(self.x[YAW] + np.pi)


def new_filter(
    box: np.ndarray,
    covariance: np.ndarray,
    velocity: np.ndarray | None,
    config: ClassTrackingConfig,
    parked_share: float | None = None,
    velocity_std: float = float("nan"),
) -> ModeFilter:
    """A filter that starts from one measurement.

    Args:
        box: (7,) float64 in the fixed frame.
        covariance: (7, 7) of `box`.
        velocity: (2,) m/s of the moving mode, or None: zero, with the class's spread.
        config: the object's class section.
        parked_share: probability that it is parked; None: its class's.
        velocity_std: m/s, of each component of `velocity`; NaN: nobody knows.
    """
    states, covariances = np.zeros((2, STATE_SIZE)), np.zeros((2, STATE_SIZE, STATE_SIZE))
    states[:, :BOX_SIZE] = box
    states[:, YAW] = wrap_angle(box[6])
    covariances[:, :BOX_SIZE, :BOX_SIZE] = covariance
    spread = config.initial_speed_std
    if velocity is not None and np.all(np.isfinite(velocity)):
        states[MOVING, VX : VY + 1] = velocity
        spread = min(velocity_std if np.isfinite(velocity_std) else _UNTOLD_SPEED_STD, spread)
    covariances[MOVING, VX, VX] = covariances[MOVING, VY, VY] = spread**2
    covariances[MOVING, YAW_RATE, YAW_RATE] = config.initial_yaw_rate_std**2
    share = config.parked_share if parked_share is None else parked_share
    parked = np.clip(share, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
    return ModeFilter(states, covariances, np.array([parked, 1.0 - parked]))


def predict(filters: Sequence[ModeFilter], dt: float, parameters: MotionParameters) -> None:
    """Advance all filters by `dt` seconds, in place."""
    if not filters:
        return
    states, covariances, probabilities = _stacked(filters)
    switched = _transitions(dt, parameters)
    joint = switched * probabilities[:, :, None]
    expected = joint.sum(axis=1)
    states, covariances = _interact(states, covariances, joint / expected[:, None, :], parameters)
    for mode, model in ((PARKED, motion.hold), (MOVING, motion.propagate)):
        moved, jacobian, noise = model(states[:, mode], dt, parameters)
        states[:, mode] = moved
        covariances[:, mode] = jacobian @ covariances[:, mode] @ np.swapaxes(jacobian, -1, -2) + noise
    _store(filters, states, covariances, expected)


def correct(
    filters: Sequence[ModeFilter],
    boxes: np.ndarray,
    covariances: np.ndarray,
    parameters: MotionParameters,
    velocities: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Update each filter with its own measured box, in place.

    A heading that is off by more than a quarter turn is taken as its opposite: render-and-compare
    and detectors mix up front and back far more often than objects turn round between two frames.

    Args:
        filters: N filters.
        boxes: (N, 7) measured boxes.
        covariances: (N, 7, 7) of the boxes, see `safe_covariances`.
        parameters: rows as `filters`.
        velocities: (N, 2) measured velocities, m/s, and (N,) standard deviations of their components; NaN where
            there are none. None: nobody's was measured.

    Returns:
        (N,) bool, True where the measured heading was turned by pi.
    """
    if not filters:
        return np.zeros(0, bool)
    boxes = boxes.copy()
    flipped = np.abs(wrap_angle(boxes[:, YAW] - np.array([f.x[YAW] for f in filters]))) > 0.5 * np.pi
    boxes[flipped, YAW] += np.pi
    states, spreads, probabilities = _stacked(filters)
    updated, narrowed, surprise = _updated(
        states.reshape(-1, STATE_SIZE),
        spreads.reshape(-1, STATE_SIZE, STATE_SIZE),
        np.repeat(boxes, 2, axis=0),
        np.repeat(covariances, 2, axis=0),
        np.repeat(parameters.sideways_std, 2),
    )
    if velocities is not None:
        told, std = (np.repeat(each, 2, axis=0) for each in velocities)
        rows = np.flatnonzero(np.isfinite(told).all(axis=1) & (std > 0.0))
        updated[rows], narrowed[rows], more = _with_velocity(updated[rows], narrowed[rows], told[rows], std[rows])
        surprise[rows] += more
    states, spreads = updated.reshape(states.shape), narrowed.reshape(spreads.shape)
    surprise = surprise.reshape(probabilities.shape)
    likelihood = np.exp(-np.minimum(surprise - surprise.min(axis=1, keepdims=True), _LARGEST_SURPRISE))
    probabilities = np.maximum(probabilities * likelihood, _SMALLEST_PROBABILITY)
    _store(filters, states, spreads, probabilities / probabilities.sum(axis=1, keepdims=True))
    return flipped


def _stacked(filters: Sequence[ModeFilter]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, 2, 10) states, (N, 2, 10, 10) covariances, (N, 2) probabilities; copies."""
    return (
        np.array([f.states for f in filters]),
        np.array([f.covariances for f in filters]),
        np.array([f.probabilities for f in filters]),
    )


def _store(filters: Sequence[ModeFilter], states: np.ndarray, covariances: np.ndarray, odds: np.ndarray) -> None:
    means, spreads = _mixture(states, covariances, odds)
    for row, each in enumerate(filters):
        each.states, each.covariances, each.probabilities = states[row], covariances[row], odds[row]
        each.x, each.P = means[row], spreads[row]


def _mixture(states: np.ndarray, covariances: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 10) means and (N, 10, 10) covariances of mixtures (N, 2, ...) with weights (N, 2)."""
    apart = states[:, 1] - states[:, 0]
    apart[:, YAW] = wrap_angle(apart[:, YAW])
    first, second = weights[:, 0, None], weights[:, 1, None]
    mean = states[:, 0] + second * apart
    mean[:, YAW] = wrap_angle(mean[:, YAW])
    # Of two parts, the spread between them is the product of their weights times the square of their distance.
    between = (first * second * apart)[:, :, None] * apart[:, None, :]
    return mean, first[..., None] * covariances[:, 0] + second[..., None] * covariances[:, 1] + between


def _transitions(dt: float, parameters: MotionParameters) -> np.ndarray:
    """(N, 2, 2) probabilities of being in the second mode after `dt`, having been in the first."""
    starts = 1.0 - np.exp(-dt / parameters.stays_parked_s)
    stops = 1.0 - np.exp(-dt / parameters.stays_moving_s)
    return np.stack([np.stack([1.0 - starts, starts], -1), np.stack([stops, 1.0 - stops], -1)], axis=1)


def _interact(
    states: np.ndarray, covariances: np.ndarray, weights: np.ndarray, parameters: MotionParameters
) -> tuple[np.ndarray, np.ndarray]:
    """Start of each mode: the mixture of where the modes were, weights (N, from, to)."""
    restarting = covariances.copy()
    for axis, spread in (
        (VX, parameters.restart_speed_std),
        (VY, parameters.restart_speed_std),
        (YAW_RATE, parameters.restart_yaw_rate_std),
    ):
        restarting[:, PARKED, axis, axis] += spread**2
    into_parked = _mixture(states, covariances, weights[:, :, PARKED])
    into_moving = _mixture(states, restarting, weights[:, :, MOVING])
    return tuple(np.stack(pair, axis=1) for pair in zip(into_parked, into_moving, strict=True))  # type: ignore[return-value]


def _updated(
    states: np.ndarray, priors: np.ndarray, boxes: np.ndarray, noise: np.ndarray, sideways_std: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kalman updates, one a row: modes of a track are updated like tracks of their own.

    Returns:
        (N, 10) states, (N, 10, 10) covariances, (N,) negative log-likelihoods of what was measured of places, nats.
    """
    innovation = boxes - states[:, :BOX_SIZE]
    innovation[:, YAW] = wrap_angle(innovation[:, YAW])
    surprise = _surprise(innovation[:, :2], priors[:, :2, :2] + noise[:, :2, :2])
    inflation = _inflation(innovation, priors[:, :BOX_SIZE, :BOX_SIZE] + noise, NIS_LIMIT)
    observation, sideways = _observation(states)
    full = np.zeros((len(states), _MEASUREMENT_SIZE, _MEASUREMENT_SIZE))
    full[:, :BOX_SIZE, :BOX_SIZE] = noise * inflation[:, None, None]
    std = np.where(sideways_std > 0.0, sideways_std, _FREE_SIDEWAYS_STD)
    full[:, BOX_SIZE, BOX_SIZE] = std**2
    cross = priors @ np.swapaxes(observation, -1, -2)
    gain = np.swapaxes(np.linalg.solve(observation @ cross + full, np.swapaxes(cross, -1, -2)), -1, -2)
    difference = np.concatenate([innovation, -sideways[:, None]], axis=1)
    updated = states + np.einsum("nij,nj->ni", gain, difference)
    updated[:, YAW] = wrap_angle(updated[:, YAW])
    np.maximum(updated[:, 3:6], SMALLEST_SIZE, out=updated[:, 3:6])
    # Joseph's form: stays positive definite however small the noise.
    left = np.eye(STATE_SIZE) - gain @ observation
    covariance = left @ priors @ np.swapaxes(left, -1, -2) + gain @ full @ np.swapaxes(gain, -1, -2)
    return updated, covariance, surprise


def _with_velocity(
    states: np.ndarray, priors: np.ndarray, velocities: np.ndarray, std: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kalman updates by measured velocities (N, 2) alone; results as of `_updated`."""
    moving = slice(VX, VY + 1)
    innovation = velocities - states[:, moving]
    noise = std[:, None, None] ** 2 * np.eye(2)
    surprise = _surprise(innovation, priors[:, moving, moving] + noise)
    noise = noise * _inflation(innovation, priors[:, moving, moving] + noise, VELOCITY_NIS_LIMIT)[:, None, None]
    cross = priors[:, :, moving]
    gain = np.swapaxes(np.linalg.solve(priors[:, moving, moving] + noise, np.swapaxes(cross, -1, -2)), -1, -2)
    updated = states + np.einsum("nij,nj->ni", gain, innovation)
    updated[:, YAW] = wrap_angle(updated[:, YAW])
    np.maximum(updated[:, 3:6], SMALLEST_SIZE, out=updated[:, 3:6])
    left = np.eye(STATE_SIZE) - gain @ np.eye(STATE_SIZE)[moving]
    covariance = left @ priors @ np.swapaxes(left, -1, -2) + gain @ noise @ np.swapaxes(gain, -1, -2)
    return updated, covariance, surprise


def _surprise(innovation: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(N,) negative log-likelihood of (N, 2) differences whose covariances are (N, 2, 2), up to a constant."""
    solved = np.linalg.solve(spread, innovation[..., None])[..., 0]
    return np.asarray(0.5 * (np.einsum("ni,ni->n", innovation, solved) + np.log(np.linalg.det(spread))))


def _observation(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 8, 10) measurement Jacobians and (N,) sideways velocities, m/s."""
    sine, cosine = np.sin(states[:, YAW]), np.cos(states[:, YAW])
    vx, vy = states[:, VX], states[:, VY]
    matrix = np.zeros((len(states), _MEASUREMENT_SIZE, STATE_SIZE))
    matrix[:, :BOX_SIZE, :BOX_SIZE] = np.eye(BOX_SIZE)
    matrix[:, BOX_SIZE, VX], matrix[:, BOX_SIZE, VY] = -sine, cosine
    matrix[:, BOX_SIZE, YAW] = -(vx * cosine + vy * sine)
    return matrix, cosine * vy - sine * vx


def _inflation(innovation: np.ndarray, spread: np.ndarray, limit: float) -> np.ndarray:
    """(N,) factors >= 1 on measurement noise: measurements that fit badly count less (M-estimation)."""
    solved = np.linalg.solve(spread, innovation[..., None])[..., 0]
    squared = np.einsum("ni,ni->n", innovation, solved)
    return np.maximum(squared / limit, 1.0)


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
