"""Parts that fit onto vehicles and aircraft: plates and skins on faces, wheels, wings; closed like mesh_parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from airside_perception.synth.mesh import cross
from airside_perception.synth.mesh_parts import METAL, PAINT, RUBBER, Mesh, hexahedra, lathe, loft


def panel(
    quad: ArrayLike,
    color: ArrayLike,
    material: int = PAINT,
    inset: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0),
    thickness: float = 0.02,
) -> Mesh:
    """Thin plate on a four-cornered face: windows, doors, stripes, lamps.

    Args:
        quad: (4, 3) corners (0,0), (1,0), (1,1), (0,1) of the face.
        color: (3,).
        material: index into `MATERIALS`.
        inset: u0, u1, v0, v1, the part of the face that the plate covers.
        thickness: half of the plate's depth; it is sunk in as far as it stands out.
    """
    quad = np.asarray(quad, dtype=np.float64)
    u0, u1, v0, v1 = inset
    u, v = np.array([u0, u1, u0, u1])[:, None], np.array([v0, v0, v1, v1])[:, None]
    flat = (1 - u) * (1 - v) * quad[0] + u * (1 - v) * quad[1] + u * v * quad[2] + (1 - u) * v * quad[3]
    normal = cross(flat[1] - flat[0], flat[2] - flat[0])
    normal *= thickness / max(float(np.sqrt(normal @ normal)), 1e-9)
    return hexahedra(np.concatenate([flat - normal, flat + normal]), color, material)


def shell(outer: ArrayLike, inner: ArrayLike, color: ArrayLike, material: ArrayLike = PAINT) -> Mesh:
    """Closed sheet between two grids of points (rows, columns, 3); follows a curved skin.

    color: (3,) or one per row of quads, (rows-1, 3).
    """
    outer, inner = np.asarray(outer, dtype=np.float64), np.asarray(inner, dtype=np.float64)
    # Each grid row, walked along the outer and back along the inner sheet, is one cross-section.
    rings = np.concatenate([outer, inner[:, ::-1]], axis=1)
    color = np.asarray(color)
    return loft(rings, color[:, None] if color.ndim == 2 else color, material)


def wheel(
    center: ArrayLike,
    radius: float,
    width: float,
    hub_color: ArrayLike = (0.6, 0.6, 0.62),
    tyre_color: ArrayLike = (0.035, 0.035, 0.04),
    segments: int = 10,
    coarse: bool = False,
) -> Mesh:
    """Tyre and hub that roll along x; `center` is the hub. `coarse` leaves out shoulder and dish."""
    half = width / 2
    radius = radius / np.cos(np.pi / segments)  # the lowest flat, not a corner, touches the ground
    if coarse:
        points = np.array([(-0.9, 0.5), (-1.0, 0.95), (1.0, 0.95), (0.9, 0.5)]) * (half, radius / 0.95)
        colors = np.array([tyre_color] * 3)
        mesh = lathe(points, colors, RUBBER, axis="y", center=center, segments=segments)
        caps = mesh.face_colors.copy()
        caps[-2 * (segments - 2) :] = hub_color
        return replace(mesh, face_colors=caps)
    profile = [
        (-0.7, 0.1),
        (-0.85, 0.55),
        (-1.0, 0.82),
        (-0.75, 1.0),
        (0.75, 1.0),
        (1.0, 0.82),
        (0.85, 0.55),
        (0.7, 0.1),
    ]
    points = np.array(profile) * (half, radius)
    tyre, hub = np.asarray(tyre_color), np.asarray(hub_color)
    colors = np.stack([hub, tyre, tyre, tyre, tyre, tyre, hub])
    materials = np.array([METAL, RUBBER, RUBBER, RUBBER, RUBBER, RUBBER, METAL])
    return lathe(points, colors, materials, axis="y", center=center, segments=segments)


def lifting_surface(
    leading: ArrayLike,
    chords: ArrayLike,
    thickness: ArrayLike,
    up: ArrayLike,
    color: ArrayLike,
    edge_color: ArrayLike | None = None,
) -> Mesh:
    """Wing, fin or winglet: airfoil sections from root to tip.

    Args:
        leading: (S, 3) leading-edge points; x forward, the chord runs backwards.
        chords: (S,) metres.
        thickness: (S,) relative to the chord.
        up: (S, 3) unit normal of the suction side.
        color: (3,) or one per bay (S-1, 3).
        edge_color: leading edge, if it differs (bare metal, de-icing boot).
    """
    leading, chords = np.asarray(leading, dtype=np.float64), np.asarray(chords, dtype=np.float64)
    # Ten points from the trailing edge over the top and back below.
    along = np.array([1.0, 0.7, 0.4, 0.15, 0.03, 0.0, 0.03, 0.15, 0.4, 0.7])
    shape = np.array([0.0, 0.3, 0.52, 0.48, 0.22, 0.0, -0.2, -0.4, -0.46, -0.28])
    back = -along[None, :, None] * chords[:, None, None] * np.array([1.0, 0.0, 0.0])
    lift = shape[None, :, None] * (chords * np.asarray(thickness))[:, None, None] * np.asarray(up)[:, None, :]
    color = np.asarray(color, dtype=np.float32)
    bays = color[:, None] if color.ndim == 2 else color
    colors = np.broadcast_to(bays, (len(chords) - 1, len(along), 3)).copy()
    materials = np.full(len(along), PAINT)
    if edge_color is not None:
        colors[:, 3:7] = edge_color
        materials[3:7] = METAL
    return loft(leading[:, None] + back + lift, colors, materials)
