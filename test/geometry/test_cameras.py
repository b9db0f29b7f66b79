"""Cameras against OpenCV's own models, and against their own inverse."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside_perception.errors import AirsideError
from airside_perception.geometry import Camera, camera_from_info, pose_from_xyz_yaw

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")

WIDTH, HEIGHT = 640, 400
DISTORTIONS = {
    "pinhole": [],
    "plumb_bob": [-0.30, 0.10, 0.001, -0.002, -0.01],
    "rational_polynomial": [0.5, 0.1, 0.001, -0.0005, 0.01, 0.8, 0.2, 0.02],
    "equidistant": [0.05, -0.01, 0.002, -0.0005],
}


def make_camera(model: str = "pinhole", focal: float = 300.0, **changes) -> Camera:
    if model == "equidistant":
        focal = 0.5 * focal
    intrinsics = np.array([[focal, 0, 322.0], [0, 1.02 * focal, 197.0], [0, 0, 1.0]])
    fields = {"distortion_model": model, "distortion": DISTORTIONS[model], **changes}
    return Camera("front", WIDTH, HEIGHT, intrinsics, **fields)


models = pytest.mark.parametrize("model", list(DISTORTIONS))
coordinates = st.floats(-10.0, 10.0)


@models
def test_project_agrees_with_opencv(model):
    camera = make_camera(model)
    angle, around = np.meshgrid(np.deg2rad(np.linspace(1, 55, 20)), np.linspace(0, 6, 20))
    points = np.stack([np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.cos(angle)], -1).reshape(
        -1, 3
    )
    points *= np.linspace(1, 60, len(points))[:, None]
    function = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    zero = np.zeros((3, 1))
    expected, _ = function(points[:, None], zero, zero, camera.intrinsics, camera.distortion)
    pixels, valid = camera.project(points)
    assert valid.all()
    assert pixels == pytest.approx(expected[:, 0], abs=1e-6)


@models
@given(coordinates, coordinates, coordinates)
def test_every_valid_point_comes_back(model, x, y, z):
    camera = make_camera(model)
    point = np.array([x, y, z])
    pixels, valid = camera.project(point)
    assert np.all(np.isfinite(pixels))
    if valid and np.linalg.norm(point) > 1e-3:
        angle = np.arctan2(np.hypot(x, y), z)
        if angle < 0.99 * camera.max_angle:
            assert camera.unproject(pixels) == pytest.approx(point / np.linalg.norm(point), abs=1e-6)


@models
@given(st.floats(-0.5, WIDTH - 0.5), st.floats(-0.5, HEIGHT - 0.5))
def test_every_pixel_comes_back(model, u, v):
    camera = make_camera(model)
    ray = camera.unproject([u, v])
    assert np.linalg.norm(ray) == pytest.approx(1.0)
    pixel, valid = camera.project(3.0 * ray)
    if np.hypot(u - 322.0, v - 197.0) < 300.0:
        assert valid
        assert pixel == pytest.approx([u, v], abs=1e-5)


def test_fold_of_the_polynomial_is_rejected():
    # r (1 - 0.3 r^2) grows up to r = 1.054 only; beyond it points would come back into the image.
    camera = make_camera("plumb_bob", distortion=[-0.3, 0, 0, 0, 0])
    limit = np.sqrt(1 / 0.9)
    radius = np.array([0.0, 0.5, limit - 0.01, limit + 0.01, 1.5, 1.8])
    pixels, valid = camera.project(np.stack([radius, 0 * radius, 1 + 0 * radius], -1))
    assert valid.tolist() == [True, True, True, False, False, False]
    assert np.degrees(camera.max_angle) == pytest.approx(np.degrees(np.arctan(limit)))
    assert np.all(np.diff(pixels[:, 0]) > 0)  # and even the meaningless ones never turn back


def test_fisheye_sees_behind_itself_but_not_everything():
    camera = make_camera("equidistant", focal=200.0, distortion=[0, 0, 0, 0])
    angle = np.deg2rad([0, 60, 100, 170, 180])
    points = np.stack([np.sin(angle), 0 * angle, np.cos(angle)], -1)
    pixels, valid = camera.project(points)
    assert valid.tolist() == [True, True, True, True, False]
    assert pixels[:4, 0] == pytest.approx(322.0 + 100.0 * angle[:4])
    assert camera.unproject(pixels[2]) == pytest.approx(points[2])
    _, depth, inside = camera.project_base(points)
    assert depth[2] < 0
    assert inside.tolist() == [True, True, True, True, False]


def test_points_behind_a_pinhole_are_invalid():
    _, valid = make_camera().project([[0, 0, 1], [0, 0, 0], [0, 0, -1], [1, 1, -1e-9]])
    assert valid.tolist() == [True, False, False, False]


def test_project_base_uses_the_mount():
    optical = np.array([[0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 2.0], [0, 0, 0, 1.0]])
    camera = make_camera(base_from_camera=optical)
    pixels, depth, inside = camera.project_base([[11.5, 0, 2.0], [11.5, 1.0, 2.0], [-5, 0, 2], [11.5, 0, 40.0]])
    assert depth == pytest.approx([10, 10, -6.5, 10])
    assert pixels[:2] == pytest.approx(np.array([[322, 197], [292, 197]]))
    assert inside.tolist() == [True, True, False, False]
    turned = camera.with_pose(pose_from_xyz_yaw(0, 0, 0, np.pi) @ optical)
    assert turned.project_base([-11.5, 0, 2.0])[0] == pytest.approx([322, 197])


def test_pixel_borders_belong_to_the_image():
    camera = make_camera()
    assert camera.contains([[-0.5, -0.5], [639.49, 399.49], [639.5, 0], [0, 399.5], [-0.51, 0]]).tolist() == (
        [True, True, False, False, False]
    )


@models
@given(st.integers(40, 1600), st.integers(40, 1600), coordinates, coordinates)
def test_resizing_keeps_the_view(model, width, height, x, y):
    """A point at a fraction of the image's area stays at that fraction."""
    camera = make_camera(model)
    point = np.array([x, y, 15.0])
    pixel, _ = camera.project(point)
    smaller = camera.resized(width, height)
    scaled, _ = smaller.project(point)
    assert (scaled + 0.5) / [width, height] == pytest.approx((pixel + 0.5) / [WIDTH, HEIGHT], abs=1e-9)
    assert smaller.resized(WIDTH, HEIGHT).intrinsics == pytest.approx(camera.intrinsics)


def test_resized_camera_matches_a_resized_image():
    """cv2.resize and Camera.resized share the convention: a blob stays where the camera says."""
    camera = make_camera()
    pixel, _ = camera.project(np.array([0.4, 0.2, 2.0]))
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    image = np.exp(-((u - pixel[0]) ** 2 + (v - pixel[1]) ** 2) / (2 * 8.0**2))
    small = cv2.resize(image, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
    v, u = np.mgrid[0 : HEIGHT // 4, 0 : WIDTH // 4]
    center = np.array([np.sum(u * small), np.sum(v * small)]) / np.sum(small)
    assert center == pytest.approx(camera.resized(WIDTH // 4, HEIGHT // 4).project([0.4, 0.2, 2.0])[0], abs=1e-3)


def test_cropping_shifts_pixels():
    camera = make_camera("plumb_bob")
    point = np.array([0.3, -0.2, 2.0])
    crop = camera.cropped(100, 50, 96, 96)
    assert crop.project(point)[0] == pytest.approx(camera.project(point)[0] - [100, 50])
    assert (crop.width, crop.height) == (96, 96)


@models
def test_clip_positions_land_on_the_projected_pixels(model):
    camera = make_camera(model)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2000, 3)) * [8, 8, 20]
    pixels, valid = camera.project(points)
    clip = camera.clip_positions(points, near=0.2, far=100.0)
    assert clip.dtype == np.float32
    assert clip.shape == (2000, 4)
    assert clip[:, 3] == pytest.approx(points[:, 2], rel=1e-5)  # w is the optical-axis depth
    seen = valid & (points[:, 2] > 0.2) & camera.contains(pixels)
    ndc = clip[seen, :3] / clip[seen, 3:]
    from_clip = 0.5 * (ndc[:, :2] + 1.0) * [WIDTH, HEIGHT] - 0.5
    assert seen.sum() > 100
    assert from_clip == pytest.approx(pixels[seen], abs=2e-3)
    depth = points[seen, 2]
    assert ndc[:, 2] == pytest.approx((100.2 - 2 * 20.0 / depth) / 99.8, abs=1e-4)


def test_clip_positions_behind_the_camera_are_those_of_a_pinhole():
    points = np.array([[1.0, 2.0, -3.0], [0.0, 0.0, 0.0]])
    bent, straight = make_camera("plumb_bob").clip_positions(points), make_camera().clip_positions(points)
    assert bent == pytest.approx(straight)
    assert np.all(np.isfinite(straight))


def test_clip_rows_are_image_rows():
    """The top-left pixel's centre is half a pixel inside the corner (-1, -1)."""
    camera = make_camera()
    clip = camera.clip_positions(5.0 * camera.unproject([0.0, 0.0]))
    assert clip[:2] / clip[3] == pytest.approx([1 / WIDTH - 1, 1 / HEIGHT - 1], abs=1e-6)


def test_ground_intersection():
    optical = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 2.0], [0, 0, 0, 1.0]])
    camera = make_camera(base_from_camera=optical)
    target = np.array([12.0, 3.0, 0.0])
    pixels, _, _ = camera.project_base(target)
    points, hit = camera.ground_intersection(np.stack([pixels, [322.0, 100.0]]))
    assert hit.tolist() == [True, False]  # the second looks above the horizon
    assert points[0] == pytest.approx(target)
    raised, _ = camera.ground_intersection(pixels, height=1.0)
    assert raised == pytest.approx([6.0, 1.5, 1.0])


def test_camera_info_without_calibration_is_refused():
    with pytest.raises(AirsideError, match=r"'rear_left': camera_info.k\[0\] is 0 \(uncalibrated\). Calibrate it"):
        camera_from_info("rear_left", 640, 400, np.zeros(9), [], "plumb_bob", np.eye(4))


def test_camera_info_variants():
    k = [300, 0, 320, 0, 300, 200, 0, 0, 1]
    assert camera_from_info("a", 640, 400, k, [], "", np.eye(4)).distortion_model == "pinhole"
    assert camera_from_info("a", 640, 400, k, [0] * 5, "plumb_bob", np.eye(4)).is_linear
    assert camera_from_info("a", 640, 400, k, [0.1] * 4, "plumb_bob", np.eye(4)).distortion.tolist() == [0.1] * 4 + [0]
    assert not camera_from_info("a", 640, 400, k, [0] * 4, "equidistant", np.eye(4)).is_linear
    # OpenCV's 14-parameter form is fine while the thin-prism terms are zero.
    assert (
        len(camera_from_info("a", 640, 400, k, [0.1] * 8 + [0] * 6, "rational_polynomial", np.eye(4)).distortion) == 8
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distortion_model": "omni"}, "got 'omni'"),
        ({"distortion": [0.1] * 6}, "takes 0 finite distortion coefficients"),
        ({"base_from_camera": np.eye(3)}, r"got \(3, 3\) and \(3, 3\)"),
        ({"model": "plumb_bob", "distortion": [np.nan] * 5}, "finite"),
        ({"focal": -1.0}, "focal lengths > 0"),
    ],
)
def test_nonsense_is_refused(changes, message):
    with pytest.raises(AirsideError, match=message):
        make_camera(**changes)
