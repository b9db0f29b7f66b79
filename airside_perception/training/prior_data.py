"""Training data of the prior: signed distances and surface colours of the generator's assets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from airside_perception.synth.assets import Asset, asset_kinds, make_asset
from airside_perception.training.prior_distance import FloatArray, signed_distance, subdivide

DISTANCE_RANGE = 2.5
"""Truncation of training distances, cells."""


@dataclass(frozen=True)
class LatticeSpec:
    """Lattice of one class in its box-normalised frame.

    Attributes:
        shape: nodes per axis.
        reach: half extent per axis; past 0.5 by about a cell so that surfaces close, and further where poses
            leave the rest pose's box.
        centre_focus: per axis, how strongly nodes crowd around the middle; 0 spaces them evenly.
    """

    shape: tuple[int, int, int]
    reach: tuple[float, float, float]
    centre_focus: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def axes(self) -> tuple[FloatArray, ...]:
        """Three ascending arrays of node coordinates."""
        axes = []
        for count, reach, focus in zip(self.shape, self.reach, self.centre_focus, strict=True):
            even = np.linspace(-1.0, 1.0, count)
            axes.append(reach * (np.sinh(focus * even) / np.sinh(focus) if focus else even))
        return tuple(axes)


LATTICES = {
    # A fin is 1 % of the span: nodes crowd at y = 0, where fuselage, fin and nose gear are.
    "aircraft": LatticeSpec((52, 41, 40), (0.52, 0.54, 0.53), (0.0, 2.3, 0.0)),
    "gse": LatticeSpec((44, 26, 34), (0.53, 0.54, 0.53)),
    # A stride reaches three times as far as the standing body that gives the box.
    "person": LatticeSpec((36, 22, 40), (1.65, 0.56, 0.53), (1.8, 0.0, 0.0)),
}

COLOUR_SAMPLES = 2048


@dataclass
class AssetData:
    """What one asset teaches.

    Attributes:
        name: asset name; variants share it.
        subtype: kind, or family of aircraft.
        augmented: True for warped variants.
        vertices: (V, 3) float32, box-normalised.
        faces: (F, 3) int32.
        size: (3,) float64 metres.
        distances: (X, Y, Z) float16, cells, truncated.
        points: (N, 3) float32, outer surface points, box-normalised.
        colors: (N, 3) float32 albedo at `points`.
    """

    name: str
    subtype: str
    augmented: bool
    vertices: FloatArray
    faces: NDArray[np.integer]
    size: FloatArray
    distances: NDArray[np.float16]
    points: FloatArray
    colors: FloatArray


def draw_assets(class_name: str, split: str, count: int, seed: int) -> Iterator[Asset]:
    """`count` assets that visit the kinds of a class in turn; the same arguments give the same assets."""
    kinds = asset_kinds(class_name, split)
    for index in range(count):
        yield make_asset(kinds[index % len(kinds)], seed * 100_003 + index, split)


def _monotone_warp(values: FloatArray, strength: float, symmetric: bool, rng: np.random.Generator) -> FloatArray:
    """Stretch and squeeze one axis of [-0.5, 0.5] smoothly, ends fixed."""
    knots = np.linspace(0.0 if symmetric else -0.5, 0.5, 4 if symmetric else 6)
    steps = np.exp(strength * rng.standard_normal(len(knots) - 1))
    warped = np.concatenate([[0.0], np.cumsum(steps)])
    warped = knots[0] + warped / warped[-1] * (knots[-1] - knots[0])
    inside = np.interp(np.abs(values) if symmetric else values, knots, warped)
    inside += np.maximum((np.abs(values) if symmetric else values) - 0.5, 0) + (
        0 if symmetric else np.minimum(values + 0.5, 0)
    )
    return np.sign(values) * inside if symmetric else inside


def normalized_vertices(asset: Asset, phase: float | None) -> FloatArray:
    """(V, 3) vertices of an asset over its rest box's size, at a stride phase or at rest."""
    mesh = asset.mesh if phase is None or asset.animate is None else asset.animate(phase)
    return mesh.vertices.astype(np.float64) / asset.size


def prepare_asset(asset: Asset, rng: np.random.Generator, augment: bool) -> AssetData:
    """Distances and colours of one asset.

    Args:
        asset: from the generator.
        rng: draws stride phase, warps and samples.
        augment: bend proportions by smooth monotone warps per axis, and mirror at random: shapes between
            and beyond the families.
    """
    phase = float(rng.random()) if asset.animate is not None else None
    vertices = normalized_vertices(asset, phase)
    faces = np.asarray(asset.mesh.faces)
    if augment:
        for axis, strength in enumerate((0.25, 0.2, 0.25)):
            vertices[:, axis] = _monotone_warp(vertices[:, axis], strength, axis == 1, rng)
        if rng.random() < 0.5:
            vertices[:, 1] *= -1
            faces = faces[:, ::-1]
    return distances_and_colors(asset, vertices, faces, rng, augment)


def distances_and_colors(
    asset: Asset, vertices: FloatArray, faces: NDArray[np.integer], rng: np.random.Generator, augmented: bool
) -> AssetData:
    """Sample one normalised mesh of `asset` on its class's lattice."""
    spec = LATTICES[asset.class_name]
    axes = spec.axes()
    corners, source = subdivide(vertices, faces, axes)
    distances, samples = signed_distance(corners, spec.shape, DISTANCE_RANGE, rng)
    chosen = rng.choice(len(samples.points), COLOUR_SAMPLES, replace=len(samples.points) < COLOUR_SAMPLES)
    points = samples.points[chosen]
    points = np.stack([np.interp(points[:, i], np.arange(len(axes[i])), axes[i]) for i in range(3)], axis=1)
    colors = np.asarray(asset.mesh.face_colors)[source[samples.faces[chosen]]]
    return AssetData(
        asset.name,
        asset.subtype,
        augmented,
        vertices.astype(np.float32),
        faces.astype(np.int32),
        asset.size,
        distances.astype(np.float16),
        points.astype(np.float32),
        colors.astype(np.float32),
    )


def prepare_class(class_name: str, split: str, count: int, seed: int, variants: int = 1) -> list[AssetData]:
    """Data of `count` assets; beyond the first, each of the `variants` per asset is augmented."""
    rng = np.random.default_rng([seed, count, variants])
    data = []
    for asset in tqdm(draw_assets(class_name, split, count, seed), total=count, desc=f"{class_name} {split} assets"):
        data += [prepare_asset(asset, rng, augment=variant > 0) for variant in range(variants)]
    return data
