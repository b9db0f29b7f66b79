import numpy as np
import pytest
from surround_cameras import surround_camera

from airside_perception.occupancy.visibility import VisibilityTracker, camera_rays, camera_visibility
from airside_perception.records import NEVER_SEEN, SEEN_BEFORE, SEEN_NOW, CameraImage, GridSpec, RigFrame

SPEC = GridSpec((-8.0, -8.0, -1.0), (0.5, 0.5, 0.5), (32, 32, 10))


def frame(cameras, x=0.0, y=0.0, yaw=0.0):
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:2, 3] = x, y
    images = {c.name: CameraImage(c, np.zeros((c.height, c.width, 3), np.uint8), 0) for c in cameras}
    return RigFrame(0, images, (), pose)


def reference_visibility(rays, occupied):
    """Slow twin: all crossings of a ray with grid planes, sorted; the midpoints in between name the voxels."""
    seen = np.zeros(occupied.shape, bool)
    sizes = np.asarray(occupied.shape)
    for direction, camera in zip(rays.directions.astype(float), rays.camera_of_ray, strict=True):
        origin = rays.origins[camera].astype(float)
        crossings = [np.zeros(1)]
        for axis in range(3):
            if abs(direction[axis]) > 1e-9:
                crossings.append((np.arange(sizes[axis] + 1) - origin[axis]) / direction[axis])
        times = np.unique(np.concatenate(crossings))
        times = times[times >= 0]
        for middle, length in zip((times[1:] + times[:-1]) / 2, np.diff(times), strict=True):
            voxel = np.floor(origin + middle * direction).astype(int)
            if (voxel < 0).any() or (voxel >= sizes).any() or length < 1e-3:
                continue  # slivers at edges belong to either side in float32
            seen[tuple(voxel)] = True
            if occupied[tuple(voxel)]:
                break
    return seen


@pytest.mark.parametrize("model", ["pinhole", "equidistant"])
def test_rays_agree_with_the_slow_twin(model):
    cameras = [surround_camera(yaw, f"c{yaw}", model=model) for yaw in (0.3, 2.4)]
    random = np.random.default_rng(5)
    occupied = random.random(SPEC.shape) < 0.03
    occupied[:, :, 0] = True
    rays = camera_rays(cameras, SPEC, stride=5)
    fast, slow = camera_visibility(rays, occupied), reference_visibility(rays, occupied)
    assert slow.mean() > 0.05
    # Rays that graze an edge may fall to either side: a few voxels in a thousand.
    assert (fast != slow).mean() < 0.002


def test_a_wall_hides_what_is_behind_it():
    occupied = np.zeros(SPEC.shape, bool)
    occupied[24] = True  # x from 4.0 to 4.5 m
    seen = camera_visibility(camera_rays([surround_camera(0.0)], SPEC, stride=1), occupied)
    assert seen[24, 12:20, 2:8].all(), "the wall itself is seen"
    assert not seen[25:].any(), "nothing behind it is"
    assert seen[20, 14:18, 4:6].all(), "free space before it is"
    assert not seen[:16].any(), "nothing behind the camera is"


def test_disabled_cameras_see_nothing():
    rays = camera_rays([surround_camera(0.0, "front"), surround_camera(np.pi, "rear")], SPEC)
    occupied = np.zeros(SPEC.shape, bool)
    seen = camera_visibility(rays, occupied, enabled=["rear"])
    assert seen[:14].any()
    assert not seen[20:].any()
    assert not camera_visibility(rays, occupied, enabled=[]).any()


def test_memory_follows_the_vehicle():
    tracker = VisibilityTracker(SPEC, stride=2)
    occupied = np.zeros(SPEC.shape, bool)
    first = tracker.update(frame([surround_camera(0.0)]), occupied)
    assert set(np.unique(first)) == {NEVER_SEEN, SEEN_NOW}
    # Turned round on the spot: what lay ahead lies behind and is remembered.
    turned = tracker.update(frame([surround_camera(0.0)], yaw=np.pi), occupied)
    assert (turned[20:, 14:18, 5] == SEEN_NOW).all()
    assert (turned[2:12, 14:18, 5] == SEEN_BEFORE).mean() > 0.95
    # Driven 3 m on (six voxels), memory moves by six voxels.
    tracker.reset()
    tracker.update(frame([surround_camera(0.0)]), occupied)
    moved = tracker.update(frame([], x=3.0), occupied)
    assert np.array_equal(moved[:26] == SEEN_BEFORE, first[6:] == SEEN_NOW)
    assert (moved[26:] == NEVER_SEEN).all()


def test_memory_survives_a_long_drive_and_leaves_the_far_past():
    tracker = VisibilityTracker(SPEC, stride=2, margin=4.0)
    occupied = np.zeros(SPEC.shape, bool)
    for x in np.arange(0.0, 40.0, 1.0):
        result = tracker.update(frame([surround_camera(0.0)], x=x), occupied)
    assert (result[:14, 14:18, 5] == SEEN_BEFORE).all()
    far = tracker.update(frame([], x=500.0), occupied)
    assert (far == NEVER_SEEN).all()


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="expected occupied of shape"):
        VisibilityTracker(SPEC).update(frame([]), np.zeros((3, 3, 3), bool))
