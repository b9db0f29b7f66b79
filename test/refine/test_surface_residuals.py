"""Places on objects against the rendering: they pull every object to where both agree, from farther than outlines."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from refine_scenes import TRACTOR, VAN, Thing, detection, look, poses_of, views_of

from airside_perception.config import load_config
from airside_perception.refine import Refiner
from airside_perception.refine.residuals import SilhouetteBatch
from airside_perception.refine.surface_residuals import LEAST_WEIGHT, SurfaceResiduals

THINGS = [Thing("gse", 10, 3.0, 0.5, VAN), Thing("gse", 12, -5.0, -0.9, TRACTOR)]
PARAMETERS = {"x": (0, 0.4), "y": (1, 0.4), "yaw": (2, 0.15), "length": (3, 0.1)}


def batch_of(library, spread=0.05, turned=()):
    """The scene with pixels that show exactly where on the objects they lie; `turned` views take front for back."""
    frame, network = look(THINGS, library)
    shapes = [thing.shape(library) for thing in THINGS]
    plain = SilhouetteBatch(views_of(THINGS, frame, network), shapes)
    raster = plain.raster(plain.project(plain.surface(poses_of(THINGS))))
    places = plain.interpolate(plain.vertex_values("vertices"), raster).numpy()
    for index in turned:
        places[index, ..., :2] *= -1
    maps = np.concatenate([places, np.full_like(places[..., :1], np.log(spread))], axis=3).transpose(0, 3, 1, 2)
    views = [replace(view, surface=each) for view, each in zip(plain.views, maps, strict=True)]
    return SilhouetteBatch(views, shapes)


def surface_part(batch, poses):
    """What places alone add: the difference to the silhouettes' own terms."""
    plain = SilhouetteBatch(batch.views, batch.shapes)
    plain.weight = batch.weight
    without = plain.evaluate(poses, 1.3, 1.3)
    plain.compare_inside(SurfaceResiduals(batch.views, batch.shapes), 1.0)
    both = plain.evaluate(poses, 1.3, 1.3)
    return both.hessian - without.hessian, both.gradient - without.gradient, both.energy - without.energy


def shifted(name):
    index, amount = PARAMETERS[name]
    step = np.zeros((len(THINGS), 10))
    step[:, index] = amount
    return poses_of(THINGS).moved(step), index, amount


def test_an_object_in_its_place_is_not_pulled(library):
    hessian, gradient, energy = surface_part(batch_of(library), poses_of(THINGS))
    step = np.array([np.linalg.solve(h + 0.1 * np.eye(len(h)), -g) for h, g in zip(hessian, gradient, strict=True)])
    assert np.abs(step).max() < 0.02
    assert energy.max() < 0.05


@pytest.mark.parametrize("name", PARAMETERS)
def test_places_lead_back_to_where_they_agree(library, name):
    batch = batch_of(library)
    poses, index, amount = shifted(name)
    before = surface_part(batch, poses)[2]
    for _ in range(5):
        hessian, gradient, _ = surface_part(batch, poses)
        own, pull = hessian[:, index, index], gradient[:, index]
        step = np.zeros((len(THINGS), 10))
        step[:, index] = np.bincount(batch.object_of_view, -pull) / (np.bincount(batch.object_of_view, own) + 0.1)
        poses = poses.moved(step)
    truth = poses_of(THINGS)
    left = {"x": poses.ground[:, 0] - truth.ground[:, 0], "y": poses.ground[:, 1] - truth.ground[:, 1],
            "yaw": poses.yaw - truth.yaw, "length": poses.log_size[:, 0] - truth.log_size[:, 0]}[name]  # fmt: skip
    assert np.abs(left).max() < 0.25 * amount
    assert (surface_part(batch, poses)[2] < 0.3 * before).all()


def test_gradient_is_the_slope_of_the_energy(library):
    """Where no pixel enters or leaves, the normal equations' gradient is the derivative of the energy."""
    batch = batch_of(library, spread=0.3)
    poses, index, _ = shifted("y")
    _, gradient, _ = surface_part(batch, poses)
    step = np.zeros((len(THINGS), 10))
    step[:, index] = 0.05
    ahead, behind = (surface_part(batch, poses.moved(sign * step))[2] for sign in (1, -1))
    np.testing.assert_allclose(gradient[:, index], (ahead - behind) / 0.1, rtol=0.35)


def test_a_network_that_takes_front_for_back_hardly_pulls(library):
    right, wrong = batch_of(library), batch_of(library, turned=(0,))
    poses, _, _ = shifted("yaw")
    pull_right, pull_wrong = (np.abs(surface_part(each, poses)[1][0, 2]) for each in (right, wrong))
    assert pull_wrong < 0.5 * pull_right


def test_unsure_pixels_count_for_less(library):
    poses, index, _ = shifted("x")
    sure, unsure = (surface_part(batch_of(library, spread), poses)[0][:, index, index] for spread in (0.1, 0.4))
    assert (sure > 5 * unsure).all()


def test_a_part_of_the_batch_says_the_same(library):
    batch = batch_of(library)
    poses = poses_of(THINGS).moved(np.full((len(THINGS), 10), 0.05))
    batch.compare_inside(SurfaceResiduals(batch.views, batch.shapes), 3.0)
    whole = batch.evaluate(poses, 1.3, 1.3)
    last = np.array([len(batch.views) - 1])
    part = batch.only(last).evaluate(poses, 1.3, 1.3)
    np.testing.assert_allclose(part.energy, whole.energy[last], rtol=1e-4)
    np.testing.assert_allclose(part.hessian, whole.hessian[last], rtol=1e-3, atol=1e-3)
    alone = batch.only(last).evaluate(poses, 1.3, 1.3, with_jacobian=False)
    np.testing.assert_allclose(part.energy, alone.energy, rtol=1e-6)


def test_a_view_with_too_few_pixels_says_nothing(library):
    batch = batch_of(library)
    poses = poses_of(THINGS).moved(np.full((len(THINGS), 10), 0.1))
    batch.weight = torch.zeros_like(batch.weight)
    side, middle = int(np.sqrt(LEAST_WEIGHT)) - 1, batch.size // 2
    batch.weight[:, middle : middle + side, middle : middle + side] = 1.0
    hessian, gradient, energy = surface_part(batch, poses)
    np.testing.assert_allclose([np.abs(hessian).max(), np.abs(gradient).max(), np.abs(energy).max()], 0, atol=1e-6)


def test_a_network_that_does_not_say_leaves_the_outlines_alone(library, prior):
    """With the comparison on, frames of an engine without such maps are refined as ever."""
    frame, network = look(THINGS, library)
    boxes = tuple(detection(thing, dy=0.4) for thing in THINGS)
    plain, asking = (Refiner(load_config(None, {"refine.surface_weight": str(w)}).refine, prior) for w in (0, 8))
    for refiner in (plain, asking):
        refiner.shape_library = library
    expected, found = (refiner.refine(frame, boxes, [], network) for refiner in (plain, asking))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one.box, other.box)


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, 3e38])
def test_answers_of_a_diverged_network_do_not_count(library, nonsense):
    """Half of the pixels without an answer: the other half says what it says, and all stays finite."""
    batch = batch_of(library)
    poses = shifted("x")[0]
    views = [replace(view, surface=np.where(np.arange(64) < 32, nonsense, view.surface)) for view in batch.views]
    broken = SilhouetteBatch(views, batch.shapes)
    for each in surface_part(broken, poses):
        assert np.isfinite(each).all()
    hidden = batch_of(library)
    hidden.weight = hidden.weight * (torch.arange(64) >= 32)
    broken.weight = broken.weight * (torch.arange(64) >= 32)
    np.testing.assert_allclose(surface_part(broken, poses)[0], surface_part(hidden, poses)[0], rtol=1e-3, atol=1e-3)


def test_nonsense_everywhere_leaves_the_outlines_to_refine(library, prior):
    frame, network = look(THINGS, library)
    boxes = tuple(detection(thing, dy=0.4) for thing in THINGS)
    maps = np.full((4, 25, 40), np.nan, np.float32)
    refiner = Refiner(load_config().refine, prior)
    refiner.shape_library = library
    expected = refiner.refine(frame, boxes, [], network)
    told = replace(network, image_surface=dict.fromkeys(network.image_semantics, maps))
    for one, other in zip(expected, refiner.refine(frame, boxes, [], told), strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=1e-9)
        np.testing.assert_allclose(one.covariance, other.covariance)
