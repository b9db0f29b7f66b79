"""Small things that all modules of the procedural aircraft share."""

from __future__ import annotations

from collections.abc import Callable

from airside_perception.synth.mesh_parts import FloatArray, Mesh

WingLine = Callable[[float], tuple[FloatArray, float]]
"""Distance from the centre line to the leading-edge point (3,) and the chord there."""


def both(mesh: Mesh) -> list[Mesh]:
    """A part of the left side and its mirror image."""
    return [mesh, mesh.mirrored()]
