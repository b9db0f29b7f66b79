"""The whole refiner on silhouettes without fault: errors shrink, and each odd input gets its reason."""

from dataclasses import replace

import numpy as np
import pytest
from refine_scenes import AIRLINER, TRACTOR, VAN, WALKER, Thing, detection, look, track

from airside_perception.config import load_config
from airside_perception.geometry import pose_from_xyz_yaw, wrap_angle
from airside_perception.prior import ObjectPrior
from airside_perception.refine import Refiner
from airside_perception.refine.heading_belief import GRID
from airside_perception.refine.priors import NETWORK_SPREAD, OUTSIDE_SPREAD, pose_prior, scaled_spreads
from airside_perception.refine.starts import choose_starts, make_start, start_poses

THINGS = [
    Thing("gse", 10, 3.0, 0.5, VAN),
    Thing("gse", 12, -5.0, -0.9, TRACTOR),
    Thing("person", -8, 1.0, 0.0, WALKER),
    Thing("aircraft", -40, 6.0, 0.6, AIRLINER),
]


@pytest.fixture(scope="module")
def refiner(prior, library):
    made = Refiner(load_config().refine, prior)
    made.shape_library = library
    return made


@pytest.fixture(scope="module")
def scene(library):
    return look(THINGS, library)


def displaced(things=THINGS):
    """Detections half a metre beside their objects (aircraft 1.5 m), vehicles 7 degrees turned."""
    errors = {"gse": (0.5, 0.12), "person": (0.25, 0.0), "aircraft": (1.5, 0.08)}
    return tuple(detection(t, dy=errors[t.class_name][0], dyaw=errors[t.class_name][1]) for t in things)


def test_errors_shrink(prior, library, scene):
    # The network's own boxes are not that far off across the line of sight; an outside detector's may be.
    refiner = Refiner(load_config().refine, prior, OUTSIDE_SPREAD)
    refiner.shape_library = library
    estimates = refiner.refine(scene[0], displaced(), [], scene[1])
    for thing, start, estimate in zip(THINGS, displaced(), estimates, strict=True):
        assert estimate.refined
        before, after = start.box[1] - thing.y, estimate.box[1] - thing.y
        # An airliner that fills half the image moves by two pixels of its crop: the detector counts for more.
        most = {"aircraft": 0.97, "gse": 0.65, "person": 1.0}[thing.class_name]
        assert abs(after) <= most * abs(before) + 1e-9, thing
        # Outlines of people, whose limbs the prior doesn't follow, may not be worth a step against their boxes.
        assert estimate.loss_after < estimate.loss_before or thing.class_name == "person"
        assert estimate.box[2] == pytest.approx(estimate.box[5] / 2), "it stands on the ground"
    for index in (0, 1, 3):
        assert abs(wrap_angle(estimates[index].box[6] - THINGS[index].yaw)) < 0.12


def test_estimates_carry_what_tracking_and_explanations_need(refiner, scene, prior):
    (estimate,) = refiner.refine(scene[0], displaced()[:1], [], scene[1])
    assert estimate.shape_code.shape == (prior.shape_size,)
    assert estimate.texture_code.shape == (prior.texture_size,)
    assert estimate.cameras == ("front",)
    assert estimate.visible_fraction == 1.0
    assert estimate.score == 0.8
    assert estimate.track_hint is None
    assert np.linalg.eigvalsh(estimate.covariance).min() > -1e-12
    assert 0.02 < np.sqrt(estimate.covariance[0, 0]) < 1.0
    side = NETWORK_SPREAD["gse"].heading[0]
    assert estimate.heading_odds == pytest.approx(2 * side * np.cos(estimate.box[6] - displaced()[0].yaw), rel=0.02)


def test_the_answer_does_not_depend_on_order_or_company(refiner, scene):
    detections = displaced()
    together = refiner.refine(scene[0], detections, [], scene[1])
    backwards = refiner.refine(scene[0], detections[::-1], [], scene[1])
    for a, b in zip(together, backwards[::-1], strict=True):
        np.testing.assert_allclose(a.box, b.box, atol=1e-6)


def test_the_vehicle_may_stand_anywhere(refiner, library):
    pose = pose_from_xyz_yaw(200.0, -80.0, 0.0, 2.0)
    things = [Thing(t.class_name, *(pose @ [t.x, t.y, 0, 1])[:2], wrap_angle(t.yaw + 2.0), t.size) for t in THINGS[:2]]
    frame, network = look(things, library, odom_from_base=pose)
    here = refiner.refine(frame, tuple(detection(t, dyaw=0.12) for t in things), [], network)
    start, there = look(THINGS[:2], library)
    reference = refiner.refine(start, tuple(detection(t, dyaw=0.12) for t in THINGS[:2]), [], there)
    for a, b in zip(here, reference, strict=True):
        np.testing.assert_allclose((pose @ [*b.box[:2], 0, 1])[:2], a.box[:2], atol=0.02)


def test_a_heading_that_points_backwards_is_turned(refiner, library):
    """A pushback tractor's cab and a van's windscreen show in the outline from the side."""
    stairs = Thing("gse", 12, 0, 1.2, (8.4, 2.4, 4.5))
    frame, network = look([stairs], library)
    (estimate,) = refiner.refine(frame, (detection(stairs, dyaw=np.pi),), [], network)
    assert abs(wrap_angle(estimate.box[6] - stairs.yaw)) < 0.3


def test_a_track_lends_its_shape_but_not_its_size(refiner, scene):
    known = track(THINGS[0], "7", hits=10, shape_code=refiner.shape_library.shapes("gse")[0].shape_code)
    wrong = detection(THINGS[0], scale=1.2)
    (alone,) = refiner.refine(scene[0], (wrong,), [], scene[1])
    (tracked,) = refiner.refine(scene[0], (wrong,), [known], scene[1])
    assert tracked.track_hint == "7"
    offset = lambda e: np.linalg.norm(e.shape_code - known.shape_code)  # noqa: E731
    assert offset(tracked) < offset(alone)
    np.testing.assert_allclose(make_start(wrong, known, refiner.shape_library).log_size, np.log(wrong.size))


def test_predictions_of_other_classes_and_far_ones_start_nothing(refiner, scene):
    walker = track(Thing("person", 10, 3.0, 0, WALKER), "p")
    far = track(Thing("gse", 15, 3.0, 0, VAN), "f")
    (estimate,) = refiner.refine(scene[0], displaced()[:1], [walker, far], scene[1])
    assert estimate.track_hint is None


def test_one_track_starts_one_object(refiner, scene):
    twice = (detection(THINGS[0]), detection(THINGS[0], dy=0.6))
    hints = [e.track_hint for e in refiner.refine(scene[0], twice, [track(THINGS[0], "7")], scene[1])]
    assert hints == ["7", None]


def test_hidden_objects_say_so(refiner, library):
    behind, ahead = Thing("gse", 18, 0.8, np.pi / 2, VAN), Thing("gse", 10, 0, np.pi / 2, VAN)
    frame, network = look([behind, ahead], library)
    hidden, seen = refiner.refine(frame, (detection(behind), detection(ahead)), [], network)
    assert "occluded" in hidden.reasons
    assert hidden.visible_fraction < 0.5
    assert "occluded" not in seen.reasons
    assert hidden.covariance[1, 1] > seen.covariance[1, 1]


def test_objects_cut_by_the_image_border_say_so(refiner, library):
    van = Thing("gse", 9, 7.5, 0.0, VAN)
    frame, network = look([van], library)
    (estimate,) = refiner.refine(frame, (detection(van),), [], network)
    assert "truncated" in estimate.reasons


def test_what_hides_an_object_is_named_by_its_place_among_the_detections(refiner, library):
    walker, bus = Thing("person", 16, 0, 0, WALKER), Thing("gse", 9, 0, np.pi / 2, (13.0, 2.9, 3.2))
    frame, network = look([walker, bus], library)
    far = detection(Thing("gse", 70, 0, 0, VAN))
    hidden, _, ahead = refiner.refine(frame, (detection(walker), far, detection(bus)), [], network)
    assert hidden.occluder == 2
    assert ahead.occluder is None


def painted(scene, paint):
    """The scene with other images."""
    frame, network = scene
    images = {name: replace(image, image=paint(image.image)) for name, image in frame.images.items()}
    return replace(frame, images=images), network


def test_a_surface_without_contrast_says_so(refiner, scene):
    def noise(image):
        return np.random.default_rng(4).integers(40, 220, image.shape).astype(np.uint8)

    (flat,) = refiner.refine(scene[0], displaced()[:1], [], scene[1])
    frame, network = painted(scene, noise)
    (rough,) = refiner.refine(frame, displaced()[:1], [], network)
    assert "low_texture" in flat.reasons
    assert "low_texture" not in rough.reasons


@pytest.mark.parametrize("value", [3, 252], ids=["shadow", "glare"])
def test_black_and_white_pixels_say_so(refiner, scene, value):
    frame, network = painted(scene, lambda image: np.full_like(image, value))
    (blinded,) = refiner.refine(frame, displaced()[:1], [], network)
    (lit,) = refiner.refine(scene[0], displaced()[:1], [], scene[1])
    assert "shadow_or_glare" in blinded.reasons
    assert "shadow_or_glare" not in lit.reasons


@pytest.mark.parametrize(("nats", "ambiguous"), [(0.2, True), (4.0, False)])
def test_a_heading_that_could_be_another_is_ambiguous(library, scene, nats, ambiguous):
    start = make_start(detection(THINGS[0]), None, library)
    prior = pose_prior(start_poses(scene[0], [start]), ["gse"], np.zeros(3), OUTSIDE_SPREAD)
    belief = nats * (np.cos(GRID - 0.5) - 1.0)
    _, _, found = choose_starts([start], prior, belief[None], [], library)
    assert found.tolist() == [ambiguous]


def test_an_ambiguous_heading_is_a_reason(refiner, scene, monkeypatch):
    monkeypatch.setattr("airside_perception.refine.starts.RIVAL_DEPTH", np.inf)
    (walker,) = refiner.refine(scene[0], displaced()[2:3], [], scene[1])
    assert "pose_ambiguous" in walker.reasons


def test_the_network_s_own_box_is_a_second_opinion_on_one_from_elsewhere(prior, library, scene):
    frame, network = scene
    outside = Refiner(load_config(None, {"refine.iterations": "0"}).refine, prior, OUTSIDE_SPREAD)
    outside.shape_library = library
    off = (detection(THINGS[0], dx=1.0),)
    (alone,) = outside.refine(frame, off, [], network)
    (together,) = outside.refine(frame, off, [], replace(network, detections=(detection(THINGS[0]),)))
    assert abs(together.box[0] - THINGS[0].x) < abs(alone.box[0] - THINGS[0].x) - 0.2
    own = Refiner(load_config(None, {"refine.iterations": "0"}).refine, prior)
    own.shape_library = library
    (same,) = own.refine(frame, off, [], replace(network, detections=(detection(THINGS[0]),)))
    assert same.box[0] == pytest.approx(alone.box[0]), "its own boxes are no second opinion on themselves"


def test_errors_learned_of_a_detector_are_dropped_when_learning_is_switched_off(prior, library, scene):
    frame, network = scene
    config = load_config(None, {"refine.iterations": "0", "refine.learn_outside_error": "false"}).refine
    outside = Refiner(config, prior, OUTSIDE_SPREAD)
    outside.shape_library = library
    outside.spreads = scaled_spreads(OUTSIDE_SPREAD, 2.0)
    outside.refine(frame, displaced(), [], network)
    assert outside.spreads is OUTSIDE_SPREAD


def test_an_empty_place_keeps_a_large_loss(refiner, library, scene):
    frame, network = look([], library)
    (empty,) = refiner.refine(frame, (detection(THINGS[0]),), [], network)
    (full,) = refiner.refine(scene[0], (detection(THINGS[0]),), [], scene[1])
    assert empty.loss_after > 3 * full.loss_after


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"center": np.array([np.nan, 0, 1])}, "bad_detection"),
        ({"center": np.array([np.inf, 0, 1])}, "bad_detection"),
        ({"size": np.array([5.0, 0.0, 2.0])}, "bad_detection"),
        ({"size": np.array([5.0, -2.0, 2.0])}, "bad_detection"),
        ({"size": np.array([5.0, np.nan, 2.0])}, "bad_detection"),
        ({"yaw": np.nan}, "bad_detection"),
        ({"center": np.array([70.0, 0, 1])}, "out_of_range"),
        ({"center": np.array([0.0, 30.0, 1])}, "detector_only"),
        ({"center": np.array([0.5, 0.0, 1])}, "detector_only"),
    ],
    ids=[
        "nan",
        "infinite",
        "flat",
        "negative",
        "no size",
        "no heading",
        "far away",
        "between the cameras",
        "under the camera",
    ],
)
def test_what_cannot_be_refined_keeps_its_box_with_a_reason(refiner, scene, change, reason):
    odd = replace(detection(THINGS[0]), **change)
    first, second = refiner.refine(scene[0], (odd, displaced()[1]), [], scene[1])
    if reason == "detector_only" and first.refined:
        # A box around the camera itself may reach into the image; then it must at least stay finite.
        assert np.isfinite(first.box).all()
    else:
        assert first.reasons == (reason,)
        assert not first.refined
        np.testing.assert_array_equal(first.box, odd.box)
    assert second.refined, "one bad detection must not spoil the others"


def test_a_class_that_the_prior_does_not_know(prior, scene):
    people = Refiner(load_config().refine, ObjectPrior({"person": prior.classes["person"]}))
    van, _, walker = people.refine(scene[0], displaced()[:3], [], scene[1])
    assert van.reasons == ("no_prior",)
    assert walker.refined


def test_nothing_to_do(refiner, scene):
    frame, network = scene
    assert refiner.refine(frame, (), [track(THINGS[0])], network) == ()


def test_without_network_or_images_boxes_stay(refiner, scene):
    frame, network = scene
    for odd_frame, odd_network in ((frame, None), (replace(frame, images={}), network)):
        estimates = refiner.refine(odd_frame, displaced(), [], odd_network)
        assert [e.reasons for e in estimates] == [("detector_only",)] * 4
        np.testing.assert_array_equal([e.box for e in estimates], [d.box for d in displaced()])
        assert all(np.isfinite(e.covariance).all() for e in estimates)


def test_five_hundred_detections_are_all_answered_and_a_few_refined(prior, library, scene):
    few = Refiner(load_config(None, {"refine.max_objects": "8", "refine.iterations": "1"}).refine, prior)
    few.shape_library = library
    rng = np.random.default_rng(0)
    crowd = tuple(
        detection(Thing("person", float(rng.uniform(6, 30)), float(rng.uniform(-5, 5)), 0.0, WALKER))
        for _ in range(500)
    )
    estimates = few.refine(scene[0], crowd, [], scene[1])
    assert len(estimates) == 500
    assert sum(e.refined for e in estimates) <= 8
    assert sum(e.reasons == ("over_budget",) for e in estimates) == 492


def test_no_steps_leave_the_detected_place(prior, library, scene):
    still = Refiner(load_config(None, {"refine.iterations": "0"}).refine, prior)
    still.shape_library = library
    (estimate,) = still.refine(scene[0], displaced()[:1], [], scene[1])
    np.testing.assert_allclose(estimate.box[:2], displaced()[0].box[:2])
    assert estimate.loss_after == estimate.loss_before


def test_a_budget_that_is_spent_before_the_first_step_leaves_what_no_steps_leave(prior, library, scene):
    answers = []
    for options in ({"refine.budget_ms": "0.001"}, {"refine.iterations": "0"}):
        hasty = Refiner(load_config(None, options).refine, prior)
        hasty.shape_library = library
        answers.append(hasty.refine(scene[0], displaced(), [], scene[1]))
    for spent, none in zip(*answers, strict=True):
        assert spent.refined
        np.testing.assert_allclose(spent.box, none.box)
        np.testing.assert_allclose(spent.covariance, none.covariance)
