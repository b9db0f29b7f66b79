"""Deferred shading of generated images: sun with shadows, sky, textured ground, gloss, fog. Warp, CPU and CUDA."""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})

PAINT, METAL, GLASS, RUBBER, FABRIC, CONCRETE, EMISSIVE = (wp.constant(i) for i in range(7))
GROUND_ITEM = wp.constant(-1)
SKY_ITEM = wp.constant(-2)


@wp.func
def hash_noise(x: int, y: int, z: int) -> float:
    """White noise in 0..1 of a lattice point."""
    h = wp.uint32(x) * wp.uint32(73856093) ^ wp.uint32(y) * wp.uint32(19349663) ^ wp.uint32(z) * wp.uint32(83492791)
    h = (h ^ (h >> wp.uint32(13))) * wp.uint32(1274126177)
    h = h ^ (h >> wp.uint32(16))
    return float(h & wp.uint32(65535)) / 65535.0


@wp.func
def value_noise(p: wp.vec3) -> float:
    """Trilinear value noise in 0..1 with unit cells."""
    fx, fy, fz = wp.floor(p[0]), wp.floor(p[1]), wp.floor(p[2])
    ix, iy, iz = int(fx), int(fy), int(fz)
    u, v, w = p[0] - fx, p[1] - fy, p[2] - fz
    u = u * u * (3.0 - 2.0 * u)
    v = v * v * (3.0 - 2.0 * v)
    w = w * w * (3.0 - 2.0 * w)
    a = wp.lerp(hash_noise(ix, iy, iz), hash_noise(ix + 1, iy, iz), u)
    b = wp.lerp(hash_noise(ix, iy + 1, iz), hash_noise(ix + 1, iy + 1, iz), u)
    c = wp.lerp(hash_noise(ix, iy, iz + 1), hash_noise(ix + 1, iy, iz + 1), u)
    d = wp.lerp(hash_noise(ix, iy + 1, iz + 1), hash_noise(ix + 1, iy + 1, iz + 1), u)
    return wp.lerp(wp.lerp(a, b, v), wp.lerp(c, d, v), w)


@wp.func
def flat_noise(x: float, y: float, layer: int) -> float:
    """Bilinear value noise in 0..1 with unit cells: half the price of `value_noise`."""
    fx, fy = wp.floor(x), wp.floor(y)
    ix, iy = int(fx), int(fy)
    u, v = x - fx, y - fy
    u = u * u * (3.0 - 2.0 * u)
    v = v * v * (3.0 - 2.0 * v)
    a = wp.lerp(hash_noise(ix, iy, layer), hash_noise(ix + 1, iy, layer), u)
    b = wp.lerp(hash_noise(ix, iy + 1, layer), hash_noise(ix + 1, iy + 1, layer), u)
    return wp.lerp(a, b, v)


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


@wp.struct
class Ground:
    """The apron's surface and how much of the sky stands open above it."""

    fine: wp.array3d(dtype=wp.uint8)
    middle: wp.array3d(dtype=wp.uint8)
    coarse: wp.array3d(dtype=wp.uint8)
    origin: wp.vec2
    metres_per_texel: float
    occlusion: wp.array2d(dtype=float)
    occlusion_origin: wp.vec2
    occlusion_cell: float


@wp.func
def clear_sky(direction: wp.vec3, air: Air) -> wp.vec3:
    """Gradient from horizon to zenith, and a glow round the sun."""
    up = wp.clamp(direction[2], 0.0, 1.0)
    color = wp.lerp(air.horizon, air.zenith, wp.pow(up, 0.55))
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
        x, y = direction[0] / (up + 0.12) * 1.3, direction[1] / (up + 0.12) * 1.3
        cloud = (
            0.6 * flat_noise(x, y, 7) + 0.3 * flat_noise(2.3 * x, 2.3 * y, 8) + 0.15 * flat_noise(5.1 * x, 5.1 * y, 9)
        )
        cover = wp.clamp((cloud - 0.75 + 0.5 * air.cloudiness) * 3.0, 0.0, 1.0) * wp.min(up * 6.0, 1.0)
        color = wp.lerp(color, air.horizon * 1.05, cover * 0.8)
    return color


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
def mirrored(position: float, size: int) -> float:
    """A texel position folded back into 0..size - 1."""
    last = float(size - 1)
    folded = wp.abs(position)
    folded = folded - 2.0 * last * wp.floor(folded / (2.0 * last))
    return wp.min(folded, 2.0 * last - folded)


@wp.func
def texel(texture: wp.array3d(dtype=wp.uint8), row: int, column: int) -> wp.vec3:
    return wp.vec3(float(texture[row, column, 0]), float(texture[row, column, 1]), float(texture[row, column, 2]))


@wp.func
def texture_at(texture: wp.array3d(dtype=wp.uint8), x: float, y: float) -> wp.vec3:
    """Bilinear lookup at a texel position; the texture is mirrored at its edges."""
    column, row = mirrored(x, texture.shape[1]), mirrored(y, texture.shape[0])
    c, r = wp.min(int(column), texture.shape[1] - 2), wp.min(int(row), texture.shape[0] - 2)
    u, v = column - float(c), row - float(r)
    top = wp.lerp(texel(texture, r, c), texel(texture, r, c + 1), u)
    bottom = wp.lerp(texel(texture, r + 1, c), texel(texture, r + 1, c + 1), u)
    return wp.lerp(top, bottom, v) / 255.0


@wp.func
def ground_albedo(x: float, y: float, footprint: float, ground: Ground) -> wp.vec3:
    """Albedo averaged over about `footprint` metres: three texture levels, each 4 times coarser."""
    column, row = (x - ground.origin[0]) / ground.metres_per_texel, (y - ground.origin[1]) / ground.metres_per_texel
    level = 0.5 * wp.log2(wp.max(footprint / ground.metres_per_texel, 1.0))
    color = wp.vec3(0.0, 0.0, 0.0)
    if level < 1.0:
        color = color + texture_at(ground.fine, column, row) * (1.0 - level)
    if level > 0.0 and level < 2.0:
        share = 1.0 - wp.abs(level - 1.0)
        color = color + texture_at(ground.middle, (column - 1.5) / 4.0, (row - 1.5) / 4.0) * share
    if level > 1.0:
        color = color + texture_at(ground.coarse, (column - 7.5) / 16.0, (row - 7.5) / 16.0) * wp.min(level - 1.0, 1.0)
    if footprint < 0.06:
        # Aggregate of the concrete: finer than any texture of an apron could be.
        grain = 0.5 * flat_noise(x * 16.0, y * 16.0, 3) + 0.5 * flat_noise(x * 47.0, y * 47.0, 4) - 0.5
        color = color * (1.0 + 0.3 * grain * (1.0 - footprint / 0.06))
    return color


@wp.func
def openness_to_sky(point: wp.vec3, ground: Ground) -> float:
    """Fraction of the sky's light that reaches low places: contact shadows under and beside objects."""
    x = (point[0] - ground.occlusion_origin[0]) / ground.occlusion_cell
    y = (point[1] - ground.occlusion_origin[1]) / ground.occlusion_cell
    c, r = int(x), int(y)
    rows, columns = ground.occlusion.shape[0], ground.occlusion.shape[1]
    if x < 0.0 or y < 0.0 or c >= columns - 1 or r >= rows - 1 or point[2] > 2.5:
        return 1.0
    u, v = x - float(c), y - float(r)
    near = wp.lerp(ground.occlusion[r, c], ground.occlusion[r, c + 1], u)
    far = wp.lerp(ground.occlusion[r + 1, c], ground.occlusion[r + 1, c + 1], u)
    return 1.0 - wp.lerp(near, far, v) * wp.exp(-1.8 * wp.max(point[2], 0.0))


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


@wp.kernel
def shade(
    raster: wp.array2d(dtype=wp.vec4),
    corner_normals: wp.array2d(dtype=wp.vec3),
    face_colors: wp.array(dtype=wp.vec3),
    face_materials: wp.array(dtype=int),
    face_items: wp.array(dtype=int),
    world_from_optical: wp.mat44,
    ray_scale: wp.vec4,
    near: float,
    far: float,
    air: Air,
    shadow_from_world: wp.mat44,
    shadow_map: wp.array2d(dtype=float),
    ground: Ground,
    radiance: wp.array2d(dtype=wp.vec3),
    depth: wp.array2d(dtype=float),
    item: wp.array2d(dtype=int),
):
    row, column = wp.tid()
    optical = wp.vec3(float(column) * ray_scale[0] + ray_scale[2], float(row) * ray_scale[1] + ray_scale[3], 1.0)
    center = wp.transform_point(world_from_optical, wp.vec3(0.0, 0.0, 0.0))
    ray = wp.transform_vector(world_from_optical, optical)
    length = wp.length(ray)
    view = ray / length
    hit = raster[row, column]
    triangle = int(hit[3]) - 1
    ground_depth = float(1.0e6)
    if ray[2] < -1.0e-6:
        ground_depth = -center[2] / ray[2]
    surface_depth = float(1.0e6)
    if triangle >= 0:
        surface_depth = 2.0 * far * near / ((far + near) - hit[2] * (far - near))
    z = wp.min(surface_depth, ground_depth)
    if z > far:
        radiance[row, column] = sky_color(view, air)
        depth[row, column] = 0.0
        item[row, column] = SKY_ITEM
        return
    point = center + ray * z
    normal = wp.vec3(0.0, 0.0, 1.0)
    albedo = wp.vec3(0.3, 0.3, 0.3)
    material = int(CONCRETE)
    if surface_depth <= ground_depth + 0.01:
        w = 1.0 - hit[0] - hit[1]
        normal = wp.normalize(
            corner_normals[triangle, 0] * hit[0]
            + corner_normals[triangle, 1] * hit[1]
            + corner_normals[triangle, 2] * w
        )
        albedo = face_colors[triangle]
        material = face_materials[triangle]
        dirt = 0.5 * value_noise(point * 0.9) + 0.5 * value_noise(point * 5.0)
        albedo = albedo * (0.86 + 0.26 * dirt)
        item[row, column] = face_items[triangle]
    else:
        footprint = z * ray_scale[0] / wp.sqrt(wp.max(-view[2], 0.002))
        albedo = ground_albedo(point[0], point[1], footprint, ground)
        item[row, column] = GROUND_ITEM
    depth[row, column] = z
    facing = wp.dot(normal, air.sun_direction)
    sun = float(0.0)
    if facing > 0.0:
        sun = facing * lit(point, normal, shadow_from_world, shadow_map)
    openness = (0.55 + 0.45 * normal[2]) * openness_to_sky(point, ground)
    # Light that the ground throws back up keeps bellies and wing undersides from going black.
    bounce = air.sun_color * wp.max(air.sun_direction[2], 0.0) * 0.12 * (0.5 - 0.5 * normal[2])
    color = wp.cw_mul(albedo, air.sun_color * sun + air.ambient * openness + bounce)
    reflected = view - 2.0 * wp.dot(view, normal) * normal
    gloss = gloss_of(material)
    away = 1.0 - wp.clamp(-wp.dot(view, normal), 0.0, 1.0)
    grazing = away * away * away * away * away
    mirror = gloss[0] * (0.12 + 0.88 * grazing)
    if item[row, column] == GROUND_ITEM and air.wetness > 0.0:
        pools = flat_noise(0.25 * point[0], 0.25 * point[1], 1) + 0.4 * flat_noise(1.1 * point[0], 1.1 * point[1], 2)
        puddle = wp.clamp((pools - 0.75) * 4.0, 0.0, 1.0)
        soak = air.wetness * (0.35 + 0.65 * puddle)
        color = color * (1.0 - 0.5 * soak)
        mirror = soak * (0.08 + 0.75 * grazing)
    if mirror > 0.003:
        upward = wp.vec3(reflected[0], reflected[1], wp.abs(reflected[2]))
        # Clouds show only in what mirrors well.
        seen = clear_sky(upward, air)
        if mirror > 0.1:
            seen = sky_color(upward, air)
        if reflected[2] < 0.0:
            seen = seen * 0.35
        color = color * (1.0 - mirror) + seen * mirror
        if sun > 0.0:
            shine = wp.pow(wp.max(wp.dot(reflected, air.sun_direction), 0.0), gloss[1])
            color = color + air.sun_color * (sun * gloss[0] * shine)
    if material == EMISSIVE:
        color = color + albedo * 1.5
    haze = 1.0 - wp.exp(-air.fog_density * z * length)
    radiance[row, column] = wp.lerp(color, air.horizon, haze)
