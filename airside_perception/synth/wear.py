"""Dirt and fading: no real vehicle shows one flat colour per panel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from airside_perception.synth.mesh import EMISSIVE, GLASS, Mesh, cross

DIRT = np.array([0.2, 0.17, 0.13], dtype=np.float32)

WEAR = {"aircraft": 0.25, "gse": 1.0, "person": 0.3, "obstacle": 0.8, "structure": 0.7}
"""How strongly each asset class shows dirt and fading."""


def weathered(mesh: Mesh, rng: np.random.Generator, strength: float) -> Mesh:
    """Fade every face a little and soil the faces near the ground; glass and lamps stay clean."""
    low, high = mesh.bounds
    corners = mesh.vertices[mesh.faces]
    # The middle of a face's height range and its rounded normal are equal for both triangles of a
    # flat panel, so panels age as a whole.
    level = corners[..., 2]
    height = (level.min(axis=1) + level.max(axis=1)) / 2 - low[2]
    normals = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.sqrt((normals**2).sum(axis=1, keepdims=True)) + 1e-12
    panel = (np.rint(3 * normals).astype(np.int64) + 3) @ np.array([49, 7, 1])
    reach = max(0.25 * float(high[2] - low[2]), 0.05)
    soil = strength * rng.uniform(0.0, 0.45) * np.exp(-height / reach) * rng.uniform(0.6, 1.0, 343)[panel]
    fade = 1.0 + strength * rng.uniform(0.0, 0.06) * rng.standard_normal(343)[panel]
    colors = mesh.face_colors * fade[:, None] * (1 - soil[:, None]) + DIRT * soil[:, None]
    kept = np.isin(mesh.face_materials, (GLASS, EMISSIVE))[:, None]
    colors = np.where(kept, mesh.face_colors, np.clip(colors, 0.0, 1.0)).astype(np.float32)
    return replace(mesh, face_colors=colors)
