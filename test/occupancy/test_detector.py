from dataclasses import replace

import numpy as np
import pytest
from surround_cameras import surround_camera

from airside_perception.errors import AirsideError
from airside_perception.geometry.se3 import pose_from_xyz_yaw
from airside_perception.inference.engine import TensorSpec
from airside_perception.occupancy.detector import OccupancyNetworkRunner, is_blank
from airside_perception.occupancy.heading import encode_heading
from airside_perception.occupancy.network_io import METADATA_KEY, input_names, output_names, read_network_spec
from airside_perception.occupancy.network_spec import BOX_CHANNELS, OBJECT_CHANNELS, RANGE_CHANNELS, SURFACE_CHANNELS
from airside_perception.occupancy.pixel_geometry import GEOMETRY_CHANNELS
from airside_perception.occupancy.previous_volume import volume_table
from airside_perception.records import CameraImage, GridSpec, RigFrame


class ScriptedEngine:
    """An engine that answers what the test wrote down and remembers what it was asked."""

    runtime = "scripted"

    def __init__(self, spec):
        x, y, z = spec.grid.shape
        table = (2, spec.lift_point_count)
        shapes = [("cameras", 64, 128, 3), ("cameras", GEOMETRY_CHANNELS, 16, 32), table, table, table, table]
        types = ["uint8", "float32", "int32", "int32", "float32", "float32"]
        if spec.previous_volume:
            shapes += [spec.volume_shape, (4, x * y), (4, x * y)]
            types += ["float32", "int32", "float32"]
        self.input_specs = tuple(map(TensorSpec, input_names(spec), shapes, types))
        outputs = [(x, y, z), (x, y, z), (3, x, y), (3, BOX_CHANNELS, x, y), ("cameras", 7, 16, 32)]
        outputs += [("cameras", channels, 8, 16) for channels in (OBJECT_CHANNELS, SURFACE_CHANNELS, RANGE_CHANNELS)]
        outputs += [(3, 2, x, y), spec.volume_shape] if spec.previous_volume else []
        types = ["float32", "int32"] + ["float32"] * (len(outputs) - 2)
        self.output_specs = tuple(map(TensorSpec, output_names(spec), outputs, types))
        self.metadata = {METADATA_KEY: spec.to_json(), "occupancy_threshold": "0.6"}
        self.probability = np.zeros((x, y, z), np.float32)
        self.class_id = np.full((x, y, z), 3, np.int32)
        self.heatmap = np.zeros((3, x, y), np.float32)
        self.boxes = np.zeros((3, BOX_CHANNELS, x, y), np.float32)
        self.displacement = np.zeros((3, 2, x, y), np.float32)
        self.volume = np.ones(spec.volume_shape, np.float32)
        self.asked = []

    def run(self, inputs):
        self.asked.append(inputs)
        semantics = np.zeros((len(inputs["images"]), 7, 16, 32), np.float32)
        semantics[:, 0] = np.arange(len(semantics))[:, None, None]
        objects = np.full((len(semantics), OBJECT_CHANNELS, 8, 16), 0.5, np.float32)
        surface = np.full((len(semantics), SURFACE_CHANNELS, 8, 16), 0.25, np.float32)
        ranges = np.full((len(semantics), RANGE_CHANNELS, 8, 16), 2.0, np.float32)
        answers = {
            "probability": self.probability,
            "class_id": self.class_id,
            "heatmap": self.heatmap,
            "boxes": self.boxes,
            "semantics": semantics,
            "objects": objects,
            "surface": surface,
            "ranges": ranges,
            "displacement": self.displacement,
            "volume": self.volume,
        }
        return {spec.name: answers[spec.name] for spec in self.output_specs}


@pytest.fixture
def engine(small_spec):
    return ScriptedEngine(small_spec)


def make_frame(cameras, pose=None, value=100, stamp_ns=7):
    images = {c.name: CameraImage(c, np.full((c.height, c.width, 3), value, np.uint8), 0) for c in cameras}
    return RigFrame(stamp_ns, images, (), np.eye(4) if pose is None else pose)


def test_voxels_and_detections_come_out_in_the_right_frame(engine, ring):
    engine.probability[3, 4, 1], engine.probability[3, 5, 1] = 0.7, 0.5
    engine.heatmap[1, 12, 8] = 0.9
    engine.boxes[1, :, 12, 8] = [0.0, 0.0, 1.0, *np.log([4.0, 2.0, 1.8]), *encode_heading(0.0, 4.5, 0.5)]
    pose = np.eye(4)
    pose[:2, :2], pose[:3, 3] = [[0, -1], [1, 0]], [10.0, 20.0, 0.0]
    output = OccupancyNetworkRunner(engine).run(make_frame(ring, pose))
    assert output.class_id.sum() == 3, "0.7 is above the stored threshold of 0.6, 0.5 is not"
    assert output.class_id[3, 4, 1] == 3
    (detection,) = output.detections
    assert detection.class_name == "gse"
    assert detection.score == pytest.approx(0.9)
    # Cell (12, 8): (4.5, 0.5) in base_link, turned by 90 degrees and moved.
    assert detection.box == pytest.approx([9.5, 24.5, 1.0, 4.0, 2.0, 1.8, np.pi / 2], abs=1e-6)
    assert {name: maps[0, 0, 0] for name, maps in output.image_semantics.items()} == {
        f"camera_{index}": float(index) for index in range(4)
    }
    assert output.image_objects["camera_3"].shape == (OBJECT_CHANNELS, 8, 16)
    assert output.image_surface["camera_3"].shape == (SURFACE_CHANNELS, 8, 16)
    assert output.image_ranges["camera_3"].shape == (RANGE_CHANNELS, 8, 16)


def test_the_previous_volume_goes_from_frame_to_frame(small_spec, ring):
    engine = ScriptedEngine(replace(small_spec, previous_volume=True))
    engine.heatmap[1, 12, 8] = 0.9
    engine.displacement[1, :, 12, 8] = [0.4, 0.1]
    runner = OccupancyNetworkRunner(engine)
    (first,) = runner.run(make_frame(ring, stamp_ns=0)).detections
    assert first.velocity is None, "one frame shows no motion"
    assert (engine.asked[0]["previous_weight"] == 0).all()
    turned = pose_from_xyz_yaw(1.0, 0.0, 0.0, np.pi / 2)
    (second,) = runner.run(make_frame(ring, turned, stamp_ns=200_000_000)).detections
    assert second.velocity == pytest.approx([-0.5, 2.0]), "0.2 s later, over ground, in odom"
    assert second.velocity_gap_s == pytest.approx(0.2)
    index, weight = volume_table(small_spec.grid, turned)
    assert engine.asked[1]["previous_volume"] is engine.volume
    assert np.array_equal(engine.asked[1]["previous_index"], index)
    assert engine.asked[1]["previous_weight"] == pytest.approx(weight)
    runner.reset()
    (third,) = runner.run(make_frame(ring, stamp_ns=400_000_000)).detections
    assert third.velocity is None
    engine.input_specs = engine.input_specs[:6]
    with pytest.raises(AirsideError, match="expected input 'previous_volume'"):
        read_network_spec(engine)


def test_a_file_that_says_nothing_of_surfaces_and_ranges_still_runs(engine, ring):
    engine.output_specs = engine.output_specs[:-2]
    output = OccupancyNetworkRunner(engine).run(make_frame(ring))
    assert output.image_surface == {}
    assert output.image_ranges == {}
    assert len(output.image_objects) == len(ring)


def test_images_of_any_size_are_brought_to_the_network(engine):
    big, small = (
        surround_camera(0.0, "a", size=(256, 160), focal=100),
        surround_camera(1.5, "b", size=(64, 32), focal=30),
    )
    OccupancyNetworkRunner(engine).run(make_frame([big, small]))
    assert engine.asked[0]["images"].shape == (2, 64, 128, 3)
    assert (engine.asked[0]["images"] == 100).all()


def test_tables_are_cached_until_the_calibration_changes(engine, ring):
    runner = OccupancyNetworkRunner(engine)
    runner.run(make_frame(ring))
    runner.run(make_frame(ring))
    assert engine.asked[0]["feature_index"] is engine.asked[1]["feature_index"]
    moved = ring[0].base_from_camera.copy()
    moved[2, 3] += 0.5
    runner.run(make_frame([ring[0].with_pose(moved), *ring[1:]]))
    assert not np.array_equal(engine.asked[1]["feature_index"], engine.asked[2]["feature_index"])


def test_missing_cameras_are_left_out_and_none_is_refused(engine, ring):
    runner = OccupancyNetworkRunner(engine)
    runner.run(make_frame(ring[:2]))
    assert len(engine.asked[0]["images"]) == 2
    with pytest.raises(AirsideError, match="at least one camera image"):
        runner.run(make_frame([]))


def test_foreign_networks_and_grids_are_refused(engine):
    with pytest.raises(AirsideError, match="grid: the network was trained for"):
        OccupancyNetworkRunner(engine, grid=GridSpec((0, 0, 0), (1, 1, 1), (4, 4, 4)))
    engine.output_specs = engine.output_specs[:2]
    with pytest.raises(AirsideError, match="expected output 'heatmap'"):
        read_network_spec(engine)
    engine.metadata = {"producer": "else"}
    with pytest.raises(AirsideError, match="expected metadata"):
        OccupancyNetworkRunner(engine)


def test_thresholds_change_between_frames_and_none_is_the_stored_one(engine, ring):
    engine.probability[3, 4, 1] = 0.55
    runner = OccupancyNetworkRunner(engine)
    assert runner.run(make_frame(ring)).class_id.sum() == 0
    runner.set_thresholds(0.1, 0.5)
    assert runner.run(make_frame(ring)).class_id.sum() == 3
    runner.set_thresholds(0.1, None)
    assert runner.run(make_frame(ring)).class_id.sum() == 0


def test_voxels_are_calibrated_and_unknown_between_free_and_occupied(engine, ring):
    """logit(p) / 2 - 1: 0.9 becomes 0.525, 0.5 becomes 0.269, 0.1 becomes 0.109."""
    engine.metadata |= {
        "voxel_temperature": "2",
        "voxel_bias": "-1",
        "occupancy_threshold": "0.4",
        "free_threshold": "0.2",
    }
    engine.probability[:3, 0, 0] = [0.9, 0.5, 0.1]
    output = OccupancyNetworkRunner(engine).run(make_frame(ring))
    assert output.probability[:3, 0, 0] == pytest.approx([0.525, 0.269, 0.109], abs=1e-3)
    assert (output.class_id[:3, 0, 0] > 0).tolist() == [True, False, False]
    assert output.unsure[:3, 0, 0].tolist() == [False, True, False]
    engine.metadata["voxel_temperature"] = "0"
    with pytest.raises(AirsideError, match="temperature above 0"):
        OccupancyNetworkRunner(engine)


def test_without_a_free_threshold_the_network_can_tell_of_all(engine, ring):
    assert OccupancyNetworkRunner(engine).run(make_frame(ring)).unsure is None


@pytest.mark.parametrize(("value", "blank"), [(0, True), (128, True), (255, True)])
def test_images_of_one_colour_are_blank(value, blank):
    image = np.full((200, 320, 3), value, np.uint8)
    assert is_blank(image) is blank
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    assert not is_blank(noisy), "a sensor in the dark still has noise"
    image[80:120] = 200 - value // 2
    assert not is_blank(image)
