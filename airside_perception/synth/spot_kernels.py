"""What lines of sight meet: triangles, ground or sky, with place, colour and material. Warp, CPU and CUDA."""

from __future__ import annotations

import warp as wp

from airside_perception.rendering.warp_kernels import EMPTY, place_on_triangle, triangle_of
from airside_perception.synth.ground_kernels import Ground, ground_albedo
from airside_perception.synth.material_kernels import CONCRETE, coat, weathered

wp.set_module_options({"enable_backward": False})

GROUND_ITEM = wp.constant(-1)
SKY_ITEM = wp.constant(-2)
_NO_TRIANGLE = wp.constant(-1)
_NOWHERE = wp.constant(1.0e6)


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
class Eye:
    """A linear camera: its pose, rays per pixel (1/fx, 1/fy, -cx/fx, -cy/fy), range and image size."""

    world_from_optical: wp.mat44
    ray_scale: wp.vec4
    near: float
    far: float
    width: int
    height: int


@wp.struct
class Spot:
    """What one line of sight meets. Of the sky only item, depth (0) and view are set."""

    item: int
    depth: float
    stretch: float
    """Metres along the line for each metre of depth."""
    view: wp.vec3
    point: wp.vec3
    normal: wp.vec3
    albedo: wp.vec3
    material: int


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
def spot_at(
    column: float, row: float, triangle: int, eye: Eye, surfaces: Surfaces, snow: float, ground: Ground
) -> Spot:
    """What the line of sight through a place of the image meets, where `triangle` (or none) is the nearest."""
    spot = Spot()
    optical = wp.vec3(column * eye.ray_scale[0] + eye.ray_scale[2], row * eye.ray_scale[1] + eye.ray_scale[3], 1.0)
    ray = wp.transform_vector(eye.world_from_optical, optical)
    center = wp.transform_point(eye.world_from_optical, wp.vec3(0.0, 0.0, 0.0))
    spot.stretch = wp.length(ray)
    spot.view = ray / spot.stretch
    ground_depth = float(_NOWHERE)
    if ray[2] < -1.0e-6:
        ground_depth = -center[2] / ray[2]
    surface_depth = float(_NOWHERE)
    place = wp.vec3(0.0, 0.0, 0.0)
    if triangle >= 0:
        place = place_at(column, row, triangle, eye, surfaces)
        surface_depth = 2.0 * eye.far * eye.near / ((eye.far + eye.near) - place[2] * (eye.far - eye.near))
    spot.depth = wp.min(surface_depth, ground_depth)
    spot.item = SKY_ITEM
    if spot.depth > eye.far:
        spot.depth = 0.0
        return spot
    spot.point = center + ray * spot.depth
    if surface_depth > ground_depth + 0.01:
        spot.item = GROUND_ITEM
        spot.normal = wp.vec3(0.0, 0.0, 1.0)
        spot.material = CONCRETE
        footprint = spot.depth * eye.ray_scale[0] / wp.sqrt(wp.max(-spot.view[2], 0.002))
        spot.albedo = ground_albedo(spot.point[0], spot.point[1], footprint, ground)
        return spot
    spot.item = surfaces.face_items[triangle]
    spot.material = surfaces.face_materials[triangle]
    spot.normal = wp.normalize(
        surfaces.corner_normals[triangle, 0] * place[0]
        + surfaces.corner_normals[triangle, 1] * place[1]
        + surfaces.corner_normals[triangle, 2] * (1.0 - place[0] - place[1])
    )
    own = coat(surfaces.face_colors[triangle], spot.point, surfaces.item_styles, spot.item)
    spot.albedo = weathered(own, spot.point, spot.normal, spot.material, snow)
    return spot


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
