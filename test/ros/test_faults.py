"""Faults of inputs, clock, worker and peers on the real middleware: what comes out, and what diagnostics say."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
import rclpy
from live import LiveSetup, odometry_message
from rclpy.parameter import Parameter
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, PointCloud2
from visualization_msgs.msg import Marker

from airside_perception.ros.messages import image_message, time_message

pytestmark = pytest.mark.ros

OK, WARN, ERROR, STALE = range(4)


@pytest.fixture
def running(active) -> LiveSetup:
    """The shared node, some frames later, all well."""
    active.frames_until(lambda: active.status("summary")[0] == OK and not active.pipeline.frames[-1].missing)
    return active


def well_again(live: LiveSetup) -> None:
    """Frames are complete again, and diagnostics say so."""
    live.frames_until(lambda: live.status("summary")[0] == OK and not live.pipeline.frames[-1].missing)


def cleared(live: LiveSetup) -> bool:
    """Somebody was told to take all markers down."""
    arrays = live.listener.received["tracks/markers"]
    return any(marker.action == Marker.DELETEALL for array in arrays for marker in array.markers)


def test_camera_unplugged_and_back(running):
    running.frames_until(lambda: running.status("camera rear")[0] == ERROR, without=("rear",))
    assert running.status("summary")[0] == ERROR
    assert "camera rear: silent for" in running.status("summary")[1]
    assert running.pipeline.frames[-1].missing == ("rear",)
    assert running.listener.received["occupancy/grid"]
    well_again(running)


def test_camera_that_never_came_is_an_error_too(active):
    active.frames_until(lambda: active.status("camera rear")[0] == ERROR, without=("rear",))
    assert "nothing received for" in active.status("camera rear")[1]
    assert active.pipeline.frames[-1].missing == ("rear",)


def test_half_written_jpeg(running):
    def half(stamp_ns: int) -> CompressedImage:
        message = running.driver.image("rear", stamp_ns)
        del message.data[len(message.data) // 2 :]
        return message

    running.frames_until(lambda: running.status("camera rear")[0] == WARN, replaced=("rear", half))
    assert "truncated JPEG" in running.status("camera rear")[1]
    assert int(running.figures("camera rear")["corrupt"]) >= 1
    assert running.pipeline.frames[-1].missing == ("rear",)
    well_again(running)


@pytest.mark.parametrize(
    ("encoding", "size", "fault"),
    [
        ("no_such_encoding", (40, 64), "wrong_encoding"),
        ("rgb8", (20, 32), "wrong_size"),
        ("rgb16", (40, 64), "corrupt"),
    ],
)
def test_wrong_encoding_wrong_size_and_too_few_bytes(running, encoding, size, fault):
    def wrong(stamp_ns: int):
        message = image_message(np.zeros((*size, 3), np.uint8), stamp_ns, "side_1_optical_frame")
        message.encoding = encoding
        return message

    running.frames_until(lambda: running.status("camera side_1")[0] == WARN, replaced=("side_1", wrong))
    assert int(running.figures("camera side_1")[fault]) >= 1
    assert running.pipeline.frames[-1].missing == ("side_1",)
    well_again(running)


def test_camera_info_that_never_comes_is_made_up_for_by_the_rig_file(running):
    assert all(publisher.get_subscription_count() for publisher in running.driver.infos.values())
    image = running.pipeline.frames[-1].images["front"]
    np.testing.assert_allclose(image.camera.intrinsics, running.rig.cameras["front"].intrinsics)


def test_odometry_gap(running):
    running.frames_until(lambda: running.status("odometry")[0] == ERROR, x=None)
    assert int(running.figures("frames")["sync_without_odometry"]) > 0
    processed = len(running.pipeline.frames)
    well_again(running)
    assert len(running.pipeline.frames) > processed


@pytest.mark.parametrize("field", ["position", "twist"])
def test_odometry_that_is_no_number(running, field):
    message = odometry_message(running.driver.next_stamp())
    if field == "position":
        message.pose.pose.position.x = float("nan")
    else:
        message.twist.twist.angular.z = float("inf")
    running.driver.odometry.publish(message)
    running.wait(lambda: running.figures("odometry").get("invalid") == "1")
    assert running.status("odometry")[0] == WARN
    well_again(running)
    assert all(np.isfinite(frame.odom_from_base).all() for frame in running.pipeline.frames)


def test_odometry_jump_forgets_the_tracks(running):
    resets = running.pipeline.resets
    running.frames_until(lambda: running.pipeline.resets > resets, x=80.0)
    running.wait(lambda: running.figures("odometry").get("jumps") == "1")
    assert "the pose moved 80.0 m" in running.figures("odometry")["last_fault"]
    running.wait(lambda: cleared(running))
    running.frames_until(lambda: running.status("summary")[0] == OK, x=80.0)
    assert running.pipeline.resets == resets + 1


def test_time_backwards_and_the_loop_of_a_bag(running):
    resets, first = running.pipeline.resets, running.driver.index
    running.frames_until(lambda: running.driver.index > first + 10)
    running.driver.index = first
    running.frames_until(lambda: running.pipeline.resets > resets)
    running.wait(lambda: cleared(running))
    running.wait(lambda: running.figures("frames").get("tracker_resets") == "1")
    before = len(running.pipeline.frames)
    running.frames_until(lambda: len(running.pipeline.frames) > before + 5)
    assert running.pipeline.resets == resets + 1
    running.driver.index += 20


def test_paused_clock(running):
    clock = running.peer.create_publisher(Clock, "/clock", 10)
    try:
        running.node.set_parameters([Parameter("use_sim_time", value=True)])
        running.wait(clock.get_subscription_count)
        running.wait(lambda: clock.publish(Clock(clock=time_message(5_000_000_000))) or running.node_time_s() == 5.0)
        running.listener.forget()
        running.wait(lambda: running.status("camera front")[0] == ERROR)
        running.wait(lambda: len(running.listener.received["diagnostics"]) > 2)
        stamps = {status.stamp.sec for status in (a.header for a in running.listener.received["diagnostics"])}
        assert stamps == {5}, "diagnostics go on while time stands still"
        well_again(running)
    finally:
        running.node.set_parameters([Parameter("use_sim_time", value=False)])
        running.peer.destroy_publisher(clock)


def test_three_times_the_rate_that_the_worker_can_take(running):
    running.pipeline.delay_s = 0.4
    running.frames_until(lambda: int(running.figures("frames").get("frames_dropped", 0)) >= 5)
    running.frames_until(lambda: running.status("frames")[0] == WARN)
    assert "exceeds the frame period" in running.status("frames")[1]
    running.pipeline.delay_s = 0.0
    last = running.driver.send_frame()
    running.wait(lambda: running.pipeline.frames[-1].stamp_ns == last)
    running.wait(lambda: accounted(running.figures("frames")))


def accounted(figures: dict[str, str]) -> bool:
    """Every frame was processed or counted as dropped."""
    return int(figures["processed"]) + int(figures["frames_dropped"]) == int(figures["sync_sets"])


def test_one_camera_of_six_comes_300_ms_late(running):
    late: list[int] = []

    def delayed(stamp_ns: int):
        late.append(stamp_ns)
        return running.driver.image("side_2", late[max(len(late) - 2, 0)])

    running.frames_until(lambda: running.status("camera side_2")[0] == WARN, replaced=("side_2", delayed))
    assert "too late for" in running.status("camera side_2")[1]
    assert int(running.figures("camera side_2")["dropped"]) > 0
    assert running.pipeline.frames[-1].missing == ("side_2",)
    well_again(running)


def test_a_subscriber_that_never_reads(running):
    sleeper = rclpy.create_node("sleeper")
    qos = QoSProfile(history=QoSHistoryPolicy.KEEP_ALL, depth=1, reliability=QoSReliabilityPolicy.RELIABLE)
    sleeper.create_subscription(PointCloud2, f"{running.prefix}/occupancy/voxels", lambda _: None, qos)
    before = len(running.pipeline.frames)
    running.frames_until(lambda: len(running.pipeline.frames) > before + 30)
    assert running.status("summary")[0] == OK
    sleeper.destroy_node()


@pytest.mark.parametrize("failure", [RuntimeError("lost the device"), MemoryError("engine ran out of memory")])
def test_worker_exception_and_engine_out_of_memory(running, failure):
    before = len(running.pipeline.frames)
    running.pipeline.failure = failure
    running.frames_until(lambda: len(running.pipeline.frames) > before + 1)
    running.wait(lambda: running.figures("frames").get("frames_failed") == "1")
    assert str(failure) in running.figures("frames")["last_error"]
    well_again(running)


def test_a_stage_that_fails_inside_the_pipeline_is_warned_of(running):
    running.pipeline.counts["network_failures"] += 1
    running.frames_until(lambda: running.status("frames")[0] == WARN)
    assert "network_failures" in running.status("frames")[1]
    well_again(running)


def test_a_frame_that_never_ends_is_an_error(running):
    running.pipeline.go_on.clear()
    running.frames_until(lambda: running.status("frames")[0] == ERROR)
    assert "a frame has been in work for" in running.status("frames")[1]
    running.pipeline.go_on.set()
    well_again(running)


def test_two_instances_in_two_namespaces(running, tmp_path):
    second = LiveSetup(tmp_path, ("rear",), rig=running.rig, namespace="second_vehicle")
    try:
        second.activate()

        def second_is_well() -> bool:
            for _ in range(2 * len(second.rig.names)):
                second.spin()
            return bool(second.listener.received["occupancy/grid"]) and second.status("summary")[0] == OK

        running.frames_until(second_is_well)
        assert running.status("summary")[0] == OK
        assert second.status("device")[2] == {"engine": "stand-in", "device": "cpu"}
        second.node.trigger_deactivate()
        before = len(running.pipeline.frames)
        running.frames_until(lambda: len(running.pipeline.frames) > before + 2)
    finally:
        second.close()
