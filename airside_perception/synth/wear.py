"""Dirt and fading: no real vehicle shows one flat colour per panel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from airside_perception.synth.mesh import EMISSIVE, GLASS, Mesh

DIRT = np.array([0.2, 0.17, 0.13], dtype=np.float32)

WEAR = {"aircraft": 0.25, "gse": 1.0, "person": 0.3, "obstacle": 0.8, "structure": 0.7}
"""How strongly each asset class shows dirt and fading."""


def weathered(mesh: Mesh, rng: np.random.Generator, strength: float) -> Mesh:
    """Fade every face a little and soil the faces near the ground; glass and lamps stay clean."""
    low, high = mesh.bounds
    height = mesh.vertices[mesh.faces, 2].mean(axis=1) - low[2]
    reach = max(0.25 * float(high[2] - low[2]), 0.05)
    soil = strength * rng.uniform(0.0, 0.45) * np.exp(-height / reach) * rng.uniform(0.6, 1.0, len(height))
    fade = 1.0 + strength * rng.uniform(0.0, 0.06) * rng.standard_normal(len(height))
    colors = mesh.face_colors * fade[:, None] * (1 - soil[:, None]) + DIRT * soil[:, None]
    kept = np.isin(mesh.face_materials, (GLASS, EMISSIVE))[:, None]
    colors = np.where(kept, mesh.face_colors, np.clip(colors, 0.0, 1.0)).astype(np.float32)
    return replace(mesh, face_colors=colors)
