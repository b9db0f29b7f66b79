"""nuScenes tables: every token resolves, poses and boxes follow nuScenes' conventions, the devkit reads them."""

import importlib.util
import json

import cv2
import numpy as np
import pytest

from airside_perception import cli
from airside_perception.bags import BagReader
from airside_perception.bags.events import ImageEvent
from airside_perception.errors import AirsideError
from airside_perception.geometry.boxes import box_corners
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.rig import Rig
from airside_perception.geometry.se3 import make_transform, quaternion_to_matrix, transform_points
from airside_perception.synth.generate import run_synth
from airside_perception.synth.nuscenes_export import export_nuscenes
from airside_perception.synth.nuscenes_tables import TABLES, VERSION, channel_of
from airside_perception.synth.sequence_options import SynthOptions

FRAMES = 4


@pytest.fixture(scope="module")
def sequence(small_rig, tmp_path_factory):
    """Four cameras, one of them a fisheye; lost images, and exposures up to 90 ms apart."""
    folder = tmp_path_factory.mktemp("nuscenes")
    cameras = dict(small_rig.cameras)
    rear = cameras["rear"]
    bend = np.array([0.02, -0.01, 0.0, 0.0])
    cameras["rear"] = Camera(
        "rear", rear.width, rear.height, rear.intrinsics, rear.base_from_camera, "equidistant", bend
    )
    Rig(cameras, "small").save(folder / "rig.yaml")
    options = SynthOptions(
        folder / "apron_2", seed=2, rig=str(folder / "rig.yaml"), duration_s=FRAMES / 5, rate_hz=5.0, drop=0.2,
        camera_jitter_s=0.09, layout="stands", condition="clear", label_every=9, progress=False,
    )  # fmt: skip
    manifest = run_synth(options)
    assert manifest["dropped_images"]
    return options, manifest


@pytest.fixture(scope="module")
def dataset(sequence, tmp_path_factory):
    root = tmp_path_factory.mktemp("dataset") / "root"
    export_nuscenes({"apron_2": sequence[0].out}, root)
    return root


@pytest.fixture(scope="module")
def tables(dataset):
    names = [path.stem for path in (dataset / VERSION).iterdir()]
    assert sorted(names) == sorted(TABLES)
    records = {name: json.loads((dataset / VERSION / f"{name}.json").read_text()) for name in names}
    return {name: {record["token"]: record for record in each} for name, each in records.items()}


def test_every_token_leads_to_a_record(tables):
    owner = {
        "first_sample_token": "sample", "last_sample_token": "sample", "first_annotation_token": "sample_annotation",
        "last_annotation_token": "sample_annotation", "attribute_tokens": "attribute", "log_tokens": "log",
    }  # fmt: skip
    links = 0
    for table, records in tables.items():
        assert records
        for record in records.values():
            for field, value in record.items():
                if field in ("prev", "next"):
                    target = table
                elif field.endswith(("_token", "_tokens")):
                    target = owner.get(field, field.removesuffix("_token"))
                else:
                    continue
                for one in value if isinstance(value, list) else [value]:
                    assert one in tables[target] or (one == "" and field in ("prev", "next")), (table, field)
                    links += 1
    assert links > 200


def test_chains_run_from_the_first_to_the_last(tables):
    (scene,) = tables["scene"].values()
    assert walk(tables["sample"], scene["first_sample_token"])[-1]["token"] == scene["last_sample_token"]
    assert scene["nbr_samples"] == len(walk(tables["sample"], scene["first_sample_token"])) == FRAMES
    for instance in tables["instance"].values():
        chain = walk(tables["sample_annotation"], instance["first_annotation_token"])
        assert len(chain) == instance["nbr_annotations"]
        assert chain[-1]["token"] == instance["last_annotation_token"]
        assert {record["instance_token"] for record in chain} == {instance["token"]}
        assert chain[0]["num_lidar_pts"] > 0
        assert chain[-1]["num_lidar_pts"] > 0
    starts = [record for record in tables["sample_data"].values() if not record["prev"]]
    assert len(starts) == 4
    for start in starts:
        times = [record["timestamp"] for record in walk(tables["sample_data"], start["token"])]
        assert times == sorted(times)


def walk(table, first):
    chain = []
    while first:
        chain.append(table[first])
        first = chain[-1]["next"]
    return chain


def test_every_image_that_was_not_lost_is_a_key_frame_and_a_file(sequence, dataset, tables):
    lost = sum(map(len, sequence[1]["dropped_images"].values()))
    assert len(tables["sample_data"]) == 4 * FRAMES - lost
    for record in tables["sample_data"].values():
        image = cv2.imread(str(dataset / record["filename"]))
        assert image.shape == (record["height"], record["width"], 3)
        assert record["is_key_frame"]
    channels = {record["channel"] for record in tables["sensor"].values()}
    assert channels == {"CAM_FRONT", "CAM_LEFT", "CAM_REAR", "CAM_RIGHT"}
    assert all((dataset / record["filename"]).is_file() for record in tables["map"].values())
    assert channel_of("cam_front_left") == "CAM_FRONT_LEFT"


def test_poses_are_the_vehicles_at_the_time_of_each_image(sequence, tables):
    from airside_perception.synth.sequence_writer import FIRST_STAMP_NS, draw_scene

    scene = draw_scene(sequence[0])
    moved = 0.0
    for record in tables["sample_data"].values():
        pose = tables["ego_pose"][record["ego_pose_token"]]
        assert pose["timestamp"] == record["timestamp"]
        expected = scene.odom_from_base((record["timestamp"] * 1000 - FIRST_STAMP_NS) / 1e9)
        np.testing.assert_allclose(transform_of(pose), expected, atol=2e-3)
        moved = max(moved, float(np.linalg.norm(expected[:2, 3])))
    assert moved > 0.5, "the vehicle stands: the test shows nothing"


def transform_of(record):
    return make_transform(quaternion_to_matrix(record["rotation"]), np.array(record["translation"]))


def test_projected_boxes_fall_on_their_objects(dataset, tables, sequence):
    """By nuScenes' chain global -> ego -> sensor -> pixel, box centres meet the object's own pixels."""
    options, _ = sequence
    from airside_perception.synth.raster_backend import RasterBackend
    from airside_perception.synth.sequence_writer import FIRST_STAMP_NS, draw_scene

    scene = draw_scene(options)
    backend, noise, checked = RasterBackend(scene), np.random.default_rng(0), 0
    for record in tables["sample_data"].values():
        sensor = tables["calibrated_sensor"][record["calibrated_sensor_token"]]
        channel = tables["sensor"][sensor["sensor_token"]]["channel"]
        global_from_camera = transform_of(tables["ego_pose"][record["ego_pose_token"]]) @ transform_of(sensor)
        k = np.array(sensor["camera_intrinsic"])
        pinhole = Camera(channel, record["width"], record["height"], k, transform_of(sensor))
        image = backend.render((record["timestamp"] * 1000 - FIRST_STAMP_NS) / 1e9, pinhole, noise)
        shown = cv2.cvtColor(cv2.imread(str(dataset / record["filename"])), cv2.COLOR_BGR2RGB).astype(float)
        if channel != "CAM_REAR":  # straightened images are resampled twice and stay black at the corners
            assert np.median(np.abs(shown - image.rgb)) < 12
        for number, item in enumerate(scene.objects):
            rows, columns = np.nonzero(image.item == number)
            own = [a for a in tables["sample_annotation"].values() if a["sample_token"] == record["sample_token"]]
            match = [a for a in own if np.linalg.norm(np.array(a["translation"]) - item.box(0.0)[:3]) < 0.01]
            if item.trajectory.moves or len(rows) < 60 or not match:
                continue
            width, length, height = match[0]["size"]
            np.testing.assert_allclose([length, width, height], item.asset.size, atol=1e-3)
            local = box_corners([[0.0, 0.0, 0.0, length, width, height, 0.0]])[0]
            optical = transform_points(np.linalg.inv(global_from_camera) @ transform_of(match[0]), local)
            if optical[:, 2].min() < 0.5:
                continue
            pixels = optical @ k.T
            pixels = pixels[:, :2] / pixels[:, 2:]
            low, high = pixels.min(axis=0) - 2, pixels.max(axis=0) + 2
            inside = (columns > low[0]) & (columns < high[0]) & (rows > low[1]) & (rows < high[1])
            assert inside.mean() > 0.98, item.object_id
            checked += 1
    assert checked > 10


def test_visibility_and_attributes_follow_the_truth(sequence, tables):
    truth = json.loads((sequence[0].out / "ground_truth" / "tracks.json").read_text())
    annotations = {}
    for record in tables["sample_annotation"].values():
        annotations[record["sample_token"], tuple(record["translation"])] = record
    samples = {record["timestamp"]: record["token"] for record in tables["sample"].values()}
    levels = set()
    for frame in truth["frames"]:
        for entry in frame["objects"]:
            record = annotations.get((samples[frame["stamp_ns"] // 1000], tuple(entry["translation"])))
            if record is None:
                continue
            seen = entry["visibility"]
            assert record["visibility_token"] == str(1 + (seen >= 0.4) + (seen >= 0.6) + (seen >= 0.8))
            attribute = tables["attribute"][record["attribute_tokens"][0]]["name"]
            assert attribute.endswith("moving") == (np.hypot(*entry["velocity"][:2]) > 0.2)
            assert attribute.startswith("pedestrian") == (entry["class"] == "person")
            levels.add(record["visibility_token"])
    assert len(levels) > 2


def test_the_generator_writes_tables_at_once(sequence, tmp_path):
    options, _ = sequence
    arguments = ["synth", "--seed", "2", "--format", "nuscenes", "--out", str(tmp_path / "n"), "--duration", "0.4"]
    arguments += ["--rate", "5", "--rig", options.rig, "--layout", "scatter", "--json"]
    assert cli.main(arguments) == 0
    assert {path.name for path in (tmp_path / "n").iterdir()} == {VERSION, "samples", "maps", "manifest.json"}
    assert len(json.loads((tmp_path / "n" / VERSION / "sample.json").read_text())) == 2
    assert json.loads((tmp_path / "n" / "manifest.json").read_text())["options"]["format"] == "nuscenes"


def test_several_sequences_become_scenes_of_one_dataset(sequence, tmp_path, capsys):
    out = str(tmp_path / "n")
    assert cli.main(["export-nuscenes", str(sequence[0].out), "--out", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"]["scene"] == 1
    assert cli.main(["export-nuscenes", str(sequence[0].out), "--out", out]) == 2
    assert "new or empty" in capsys.readouterr().err
    counts = export_nuscenes({"one": sequence[0].out, "two": sequence[0].out}, tmp_path / "two")
    assert counts["scene"] == counts["log"] == 2
    assert counts["sample"] == 2 * FRAMES
    assert counts["sensor"] == 4


def test_a_recording_without_truth_is_refused(sequence, tmp_path):
    with pytest.raises(AirsideError, match="expected a sequence with ground_truth/"):
        export_nuscenes({"bare": bare_bag(sequence[0].out, tmp_path)}, tmp_path / "out")


def bare_bag(sequence, folder):
    from airside_perception.bags import ApronBagWriter

    with BagReader(sequence) as bag:
        image = next(event for event in bag.messages() if isinstance(event, ImageEvent))
        with ApronBagWriter(folder / "bare", bag.rig()) as writer:
            writer.write_static(image.stamp_ns)
            writer.write_odometry(image.stamp_ns, np.eye(4), [0, 0, 0], 0.0)
            for camera in bag.rig().names:
                writer.write_image(camera, image.stamp_ns, np.zeros((120, 192, 3), np.uint8))
    return folder / "bare"


@pytest.mark.skipif(importlib.util.find_spec("nuscenes") is None, reason="nuscenes-devkit is not installed")
def test_the_official_devkit_reads_the_dataset(dataset, tables):
    from nuscenes.nuscenes import NuScenes
    from nuscenes.utils.geometry_utils import BoxVisibility

    loaded = NuScenes(VERSION, str(dataset), verbose=False)
    assert len(loaded.sample) == FRAMES
    boxes = 0
    for token in tables["sample_data"]:
        path, found, intrinsics = loaded.get_sample_data(token, box_vis_level=BoxVisibility.ANY)
        assert cv2.imread(path) is not None
        assert intrinsics.shape == (3, 3)
        boxes += len(found)
    assert boxes > 20
