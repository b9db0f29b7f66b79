"""Colours against pixels: whatever the light, they pull towards where the colours agree, and light can't pull."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from refine_scenes import TRACTOR, VAN, Thing, look, poses_of, views_of

from airside_perception.refine.photometric import LEAST_WEIGHT, ColorResiduals
from airside_perception.refine.residuals import SilhouetteBatch

THINGS = [Thing("gse", 10, 3.0, 0.5, VAN), Thing("gse", 12, -5.0, -0.9, TRACTOR)]
LIGHTS = {
    "plain": (1.0, 0.0, (0.0, 0.0, 0.0)),
    "dusk": (0.35, 0.3, (0.02, 0.05, 0.12)),
    "glare": (1.2, -0.4, (0.1,) * 3),
}


def textures(shapes):
    random = np.random.default_rng(4)
    return random.normal(size=(len(shapes), len(shapes[0].texture_code))).astype(np.float32)


def lit_batch(library, light):
    """The scene with images that show the objects' own colours under a light, and nothing told of it."""
    gain, slant, offset = LIGHTS[light]
    frame, network = look(THINGS, library)
    shapes = [thing.shape(library) for thing in THINGS]
    plain = SilhouetteBatch(views_of(THINGS, frame, network), shapes)
    codes, poses = textures(shapes), poses_of(THINGS)
    colors = ColorResiduals(plain.views, shapes, codes)
    raster = plain.raster(plain.project(plain.surface(poses)))
    maps = plain.interpolate(colors.attributes, raster).numpy()
    shade = gain * (1.0 + slant * maps[..., 5:6])
    images = np.where(raster[..., 3:].numpy() > 0, maps[..., :3] * shade + np.array(offset), 0.4)
    views = [replace(view, image=image.astype(np.float32)) for view, image in zip(plain.views, images, strict=True)]
    batch = SilhouetteBatch(views, shapes)
    batch.weight = torch.ones_like(batch.weight)
    return batch, codes, poses


def color_part(batch, codes, poses):
    """What colours alone add: the difference to the silhouettes' own terms."""
    without = batch.evaluate(poses, 1.3, 1.3)
    batch.compare_inside(ColorResiduals(batch.views, batch.shapes, codes), 1.0)
    both = batch.evaluate(poses, 1.3, 1.3)
    return both.hessian - without.hessian, both.gradient - without.gradient, both.energy - without.energy


@pytest.mark.parametrize("light", LIGHTS)
def test_no_light_pulls_at_an_object_in_its_place(library, light):
    batch, codes, poses = lit_batch(library, light)
    hessian, gradient, energy = color_part(batch, codes, poses)
    assert (np.einsum("nii->ni", hessian)[:, :3] > 0).all(), "else there is nothing to see"
    step = np.array([np.linalg.solve(h + 0.1 * np.eye(len(h)), -g) for h, g in zip(hessian, gradient, strict=True)])
    assert np.abs(step[:, :3]).max() < 0.02
    assert energy.max() < 0.3


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("parameter", [0, 1, 2])
def test_colours_lead_back_to_where_they_agree(library, light, parameter):
    batch, codes, truth = lit_batch(library, light)
    amount = (0.25, 0.25, 0.06)[parameter]
    step = np.zeros((len(THINGS), 10))
    step[:, parameter] = amount
    poses = truth.moved(step)
    batch.compare_inside(ColorResiduals(batch.views, batch.shapes, codes), 1.0)
    energies = []
    for _ in range(6):
        silhouettes = SilhouetteBatch(batch.views, batch.shapes)
        silhouettes.weight = batch.weight
        hessian, gradient, energy = color_part(silhouettes, codes, poses)
        energies.append(np.bincount(batch.object_of_view, energy))
        total, slope = np.zeros((len(THINGS), 3, 3)), np.zeros((len(THINGS), 3))
        np.add.at(total, batch.object_of_view, hessian[:, :3, :3])
        np.add.at(slope, batch.object_of_view, gradient[:, :3])
        move = np.zeros((len(THINGS), 10))
        move[:, :3] = -np.linalg.solve(total + 0.2 * np.eye(3), slope[..., None])[..., 0]
        poses = poses.moved(np.clip(move, -0.2, 0.2))
    assert (energies[-1] < 0.5 * energies[0]).all()
    off = np.abs(
        [poses.ground[:, 0], poses.ground[:, 1], poses.yaw]
        - np.array([truth.ground[:, 0], truth.ground[:, 1], truth.yaw])
    )
    assert (off[parameter] < 0.6 * amount).all()


def test_a_part_of_the_batch_says_the_same(library):
    batch, codes, truth = lit_batch(library, "dusk")
    poses = truth.moved(np.full((len(THINGS), 10), 0.05))
    batch.compare_inside(ColorResiduals(batch.views, batch.shapes, codes), 2.0)
    whole = batch.evaluate(poses, 1.3, 1.3)
    last = np.array([len(batch.views) - 1])
    part = batch.only(last).evaluate(poses, 1.3, 1.3)
    np.testing.assert_allclose(part.energy, whole.energy[last], rtol=1e-4)
    np.testing.assert_allclose(part.hessian, whole.hessian[last], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        part.energy, batch.only(last).evaluate(poses, 1.3, 1.3, with_jacobian=False).energy, rtol=1e-6
    )


def test_a_view_with_too_few_pixels_says_nothing(library):
    batch, codes, poses = lit_batch(library, "plain")
    batch.weight = torch.zeros_like(batch.weight)
    side = int(np.sqrt(LEAST_WEIGHT)) - 1
    middle = batch.size // 2
    batch.weight[:, middle : middle + side, middle : middle + side] = 1.0
    hessian, gradient, energy = color_part(batch, codes, poses.moved(np.full((len(THINGS), 10), 0.1)))
    np.testing.assert_allclose([np.abs(hessian).max(), np.abs(gradient).max(), np.abs(energy).max()], 0, atol=1e-6)
