import numpy as np
import pytest
import torch

from airside_perception.prior import TexturedMesh
from airside_perception.synth.mesh_parts import box, merge
from airside_perception.training.prior_metrics import (
    ObjectMesh,
    chamfer_distance,
    color_histogram,
    likeness,
    silhouette_iou,
    thin_points,
)
from airside_perception.training.prior_views import clip_positions, render_views, ring_cameras, split_faces


def test_chamfer_of_a_shifted_plane_is_the_shift():
    plane = np.stack(np.meshgrid(np.arange(30.0), np.arange(30.0), [0.0]), axis=-1).reshape(-1, 3)
    assert chamfer_distance(plane, plane) == 0
    assert chamfer_distance(plane, plane + [0, 0, 0.25]) == pytest.approx(0.25)


def test_ring_cameras_look_at_the_centre_with_up_at_the_top():
    size = np.array([4.0, 2.0, 2.0])
    clip = clip_positions(torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), ring_cameras(size), size)
    image = clip[..., :2] / clip[..., 3:]
    assert torch.allclose(image[:, 0], torch.zeros(8, 2), atol=1e-6)
    assert (image[:, 1, 1] < -0.2).all()
    assert ((clip[..., 2] / clip[..., 3]).abs() < 1).all()


def test_a_box_is_seen_from_all_sides_in_its_colour():
    mesh = box((0, 0, 0), (4.0, 2.0, 2.0), (0.9, 0.2, 0.1))
    vertices, faces = torch.from_numpy(mesh.vertices).float(), torch.from_numpy(np.asarray(mesh.faces))
    colors = torch.tensor([0.9, 0.2, 0.1]).expand(len(vertices), 3).contiguous()
    size = np.array([4.0, 2.0, 2.0])
    image, covered = render_views(vertices, faces, colors, ring_cameras(size), size)
    share = covered.float().mean(dim=(1, 2))
    assert share.min() > 0.08
    assert share.max() < 0.6
    assert torch.allclose(image[covered], torch.tensor([0.9, 0.2, 0.1]), atol=1e-4)
    assert torch.allclose(image[~covered], torch.tensor(0.5))


def with_mast() -> ObjectMesh:
    """A 4 m body with a thin mast on top and a pane of glass on its side."""
    body = box((0, 0, -0.5), (4.0, 2.0, 1.0), (0.9, 0.2, 0.1))
    mast = box((1.0, 0, 0.5), (0.05, 0.05, 1.0), (0.1, 0.1, 0.1))
    pane = box((0, 1.005, -0.5), (1.0, 0.01, 0.5), (0.1, 0.1, 0.2))
    mesh, size = merge([body, mast, pane]), np.array([4.0, 2.02, 2.0])
    return ObjectMesh(mesh.vertices / size, np.asarray(mesh.faces), np.asarray(mesh.face_colors), size)


def as_decoded(asset: ObjectMesh) -> TexturedMesh:
    corners, faces, colors = split_faces(asset.vertices, asset.faces, asset.face_colors)
    return TexturedMesh(corners, faces.int(), torch.zeros_like(corners), colors)


def test_thin_parts_are_those_that_stand_off():
    points = thin_points(with_mast(), np.random.default_rng(0))
    assert len(points) > 300
    assert np.abs(points[:, 0] - 1.0).max() < 0.03
    assert points[:, 2].min() > 0.05


def test_an_asset_is_like_itself_and_a_lost_mast_is_missed():
    asset = with_mast()
    cameras = ring_cameras(asset.size)
    same = likeness(as_decoded(asset), asset, cameras)
    assert same.silhouette_iou == 1.0
    assert same.foreground_psnr > 60
    assert same.chamfer < 0.01
    assert same.thin_recall == 1.0
    body = box((0, 0, -0.5), (4.0, 2.0, 1.0), (0.9, 0.2, 0.1))
    bare = ObjectMesh(body.vertices / asset.size, np.asarray(body.faces), np.asarray(body.face_colors), asset.size)
    lost = likeness(as_decoded(bare), asset, cameras)
    assert lost.thin_recall < 0.1
    assert 0.9 < lost.silhouette_iou < 1.0
    assert lost.triangles == 12


def test_a_silhouette_of_nothing_agrees_with_nothing():
    empty, full = torch.zeros(2, 4, 4, dtype=torch.bool), torch.ones(2, 4, 4, dtype=torch.bool)
    assert silhouette_iou(empty, empty).tolist() == [1.0, 1.0]
    assert silhouette_iou(empty, full).tolist() == [0.0, 0.0]


def test_histograms_share_out_the_covered_pixels():
    image = torch.zeros(1, 2, 2, 3)
    image[0, 0] = 1.0
    covered = torch.tensor([[[True, True], [True, False]]])
    histogram = color_histogram(image, covered)
    assert histogram.sum() == pytest.approx(1.0)
    assert sorted(histogram[histogram > 0]) == pytest.approx([1 / 3, 2 / 3])
