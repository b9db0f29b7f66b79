"""Training data of the prior: signed distances and surface colours of the generator's assets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from airside_perception.synth.assets import Asset, asset_kinds, families, make_asset
from airside_perception.synth.own_assets import OwnAsset
from airside_perception.training.prior_distance import FloatArray, IntArray, signed_distance, subdivide
from airside_perception.training.prior_views import visible_colors

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

COLOUR_SAMPLES = 3072
"""Coloured points of an asset."""
_SWEEP = (0.1, 0.08)
"""Standard deviation of the shift of an aircraft's wings along x and z, over their distance from the middle."""
OWN_COPIES = 4
"""Of each of a user's meshes: as many as of a family."""


@dataclass
class AssetData:
    """What one asset teaches.

    Attributes:
        name: asset name; variants share it.
        subtype: kind, or family of aircraft.
        family: style of the kind.
        typical: True for a member with its family's real proportions; False for varied and warped ones.
        size: (3,) float64 metres.
        distances: (X, Y, Z) float16, cells, truncated; (0, 0, 0) where only colours were taken.
        points: (N, 3) float32, visible surface points, box-normalised.
        colors: (N, 3) float32 albedo at `points`.
    """

    name: str
    subtype: str
    family: str
    typical: bool
    size: FloatArray
    distances: NDArray[np.float16]
    points: FloatArray
    colors: FloatArray


def draw_assets(class_name: str, split: str, count: int, seed: int, first: int = 0) -> Iterator[tuple[Asset, bool]]:
    """`count` assets that visit the kinds of a class in turn, and the families of each kind in turn.

    Of every family the first is ready to drive (doors shut, booms down) and the second in a state drawn at random, both
    with real proportions; the others are varied where the split allows it. Assets before the `first` are left out.

    Yields:
        The asset, and whether its proportions are real. Every number of an asset gives the same one each time.
    """
    kinds = asset_kinds(class_name, split)
    for index in range(first, first + count):
        kind = kinds[index % len(kinds)]
        own = [name for name, its_split in families(kind).items() if its_split == split]
        visit, position = divmod(index // len(kinds), len(own))
        yield (
            make_asset(kind, seed * 100_003 + index, split, own[position], varied=visit > 1, moving=visit == 0),
            visit <= 1,
        )


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


def _swept(vertices: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Other sweep and dihedral: (V, 3) places move back and up with their distance from the middle; the box stays."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    moved = vertices.copy()
    for axis, strength in zip((0, 2), _SWEEP, strict=True):
        moved[:, axis] += strength * rng.standard_normal() * np.abs(vertices[:, 1])
    moved_low, moved_high = moved.min(axis=0), moved.max(axis=0)
    stretched: NDArray[np.float64] = low + (moved - moved_low) * (high - low) / (moved_high - moved_low)
    return stretched


def posed_mesh(asset: Asset, rng: np.random.Generator, augment: bool = False) -> tuple[FloatArray, IntArray]:
    """One asset over its rest box's size, at a random phase of its cycle if it has one.

    Args:
        asset: from the generator.
        rng: draws the phase and the warps.
        augment: bend proportions by smooth monotone warps per axis, sweep and raise wings, and mirror at random:
            shapes between and beyond the families.

    Returns:
        (V, 3) float64 vertices, box-normalised, and (F, 3) faces.
    """
    mesh = asset.mesh if asset.animate is None else asset.animate(float(rng.random()))
    vertices, faces = mesh.vertices.astype(np.float64) / asset.size, np.asarray(asset.mesh.faces)
    if augment:
        for axis, strength in enumerate((0.25, 0.2, 0.25)):
            vertices[:, axis] = _monotone_warp(vertices[:, axis], strength, axis == 1, rng)
        if asset.class_name == "aircraft":
            vertices = _swept(vertices, rng)
        if rng.random() < 0.5:
            vertices[:, 1] *= -1
            faces = faces[:, ::-1]
    return vertices, faces


def sample_asset(
    asset: Asset, vertices: FloatArray, faces: IntArray, rng: np.random.Generator, typical: bool = False
) -> AssetData:
    """Distances and colours of one mesh of `asset` on its class's lattice.

    Args:
        asset: gives class, size and colours.
        vertices, faces: from `posed_mesh`.
        rng: draws samples.
        typical: see `AssetData`.
    """
    spec = LATTICES[asset.class_name]
    corners = subdivide(vertices, faces, spec.axes())
    distances, _ = signed_distance(corners, spec.shape, DISTANCE_RANGE, rng)
    points, colors = _drawn_colors(asset, vertices, faces, rng)
    kept = distances.astype(np.float16)
    return AssetData(asset.name, asset.subtype, asset.family, typical, asset.size, kept, points, colors)


def sample_colors(asset: Asset, rng: np.random.Generator) -> AssetData:
    """Colours alone of `asset`, as it is: a tenth of the work where looks vary more than shapes."""
    vertices, faces = posed_mesh(asset, rng)
    points, colors = _drawn_colors(asset, vertices, faces, rng)
    nothing = np.zeros((0, 0, 0), np.float16)
    return AssetData(asset.name, asset.subtype, asset.family, False, asset.size, nothing, points, colors)


def _drawn_colors(
    asset: Asset, vertices: FloatArray, faces: IntArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """(COLOUR_SAMPLES, 3) visible points and their albedo."""
    points, colors = visible_colors(vertices, faces, np.asarray(asset.mesh.face_colors), asset.size)
    chosen = rng.choice(len(points), COLOUR_SAMPLES, replace=len(points) < COLOUR_SAMPLES)
    return points[chosen], colors[chosen]


def prepare_assets(
    drawn: Iterable[tuple[Asset, bool]], variants: int, seed: int, first: int = 0
) -> Iterator[AssetData]:
    """Data of assets, `variants` of each; beyond the first they are augmented. 0 variants: colours alone.

    Args:
        drawn: from `draw_assets` or `draw_own`.
        variants: see above.
        seed: of phases, warps and samples, together with an asset's number: what one asset gives doesn't depend
            on others.
        first: number of the first asset.
    """
    for index, (asset, typical) in enumerate(drawn, first):
        rng = np.random.default_rng([seed, index, variants])
        for variant in range(variants):
            mesh = posed_mesh(asset, rng, augment=variant > 0)
            yield sample_asset(asset, *mesh, rng, typical and variant == 0)
        if not variants:
            yield sample_colors(asset, rng)


def draw_own(class_name: str, split: str, seed: int, own: Sequence[OwnAsset]) -> Iterator[tuple[Asset, bool]]:
    """Each of a user's meshes of a class once as it is and then with other dirt; see `draw_assets`."""
    for mesh in own:
        if mesh.class_name == class_name and split in mesh.splits:
            for copy in range(OWN_COPIES):
                # Only the training split stretches; the first keeps its size.
                yield mesh.make(seed * 100_003 + copy, "val" if copy == 0 else split), copy == 0
