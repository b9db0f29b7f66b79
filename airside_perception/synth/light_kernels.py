"""Light that reaches a surface: sun with shadows, and lamps. Warp functions, CPU and CUDA."""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.func
def lit(point: wp.vec3, normal: wp.vec3, shadow_from_world: wp.mat44, shadow_map: wp.array2d(dtype=float)) -> float:
    """Fraction of the sun that reaches a point: a box of 2 x 2 shadow texels, slid smoothly over the map."""
    p = shadow_from_world * wp.vec4(
        point[0] + 0.06 * normal[0], point[1] + 0.06 * normal[1], point[2] + 0.06 * normal[2], 1.0
    )
    rows, columns = shadow_map.shape[0], shadow_map.shape[1]
    px, py = (p[0] * 0.5 + 0.5) * float(columns), (p[1] * 0.5 + 0.5) * float(rows)
    x, y = int(px), int(py)
    if px < 1.0 or py < 1.0 or x >= columns - 1 or y >= rows - 1:
        return 1.0
    u, v = px - float(x), py - float(y)
    total = float(0.0)
    for dy in range(-1, 2):
        share = float(1.0)
        if dy < 0:
            share = 1.0 - v
        if dy > 0:
            share = v
        if shadow_map[y + dy, x - 1] > p[2] - 0.0012:
            total += share * (1.0 - u)
        if shadow_map[y + dy, x] > p[2] - 0.0012:
            total += share
        if shadow_map[y + dy, x + 1] > p[2] - 0.0012:
            total += share * u
    return total / 4.0


@wp.func
def lamplight(point: wp.vec3, normal: wp.vec3, lamps: wp.array2d(dtype=float)) -> wp.vec3:
    """Light of all lamps on a surface, without shadows. Rows of `lamps`: position, colour, axis, cosine of the cone."""
    total = wp.vec3(0.0, 0.0, 0.0)
    for k in range(lamps.shape[0]):
        to = wp.vec3(lamps[k, 0], lamps[k, 1], lamps[k, 2]) - point
        facing = wp.dot(normal, to)
        if facing > 0.0:
            squared = wp.dot(to, to) + 0.25
            away = wp.sqrt(squared)
            facing = facing / away
            if lamps[k, 9] > -1.0:
                along = -(to[0] * lamps[k, 6] + to[1] * lamps[k, 7] + to[2] * lamps[k, 8]) / away
                facing = facing * wp.clamp((along - lamps[k, 9]) / (0.6 * (1.0 - lamps[k, 9])), 0.0, 1.0)
            total = total + wp.vec3(lamps[k, 3], lamps[k, 4], lamps[k, 5]) * (facing / squared)
    return total


@wp.func
def lamp_shine(point: wp.vec3, reflected: wp.vec3, exponent: float, lamps: wp.array2d(dtype=float)) -> wp.vec3:
    """Mirror images of the lamps, blurred by the roughness that `exponent` stands for."""
    total = wp.vec3(0.0, 0.0, 0.0)
    for k in range(lamps.shape[0]):
        to = wp.vec3(lamps[k, 0], lamps[k, 1], lamps[k, 2]) - point
        along = wp.dot(reflected, to)
        if along > 0.0 and lamps[k, 9] < -1.0:
            squared = wp.dot(to, to) + 0.25
            along = along / wp.sqrt(squared)
            if along > 0.8:
                total = total + wp.vec3(lamps[k, 3], lamps[k, 4], lamps[k, 5]) * (wp.pow(along, exponent) / squared)
    return total
