"""Warp kernels of the rasteriser: one source for CPU and CUDA.

Homogeneous edge functions (Olano and Greer, "Triangle scan conversion using 2D homogeneous
coordinates", 1997): with vertices v_i = (x, y, w) and a pixel p = (X, Y, 1), the numbers
e_i = p . (v_j x v_k) equal det * b_i where sum(b_i * v_i) = p. So e_i / sum(e) are the
perspective-correct barycentrics, sum(b_i * z_i) is z/w, and no triangle has to be clipped.

Products of two float32 numbers are exact in float64, which makes the edge function of (a, b) the
exact negative of that of (b, a): triangles that share an edge leave no crack between them.
"""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})

TRIANGLE_BITS = 28
"""Low bits of a z-buffer entry that hold the triangle id; the 35 bits above hold the depth."""

EMPTY = wp.constant(wp.int64(0x7FFFFFFFFFFFFFFF))
_DEPTH_STEPS = wp.constant(wp.float64(float(2**34 - 1)))
_TRIANGLE_SHIFT = wp.constant(wp.int64(TRIANGLE_BITS))
_TRIANGLE_MASK = wp.constant(wp.int64(2**TRIANGLE_BITS - 1))
_ZERO = wp.constant(wp.float64(0.0))
_ONE = wp.constant(wp.float64(1.0))
_HALF = wp.constant(wp.float64(0.5))
_SLACK = wp.constant(wp.float64(1.0e-6))
_FAR_AWAY = wp.constant(wp.float64(1.0e9))


@wp.func
def homogeneous(position: wp.vec4):
    return wp.vec3d(wp.float64(position[0]), wp.float64(position[1]), wp.float64(position[3]))


@wp.func
def crosses_near(a: wp.vec4, b: wp.vec4):
    return (a[2] + a[3] < 0.0) != (b[2] + b[3] < 0.0)


@wp.func
def near_crossing(a: wp.vec4, b: wp.vec4):
    """Point (x, y, w) where the edge a-b meets the near plane z = -w."""
    da = wp.float64(a[2]) + wp.float64(a[3])
    db = wp.float64(b[2]) + wp.float64(b[3])
    t = da / (da - db)
    return homogeneous(a) * (_ONE - t) + homogeneous(b) * t


@wp.func
def grow(bounds: wp.vec4d, point: wp.vec3d):
    """Extend (xmin, ymin, xmax, ymax) in normalised device coordinates; everything if w <= 0."""
    if point[2] <= _ZERO:
        return wp.vec4d(-_FAR_AWAY, -_FAR_AWAY, _FAR_AWAY, _FAR_AWAY)
    x = point[0] / point[2]
    y = point[1] / point[2]
    return wp.vec4d(wp.min(bounds[0], x), wp.min(bounds[1], y), wp.max(bounds[2], x), wp.max(bounds[3], y))


@wp.func
def visible_bounds(p0: wp.vec4, p1: wp.vec4, p2: wp.vec4):
    """Bounds of the part of the triangle in front of the near plane (empty: xmin > xmax)."""
    bounds = wp.vec4d(_FAR_AWAY, _FAR_AWAY, -_FAR_AWAY, -_FAR_AWAY)
    if p0[2] + p0[3] >= 0.0:
        bounds = grow(bounds, homogeneous(p0))
    if p1[2] + p1[3] >= 0.0:
        bounds = grow(bounds, homogeneous(p1))
    if p2[2] + p2[3] >= 0.0:
        bounds = grow(bounds, homogeneous(p2))
    if crosses_near(p0, p1):
        bounds = grow(bounds, near_crossing(p0, p1))
    if crosses_near(p1, p2):
        bounds = grow(bounds, near_crossing(p1, p2))
    if crosses_near(p2, p0):
        bounds = grow(bounds, near_crossing(p2, p0))
    return bounds


@wp.func
def beside_image(p0: wp.vec4, p1: wp.vec4, p2: wp.vec4):
    """True where one plane of the view has the whole triangle behind it (not for all that draw nothing)."""
    if wp.max(p0[0] + p0[3], wp.max(p1[0] + p1[3], p2[0] + p2[3])) < 0.0:
        return True
    if wp.max(p0[3] - p0[0], wp.max(p1[3] - p1[0], p2[3] - p2[0])) < 0.0:
        return True
    if wp.max(p0[1] + p0[3], wp.max(p1[1] + p1[3], p2[1] + p2[3])) < 0.0:
        return True
    if wp.max(p0[3] - p0[1], wp.max(p1[3] - p1[1], p2[3] - p2[1])) < 0.0:
        return True
    return wp.max(p0[2] + p0[3], wp.max(p1[2] + p1[3], p2[2] + p2[3])) < 0.0


@wp.func
def first_pixel(coordinate: wp.float64, size: wp.int32):
    """First pixel whose centre is at or after a normalised device coordinate."""
    pixel = (coordinate * _HALF + _HALF) * wp.float64(size) - _HALF - _SLACK
    return wp.int32(wp.ceil(wp.clamp(pixel, _ZERO, wp.float64(size))))


@wp.func
def last_pixel(coordinate: wp.float64, size: wp.int32):
    """Last pixel whose centre is at or before a normalised device coordinate."""
    pixel = (coordinate * _HALF + _HALF) * wp.float64(size) - _HALF + _SLACK
    return wp.int32(wp.floor(wp.clamp(pixel, -_ONE, wp.float64(size - 1))))


@wp.func
def pixel_centre(pixel: wp.int32, step: wp.float64):
    """Normalised device coordinate of a pixel centre; `step` is 2 / size."""
    return (wp.float64(pixel) + _HALF) * step - _ONE


@wp.func
def draw_triangle(
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    offset: wp.int32,
    triangle: wp.int32,
    width: wp.int32,
    height: wp.int32,
    image: wp.int32,
    lane: wp.int32,
    lanes: wp.int32,
    cull_backfaces: wp.int32,
    depth: wp.array3d(dtype=wp.int64),
):
    """Lower the (depth, triangle) entry of each pixel in every `lanes`-th row that the triangle covers."""
    p0 = positions[offset + triangles[triangle, 0]]
    p1 = positions[offset + triangles[triangle, 1]]
    p2 = positions[offset + triangles[triangle, 2]]
    if beside_image(p0, p1, p2):
        return

    v0 = homogeneous(p0)
    v1 = homogeneous(p1)
    v2 = homogeneous(p2)
    e0 = wp.cross(v1, v2)
    det = wp.dot(v0, e0)
    if det == _ZERO or (cull_backfaces != 0 and det > _ZERO):
        return

    bounds = visible_bounds(p0, p1, p2)
    column0 = first_pixel(bounds[0], width)
    column1 = last_pixel(bounds[2], width)
    row0 = first_pixel(bounds[1], height)
    row1 = last_pixel(bounds[3], height)
    if column0 > column1 or row0 > row1:
        return

    e1 = wp.cross(v2, v0)
    e2 = wp.cross(v0, v1)
    if det < _ZERO:
        e0 = -e0
        e1 = -e1
        e2 = -e2
        det = -det
    plane = (e0 * wp.float64(p0[2]) + e1 * wp.float64(p1[2]) + e2 * wp.float64(p2[2])) / det

    step_x = wp.float64(2.0) / wp.float64(width)
    step_y = wp.float64(2.0) / wp.float64(height)
    wide = column1 - column0 > 8
    row = row0 + lane
    while row <= row1:
        y = pixel_centre(row, step_y)
        r0 = e0[1] * y + e0[2]
        r1 = e1[1] * y + e1[2]
        r2 = e2[1] * y + e2[2]
        rz = plane[1] * y + plane[2]
        left = column0
        right = column1
        if wide:
            # Where the edges cross this row, one pixel wider: the exact test below still decides.
            low = -_FAR_AWAY
            high = _FAR_AWAY
            if e0[0] > _ZERO:
                low = wp.max(low, -r0 / e0[0])
            elif e0[0] < _ZERO:
                high = wp.min(high, -r0 / e0[0])
            if e1[0] > _ZERO:
                low = wp.max(low, -r1 / e1[0])
            elif e1[0] < _ZERO:
                high = wp.min(high, -r1 / e1[0])
            if e2[0] > _ZERO:
                low = wp.max(low, -r2 / e2[0])
            elif e2[0] < _ZERO:
                high = wp.min(high, -r2 / e2[0])
            left = wp.max(left, first_pixel(low, width) - 1)
            right = wp.min(right, last_pixel(high, width) + 1)
        column = left
        while column <= right:
            x = pixel_centre(column, step_x)
            if e0[0] * x + r0 >= _ZERO and e1[0] * x + r1 >= _ZERO and e2[0] * x + r2 >= _ZERO:
                z = plane[0] * x + rz
                if z >= -_ONE and z <= _ONE:
                    key = wp.int64((z + _ONE) * _DEPTH_STEPS) << _TRIANGLE_SHIFT
                    wp.atomic_min(depth, image, row, column, key | wp.int64(triangle))
            column = column + 1
        row = row + lanes


@wp.kernel
def fill_depth(
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    ranges: wp.array2d(dtype=wp.int32),
    vertex_offsets: wp.array(dtype=wp.int32),
    width: wp.int32,
    height: wp.int32,
    run: wp.int32,
    lanes: wp.int32,
    cull_backfaces: wp.int32,
    depth: wp.array3d(dtype=wp.int64),
):
    """Draw each image's triangles: a thread takes `run` of them one after another, `lanes` threads share their rows."""
    image, part, lane = wp.tid()
    index = run * part
    end = wp.min(index + run, ranges[image, 1])
    while index < end:
        triangle = ranges[image, 0] + index
        offset = vertex_offsets[image]
        draw_triangle(positions, triangles, offset, triangle, width, height, image, lane, lanes, cull_backfaces, depth)
        index = index + 1


@wp.func
def triangle_of(entry: wp.int64):
    """Triangle of a z-buffer entry that is not EMPTY."""
    return wp.int32(entry & _TRIANGLE_MASK)


@wp.func
def place_on_triangle(
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    offset: wp.int32,
    triangle: wp.int32,
    x: wp.float64,
    y: wp.float64,
):
    """(u, v, z/w) of a triangle at a point of the image in normalised device coordinates."""
    p0 = positions[offset + triangles[triangle, 0]]
    p1 = positions[offset + triangles[triangle, 1]]
    p2 = positions[offset + triangles[triangle, 2]]
    v0 = homogeneous(p0)
    v1 = homogeneous(p1)
    v2 = homogeneous(p2)
    point = wp.vec3d(x, y, _ONE)
    e0 = wp.dot(wp.cross(v1, v2), point)
    e1 = wp.dot(wp.cross(v2, v0), point)
    e2 = wp.dot(wp.cross(v0, v1), point)
    total = e0 + e1 + e2
    z = e0 * wp.float64(p0[2]) + e1 * wp.float64(p1[2]) + e2 * wp.float64(p2[2])
    w = e0 * v0[2] + e1 * v1[2] + e2 * v2[2]
    return wp.vec3(
        wp.clamp(wp.float32(e0 / total), 0.0, 1.0),
        wp.clamp(wp.float32(e1 / total), 0.0, 1.0),
        wp.clamp(wp.float32(z / w), -1.0, 1.0),
    )


@wp.kernel
def resolve(
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    vertex_offsets: wp.array(dtype=wp.int32),
    width: wp.int32,
    height: wp.int32,
    depth: wp.array3d(dtype=wp.int64),
    raster: wp.array3d(dtype=wp.vec4),
):
    """Turn z-buffer entries into (u, v, z/w, triangle id + 1), and empty ones into zeros."""
    image, row, column = wp.tid()
    entry = depth[image, row, column]
    if entry == EMPTY:
        raster[image, row, column] = wp.vec4()
        return
    triangle = triangle_of(entry)
    x = pixel_centre(column, wp.float64(2.0) / wp.float64(width))
    y = pixel_centre(row, wp.float64(2.0) / wp.float64(height))
    place = place_on_triangle(positions, triangles, vertex_offsets[image], triangle, x, y)
    raster[image, row, column] = wp.vec4(place[0], place[1], place[2], wp.float32(triangle + 1))


@wp.kernel
def rasterize_backward(
    positions: wp.array(dtype=wp.vec4),
    triangles: wp.array2d(dtype=wp.int32),
    vertex_offsets: wp.array(dtype=wp.int32),
    width: wp.int32,
    height: wp.int32,
    raster: wp.array3d(dtype=wp.vec4),
    raster_gradient: wp.array3d(dtype=wp.vec4),
    position_gradient: wp.array(dtype=wp.vec4),
):
    """Gradient of (u, v, z/w) with respect to clip positions, triangle ids held fixed.

    From sum(b_i v_i) = p: db = -V^-1 sum(b_i dv_i), so with q = V^-T g the gradient of v_i is -b_i q.
    """
    image, row, column = wp.tid()
    triangle = wp.int32(raster[image, row, column][3]) - 1
    gradient = raster_gradient[image, row, column]
    if triangle < 0 or (gradient[0] == 0.0 and gradient[1] == 0.0 and gradient[2] == 0.0):
        return
    offset = vertex_offsets[image]
    i0 = offset + triangles[triangle, 0]
    i1 = offset + triangles[triangle, 1]
    i2 = offset + triangles[triangle, 2]
    v0 = homogeneous(positions[i0])
    v1 = homogeneous(positions[i1])
    v2 = homogeneous(positions[i2])
    c0 = wp.cross(v1, v2)
    c1 = wp.cross(v2, v0)
    c2 = wp.cross(v0, v1)
    det = wp.dot(v0, c0)
    x = pixel_centre(column, wp.float64(2.0) / wp.float64(width))
    y = pixel_centre(row, wp.float64(2.0) / wp.float64(height))
    point = wp.vec3d(x, y, _ONE)
    b0 = wp.dot(c0, point) / det
    b1 = wp.dot(c1, point) / det
    b2 = wp.dot(c2, point) / det
    total = b0 + b1 + b2
    gu = wp.float64(gradient[0]) / total
    gv = wp.float64(gradient[1]) / total
    gz = wp.float64(gradient[2])
    shared = (gu * b0 + gv * b1) / total
    g0 = gu - shared + gz * wp.float64(positions[i0][2])
    g1 = gv - shared + gz * wp.float64(positions[i1][2])
    g2 = -shared + gz * wp.float64(positions[i2][2])
    q = (c0 * g0 + c1 * g1 + c2 * g2) / det
    wp.atomic_add(position_gradient, i0, vertex_gradient(b0, q, gz))
    wp.atomic_add(position_gradient, i1, vertex_gradient(b1, q, gz))
    wp.atomic_add(position_gradient, i2, vertex_gradient(b2, q, gz))


@wp.func
def vertex_gradient(b: wp.float64, q: wp.vec3d, gz: wp.float64):
    return wp.vec4(wp.float32(-b * q[0]), wp.float32(-b * q[1]), wp.float32(b * gz), wp.float32(-b * q[2]))


@wp.kernel
def project(
    vertices: wp.array(dtype=wp.vec3),
    clip_from_world: wp.mat44,
    positions: wp.array(dtype=wp.vec4),
):
    """Clip positions of world points."""
    vertex = wp.tid()
    point = vertices[vertex]
    positions[vertex] = clip_from_world * wp.vec4(point[0], point[1], point[2], 1.0)


@wp.kernel
def nearest_depth(depth: wp.array3d(dtype=wp.int64), beyond: wp.float32, nearest: wp.array2d(dtype=wp.float32)):
    """z/w of the nearest triangle in each pixel of the only image, `beyond` where there is none."""
    row, column = wp.tid()
    entry = depth[0, row, column]
    if entry == EMPTY:
        nearest[row, column] = beyond
        return
    nearest[row, column] = wp.float32(wp.float64(entry >> _TRIANGLE_SHIFT) / _DEPTH_STEPS - _ONE)
