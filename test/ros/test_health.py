"""Counters and level rules of the diagnostics."""

from __future__ import annotations

import pytest

from airside_perception.ros.health import HealthRules, NodeHealth, StageLatencies
from airside_perception.ros.status import Level
from airside_perception.ros.stream_health import StreamHealth

PERIOD_NS = 100_000_000


def feed(health: NodeHealth, seconds: float, rate_hz: float = 10.0) -> float:
    """All streams arrive for a while; returns the time of the last arrival."""
    now = 0.0
    for step in range(int(seconds * rate_hz)):
        now = step / rate_hz
        for camera in health.cameras:
            health.image_arrived(camera, now)
        health.odometry_arrived(now)
        health.frame_ready(step * PERIOD_NS)
        health.frame_done({"frame": 50.0, "network": 30.0})
    return now


def level_of(health: NodeHealth, name: str, now: float) -> Level:
    return next(status.level for status in health.report(now) if status.name == name)


def test_nothing_received_is_stale():
    health = NodeHealth(["front"])
    assert level_of(health, "camera front", 0.0) == Level.STALE
    assert level_of(health, "summary", 0.0) == Level.STALE


def test_all_well_reports_rates_and_latencies():
    health = NodeHealth(["front", "rear"])
    now = feed(health, 2.0)
    report = {status.name: status for status in health.report(now)}
    assert report["summary"].level == Level.OK
    assert report["summary"].message == "all well"
    assert float(report["camera front"].values["rate_hz"]) == pytest.approx(10.0)
    assert report["frames"].values["frame_p95_ms"] == "50.00"
    assert report["frames"].values["network_p50_ms"] == "30.00"
    assert float(report["frames"].values["period_ms"]) == pytest.approx(100.0)


def test_a_silent_camera_is_an_error_of_the_node():
    health = NodeHealth(["front", "rear"], rules=HealthRules(timeout_s=1.0))
    now = feed(health, 2.0)
    for step in range(1, 16):
        health.image_arrived("front", now + 0.1 * step)
        health.odometry_arrived(now + 0.1 * step)
    assert level_of(health, "camera front", now + 1.5) == Level.OK
    assert level_of(health, "camera rear", now + 1.5) == Level.ERROR
    summary = health.report(now + 1.5)[0]
    assert summary.level == Level.ERROR
    assert "camera rear: silent for 1.5 s" in summary.message


def test_unusable_images_warn_once_and_stay_counted():
    health = NodeHealth(["front"])
    now = feed(health, 1.0)
    health.image_failed("front", "corrupt", "JPEG cut short")
    health.image_failed("front", "wrong_size", "expected 64x40, got 32x20")
    first = next(s for s in health.report(now) if s.name == "camera front")
    assert first.level == Level.WARN
    assert "2 unusable" in first.message
    assert (first.values["corrupt"], first.values["wrong_size"]) == ("1", "1")
    second = next(s for s in health.report(now) if s.name == "camera front")
    assert second.level == Level.OK
    assert second.values["corrupt"] == "1"


def test_slower_than_the_cameras_is_a_warning():
    health = NodeHealth(["front"])
    now = feed(health, 1.0)
    for _ in range(100):
        health.frame_done({"frame": 150.0})
    status = next(s for s in health.report(now) if s.name == "frames")
    assert status.level == Level.WARN
    assert "p95 150 ms exceeds the frame period 100 ms" in status.message


def test_a_failed_frame_is_an_error_until_the_next_good_one():
    health = NodeHealth(["front"])
    now = feed(health, 1.0)
    health.frame_failed("RuntimeError: out of memory")
    assert level_of(health, "frames", now) == Level.ERROR
    health.frame_done({"frame": 50.0})
    status = next(s for s in health.report(now) if s.name == "frames")
    assert status.level == Level.OK
    assert status.values["frames_failed"] == "1"
    assert "out of memory" in status.values["last_error"]


def test_failures_inside_the_pipeline_are_warned_of_once():
    health = NodeHealth(["front"])
    now = feed(health, 1.0)
    health.observe_pipeline({"network_failures": 2, "refine_failures": 0})
    status = next(s for s in health.report(now) if s.name == "frames")
    assert status.level == Level.WARN
    assert "network_failures" in status.message
    assert status.values["network_failures"] == "2"
    assert level_of(health, "frames", now) == Level.OK


def test_percentiles_are_those_of_the_window():
    latencies = StageLatencies(window=100)
    for value in [1000.0] * 50 + list(range(1, 101)):
        latencies.add({"frame": value})
    assert latencies.percentiles()["frame"] == pytest.approx((50.5, 95.05))


def test_rate_needs_two_arrivals():
    stream = StreamHealth()
    assert stream.rate_hz() == 0.0
    assert stream.age_s(1.0) is None
    stream.arrived(1.0)
    assert stream.rate_hz() == 0.0
    assert stream.age_s(1.5) == pytest.approx(0.5)


def test_diagnostic_array_names_levels_and_values():
    pytest.importorskip("diagnostic_msgs", reason="ROS messages are not installed (extra `ros`)")
    from airside_perception.ros.diagnostics import diagnostic_array

    health = NodeHealth(["front"])
    now = feed(health, 1.0)
    message = diagnostic_array(health.report(now), 5_000_000_001, "airside_perception/tracking")
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 1)
    assert message.status[0].name == "airside_perception/tracking: summary"
    assert message.status[0].level == b"\x00"
    camera = next(s for s in message.status if s.name.endswith("camera front"))
    assert {item.key: item.value for item in camera.values}["received"] == "10"
