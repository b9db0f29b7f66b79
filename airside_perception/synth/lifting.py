"""Equipment whose booms, bridges and platforms rise and sink while it stands at a door."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from airside_perception.synth.assets import Asset

LIFTING_KINDS = ("belt_loader", "container_loader", "catering_truck", "ambulift")
"""Kinds with families that `make_asset(..., lifting=True)` gives a raised state."""


def raised_to(asset: Asset, share: float) -> Asset:
    """A lifting asset with its boom or platform part of the way up.

    Vertices go straight from the lowered to the raised state; arms that turn grow shorter by a few per cent halfway.

    Args:
        asset: as made, lowered; one without a raised state is returned as it is.
        share: 0 lowered .. 1 raised.

    Returns:
        An asset of the same triangles with a box of its own. `Asset.offset` says where that is centred.
    """
    if asset.raised is None or share <= 0.0:
        return asset
    top = asset.raised
    moved = replace(asset.mesh, vertices=(1 - share) * asset.mesh.vertices + np.float32(share) * top.vertices)
    mesh, centre = moved.centred()
    return replace(
        asset,
        mesh=replace(mesh, vertices=mesh.vertices.astype(np.float32)),
        size=mesh.size.astype(np.float64),
        offset=centre[:2].astype(np.float64),
        anchors={
            name: (1 - share) * point + share * top.anchors.get(name, point) - centre
            for name, point in asset.anchors.items()
        },
    )
