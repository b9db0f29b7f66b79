"""`airside doctor --live` beside a vehicle that runs."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from live import Driver, info_message
from ros_scenes import make_rig

from airside_perception.config import load_config
from airside_perception.ros.live_topics import examine_live

pytestmark = pytest.mark.ros


@pytest.fixture
def vehicle(middleware):
    """Cameras and odometry at about 20 Hz, from a thread of its own, stamped with the present; "rear" in JPEG."""
    node = middleware.create_node("vehicle")
    driver = Driver(node, make_rig(), compressed=("rear",))
    driver.next_stamp = lambda: node.get_clock().now().nanoseconds
    stopping = threading.Event()

    def drive() -> None:
        while not stopping.wait(0.05):
            stamp_ns = driver.send_frame()
            for name, camera in driver.rig.cameras.items():
                driver.infos[name].publish(info_message(camera, stamp_ns))

    thread = threading.Thread(target=drive)
    thread.start()
    yield driver
    stopping.set()
    thread.join()
    node.destroy_node()


def by_topic(config):
    return {finding.topic: finding for finding in examine_live(config, 2.0)}


def test_a_healthy_vehicle_is_described(vehicle):
    findings = by_topic(load_config())
    own = ("live front", "live rear", "live odometry")  # discovery may still know cameras of tests before this one
    assert [findings[topic].state for topic in own] == ["ok"] * 3, findings
    assert "/camera/rear/image_raw/compressed: " in findings["live rear"].detail
    assert " Hz" in findings["live odometry"].detail


def test_what_differs_from_the_rig_file_is_told(vehicle, tmp_path):
    rig = make_rig()
    front, rear = rig.cameras["front"], rig.cameras["rear"]
    rig.cameras["front"] = replace(front, intrinsics=front.intrinsics * [[1.3, 1, 1], [1, 1.3, 1], [1, 1, 1]])
    rig.cameras["roof"] = replace(rear, name="roof")
    rig.save(tmp_path / "rig.yaml")
    findings = by_topic(load_config(None, {"rig.file": str(tmp_path / "rig.yaml")}))
    assert findings["live front"].state == "warn"
    assert "camera_info differs from the rig file" in findings["live front"].detail
    assert findings["live roof"].state == "fail"
    assert "nobody publishes /camera/roof/image_raw" in findings["live roof"].detail
    assert findings["live rear"].state == "ok"


def test_a_vehicle_that_is_off_fails_with_what_to_do(middleware):
    findings = by_topic(load_config(None, {"ros.camera_info_topic": "/none/{camera}/camera_info"}))
    assert findings["live cameras"].state == "fail"
    assert "ROS_DOMAIN_ID" in findings["live cameras"].advice
    assert findings["live odometry"].state == "fail"
