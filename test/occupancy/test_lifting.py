import numpy as np
import pytest
from surround_cameras import surround_camera

from airside_perception.errors import AirsideError
from airside_perception.occupancy.lifting import build_lifting_tables


def reference_views(cameras, spec, point):
    """Plain loop: {camera number: (feature cell, fractional depth bin)} of every camera that sees `point`."""
    views = {}
    for number, camera in enumerate(cameras):
        scaled = camera.resized(*spec.image_size)
        pixel, depth, inside = scaled.project_base(point[None].astype(np.float64))
        if inside[0] and depth[0] > 0.3:
            column, row = int((pixel[0, 0] + 0.5) // 4), int((pixel[0, 1] + 0.5) // 4)
            cell = (number * spec.lift_size[1] + row) * spec.lift_size[0] + column
            views[number] = (cell, float(spec.depth_bin(depth)[0]))
    return views


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("pinhole", ()),
        ("plumb_bob", (-0.2, 0.05, 0.001, -0.002, 0.0)),
        ("equidistant", (0.02, -0.003, 0.0, 0.0)),
    ],
)
def test_tables_agree_with_a_plain_loop(small_spec, model, distortion):
    cameras = [surround_camera(np.pi / 2 * i, f"c{i}", model=model, distortion=distortion) for i in range(4)]
    tables = build_lifting_tables(cameras, small_spec)
    images = small_spec.lift_size[0] * small_spec.lift_size[1]
    depth_images = small_spec.depth_size[0] * small_spec.depth_size[1] * small_spec.depth_bins
    for index in range(0, small_spec.lift_point_count, 7):
        views = reference_views(cameras, small_spec, small_spec.lift_points()[index])
        filled = tables.slot_weight[:, index] > 0
        assert filled.sum() == min(len(views), 2)
        for slot in np.flatnonzero(filled):
            number = tables.feature_index[slot, index] // images
            cell, depth_bin = views[number]
            assert tables.feature_index[slot, index] == cell
            assert tables.depth_index[slot, index] // depth_images == number
            found = tables.depth_index[slot, index] % small_spec.depth_bins + tables.depth_fraction[slot, index]
            assert found == pytest.approx(depth_bin, abs=1e-4)


def test_weights_sum_to_one_where_covered(small_spec):
    wide = [surround_camera(np.pi / 2 * index, f"wide_{index}", focal=40.0) for index in range(4)]
    tables = build_lifting_tables(wide, small_spec)
    total = tables.slot_weight.sum(axis=0)
    assert set(np.unique(total)) <= {0.0, 1.0}
    assert 0.7 < tables.covered.mean() < 1.0
    assert (tables.slot_weight[1] > 0).any(), "neighbours overlap, so some points have two views"


def test_image_size_does_not_matter(small_spec, ring):
    doubled = [camera.resized(256, 128) for camera in ring]
    ours, theirs = build_lifting_tables(ring, small_spec), build_lifting_tables(doubled, small_spec)
    assert np.array_equal(ours.feature_index, theirs.feature_index)


def test_cameras_that_look_away_are_refused(small_spec):
    camera = surround_camera(0.0, "far")
    pose = camera.base_from_camera.copy()
    pose[0, 3] = 100.0
    with pytest.raises(AirsideError, match=r"no camera of the rig \(far\) looks into the grid"):
        build_lifting_tables([camera.with_pose(pose)], small_spec)
    with pytest.raises(AirsideError, match="at least one camera"):
        build_lifting_tables([], small_spec)
