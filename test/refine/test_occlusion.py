"""Who hides whom: weights taken from pixels of others, and the part of an object that should be seen."""

import numpy as np
import pytest
from refine_scenes import BUS, TRACTOR, VAN, WALKER, Thing, look, poses_of, views_of

from airside_perception.refine.occlusion import explain_overlaps
from airside_perception.refine.residuals import SilhouetteBatch


def overlaps(things, library):
    """Visible part per object, and the batch before and after its pixels were explained."""
    frame, network = look(things, library)
    views = views_of(things, frame, network, cameras=1)
    shapes = [t.shape(library) for t in things]
    batch = SilhouetteBatch(views, shapes)
    before = batch.weight.clone()
    visible, _ = explain_overlaps(frame, batch, poses_of(things), shapes, [t.class_name for t in things])
    return dict(zip(batch.object_of_view.tolist(), visible, strict=True)), before, batch.weight


def test_objects_far_apart_keep_all_their_pixels(library):
    visible, before, after = overlaps([Thing("gse", 12, 5, 0, VAN), Thing("gse", 12, -5, 0, VAN)], library)
    assert visible == {0: 1.0, 1: 1.0}
    assert after.equal(before)


def test_the_one_behind_is_hidden_where_the_one_ahead_is(library):
    van_behind, van_ahead = Thing("gse", 18, 0.8, np.pi / 2, VAN), Thing("gse", 10, 0, np.pi / 2, VAN)
    visible, before, after = overlaps([van_behind, van_ahead], library)
    assert visible[1] == 1.0
    assert visible[0] < 0.4
    lost = (before - after)[0]
    assert float(lost.sum()) > 0.3 * float(before[0].sum())
    assert (after >= 0).all()


def test_hidden_completely(library):
    visible, _, _ = overlaps([Thing("person", 16, 0, 0, WALKER), Thing("gse", 9, 0, np.pi / 2, BUS)], library)
    assert visible[0] == pytest.approx(0.0, abs=0.02)
    assert visible[1] == 1.0


def test_who_hides_an_object_is_told(library):
    things = [Thing("person", 16, 0, 0, WALKER), Thing("gse", 9, 0, np.pi / 2, BUS), Thing("gse", -12, 0, 0, VAN)]
    frame, network = look(things, library)
    views = views_of(things, frame, network, cameras=1)
    shapes = [t.shape(library) for t in things]
    batch = SilhouetteBatch(views, shapes)
    _, occluder = explain_overlaps(frame, batch, poses_of(things), shapes, [t.class_name for t in things])
    assert dict(zip(batch.object_of_view.tolist(), occluder.tolist(), strict=True)) == {0: 1, 1: -1, 2: -1}


def test_a_small_object_ahead_hides_a_small_part(library):
    visible, _, _ = overlaps([Thing("gse", 14, 0, 0.6, TRACTOR), Thing("person", 8, 0, 0, WALKER)], library)
    assert 0.5 < visible[0] < 1.0
    assert visible[1] == 1.0


def test_another_class_behind_leaves_the_weights_of_the_one_ahead(library):
    things = [Thing("gse", 9, 0, 0.6, TRACTOR), Thing("person", 16, 3.0, 0, WALKER)]
    _, before, after = overlaps(things, library)
    assert after[0].equal(before[0])
