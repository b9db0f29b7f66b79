"""The apron's surface: texture, grain, and what stands over it. Warp functions, CPU and CUDA."""

from __future__ import annotations

import warp as wp

from airside_perception.synth.noise_kernels import flat_noise

wp.set_module_options({"enable_backward": False})


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
def puddle_at(point: wp.vec3, wetness: float) -> float:
    """How much of a puddle a place is, 0 to 1."""
    pools = flat_noise(0.25 * point[0], 0.25 * point[1], 1) + 0.4 * flat_noise(1.1 * point[0], 1.1 * point[1], 2)
    return wp.clamp((pools - 0.9 + 0.3 * wetness) * 4.0, 0.0, 1.0)
