"""Closed triangle parts from which every procedural asset is assembled.

Each builder returns a `Mesh` whose edges are each shared by exactly two faces and whose faces
turn counter-clockwise seen from outside, so that signed volumes are positive and back-face
culling, ray parity and signed distances all work. Lengths are metres, x forward, y left, z up.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from airside_perception.synth.mesh import (
    CONCRETE,
    EMISSIVE,
    FABRIC,
    GLASS,
    MATERIALS,
    METAL,
    PAINT,
    RUBBER,
    FloatArray,
    IntArray,
    Mesh,
    cross,
    make_mesh,
    merge,
    rotation,
)

__all__ = [
    "CONCRETE", "EMISSIVE", "FABRIC", "GLASS", "MATERIALS", "METAL", "PAINT", "RUBBER", "FloatArray", "IntArray",
    "Mesh",
    "box", "boxes", "chamfered_box", "cone", "cylinder", "ellipsoid", "hexahedra", "lathe", "loft", "make_mesh",
    "merge", "prism", "pyramids", "rotation", "span_box", "tube",
]  # fmt: skip

_BOX_SIGNS = np.array([[x, y, z] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])
# Corner order of `hexahedra`: x fastest, then y, then z.
_BOX_FACES = np.array(
    [
        [0, 2, 3], [0, 3, 1],  # -z
        [4, 5, 7], [4, 7, 6],  # +z
        [0, 1, 5], [0, 5, 4],  # -y
        [2, 6, 7], [2, 7, 3],  # +y
        [0, 4, 6], [0, 6, 2],  # -x
        [1, 3, 7], [1, 7, 5],  # +x
    ],
    dtype=np.int32,
)  # fmt: skip


def _outward(mesh: Mesh) -> Mesh:
    return mesh if mesh.volume >= 0 else replace(mesh, faces=mesh.faces[:, ::-1])


def hexahedra(corners: ArrayLike, color: ArrayLike, material: int = PAINT) -> Mesh:
    """Six-sided blocks.

    Args:
        corners: (N, 8, 3) or (8, 3), x fastest, then y, then z (or any such frame, mirrored or not).
        color: (3,) or (N, 3), one colour a block.
        material: index into `MATERIALS`.
    """
    corners = np.asarray(corners, dtype=np.float64).reshape(-1, 8, 3)
    edges = corners[:, [1, 2, 4]] - corners[:, :1]
    mirrored = np.einsum("ni,ni->n", edges[:, 0], cross(edges[:, 1], edges[:, 2])) < 0
    faces = np.repeat(_BOX_FACES[None], len(corners), axis=0)
    faces[mirrored] = faces[mirrored][..., ::-1]
    faces = faces + 8 * np.arange(len(corners), dtype=np.int32)[:, None, None]
    face_color = np.repeat(color, 12, axis=0) if np.ndim(color) == 2 else color
    return make_mesh(corners.reshape(-1, 3), faces.reshape(-1, 3), face_color, material)


def pyramids(quads: ArrayLike, apexes: ArrayLike, color: ArrayLike, material: int = PAINT) -> Mesh:
    """Four-cornered plates (N, 4, 3) closed behind by one apex (N, 3) each; half the faces of a box."""
    quads, apexes = np.asarray(quads, dtype=np.float64), np.asarray(apexes, dtype=np.float64)
    normals = cross(quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0])
    inward = np.einsum("ni,ni->n", normals, quads[:, 0] - apexes) < 0
    pattern = np.array([[0, 1, 2], [0, 2, 3], [1, 0, 4], [2, 1, 4], [3, 2, 4], [0, 3, 4]], dtype=np.int32)
    faces = np.repeat(pattern[None], len(quads), axis=0)
    faces[inward] = faces[inward][..., ::-1]
    faces = faces + 5 * np.arange(len(quads), dtype=np.int32)[:, None, None]
    vertices = np.concatenate([quads, apexes[:, None]], axis=1)
    face_color = np.repeat(color, 6, axis=0) if np.ndim(color) == 2 else color
    return make_mesh(vertices.reshape(-1, 3), faces.reshape(-1, 3), face_color, material)


def box(center: ArrayLike, size: ArrayLike, color: ArrayLike, material: int = PAINT) -> Mesh:
    """Axis-aligned box."""
    vertices = np.asarray(center) + _BOX_SIGNS * np.asarray(size)
    return make_mesh(vertices, _BOX_FACES, color, material)


def boxes(centers: ArrayLike, sizes: ArrayLike, color: ArrayLike, material: int = PAINT) -> Mesh:
    """Many axis-aligned boxes at once: centers (N, 3), sizes (3,) or (N, 3), color (3,) or (N, 3)."""
    centers = np.asarray(centers, dtype=np.float64).reshape(-1, 3)
    sizes = np.broadcast_to(np.asarray(sizes, dtype=np.float64), centers.shape)
    return hexahedra(centers[:, None] + _BOX_SIGNS * sizes[:, None], color, material)


def span_box(low: ArrayLike, high: ArrayLike, color: ArrayLike, material: int = PAINT) -> Mesh:
    """Axis-aligned box between two corners."""
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    return box((low + high) / 2, high - low, color, material)


@lru_cache(maxsize=256)
def _loft_faces(rings: int, points: int, loop: bool) -> IntArray:
    """Quads (two triangles each) between neighbouring rings, then fans over the two end rings."""
    ring_count = rings if loop else rings - 1
    i, j = np.meshgrid(np.arange(ring_count), np.arange(points), indexing="ij")
    following, right = (i + 1) % rings, (j + 1) % points
    a, b, c, d = i * points + j, i * points + right, following * points + right, following * points + j
    quads = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], axis=2).reshape(-1, 3)
    if loop:
        return quads.astype(np.int32)
    k = np.arange(1, points - 1)
    first = np.stack([np.zeros_like(k), k + 1, k], -1)
    last = np.stack([np.zeros_like(k), k, k + 1], -1) + (rings - 1) * points
    return np.concatenate([quads, first, last]).astype(np.int32)


def loft(
    rings: ArrayLike,
    color: ArrayLike,
    material: ArrayLike = PAINT,
    cap_color: ArrayLike | None = None,
    cap_material: int | None = None,
    loop: bool = False,
) -> Mesh:
    """Skin over a row of cross-sections with equal point counts, closed by flat caps.

    Args:
        rings: (R, K, 3) cross-sections; the end ones must be star-shaped from their first point.
        color: (3,), one per point of a section (K, 3), or one per quad (R-1, K, 3) (R with `loop`).
        material: one index, (K,), or (R-1, K).
        cap_color: (3,) or (2, 3) for first and last cap; by default the colour of the neighbouring band.
        cap_material: index for the caps; by default `material` of the neighbouring band.
        loop: join the last ring to the first (a torus) instead of capping.
    """
    rings = np.asarray(rings, dtype=np.float64)
    count, points = rings.shape[:2]
    bands = count if loop else count - 1
    quad_colors = np.empty((bands, points, 3), dtype=np.float32)
    quad_colors[:] = color
    quad_materials = np.empty((bands, points), dtype=np.uint8)
    quad_materials[:] = material
    colors = [np.repeat(quad_colors.reshape(-1, 3), 2, axis=0)]
    materials = [np.repeat(quad_materials.reshape(-1), 2)]
    if not loop:
        caps = quad_colors[[0, -1], 0] if cap_color is None else np.broadcast_to(np.asarray(cap_color), (2, 3))
        cap_materials = quad_materials[[0, -1], 0] if cap_material is None else np.full(2, cap_material)
        colors.append(np.repeat(caps, points - 2, axis=0))
        materials.append(np.repeat(cap_materials, points - 2))
    faces = _loft_faces(count, points, loop)
    mesh = make_mesh(rings.reshape(-1, 3), faces, np.concatenate(colors), np.concatenate(materials))
    return _outward(mesh)


@lru_cache(maxsize=64)
def _circle(segments: int) -> FloatArray:
    angle = (np.arange(segments) + 0.5) * (2 * np.pi / segments)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _frame(direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two unit vectors that span the plane across `direction`."""
    direction = direction / np.sqrt(direction @ direction)
    other = np.array([0.0, 0.0, 1.0]) if abs(direction[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    side = cross(other, direction)
    side /= np.sqrt(side @ side)
    return side, cross(direction, side)


def cylinder(
    start: ArrayLike,
    end: ArrayLike,
    radius: float,
    color: ArrayLike,
    material: int = METAL,
    end_radius: float | None = None,
    segments: int = 8,
) -> Mesh:
    """Cylinder or cone frustum between two points."""
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    side, up = _frame(end - start)
    circle = _circle(segments) @ np.stack([side, up])
    tip = radius if end_radius is None else end_radius
    return loft(np.stack([start + radius * circle, end + tip * circle]), color, material)


def cone(base: ArrayLike, tip: ArrayLike, radius: float, color: ArrayLike, segments: int = 10) -> Mesh:
    """Cone whose tip is blunted to 2 % of the base, so that no face is degenerate."""
    return cylinder(base, tip, radius, color, PAINT, end_radius=0.02 * radius, segments=segments)


def tube(points: ArrayLike, radius: float, color: ArrayLike, material: int = METAL, segments: int = 6) -> Mesh:
    """Round bars along a polyline (N, 3), one closed cylinder per piece."""
    points = np.asarray(points, dtype=np.float64)
    pieces = [
        cylinder(a, b, radius, color, material, segments=segments) for a, b in zip(points, points[1:], strict=False)
    ]
    return merge(pieces)


def lathe(
    profile: ArrayLike,
    color: ArrayLike,
    material: ArrayLike = PAINT,
    axis: str = "x",
    center: ArrayLike = (0.0, 0.0, 0.0),
    segments: int = 12,
    loop: bool = False,
) -> Mesh:
    """Surface of revolution.

    Args:
        profile: (P, 2) of (position along the axis, radius > 0).
        color: (3,) or one per band, (P-1, 3) (P with `loop`).
        material: one index or one per band.
        axis: 'x', 'y' or 'z'.
        center: origin of the axis coordinate.
        segments: points around.
        loop: close the profile on itself (an engine cowling with its duct) instead of capping.
    """
    profile = np.asarray(profile, dtype=np.float64)
    ring = _circle(segments)[None] * profile[:, 1, None, None]
    along = np.broadcast_to(profile[:, 0, None, None], (*ring.shape[:2], 1))
    order = {"x": (0, 1, 2), "y": (2, 0, 1), "z": (1, 2, 0)}[axis]
    rings = np.concatenate([along, ring], axis=-1)[..., order] + np.asarray(center)
    color, material = np.asarray(color), np.asarray(material)
    color = color[:, None] if color.ndim == 2 else color
    material = material[:, None] if material.ndim == 1 else material
    return loft(rings, color, material, loop=loop)


def ellipsoid(
    center: ArrayLike, radii: ArrayLike, color: ArrayLike, material: int = PAINT, segments: int = 10, rows: int = 6
) -> Mesh:
    """Ellipsoid with its poles on z."""
    sphere = _sphere(segments, rows)
    vertices = (sphere.vertices * np.asarray(radii)).astype(np.float32) + np.asarray(center, dtype=np.float32)
    return make_mesh(vertices, sphere.faces, color, material)


@lru_cache(maxsize=64)
def _sphere(segments: int, rows: int) -> Mesh:
    latitude = np.linspace(-0.5, 0.5, rows + 1) * np.pi * 0.97
    profile = np.stack([np.sin(latitude), np.cos(latitude)], axis=-1)
    return lathe(profile, (0.0, 0.0, 0.0), axis="z", segments=segments)


def prism(
    profile: ArrayLike,
    y_low: float,
    y_high: float,
    color: ArrayLike,
    material: ArrayLike = PAINT,
    side_color: ArrayLike | None = None,
    taper: float = 1.0,
) -> Mesh:
    """Side-view outline extruded across the vehicle.

    Args:
        profile: (K, 2) of (x, z), star-shaped from its first point.
        y_low, y_high: extent across.
        color: (3,) or one per outline edge (K, 3); edge k runs from point k to point k+1.
        material: one index or (K,).
        side_color: colour of the two flat sides; by default that of the first edge.
        taper: scale of y at the highest z relative to the lowest (cab sides lean inwards).
    """
    profile = np.asarray(profile, dtype=np.float64)
    x, z = profile[:, 0], profile[:, 1]
    squeeze = 1.0 + (taper - 1.0) * (z - z.min()) / (z.max() - z.min())
    middle = (y_low + y_high) / 2
    rings = np.stack([np.stack([x, middle + (y - middle) * squeeze, z], -1) for y in (y_low, y_high)])
    return loft(rings, color, material, cap_color=side_color, cap_material=PAINT)


def chamfered_box(center: ArrayLike, size: ArrayLike, chamfer: float, color: ArrayLike, material: int = PAINT) -> Mesh:
    """Box whose twelve edges are cut at 45 degrees; reads as sheet metal rather than as a crate."""
    half = np.asarray(size, dtype=np.float64) / 2
    cut = min(chamfer, 0.9 * float(half.min()))

    def octagon(a: float, b: float, c: float, z: float) -> FloatArray:
        plan = [(a, b - c), (a - c, b), (c - a, b), (-a, b - c), (-a, c - b), (c - a, -b), (a - c, -b), (a, c - b)]
        return np.array([(x, y, z) for x, y in plan])

    levels = [(-half[2], 0.7), (cut - half[2], 0.0), (half[2] - cut, 0.0), (half[2], 0.7)]
    rings = []
    for z, shrink in levels:
        rings.append(octagon(half[0] - shrink * cut, half[1] - shrink * cut, (1 - shrink) * cut, z))
    return loft(np.stack(rings), color, material).translated(*np.asarray(center, dtype=np.float32))
