import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from airside_perception.errors import AirsideError
from airside_perception.prior import ObjectPrior, fit_codes

SHAPE = np.array([0.3, -0.2, 0.1, 0.4, -0.3], dtype=np.float32)
TEXTURE = np.array([0.5, -1.0, 0.2, 0.0], dtype=np.float32)


@pytest.mark.parametrize("level", ["full", "refine", 200])
def test_decode_gives_consistent_arrays(blobs, level):
    mesh = blobs.decode("aircraft", SHAPE, TEXTURE, level=level)
    count = len(mesh.vertices)
    assert mesh.vertices.shape == mesh.normals.shape == mesh.colors.shape == (count, 3)
    assert mesh.faces.dtype == torch.int32
    assert int(mesh.faces.max()) == count - 1
    assert mesh.vertices.abs().max() < 0.55
    assert not mesh.fallback
    assert torch.allclose(mesh.normals.norm(dim=1), torch.ones(count), atol=1e-5)
    assert mesh.colors.min() >= 0
    assert mesh.colors.max() <= 1
    assert blobs.shape_jacobian("aircraft", SHAPE, level).shape == (count, 3, 5)
    assert blobs.texture_jacobian("aircraft", SHAPE, TEXTURE, level).shape == (count, 3, 4)


@pytest.mark.parametrize("level", ["full", 200])
def test_shape_jacobian_matches_finite_differences(blobs, level):
    jacobian = blobs.shape_jacobian("aircraft", SHAPE, level)
    for column in range(5):
        step = np.zeros(5, dtype=np.float32)
        step[column] = 1e-3
        plus = blobs.vertices_at("aircraft", SHAPE, SHAPE + step, level)
        minus = blobs.vertices_at("aircraft", SHAPE, SHAPE - step, level)
        difference = (plus - minus) / 2e-3
        error = (jacobian[:, :, column] - difference).abs()
        assert error.median() < 1e-3
        assert error.quantile(0.99) < 0.02


def test_texture_jacobian_matches_finite_differences(blobs):
    jacobian = blobs.texture_jacobian("person", SHAPE, TEXTURE)
    for column in range(4):
        step = np.zeros(4, dtype=np.float32)
        step[column] = 1e-2
        plus = blobs.decode("person", SHAPE, TEXTURE + step).colors
        minus = blobs.decode("person", SHAPE, TEXTURE - step).colors
        assert torch.allclose(jacobian[:, :, column], (plus - minus) / 2e-2, atol=1e-3)


def test_texture_never_moves_the_surface_and_shape_never_repaints_a_place(blobs):
    first, second = blobs.decode("aircraft", SHAPE, TEXTURE), blobs.decode("aircraft", SHAPE, -TEXTURE)
    assert torch.equal(first.vertices, second.vertices)
    assert (first.colors - second.colors).abs().max() > 0.01
    decoder = blobs.classes["aircraft"].texture
    assert torch.allclose(decoder(first.vertices, torch.from_numpy(TEXTURE)), first.colors)


def test_linearized_decoding_agrees_with_its_parts(blobs):
    linear = blobs.decode_linearized("aircraft", SHAPE, TEXTURE)
    assert torch.equal(linear.mesh.vertices, blobs.decode("aircraft", SHAPE, TEXTURE).vertices)
    assert torch.equal(linear.shape_jacobian, blobs.shape_jacobian("aircraft", SHAPE))
    assert torch.allclose(linear.mesh.colors, blobs.decode("aircraft", SHAPE, TEXTURE).colors, atol=1e-6)


def test_metric_scales_vertices_and_keeps_normals_perpendicular(blobs):
    mesh = blobs.decode("aircraft", SHAPE, TEXTURE, level="full")
    vertices, normals = mesh.metric(torch.tensor([30.0, 5.0, 2.0]))
    assert torch.allclose(vertices, mesh.vertices * torch.tensor([30.0, 5.0, 2.0]))
    a, b, c = vertices[mesh.faces.long()].unbind(1)
    flat = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=1)
    assert (flat * normals[mesh.faces[:, 0].long()]).sum(1).median() > 0.95


def test_an_empty_surface_falls_back_to_the_class_mean(blobs):
    part = copy.deepcopy(blobs.classes["person"])
    part.shape.resting.clamp_(min=1.0)
    part.shape.basis[:, 0] = 10.0
    part.shape_mean.zero_()
    prior = ObjectPrior({"person": part})
    mean = prior.decode("person", prior.mean_codes("person")[0], TEXTURE)
    vanished = prior.decode("person", np.array([8, 0, 0, 0, 0]), TEXTURE)
    assert vanished.fallback
    assert not mean.fallback
    assert torch.equal(vanished.vertices, mean.vertices)


def test_code_statistics_and_samples(blobs):
    shape, texture = blobs.mean_codes("aircraft")
    assert shape.shape == (5,)
    assert texture.shape == (4,)
    covariances = blobs.code_covariance("aircraft")
    assert covariances[0].shape == (5, 5)
    assert covariances[1].shape == (4, 4)
    draw = [blobs.sample_codes("aircraft", torch.Generator().manual_seed(3))[0] for _ in range(2)]
    assert torch.equal(*draw)
    assert (draw[0] - shape).abs().max() > 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("boat", SHAPE, TEXTURE), "class: expected one of"),
        (("aircraft", SHAPE[:3], TEXTURE), r"shape code: expected shape \(5,\), got \(3,\)"),
        (("aircraft", SHAPE, TEXTURE * np.nan), "texture code: expected finite values, got 4 others"),
        (("aircraft", SHAPE, TEXTURE, "tiny"), "level: expected one of"),
        (("aircraft", SHAPE, TEXTURE, 3), "at least 20 triangles"),
    ],
)
def test_bad_input_says_what_was_expected(blobs, arguments, message):
    with pytest.raises(ValueError, match=message):
        blobs.decode(*arguments)


def test_weights_survive_the_disk(blobs, tmp_path):
    path = tmp_path / "prior.safetensors"
    blobs.save(path)
    loaded = ObjectPrior.load(path)
    assert loaded.class_names == ("aircraft", "person")
    assert loaded.metadata["note"] == "test"
    ours, theirs = (prior.decode("person", SHAPE, TEXTURE, "full") for prior in (blobs, loaded))
    assert torch.equal(ours.faces, theirs.faces)
    assert (ours.vertices - theirs.vertices).abs().max() < 5e-3
    assert torch.allclose(ours.colors, theirs.colors, atol=0.02)


def test_unusable_weights_are_named(blobs, tmp_path):
    path = tmp_path / "prior.safetensors"
    with pytest.raises(AirsideError, match="no file at"):
        ObjectPrior.load(path)
    path.write_bytes(b"not weights")
    with pytest.raises(AirsideError, match="not a safetensors file"):
        ObjectPrior.load(path)
    save_file({"x": torch.zeros(1)}, path, metadata={"format": "airside_prior", "version": "1"})
    with pytest.raises(AirsideError, match="version 2, got airside_prior 1"):
        ObjectPrior.load(path)
    blobs.save(path)
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    del tensors["person.shape.basis"]
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(AirsideError, match=r"tensor 'person\.shape\.basis' is missing"):
        ObjectPrior.load(path)


def test_fitting_finds_the_codes_behind_distances_and_colours(blobs):
    part = blobs.classes["aircraft"]
    generator = torch.Generator().manual_seed(0)
    points = 0.8 * torch.rand(600, 3, generator=generator) - 0.4
    constants, rows = part.shape.interpolation_rows(points)
    shape = torch.tensor([0.8, -0.5, 0.3, 0.6, -0.7])
    texture = torch.tensor([0.5, -1.0, 0.7, 0.3])
    fit = fit_codes(
        blobs, "aircraft", points, constants + rows @ shape, part.texture(points, texture), prior_weight=1e-7
    )
    assert (fit.shape - shape).abs().max() < 0.05
    assert fit.shape_error < 0.01
    assert fit.texture_error < 0.02
    with pytest.raises(ValueError, match="points: expected"):
        fit_codes(blobs, "aircraft", points[:, :2])


def test_interpolation_rows_agree_with_the_grid_at_its_nodes(blobs):
    decoder = blobs.classes["aircraft"].shape
    nodes = decoder.live[::17]
    constants, rows = decoder.interpolation_rows(decoder.positions[nodes])
    code = torch.from_numpy(SHAPE)
    assert torch.allclose(constants + rows @ code, decoder(code[None]).reshape(-1)[nodes], atol=1e-4)
