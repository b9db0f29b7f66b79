import numpy as np
import pytest
from occupancy_samples import SPEC, drawn_sample

from airside_perception.errors import AirsideError
from airside_perception.geometry.boxes import box_corners, points_in_boxes
from airside_perception.geometry.object_range import cell_angles
from airside_perception.occupancy.heading import decode_heading
from airside_perception.occupancy.network_spec import OBJECT_CHANNELS
from airside_perception.records import GridSpec
from airside_perception.training.object_kinds import UNKNOWN_KIND, object_kinds
from airside_perception.training.occupancy_augment import augment, drop_camera, mirror, turn
from airside_perception.training.occupancy_batches import make_batch
from airside_perception.training.occupancy_data import (
    SamplePool,
    TrainingSample,
    load_sample,
    resize_sample,
    save_sample,
)
from airside_perception.training.occupancy_pixel_targets import object_targets
from airside_perception.training.occupancy_targets import center_targets, depth_target


def test_samples_survive_the_disk(tmp_path):
    sample = drawn_sample(3, distortion=(-0.1, 0.01, 0.001, 0.002, 0.0))
    save_sample(tmp_path / "a.npz", sample)
    loaded = load_sample(tmp_path / "a.npz")
    for name in ("depth", "semantic", "occupancy", "observed", "boxes", "box_class", "box_velocity", "box_kind"):
        assert np.array_equal(getattr(loaded, name), getattr(sample, name)), name
    assert np.abs(loaded.images.astype(int) - sample.images).mean() < 4.0
    for ours, theirs in zip(sample.cameras, loaded.cameras, strict=True):
        assert np.array_equal(ours.base_from_camera, theirs.base_from_camera)
        assert np.array_equal(ours.distortion, theirs.distortion)
        assert (ours.name, ours.distortion_model) == (theirs.name, theirs.distortion_model)


def test_broken_files_and_empty_pools_are_named(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(AirsideError, match=r"a\.npz: not a training sample"):
        load_sample(tmp_path / "a.npz")
    with pytest.raises(AirsideError, match="found none; run the generator"):
        SamplePool(tmp_path / "empty").draw()


def test_pool_uses_fresh_samples_first(tmp_path):
    pool = SamplePool(tmp_path)
    for name in ("a", "b"):
        save_sample(tmp_path / f"{name}.npz", drawn_sample(0))
    pool.draw()
    pool.draw()
    save_sample(tmp_path / "c.npz", drawn_sample(7))
    assert pool.refresh() == 3
    assert pool.draw().name == "c.npz"


def test_wrong_shapes_are_refused():
    fields = vars(drawn_sample(0)).copy()
    fields["depth"] = fields["depth"][:, :3]
    with pytest.raises(ValueError, match=r"TrainingSample.depth: expected shape \(4, 16, 32\)"):
        TrainingSample(**fields)


@pytest.mark.parametrize("distortion", [(), (-0.15, 0.02, 0.004, -0.006, 0.0)])
def test_mirrored_scene_is_consistent(distortion):
    """What mirrored cameras see of mirrored points lies at the flipped pixel."""
    sample = drawn_sample(1, distortion=distortion)
    flipped = mirror(sample, SPEC.grid)
    points = np.random.default_rng(0).uniform([-8, -8, 0], [8, 8, 3], (500, 3))
    for camera, twin in zip(sample.cameras, flipped.cameras, strict=True):
        pixels, depth, inside = camera.project_base(points)
        twin_pixels, twin_depth, twin_inside = twin.project_base(points * [1, -1, 1])
        assert inside.sum() > 20
        assert np.array_equal(inside, twin_inside)
        assert np.allclose(depth, twin_depth)
        assert np.allclose(twin_pixels[inside, 0], camera.width - 1 - pixels[inside, 0])
        assert np.allclose(twin_pixels[inside, 1], pixels[inside, 1])
    assert np.array_equal(flipped.occupancy, sample.occupancy[:, ::-1])
    twice = mirror(flipped, SPEC.grid)
    assert np.array_equal(twice.images, sample.images)
    assert np.allclose(twice.boxes, sample.boxes)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_turned_scene_is_consistent(quarters):
    """The same pixels show the same box, which lies in the same voxels, all turned together."""
    sample = drawn_sample(1)
    turned = turn(sample, SPEC.grid, quarters)
    corners, turned_corners = box_corners(sample.boxes.astype(float)), box_corners(turned.boxes.astype(float))
    for camera, twin in zip(sample.cameras, turned.cameras, strict=True):
        assert np.allclose(camera.project_base(corners)[0], twin.project_base(turned_corners)[0], atol=1e-3)
    inside = points_in_boxes(SPEC.grid.centers().reshape(-1, 3), turned.boxes.astype(float)).reshape(SPEC.grid.shape)
    assert (turned.occupancy[inside] == 3).mean() > 0.9
    back = turn(turned, SPEC.grid, 4 - quarters)
    assert np.array_equal(back.occupancy, sample.occupancy)
    assert np.allclose(back.box_velocity, sample.box_velocity, atol=1e-6)


def test_turning_needs_a_square_grid():
    with pytest.raises(ValueError, match="expected a square grid around the vehicle"):
        turn(drawn_sample(1), GridSpec((-8.0, -4.0, -1.0), (1.0, 1.0, 1.0), (16, 8, 4)), 1)


@pytest.mark.parametrize("size", [(128, 64), (64, 32)])
def test_object_targets_point_to_the_box(size):
    """Range, bearing and heading that every cell is told lead back to the one box of the scene."""
    sample = resize_sample(drawn_sample(5), size)
    assert sample.images.shape[1:3] == size[::-1]
    targets = object_targets(sample)
    weights, kinds = targets.weight, targets.kinds
    assert set(kinds[weights > 0]) == {object_kinds().index("bus")}
    assert set(kinds[weights == 0]) == {UNKNOWN_KIND}
    assert targets.objects.shape == (4, OBJECT_CHANNELS, size[1] // 8, size[0] // 8)
    x, y, _, length, width, height, yaw = sample.boxes[0]
    found = 0
    for camera, maps, ranges, weight in zip(
        sample.cameras, targets.objects, targets.ranges, weights, strict=True
    ):  # fmt: skip
        for row, column in np.argwhere(weight > 0):
            values = maps[:, row, column]
            ray = camera.base_from_camera[:3, :3] @ camera.unproject(np.array([8.0 * column + 2, 8.0 * row + 2]))
            bearing = np.arctan2(ray[1], ray[0])
            distance = np.exp(values[4])
            towards = bearing + np.arcsin(values[5] / distance)
            center = camera.position[:2] + distance * np.array([np.cos(towards), np.sin(towards)])
            assert center == pytest.approx([x, y], abs=1e-3)
            # The other answer is a pixel: that many cells below this one the camera sees the ground under the centre.
            pixel = np.array([[8.0 * column + 2, 8.0 * row + 2]])
            depression, span = cell_angles(camera, pixel, 8.0)
            told = ranges[:, row, column].astype(np.float64)
            assert told[0] == values[4]
            assert np.tan(depression[0] + told[1] * span[0]) * distance == pytest.approx(camera.position[2], rel=1e-4)
            assert np.exp(values[6:9]) == pytest.approx([length, width, height], rel=1e-5)
            heading = decode_heading(values[None, :4], np.cos([bearing]), np.sin([bearing]))[0]
            assert np.cos(heading - yaw) == pytest.approx(1.0, abs=1e-5)
            found += 1
        seen = weight[weight > 0]
        assert len(seen) == 0 or seen.sum() == pytest.approx(np.sqrt(len(seen)))
    assert found >= 4


@pytest.mark.parametrize("mirrored", [False, True])
def test_surface_targets_lie_on_the_ray_of_their_cell(mirrored):
    """The place on the box, led back to metres, is the point that the depth label puts on the cell's ray."""
    sample = drawn_sample(5)
    sample = mirror(sample, SPEC.grid) if mirrored else sample
    targets = object_targets(sample)
    x, y, z, *size, yaw = sample.boxes[0].astype(np.float64)
    axes = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    found = 0
    for index, camera in enumerate(sample.cameras):
        for row, column in np.argwhere(targets.weight[index] > 0):
            place = targets.surface[index][:, row, column].astype(np.float64)
            assert (np.abs(place) * size < np.array(size) / 2 + 0.2).all()
            point = axes @ (place * size) + [x, y, z]
            pixels, depth, _ = camera.project_base(point[None])
            assert pixels[0] == pytest.approx([8 * column + 2, 8 * row + 2], abs=0.01)
            assert depth[0] == pytest.approx(sample.depth[index][2 * row, 2 * column] / 100, abs=0.01)
            found += 1
    assert found >= 4


def test_augmentation_changes_pixels_not_labels():
    sample = drawn_sample(2)
    random = np.random.default_rng(0)
    before = sample.images.copy()
    seen = [augment(sample, SPEC.grid, random) for _ in range(6)]
    assert np.array_equal(sample.images, before)
    assert all((each.occupancy == 3).sum() == (sample.occupancy == 3).sum() for each in seen)
    assert len({each.images.tobytes() for each in seen}) == 6


def test_depth_target_keeps_the_nearest_surface():
    depth = np.full((1, 4, 4), 1000, np.uint16)
    depth[0, 1, 1] = 250
    depth[0, 2:, 2:] = 0
    assert depth_target(depth)[0].tolist() == [[2.5, 10.0], [10.0, 1000.0]]


def test_center_targets_decode_to_the_box():
    sample = drawn_sample(4)
    covered = np.ones(SPEC.grid.shape[:2], bool)
    targets = center_targets(sample, SPEC, covered)
    assert (targets.heatmap == 1.0).sum() == 1
    (x,), (y,) = np.nonzero(targets.heatmap[1] == 1.0)
    values = targets.boxes[1, :, x, y]
    cell = np.array(SPEC.grid.origin[:2]) + np.array([x, y]) + 0.5
    center = cell + values[:2]
    assert center == pytest.approx(sample.boxes[0, :2], abs=1e-5)
    assert np.exp(values[3:6]) == pytest.approx([3.0, 2.0, 2.0])
    yaw = decode_heading(values[None, 6:], cell[:1], cell[1:])
    assert yaw == pytest.approx(sample.boxes[0, 6], abs=1e-5)


def test_unseen_boxes_are_neither_object_nor_background():
    fields = vars(drawn_sample(4)).copy()
    fields["box_visibility"] = np.zeros(1, np.float32)
    targets = center_targets(TrainingSample(**fields), SPEC, np.ones(SPEC.grid.shape[:2], bool))
    assert targets.heatmap.max() == 0.0
    assert not targets.heatmap_mask[1].all()
    assert targets.heatmap_mask[0].all()


def test_batches_mix_camera_counts():
    samples = [drawn_sample(0, count=3), drop_camera(drawn_sample(1), 2)]
    batch = make_batch(samples, SPEC)
    assert batch.images.shape == (6, 3, 64, 128)
    filled = batch.slot_weight > 0
    cells = SPEC.lift_size[0] * SPEC.lift_size[1]
    assert (batch.feature_index[0][filled[0]] < 3 * cells).all()
    assert (batch.feature_index[1][filled[1]] >= 3 * cells).all()
    assert not batch.observed[1].all(), "what only the dropped camera covered is no longer asked for"
