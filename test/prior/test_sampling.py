"""Random objects of the prior, and its contact sheet."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from airside_perception.cli import main
from airside_perception.config import Config
from airside_perception.errors import AirsideError
from airside_perception.prior import ObjectPrior
from airside_perception.prior.paths import plausible_path
from airside_perception.prior.sampling import sample_object, typical_objects
from airside_perception.prior.wholeness import wholeness
from airside_perception.resources import find_file


@pytest.fixture(scope="module")
def prior() -> ObjectPrior:
    return ObjectPrior.load(find_file(Config().refine.prior, "refine.prior"))


def test_random_objects_are_new_and_made_of_known_ones(prior):
    known = typical_objects(prior, "gse")
    shapes = torch.stack([each.shape for each in known])
    drawn = [sample_object(prior, "gse", torch.Generator().manual_seed(seed)) for seed in range(12)]
    again = sample_object(prior, "gse", torch.Generator().manual_seed(0))
    assert torch.equal(again.shape, drawn[0].shape)
    assert torch.equal(again.texture, drawn[0].texture)
    spacing = torch.cdist(shapes, shapes).median()
    for each in drawn:
        away = (shapes - each.shape).norm(dim=1).min()
        assert 0 < away < spacing, "like a typical object, but not one"
        assert (each.size > 0.2).all()
        assert not prior.decode("gse", each.shape, each.texture, "far").fallback


@pytest.mark.parametrize("class_name", ["aircraft", "person"])
def test_random_objects_keep_wings_and_arms(prior, class_name):
    decoder = prior.class_prior(class_name).shape
    known = [wholeness(decoder, each.shape) for each in typical_objects(prior, class_name)]
    for seed in range(10):
        drawn = sample_object(prior, class_name, torch.Generator().manual_seed(seed))
        found = wholeness(decoder, drawn.shape)
        assert found.loose < max(each.loose for each in known) + 0.01
        assert found.surface > 0.85 * min(each.surface for each in known)


def test_wholeness_counts_what_came_off(blobs):
    decoder = deepcopy(blobs.class_prior("aircraft").shape)
    whole = wholeness(decoder, torch.zeros(5))
    assert whole.loose == 0.0
    corner = (decoder.positions - torch.tensor([0.4, 0.4, 0.4])).norm(dim=1).argmin()
    decoder.resting[corner] = -1.0
    torn = wholeness(decoder, torch.zeros(5))
    assert 0 < torn.loose < 0.05
    assert torn.surface == whole.surface + 6


def test_sizes_mix_as_ratios(prior):
    first, last = typical_objects(prior, "aircraft")[:2]
    middle = first.towards(last, 0.5).size
    assert torch.allclose(middle**2, first.size * last.size, rtol=1e-5)


def surface(prior, class_name, shape) -> int:
    return len(prior.decode(class_name, shape, prior.mean_codes(class_name)[1], "full").faces)


@pytest.mark.parametrize("class_name", ["aircraft", "person"])
def test_ways_from_one_object_to_another_keep_wings_and_legs(prior, class_name):
    known = typical_objects(prior, class_name)
    codes = torch.stack([each.shape for each in known])
    apart = torch.cdist(codes, codes)
    first, last = (known[i] for i in divmod(int(apart.argmax()), len(known)))
    path = plausible_path(prior, class_name, first, last, 9)
    assert torch.allclose(path[0].shape, first.shape, atol=1e-5)
    assert torch.allclose(path[-1].size, last.size, rtol=1e-5)
    straight = [surface(prior, class_name, first.towards(last, share).shape) for share in np.linspace(0, 1, 9)]
    kept = [surface(prior, class_name, each.shape) for each in path]
    assert min(kept) > 0.8 * min(kept[0], kept[-1])
    assert min(kept) > min(straight)


def test_a_way_has_two_ends(prior):
    known = typical_objects(prior, "gse")
    with pytest.raises(ValueError, match="count: expected at least 2"):
        plausible_path(prior, "gse", known[0], known[1], 1)


def test_a_prior_without_typical_objects_is_refused(blobs):
    with pytest.raises(AirsideError, match="expected typical objects of class"):
        sample_object(blobs, blobs.class_names[0], torch.Generator())


def test_the_sheet_shows_objects_in_every_tile(prior):
    from airside_perception.evaluation.prior_sheet import prior_sheet
    from airside_perception.explain.drawing import BACKGROUND
    from airside_perception.explain.object_pictures import CAPTION, MARGIN, TILE

    sheet = prior_sheet(prior, count=2, seed=1)
    rows = 5 * len(prior.class_names)
    assert sheet.shape == (MARGIN + rows * (TILE + CAPTION + MARGIN), MARGIN + 2 * (TILE + MARGIN), 3)
    for row in range(rows):
        for column in range(2):
            top, left = MARGIN + row * (TILE + CAPTION + MARGIN) + CAPTION, MARGIN + column * (TILE + MARGIN)
            drawn = (sheet[top : top + TILE, left : left + TILE] != np.array(BACKGROUND)).any(axis=-1)
            assert drawn.mean() > 0.01
            assert max(drawn.any(axis=0).sum(), drawn.any(axis=1).sum()) > 0.6 * TILE


def test_bad_options_end_in_one_line(capsys, tmp_path):
    assert main(["prior", "sample", "--count", "1", "--out", str(tmp_path / "sheet.png")]) == 2
    assert "--count: expected 2 to 24" in capsys.readouterr().err
