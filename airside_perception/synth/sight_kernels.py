"""Warp kernel: which lines meet a mesh."""

import warp as wp


@wp.kernel
def lines_blocked(
    mesh: wp.uint64, starts: wp.array(dtype=wp.vec3), ends: wp.array(dtype=wp.vec3), blocked: wp.array(dtype=wp.int32)
):
    """blocked[i] = 1 where the line from starts[i] to ends[i] meets a face."""
    index = wp.tid()
    line = ends[index] - starts[index]
    length = wp.length(line)
    if length > 0.0:
        query = wp.mesh_query_ray(mesh, starts[index], line / length, length)
        if query.result:
            blocked[index] = 1
