"""Deferred shading of generated images, and smooth edges. Warp, CPU and CUDA."""

from __future__ import annotations

import warp as wp

from airside_perception.rendering.warp_kernels import EMPTY, place_on_triangle, triangle_of
from airside_perception.synth.air_kernels import Air, clear_sky, haze, sky_color
from airside_perception.synth.ground_kernels import Ground, ground_albedo, openness_to_sky, puddle_at
from airside_perception.synth.light_kernels import lamp_shine, lamplight, lit
from airside_perception.synth.material_kernels import CONCRETE, EMISSIVE, GLASS, coat, gloss_of, weathered
from airside_perception.synth.noise_kernels import hash_noise

wp.set_module_options({"enable_backward": False})

GROUND_ITEM = wp.constant(-1)
SKY_ITEM = wp.constant(-2)
_NO_TRIANGLE = wp.constant(-1)
_NOWHERE = wp.constant(1.0e6)
_FINE = wp.constant(2)
"""Rows and columns of the finer z-buffer within each pixel."""


@wp.struct
class Surfaces:
    """All triangles of a scene at one time, and where one view shows them."""

    positions: wp.array(dtype=wp.vec4)
    triangles: wp.array2d(dtype=wp.int32)
    corner_normals: wp.array2d(dtype=wp.vec3)
    face_colors: wp.array(dtype=wp.vec3)
    face_materials: wp.array(dtype=int)
    face_items: wp.array(dtype=int)
    item_styles: wp.array2d(dtype=float)


@wp.struct
class Light:
    """Everything that throws light or shadow."""

    air: Air
    shadow_from_world: wp.mat44
    shadow_map: wp.array2d(dtype=float)
    lamps: wp.array2d(dtype=float)


@wp.struct
class Eye:
    """A linear camera: its pose, rays per pixel (1/fx, 1/fy, -cx/fx, -cy/fy), range and image size."""

    world_from_optical: wp.mat44
    ray_scale: wp.vec4
    near: float
    far: float
    width: int
    height: int


@wp.struct
class Seen:
    """What one line of sight meets."""

    radiance: wp.vec3
    depth: float
    item: int


@wp.func
def nearest_triangle(entry: wp.int64) -> int:
    """Triangle of a z-buffer entry, _NO_TRIANGLE where it is empty."""
    triangle = int(_NO_TRIANGLE)
    if entry != EMPTY:
        triangle = triangle_of(entry)
    return triangle


@wp.func
def place_at(column: float, row: float, triangle: int, eye: Eye, surfaces: Surfaces) -> wp.vec3:
    """(u, v, z/w) of a triangle at a place of the image; the first pixel's centre is (0, 0)."""
    x = (wp.float64(column) + wp.float64(0.5)) * (wp.float64(2.0) / wp.float64(eye.width)) - wp.float64(1.0)
    y = (wp.float64(row) + wp.float64(0.5)) * (wp.float64(2.0) / wp.float64(eye.height)) - wp.float64(1.0)
    return place_on_triangle(surfaces.positions, surfaces.triangles, 0, triangle, x, y)


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
        # Ripples and the concrete's grain blur the picture: neighbouring pixels look a little apart.
        shift = int(6.0 * (hash_noise(row, column, 5) - 0.5))
        shown = mirror[wp.clamp(row + shift, 0, mirror.shape[0] - 1), column]
        if shown[3] > 0.0:
            seen = mirror_image(shown, surfaces, air)
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
def see(
    column: float,
    row: float,
    triangle: int,
    eye: Eye,
    surfaces: Surfaces,
    light: Light,
    ground: Ground,
    mirror: wp.array2d(dtype=wp.vec4),
) -> Seen:
    """Follow the line of sight through a place of the image, where `triangle` (or none) is the nearest."""
    seen = Seen()
    air = light.air
    optical = wp.vec3(column * eye.ray_scale[0] + eye.ray_scale[2], row * eye.ray_scale[1] + eye.ray_scale[3], 1.0)
    center = wp.transform_point(eye.world_from_optical, wp.vec3(0.0, 0.0, 0.0))
    ray = wp.transform_vector(eye.world_from_optical, optical)
    length = wp.length(ray)
    view = ray / length
    ground_depth = float(_NOWHERE)
    if ray[2] < -1.0e-6:
        ground_depth = -center[2] / ray[2]
    surface_depth = float(_NOWHERE)
    place = wp.vec3(0.0, 0.0, 0.0)
    if triangle >= 0:
        place = place_at(column, row, triangle, eye, surfaces)
        surface_depth = 2.0 * eye.far * eye.near / ((eye.far + eye.near) - place[2] * (eye.far - eye.near))
    z = wp.min(surface_depth, ground_depth)
    if z > eye.far:
        seen.radiance = sky_color(view, air)
        seen.depth = 0.0
        seen.item = SKY_ITEM
        return seen
    point = center + ray * z
    normal = wp.vec3(0.0, 0.0, 1.0)
    material = int(CONCRETE)
    on_ground = surface_depth > ground_depth + 0.01
    seen.depth = z
    seen.item = GROUND_ITEM
    albedo = wp.vec3(0.3, 0.3, 0.3)
    if on_ground:
        footprint = z * eye.ray_scale[0] / wp.sqrt(wp.max(-view[2], 0.002))
        albedo = ground_albedo(point[0], point[1], footprint, ground)
    else:
        normal = wp.normalize(
            surfaces.corner_normals[triangle, 0] * place[0]
            + surfaces.corner_normals[triangle, 1] * place[1]
            + surfaces.corner_normals[triangle, 2] * (1.0 - place[0] - place[1])
        )
        seen.item = surfaces.face_items[triangle]
        material = surfaces.face_materials[triangle]
        albedo = coat(surfaces.face_colors[triangle], point, surfaces.item_styles, seen.item)
        albedo = weathered(albedo, point, normal, material, air.snow)
    sun = wp.max(wp.dot(normal, air.sun_direction), 0.0)
    if sun > 0.0:
        sun = sun * lit(point, normal, light.shadow_from_world, light.shadow_map)
    color = wp.cw_mul(albedo, arriving(point, normal, sun, light, ground))
    reflected = view - 2.0 * wp.dot(view, normal) * normal
    gloss = gloss_of(material)
    away = 1.0 - wp.clamp(-wp.dot(view, normal), 0.0, 1.0)
    grazing = away * away * away * away * away
    shininess = gloss[0] * (0.12 + 0.88 * grazing)
    if on_ground and air.wetness > 0.0:
        soak = air.wetness * (0.35 + 0.65 * puddle_at(point, air.wetness))
        color = color * (1.0 - 0.5 * soak)
        shininess = soak * (0.08 + 0.75 * grazing)
    if shininess > 0.003:
        mirrored = reflected_scene(reflected, shininess, on_ground, int(row), int(column), surfaces, air, mirror)
        color = color * (1.0 - shininess) + mirrored * shininess
        if light.lamps.shape[0] > 0:
            exponent = wp.where(on_ground, 60.0, gloss[1])
            color = color + lamp_shine(point, reflected, exponent, light.lamps) * (8.0 * shininess)
        if sun > 0.0:
            shine = wp.pow(wp.max(wp.dot(reflected, air.sun_direction), 0.0), gloss[1])
            color = color + air.sun_color * (sun * gloss[0] * shine)
    is_building = False
    if not on_ground:
        is_building = surfaces.item_styles[seen.item, 14] > 0.0
    color = color + own_light(point, albedo, material, is_building, air)
    veil = haze(center[2], point[2], z * length, air)
    seen.radiance = wp.lerp(color, air.horizon, veil)
    return seen


@wp.kernel
def shade(
    entries: wp.array2d(dtype=wp.int64),
    eye: Eye,
    surfaces: Surfaces,
    light: Light,
    ground: Ground,
    mirror: wp.array2d(dtype=wp.vec4),
    radiance: wp.array2d(dtype=wp.vec3),
    depth: wp.array2d(dtype=float),
    item: wp.array2d(dtype=int),
):
    """Image and labels through the middle of each pixel."""
    row, column = wp.tid()
    triangle = nearest_triangle(entries[row, column])
    seen = see(float(column), float(row), triangle, eye, surfaces, light, ground, mirror)
    radiance[row, column] = seen.radiance
    depth[row, column] = seen.depth
    item[row, column] = seen.item


@wp.func
def looks_alike(first: int, second: int, surfaces: Surfaces) -> bool:
    """True where no edge shows between two triangles (or none): one object, one colour, no crease."""
    if first == second:
        return True
    if first < 0 or second < 0:
        return False
    if surfaces.face_items[first] != surfaces.face_items[second]:
        return False
    if surfaces.face_materials[first] != surfaces.face_materials[second]:
        return False
    apart = surfaces.face_colors[first] - surfaces.face_colors[second]
    if wp.dot(apart, apart) > 1.0e-3:
        return False
    return wp.dot(surfaces.corner_normals[first, 0], surfaces.corner_normals[second, 0]) > 0.8


@wp.kernel
def smooth_edges(
    entries: wp.array2d(dtype=wp.int64),
    fine: wp.array2d(dtype=wp.int64),
    eye: Eye,
    surfaces: Surfaces,
    light: Light,
    ground: Ground,
    mirror: wp.array2d(dtype=wp.vec4),
    radiance: wp.array2d(dtype=wp.vec3),
):
    """Where the 2 x 2 parts of a pixel show different surfaces, mix what each of them shows; labels stay."""
    row, column = wp.tid()
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
            seen = see(x, y, triangle, eye, surfaces, light, ground, mirror)
            total = total + seen.radiance
    if others > 0:
        kept = float(_FINE * _FINE - others)
        radiance[row, column] = (total + radiance[row, column] * kept) / float(_FINE * _FINE)
