import numpy as np
import pytest

from airside_perception.occupancy.decoding import decode_centers
from airside_perception.occupancy.heading import decode_heading, encode_heading
from airside_perception.occupancy.network_spec import BOX_CHANNELS


def empty_maps(spec):
    shape = spec.grid.shape[:2]
    return np.zeros((3, *shape), np.float32), np.zeros((3, BOX_CHANNELS, *shape), np.float32)


def put(boxes, class_id, x, y, offset=(0.0, 0.0), z=1.0, size=(4.0, 2.0, 2.0), yaw=0.0, cell=(1.0, 1.0)):
    boxes[class_id, :, x, y] = [*offset, z, *np.log(size), *encode_heading(yaw, *cell)]


def test_a_peak_becomes_its_box(small_spec):
    heatmap, boxes = empty_maps(small_spec)
    heatmap[1, 10, 4], heatmap[1, 11, 4] = 0.8, 0.5
    put(boxes, 1, 10, 4, offset=(0.25, -0.5), z=1.2, yaw=2.5, cell=(2.5, -3.5))
    found, class_id, score, peak = decode_centers(heatmap, boxes, small_spec)
    # Cell (10, 4) has its centre at (2.5, -3.5) on this 1 m grid.
    assert found.shape == (1, 7)
    assert class_id.tolist() == [1]
    assert peak.tolist() == [[10, 4]]
    assert score[0] == pytest.approx(0.8)
    assert found[0] == pytest.approx([2.75, -4.0, 1.2, 4.0, 2.0, 2.0, 2.5], abs=1e-5)


def test_duplicates_of_one_class_are_dropped_best_kept(small_spec):
    heatmap, boxes = empty_maps(small_spec)
    for class_id, x, score, size in ((0, 5, 0.6, 9.0), (0, 7, 0.9, 9.0), (2, 7, 0.5, 0.5), (2, 9, 0.4, 0.5)):
        heatmap[class_id, x, 8] = score
        put(boxes, class_id, x, 8, size=(size, size, 2.0))
    _found, class_id, score, _cell = decode_centers(heatmap, boxes, small_spec)
    assert class_id.tolist() == [0, 2, 2]
    assert score == pytest.approx([0.9, 0.5, 0.4])


def test_nothing_and_nonsense_give_no_boxes(small_spec):
    heatmap, boxes = empty_maps(small_spec)
    assert len(decode_centers(heatmap, boxes, small_spec)[0]) == 0
    heatmap[0, 3, 3] = 0.9
    boxes[0, 0, 3, 3] = np.nan
    assert len(decode_centers(heatmap, boxes, small_spec)[0]) == 0


def test_headings_survive_encoding_all_around():
    angle = np.linspace(-np.pi, np.pi, 37)
    yaw, bearing = (a.ravel() for a in np.meshgrid(angle, angle))
    x, y = 7 * np.cos(bearing), 7 * np.sin(bearing)
    decoded = decode_heading(encode_heading(yaw, x, y).T, x, y)
    assert np.abs(np.angle(np.exp(1j * (decoded - yaw)))).max() < 1e-9


def test_an_unsure_front_keeps_its_axis():
    # The single angle is all but averaged out; a trace of it picks the side, the doubled angle the axis.
    values = encode_heading(0.7, np.array([3.0]), np.array([1.0])).T * [0.01, 0.01, 1.0, 1.0]
    assert decode_heading(values, np.array([3.0]), np.array([1.0]))[0] == pytest.approx(0.7)
