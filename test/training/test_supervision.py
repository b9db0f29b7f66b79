"""Rays of 2D labels: drawing, masking and voting, and what each contract teaches, against cases worked by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from occupancy_samples import SPEC, drawn_sample
from ray_scenes import GRID, make_rays, random_rays

from airside_perception.errors import AirsideError
from airside_perception.geometry.boxes import points_in_boxes
from airside_perception.records import GridSpec
from airside_perception.training.adjacent_frames import AdjacentFrame, moving_pixels
from airside_perception.training.label_rays import (
    before_moving_boxes,
    box_entry,
    class_weights,
    draw_rays,
    weighted_draw,
)
from airside_perception.training.occupancy_augment import mirror, turn
from airside_perception.training.occupancy_batches import make_batch
from airside_perception.training.occupancy_data import load_sample, save_sample
from airside_perception.training.occupancy_losses import OccupancyLoss
from airside_perception.training.occupancy_trainer import OccupancyTrainer
from airside_perception.training.ray_votes import crossed_voxels, query_voxels
from airside_perception.training.supervision import Supervision
from airside_perception.training.training_options import TrainingOptions

WEAK = Supervision("2d", "both", rays=4000, rendered_rays=400)


@pytest.mark.parametrize("wrong", [{"contract": "3d"}, {"ray_terms": "nerf"}, {"rays": 0}])
def test_unknown_contracts_are_refused(wrong):
    with pytest.raises(AirsideError, match="expected"):
        Supervision(**wrong)


def test_contracts_describe_themselves():
    assert Supervision().describe() == "dense3d"
    assert Supervision("2d", "query", class_balance=False).describe() == "2d (query, without class balance)"
    assert Supervision("mixed", "both").describe() == "mixed (rendering and queries)"


def test_crossed_voxels_equal_a_fine_walk():
    """Points every 2 mm along each ray find the voxels that the exact march marks, but for slivers of corners."""
    for seed in range(40):
        rays = random_rays(1, seed)
        steps = np.arange(0.0, float(rays.distance[0]), 0.002)
        points = rays.origins + steps[:, None] * rays.directions
        cells = np.floor(points / 0.5).astype(int)
        cells = cells[((cells >= 0) & (cells < GRID.shape)).all(axis=1)]
        walked = np.zeros(GRID.shape, bool)
        walked[tuple(cells.T)] = True
        crossed = crossed_voxels(rays, GRID)
        assert not (walked & ~crossed).any()
        assert (crossed & ~walked).sum() <= 1


def test_votes_by_hand():
    """A person at 2 m, ground behind that a second ray grazes and a third meets, and sky."""
    grid = GridSpec((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (5, 2, 2))
    origin = [0.5, 0.5, 0.5]
    rays = make_rays(origin, [[1, 0, 0], [1, 0, 0], [1, 0.4, 0], [0, 0, 1]], [2.0, 2.0, 9.0, np.inf], [4, 1, 1, 0])
    label, known = query_voxels(rays, grid)
    assert label[2, 0, 0] == 4, "one vote for a thing beats the ground's"
    assert label[0, 0, 0] == label[1, 0, 0] == 0
    assert known[:3, 0, 0].all()
    assert not known[3, 0, 0], "nothing is known behind a surface unless another ray goes there"
    assert known[2, 1, 0], "crossed by the third ray"
    assert known[0, 0, 1], "under the sky"
    assert label.sum() == 4


def test_an_unlabelled_surface_is_neither_free_nor_anything():
    grid = GridSpec((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (5, 1, 1))
    label, known = query_voxels(make_rays([0.5, 0.5, 0.5], [[1, 0, 0], [1, 0, 0]], [2.2, 9.0], [0, 1]), grid)
    assert label[2, 0, 0] == 0
    assert known[:, 0, 0].tolist() == [True, True, False, True, True]


def test_votes_of_label_images_find_the_drawn_world():
    """The ground in its layer alone, the vehicle where its box is, and nothing free inside it."""
    sample = drawn_sample(3)
    grid = GridSpec((-8.0, -8.0, -1.5), (1.0, 1.0, 1.0), (16, 16, 5))
    label, known = query_voxels(draw_rays(sample, replace(WEAK, rays=10**6), np.random.default_rng(0)), grid)
    assert known.mean() > 0.25
    assert set(np.nonzero(label == 1)[2]) == {1}
    fine = np.stack(np.meshgrid(*(np.arange(-8, 8, 0.1),) * 2, np.arange(-0.5, 3, 0.1), indexing="ij"), -1)
    fine = fine.reshape(-1, 3)
    inside = fine[points_in_boxes(fine, sample.boxes.astype(float) + [0, 0, 0, 0.2, 0.2, 0.2, 0])[:, 0]]
    cells = np.floor(inside - grid.origin).astype(int)
    touched = np.zeros(grid.shape, bool)
    touched[tuple(cells.T)] = True
    assert (label == 3).sum() > 8
    assert touched[label == 3].all()
    centers = points_in_boxes(grid.centers().reshape(-1, 3), sample.boxes.astype(float) - [0, 0, 0, 0.6, 0.6, 0.6, 0])
    assert not (known & (label == 0) & centers.reshape(grid.shape)).any()


def test_rare_classes_are_drawn_more_often_and_never_twice():
    labels = np.array([1] * 90_000 + [4] * 300, np.uint8)
    table = class_weights(labels)
    assert table[4] / table[1] == pytest.approx(math.exp(0.005 * (300 - 1)))
    assert table[2] == 0.0
    drawn = weighted_draw(table[labels], 5000, np.random.default_rng(0))
    assert len(np.unique(drawn)) == 5000
    share = (labels[drawn] == 4).mean()
    assert share > 3 * 300 / 90_300
    assert set(weighted_draw(np.array([0.0, 1.0, 0.0]), 5, np.random.default_rng(0))) == {1}


def test_rays_lead_to_the_labelled_surfaces():
    sample = drawn_sample(5)
    rays = draw_rays(sample, WEAK, np.random.default_rng(0))
    ends = rays.origins + rays.directions * rays.distance[:, None]
    box = sample.boxes.astype(float).copy()
    box[:, 3:6] += 0.4
    assert points_in_boxes(ends[rays.label == 3], box).mean() > 0.97
    assert np.abs(ends[rays.label == 1][:, 2]).max() < 0.25
    assert np.isinf(rays.distance[rays.label == 0]).all()
    assert rays.cosine.min() > 0


def test_lidar_is_sparse_and_sees_no_sky():
    sample = drawn_sample(5)
    rays = draw_rays(sample, replace(WEAK, contract="lidar"), np.random.default_rng(0))
    assert 0 < len(rays) < 0.8 * sample.depth.size
    assert np.isfinite(rays.distance).all()


def with_moving_neighbour(moving_speed=2.0, seed=5):
    """A sample whose box drives; a moment before it stood elsewhere, as the adjacent label images show."""
    now, then = drawn_sample(seed), drawn_sample(seed + 1)
    velocity = np.array([[moving_speed, 0.0]], np.float32)
    moving = moving_pixels(then.cameras, then.depth, then.semantic, then.boxes, velocity)
    frame = AdjacentFrame(then.cameras, then.depth, then.semantic, moving)
    return replace(now, adjacent=(frame,), box_velocity=velocity), then


def test_moving_pixels_are_those_of_the_box():
    sample, then = with_moving_neighbour()
    assert (sample.adjacent[0].moving == (then.semantic == 3)).mean() > 0.999
    standing, _ = with_moving_neighbour(0.05)
    assert not standing.adjacent[0].moving.any()


def test_what_moves_is_masked_in_adjacent_rays():
    sample, then = with_moving_neighbour()
    everything = replace(WEAK, rays=10**6)
    masked = query_voxels(draw_rays(sample, everything, np.random.default_rng(0)), SPEC.grid)
    naive = query_voxels(
        draw_rays(sample, replace(everything, dynamic_masks=False), np.random.default_rng(0)), SPEC.grid
    )
    centers = SPEC.grid.centers().reshape(-1, 3)
    former = points_in_boxes(centers, then.boxes.astype(float)).reshape(SPEC.grid.shape) & (sample.occupancy == 0)
    assert (naive[0][former] == 3).any(), "without masks the box also stands where it stood"
    assert not (masked[0][former] == 3).any()
    # Rays of the other moment look through where the box is now: without masks they call hidden parts of it free.
    inside = sample.occupancy == 3
    freed = [(label[inside] == 0) & known[inside] for label, known in (masked, naive)]
    assert freed[0].sum() < freed[1].sum()


def test_adjacent_frames_see_behind_what_hides():
    """A camera rig one box length further on knows voxels that are hidden now."""
    sample = drawn_sample(5)
    other = drawn_sample(5, count=3)
    quiet = np.zeros(other.depth.shape, bool)
    shown = replace(sample, adjacent=(AdjacentFrame(other.cameras, other.depth, other.semantic, quiet),))
    everything = replace(WEAK, rays=10**6)
    _, alone = query_voxels(draw_rays(sample, everything, np.random.default_rng(0)), SPEC.grid)
    _, both = query_voxels(draw_rays(shown, everything, np.random.default_rng(0)), SPEC.grid)
    _, off = query_voxels(
        draw_rays(shown, replace(everything, auxiliary_rays=False), np.random.default_rng(0)), SPEC.grid
    )
    assert both.sum() > alone.sum()
    assert np.array_equal(off, alone)


def test_box_entry_by_hand():
    box = np.array([5.0, 0.0, 0.0, 4.0, 2.0, 2.0, np.pi / 2])
    directions = np.array([[1.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0]])
    assert box_entry(np.zeros((3, 3)), directions, box).tolist() == [4.0, np.inf, np.inf]
    assert box_entry(np.array([[5.0, 0, 0]]), directions[:1], box).tolist() == [0.0]
    rays = make_rays([0, 0, 0], [[1, 0, 0], [1, 0, 0]], [3.0, 9.0], [1, 1])
    assert before_moving_boxes(rays, box[None], np.array([[1.0, 0.0]])).distance.tolist() == [3.0]
    assert len(before_moving_boxes(rays, box[None], np.array([[0.1, 0.0]]))) == 2


def test_adjacent_frames_survive_the_disk_and_follow_augmentation(tmp_path):
    sample, _ = with_moving_neighbour()
    save_sample(tmp_path / "a.npz", replace(sample, boxes_known=False))
    loaded = load_sample(tmp_path / "a.npz")
    assert not loaded.boxes_known
    assert np.array_equal(loaded.adjacent[0].moving, sample.adjacent[0].moving)
    assert np.array_equal(loaded.adjacent[0].cameras[1].base_from_camera, sample.cameras[1].base_from_camera)
    everything = replace(WEAK, rays=10**6)
    votes, known = query_voxels(draw_rays(loaded, everything, np.random.default_rng(0)), SPEC.grid)
    for changed, moved in (
        (mirror(loaded, SPEC.grid), lambda array: array[:, ::-1]),
        (turn(loaded, SPEC.grid, 1), lambda array: np.rot90(array, 1)),
    ):
        again, also = query_voxels(draw_rays(changed, everything, np.random.default_rng(0)), SPEC.grid)
        assert (also == moved(known)).mean() > 0.97
        both = also & moved(known)
        assert (again[both] == moved(votes)[both]).mean() > 0.98


def test_without_boxes_nothing_is_asked_of_the_detection_head():
    batch = make_batch([replace(drawn_sample(0), boxes_known=False)], SPEC)
    assert not batch.heatmap_mask.any()


@pytest.mark.parametrize(
    "supervision",
    [
        replace(WEAK, ray_terms="render"),
        replace(WEAK, ray_terms="query"),
        WEAK,
        replace(WEAK, contract="lidar"),
        replace(WEAK, contract="mixed"),
    ],
    ids=lambda s: f"{s.contract}-{s.ray_terms}",
)
def test_each_contract_teaches_where_things_are(supervision):
    """Thirty steps on a scene: what the contract asks falls, and the surfaces that are seen stand out from the air."""
    options = TrainingOptions(
        pool="",
        out="",
        max_steps=60,
        minutes=1e6,
        threads=1,
        device="cpu",
        learning_rate=4e-2,
        crop_share=0.0,
        crop_mix=0.0,
        **vars(supervision),
    )
    samples = [drawn_sample(0)]
    trainer = OccupancyTrainer(SPEC, options)
    batch = make_batch(samples, SPEC, supervision, np.random.default_rng(0))
    first = trainer.step(batch)
    for _ in range(29):
        last = trainer.step(batch)
    asked = [
        name for name in first if (name.startswith("render_") and name != "render_spread") or name in ("voxel", "class")
    ]
    assert asked
    assert sum(last[name] for name in asked) < 0.8 * sum(first[name] for name in asked)
    trainer.network.eval()
    with torch.no_grad():
        voxels = trainer.network(*make_batch(samples, SPEC).network_inputs()).voxels
    probability = torch.sigmoid(voxels[:, 0]).permute(0, 2, 3, 1).numpy()
    for guess, sample in zip(probability, samples, strict=True):
        label, known = query_voxels(draw_rays(sample, replace(WEAK, rays=10**6), np.random.default_rng(0)), SPEC.grid)
        surface, air = known & (label == 3), known & (label == 0)
        assert guess[surface].mean() > 1.2 * guess[air].mean()
        assert guess[known & (label == 1)].mean() > 1.2 * guess[air].mean()


def test_losses_of_labels_are_as_before():
    """The contract `dense3d` adds no term and no state."""
    loss = OccupancyLoss(SPEC)
    assert set(loss.state_dict()) == {
        "voxel_balance.frequency",
        "semantic_balance.frequency",
        "kind_head.weight",
        "kind_head.bias",
    }


def test_a_checkpoint_of_another_contract_is_not_continued(tmp_path):
    fixed = {"pool": "", "out": "", "threads": 1, "device": "cpu"}
    OccupancyTrainer(SPEC, TrainingOptions(**fixed)).save(tmp_path / "a.pt", {})
    with pytest.raises(AirsideError, match="pass --contract dense3d, or start from it with --initial"):
        OccupancyTrainer(SPEC, TrainingOptions(**fixed, contract="2d")).restore(tmp_path / "a.pt")
    state = torch.load(tmp_path / "a.pt", weights_only=True)
    torch.save({**state, "contract": "dense3d+2d"}, tmp_path / "b.pt")
    OccupancyTrainer(SPEC, TrainingOptions(**fixed)).restore(tmp_path / "b.pt")
