"""Deferred shading of generated images, and smooth edges. Warp kernels, CPU and CUDA."""

from __future__ import annotations

import warp as wp

from airside_perception.synth.air_kernels import Air, clear_sky, haze, sky_color
from airside_perception.synth.ground_kernels import Ground, openness_to_sky, puddle_at
from airside_perception.synth.light_kernels import lamp_shine, lamplight, lit
from airside_perception.synth.material_kernels import EMISSIVE, GLASS, gloss_of
from airside_perception.synth.noise_kernels import hash_noise
from airside_perception.synth.spot_kernels import (
    GROUND_ITEM,
    SKY_ITEM,
    Eye,
    Spot,
    Surfaces,
    looks_alike,
    nearest_triangle,
    spot_at,
)

wp.set_module_options({"enable_backward": False})

_RIPPLES = wp.constant(5)
"""Rows of the mirror's picture that mix in one pixel of a puddle."""
_FINE = wp.constant(2)
"""Rows and columns of the finer z-buffer within each pixel."""


@wp.struct
class Light:
    """Everything that throws light or shadow."""

    air: Air
    shadow_from_world: wp.mat44
    shadow_map: wp.array2d(dtype=float)
    lamps: wp.array2d(dtype=float)


@wp.func
def mirror_image(hit: wp.vec4, surfaces: Surfaces, air: Air) -> wp.vec3:
    """An object as a puddle shows it: lit by sky and sun, without shadows and finer things."""
    triangle = int(hit[3]) - 1
    w = 1.0 - hit[0] - hit[1]
    # The mirrored triangle runs the other way round: its second and third corner have changed places.
    normal = wp.normalize(
        surfaces.corner_normals[triangle, 0] * hit[0]
        + surfaces.corner_normals[triangle, 2] * hit[1]
        + surfaces.corner_normals[triangle, 1] * w
    )
    color = surfaces.face_colors[triangle]
    sun = 0.6 * wp.max(wp.dot(normal, air.sun_direction), 0.0)
    lit_color = wp.cw_mul(color, air.ambient * (0.55 + 0.45 * normal[2]) + air.sun_color * sun)
    if surfaces.face_materials[triangle] == EMISSIVE:
        lit_color = lit_color + color * air.glow
    return lit_color


@wp.func
def reflected_scene(
    reflected: wp.vec3,
    shininess: float,
    on_ground: bool,
    row: int,
    column: int,
    surfaces: Surfaces,
    air: Air,
    mirror: wp.array2d(dtype=wp.vec4),
) -> wp.vec3:
    """What a glossy surface mirrors: the sky, dim ground, and in puddles the objects beyond."""
    upward = wp.vec3(reflected[0], reflected[1], wp.abs(reflected[2]))
    seen = clear_sky(upward, air)
    # Clouds show only in what mirrors well.
    if shininess > 0.1:
        seen = sky_color(upward, air)
    if reflected[2] < 0.0:
        seen = seen * 0.35
    if on_ground and mirror.shape[0] > 1:
        # Ripples and the concrete's grain draw the picture out up and down: rows above and below mix in.
        mixed = wp.vec3(0.0, 0.0, 0.0)
        for tap in range(_RIPPLES):
            shift = int(wp.floor(2.0 * (float(tap) + hash_noise(row, column, tap)) - float(_RIPPLES)))
            shown = mirror[wp.clamp(row + shift, 0, mirror.shape[0] - 1), column]
            if shown[3] <= 0.0 and shift < 0:
                # Before the foot of a thing lies more ground, not sky.
                shown = mirror[wp.clamp(row, 0, mirror.shape[0] - 1), column]
            if shown[3] > 0.0:
                mixed = mixed + mirror_image(shown, surfaces, air)
            else:
                mixed = mixed + seen
        seen = mixed / float(_RIPPLES)
    return seen


@wp.func
def arriving(point: wp.vec3, normal: wp.vec3, sun: float, light: Light, ground: Ground) -> wp.vec3:
    """Light on a surface; `sun` is the cosine of the sun's light where that reaches it, else 0."""
    air = light.air
    openness = (0.55 + 0.45 * normal[2]) * openness_to_sky(point, ground)
    # Light that the ground throws back up keeps bellies and wing undersides from going black.
    bounce = air.sun_color * wp.max(air.sun_direction[2], 0.0) * 0.12 * (0.5 - 0.5 * normal[2])
    total = air.sun_color * sun + air.ambient * openness + bounce
    if light.lamps.shape[0] > 0:
        total = total + lamplight(point, normal, light.lamps)
    return total


@wp.func
def own_light(point: wp.vec3, albedo: wp.vec3, material: int, is_building: bool, air: Air) -> wp.vec3:
    """Light that a surface gives by itself: lamps, and rooms behind glass."""
    given = wp.vec3(0.0, 0.0, 0.0)
    if material == EMISSIVE:
        given = albedo * air.glow
    if material == GLASS and air.window_glow > 0.0 and is_building:
        # Rooms behind a facade are lit or dark one by one.
        room = hash_noise(int(wp.floor(point[0] / 3.1)), int(wp.floor(point[1] / 3.1)), int(wp.floor(point[2] / 3.3)))
        if room > 0.45:
            given = given + wp.vec3(1.0, 0.86, 0.62) * (air.window_glow * room)
    return given


@wp.func
def shine(
    matt: wp.vec3,
    spot: Spot,
    sun: float,
    row: int,
    column: int,
    surfaces: Surfaces,
    light: Light,
    mirror: wp.array2d(dtype=wp.vec4),
) -> wp.vec3:
    """The colour of a surface with what its gloss, or the water on it, adds to its matt colour."""
    air = light.air
    color = matt
    on_ground = spot.item == GROUND_ITEM
    reflected = spot.view - 2.0 * wp.dot(spot.view, spot.normal) * spot.normal
    gloss = gloss_of(spot.material)
    away = 1.0 - wp.clamp(-wp.dot(spot.view, spot.normal), 0.0, 1.0)
    grazing = away * away * away * away * away
    shininess = gloss[0] * (0.12 + 0.88 * grazing)
    if on_ground and air.wetness > 0.0:
        soak = air.wetness * (0.35 + 0.65 * puddle_at(spot.point, air.wetness))
        color = color * (1.0 - 0.5 * soak)
        shininess = soak * (0.08 + 0.75 * grazing)
    if shininess <= 0.003:
        return color
    # Dry concrete would mirror the sky by 2 % at most, far off: not worth looking up what it mirrors.
    if not on_ground or air.wetness > 0.0:
        mirrored = reflected_scene(reflected, shininess, on_ground, row, column, surfaces, air, mirror)
        color = color * (1.0 - shininess) + mirrored * shininess
    if light.lamps.shape[0] > 0:
        exponent = wp.where(on_ground, 60.0, gloss[1])
        color = color + lamp_shine(spot.point, reflected, exponent, light.lamps) * (8.0 * shininess)
    if sun > 0.0:
        toward_sun = wp.max(wp.dot(reflected, air.sun_direction), 0.0)
        color = color + air.sun_color * (sun * gloss[0] * wp.pow(toward_sun, gloss[1]))
    return color


@wp.func
def radiance_of(
    spot: Spot,
    row: int,
    column: int,
    eye: Eye,
    surfaces: Surfaces,
    light: Light,
    ground: Ground,
    mirror: wp.array2d(dtype=wp.vec4),
) -> wp.vec3:
    """Light from a spot to the eye, through the air between."""
    air = light.air
    if spot.item == SKY_ITEM:
        return sky_color(spot.view, air)
    sun = wp.max(wp.dot(spot.normal, air.sun_direction), 0.0)
    if sun > 0.0:
        sun = sun * lit(spot.point, spot.normal, light.shadow_from_world, light.shadow_map)
    color = wp.cw_mul(spot.albedo, arriving(spot.point, spot.normal, sun, light, ground))
    color = shine(color, spot, sun, row, column, surfaces, light, mirror)
    if spot.item >= 0:
        is_building = surfaces.item_styles[spot.item, 14] > 0.0
        color = color + own_light(spot.point, spot.albedo, spot.material, is_building, air)
    height = eye.world_from_optical[2, 3]
    veil = haze(height, spot.point[2], spot.depth * spot.stretch, air)
    return wp.lerp(color, air.horizon, veil)


@wp.func
def smoothed(
    own: wp.vec3,
    entries: wp.array2d(dtype=wp.int64),
    fine: wp.array2d(dtype=wp.int64),
    row: int,
    column: int,
    eye: Eye,
    surfaces: Surfaces,
    light: Light,
    ground: Ground,
    mirror: wp.array2d(dtype=wp.vec4),
) -> wp.vec3:
    """The colour of a pixel whose 2 x 2 parts may show different surfaces; `own` is that of its middle."""
    middle = nearest_triangle(entries[row, column])
    total = wp.vec3(0.0, 0.0, 0.0)
    others = int(0)
    for part in range(_FINE * _FINE):
        down = part // _FINE
        right = part - _FINE * down
        triangle = nearest_triangle(fine[_FINE * row + down, _FINE * column + right])
        if not looks_alike(triangle, middle, surfaces):
            others += 1
            x = float(column) + 0.5 * float(right) - 0.25
            y = float(row) + 0.5 * float(down) - 0.25
            spot = spot_at(x, y, triangle, eye, surfaces, light.air.snow, ground)
            total = total + radiance_of(spot, row, column, eye, surfaces, light, ground, mirror)
    kept = float(_FINE * _FINE - others)
    return (total + own * kept) / float(_FINE * _FINE)


@wp.kernel
def shade(
    lanes: int,
    entries: wp.array2d(dtype=wp.int64),
    fine: wp.array2d(dtype=wp.int64),
    needed: wp.array2d(dtype=wp.uint8),
    eye: Eye,
    surfaces: Surfaces,
    light: Light,
    ground: Ground,
    mirror: wp.array2d(dtype=wp.vec4),
    radiance: wp.array2d(dtype=wp.vec3),
    depth: wp.array2d(dtype=float),
    item: wp.array2d(dtype=int),
):
    """Labels through the middle of each pixel, and its colour; black sky where nothing is needed.

    Where `fine`, a z-buffer of twice the rows and columns, is given (else 1 x 1), a pixel mixes what its parts show.
    `lanes` threads share a row: a thread of its own for each pixel would, on a CPU, spend more time on its arguments
    than on a pixel of sky.
    """
    row, lane = wp.tid()
    column = int(lane)
    while column < entries.shape[1]:
        color = wp.vec3(0.0, 0.0, 0.0)
        pixel_depth = float(0.0)
        pixel_item = int(SKY_ITEM)
        if needed[row, column] != wp.uint8(0):
            triangle = nearest_triangle(entries[row, column])
            spot = spot_at(float(column), float(row), triangle, eye, surfaces, light.air.snow, ground)
            color = radiance_of(spot, row, column, eye, surfaces, light, ground, mirror)
            pixel_depth = spot.depth
            pixel_item = spot.item
            if fine.shape[0] > 1:
                color = smoothed(color, entries, fine, row, column, eye, surfaces, light, ground, mirror)
        radiance[row, column] = color
        depth[row, column] = pixel_depth
        item[row, column] = pixel_item
        column += lanes
