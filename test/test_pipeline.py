"""The stages together: what each one's absence or failure leaves of a frame."""

from dataclasses import replace

import numpy as np
import pytest

from airside_perception.config import load_config
from airside_perception.errors import AirsideError
from airside_perception.geometry import Camera, Rig, make_transform
from airside_perception.pipeline import Pipeline, grid_spec
from airside_perception.prior import ObjectPrior
from airside_perception.records import SEEN_NOW, CameraImage, Detection3D, RigFrame
from airside_perception.resources import share_path

PERIOD_NS = 100_000_000
FRAMES = 6


def stamp(index: int) -> int:
    return 1_000_000_000 + index * PERIOD_NS


def two_cameras() -> Rig:
    ahead = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    behind = np.diag([-1.0, -1.0, 1.0]) @ ahead
    k = np.array([[200.0, 0, 159.5], [0, 200.0, 99.5], [0, 0, 1]])
    mounts = {"front": make_transform(ahead, [1.0, 0, 2.0]), "rear": make_transform(behind, [-1.0, 0, 2.0])}
    return Rig({name: Camera(name, 320, 200, k, mount) for name, mount in mounts.items()})


def frame(index: int = 0, cameras: tuple[str, ...] = ("front", "rear")) -> RigFrame:
    """A grey afternoon over dark ground."""
    rig = two_cameras()
    grey = np.full((200, 320, 3), 120, np.uint8)
    grey[100:] = 90
    images = {name: CameraImage(rig.cameras[name], grey, stamp(index)) for name in cameras}
    missing = tuple(name for name in rig.cameras if name not in cameras)
    return RigFrame(stamp(index), images, missing, np.eye(4))


def van(index: int = 0) -> Detection3D:
    """Drives along y, one metre per second, before the vehicle."""
    center = np.array([12.0, -1.0 + 0.1 * index, 1.1])
    return Detection3D("gse", center, np.array([5.6, 2.0, 2.2]), np.pi / 2, 0.9, np.array([0.0, 1.0]))


@pytest.fixture(scope="module")
def prior() -> ObjectPrior:
    return ObjectPrior.load(share_path("engines/prior.safetensors"))


@pytest.fixture(scope="module")
def shipped() -> Pipeline:
    """All stages with the weights that the package carries."""
    return Pipeline.from_config(load_config(None, {"network.runtime": "onnxruntime", "network.threads": "1"}))


@pytest.fixture
def whole(shipped) -> Pipeline:
    shipped.reset()
    shipped.counts.update(dict.fromkeys(shipped.counts, 0))
    return shipped


def external(prior, **options) -> Pipeline:
    """No network; detections from elsewhere."""
    config = load_config(None, {"network.enabled": "false", **options})
    detections = {stamp(index): (van(index),) for index in range(FRAMES)}
    return Pipeline(config, None, prior, detections, "external")


def test_shipped_weights_fit_the_shipped_configuration(whole):
    scene = whole.step(frame())
    spec = grid_spec(whole.config)
    assert scene.occupancy is not None
    assert scene.occupancy.class_id.shape == spec.shape
    assert 0 <= scene.occupancy.probability.min() <= scene.occupancy.probability.max() <= 1
    assert (scene.occupancy.visibility == 2).any()
    assert set(scene.image_semantics) == {"front", "rear"}
    assert len(scene.estimates) == len(scene.detections)
    assert whole.counts == {"network_failures": 0, "refine_failures": 0, "frames_without_images": 0, "blank_images": 0}
    assert whole.device_report()["refiner"] == "cpu"


def test_each_stage_is_timed_and_the_frame_takes_at_least_as_long(whole):
    times = whole.step(frame()).timing_ms
    stages = {"network", "visibility", "predict", "refine", "expected_visibility", "tracking"}
    assert stages | {"frame"} == set(times)
    assert times["frame"] >= sum(times[stage] for stage in stages) - 1e-6


def test_a_missing_camera_is_no_failure(whole):
    scene = whole.step(frame(cameras=("front",)))
    assert set(scene.image_semantics) == {"front"}
    assert whole.counts["network_failures"] == 0


def test_a_frame_without_images_is_counted_and_answered(whole):
    scene = whole.step(frame(cameras=()))
    assert whole.counts["frames_without_images"] == 1
    assert scene.occupancy is None
    assert scene.detections == scene.estimates == scene.tracks == ()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_images_are_counted_and_see_nothing(whole, value):
    """A covered, a broken or a blinded camera: no crash, nothing sure found, and nothing free because of it."""
    good = frame()
    covered = {n: replace(i, image=np.full_like(i.image, value)) for n, i in good.images.items()}
    scene = whole.step(replace(good, images={**good.images, "rear": covered["rear"]}))
    assert whole.counts["blank_images"] == 1
    whole.reset()
    without = whole.step(frame(cameras=("front",)))
    seen, expected = scene.occupancy.visibility == SEEN_NOW, without.occupancy.visibility == SEEN_NOW
    behind = grid_spec(whole.config).centers()[..., 0] < -5.0
    assert expected.any()
    assert not (seen & behind).any()
    whole.reset()
    scene = whole.step(replace(good, images=covered))
    assert whole.counts["blank_images"] == 3
    assert not (scene.occupancy.visibility == SEEN_NOW).any()
    assert all(detection.score < 0.5 for detection in scene.detections)


def test_an_engine_that_fails_is_counted_and_the_next_frame_goes_on(whole, monkeypatch, caplog):
    def fail(inputs):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as broken:
        broken.setattr(whole._network.engine, "run", fail)
        scene = whole.step(frame(0))
    assert whole.counts["network_failures"] == 1
    assert scene.occupancy is None
    assert "out of memory" in caplog.text
    assert whole.step(frame(1)).occupancy is not None
    assert whole.counts["network_failures"] == 1


def test_external_detections_become_one_track_that_moves(prior):
    pipeline = external(prior)
    scenes = [pipeline.step(frame(index)) for index in range(FRAMES)]
    last = scenes[-1].tracks
    assert [t.state for t in last] == ["confirmed"]
    # Half a second of a slow drive: it is not sure yet that the van does not stand.
    assert last[0].box[1] == pytest.approx(van(FRAMES - 1).center[1], abs=0.25)
    assert len({t.track_id for scene in scenes for t in scene.tracks}) == 1
    assert scenes[-1].explanations[0].track_id == last[0].track_id
    assert scenes[-1].occupancy is None
    assert scenes[-1].estimates[0].reasons == ("detector_only",), "no network, so no silhouettes to refine on"


def test_external_detections_are_refined_on_the_network_s_silhouettes(whole):
    both = Pipeline(whole.config, whole._network, whole.prior, {stamp(0): (van(),)}, "external")
    scene = both.step(frame())
    assert len(scene.detections) == len(scene.estimates) == 1
    assert scene.estimates[0].refined
    assert np.isfinite(scene.estimates[0].box).all()


def test_a_frame_without_detections_lets_tracks_coast(prior):
    pipeline = external(prior)
    for index in range(FRAMES):
        (measured,) = pipeline.step(frame(index)).tracks or (None,)
    (coasting,) = pipeline.step(frame(FRAMES)).tracks
    assert coasting.state == "coasting"
    assert coasting.box[1] > measured.box[1] + 0.02, "it goes on"


def test_refinement_that_fails_leaves_the_detector_s_boxes(prior, monkeypatch):
    pipeline = external(prior)

    def fail(*_):
        raise np.linalg.LinAlgError("singular matrix")

    monkeypatch.setattr(pipeline._refiner, "refine", fail)
    scene = pipeline.step(frame())
    assert pipeline.counts["refine_failures"] == 1
    np.testing.assert_array_equal(scene.estimates[0].box, van().box)


def test_bad_detections_do_not_stop_the_frame(prior):
    pipeline = external(prior)
    broken = replace(van(), center=np.array([np.nan, 0.0, 1.0]))
    pipeline._external = {stamp(index): (broken, van(index)) for index in range(FRAMES)}
    scenes = [pipeline.step(frame(index)) for index in range(FRAMES)]
    assert [len(scene.estimates) for scene in scenes] == [2] * FRAMES
    assert len(scenes[-1].tracks) == 1
    assert np.isfinite(scenes[-1].tracks[0].box).all()


def test_without_prior_the_tracker_works_alone():
    pipeline = external(None)
    for index in range(FRAMES):
        scene = pipeline.step(frame(index))
    assert len(scene.tracks) == 1
    assert pipeline.device_report() == {"refiner": "off"}


def test_reset_forgets_and_options_change_between_frames(prior):
    pipeline = external(prior)
    for index in range(FRAMES):
        pipeline.step(frame(index))
    pipeline.reconfigure(load_config(None, {"network.enabled": "false", "tracking.min_score": "0.95"}))
    pipeline._external = {stamp(FRAMES): (van(FRAMES),)}
    (track,) = pipeline.step(frame(FRAMES)).tracks
    assert track.state == "coasting", "its measurement scores 0.9, too little now"
    pipeline.reset()
    assert pipeline.step(frame(FRAMES + 1)).tracks == ()


def test_time_that_runs_backwards_forgets_all_tracks(prior):
    pipeline = external(prior)
    for index in range(FRAMES):
        scene = pipeline.step(frame(index))
    assert len(scene.tracks) == 1
    assert pipeline.step(frame(0)).tracks == ()


def test_a_camera_lost_for_three_seconds_costs_no_identity(prior):
    parked = replace(van(), velocity=np.zeros(2))
    seen = [*range(10), *range(40, 50)]
    pipeline = external(prior)
    pipeline._external = {stamp(index): (parked,) for index in seen}
    lives, states = set(), {}
    for index in range(50):
        lost = index not in seen
        scene = pipeline.step(frame(index, ("rear",) if lost else ("front", "rear")))
        lives |= {track.track_id for track in scene.tracks}
        states[index] = [track.state for track in scene.tracks]
    assert len(lives) == 1
    assert states[39] == ["coasting"], "nobody could have seen it, so it is kept"
    assert states[45] == ["confirmed"]


def test_detector_none_and_network_off_say_nothing():
    config = load_config(None, {"network.enabled": "false", "refine.prior": ""})
    assert Pipeline.from_config(config).step(frame()).detections == ()
    assert Pipeline(config, None, None, {stamp(0): (van(),)}, "none").step(frame()).detections == ()


def test_an_unknown_source_of_detections_is_refused():
    with pytest.raises(AirsideError, match="detector: expected one of network, external, none, got 'magic'"):
        Pipeline(load_config(), None, None, detector="magic")
