"""Reading recordings of every kind: storage, compression, topic names, calibration, odometry."""

import cv2
import numpy as np
import pytest

from airside_perception.bags import BagReader, CorruptImage, ImageEvent, OdometryEvent, open_sequence
from airside_perception.bags.topics import find_cameras
from airside_perception.geometry import Camera, Rig, pose_from_xyz_yaw


def events(path, **options):
    with BagReader(path, **options) as reader:
        return list(reader.messages())


@pytest.mark.parametrize(
    ("storage", "compression"),
    [
        ("mcap", None),
        ("mcap", "storage"),
        ("mcap", "file"),
        ("mcap", "message"),
        ("sqlite3", None),
        ("sqlite3", "file"),
    ],
)
def test_storages_and_compressions(tmp_path, bags, storage, compression):
    path = bags.write_bag(tmp_path / "bag", bags.recording(), storage, compression)
    with BagReader(path) as reader:
        assert reader.cameras == ("front",)
        assert reader.counts == {"front": 3, "odometry": 3}
        assert reader.duration_s == pytest.approx(0.2)
        assert reader.fixed_frame == "odom"
        found = list(reader.messages())
    assert [type(e) for e in found] == [OdometryEvent, ImageEvent] * 3
    assert [e.stamp_ns for e in found[1::2]] == [bags.START + 100 * bags.MS * i for i in range(3)]
    assert np.array_equal(found[1].decode(), bags.PIXELS)
    assert found[4].odom_from_base[:3, 3] == pytest.approx([0.2, 0, 0])


def test_what_a_path_may_be(tmp_path, bags):
    bag = bags.write_bag(tmp_path / "seq" / "bag", bags.recording())
    (tmp_path / "seq" / "ground_truth").mkdir()
    truth = tmp_path / "seq" / "ground_truth"
    for path in (tmp_path / "seq", bag):
        sequence = open_sequence(path)
        assert (sequence.bag_path, sequence.ground_truth_path, sequence.name) == (bag, truth, "seq")
    bare = open_sequence(bag / "bag.mcap")
    assert bare.bag_path == bag / "bag.mcap"
    assert len(events(bag / "bag.mcap")) == 6
    (bag / "metadata.yaml").unlink()  # a recorder that crashed before writing it
    assert open_sequence(tmp_path / "seq").bag_path == bag / "bag.mcap"
    assert open_sequence(tmp_path / "seq").ground_truth_path == truth


def test_calibration_and_mount(tmp_path, bags):
    path = bags.write_bag(tmp_path / "bag", bags.recording(info={"d": (0.1, 0.2, 0, 0, 0.3)}))
    with BagReader(path) as reader:
        camera = reader.rig().cameras["front"]
    assert (camera.width, camera.height, camera.distortion_model) == (32, 20, "plumb_bob")
    assert camera.intrinsics[0].tolist() == [30, 0, 16]
    assert camera.distortion.tolist() == [0.1, 0.2, 0, 0, 0.3]
    assert camera.position.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("model", "d"), [("rational_polynomial", (0.1,) * 8), ("equidistant", (0.1,) * 4), ("plumb_bob", (0.1,) * 4)]
)
def test_distortion_models(tmp_path, bags, model, d):
    path = bags.write_bag(tmp_path / "bag", bags.recording(info={"model": model, "d": d}))
    with BagReader(path) as reader:
        camera = reader.rig().cameras["front"]
    assert camera.distortion_model == model
    assert camera.distortion[: len(d)].tolist() == list(d)


def test_mounts_over_a_chain_of_frames(tmp_path, bags):
    half = np.sqrt(0.5)
    chain = bags.tf(
        bags.transform(0, "base_link", "/mast", (1, 0, 2), (half, 0, 0, half)),
        bags.transform(0, "mast", "front_optical_frame", (0.5, 0, 0)),
        bags.transform(0, "base_footprint", "base_link", (0, 0, 9)),
    )
    messages = [("/tf_static", bags.START, chain), *bags.recording(with_static=False)]
    with BagReader(bags.write_bag(tmp_path / "bag", messages)) as reader:
        pose = reader.rig().cameras["front"].base_from_camera
    assert pose == pytest.approx(pose_from_xyz_yaw(1.0, 0.5, 2.0, np.pi / 2))


def test_smaller_images_than_calibrated(tmp_path, bags):
    """Binning and regions of interest: camera_info speaks of the full sensor."""
    roi = {"x_offset": 8, "y_offset": 4, "width": 64, "height": 40}
    path = bags.write_bag(tmp_path / "bag", bags.recording(info={"width": 100, "height": 60, "roi": roi, "binning": 2}))
    with BagReader(path) as reader:
        camera = reader.rig().cameras["front"]
        assert next(e for e in reader.messages() if isinstance(e, ImageEvent)).decode().shape == (20, 32, 3)
    assert (camera.width, camera.height) == (32, 20)
    assert camera.intrinsics[0, 0] == 15.0
    assert camera.intrinsics[0, 2] == pytest.approx((16 - 8 + 0.5) / 2 - 0.5)


@pytest.mark.parametrize(
    ("namespaces", "names"),
    [
        (["/camera/front", "/camera/left"], ["front", "left"]),
        (["/sensing/camera/camera0", "/sensing/camera/camera1"], ["camera0", "camera1"]),
        (["/front/camera", "/rear/camera"], ["front", "rear"]),
        (["/camera"], ["camera"]),
        (["/left/zed/rgb", "/right/zed/rgb"], ["left_zed_rgb", "right_zed_rgb"]),
        ([""], ["camera"]),
    ],
)
def test_names_come_from_the_namespace(namespaces, names):
    topics = {f"{n}/image_raw": ("sensor_msgs/msg/Image", 1) for n in namespaces}
    topics |= {f"{n}/camera_info": ("sensor_msgs/msg/CameraInfo", 1) for n in namespaces}
    found = find_cameras(topics)
    assert list(found) == names
    assert [c.camera_info for c in found.values()] == [f"{n}/camera_info" for n in namespaces]


def test_fullest_then_raw_topic_is_taken():
    raw, jpeg = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
    topics = {"/a/image_raw/compressed": (jpeg, 9), "/a/image_raw": (raw, 9), "/b/image_raw": (raw, 1)}
    topics |= {"/b/image_raw/compressed": (jpeg, 9), "/a/image_raw/compressedDepth": (jpeg, 99), "/c/image": (raw, 0)}
    assert {n: c.image for n, c in find_cameras(topics).items()} == {
        "a": "/a/image_raw",
        "b": "/b/image_raw/compressed",
    }


def test_images_without_calibration_are_left_out(tmp_path, bags):
    messages = bags.recording() + bags.recording("dashcam", with_info=False, with_static=False, with_odometry=False)
    with BagReader(bags.write_bag(tmp_path / "bag", messages)) as reader:
        assert reader.cameras == ("front",)


def test_chosen_cameras_only(tmp_path, bags):
    """An uncalibrated camera does no harm once it is not asked for."""
    messages = bags.recording() + bags.recording("rear", info={"k0": 0.0}, with_odometry=False)
    path = bags.write_bag(tmp_path / "bag", messages)
    with BagReader(path, cameras=["front"]) as reader:
        assert {e.camera for e in reader.messages() if isinstance(e, ImageEvent)} == {"front"}


def test_rig_file_in_place_of_calibration(tmp_path, bags):
    messages = bags.recording(with_info=False, with_static=False, namespace="/cams/a")
    path = bags.write_bag(tmp_path / "bag", messages)
    k = np.array([[40.0, 0, 16], [0, 40, 10], [0, 0, 1]])
    with BagReader(path, rig=Rig({"a": Camera("a", 32, 20, k)})) as reader:
        assert reader.cameras == ("a",)
    rig = Rig({"nose": Camera("nose", 32, 20, k)}, topics={"nose": "/cams/a/image_raw"})
    with BagReader(path, rig=rig) as reader:
        images = [e for e in reader.messages() if isinstance(e, ImageEvent)]
    assert [e.camera for e in images] == ["nose"] * 3
    assert reader.rig().cameras["nose"].intrinsics[0, 0] == 40.0


def test_corrupt_images_do_not_stop_the_reader(tmp_path, bags):
    jpeg = cv2.imencode(".jpg", bags.PIXELS)[1].tobytes()
    messages = [m for m in bags.recording() if not m[0].endswith("image_raw")]
    frame = "front_optical_frame"
    for i, data in enumerate((jpeg, jpeg[:50], b"", jpeg)):
        stamp = bags.START + 100 * bags.MS * i
        messages.append(("/camera/front/image_raw/compressed", stamp, bags.compressed(stamp, frame, data)))
    wide = cv2.imencode(".jpg", np.zeros((20, 64, 3), np.uint8))[1].tobytes()
    messages.append(("/camera/front/image_raw/compressed", stamp + 1, bags.compressed(stamp + 1, frame, wide)))
    outcomes = []
    for event in events(bags.write_bag(tmp_path / "bag", messages)):
        if isinstance(event, ImageEvent):
            try:
                outcomes.append(event.decode().shape)
            except CorruptImage as error:
                outcomes.append(str(error))
    assert outcomes[0] == outcomes[3] == (20, 32, 3)
    assert "truncated JPEG of 50 bytes" in outcomes[1]
    assert "0 bytes" in outcomes[2]
    assert outcomes[4] == "camera 'front': expected 32x20 pixels, got 64x20"


def test_undecodable_message_is_counted(tmp_path, bags):
    from rosbags.rosbag2 import StoragePlugin, Writer

    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for topic, time, message in bags.recording():
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=bags.TYPES)
            writer.write(connections[topic], time, bags.TYPES.serialize_cdr(message, kind))
        writer.write(connections["/camera/front/image_raw"], time + 1, b"\x00\x01\x00\x00\xff\xff")
    with BagReader(tmp_path / "bag") as reader:
        assert len(list(reader.messages())) == 6
        assert reader.corrupt_messages == {"/camera/front/image_raw": 1}


def test_events_come_in_the_order_of_arrival_with_the_stamp_of_exposure(tmp_path, bags):
    messages = bags.recording(frames=1)
    late = bags.START + 70 * bags.MS
    exposed = bags.START + 20 * bags.MS
    pixels = bags.image(exposed, "front_optical_frame", "rgb8", 20, 32, bags.PIXELS.tobytes())
    unstamped = bags.image(0, "front_optical_frame", "rgb8", 20, 32, bags.PIXELS.tobytes())
    messages += [
        ("/odom", bags.START + 50 * bags.MS, bags.odometry(bags.START + 50 * bags.MS)),
        ("/camera/front/image_raw", late, pixels),
        ("/camera/front/image_raw", late + 1, unstamped),
    ]
    stamps = [e.stamp_ns for e in events(bags.write_bag(tmp_path / "bag", messages))]
    assert stamps[2:] == [bags.START + 50 * bags.MS, exposed, late + 1]


def test_velocity_and_other_odometry_frames(tmp_path, bags):
    """Odometry of another fixed frame on the vehicle is carried over to base_link."""
    static = bags.tf(
        bags.transform(0, "base_link", "front_optical_frame"), bags.transform(0, "base_link", "imu", (2.0, 0, 0))
    )
    messages = bags.recording(with_static=False, with_odometry=False)
    time = bags.START
    messages += [("/tf_static", time, static)]
    moving = bags.odometry(time, (10, 0, 0), child="imu", velocity=(3, 0, 0), yaw_rate=0.5, frame="map")
    messages += [("/localization/odometry", time, moving)]
    with BagReader(bags.write_bag(tmp_path / "bag", messages)) as reader:
        assert reader.fixed_frame == "map"
        event = next(e for e in reader.messages() if isinstance(e, OdometryEvent))
    assert event.odom_from_base[:3, 3] == pytest.approx([8, 0, 0])
    assert event.linear_velocity == pytest.approx([3, -1, 0])  # the rear axle swings out
    assert event.yaw_rate == 0.5


def test_odometry_from_tf(tmp_path, bags):
    """Where /odom is missing, odom -> base_footprint on /tf and base_footprint -> base_link on /tf_static do."""
    messages = bags.recording(with_odometry=False, with_static=False)
    static = bags.tf(
        bags.transform(0, "base_footprint", "base_link", (0, 0, 0.5)),
        bags.transform(0, "base_link", "front_optical_frame"),
    )
    messages.append(("/tf_static", bags.START, static))
    for i in range(4):
        stamp = bags.START + 50 * bags.MS * i
        yaw = 0.01 * i
        turned = (np.cos(yaw / 2), 0, 0, np.sin(yaw / 2))
        messages.append(("/tf", stamp, bags.tf(bags.transform(stamp, "map", "odom"))))
        pose = bags.transform(stamp, "odom", "base_footprint", (0.2 * i, 0, 0), turned)
        messages.append(("/tf", stamp, bags.tf(pose, bags.transform(stamp, "base_link", "wheel"))))
    with BagReader(bags.write_bag(tmp_path / "bag", messages)) as reader:
        assert reader.fixed_frame == "odom"
        poses = [e for e in reader.messages() if isinstance(e, OdometryEvent)]
    assert [e.stamp_ns for e in poses] == [bags.START + 50 * bags.MS * i for i in range(4)]
    assert poses[3].odom_from_base[:3, 3] == pytest.approx([0.6, 0, 0.5])
    assert poses[3].linear_velocity[0] == pytest.approx(4.0, rel=1e-3)
    assert poses[3].yaw_rate == pytest.approx(0.2)


def test_reading_does_not_keep_the_images(tmp_path, bags):
    """Memory stays at a few chunks while a bag of 23 MB goes by."""
    import tracemalloc

    stamps = [bags.START + 10 * bags.MS * i for i in range(40)]
    pixels = np.zeros((400, 480, 3), np.uint8).tobytes()
    messages = bags.recording(info={"width": 480, "height": 400})[:1]
    messages += [
        ("/camera/front/camera_info", bags.START, bags.camera_info(bags.START, "front_optical_frame", 480, 400))
    ]
    messages += [("/odom", bags.START, bags.odometry(bags.START))]
    frame = "front_optical_frame"
    messages += [("/camera/front/image_raw", t, bags.image(t, frame, "rgb8", 400, 480, pixels)) for t in stamps]
    path = bags.write_bag(tmp_path / "bag", messages)
    del messages
    with BagReader(path) as reader:
        tracemalloc.start()
        count = sum(1 for event in reader.messages() if isinstance(event, ImageEvent) and event.decode().size)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 40
    assert peak < 8e6
