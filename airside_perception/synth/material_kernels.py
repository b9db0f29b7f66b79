"""Colour and gloss of objects: materials, made-up coats. Warp functions, CPU and CUDA."""

from __future__ import annotations

import warp as wp

from airside_perception.synth.noise_kernels import hash_noise, value_noise

wp.set_module_options({"enable_backward": False})

PAINT, METAL, GLASS, RUBBER, FABRIC, CONCRETE, EMISSIVE = (wp.constant(i) for i in range(7))


@wp.func
def gloss_of(material: int) -> wp.vec2:
    """(specular strength, exponent) of a material."""
    if material == METAL:
        return wp.vec2(0.5, 30.0)
    if material == GLASS:
        return wp.vec2(0.9, 160.0)
    if material == PAINT:
        return wp.vec2(0.16, 60.0)
    return wp.vec2(0.02, 12.0)


@wp.func
def coat(albedo: wp.vec3, point: wp.vec3, style: wp.array2d(dtype=float), item: int) -> wp.vec3:
    """The made-up pattern of an object over its own colour. Columns of `style`: kind (0 plain, 1 checker, 2 stripes,
    3 blotches, 4 grain; below 0 none), two colours, metres of a cell, strength, place, cosine and sine of the yaw."""
    kind = style[item, 0]
    if kind < 0.0:
        return albedo
    dx, dy = point[0] - style[item, 9], point[1] - style[item, 10]
    x = (dx * style[item, 12] + dy * style[item, 13]) / style[item, 7] + 0.317
    y = (dy * style[item, 12] - dx * style[item, 13]) / style[item, 7] + 0.239
    z = (point[2] - style[item, 11]) / style[item, 7] + 0.173
    share = float(0.0)
    if kind > 3.5:
        share = hash_noise(int(wp.floor(8.0 * x)), int(wp.floor(8.0 * y)), int(wp.floor(8.0 * z)))
    elif kind > 2.5:
        noise = 0.7 * value_noise(wp.vec3(x, y, z)) + 0.3 * value_noise(wp.vec3(3.1 * x, 3.1 * y, 3.1 * z))
        share = wp.clamp((noise - 0.42) * 6.0, 0.0, 1.0)
    elif kind > 1.5:
        along = 0.6 * x + 0.35 * y + 0.72 * z
        share = wp.where(along - wp.floor(along) < 0.5, 1.0, 0.0)
    elif kind > 0.5:
        cells = int(wp.floor(x)) + int(wp.floor(y)) + int(wp.floor(z))
        share = wp.where((cells & 1) == 0, 1.0, 0.0)
    first = wp.vec3(style[item, 1], style[item, 2], style[item, 3])
    second = wp.vec3(style[item, 4], style[item, 5], style[item, 6])
    return wp.lerp(albedo, wp.lerp(first, second, share), style[item, 8])


@wp.func
def weathered(albedo: wp.vec3, point: wp.vec3, normal: wp.vec3, material: int, snow: float) -> wp.vec3:
    """Uneven dirt over an object's colour, and snow on what faces up."""
    dirt = 0.5 * value_noise(point * 0.9) + 0.5 * value_noise(point * 5.0)
    color = albedo * (0.86 + 0.26 * dirt)
    if snow > 0.0 and normal[2] > 0.7 and material != EMISSIVE:
        lies = wp.clamp((normal[2] - 0.7) * 8.0, 0.0, 1.0) * wp.clamp((dirt + snow - 0.75) * 5.0, 0.0, 1.0)
        color = wp.lerp(color, wp.vec3(0.82, 0.84, 0.88), 0.95 * lies)
    return color
