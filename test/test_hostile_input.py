"""Bytes from outside: whatever they are, they are read, or refused with the package's own errors."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airside_perception.bags import ApronBagWriter, BagReader, CorruptImage, decode_compressed, decode_image
from airside_perception.bags.image_decoding import SUPPORTED_ENCODINGS
from airside_perception.config import load_config
from airside_perception.errors import AirsideError
from airside_perception.evaluation.results_format import read_detections, read_ground_truth, read_results
from airside_perception.geometry import Camera, Rig, camera_from_info

FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
"""Files are written anew in each example, so that one folder serves all of them."""

NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**40), 2**40)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=12)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
)


def damaged(original: bytes) -> st.SearchStrategy[bytes]:
    """The original cut short and with some bytes changed."""
    changes = st.lists(st.tuples(st.integers(0, len(original) - 1), st.integers(0, 255)), max_size=8)

    def apply(cut: int, edits: list[tuple[int, int]]) -> bytes:
        content = bytearray(original)
        for position, value in edits:
            content[position] = value
        return bytes(content[:cut])

    return st.builds(apply, st.integers(0, len(original)), changes)


def encoded(extension: str) -> bytes:
    image = np.random.default_rng(1).integers(0, 255, (16, 24, 3), dtype=np.uint8)
    return cv2.imencode(extension, image)[1].tobytes()


@given(st.binary(max_size=200) | damaged(encoded(".jpg")) | damaged(encoded(".png")))
def test_compressed_images(content):
    with contextlib.suppress(CorruptImage):
        image = decode_compressed(content)
        assert image.ndim == 3
        assert (image.shape[2], image.dtype) == (3, np.uint8)


@given(
    encoding=st.sampled_from(SUPPORTED_ENCODINGS) | st.text(max_size=8),
    height=st.integers(0, 40) | st.integers(0, 2**32 - 1),
    width=st.integers(0, 40) | st.integers(0, 2**32 - 1),
    step=st.integers(0, 200) | st.integers(0, 2**32 - 1),
    is_bigendian=st.booleans(),
    data=st.binary(max_size=4000),
)
def test_raw_images(encoding, height, width, step, is_bigendian, data):
    with contextlib.suppress(CorruptImage):
        image = decode_image(encoding, height, width, step, is_bigendian, data)
        assert image.shape == (height, width, 3)
        assert image.dtype == np.uint8


@given(
    size=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    k=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=9, max_size=9),
    d=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=14),
    model=st.sampled_from(["", "plumb_bob", "rational_polynomial", "equidistant", "fisheye"]) | st.text(max_size=8),
)
def test_camera_info(size, k, d, model):
    with contextlib.suppress(AirsideError):
        camera = camera_from_info("front", *size, k, d, model, np.eye(4))
        assert np.isfinite(camera.intrinsics).all()
        assert np.isfinite(camera.distortion).all()
        assert camera.intrinsics[0, 0] > 0
        assert camera.intrinsics[1, 1] > 0


CAMERA_ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        key: LEAVES | st.lists(NUMBERS, max_size=5)
        for key in ("width", "height", "fx", "fy", "cx", "cy", "translation", "rotation", "distortion", "topic")
    },
)


@given(content=TREES | st.builds(lambda entry: {"cameras": {"front": entry}}, CAMERA_ENTRIES | TREES))
@FOLDER
def test_rig_files(tmp_path, content):
    path = tmp_path / "rig.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with contextlib.suppress(AirsideError):
        assert Rig.load(path).names


@given(content=st.binary(max_size=100))
@FOLDER
def test_files_that_are_no_yaml(tmp_path, content):
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    for read in (Rig.load, load_config):
        with contextlib.suppress(AirsideError):
            read(path)


def test_yaml_makes_no_objects(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(f"!!python/object/apply:pathlib.Path.touch [{tmp_path / 'made'}]")
    for read in (Rig.load, load_config):
        with pytest.raises(AirsideError):
            read(path)
    assert not (tmp_path / "made").exists()


OPTION_NAMES = st.sampled_from(["rig", "sync", "network", "tracking", "ros", "rig.file", "network.threads"])


@given(content=TREES | st.dictionaries(OPTION_NAMES, TREES, max_size=3))
@FOLDER
def test_config_files(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with contextlib.suppress(AirsideError):
        load_config(path)


OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        key: LEAVES | st.lists(NUMBERS, max_size=5)
        for key in (
            "translation",
            "size",
            "rotation",
            "velocity",
            "class",
            "score",
            "tracking_id",
            "tracking_name",
            "tracking_score",
            "id",
            "visibility",
        )
    },
)
STAMPED = st.dictionaries(st.text(max_size=6) | st.integers(0, 10**18).map(str), st.lists(OBJECTS | TREES, max_size=3))
FRAMES = st.lists(
    st.fixed_dictionaries({}, optional={"stamp_ns": LEAVES, "ego_pose": TREES | OBJECTS, "objects": st.lists(OBJECTS)}),
    max_size=3,
)


@given(content=TREES | STAMPED | st.builds(lambda stamped: {"meta": {}, "results": stamped}, STAMPED))
@FOLDER
def test_results_and_detections(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    for read in (read_results, read_detections):
        with contextlib.suppress(AirsideError):
            read(path)


@given(content=TREES | st.builds(lambda frames: {"frame_id": "odom", "rate_hz": 10, "frames": frames}, FRAMES))
@FOLDER
def test_ground_truth(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with contextlib.suppress(AirsideError):
        read_ground_truth(path)


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    """A bag of three frames."""
    path = tmp_path_factory.mktemp("hostile") / "bag"
    intrinsics = np.array([[30.0, 0.0, 15.5], [0.0, 30.0, 11.5], [0.0, 0.0, 1.0]])
    with ApronBagWriter(path, Rig({"front": Camera("front", 32, 24, intrinsics, np.eye(4))})) as writer:
        writer.write_static(1_000_000_000)
        for index in range(3):
            stamp_ns = 1_000_000_000 + index * 100_000_000
            writer.write_odometry(stamp_ns, np.eye(4), np.zeros(3), 0.0)
            writer.write_image("front", stamp_ns, np.full((24, 32, 3), index, np.uint8), jpeg_quality=90)
    return path


@given(data=st.data())
@FOLDER
def test_damaged_bags(bag, tmp_path, data):
    (original,) = bag.glob("*.mcap")
    copy = tmp_path / "bag"
    shutil.copytree(bag, copy, dirs_exist_ok=True)
    (copy / original.name).write_bytes(data.draw(damaged(original.read_bytes())))
    with contextlib.suppress(AirsideError), BagReader(copy) as reader:
        for event in reader.messages():
            if hasattr(event, "decode"):
                with contextlib.suppress(CorruptImage):
                    event.decode()
