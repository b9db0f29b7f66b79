import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from airside_perception.errors import AirsideError
from airside_perception.prior import ObjectPrior, fit_codes
from airside_perception.synth.assets import asset_kinds
from airside_perception.synth.mesh_parts import box, merge
from airside_perception.synth.own_assets import OwnAsset
from airside_perception.training.prior_data import (
    LATTICES,
    AssetData,
    LatticeSpec,
    draw_assets,
    draw_own,
    posed_mesh,
    prepare_assets,
    sample_asset,
)
from airside_perception.training.prior_distance import inside_nodes, signed_distance, subdivide, to_lattice
from airside_perception.training.prior_fit import FitOptions, fit_shape_decoder
from airside_perception.training.prior_store import BLOCK, load_assets, prepared_in_blocks
from airside_perception.training.prior_texture import TextureGrid, fit_texture_decoder
from airside_perception.training.train_prior import PriorTrainingOptions, train_prior

SPEC = LatticeSpec((21, 19, 23), (0.55, 0.55, 0.55), (0.0, 1.5, 0.0))


def lattice_corners(mesh):
    return subdivide(mesh.vertices, mesh.faces, SPEC.axes())


def test_lattice_coordinates_count_nodes_and_extrapolate():
    axes = SPEC.axes()
    nodes = np.stack([axes[0][[0, 3, 20]], axes[1][[0, 9, 18]], axes[2][[2, 2, 2]]], axis=1)
    assert np.allclose(to_lattice(nodes, axes), [[0, 0, 2], [3, 9, 2], [20, 18, 2]])
    beyond = np.array([[2 * axes[0][0] - axes[0][1], 0, 0]])
    assert to_lattice(beyond, axes)[0, 0] == pytest.approx(-1)


def test_overlapping_boxes_are_inside_once_and_distances_are_exact():
    parts = [box((-0.1, 0.0, 0.0), (0.6, 0.52, 0.53), (1, 0, 0)), box((0.21, 0.0, 0.1), (0.43, 0.31, 0.42), (0, 1, 0))]
    corners = lattice_corners(merge(parts))
    nodes = np.stack(np.meshgrid(*SPEC.axes(), indexing="ij"), axis=-1)
    expected = np.zeros(SPEC.shape, dtype=bool)
    for centre, size in (((-0.1, 0, 0), (0.6, 0.52, 0.53)), ((0.21, 0, 0.1), (0.43, 0.31, 0.42))):
        expected |= (np.abs(nodes - np.array(centre)) < np.array(size) / 2).all(axis=-1)
    assert np.array_equal(inside_nodes(corners, SPEC.shape), expected)
    distances, samples = signed_distance(corners, SPEC.shape, 2.5, np.random.default_rng(0))
    # Sharp corners count as thin and may gain a node.
    assert (distances < 0)[expected].all()
    assert ((distances < 0) & ~expected).sum() <= 0.05 * expected.sum()
    axis_x = SPEC.axes()[0]
    face = np.interp(-0.4, axis_x, np.arange(21))
    assert distances[3, 9, 11] == pytest.approx(np.clip(face - 3, -2.5, 2.5), abs=1e-3)
    buried = (samples.points[:, 0] > np.interp(0.05, axis_x, np.arange(21))) & (samples.normals[:, 0] < -0.9)
    assert not buried.any()


def test_a_sheet_thinner_than_a_cell_survives():
    corners = lattice_corners(box((0.0, 0.0, 0.013), (0.8, 0.8, 0.004), (1, 1, 1)))
    distances, _ = signed_distance(corners, SPEC.shape, 2.5, np.random.default_rng(0))
    assert ((distances < 0).any(axis=2)[5:16, 5:14]).all()
    assert (distances < 0).sum(axis=2).max() <= 2


def test_affine_shape_training_recovers_a_one_parameter_family():
    rng = np.random.default_rng(0)
    grids, heights = [], np.linspace(0.3, 0.9, 12)
    for height in heights:
        corners = lattice_corners(box((0, 0, (height - 0.98) / 2), (0.8, 0.7, height), (1, 1, 1)))
        grids.append(signed_distance(corners, SPEC.shape, 2.5, rng)[0].reshape(-1))
    distances = torch.from_numpy(np.stack(grids))
    decoder, codes, losses = fit_shape_decoder(distances, SPEC, FitOptions(shape_size=4, rounds=12))
    assert losses[-1] < 0.8 * losses[0]
    # Unused code entries stay silent, codes are centred, uncorrelated and ordered.
    covariance = codes.T @ codes / len(codes)
    assert codes.mean(dim=0).abs().max() < 1e-4
    assert covariance[0, 0] == pytest.approx(1.0, rel=1e-3)
    assert (covariance - torch.diag(covariance.diagonal())).abs().max() < 1e-3
    assert (covariance.diagonal().diff() <= 1e-6).all()
    inside, wanted = decoder(codes).reshape(len(codes), -1) < 0, distances < 0
    assert ((inside & wanted).sum(1) / (inside | wanted).sum(1)).min() > 0.85


def painted(name: str, front: tuple[float, ...], back: tuple[float, ...], sides: slice) -> AssetData:
    """An asset whose points at x > 0 have one colour and those at x < 0 another; only `sides` of them are seen."""
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 3)).astype(np.float32)[sides]
    colors = np.where(points[:, :1] > 0, front, back).astype(np.float32)
    return AssetData(name, "cart", "cart", True, np.ones(3), np.zeros((2, 2, 2), np.float16), points, colors)


def test_texture_training_learns_what_is_painted_together_and_fills_gaps():
    rng = np.random.default_rng(1)
    palette = rng.uniform(0.1, 0.9, (12, 2, 3))
    data = [painted(f"{i:02d}", *(tuple(color) for color in colors), slice(None)) for i, colors in enumerate(palette)]
    grid = TextureGrid((6, 3, 3), (0.5, 0.5, 0.5))
    decoder, codes, losses = fit_texture_decoder(data, grid, 8, rounds=10)
    assert losses[-1] < 0.02
    assert codes.mean(dim=0).abs().max() < 1e-4
    used = codes[:, :6]  # two colours of three channels
    assert torch.allclose(used.T @ used / 12, torch.eye(6), atol=1e-3)
    places = torch.tensor([[0.4, 0.1, 0.2], [-0.4, -0.3, 0.0]])
    for colors, code in zip(palette, codes, strict=True):
        assert np.allclose(decoder(places, code).detach(), colors, atol=0.04)


def test_variants_of_an_asset_share_its_texture_code():
    data = [painted("a", (1, 0, 0), (0, 0, 1), slice(0, 2000)), painted("a", (1, 0, 0), (0, 0, 1), slice(2000, None))]
    data += [painted(name, (0, 1, 0), (0, 0, 0), slice(None)) for name in "bcd"]
    _, codes, _ = fit_texture_decoder(data, TextureGrid((4, 2, 2), (0.5, 0.5, 0.5)), 3, rounds=2)
    assert codes.shape == (4, 3)


def test_assets_fill_their_lattice_and_repeat():
    asset, _ = next(draw_assets("person", "val", 1, 3))
    drawn = []
    for _ in range(2):
        rng = np.random.default_rng(1)
        drawn.append(sample_asset(asset, *posed_mesh(asset, rng, augment=True), rng))
    first, again = drawn
    assert np.array_equal(first.distances, again.distances)
    assert first.distances.shape == LATTICES["person"].shape
    assert 0.01 < (first.distances < 0).mean() < 0.4
    assert np.abs(first.points[:, 1:]).max() < 0.52
    assert first.colors.min() >= 0
    assert first.colors.max() <= 1


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> PriorTrainingOptions:
    """Options that train one class in two seconds."""
    out = tmp_path_factory.mktemp("prior")
    fit = FitOptions(shape_size=6, texture_size=4, rounds=3, texture_rounds=3)
    return PriorTrainingOptions(out=out, counts={"person": 7}, variants={"person": 1}, painted={}, fit=fit)


@pytest.fixture(scope="module")
def trained(tiny) -> Path:
    return train_prior(tiny)


def test_training_writes_weights_that_decode_and_a_curve(tiny, trained):
    prior = ObjectPrior.load(trained)
    assert prior.class_names == ("person",)
    assert (prior.shape_size, prior.texture_size) == (6, 4)
    prototypes = prior.prototypes("person")
    assert {p.name for p in prototypes} == set(asset_kinds("person", "train"))
    mesh = prior.decode("person", prototypes[0].shape, prototypes[0].texture)
    assert not mesh.fallback
    assert 500 < len(mesh.faces) < 2500
    assert (tiny.out / "prior_curves.png").stat().st_size > 5000


def test_training_again_and_training_from_prepared_data_give_the_same_weights(tiny, trained):
    first = ObjectPrior.load(trained)
    train_prior(dataclasses.replace(tiny, resume=False))
    again = ObjectPrior.load(trained)
    train_prior(tiny)
    resumed = ObjectPrior.load(trained)
    for other in (again, resumed):
        for key, value in first.classes["person"].state_dict().items():
            assert torch.allclose(other.classes["person"].state_dict()[key], value, atol=1e-6), key


def test_prepared_data_is_read_again_unless_it_is_of_something_else(tiny, trained):
    path = tiny.out / "prepared" / "person" / "block_0000.npz"
    identity = str(np.load(path)["identity"])
    data = load_assets(path, identity)
    assert len(data) == 7
    assert data[0].distances.shape == LATTICES["person"].shape
    assert data[0].typical
    assert load_assets(path, identity + " ") is None
    assert load_assets(path.with_name("none.npz"), identity) is None
    (tiny.out / "torn.npz").write_bytes(path.read_bytes()[:2000])
    assert load_assets(tiny.out / "torn.npz", identity) is None


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path):
    prepared = []

    def prepare(first: int, size: int):
        for number in range(first, first + size):
            if number == 2 * BLOCK + 3 and len(prepared) < 3 * BLOCK:
                raise KeyboardInterrupt
            prepared.append(number)
            colors = np.full((4, 3), number, np.float32)
            yield AssetData(
                str(number), "cart", "cart", True, np.ones(3), np.zeros((2, 2, 2), np.float16), colors, colors
            )

    count = 2 * BLOCK + 5
    with pytest.raises(KeyboardInterrupt):
        prepared_in_blocks(tmp_path / "gse", "cart", count, prepare)
    prepared += [-1] * BLOCK  # lets it pass
    data = prepared_in_blocks(tmp_path / "gse", "cart", count, prepare)
    assert [int(entry.name) for entry in data] == list(range(count))
    assert prepared[-5:] == list(range(2 * BLOCK, count))
    assert prepared.count(0) == 1
    more = prepared_in_blocks(tmp_path / "gse", "cart", count + BLOCK, prepare)
    assert len(more) == count + BLOCK
    assert prepared.count(2 * BLOCK - 1) == 1
    assert not list(tmp_path.rglob("*.part*"))


def test_what_an_asset_gives_does_not_depend_on_where_a_run_begins():
    whole = list(prepare_assets(draw_assets("person", "train", 3, 1), 2, 1))
    later = list(prepare_assets(draw_assets("person", "train", 1, 1, first=2), 2, 1, first=2))
    for one, other in zip(whole[4:], later, strict=True):
        assert one.name == other.name
        assert np.array_equal(one.distances, other.distances)
        assert np.array_equal(one.colors, other.colors)


def test_painted_assets_give_colours_alone(tiny, trained, tmp_path):
    found = list(prepare_assets(draw_assets("gse", "train", 1, 1), 0, 1))
    assert [(entry.distances.size, len(entry.points)) for entry in found] == [(0, len(found[0].colors))]
    options = dataclasses.replace(tiny, out=tmp_path, painted={"person": 3})
    names = [ObjectPrior.load(path).prototypes("person") for path in (trained, train_prior(options))]
    # More looks change what is typical, not which shapes are.
    for one, other in zip(*names, strict=True):
        assert torch.allclose(one.shape, other.shape, atol=1e-5)
    assert any(not torch.allclose(one.texture, other.texture, atol=1e-3) for one, other in zip(*names, strict=True))


def test_swept_aircraft_keep_their_box():
    asset, _ = next(draw_assets("aircraft", "train", 1, 1))
    plain = posed_mesh(asset, np.random.default_rng(0))[0]
    for seed in range(4):
        warped = posed_mesh(asset, np.random.default_rng(seed), augment=True)[0]
        assert np.allclose(warped.max(axis=0) - warped.min(axis=0), plain.max(axis=0) - plain.min(axis=0), atol=0.02)
        assert np.abs(warped - plain).max() > 0.02


def test_own_meshes_join_the_class_they_state():
    mesh = box((0, 0, 0), (3.0, 1.5, 1.0), (0.8, 0.1, 0.1))
    own = OwnAsset("sled", "gse", "sled", ("train",), mesh)
    sleds = list(prepare_assets(draw_own("gse", "train", 1, [own]), 1, 1))
    assert [entry.typical for entry in sleds] == [True, False, False, False]
    assert {entry.subtype for entry in sleds} == {"sled"}
    assert np.allclose(sleds[0].size, [3.0, 1.5, 1.0])
    assert not list(draw_own("person", "train", 1, [own]))


def test_training_refuses_what_it_cannot_do(tiny, trained):
    with pytest.raises(AirsideError, match="some of"):
        train_prior(dataclasses.replace(tiny, counts={"boat": 4}))
    with pytest.raises(AirsideError, match="at least 3 and 1"):
        train_prior(dataclasses.replace(tiny, counts={"person": 2}))


def test_inverting_a_training_asset_beats_the_mean(trained, tiny):
    prior = ObjectPrior.load(trained)
    decoder = prior.classes["person"].shape
    asset, _ = next(draw_assets("person", "train", 1, tiny.seed))
    rng = np.random.default_rng(5)
    data = sample_asset(asset, *posed_mesh(asset, rng), rng)
    wanted = torch.from_numpy(data.distances.astype(np.float32)).reshape(-1)[decoder.live]
    fit = fit_codes(prior, "person", decoder.positions[decoder.live], wanted)
    mean_error = (decoder.live_distances(torch.zeros(1, 6))[0] - wanted).abs().mean()
    assert fit.shape_error < 0.8 * float(mean_error)
