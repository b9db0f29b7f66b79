"""Assets of every kind and family: sizes of the real things, closed meshes, splits, determinism."""

import numpy as np
import pytest

from airside_perception.synth.assets import asset_kinds, families, make_asset, structure_kinds
from airside_perception.synth.mesh_parts import EMISSIVE, MATERIALS, PAINT, Mesh
from airside_perception.synth.people import ACTIVITIES

CLASSES = ("aircraft", "gse", "person", "obstacle", "structure")
KINDS = sorted({kind for name in CLASSES for split in ("train", "val", "test") for kind in asset_kinds(name, split)})

SIZES = {
    "baggage_tractor": ((2.6, 4.3), (1.3, 1.95), (1.4, 2.4)),
    "pushback_tractor": ((4.9, 10.3), (2.2, 3.7), (1.6, 2.8)),
    "belt_loader": ((6.9, 8.9), (1.8, 2.5), (1.3, 4.5)),
    "fuel_truck": ((5.9, 10.0), (2.3, 3.0), (2.3, 3.9)),
    "catering_truck": ((6.3, 9.0), (2.4, 3.0), (3.0, 6.5)),
    "baggage_dolly": ((2.3, 4.2), (1.3, 1.8), (0.9, 2.5)),
    "passenger_stairs": ((7.5, 9.4), (1.8, 2.8), (3.4, 6.5)),
    "container_loader": ((7.9, 10.0), (2.9, 4.0), (2.0, 5.6)),
    "ground_power_unit": ((2.5, 3.9), (1.45, 2.1), (1.5, 2.3)),
    "bus": ((10.4, 14.2), (2.5, 3.5), (2.9, 3.6)),
    "deicer": ((8.1, 9.8), (2.4, 3.0), (2.8, 6.3)),
    "towbar": ((3.9, 5.1), (0.25, 0.4), (0.3, 0.5)),
    "container": ((1.8, 2.15), (1.4, 1.75), (1.2, 1.7)),
    "service_van": ((4.0, 6.5), (1.7, 3.2), (1.5, 2.95)),
    "air_conditioning_unit": ((2.9, 7.3), (1.5, 3.0), (1.6, 2.7)),
    "air_start_unit": ((3.4, 7.3), (1.5, 2.8), (1.8, 3.0)),
    "ambulift": ((6.6, 11.3), (2.4, 3.0), (3.0, 6.3)),
    "cargo_transporter": ((5.2, 8.5), (2.6, 4.1), (1.9, 2.5)),
    "fire_truck": ((8.0, 13.6), (2.9, 3.7), (3.1, 6.6)),
    "forklift": ((2.7, 5.6), (0.9, 2.4), (2.0, 3.1)),
    "hand_cart": ((0.8, 1.5), (0.45, 0.8), (0.9, 1.2)),
    "lavatory_truck": ((2.9, 7.3), (1.3, 2.7), (1.1, 3.8)),
    "water_truck": ((2.9, 7.1), (1.3, 2.7), (1.1, 3.8)),
    "maintenance_lift": ((2.1, 8.5), (1.0, 2.6), (2.2, 9.5)),
    "pallet_dolly": ((3.2, 7.5), (2.3, 2.7), (0.6, 2.5)),
    "snow_sweeper": ((6.2, 12.6), (2.5, 4.6), (2.2, 3.3)),
    "towbarless_tug": ((3.1, 4.6), (1.8, 3.1), (0.6, 1.6)),
    "person_walking": ((0.25, 0.7), (0.35, 0.8), (1.5, 2.05)),
    "person_standing": ((0.25, 1.1), (0.35, 1.3), (1.45, 2.2)),
    "person_crouching": ((0.6, 1.5), (0.4, 1.0), (0.8, 1.6)),
    "person_kneeling": ((0.7, 1.7), (0.4, 1.0), (1.0, 1.6)),
    "person_marshalling": ((0.22, 0.7), (0.5, 2.9), (1.45, 2.75)),
    "person_pushing": ((0.55, 1.2), (0.4, 0.9), (1.35, 2.0)),
    "person_carrying": ((0.35, 1.1), (0.4, 0.95), (1.45, 2.05)),
    "cone": ((0.25, 0.4), (0.25, 0.4), (0.45, 1.05)),
    "chock": ((0.1, 0.3), (0.28, 0.7), (0.1, 0.2)),
    "bag": ((0.15, 0.85), (0.15, 0.5), (0.15, 0.85)),
    "bottle": ((0.04, 0.32), (0.04, 0.1), (0.04, 0.32)),
    "barrier": ((0.3, 0.6), (1.1, 2.3), (0.5, 1.2)),
    "cable": ((1.8, 6.8), (0.15, 3.0), (0.03, 0.5)),
    "crate": ((0.7, 1.4), (0.5, 1.0), (0.1, 1.2)),
    "debris": ((0.15, 1.7), (0.03, 1.2), (0.015, 0.35)),
    "fire_extinguisher": ((0.4, 0.8), (0.4, 1.1), (0.8, 1.25)),
}
"""Range of length, width and height of each kind, metres."""

PUBLISHED = {"a320": 35.8, "b737": 35.8, "a380": 79.8, "atr72": 27.1, "crj": 21.2, "b777": 64.8, "b757": 38.0,
             "b767": 47.6, "b747": 64.4, "an124": 73.3, "c130": 40.4, "md11": 51.7, "saab340": 21.4}  # fmt: skip
"""Wingspans of the aircraft after which families are modelled."""


def every_family():
    return [(kind, family, split) for kind in KINDS for family, split in families(kind).items()]


def is_closed(mesh: Mesh) -> bool:
    """Every directed edge occurs once and so does its opposite."""
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]).astype(np.int64)
    count = len(mesh.vertices)
    forward, backward = edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]
    return len(np.unique(forward)) == len(forward) and np.array_equal(np.sort(forward), np.sort(backward))


@pytest.mark.parametrize("kind", KINDS)
def test_meshes_are_sound_for_many_seeds(kind):
    for family, split in families(kind).items():
        for seed in range(2):
            asset = make_asset(kind, seed, split, family)
            mesh = asset.mesh
            assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float32, np.int32)
            assert (mesh.face_colors.dtype, mesh.face_materials.dtype) == (np.float32, np.uint8)
            assert np.isfinite(mesh.vertices).all()
            assert 0 <= mesh.face_colors.min() <= mesh.face_colors.max() <= 1
            assert mesh.face_materials.max() < len(MATERIALS)
            assert is_closed(mesh), f"{asset.name} has an open edge"
            assert mesh.volume > 0
            low, high = mesh.bounds
            np.testing.assert_allclose(low + high, 0, atol=1e-4)
            np.testing.assert_allclose(high - low, asset.size, rtol=1e-5)


@pytest.mark.parametrize("kind", SIZES)
def test_sizes_are_those_of_the_real_things(kind):
    ranges = np.array(SIZES[kind])
    for family, split in families(kind).items():
        for seed in range(4):
            size = make_asset(kind, seed, split, family, varied=False).size
            assert np.all((size >= ranges[:, 0]) & (size <= ranges[:, 1])), f"{kind}/{family}/{seed}: {size.round(2)}"


@pytest.mark.parametrize("family", PUBLISHED)
def test_aircraft_have_their_published_span(family):
    for seed in range(4):
        size = make_asset("aircraft", seed, families("aircraft")[family], family, varied=False).size
        assert size[1] == pytest.approx(PUBLISHED[family], rel=0.06)
        assert 0.6 < size[0] / size[1] < 1.7
        assert 0.17 < size[2] / size[0] < 0.42


def test_aircraft_span_icao_codes_b_to_f():
    spans = {
        family: make_asset("aircraft", 0, split, family, varied=False).size[1]
        for family, split in families("aircraft").items()
    }
    codes = {"BCDEF"[int(np.searchsorted([24, 36, 52, 65], span))] for span in spans.values()}
    assert codes == {"B", "C", "D", "E", "F"}
    assert all(15 <= span < 80 for span in spans.values())


def test_training_assets_vary_beyond_their_families():
    def proportions(split, varied):
        sizes = [make_asset("aircraft", seed, split, varied=varied).size for seed in range(28)]
        return np.array([size[0] / size[1] for size in sizes])

    assert np.std(proportions("train", True)) > 1.15 * np.std(proportions("train", False))
    np.testing.assert_array_equal(proportions("test", True), proportions("test", False))
    small = [make_asset("aircraft", seed, "train", "a320").size[1] for seed in range(30)]
    assert max(small) > 45, "no aircraft between a narrow and a wide body was drawn"


def test_stretched_walkers_keep_their_stride_in_frame():
    for seed in range(6):
        asset = make_asset("person_walking", seed, "train")
        for phase in (0.0, 0.3):
            heights = asset.animate(phase).vertices[:, 2]
            assert np.ptp(heights) == pytest.approx(asset.size[2], rel=0.06)


def test_triangle_budgets():
    budget = {"aircraft": 8800, "gse": 3400, "person": 1300, "obstacle": 700, "structure": 4000}
    for kind, family, split in every_family():
        asset = make_asset(kind, 3, split, family)
        assert len(asset.mesh.faces) <= budget[asset.class_name], asset.name


def test_every_kind_trains_and_is_tested_on_other_families():
    for kind in KINDS:
        splits = list(families(kind).values())
        assert {"train", "test"} <= set(splits), kind
    for kind in asset_kinds("gse", "train"):
        splits = list(families(kind).values())
        assert splits.count("train") >= 2, kind
        assert "val" in splits, kind
    assert len(asset_kinds("gse", "train")) >= 18
    counts = {split: list(families("aircraft").values()).count(split) for split in ("train", "val", "test")}
    assert counts == {"train": 21, "val": 4, "test": 4}


def test_a_split_never_shows_another_splits_family():
    for kind in KINDS:
        for split in set(families(kind).values()):
            for seed in range(2):
                asset = make_asset(kind, seed, split)
                assert asset.split == split
                assert families(kind)[asset.family] == split


def test_same_arguments_give_the_same_asset_and_seeds_differ():
    for kind in KINDS:
        first, again = make_asset(kind, 5, "train"), make_asset(kind, 5, "train")
        assert first.name == again.name
        np.testing.assert_array_equal(first.mesh.vertices, again.mesh.vertices)
        np.testing.assert_array_equal(first.mesh.face_colors, again.mesh.face_colors)
        other = make_asset(kind, 6, "train", first.family)
        assert not np.array_equal(first.size, other.size)


def test_walking_keeps_topology_and_swings_the_legs():
    asset = make_asset("person_walking", 1, "train")
    feet = []
    for phase in np.linspace(0, 1, 9):
        mesh = asset.animate(float(phase))
        np.testing.assert_array_equal(mesh.faces, asset.mesh.faces)
        np.testing.assert_array_equal(mesh.face_colors, asset.mesh.face_colors)
        assert is_closed(mesh)
        assert mesh.bounds[0][2] == pytest.approx(-asset.size[2] / 2, abs=1e-4)
        feet.append(mesh.size[0])
    np.testing.assert_allclose(asset.animate(0.0).vertices, asset.animate(1.0).vertices, atol=1e-5)
    assert max(feet) > 0.6 > min(feet)


def test_every_activity_has_a_kind_and_moves_as_promised():
    assert {f"person_{activity}" for activity in ACTIVITIES} == set(asset_kinds("person", "train"))
    steps, waves = {"person_walking", "person_pushing", "person_carrying"}, {"person_marshalling"}
    for kind in KINDS:
        asset = make_asset(kind, 0, "train")
        assert (asset.animate is not None) == (kind in steps | waves), kind
        assert (asset.cycle_s > 0.5) == (kind in waves), kind


@pytest.mark.parametrize("activity", ["marshalling", "pushing", "carrying"])
def test_cycles_close_and_stay_near_their_box(activity):
    for seed in range(12):
        asset = make_asset(f"person_{activity}", seed, "train")
        moved = 0.0
        for phase in (0.0, 0.25, 0.5, 0.8):
            mesh = asset.animate(phase)
            np.testing.assert_array_equal(mesh.faces, asset.mesh.faces)
            assert is_closed(mesh)
            assert np.all(np.abs(mesh.vertices[:, 1:]) <= 0.56 * asset.size[1:] + 0.02), asset.name
            moved = max(moved, float(np.abs(mesh.vertices - asset.mesh.vertices).max()))
        assert moved > 0.1, asset.name
        np.testing.assert_allclose(asset.animate(0.0).vertices, asset.animate(1.0).vertices, atol=1e-5)


def test_pushing_hands_are_before_the_body_at_the_height_of_a_handle():
    for seed in range(8):
        asset = make_asset("person_pushing", seed, "test")
        forward, _, height = asset.anchors["hands"] + (0.0, 0.0, asset.size[2] / 2)
        assert 0.15 < forward < 0.6
        assert 0.75 < height < 1.4


def _lamp_stations(mesh: Mesh, red: bool) -> np.ndarray:
    """x of the middles of lamps that shine red, or white."""
    middles = mesh.vertices[mesh.faces].mean(axis=1)
    color = mesh.face_colors
    lit = mesh.face_materials == EMISSIVE
    wanted = (color[:, 0] > 0.6) & (color[:, 1] < 0.15) if red else color.min(axis=1) > 0.85
    return middles[lit & wanted, 0]


@pytest.mark.parametrize("kind", asset_kinds("gse", "train"))
def test_headlamps_are_before_tail_lamps(kind):
    for family, split in families(kind).items():
        for seed in range(2):
            asset = make_asset(kind, seed, split, family, varied=False)
            red, white = _lamp_stations(asset.mesh, True), _lamp_stations(asset.mesh, False)
            if len(red):
                assert red.mean() < -0.2 * asset.size[0], asset.name
            if len(red) and len(white):
                assert white.mean() > red.mean() + 0.4 * asset.size[0], asset.name


def test_what_drives_has_its_platforms_down_and_its_doors_shut():
    for kind, gain in (("catering_truck", 1.0), ("ambulift", 1.0), ("deicer", 0.8), ("maintenance_lift", 2.0)):
        heights = {
            moving: max(make_asset(kind, seed, "train", varied=False, moving=moving).size[2] for seed in range(12))
            for moving in (False, True)
        }
        assert heights[False] > heights[True] + gain, kind
    wide = [make_asset("service_van", seed, "train", "van", varied=False, moving=True).size[1] for seed in range(12)]
    assert max(wide) < 2.3, "a van drives with its rear doors open"


def test_doors_of_parked_aircraft_stand_open_on_some():
    def dark(seed, moving):
        mesh = make_asset("aircraft", seed, "train", "a320", varied=False, moving=moving).mesh
        black = (mesh.face_colors.max(axis=1) < 0.06) & (mesh.face_materials == PAINT)
        return int(black.sum())

    shut = [dark(seed, True) for seed in range(10)]
    parked = [dark(seed, False) for seed in range(10)]
    assert sum(p > 1.2 * s for p, s in zip(parked, shut, strict=True)) >= 3
    assert sum(p <= 1.2 * s for p, s in zip(parked, shut, strict=True)) >= 2


def test_anchors_lie_on_the_asset():
    aircraft = make_asset("aircraft", 2, "train", "a320")
    half = aircraft.size / 2 + 0.1
    assert {"nose", "door_front_left", "engine_left_1", "main_gear_right"} <= set(aircraft.anchors)
    for point in aircraft.anchors.values():
        assert np.all(np.abs(point) <= half)
    assert aircraft.anchors["engine_left_1"][1] > 0 > aircraft.anchors["engine_right_1"][1]
    assert aircraft.anchors["main_gear_left"][2] == pytest.approx(-aircraft.size[2] / 2, abs=0.02)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown asset kind 'spaceship'"):
        make_asset("spaceship", 0, "train")
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        asset_kinds("gse", "dev")
    with pytest.raises(ValueError, match="unknown asset class 'car'"):
        asset_kinds("car", "train")
    with pytest.raises(ValueError, match="has no family 'bae146' in split 'train'"):
        make_asset("aircraft", 0, "train", "bae146")
    assert "terminal" in structure_kinds("test")
