"""Sky and air: gradient, sun, clouds, fog. Warp functions, CPU and CUDA."""

from __future__ import annotations

import warp as wp

from airside_perception.synth.noise_kernels import flat_noise

wp.set_module_options({"enable_backward": False})


@wp.struct
class Air:
    """Light and air of a scene, in the layout that kernels take."""

    sun_direction: wp.vec3
    sun_color: wp.vec3
    ambient: wp.vec3
    zenith: wp.vec3
    horizon: wp.vec3
    fog_density: float
    wetness: float
    cloudiness: float
    cloud_color: wp.vec3
    cloud_scale: float
    sun_glow: wp.vec3
    mist: float
    snow: float
    glow: float
    window_glow: float


@wp.func
def clear_sky(direction: wp.vec3, air: Air) -> wp.vec3:
    """Gradient from horizon to zenith, and a glow round the sun."""
    up = wp.clamp(direction[2], 0.0, 1.0)
    color = wp.lerp(air.horizon, air.zenith, wp.pow(up, 0.55))
    toward = (direction[0] * air.sun_direction[0] + direction[1] * air.sun_direction[1]) / wp.sqrt(
        (direction[0] * direction[0] + direction[1] * direction[1] + 1.0e-6)
        * (air.sun_direction[0] * air.sun_direction[0] + air.sun_direction[1] * air.sun_direction[1] + 1.0e-6)
    )
    if toward > 0.0:
        low = 1.0 - up
        color = color + air.sun_glow * (toward * toward * toward * low * low * low * low)
    glow = wp.dot(direction, air.sun_direction)
    if glow > 0.85:
        color = color + air.sun_color * (0.25 * wp.pow(glow, 40.0) + 4.0 * wp.pow(glow, 2500.0))
    return color


@wp.func
def sky_color(direction: wp.vec3, air: Air) -> wp.vec3:
    """The clear sky with clouds."""
    color = clear_sky(direction, air)
    up = wp.clamp(direction[2], 0.0, 1.0)
    if up > 0.01 and air.cloudiness > 0.0:
        spread = 1.3 * air.cloud_scale / (up + 0.12)
        x, y = direction[0] * spread, direction[1] * spread
        cloud = (
            0.6 * flat_noise(x, y, 7) + 0.3 * flat_noise(2.3 * x, 2.3 * y, 8) + 0.15 * flat_noise(5.1 * x, 5.1 * y, 9)
        )
        cover = wp.clamp((cloud - 0.75 + 0.5 * air.cloudiness) * 3.0, 0.0, 1.0) * wp.min(up * 6.0, 1.0)
        color = wp.lerp(color, air.cloud_color, cover * 0.8)
    return color


@wp.func
def haze(start: float, end: float, length: float, air: Air) -> float:
    """Share of the light that fog, and mist near the ground, swallow between two heights."""
    depth = air.fog_density * length
    if air.mist > 0.0:
        low, high = wp.max(wp.min(start, end), 0.0) / 2.0, wp.max(wp.max(start, end), 0.0) / 2.0
        mean = wp.exp(-low)
        if high - low > 0.01:
            mean = (wp.exp(-low) - wp.exp(-high)) / (high - low)
        depth = depth + air.mist * mean * length
    return 1.0 - wp.exp(-depth)
