"""The lifecycle node on real rclpy, with a stand-in pipeline: states, inputs, outputs, options."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from live import PERIOD_NS, LiveSetup, info_message
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from ros_scenes import STAMP_NS

from airside_perception import explain
from airside_perception.ros import session
from airside_perception.ros.latency_topics import STAGES
from airside_perception.ros.live_image import LiveImage

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
SUCCESS, FAILURE, ERROR = (getattr(TransitionCallbackReturn, name) for name in ("SUCCESS", "FAILURE", "ERROR"))


@pytest.fixture
def setup(middleware, tmp_path):
    created = []

    def make(**options):
        created.append(LiveSetup(tmp_path, **options))
        return created[-1]

    yield make
    for live in created:
        live.close()


def test_images_become_every_output_with_the_stamp_of_the_frame(active):
    heard = active.listener.received
    topics = ("occupancy/voxels", "occupancy/unobserved", "occupancy/grid", "explanations/tracks", "latency/total")
    active.frames_until(lambda: all(heard[topic] for topic in topics) and len(heard["tracks/markers"]) >= 3)
    sent = {STAMP_NS + index * PERIOD_NS for index in range(active.driver.index)}
    for topic in ("occupancy/voxels", "occupancy/unobserved", "occupancy/grid"):
        assert set(active.listener.stamps(topic)) <= sent
    box = next(marker for marker in heard["tracks/markers"][-1].markers if marker.ns == "box")
    stamp_ns = box.header.stamp.sec * 10**9 + box.header.stamp.nanosec
    assert box.header.frame_id == "odom"
    assert box.pose.position.x == pytest.approx(10.0 + (stamp_ns - STAMP_NS) / 1e9)
    assert heard["occupancy/voxels"][-1].width == 14
    assert "gse-1" in heard["explanations/tracks"][-1].data
    assert heard["latency/total"][-1].data > 0.0


def test_frames_hold_the_pixels_and_the_pose_that_were_sent(active):
    active.frames_until(lambda: any(not frame.missing for frame in active.pipeline.frames), shade=137)
    frame = next(frame for frame in active.pipeline.frames if not frame.missing)
    assert set(frame.images) == set(active.rig.names)
    assert (frame.images["front"].image == 137).all()
    assert np.abs(frame.images["rear"].image.astype(int) - 137).max() <= 3, "compressed images are found and decoded"
    assert frame.frame_id == "odom"
    np.testing.assert_allclose(frame.odom_from_base, np.eye(4))


def test_remapped_topics_are_found(setup):
    live = setup(remaps=("/camera/front/image_raw:=/camera/rear/image_raw",))
    live.node.trigger_configure()
    live.node.trigger_activate()
    live.wait(lambda: live.driver.images["rear"].get_subscription_count() == 2)
    assert live.driver.images["front"].get_subscription_count() == 0


def test_diagnostics_tell_rates_latencies_queue_and_device(active):
    active.frames_until(lambda: active.status("frames")[0] < 2 and active.figures("camera front"))
    assert int(active.figures("camera front")["received"]) >= 1
    frames = active.figures("frames")
    assert frames["frame_p50_ms"] == "5.00"
    assert {"decode_p95_ms", "publish_p95_ms", "total_p95_ms", "network_p50_ms", "queue", "in_work_s"} <= set(frames)
    assert active.figures("device") == {"engine": "stand-in", "device": "cpu"}


def test_every_stage_has_a_latency_topic(active):
    wanted = {f"{active.prefix}/latency/{stage}" for stage in STAGES}
    # The graph learns of topics a little after they exist.
    active.wait(lambda: wanted <= dict(active.node.get_publisher_names_and_types_by_node("tracking", "/ring")).keys())


def test_new_calibration_enters_the_next_frames_and_uncalibrated_is_ignored(active):
    active.frames_until(lambda: active.pipeline.frames)
    front = active.rig.cameras["front"]
    uncalibrated = info_message(front, STAMP_NS)
    uncalibrated.k[0] = 0.0
    active.driver.infos["front"].publish(uncalibrated)
    active.driver.infos["front"].publish(info_message(front, STAMP_NS))
    active.wait(lambda: active.figures("frames").get("camera_info_ignored") == "1")
    assert "calibration_changes" not in active.figures("frames")
    zoomed = info_message(front, STAMP_NS)
    zoomed.k[0] = zoomed.k[4] = 45.0
    active.driver.infos["front"].publish(zoomed)
    frames = active.pipeline.frames
    active.frames_until(lambda: frames[-1].images["front"].camera.intrinsics[0, 0] == 45.0)
    np.testing.assert_allclose(frames[-1].images["front"].camera.base_from_camera, front.base_from_camera)
    assert len(active.pipelines) == 1
    active.driver.infos["front"].publish(info_message(front, STAMP_NS))
    active.wait(lambda: active.figures("frames").get("calibration_changes") == "2")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rig.cameras": ["front", "roof"]}, "roof"),
        ({"sync.anchor": "roof"}, "sync.anchor: expected one of the cameras front, rear"),
        ({"ros.image_topic": "/camera/image"}, "put {camera} into them"),
        ({"ros.odometry_topic": "/odom et"}, "ros.odometry_topic"),
        ({"ros.required_cameras": ["roof"]}, "ros.required_cameras: expected cameras of the rig (front, rear)"),
        ({"sync.policy": "message_filters"}, "sync.policy"),
        ({"ros.odometry_source": "tf"}, "ros.odometry_source: 'tf' needs tf2_ros"),
    ],
)
def test_what_makes_no_sense_is_refused_when_configured(setup, options, reason):
    live = setup(**options)
    assert live.node.trigger_configure() == FAILURE
    assert reason in live.node.failure
    assert live.pipelines == [], "refused before the models are loaded"


def test_a_node_that_was_mended_can_be_configured(setup, tmp_path):
    live = setup(**{"rig.file": str(tmp_path / "nowhere.yaml")})
    assert live.node.trigger_configure() == FAILURE
    assert "rig.file" in live.node.failure
    live.wait(lambda: live.status("summary")[0] == 2)
    assert "nowhere.yaml" in live.status("summary")[1]
    assert live.node.set_parameters([Parameter("rig.file", value=str(tmp_path / "rig.yaml"))])[0].successful
    assert live.node.trigger_configure() == SUCCESS


def live_images() -> list[LiveImage]:
    return [thing for thing in gc.get_objects() if type(thing) is LiveImage]


def test_deactivating_unsubscribes_and_frees_what_waited(active):
    others = {id(image) for image in live_images()}  # whatever tests before this one still hold
    active.pipeline.go_on.clear()
    active.frames_until(lambda: active.figures("frames").get("queue") == "1")
    waiting = [weakref.ref(image) for image in live_images() if id(image) not in others]
    assert waiting
    active.pipeline.go_on.set()
    assert active.node.trigger_deactivate() == SUCCESS
    active.wait(lambda: not any(publisher.get_subscription_count() for publisher in active.driver.images.values()))
    gc.collect()
    assert not any(image() is not None for image in waiting)


def test_cleaning_up_lets_go_of_the_models_and_the_node_starts_anew(setup):
    live = setup()
    for _ in range(2):
        live.activate()
        live.frames_until(lambda: live.pipeline.frames)
        assert live.node.trigger_deactivate() == SUCCESS
        assert live.node.trigger_cleanup() == SUCCESS
        model = weakref.ref(live.pipelines.pop())
        gc.collect()
        assert model() is None
        topics = dict(live.node.get_publisher_names_and_types_by_node("tracking", "/airside_perception"))
        assert f"{live.prefix}/occupancy/grid" not in topics


def test_a_worker_that_hangs_leads_through_error_processing_to_a_new_start(setup, monkeypatch):
    monkeypatch.setattr(session, "_STOP_TIMEOUT_S", 0.1)
    live = setup()
    live.activate()
    hanging = live.pipeline
    hanging.go_on.clear()
    live.frames_until(lambda: live.figures("frames").get("queue") == "1")
    assert live.node.trigger_deactivate() == ERROR
    assert live.node.state == "unconfigured"
    assert "did not end" in live.node.failure
    live.wait(lambda: "deactivate failed" in live.status("summary")[1])
    live.activate()
    live.frames_until(lambda: live.pipeline.frames)
    assert live.pipeline is not hanging
    hanging.go_on.set()


def test_an_exception_while_activating_is_told_and_recovered_from(setup, monkeypatch):
    live = setup()
    assert live.node.trigger_configure() == SUCCESS
    with monkeypatch.context() as broken:
        broken.setattr(live.pipeline, "reset", None)
        assert live.node.trigger_activate() == ERROR
    assert live.node.state == "unconfigured"
    assert "activate failed: TypeError" in live.node.failure
    live.activate()
    live.frames_until(lambda: live.pipeline.frames)


def test_options_are_frozen_while_configured_except_the_reconfigurable(active):
    fixed = active.node.set_parameters([Parameter("sync.max_dt_s", value=0.01)])[0]
    assert not fixed.successful
    changes = {"refine.iterations": 2, "tracking.person.gate_m": 1.5, "refine.max_range_m": 30.0}
    for name, value in changes.items():
        assert active.node.set_parameters([Parameter(name, value=value)])[0].successful
    active.frames_until(lambda: active.pipeline.config.refine.max_range_m == 30.0)
    assert active.pipeline.config.refine.iterations == 2
    assert active.pipeline.config.tracking.person.gate_m == 1.5


def test_overlays_are_rendered_only_while_watched(active, monkeypatch):
    from airside_perception.explain.overlay import draw_overlay as original

    drawn = []
    subscription = active.listener.watch_overlay("front")

    def counting(scene, camera, *rest):
        drawn.append(camera)
        return original(scene, camera, *rest)

    monkeypatch.setattr(explain, "draw_overlay", counting, raising=False)
    active.frames_until(lambda: len(drawn) > 2 and active.listener.received["explanations/front/compressed"])
    assert set(drawn) == {"front"}
    overlay = active.listener.received["explanations/front/compressed"][-1]
    assert overlay.header.frame_id == "front_optical_frame"
    active.peer.destroy_subscription(subscription)
    active.wait(lambda: not active.node.count_subscribers(f"{active.prefix}/explanations/front/compressed"))
    before, frames = len(drawn), len(active.pipeline.frames)
    active.frames_until(lambda: len(active.pipeline.frames) > frames + 3)
    assert len(drawn) <= before + 1, "a frame in work may still have been drawn"


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("rig.file:=/no/such/rig.yaml", "rig file (rig.file): expected a file, found none at /no/such/rig.yaml"),
        ("refine.iteration:=4", "did you mean 'refine.iterations'?"),
    ],
)
def test_a_node_that_cannot_start_itself_ends_with_one_line(parameter, reason):
    arguments = ["--ros-args", "-p", "ros.autostart:=true", "-p", parameter]
    command = [sys.executable, "-m", "airside_perception.ros.tracking_node", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("tracking_node: error: ")]
    assert reason in line
    assert "Traceback" not in ended.stderr
