"""Layers of pixels: normals, object coordinates and flow must agree with depth, poses and motion."""

import cv2
import numpy as np
import pytest

from airside_perception.errors import AirsideError
from airside_perception.geometry.cameras import Camera
from airside_perception.geometry.se3 import invert_transform, transform_points
from airside_perception.synth.generate import SynthOptions, run_synth
from airside_perception.synth.pixel_layers import LAYERS, PixelLayers, read_flow, write_layer
from airside_perception.synth.scenario import build_scene

TIME = 0.8


@pytest.fixture(scope="module")
def busy(small_rig):
    """A scene with traffic, and a camera that sees some of it."""
    return build_scene(3, "train", small_rig, 4.0, layout="stands", condition="clear")


@pytest.fixture(scope="module", params=["linear", "fisheye"])
def view(request, busy, small_rig):
    camera = small_rig.cameras["left"]
    if request.param == "fisheye":
        camera = Camera(
            "left", camera.width, camera.height, camera.intrinsics, camera.base_from_camera, "equidistant",
            np.array([0.02, -0.01, 0.0, 0.0]),
        )  # fmt: skip
    return camera, PixelLayers(busy).render(TIME, camera, LAYERS)


def world_points(scene, camera, depth, time_s):
    """(H, W, 3) of a depth image."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.unproject(np.stack([columns, rows], -1).reshape(-1, 2).astype(float))
    points = rays / rays[:, 2:] * depth.reshape(-1, 1)
    return transform_points(scene.odom_from_base(time_s) @ camera.base_from_camera, points).reshape(*depth.shape, 3)


def test_layers_have_the_promised_shapes(view):
    camera, layers = view
    shape = (camera.height, camera.width)
    assert tuple(layers) == LAYERS
    assert layers["instance"].shape == shape
    assert layers["instance"].dtype == np.uint16
    for name in ("normals", "object_coordinates"):
        assert layers[name].shape == (*shape, 3)
        assert layers[name].dtype == np.float32
    for name in ("forward_flow", "backward_flow"):
        assert layers[name].shape == (*shape, 2)


def test_instances_and_object_coordinates_lead_back_to_the_depth_image(busy, view):
    from airside_perception.synth.raster_backend import RasterBackend

    camera, layers = view
    image = RasterBackend(busy).render(TIME, camera, np.random.default_rng(0))
    np.testing.assert_array_equal(layers["instance"], np.maximum(image.item + 1, 0))
    points = world_points(busy, camera, image.depth, TIME)
    errors = []
    for index in np.unique(image.item[image.item >= 0]):
        item = busy.objects[index]
        if item.stride > 0:
            continue  # a stride leaves the box; its coordinates are clipped
        own = image.item == index
        local = (layers["object_coordinates"][own].astype(np.float64) - 0.5) * item.asset.size
        away = transform_points(item.pose(TIME), local) - points[own]
        errors.append(np.linalg.norm(away, axis=1) / image.depth[own])
    errors = np.concatenate(errors)
    assert len(errors) > 500
    # Of a fisheye the nearest pixel of the pinhole behind it is half a pixel off.
    limit = 0.001 if camera.is_linear else 0.02
    assert np.median(errors) < limit


def test_normals_are_of_unit_length_and_face_the_camera(busy, view):
    camera, layers = view
    normal, seen = layers["normals"], np.linalg.norm(layers["normals"], axis=-1) > 0
    np.testing.assert_allclose(np.linalg.norm(normal[seen], axis=-1), 1.0, atol=1e-4)
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.unproject(np.stack([columns, rows], -1).reshape(-1, 2).astype(float))
    pose = busy.odom_from_base(TIME) @ camera.base_from_camera
    facing = -(normal * (rays @ pose[:3, :3].T).reshape(normal.shape)).sum(-1)
    assert (facing[seen] > -0.05).mean() > 0.97
    ground = (layers["instance"] == 0) & seen
    np.testing.assert_allclose(normal[ground], np.broadcast_to([0, 0, 1], normal[ground].shape), atol=1e-6)


def test_flow_carries_every_surface_to_where_it_is_then(busy, view):
    """Objects by their own pose, the ground by the vehicle's motion."""
    camera, layers = view
    step = 1.0 / busy.rate_hz
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    here = np.stack([columns, rows], -1).astype(float)
    for name, then in (("forward_flow", TIME + step), ("backward_flow", TIME - step)):
        pose = invert_transform(busy.odom_from_base(then) @ camera.base_from_camera)
        checked = 0
        for index in np.unique(layers["instance"][layers["instance"] > 0]).astype(int) - 1:
            item = busy.objects[index]
            if item.stride > 0:
                continue
            own = layers["instance"] == index + 1
            local = (layers["object_coordinates"][own].astype(np.float64) - 0.5) * item.asset.size
            expected, valid = camera.project(transform_points(pose @ item.pose(then), local))
            error = np.linalg.norm(here[own] + layers[name][own] - expected, axis=1)[valid]
            assert np.median(error) < (0.05 if camera.is_linear else 0.8)
            checked += item.trajectory.moves
        assert checked > 0, "no moving object was in view: the test shows nothing"


def test_unasked_layers_are_not_made_and_unknown_ones_refused(busy, small_rig):
    layers = PixelLayers(busy)
    assert tuple(layers.render(TIME, small_rig.cameras["front"], ("normals",))) == ("normals",)
    with pytest.raises(AirsideError, match="--layers: expected some of instance"):
        layers.render(TIME, small_rig.cameras["front"], ("albedo",))


def test_flow_files_keep_flow_to_a_64th_of_a_pixel(tmp_path):
    rng = np.random.default_rng(0)
    flow = rng.uniform(-200, 200, (20, 30, 2)).astype(np.float32)
    flow[3, 4] = np.nan
    flow[5, 6] = 600.0
    write_layer(tmp_path / "flow.png", "forward_flow", flow)
    again = read_flow(tmp_path / "flow.png")
    assert np.isnan(again[3, 4]).all()
    assert np.isnan(again[5, 6]).all()
    known = np.isfinite(again)
    assert known.sum() == flow.size - 4
    np.testing.assert_allclose(again[known], flow[known], atol=0.5 / 64 + 1e-4)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(AirsideError, match="16-bit PNG"):
        read_flow(tmp_path / "broken.png")


def test_sequences_hold_the_layers_that_were_asked_for(tmp_path, small_rig):
    rig = tmp_path / "rig.yaml"
    small_rig.save(rig)
    options = SynthOptions(
        out=tmp_path / "s", rig=str(rig), duration_s=0.2, rate_hz=5.0, progress=False, layers=("normals", "instance")
    )
    run_synth(options)
    truth = tmp_path / "s" / "ground_truth"
    normals = cv2.imread(str(truth / "normals" / "front" / "0000.png"), cv2.IMREAD_UNCHANGED)
    assert normals.shape == (120, 192, 3)
    assert normals.dtype == np.uint16
    assert (truth / "instance" / "rear" / "0000.png").is_file()
    assert not (truth / "forward_flow").exists()
    with pytest.raises(AirsideError, match="--layers"):
        run_synth(SynthOptions(out=tmp_path / "t", layers=("colour",), progress=False))
