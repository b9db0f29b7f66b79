"""Kinematic paths: unicycle drives, trains that follow their leader, people who walk between errands."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.scene import Trajectory


def drive(
    start: tuple[float, float, float], speed: float, yaw_rates: np.ndarray, duration_s: float, rate_hz: float = 20.0
) -> Trajectory:
    """Integrate a unicycle.

    Args:
        start: (x, y, yaw) at time 0.
        speed: m/s.
        yaw_rates: (S,) rad/s, one for each equal part of the time.
        duration_s: length of the drive; the path also reaches 1 s before and after it.
        rate_hz: knots per second.
    """
    times = np.arange(-1.0, duration_s + 1.0 + 1e-9, 1 / rate_hz)
    part = np.clip((times / max(duration_s, 1e-6) * len(yaw_rates)).astype(int), 0, len(yaw_rates) - 1)
    yaw = start[2] + np.concatenate([[0.0], np.cumsum(np.asarray(yaw_rates)[part][:-1] / rate_hz)])
    steps = speed / rate_hz * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    positions = np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1], axis=0)])
    zero = int(np.argmin(np.abs(times)))
    yaw = yaw - yaw[zero] + start[2]
    positions = positions - positions[zero] + np.array(start[:2])
    return Trajectory(times, positions, yaw)


def straight(start: np.ndarray, end: np.ndarray, speed: float, duration_s: float, delay_s: float = 0.0) -> Trajectory:
    """Drive from `start` towards `end` ((2,) metres) at `speed` for the whole time (beyond `end` if need be)."""
    heading = np.asarray(end, float) - np.asarray(start, float)
    yaw = float(np.arctan2(heading[1], heading[0]))
    direction = np.array([np.cos(yaw), np.sin(yaw)])
    times = np.array([-1.0 + delay_s, duration_s + 1.0])
    return Trajectory(times, start + direction * speed * (times - delay_s)[:, None], np.full(2, yaw))


def followers(leader: Trajectory, spacings: list[float]) -> list[Trajectory]:
    """Paths of the wagons behind a leader, each on the leader's track, articulated.

    Args:
        leader: path of the tractor's centre.
        spacings: metres along the path from the leader's centre to each wagon's centre.
    """
    steps = np.linalg.norm(np.diff(leader.positions, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if along[-1] < 1e-6:
        direction = np.array([np.cos(leader.yaws[0]), np.sin(leader.yaws[0])])
        return [Trajectory(leader.times, leader.positions - s * direction, leader.yaws) for s in spacings]
    yaw0 = leader.yaws[0]
    back = max(spacings) + 1.0
    # The track before the first knot is taken as straight.
    track = np.concatenate([[leader.positions[0] - back * np.array([np.cos(yaw0), np.sin(yaw0)])], leader.positions])
    distance, yaws = np.concatenate([[-back], along]), np.concatenate([[yaw0], leader.yaws])
    paths = []
    for spacing in spacings:
        at = along - spacing
        positions = np.stack([np.interp(at, distance, track[:, k]) for k in range(2)], axis=1)
        paths.append(Trajectory(leader.times, positions, np.interp(at, distance, yaws)))
    return paths


def walk(
    rng: np.random.Generator, start: np.ndarray, duration_s: float, speed: float, turn: float = 0.8
) -> Trajectory:
    """A person's errand: straight legs of a few seconds, short turns between them.

    Args:
        rng: random source.
        start: (2,) metres.
        duration_s: seconds to cover.
        speed: m/s; each leg varies it by some 15 %.
        turn: standard deviation of the heading change between legs, radians.
    """
    yaw = rng.uniform(-np.pi, np.pi)
    time, position = -1.0, np.asarray(start, float)
    times, positions, yaws = [time], [position], [yaw]
    while time < duration_s + 1.0:
        leg = rng.uniform(2.0, 6.0)
        position = position + leg * speed * np.exp(rng.normal(0, 0.15)) * np.array([np.cos(yaw), np.sin(yaw)])
        time += leg
        times.append(time)
        positions.append(position)
        yaws.append(yaw)
        yaw = yaw + rng.normal(0, turn)
        time += 0.4
        times.append(time)
        positions.append(position)
        yaws.append(yaw)
    return Trajectory(np.array(times), np.array(positions), np.array(yaws))
