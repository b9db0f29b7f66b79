"""The lifecycle node on real rclpy, with a stand-in pipeline: states, inputs, outputs, faults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from live import PERIOD_NS, LiveSetup, info_message, odometry_message, raw_message
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from ros_scenes import STAMP_NS
from visualization_msgs.msg import Marker

from airside_perception import explain

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]
SUCCESS = TransitionCallbackReturn.SUCCESS


@pytest.fixture
def setup(middleware, tmp_path):
    created = []

    def make(**options):
        created.append(LiveSetup(tmp_path, **options))
        return created[-1]

    yield make
    for live in created:
        live.close()


@pytest.fixture
def active(setup):
    live = setup()
    assert live.node.trigger_configure() == SUCCESS
    assert live.node.trigger_activate() == SUCCESS
    live.connect()
    return live


def test_images_become_every_output_with_the_stamp_of_the_frame(active):
    heard = active.listener.received
    active.frames_until(lambda: len(heard["tracks/markers"]) >= 3 and heard["explanations/front/compressed"])
    sent = {STAMP_NS + index * PERIOD_NS for index in range(400)}
    for topic in ("occupancy/voxels", "occupancy/unobserved", "occupancy/grid", "explanations/front/compressed"):
        assert heard[topic], topic
        assert set(active.listener.stamps(topic)) <= sent
    box = next(marker for marker in heard["tracks/markers"][-1].markers if marker.ns == "box")
    stamp_ns = box.header.stamp.sec * 10**9 + box.header.stamp.nanosec
    assert box.header.frame_id == "odom"
    assert box.pose.position.x == pytest.approx(10.0 + (stamp_ns - STAMP_NS) / 1e9)
    assert heard["occupancy/voxels"][-1].width == 14
    assert heard["explanations/front/compressed"][-1].header.frame_id == "front_optical_frame"
    assert "gse-1" in heard["explanations/tracks"][-1].data


def test_frames_hold_the_pixels_and_the_pose_that_were_sent(active):
    active.frames_until(lambda: active.pipelines[-1].frames, shade=137)
    frame = active.pipelines[-1].frames[-1]
    assert set(frame.images) == {"front", "rear"}
    assert (frame.images["front"].image == 137).all()
    assert frame.frame_id == "odom"
    np.testing.assert_allclose(frame.odom_from_base, np.eye(4))


def test_compressed_images_are_found_and_decoded(setup):
    live = setup(compressed=("rear",))
    live.node.trigger_configure()
    live.node.trigger_activate()
    live.connect()
    live.frames_until(lambda: any(len(frame.images) == 2 for frame in live.pipelines[-1].frames), shade=200)
    frame = next(frame for frame in live.pipelines[-1].frames if len(frame.images) == 2)
    assert np.abs(frame.images["rear"].image.astype(int) - 200).max() <= 3


def test_remapped_topics_are_found(setup):
    live = setup(remaps=("/camera/front/image_raw:=/camera/rear/image_raw",))
    live.node.trigger_configure()
    live.node.trigger_activate()
    live.wait(lambda: live.driver.images["rear"].get_subscription_count() == 2)
    assert live.driver.images["front"].get_subscription_count() == 0


def test_diagnostics_tell_rates_latencies_and_device(active):
    active.frames_until(lambda: active.status("frames")[0] < 2 and active.figures("camera front"))
    assert int(active.figures("camera front")["received"]) >= 1
    frames = active.figures("frames")
    assert frames["frame_p50_ms"] == "5.00"
    assert {"decode_p95_ms", "publish_p95_ms", "total_p95_ms", "network_p50_ms"} <= set(frames)
    assert active.figures("device") == {"engine": "stand-in", "device": "cpu"}


def test_a_corrupt_image_is_counted_and_the_other_cameras_go_on(active):
    active.frames_until(lambda: active.pipelines[-1].frames)
    stamp_ns = active.driver.next_stamp()
    broken = active.driver.image("rear", stamp_ns)
    del broken.data[100:]
    before = len(active.pipelines[-1].frames)
    active.driver.odometry.publish(odometry_message(stamp_ns))
    active.driver.images["front"].publish(active.driver.image("front", stamp_ns))
    active.driver.images["rear"].publish(broken)
    active.wait(lambda: len(active.pipelines[-1].frames) > before)
    assert active.pipelines[-1].frames[-1].missing == ("rear",)
    active.wait(lambda: active.figures("camera rear").get("corrupt") == "1")


@pytest.mark.parametrize(
    ("encoding", "size", "fault"), [("no_such_encoding", (40, 64), "wrong_encoding"), ("rgb8", (20, 32), "wrong_size")]
)
def test_wrong_encoding_and_wrong_size_are_counted(active, encoding, size, fault):
    active.frames_until(lambda: active.pipelines[-1].frames)
    stamp_ns = active.driver.next_stamp()
    wrong = raw_message(np.zeros((*size, 3), np.uint8), stamp_ns, "rear_optical_frame")
    wrong.encoding = encoding
    active.driver.odometry.publish(odometry_message(stamp_ns))
    active.driver.images["front"].publish(active.driver.image("front", stamp_ns))
    active.driver.images["rear"].publish(wrong)
    active.wait(lambda: active.figures("camera rear").get(fault) == "1")
    active.frames_until(lambda: not active.pipelines[-1].frames[-1].missing)


def test_a_missing_camera_is_an_error_in_diagnostics_but_frames_go_on(active):
    active.frames_until(lambda: active.pipelines[-1].frames)
    active.frames_until(lambda: active.status("camera rear")[0] == 2, cameras=("front",))
    assert active.status("summary")[0] == 2
    assert active.pipelines[-1].frames[-1].missing == ("rear",)


def test_a_worker_exception_is_reported_and_survived(active):
    active.frames_until(lambda: active.pipelines[-1].frames)
    before = len(active.pipelines[-1].frames)
    active.pipelines[-1].fail_next = True
    active.frames_until(lambda: len(active.pipelines[-1].frames) > before + 1)
    active.wait(lambda: active.figures("frames").get("frames_failed") == "1")
    assert "engine ran out of memory" in active.figures("frames")["last_error"]


def test_time_that_jumps_back_resets_the_tracks_and_clears_the_display(active):
    active.driver.index = 1000
    active.frames_until(lambda: len(active.pipelines[-1].frames) > 2)
    resets = active.pipelines[-1].resets
    active.driver.index = 0
    active.frames_until(lambda: active.pipelines[-1].resets > resets)
    markers = active.listener.received["tracks/markers"]
    active.wait(lambda: any(m.action == Marker.DELETEALL for array in markers for m in array.markers))
    active.wait(lambda: active.figures("frames").get("time_jumps") == "1")


def test_invalid_odometry_is_counted_and_not_used(active):
    active.frames_until(lambda: active.pipelines[-1].frames)
    active.driver.odometry.publish(odometry_message(active.driver.next_stamp(), x=float("nan")))
    active.wait(lambda: active.figures("odometry").get("invalid") == "1")
    assert all(np.isfinite(frame.odom_from_base).all() for frame in active.pipelines[-1].frames)


def test_new_calibration_enters_the_next_frames_and_uncalibrated_is_ignored(active):
    active.frames_until(lambda: active.pipelines[-1].frames)
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
    frames = active.pipelines[-1].frames
    active.frames_until(lambda: frames[-1].images["front"].camera.intrinsics[0, 0] == 45.0)
    np.testing.assert_allclose(frames[-1].images["front"].camera.base_from_camera, front.base_from_camera)
    assert len(active.pipelines) == 1


def test_configure_without_its_rig_fails_with_the_reason(setup, tmp_path):
    live = setup(**{"rig.file": str(tmp_path / "nowhere.yaml")})
    assert live.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "rig.file" in live.node.failure
    assert "nowhere.yaml" in live.node.failure
    live.wait(lambda: live.status("summary")[0] == 2)
    assert "nowhere.yaml" in live.status("summary")[1]
    live.node.set_parameters([Parameter("rig.file", value=str(tmp_path / "rig.yaml"))])
    assert live.node.trigger_configure() == SUCCESS


def test_unknown_camera_is_named(setup):
    live = setup(**{"rig.cameras": ["front", "roof"]})
    assert live.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "roof" in live.node.failure


def test_the_whole_lifecycle_twice(setup):
    live = setup()
    for round_number in (1, 2):
        assert live.node.trigger_configure() == SUCCESS
        assert live.node.trigger_activate() == SUCCESS
        live.connect()
        live.frames_until(lambda: live.pipelines[-1].frames)
        assert live.node.trigger_deactivate() == SUCCESS
        assert live.driver.odometry.get_subscription_count() == 0 or live.wait(
            lambda: live.driver.odometry.get_subscription_count() == 0
        )
        assert live.node.trigger_cleanup() == SUCCESS
        assert len(live.pipelines) == round_number


def test_options_are_frozen_while_configured_except_the_reconfigurable(active):
    fixed = active.node.set_parameters([Parameter("sync.max_dt_s", value=0.01)])[0]
    assert not fixed.successful
    live = active.node.set_parameters([Parameter("refine.iterations", value=2)])[0]
    assert live.successful
    active.frames_until(lambda: active.pipelines[-1].config.refine.iterations == 2)


def test_overlays_are_rendered_only_while_watched(active, monkeypatch):
    drawn = []
    original = explain.draw_overlay

    def counting(scene, camera, *rest):
        drawn.append(camera)
        return original(scene, camera, *rest)

    monkeypatch.setattr(explain, "draw_overlay", counting)
    active.frames_until(lambda: len(drawn) > 2)
    assert set(drawn) == {"front"}


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
