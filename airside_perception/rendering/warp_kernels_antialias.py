"""Warp kernels of silhouette antialiasing: one source for CPU and CUDA."""
# mypy: ignore-errors

from __future__ import annotations

import warp as wp

from airside_perception.rendering.warp_kernels import homogeneous, pixel_centre

wp.set_module_options({"enable_backward": False})

_ZERO = wp.constant(wp.float64(0.0))
_ONE = wp.constant(wp.float64(1.0))
_MAX_HOPS = wp.constant(32)
"""Triangles to walk over between two pixel centres before giving up."""


@wp.struct
class Crossing:
    """A silhouette edge (vertices `first`, `second`) that leaves the line a-b at fraction `t`."""

    found: wp.int32
    t: wp.float64
    first: wp.int32
    second: wp.int32


@wp.func
def find_crossing(
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    neighbours: wp.array2d(dtype=wp.int32),
    offset: wp.int32,
    start: wp.int32,
    goal: wp.int32,
    a: wp.vec3d,
    b: wp.vec3d,
    wanted_normal: wp.vec2d,
):
    """Walk from pixel centre `a`, inside triangle `start`, towards `b`, seen on `goal`, until a silhouette edge.

    Edge i of a triangle lies opposite its corner i; it is a silhouette if no triangle lies across
    it, or if that triangle's far corner is on the same side of the plane through eye and edge.
    `wanted_normal` = (1 / (W * W), -1 / (H * H)) keeps edges closer to upright than to level, its
    negative the others, so that every edge blends along one image axis only.
    """
    crossing = Crossing()
    crossing.found = 0
    triangle = start
    came_from = wp.int32(-1)
    for _hop in range(_MAX_HOPS):
        v0 = homogeneous(positions[offset + triangles[triangle, 0]])
        v1 = homogeneous(positions[offset + triangles[triangle, 1]])
        v2 = homogeneous(positions[offset + triangles[triangle, 2]])
        sign = wp.sign(wp.dot(v0, wp.cross(v1, v2)))
        nearest = wp.float64(1.0e30)
        exit_side = wp.int32(-1)
        exit_line = wp.vec3d()
        for side in range(3):
            line = wp.cross(v1, v2)
            if side == 1:
                line = wp.cross(v2, v0)
            if side == 2:
                line = wp.cross(v0, v1)
            at_a = sign * wp.dot(line, a)
            at_b = sign * wp.dot(line, b)
            entered = came_from >= 0 and neighbours[triangle, side] == came_from
            if at_a > at_b and not entered:
                t = at_a / (at_a - at_b)
                if t < nearest:
                    nearest = t
                    exit_side = side
                    exit_line = line
        if exit_side < 0 or nearest > _ONE or nearest < _ZERO:
            return crossing

        across = neighbours[triangle, exit_side]
        silhouette = across < 0
        if not silhouette:
            i1 = triangles[triangle, (exit_side + 1) % 3]
            i2 = triangles[triangle, (exit_side + 2) % 3]
            # The corner of the other triangle that is on neither end of the shared edge.
            far = triangles[across, 0]
            if far == i1 or far == i2:
                far = triangles[across, 1]
            if far == i1 or far == i2:
                far = triangles[across, 2]
            silhouette = sign * wp.dot(exit_line, homogeneous(positions[offset + far])) > _ZERO
        if silhouette:
            steep = wanted_normal[0] * exit_line[0] * exit_line[0] + wanted_normal[1] * exit_line[1] * exit_line[1]
            if steep > _ZERO:
                crossing.found = 1
                crossing.t = nearest
                crossing.first = offset + triangles[triangle, (exit_side + 1) % 3]
                crossing.second = offset + triangles[triangle, (exit_side + 2) % 3]
            return crossing
        if across == goal:
            return crossing
        came_from = triangle
        triangle = across
    return crossing


@wp.func
def axis_normal(axis: wp.int32, width: wp.int32, height: wp.int32):
    """`wanted_normal` of `find_crossing` for pairs along rows (axis 0) or columns (axis 1)."""
    upright = _ONE / (wp.float64(width) * wp.float64(width))
    level = _ONE / (wp.float64(height) * wp.float64(height))
    if axis == 0:
        return wp.vec2d(upright, -level * wp.float64(0.9999999))
    return wp.vec2d(-upright, level)


@wp.func
def pair_crossing(
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    neighbours: wp.array2d(dtype=wp.int32),
    offset: wp.int32,
    near: wp.vec4,
    other: wp.vec4,
    ax: wp.int32,
    ay: wp.int32,
    bx: wp.int32,
    by: wp.int32,
    width: wp.int32,
    height: wp.int32,
):
    step_x = wp.float64(2.0) / wp.float64(width)
    step_y = wp.float64(2.0) / wp.float64(height)
    a = wp.vec3d(pixel_centre(ax, step_x), pixel_centre(ay, step_y), _ONE)
    b = wp.vec3d(pixel_centre(bx, step_x), pixel_centre(by, step_y), _ONE)
    normal = axis_normal(wp.abs(by - ay), width, height)
    start = wp.int32(near[3]) - 1
    goal = wp.int32(other[3]) - 1
    return find_crossing(positions, triangles, neighbours, offset, start, goal, a, b, normal)


@wp.func
def first_is_nearer(here: wp.vec4, there: wp.vec4):
    """Whether `here` holds the nearer triangle of two raster pixels that are not both background."""
    return there[3] == 0.0 or (here[3] != 0.0 and here[2] <= there[2])


@wp.kernel
def antialias_forward(
    color: wp.array4d(dtype=wp.float32),
    raster: wp.array3d(dtype=wp.vec4),
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    neighbours: wp.array2d(dtype=wp.int32),
    vertex_offsets: wp.array(dtype=wp.int32),
    channels: wp.int32,
    output: wp.array4d(dtype=wp.float32),
):
    """Blend each pixel with its right and lower neighbour; `output` starts as a copy of `color`."""
    image, row, column = wp.tid()
    here = raster[image, row, column]
    height = raster.shape[1]
    width = raster.shape[2]
    for axis in range(2):
        x = column + 1 - axis
        y = row + axis
        if x < width and y < height:
            there = raster[image, y, x]
            if here[3] != there[3]:
                ax = column
                ay = row
                bx = x
                by = y
                near = here
                other = there
                if not first_is_nearer(here, there):
                    ax = x
                    ay = y
                    bx = column
                    by = row
                    near = there
                    other = here
                crossing = pair_crossing(
                    positions, triangles, neighbours, vertex_offsets[image], near, other, ax, ay, bx, by, width, height
                )
                if crossing.found != 0:
                    t = wp.float32(crossing.t)
                    # Past the middle the near surface reaches into b, before it the far one into a.
                    for channel in range(channels):
                        difference = color[image, ay, ax, channel] - color[image, by, bx, channel]
                        if t > 0.5:
                            wp.atomic_add(output, image, by, bx, channel, (t - 0.5) * difference)
                        else:
                            wp.atomic_add(output, image, ay, ax, channel, (t - 0.5) * difference)


@wp.kernel
def antialias_backward(
    color: wp.array4d(dtype=wp.float32),
    raster: wp.array3d(dtype=wp.vec4),
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    neighbours: wp.array2d(dtype=wp.int32),
    vertex_offsets: wp.array(dtype=wp.int32),
    channels: wp.int32,
    output_gradient: wp.array4d(dtype=wp.float32),
    color_gradient: wp.array4d(dtype=wp.float32),
    position_gradient: wp.array(dtype=wp.vec4),
):
    """Gradients of `antialias_forward`; `color_gradient` starts as a copy of `output_gradient`.

    With the edge's line l = v1 x v2 and F = l . p: t = F_a / (F_a - F_b), whose gradient in l is
    g = (F_a b - F_b a) / (F_a - F_b)^2; so v1 gets v2 x g and v2 gets g x v1.
    """
    image, row, column = wp.tid()
    here = raster[image, row, column]
    height = raster.shape[1]
    width = raster.shape[2]
    for axis in range(2):
        x = column + 1 - axis
        y = row + axis
        if x < width and y < height:
            there = raster[image, y, x]
            if here[3] != there[3]:
                ax = column
                ay = row
                bx = x
                by = y
                near = here
                other = there
                if not first_is_nearer(here, there):
                    ax = x
                    ay = y
                    bx = column
                    by = row
                    near = there
                    other = here
                crossing = pair_crossing(
                    positions, triangles, neighbours, vertex_offsets[image], near, other, ax, ay, bx, by, width, height
                )
                if crossing.found != 0:
                    t = wp.float32(crossing.t)
                    gradient_t = float(0.0)
                    for channel in range(channels):
                        difference = color[image, ay, ax, channel] - color[image, by, bx, channel]
                        gradient = output_gradient[image, ay, ax, channel]
                        if t > 0.5:
                            gradient = output_gradient[image, by, bx, channel]
                        gradient_t = gradient_t + gradient * difference
                        wp.atomic_add(color_gradient, image, ay, ax, channel, (t - 0.5) * gradient)
                        wp.atomic_add(color_gradient, image, by, bx, channel, (0.5 - t) * gradient)
                    step_x = wp.float64(2.0) / wp.float64(width)
                    step_y = wp.float64(2.0) / wp.float64(height)
                    a = wp.vec3d(pixel_centre(ax, step_x), pixel_centre(ay, step_y), _ONE)
                    b = wp.vec3d(pixel_centre(bx, step_x), pixel_centre(by, step_y), _ONE)
                    v1 = homogeneous(positions[crossing.first])
                    v2 = homogeneous(positions[crossing.second])
                    line = wp.cross(v1, v2)
                    at_a = wp.dot(line, a)
                    at_b = wp.dot(line, b)
                    slope = (b * at_a - a * at_b) * (wp.float64(gradient_t) / ((at_a - at_b) * (at_a - at_b)))
                    wp.atomic_add(position_gradient, crossing.first, without_z(wp.cross(v2, slope)))
                    wp.atomic_add(position_gradient, crossing.second, without_z(wp.cross(slope, v1)))


@wp.func
def without_z(gradient: wp.vec3d):
    return wp.vec4(wp.float32(gradient[0]), wp.float32(gradient[1]), 0.0, wp.float32(gradient[2]))
