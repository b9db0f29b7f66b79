"""The whole chain live: a bag played by one process, tracked by another, heard and checked by this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (extra `ros`)")
from live import Listener, wait_for
from live_bag import GRID, OBJECT_SPEED, LiveCase, object_position
from rclpy.executors import SingleThreadedExecutor
from test_messages import read_cloud
from visualization_msgs.msg import Marker

from airside_perception.bags import BagReader
from airside_perception.config import load_config
from airside_perception.evaluation.results_format import read_detections
from airside_perception.pipeline import Pipeline
from airside_perception.records import SceneEstimate
from airside_perception.sync import Synchronizer, assemble_frame, synchronize

pytestmark = pytest.mark.ros

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def case(live_case) -> LiveCase:
    return live_case


@pytest.fixture(scope="module")
def offline(case) -> dict[int, SceneEstimate]:
    """What the same pipeline says of the same bag without ROS, by stamp."""
    return run_offline(case, set(case.stamps))


def run_offline(case: LiveCase, stamps: set[int]) -> dict[int, SceneEstimate]:
    """Estimates of a fresh pipeline that gets only the frames of these stamps."""
    config = load_config(None, case.options)
    with BagReader(case.bag) as reader:
        rig = reader.rig()
        pipeline = Pipeline.from_config(config, rig, read_detections(case.detections))
        frames = [assemble_frame(s, rig) for s in synchronize(reader.messages(), Synchronizer(rig.names))]
        return {frame.stamp_ns: pipeline.step(frame) for frame in frames if frame.stamp_ns in stamps}


@pytest.fixture(scope="module")
def live(case, middleware) -> Iterator[Listener]:
    """Everything that was heard while the bag played, after it ended."""
    peer = middleware.create_node("live_bag_listener")
    executor = SingleThreadedExecutor()
    executor.add_node(peer)
    listener = Listener(peer, cameras=("front", "rear"))
    node = start_node(case)
    try:
        spin = lambda: executor.spin_once(timeout_sec=0.02)  # noqa: E731
        wait_for(lambda: node.poll() is not None or levels(listener), spin, 30.0)
        assert node.poll() is None, "the node ended early"
        player = run("airside_perception.cli", "replay", str(case.bag), "--rate", "0.7")
        wait_for(lambda: player.poll() is not None, spin, 30.0)
        assert player.returncode == 0
        wait_for(lambda: listener.stamps("occupancy/grid")[-1:] == [case.stamps[-1]], spin, 10.0)
        reports = len(listener.received["diagnostics"])
        wait_for(lambda: len(listener.received["diagnostics"]) > reports + 1, spin, 10.0)
        yield listener
        node.terminate()
        assert node.wait(10) == 0, "SIGTERM ends the node in order"
    finally:
        node.kill()
        executor.shutdown()
        peer.destroy_node()


def run(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT)


def start_node(case: LiveCase) -> subprocess.Popen:
    parameters = {
        **case.options,
        "use_sim_time": True,
        "ros.autostart": True,
        "ros.diagnostics_period_s": 0.2,
        # Every image has to arrive, however busy the machine is.
        "ros.reliability": "reliable",
        "ros.queue_depth": 20,
    }
    flags = [flag for name, value in parameters.items() for flag in ("-p", f"{name}:={as_yaml(value)}")]
    script = str(Path(__file__).with_name("external_detections_node.py"))
    remap = ["-r", "__ns:=/airside_perception"]
    command = [sys.executable, script, str(case.detections), "--ros-args", *remap, *flags]
    return subprocess.Popen(command, cwd=ROOT)


def as_yaml(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def levels(listener: Listener) -> list[int]:
    """Levels of the node's summary once it is active (stale, as nothing plays yet)."""
    arrays = listener.received["diagnostics"]
    return [s.level[0] for array in arrays for s in array.status if s.name.endswith("summary") and s.level[0] == 3]


def by_stamp(listener: Listener, topic: str) -> dict[int, object]:
    return dict(zip(listener.stamps(topic), listener.received[topic], strict=True))


def last_figures(listener: Listener, name: str) -> dict[str, str]:
    """Values of the newest status of that name."""
    full_name = f"airside_perception/tracking: {name}"
    statuses = [s for array in listener.received["diagnostics"] for s in array.status if s.name == full_name]
    return {item.key: item.value for item in statuses[-1].values}


def test_every_frame_of_the_bag_came_through_or_is_counted_as_dropped(live, case):
    heard = set(live.stamps("occupancy/grid"))
    figures = last_figures(live, "frames")
    assert heard <= set(case.stamps)
    assert len(heard) == int(figures["processed"])
    assert len(heard) + int(figures.get("frames_dropped", 0)) == len(case.stamps)
    assert len(heard) > len(case.stamps) / 2


def test_stamps_are_those_of_the_images(live, case):
    for topic in ("occupancy/voxels", "occupancy/unobserved", "occupancy/grid", "explanations/front/compressed"):
        stamps = live.stamps(topic)
        assert stamps, topic
        assert set(stamps) <= set(case.stamps), topic


def test_tracks_follow_the_tractor_in_odom(offline, case):
    states = [state for estimate in offline.values() for state in estimate.tracks]
    assert len({state.track_id for state in states}) == 1, "one object, one identity"
    for stamp_ns, estimate in list(offline.items())[-10:]:
        np.testing.assert_allclose(estimate.tracks[0].box[:3], object_position(stamp_ns), atol=0.15)


def test_markers_are_the_tracks_of_the_frames_that_came_through(live, case):
    # A busy machine drops frames, other ones each time; without ROS the same frames have to give the same tracks.
    estimates = run_offline(case, set(live.stamps("occupancy/grid")))
    boxes = [m for array in live.received["tracks/markers"] for m in array.markers if m.ns == "box"]
    assert len(boxes) >= 5
    assert len({box.id for box in boxes}) == 1, "one object, one identity"
    for box in boxes:
        stamp_ns = box.header.stamp.sec * 10**9 + box.header.stamp.nanosec
        (track,) = estimates[stamp_ns].tracks
        position = [box.pose.position.x, box.pose.position.y, box.pose.position.z]
        assert box.header.frame_id == "odom"
        np.testing.assert_allclose(position, track.box[:3], atol=1e-3)
        np.testing.assert_allclose([box.scale.x, box.scale.y, box.scale.z], [3.5, 1.5, 1.8], atol=0.05)
    arrow = next(m for m in live.received["tracks/markers"][-1].markers if m.ns == "velocity")
    assert arrow.type == Marker.ARROW
    assert arrow.points[1].x - arrow.points[0].x == pytest.approx(OBJECT_SPEED, abs=0.4)


def test_voxels_are_those_of_the_same_pipeline_offline(live, offline):
    compared = 0
    for stamp_ns, cloud in by_stamp(live, "occupancy/voxels").items():
        points = read_cloud(cloud)
        grid = offline[stamp_ns].occupancy
        assert cloud.header.frame_id == "base_link"
        xyz = np.stack([points[name] for name in "xyz"], axis=-1)
        index, inside = GRID.indices(xyz)
        assert inside.all()
        np.testing.assert_allclose(xyz, GRID.centers()[tuple(index.T)], atol=1e-6)
        assert len(points) == np.count_nonzero(grid.class_id)
        np.testing.assert_array_equal(points["class_id"], grid.class_id[tuple(index.T)])
        np.testing.assert_allclose(points["probability"], grid.probability[tuple(index.T)], atol=1e-4)
        assert set(np.unique(points["visibility"])) <= {0, 1, 2}
        compared += len(points)
    assert compared > 1000


def test_planner_grid_has_the_rows_and_values_of_the_voxels(live, offline):
    for stamp_ns, message in by_stamp(live, "occupancy/grid").items():
        cells = np.asarray(message.data, np.int8).reshape(message.info.height, message.info.width)
        assert (message.info.width, message.info.height, message.info.resolution) == (16, 16, 1.0)
        assert (message.info.origin.position.x, message.info.origin.position.y) == (-8.0, -8.0)
        assert message.header.frame_id == "base_link"
        assert set(np.unique(cells)) <= {-1, 0, 100}
        band = offline[stamp_ns].occupancy.class_id[:, :, 1:]
        np.testing.assert_array_equal(cells.T == 100, (band > 1).any(axis=2))


def test_overlays_are_pictures_of_their_camera(live):
    for camera in ("front", "rear"):
        message = live.received[f"explanations/{camera}/compressed"][-1]
        assert message.header.frame_id == f"{camera}_optical_frame"
        picture = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape[1] >= 128
        assert picture.std() > 10.0


def test_explanations_name_the_track(live):
    import json

    content = json.loads(live.received["explanations/tracks"][-1].data)
    assert [track["class"] for track in content["tracks"]] == ["gse"]


def test_diagnostics_count_what_was_played(live, case):
    for camera in ("front", "rear"):
        figures = last_figures(live, f"camera {camera}")
        assert int(figures["received"]) == len(case.stamps)
        assert float(figures["rate_hz"]) > 0.0
        assert "corrupt" not in figures
    assert float(last_figures(live, "frames")["network_p95_ms"]) > 0.0
    assert last_figures(live, "device")["engine"].startswith("onnxruntime")
