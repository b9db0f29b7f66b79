"""Typical shapes: their boxes, their choice by size and code, and how they bend."""

import copy

import numpy as np
import pytest

from airside_perception.prior import ObjectPrior
from airside_perception.refine import ShapeLibrary


@pytest.mark.parametrize("class_name", ["aircraft", "gse", "person"])
def test_each_shape_fills_its_box_and_its_arrays_belong_together(library, class_name):
    for shape in library.shapes(class_name):
        count = len(shape.vertices)
        np.testing.assert_allclose(shape.vertices.min(axis=0), -0.5, atol=1e-5)
        np.testing.assert_allclose(shape.vertices.max(axis=0), 0.5, atol=1e-5)
        assert shape.faces.min() >= 0
        assert shape.faces.max() < count
        assert shape.normals.shape == shape.colors.shape == (count, 3)
        assert shape.shape_columns.shape == (count, 3, library.shape_parameters)
        assert shape.texture_columns.shape[:2] == (count, 3)
        assert np.isfinite(shape.shape_columns).all()
        assert 200 < count < 1500, "small enough to render hundreds per frame"


def test_directions_are_sorted_by_how_far_they_move_the_surface(library):
    for shape in library.shapes("gse")[:4]:
        motion = np.square(shape.shape_columns).sum(axis=(0, 1))
        assert motion[0] > motion[-1]
        assert np.linalg.norm(shape.directions, axis=1).min() > 0


def test_shapes_are_decoded_once(library):
    assert library.shape("person", 0) is library.shape("person", 0)


def test_the_size_chooses_the_kind(library):
    def nearest_size(size):
        return library.shape("gse", library.by_size("gse", np.array(size), 1)[0]).size

    bus, towbar = nearest_size([12.5, 3.0, 3.2]), nearest_size([4.7, 0.3, 0.4])
    assert bus[0] > 11
    assert towbar[1] < 0.5
    order = library.by_size("gse", np.array([12.5, 3.0, 3.2]), 5)
    assert len(set(order)) == 5


def test_a_size_of_zero_still_finds_a_shape(library):
    assert len(library.by_size("person", np.zeros(3), 2)) == 2


def test_a_code_finds_the_shape_it_came_from(library):
    codes = [shape.shape_code for shape in library.shapes("aircraft")]
    assert [library.nearest("aircraft", code + 1e-3) for code in codes] == list(range(len(codes)))


def test_a_prior_without_typical_objects_offers_its_mean(prior):
    part = copy.deepcopy(prior.classes["person"])
    part.prototype_names = ()
    for name in ("prototype_shape", "prototype_texture", "prototype_size"):
        setattr(part, name, getattr(part, name)[:0])
    lone = ShapeLibrary(ObjectPrior({"person": part}), parameters=2)
    shapes = lone.shapes("person")
    assert lone.class_names == ("person",)
    assert len(shapes) == 1
    assert shapes[0].size is None
    assert shapes[0].shape_columns.shape[2] == 2
    assert lone.by_size("person", np.array([0.5, 0.5, 1.8]), 3) == [0]
