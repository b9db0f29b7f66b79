"""Warp kernels of camera visibility: rays through a voxel grid, and a memory of seen places."""

# No postponed annotations here: Warp reads the types of kernel arguments at definition.
import warp as wp


@wp.func
def clip_to_grid(origin: wp.vec3, direction: wp.vec3, shape: wp.vec3i, stop: float):
    """Distances (enter, leave) along a ray between which it is in the grid, by slabs; leave <= enter: never.

    Args: in units of voxels; the ray ends at `stop`.
    """
    enter = float(0.0)
    leave = stop
    for axis in range(3):
        size = float(shape[axis])
        if wp.abs(direction[axis]) < 1.0e-9:
            if origin[axis] < 0.0 or origin[axis] >= size:
                leave = 0.0
        else:
            first = (0.0 - origin[axis]) / direction[axis]
            second = (size - origin[axis]) / direction[axis]
            enter = wp.max(enter, wp.min(first, second))
            leave = wp.min(leave, wp.max(first, second))
    return wp.vec2(enter, leave)


@wp.kernel
def march_rays(
    origins: wp.array(dtype=wp.vec3),  # type: ignore[valid-type]
    directions: wp.array(dtype=wp.vec3),  # type: ignore[valid-type]
    camera_of_ray: wp.array(dtype=wp.int32),  # type: ignore[valid-type]
    enabled: wp.array(dtype=wp.uint8),  # type: ignore[valid-type]
    occupied: wp.array(dtype=wp.uint8),  # type: ignore[valid-type]
    shape: wp.vec3i,
    seen: wp.array(dtype=wp.uint8),  # type: ignore[valid-type]
):
    """One thread per ray: Amanatides and Woo (1987), in units of voxels.

    Marks every voxel up to and including the first occupied one. Threads write the same value, so
    the order of writes doesn't matter.
    """
    ray = wp.tid()
    camera = camera_of_ray[ray]
    if enabled[camera] == wp.uint8(0):
        return
    origin = origins[camera]
    direction = directions[ray]
    within = clip_to_grid(origin, direction, shape, 1.0e9)
    enter = within[0]
    if enter >= within[1]:
        return
    # A hair inside, so that a ray that enters through a face starts in the voxel behind it.
    start = origin + (enter + 1.0e-4) * direction
    x = wp.clamp(int(wp.floor(start[0])), 0, shape[0] - 1)
    y = wp.clamp(int(wp.floor(start[1])), 0, shape[1] - 1)
    z = wp.clamp(int(wp.floor(start[2])), 0, shape[2] - 1)
    step_x = wp.where(direction[0] > 0.0, 1, -1)
    step_y = wp.where(direction[1] > 0.0, 1, -1)
    step_z = wp.where(direction[2] > 0.0, 1, -1)
    delta_x = 1.0 / wp.max(wp.abs(direction[0]), 1.0e-9)
    delta_y = 1.0 / wp.max(wp.abs(direction[1]), 1.0e-9)
    delta_z = 1.0 / wp.max(wp.abs(direction[2]), 1.0e-9)
    # Distance along the ray (from the origin) to the next face on each axis.
    next_x = wp.abs(float(x + wp.where(step_x > 0, 1, 0)) - origin[0]) * delta_x
    next_y = wp.abs(float(y + wp.where(step_y > 0, 1, 0)) - origin[1]) * delta_y
    next_z = wp.abs(float(z + wp.where(step_z > 0, 1, 0)) - origin[2]) * delta_z
    stride_x = shape[1] * shape[2]
    cell = x * stride_x + y * shape[2] + z
    running = bool(True)
    while running:
        seen[cell] = wp.uint8(1)
        if occupied[cell] != wp.uint8(0):
            running = False
        elif next_x <= next_y and next_x <= next_z:
            x += step_x
            cell += step_x * stride_x
            next_x += delta_x
            running = x >= 0 and x < shape[0]
        elif next_y <= next_z:
            y += step_y
            cell += step_y * shape[2]
            next_y += delta_y
            running = y >= 0 and y < shape[1]
        else:
            z += step_z
            cell += step_z
            next_z += delta_z
            running = z >= 0 and z < shape[2]


@wp.kernel
def carve_rays(
    origins: wp.array(dtype=wp.vec3),  # type: ignore[valid-type]
    directions: wp.array(dtype=wp.vec3),  # type: ignore[valid-type]
    stops: wp.array(dtype=wp.float32),  # type: ignore[valid-type]
    shape: wp.vec3i,
    crossed: wp.array(dtype=wp.uint8),  # type: ignore[valid-type]
):
    """One thread per ray, in units of voxels: marks every voxel that the ray crosses before distance `stops`."""
    ray = wp.tid()
    origin = origins[ray]
    direction = directions[ray]
    within = clip_to_grid(origin, direction, shape, stops[ray])
    enter = within[0]
    leave = within[1]
    if enter >= leave:
        return
    start = origin + (enter + 1.0e-4) * direction
    x = wp.clamp(int(wp.floor(start[0])), 0, shape[0] - 1)
    y = wp.clamp(int(wp.floor(start[1])), 0, shape[1] - 1)
    z = wp.clamp(int(wp.floor(start[2])), 0, shape[2] - 1)
    step_x = wp.where(direction[0] > 0.0, 1, -1)
    step_y = wp.where(direction[1] > 0.0, 1, -1)
    step_z = wp.where(direction[2] > 0.0, 1, -1)
    delta_x = 1.0 / wp.max(wp.abs(direction[0]), 1.0e-9)
    delta_y = 1.0 / wp.max(wp.abs(direction[1]), 1.0e-9)
    delta_z = 1.0 / wp.max(wp.abs(direction[2]), 1.0e-9)
    next_x = wp.abs(float(x + wp.where(step_x > 0, 1, 0)) - origin[0]) * delta_x
    next_y = wp.abs(float(y + wp.where(step_y > 0, 1, 0)) - origin[1]) * delta_y
    next_z = wp.abs(float(z + wp.where(step_z > 0, 1, 0)) - origin[2]) * delta_z
    running = bool(True)
    while running:
        crossed[(x * shape[1] + y) * shape[2] + z] = wp.uint8(1)
        # The next face lies behind the end of the ray: its last voxel was marked.
        if wp.min(wp.min(next_x, next_y), next_z) >= leave:
            running = False
        elif next_x <= next_y and next_x <= next_z:
            x += step_x
            next_x += delta_x
            running = x >= 0 and x < shape[0]
        elif next_y <= next_z:
            y += step_y
            next_y += delta_y
            running = y >= 0 and y < shape[1]
        else:
            z += step_z
            next_z += delta_z
            running = z >= 0 and z < shape[2]


@wp.kernel
def copy_seen(
    target_from_query: wp.mat44,
    source: wp.array(dtype=wp.uint8),  # type: ignore[valid-type]
    source_shape: wp.vec3i,
    query_shape: wp.vec3i,
    target: wp.array(dtype=wp.uint8),  # type: ignore[valid-type]
):
    """target[q] |= source[voxel that holds the centre of query voxel q]; the transform is in voxel units."""
    index = wp.tid()
    if target[index] != wp.uint8(0):
        return
    z = index % query_shape[2]
    y = (index / query_shape[2]) % query_shape[1]
    x = index / (query_shape[2] * query_shape[1])
    center = wp.vec3(float(x) + 0.5, float(y) + 0.5, float(z) + 0.5)
    place = wp.transform_point(target_from_query, center)
    i = int(wp.floor(place[0]))
    j = int(wp.floor(place[1]))
    k = int(wp.floor(place[2]))
    inside = i >= 0 and j >= 0 and k >= 0 and i < source_shape[0] and j < source_shape[1] and k < source_shape[2]
    if inside:
        target[index] = source[(i * source_shape[1] + j) * source_shape[2] + k]
