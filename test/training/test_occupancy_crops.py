import numpy as np
import pytest
import torch
from occupancy_samples import SPEC, drawn_sample

from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.training.occupancy_augment import augment
from airside_perception.training.occupancy_crops import CROP_SIZE, crop_sample, make_crop_batch
from airside_perception.training.occupancy_losses import OccupancyLoss


def test_crops_are_cameras_whose_labels_fit():
    """A surface point seen in a crop projects into the crop where its label says so."""
    sample = drawn_sample(1)
    crops = crop_sample(sample, np.random.default_rng(0), count=24)
    assert crops.images.shape == (24, CROP_SIZE, CROP_SIZE, 3)
    assert crops.semantic.shape == (24, CROP_SIZE // 4, CROP_SIZE // 4)
    checked = 0
    for camera, image, semantic in zip(crops.cameras, crops.images, crops.semantic, strict=True):
        center, depth, inside = camera.project_base(sample.boxes[0, :3].astype(float))
        if inside and depth > 0:
            column, row = np.floor((center + 0.5) / 4).astype(int)
            assert semantic[row, column] == 3
            pixel = image[4 * row + 2, 4 * column + 2].astype(int)
            assert np.abs(pixel - [230, 170, 20]).max() < 60
            checked += 1
    assert checked >= 2
    shows = [(semantic == 3).any() for semantic in crops.semantic]
    assert sum(shows) >= 16, "most crops are cut around the object"


def test_a_frame_without_objects_gives_background():
    fields = vars(drawn_sample(3)).copy()
    from airside_perception.training.occupancy_data import TrainingSample

    fields.update(
        boxes=np.zeros((0, 7), np.float32),
        box_class=np.zeros(0, np.uint8),
        box_visibility=np.zeros(0, np.float32),
        box_velocity=np.zeros((0, 2), np.float32),
        box_kind=np.array([], np.str_),
    )
    crops = crop_sample(TrainingSample(**fields), np.random.default_rng(0), count=4)
    assert len(crops.images) == 4


def test_the_image_part_learns_from_crops():
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    batch = make_crop_batch([augment(crop_sample(drawn_sample(1), random), SPEC.grid, random)], SPEC)
    assert (batch.object_weight > 0).any()
    network = OccupancyNetwork(SPEC)
    loss = OccupancyLoss(SPEC)
    optimizer = torch.optim.Adam([*network.parameters(), *loss.parameters()], lr=3e-3)
    totals = []
    for _ in range(12):
        seen, _ = network.look(batch.images, batch.geometry)
        total, terms = loss.of_images(seen, batch)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert set(terms) == {"semantic", "depth", "object", "surface", "range", "kind"}
    assert totals[-1] < 0.6 * totals[0]
    assert network.decoder.enter[0][0].weight.grad is None, "the ground plane is not touched"
    assert terms["object"] == pytest.approx(float(terms["object"]))
