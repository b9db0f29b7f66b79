import json
from dataclasses import replace

import numpy as np
import pytest

from airside_perception.errors import AirsideError
from airside_perception.occupancy.network_spec import FORMAT_VERSION, NetworkSpec


def test_json_round_trip(small_spec):
    assert NetworkSpec.from_json(small_spec.to_json()) == small_spec


def test_depth_bins_are_log_spaced_and_invert(small_spec):
    centers = small_spec.bin_centers()
    assert centers[0] == pytest.approx(1.0)
    assert centers[-1] == pytest.approx(20.0)
    assert np.allclose(small_spec.depth_bin(centers), np.arange(12))
    assert small_spec.depth_bin(np.array([0.0, 500.0])).tolist() == [0.0, 11.0]


def test_lift_points_run_plane_fastest(small_spec):
    points = small_spec.lift_points()
    assert points.shape == (16 * 16 * 2, 3)
    assert points[0].tolist() == [-7.5, -7.5, 0.0]
    assert points[1].tolist() == [-7.5, -7.5, 1.0]
    assert points[2].tolist() == [-7.5, -6.5, 0.0]


@pytest.mark.parametrize("image_size", [(640, 400), (100, 64), (32, 32)])
def test_image_size_must_fit_the_strides(small_spec, image_size):
    with pytest.raises(AirsideError, match="image_size"):
        replace(small_spec, image_size=image_size)


def test_other_format_version_is_refused(small_spec):
    fields = json.loads(small_spec.to_json())
    fields["format_version"] = 99
    with pytest.raises(AirsideError, match=f"format_version {FORMAT_VERSION}, got 99"):
        NetworkSpec.from_json(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "[]", '{"format_version": 1}', '{"format_version": 1, "grid": 3}'])
def test_garbage_is_refused(text):
    with pytest.raises(AirsideError, match="network metadata"):
        NetworkSpec.from_json(text)
