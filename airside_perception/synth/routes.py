"""Kinematic paths: unicycle drives, trains that follow their leader, people who walk between errands."""

from __future__ import annotations

import numpy as np

from airside_perception.synth.scene import Trajectory


def drive(
    start: tuple[float, float, float],
    speeds: float | np.ndarray,
    yaw_rates: np.ndarray,
    duration_s: float,
    rate_hz: float = 20.0,
) -> Trajectory:
    """Integrate a unicycle.

    Args:
        start: (x, y, yaw) at time 0.
        speeds: m/s, negative backwards; one value, or several that are passed through at equal spacing in time.
        yaw_rates: (S,) rad/s, one for each equal part of the time.
        duration_s: length of the drive; the path also reaches 1 s before and after it.
        rate_hz: knots per second.
    """
    times = np.arange(-1.0, duration_s + 1.0 + 1e-9, 1 / rate_hz)
    speeds = np.atleast_1d(np.asarray(speeds, float))
    speed = np.interp(times, np.linspace(0, duration_s, len(speeds)), speeds)
    part = np.clip((times / max(duration_s, 1e-6) * len(yaw_rates)).astype(int), 0, len(yaw_rates) - 1)
    # What stands does not turn.
    turning = np.asarray(yaw_rates, float)[part] * np.minimum(np.abs(speed) / 0.5, 1.0)
    yaw = start[2] + np.concatenate([[0.0], np.cumsum(turning[:-1] / rate_hz)])
    steps = (speed / rate_hz)[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    positions = np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1], axis=0)])
    zero = int(np.argmin(np.abs(times)))
    turn = start[2] - yaw[zero]
    cosine, sine = np.cos(turn), np.sin(turn)
    positions = (positions - positions[zero]) @ np.array([[cosine, sine], [-sine, cosine]]) + np.array(start[:2])
    return Trajectory(times, positions, yaw + turn)


def traffic_speeds(
    rng: np.random.Generator, duration_s: float, cruise: tuple[float, float] = (1.5, 6.5), acceleration: float = 1.0
) -> np.ndarray:
    """Speeds over a scene: cruising, slowing down for something, coming to a halt or driving off.

    Args:
        rng: random source.
        duration_s: seconds that the speeds cover.
        cruise: lowest and highest speed to drive at, m/s.
        acceleration: m/s2 that no change exceeds.

    Returns:
        (S,) m/s at equal spacing in time.
    """
    pace, manner = rng.uniform(*cruise), rng.random()
    times = np.linspace(0.0, duration_s, max(int(duration_s / 0.2), 4) + 1)
    if manner < 0.55:
        wobble = np.interp(times, np.linspace(0, duration_s, 5), rng.normal(0, 0.08, 5))
        return _limited(pace * np.exp(wobble), times, acceleration)
    shares = ([1.0, 0.9, 0.45, 0.4, 0.8], [1.0, 0.85, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.9, 1.0])[int(rng.integers(3))]
    return _limited(pace * np.interp(times, np.linspace(0, duration_s, 5), shares), times, acceleration)


def _limited(speeds: np.ndarray, times: np.ndarray, acceleration: float) -> np.ndarray:
    """The largest speeds below `speeds` (S,) that change no faster than `acceleration`."""
    change = acceleration * times
    from_left = np.minimum.accumulate(speeds - change) + change
    return np.minimum(from_left, (np.minimum.accumulate((speeds + change)[::-1])[::-1]) - change)


def towards_motion(path: Trajectory) -> Trajectory:
    """The same places, heading where it goes; where it stands it keeps the heading before, at first its own."""
    steps = np.diff(path.positions, axis=0)
    goes = np.linalg.norm(steps, axis=1) > 1e-4
    if not goes.any():
        return path
    course = np.arctan2(steps[:, 1], steps[:, 0])
    # A path's own heading is right where it first stands.
    course = np.concatenate([[path.yaws[0]], course])
    known = np.concatenate([[0], np.where(goes, np.arange(1, len(course)), 0)])
    return Trajectory(path.times, path.positions, np.unwrap(course[np.maximum.accumulate(known)]))


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


def walk(rng: np.random.Generator, start: np.ndarray, duration_s: float, speed: float, turn: float = 0.8) -> Trajectory:
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
