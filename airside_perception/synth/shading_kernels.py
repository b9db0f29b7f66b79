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
    cloud_color: wp.vec3
    cloud_scale: float
    sun_glow: wp.vec3
    mist: float
    snow: float
    glow: float
    window_glow: float


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


@wp.func
def lamplight(point: wp.vec3, normal: wp.vec3, lamps: wp.array2d(dtype=float)) -> wp.vec3:
    """Light of all lamps on a surface, without shadows. Rows of `lamps`: position, colour, axis, cosine of the cone."""
    total = wp.vec3(0.0, 0.0, 0.0)
    for k in range(lamps.shape[0]):
        to = wp.vec3(lamps[k, 0], lamps[k, 1], lamps[k, 2]) - point
        squared = wp.dot(to, to) + 0.25
        away = wp.sqrt(squared)
        facing = wp.dot(normal, to) / away
        if facing > 0.0:
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
        squared = wp.dot(to, to) + 0.25
        along = wp.dot(reflected, to) / wp.sqrt(squared)
        if along > 0.8 and lamps[k, 9] < -1.0:
            total = total + wp.vec3(lamps[k, 3], lamps[k, 4], lamps[k, 5]) * (wp.pow(along, exponent) / squared)
    return total


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
def mirror_image(
    hit: wp.vec4,
    corner_normals: wp.array2d(dtype=wp.vec3),
    face_colors: wp.array(dtype=wp.vec3),
    face_materials: wp.array(dtype=int),
    air: Air,
) -> wp.vec3:
    """An object as a puddle shows it: lit by sky and sun, without shadows and finer things."""
    triangle = int(hit[3]) - 1
    w = 1.0 - hit[0] - hit[1]
    # The mirrored triangle runs the other way round: its second and third corner have changed places.
    normal = wp.normalize(
        corner_normals[triangle, 0] * hit[0] + corner_normals[triangle, 2] * hit[1] + corner_normals[triangle, 1] * w
    )
    color = face_colors[triangle]
    sun = 0.6 * wp.max(wp.dot(normal, air.sun_direction), 0.0)
    lit_color = wp.cw_mul(color, air.ambient * (0.55 + 0.45 * normal[2]) + air.sun_color * sun)
    if face_materials[triangle] == EMISSIVE:
        lit_color = lit_color + color * air.glow
    return lit_color


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


@wp.kernel
def shade(
    raster: wp.array2d(dtype=wp.vec4),
    corner_normals: wp.array2d(dtype=wp.vec3),
    face_colors: wp.array(dtype=wp.vec3),
    face_materials: wp.array(dtype=int),
    face_items: wp.array(dtype=int),
    item_styles: wp.array2d(dtype=float),
    world_from_optical: wp.mat44,
    ray_scale: wp.vec4,
    near: float,
    far: float,
    air: Air,
    shadow_from_world: wp.mat44,
    shadow_map: wp.array2d(dtype=float),
    ground: Ground,
    lamps: wp.array2d(dtype=float),
    mirror: wp.array2d(dtype=wp.vec4),
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
        item[row, column] = face_items[triangle]
        material = face_materials[triangle]
        albedo = coat(face_colors[triangle], point, item_styles, face_items[triangle])
        dirt = 0.5 * value_noise(point * 0.9) + 0.5 * value_noise(point * 5.0)
        albedo = albedo * (0.86 + 0.26 * dirt)
        if air.snow > 0.0 and normal[2] > 0.7 and material != EMISSIVE:
            lies = wp.clamp((normal[2] - 0.7) * 8.0, 0.0, 1.0) * wp.clamp((dirt + air.snow - 0.75) * 5.0, 0.0, 1.0)
            albedo = wp.lerp(albedo, wp.vec3(0.82, 0.84, 0.88), 0.95 * lies)
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
    light = air.sun_color * sun + air.ambient * openness + bounce
    if lamps.shape[0] > 0:
        light = light + lamplight(point, normal, lamps)
    color = wp.cw_mul(albedo, light)
    reflected = view - 2.0 * wp.dot(view, normal) * normal
    gloss = gloss_of(material)
    away = 1.0 - wp.clamp(-wp.dot(view, normal), 0.0, 1.0)
    grazing = away * away * away * away * away
    shininess = gloss[0] * (0.12 + 0.88 * grazing)
    if item[row, column] == GROUND_ITEM and air.wetness > 0.0:
        pools = flat_noise(0.25 * point[0], 0.25 * point[1], 1) + 0.4 * flat_noise(1.1 * point[0], 1.1 * point[1], 2)
        puddle = wp.clamp((pools - 0.9 + 0.3 * air.wetness) * 4.0, 0.0, 1.0)
        soak = air.wetness * (0.35 + 0.65 * puddle)
        color = color * (1.0 - 0.5 * soak)
        shininess = soak * (0.08 + 0.75 * grazing)
    if shininess > 0.003:
        upward = wp.vec3(reflected[0], reflected[1], wp.abs(reflected[2]))
        # Clouds show only in what mirrors well.
        seen = clear_sky(upward, air)
        if shininess > 0.1:
            seen = sky_color(upward, air)
        if reflected[2] < 0.0:
            seen = seen * 0.35
        if item[row, column] == GROUND_ITEM and mirror.shape[0] > 1:
            # Ripples and the concrete's grain blur the picture: neighbouring pixels look a little apart.
            shift = int(6.0 * (hash_noise(row, column, 5) - 0.5))
            shown = mirror[wp.clamp(row + shift, 0, mirror.shape[0] - 1), column]
            if shown[3] > 0.0:
                seen = mirror_image(shown, corner_normals, face_colors, face_materials, air)
        color = color * (1.0 - shininess) + seen * shininess
        if lamps.shape[0] > 0:
            exponent = gloss[1]
            if item[row, column] == GROUND_ITEM:
                exponent = 60.0
            color = color + lamp_shine(point, reflected, exponent, lamps) * (8.0 * shininess)
        if sun > 0.0:
            shine = wp.pow(wp.max(wp.dot(reflected, air.sun_direction), 0.0), gloss[1])
            color = color + air.sun_color * (sun * gloss[0] * shine)
    if material == EMISSIVE:
        color = color + albedo * air.glow
    if material == GLASS and air.window_glow > 0.0 and item_styles[item[row, column], 14] > 0.0:
        # Rooms behind a facade are lit or dark one by one.
        room = hash_noise(int(wp.floor(point[0] / 3.1)), int(wp.floor(point[1] / 3.1)), int(wp.floor(point[2] / 3.3)))
        if room > 0.45:
            color = color + wp.vec3(1.0, 0.86, 0.62) * (air.window_glow * room)
    veil = haze(center[2], point[2], z * length, air)
    radiance[row, column] = wp.lerp(color, air.horizon, veil)
