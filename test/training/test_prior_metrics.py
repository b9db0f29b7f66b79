import numpy as np
import pytest
import torch

from airside_perception.synth.mesh_parts import box
from airside_perception.training.prior_metrics import chamfer_distance
from airside_perception.training.prior_views import clip_positions, render_views, ring_cameras


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
