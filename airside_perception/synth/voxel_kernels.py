"""Warp kernel: which voxels surfaces touch."""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})

# The R2 sequence (Roberts 2018) in steps of 2^-32: additive recurrence with the plastic number.
_STEP_U = wp.constant(wp.uint32(3242174889))
_STEP_V = wp.constant(wp.uint32(2447445414))
_UNIT = wp.constant(float(2.0**-32))
_LEAST_SAMPLES = wp.constant(3)


@wp.func
def cell_of(point: wp.vec3, origin: wp.vec3, voxel_size: wp.vec3) -> wp.vec3:
    """A point in voxels from the grid's lowest corner."""
    return wp.cw_div(point - origin, voxel_size)


@wp.kernel
def mark_voxels(
    vertices: wp.array(dtype=wp.vec3),
    faces: wp.array2d(dtype=wp.int32),
    face_ranks: wp.array(dtype=wp.int32),
    grid_from_world: wp.mat44,
    origin: wp.vec3,
    voxel_size: wp.vec3,
    spacing: float,
    ranks: wp.array3d(dtype=wp.int32),
):
    """Raise each voxel to the rank of any triangle in it: samples every `spacing` squared, three at least."""
    face = wp.tid()
    a = cell_of(wp.transform_point(grid_from_world, vertices[faces[face, 0]]), origin, voxel_size)
    b = cell_of(wp.transform_point(grid_from_world, vertices[faces[face, 1]]), origin, voxel_size)
    c = cell_of(wp.transform_point(grid_from_world, vertices[faces[face, 2]]), origin, voxel_size)
    for axis in range(3):
        if wp.max(wp.max(a[axis], b[axis]), c[axis]) < 0.0:
            return
        if wp.min(wp.min(a[axis], b[axis]), c[axis]) >= float(ranks.shape[axis]):
            return
    edge_u = b - a
    edge_v = c - a
    area = 0.5 * wp.length(wp.cross(wp.cw_mul(edge_u, voxel_size), wp.cw_mul(edge_v, voxel_size)))
    count = wp.max(int(wp.ceil(area / (spacing * spacing))), _LEAST_SAMPLES)
    for sample in range(count):
        u = 0.5 + float(wp.uint32(sample) * _STEP_U) * _UNIT
        v = 0.5 + float(wp.uint32(sample) * _STEP_V) * _UNIT
        u = u - wp.floor(u)
        v = v - wp.floor(v)
        if u + v > 1.0:
            u = 1.0 - u
            v = 1.0 - v
        place = a + edge_u * u + edge_v * v
        i = int(wp.floor(place[0]))
        j = int(wp.floor(place[1]))
        k = int(wp.floor(place[2]))
        if i >= 0 and j >= 0 and k >= 0 and i < ranks.shape[0] and j < ranks.shape[1] and k < ranks.shape[2]:
            wp.atomic_max(ranks, i, j, k, face_ranks[face])
