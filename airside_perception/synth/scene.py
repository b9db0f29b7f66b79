"""The scene description that every rendering backend shares: who is where, when, in which light.

The world frame of a scene is its `odom` frame: z up, the apron is the plane z = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import pose_from_xyz_yaw, wrap_angle
from airside_perception.synth.assets import Asset
from airside_perception.synth.lifting import raised_to
from airside_perception.synth.mesh import Mesh

if TYPE_CHECKING:
    from airside_perception.synth.episodes import Episode


@dataclass(frozen=True)
class Trajectory:
    """A planar path in time, linear between knots.

    Attributes:
        times: (K,) float64 seconds, increasing.
        positions: (K, 2) float64 metres, world.
        yaws: (K,) float64 radians, unwrapped.
    """

    times: np.ndarray
    positions: np.ndarray
    yaws: np.ndarray

    @staticmethod
    def standing(x: float, y: float, yaw: float) -> Trajectory:
        """A trajectory that never moves."""
        return Trajectory(np.zeros(1), np.array([[x, y]], float), np.array([yaw], float))

    @cached_property
    def moves(self) -> bool:
        """True where any knot differs from the first."""
        return bool(np.ptp(self.positions, axis=0).max() > 1e-6 or np.ptp(self.yaws) > 1e-6)

    def at(self, time_s: float) -> tuple[float, float, float]:
        """(x, y, yaw) at `time_s`; the end knots hold outside their range."""
        if not self.moves:
            return float(self.positions[0, 0]), float(self.positions[0, 1]), float(wrap_angle(self.yaws[0]))
        x = np.interp(time_s, self.times, self.positions[:, 0])
        y = np.interp(time_s, self.times, self.positions[:, 1])
        return float(x), float(y), float(wrap_angle(np.interp(time_s, self.times, self.yaws)))

    def sample(self, times_s: np.ndarray) -> np.ndarray:
        """(T, 3) float64 x, y and yaw (unwrapped) at `times_s`; the end knots hold outside their range."""
        columns = (self.positions[:, 0], self.positions[:, 1], self.yaws)
        return np.stack([np.interp(times_s, self.times, column) for column in columns], axis=1)

    def velocity(self, time_s: float, step_s: float = 0.05) -> np.ndarray:
        """(2,) float64 m/s in the world, by central difference."""
        if not self.moves:
            return np.zeros(2)
        before, after = self.at(time_s - step_s), self.at(time_s + step_s)
        return (np.array(after[:2]) - np.array(before[:2])) / (2 * step_s)

    def yaw_rate(self, time_s: float, step_s: float = 0.05) -> float:
        """rad/s at `time_s`, by central difference."""
        return float(wrap_angle(self.at(time_s + step_s)[2] - self.at(time_s - step_s)[2]) / (2 * step_s))

    def travelled(self, time_s: float) -> float:
        """Metres along the path since the first knot."""
        steps = np.linalg.norm(np.diff(self.positions, axis=0), axis=1)
        return float(np.interp(time_s, self.times, np.concatenate([[0.0], np.cumsum(steps)])))


@dataclass(frozen=True)
class Raising:
    """When a boom or platform rises and sinks, linear between knots.

    Attributes:
        times: (K,) float64 seconds, increasing.
        shares: (K,) float64, 0 lowered .. 1 raised; the end knots hold outside their range.
    """

    times: np.ndarray
    shares: np.ndarray

    def at(self, time_s: float) -> float:
        return float(np.interp(time_s, self.times, self.shares))


@dataclass(frozen=True)
class SceneObject:
    """An asset on its way.

    Attributes:
        object_id: unique in its scene.
        asset: geometry, class and family.
        trajectory: of the box centre, on the ground.
        lift: metres between the ground and the lowest point of the asset.
        stride: metres walked per animation cycle; 0 when walking does not animate the asset.
        phase: animation phase at the first knot, 0..1.
        changes: (from this second on, the asset that is seen), in time order: a walker who crouches. All of one
            topology and one class; before the first it is `asset`.
        raising: of the boom or platform of an asset that lifts; None: it stays as it is. The trajectory is that of
            the lowered box.
    """

    object_id: str
    asset: Asset
    trajectory: Trajectory
    lift: float = 0.0
    stride: float = 0.0
    phase: float = 0.0
    changes: Sequence[tuple[float, Asset]] = ()
    raising: Raising | None = None

    @property
    def still(self) -> bool:
        """True where neither pose nor mesh ever change."""
        return not self.trajectory.moves and not self.deforms

    @property
    def deforms(self) -> bool:
        """True where the mesh changes with time."""
        by_itself = self.asset.animate is not None and (self.stride > 0 or self.asset.cycle_s > 0)
        return bool(self.changes) or self.raising is not None or by_itself

    def asset_at(self, time_s: float) -> Asset:
        """The asset that is seen at `time_s`."""
        if self.raising is not None:
            return self._raised(self.raising.at(time_s))
        seen = [asset for start, asset in self.changes if start <= time_s]
        return seen[-1] if seen else self.asset

    @cached_property
    def _raised(self) -> Callable[[float], Asset]:
        """The asset by how far it is raised; many ask for one time after another."""
        return lru_cache(maxsize=2)(partial(raised_to, self.asset))

    def mesh(self, time_s: float) -> Mesh:
        """The asset's mesh at `time_s`, box-centred, metres."""
        asset = self.asset_at(time_s)
        if asset.animate is None or (asset.cycle_s <= 0 and self.stride <= 0):
            return asset.mesh
        cycles = time_s / asset.cycle_s if asset.cycle_s > 0 else self.trajectory.travelled(time_s) / self.stride
        return asset.animate((self.phase + cycles) % 1.0)

    def pose(self, time_s: float) -> np.ndarray:
        """(4, 4) float64 world_from_object (box centre)."""
        x, y, z, *_, yaw = self.box(time_s)
        return pose_from_xyz_yaw(x, y, z, yaw)

    def box(self, time_s: float) -> np.ndarray:
        """(7,) float64 world box: x, y, z, length, width, height, yaw."""
        x, y, yaw = self.trajectory.at(time_s)
        asset = self.asset_at(time_s)
        if self.raising is not None:
            ahead, left = asset.offset
            x, y = x + ahead * np.cos(yaw) - left * np.sin(yaw), y + ahead * np.sin(yaw) + left * np.cos(yaw)
        return np.array([x, y, self.lift + asset.size[2] / 2, *asset.size, yaw])


@dataclass(frozen=True)
class Lighting:
    """Light and air. Colours are linear RGB; directions are world unit vectors.

    Attributes:
        sun_direction: (3,) towards the light.
        sun_color: (3,) radiance of the direct light.
        ambient_color: (3,) light from the whole sky.
        sky_zenith, sky_horizon: (3,) colours of the visible sky.
        fog_density: 1/m extinction.
        wetness: 0 dry .. 1 mirror-like puddles.
        cloudiness: 0 clear .. 1 overcast pattern strength.
        exposure: multiplies the image before the tone curve.
        cloud_color: (3,) of the clouds; None: the horizon's.
        cloud_scale: size of the clouds; large numbers make small ones.
        sun_glow: (3,) added to the sky low on the sun's side.
        mist: 1/m extinction of spray and ground fog at the ground, thinning out over 2 m of height.
        snow: 0 none .. 1 ground, roofs and wings under snow.
        rain, snowfall: 0 none .. 1 dense drops or flakes in the air.
        glow: radiance of lamps on objects over their albedo.
        window_glow: radiance behind the windows of buildings.
        mast_color: (3,) radiance that a white ground would have a metre below a floodlight mast; zero: off.
        masts: (M, 3) world positions of floodlights beside those of the scene's own masts.
        headlights, beacons: the same strengths of vehicles' lamps; 0: off.
        spots: free lamps, rows of x, y, z, red, green, blue, shining everywhere.
    """

    sun_direction: np.ndarray
    sun_color: np.ndarray
    ambient_color: np.ndarray
    sky_zenith: np.ndarray
    sky_horizon: np.ndarray
    fog_density: float = 0.0
    wetness: float = 0.0
    cloudiness: float = 0.3
    exposure: float = 1.0
    cloud_color: np.ndarray | None = None
    cloud_scale: float = 1.0
    sun_glow: np.ndarray = field(default_factory=lambda: np.zeros(3))
    mist: float = 0.0
    snow: float = 0.0
    rain: float = 0.0
    snowfall: float = 0.0
    glow: float = 1.5
    window_glow: float = 0.0
    mast_color: np.ndarray = field(default_factory=lambda: np.zeros(3))
    masts: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    headlights: float = 0.0
    beacons: float = 0.0
    spots: np.ndarray = field(default_factory=lambda: np.zeros((0, 6)))


@dataclass(frozen=True)
class GroundTexture:
    """A drawn apron surface.

    Attributes:
        albedo: (rows, columns, 3) uint8, 255 times the linear albedo; row = y, column = x. Mirrored beyond its edges.
        origin: (2,) world x, y of texel (0, 0)'s centre.
        metres_per_texel: edge of a texel.
    """

    albedo: np.ndarray
    origin: np.ndarray
    metres_per_texel: float


@dataclass(frozen=True)
class SensorStyle:
    """How lens, sensor and image processor bend the truth; see `sensor.expose`. Lengths are in pixels.

    Attributes:
        gain, white_balance: exposure, and its ratios for red, green and blue.
        metering: share of the scene's brightness that exposure control takes out; 1 makes all images equally bright.
        shot_noise, read_noise: noise at full brightness and in the dark.
        noise_grain: width of the noise's grain; 0: white noise.
        blur_px: defocus.
        motion_px: (right, down) way of the picture while the shutter is open.
        vignette: darkening of the corners, 0..1.
        aberration_px: how far red and blue part in the corners.
        bloom: share of bright light that spreads about its source.
        flare: strength of ghosts across the middle from bright lights.
        dirt, drops: dust, and water, on the lens, 0..1.
        lens_seed: where they lie.
        shoulder: bend of the tone curve in the highlights; 0 clips hard.
        contrast: of an S-curve, -0.5..1.
        saturation, gamma: of the developed picture.
        sharpen: strength of the processor's sharpening, with its halos.
        monochrome: a camera without colour.
        jpeg_quality: of a lossy link between camera and computer; None: none.
    """

    gain: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shot_noise: float = 0.01
    read_noise: float = 0.005
    blur_px: float = 0.4
    vignette: float = 0.15
    saturation: float = 1.0
    gamma: float = 2.2
    metering: float = 0.7
    noise_grain: float = 0.0
    motion_px: tuple[float, float] = (0.0, 0.0)
    aberration_px: float = 0.0
    bloom: float = 0.0
    flare: float = 0.0
    dirt: float = 0.0
    drops: float = 0.0
    lens_seed: int = 0
    shoulder: float = 0.75
    contrast: float = 0.0
    sharpen: float = 0.0
    monochrome: bool = False
    jpeg_quality: int | None = None


@dataclass(frozen=True)
class Pattern:
    """A made-up coat of an object, for looks beyond realism.

    Attributes:
        kind: a name of `PATTERNS`.
        colors: (2, 3) linear albedo.
        scale: metres of a cell.
        strength: share of the coat in the colour, 0..1.
    """

    kind: str
    colors: np.ndarray
    scale: float
    strength: float


PATTERNS = ("plain", "checker", "stripes", "blotches", "grain")
"""Kinds of coats."""

LOOKS = ("realistic", "randomised")
"""Looks of scenes: as on an apron, or textures, lights, skies and cameras far beyond it."""


@dataclass(frozen=True)
class Scene:
    """Everything a backend needs.

    Attributes:
        seed, split: what the scene was built from.
        objects: tracked objects, static obstacles and structures alike.
        ego: trajectory of base_link.
        rig: the cameras.
        ground, lighting, sensor: look.
        duration_s, rate_hz: time span from 0.
        families: kind/family of all assets in it, sorted.
        layout: name of the layout that drew it.
        patterns: coat of each object; empty: none has one.
    """

    seed: int
    split: str
    objects: tuple[SceneObject, ...]
    ego: Trajectory
    rig: Rig
    ground: GroundTexture
    lighting: Lighting
    sensor: SensorStyle
    duration_s: float
    rate_hz: float = 10.0
    families: tuple[str, ...] = field(default_factory=tuple)
    layout: str = ""
    patterns: tuple[Pattern | None, ...] = ()

    @cached_property
    def episodes(self) -> tuple[Episode, ...]:
        """Occlusions and near misses, found in the geometry; see `episodes.find_episodes`."""
        from airside_perception.synth.episodes import find_episodes

        return find_episodes(self)

    def odom_from_base(self, time_s: float) -> np.ndarray:
        """(4, 4) float64 pose of the vehicle at `time_s`."""
        x, y, yaw = self.ego.at(time_s)
        return pose_from_xyz_yaw(x, y, 0.0, yaw)
