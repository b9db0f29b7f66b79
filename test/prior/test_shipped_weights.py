"""The weights that the package ships."""

from pathlib import Path

import pytest
import torch

from airside_perception.classes import OBJECT_CLASSES
from airside_perception.prior import ObjectPrior

WEIGHTS = Path(__file__).parents[2] / "engines" / "prior.safetensors"


@pytest.fixture(scope="module")
def prior() -> ObjectPrior:
    return ObjectPrior.load(WEIGHTS)


def is_closed(faces: torch.Tensor) -> bool:
    faces = faces.long()
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = int(faces.max()) + 1
    forward, backward = edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]
    return torch.equal(forward.sort().values, backward.sort().values)


def test_the_file_is_small_and_knows_every_class(prior):
    assert WEIGHTS.stat().st_size < 12_000_000
    assert prior.class_names == OBJECT_CLASSES
    assert prior.metadata["version"] == "2"
    assert "training" in prior.metadata


@pytest.mark.parametrize("class_name", OBJECT_CLASSES)
def test_typical_objects_are_closed_solids_inside_their_boxes(prior, class_name):
    prototypes = prior.prototypes(class_name)
    assert len(prototypes) >= 5
    for prototype in prototypes[::3]:
        mesh = prior.decode(class_name, prototype.shape, prototype.texture)
        assert not mesh.fallback
        assert 700 <= len(mesh.faces) <= 2200
        assert is_closed(mesh.faces)
        a, b, c = mesh.vertices[mesh.faces.long()].unbind(1)
        volume = float((a * torch.linalg.cross(b, c)).sum() / 6)
        assert 0.01 < volume < 1.0
        assert mesh.vertices[:, 1:].abs().max() < 0.57
        # Roof bars of open tractors may be lost, so not the whole height is asked for.
        assert mesh.vertices[:, 2].max() - mesh.vertices[:, 2].min() > 0.6


@pytest.mark.parametrize("class_name", OBJECT_CLASSES)
def test_the_mean_decodes(prior, class_name):
    shape, texture = prior.mean_codes(class_name)
    assert not prior.decode(class_name, shape, texture, level="far").fallback
    covariance = prior.code_covariance(class_name)[0]
    assert torch.linalg.eigvalsh(covariance).min() > 0


@pytest.mark.parametrize("class_name", OBJECT_CLASSES)
def test_codes_move_vertices_as_the_jacobian_says(prior, class_name):
    prototype = prior.prototypes(class_name)[0]
    jacobian = prior.shape_jacobian(class_name, prototype.shape)
    for column in (0, 5):
        step = torch.zeros(prior.shape_size)
        step[column] = 2e-4
        plus = prior.vertices_at(class_name, prototype.shape, prototype.shape + step)
        minus = prior.vertices_at(class_name, prototype.shape, prototype.shape - step)
        difference = (plus - minus) / 4e-4
        error = (jacobian[:, :, column] - difference).norm(dim=1)
        assert error.median() < 0.01 * difference.norm(dim=1).mean() + 1e-3


def test_an_aircraft_keeps_wings_fin_and_fuselage(prior):
    names = [prototype.name for prototype in prior.prototypes("aircraft")]
    prototype = prior.prototypes("aircraft")[names.index("a320")]
    vertices = prior.decode("aircraft", prototype.shape, prototype.texture).vertices
    assert vertices[:, 1].max() > 0.42
    assert vertices[:, 1].min() < -0.42
    fin = vertices[(vertices[:, 0] < -0.35) & (vertices[:, 2] > 0.2)]
    assert fin[:, 1].abs().min() < 0.03
    assert vertices[:, 2].max() > 0.4
    assert vertices[:, 0].max() > 0.45
