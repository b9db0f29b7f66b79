"""Warp kernels that interpolate vertex attributes over a raster, and their gradients."""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.kernel
def interpolate_forward(
    attributes: wp.array2d(dtype=wp.float32),
    triangles: wp.array2d(dtype=wp.int32),
    vertex_offsets: wp.array(dtype=wp.int32),
    raster: wp.array3d(dtype=wp.vec4),
    channels: wp.int32,
    output: wp.array4d(dtype=wp.float32),
):
    """output = u * a0 + v * a1 + (1 - u - v) * a2 on covered pixels; `output` starts as zeros."""
    image, row, column = wp.tid()
    pixel = raster[image, row, column]
    triangle = wp.int32(pixel[3]) - 1
    if triangle < 0:
        return
    offset = vertex_offsets[image]
    i0 = offset + triangles[triangle, 0]
    i1 = offset + triangles[triangle, 1]
    i2 = offset + triangles[triangle, 2]
    u = pixel[0]
    v = pixel[1]
    rest = 1.0 - u - v
    for channel in range(channels):
        value = u * attributes[i0, channel] + v * attributes[i1, channel] + rest * attributes[i2, channel]
        output[image, row, column, channel] = value


@wp.kernel
def interpolate_backward(
    attributes: wp.array2d(dtype=wp.float32),
    triangles: wp.array2d(dtype=wp.int32),
    vertex_offsets: wp.array(dtype=wp.int32),
    raster: wp.array3d(dtype=wp.vec4),
    channels: wp.int32,
    output_gradient: wp.array4d(dtype=wp.float32),
    attribute_gradient: wp.array2d(dtype=wp.float32),
    raster_gradient: wp.array3d(dtype=wp.vec4),
):
    """Gradients with respect to attributes and to (u, v); both outputs start as zeros."""
    image, row, column = wp.tid()
    pixel = raster[image, row, column]
    triangle = wp.int32(pixel[3]) - 1
    if triangle < 0:
        return
    offset = vertex_offsets[image]
    i0 = offset + triangles[triangle, 0]
    i1 = offset + triangles[triangle, 1]
    i2 = offset + triangles[triangle, 2]
    u = pixel[0]
    v = pixel[1]
    rest = 1.0 - u - v
    gu = float(0.0)
    gv = float(0.0)
    for channel in range(channels):
        gradient = output_gradient[image, row, column, channel]
        last = attributes[i2, channel]
        gu = gu + gradient * (attributes[i0, channel] - last)
        gv = gv + gradient * (attributes[i1, channel] - last)
        wp.atomic_add(attribute_gradient, i0, channel, gradient * u)
        wp.atomic_add(attribute_gradient, i1, channel, gradient * v)
        wp.atomic_add(attribute_gradient, i2, channel, gradient * rest)
    raster_gradient[image, row, column] = wp.vec4(gu, gv, 0.0, 0.0)
