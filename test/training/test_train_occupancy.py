import csv
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from occupancy_samples import SPEC, drawn_sample

from airside_perception.errors import AirsideError
from airside_perception.inference import load_engine
from airside_perception.occupancy.calibration import Calibration
from airside_perception.occupancy.detector import OccupancyNetworkRunner
from airside_perception.records import CameraImage, RigFrame
from airside_perception.training.export import export_checkpoint, load_checkpoint
from airside_perception.training.occupancy_batches import make_batch
from airside_perception.training.occupancy_data import save_sample
from airside_perception.training.occupancy_losses import ClassBalance, box_loss, dice_loss, heatmap_loss
from airside_perception.training.occupancy_trainer import OccupancyTrainer, one_cycle
from airside_perception.training.train_occupancy import train
from airside_perception.training.training_options import TrainingOptions


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A short real training run on three drawn scenes."""
    root = tmp_path_factory.mktemp("training")
    for split, seeds in (("train", (0, 1, 2)), ("val", (0, 1))):
        (root / "pool" / split).mkdir(parents=True)
        for seed in seeds:
            save_sample(root / "pool" / split / f"{seed}.npz", drawn_sample(seed))
    options = TrainingOptions(
        pool=str(root / "pool"),
        out=str(root / "run"),
        max_steps=110,
        crop_share=0.3,
        threads=1,
        device="cpu",
        learning_rate=8e-3,
        least_samples=3,
        val_samples=2,
        checkpoint_minutes=1000.0,
    )
    train(SPEC, options)
    return root


def series(root, name, kind="train"):
    with (root / "run" / "log.csv").open() as stream:
        return [float(row["value"]) for row in csv.DictReader(stream) if (row["kind"], row["name"]) == (kind, name)]


def test_training_learns_and_keeps_its_books(trained):
    for name in ("object", "semantic", "depth", "heatmap", "dice"):
        values = series(trained, name)
        assert values[-1] < 0.95 * values[0], name
    assert len(series(trained, "object")) > len(series(trained, "heatmap")), "crops come first"
    assert (trained / "run" / "curves.png").stat().st_size > 1000
    assert len(series(trained, "miou", "val")) == 1


def test_resumed_training_goes_on_where_it_stopped(trained):
    trainer = OccupancyTrainer(SPEC, TrainingOptions(pool="", out="", threads=1, device="cpu"))
    trainer.restore(trained / "run" / "checkpoint.pt")
    assert trainer.steps == 110
    batch = make_batch([drawn_sample(0), drawn_sample(1)], SPEC)
    assert trainer.step(batch)["total"] < 1.5 * series(trained, "total")[-1]


def test_export_runs_in_onnx_runtime_and_through_the_runner(trained, tmp_path):
    figures = export_checkpoint(trained / "run" / "checkpoint.pt", tmp_path / "o.onnx", tmp_path / "CARD.md")
    assert figures["parity"] < 1e-3
    assert "Supervision contract: `dense3d`" in (tmp_path / "CARD.md").read_text()
    engine = load_engine(tmp_path / "o.onnx", "onnxruntime", threads=1)
    assert engine.metadata["contract"] == "dense3d"
    assert float(engine.metadata["free_threshold"]) <= float(engine.metadata["occupancy_threshold"])
    assert Calibration.of_metadata(engine.metadata, "voxel") != Calibration()
    runner = OccupancyNetworkRunner(engine)
    assert runner.spec == SPEC
    sample = drawn_sample(0)
    images = {c.name: CameraImage(c, i, 0) for c, i in zip(sample.cameras, sample.images, strict=True)}
    output = runner.run(RigFrame(0, images, (), np.eye(4)))
    assert output.class_id.shape == SPEC.grid.shape
    assert output.probability[:, :, 0].mean() > output.probability[:, :, 3].mean(), "ground is below, air above"
    assert output.image_semantics["camera_0"].sum(0) == pytest.approx(np.ones((16, 32)), abs=1e-4)


@pytest.mark.parametrize("opset", [16, 18])
def test_other_opsets_are_written_and_checked(trained, tmp_path, opset):
    export_checkpoint(trained / "run" / "checkpoint.pt", tmp_path / "o.onnx", opset=opset)
    (written,) = [each.version for each in onnx.load(str(tmp_path / "o.onnx")).opset_import if not each.domain]
    assert written == opset
    with pytest.raises(AirsideError, match="opset: expected 16 to 20, got 9"):
        export_checkpoint(trained / "run" / "checkpoint.pt", tmp_path / "p.onnx", opset=9)


def test_labels_of_images_alone_train_and_validate_but_not_as_dense(tmp_path):
    """Samples without voxel labels or boxes, as own recordings give: scored by what their label images say."""
    for split in ("train", "val"):
        (tmp_path / "pool" / split).mkdir(parents=True)
        sample = replace(drawn_sample(0), observed=np.zeros(SPEC.grid.shape, bool), boxes_known=False)
        save_sample(tmp_path / "pool" / split / "0.npz", sample)
    options = TrainingOptions(
        pool=str(tmp_path / "pool"), out=str(tmp_path / "run"), max_steps=2, threads=1, device="cpu", least_samples=1
    )
    with pytest.raises(AirsideError, match="contract dense3d needs voxel labels"):
        train(SPEC, options)
    checkpoint = train(SPEC, replace(options, contract="2d", ray_terms="both", rendered_rays=200))
    state = torch.load(checkpoint, weights_only=True)
    assert (state["contract"], state["supervision"]) == ("2d", "2d (rendering and queries)")
    assert np.isfinite(state["scores"]["miou"])
    assert np.isfinite(state["scores"]["calibration_error"])


def test_checkpoints_of_other_networks_are_refused(trained, tmp_path):
    trainer = OccupancyTrainer(
        replace(SPEC, lift_channels=4), TrainingOptions(pool="", out="", threads=1, device="cpu")
    )
    with pytest.raises(AirsideError, match="another network spec"):
        trainer.restore(trained / "run" / "checkpoint.pt")
    (tmp_path / "x.pt").write_bytes(b"no checkpoint")
    with pytest.raises(AirsideError, match="expected a checkpoint"):
        load_checkpoint(tmp_path / "x.pt")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA GPU is here")
def test_cuda_without_a_gpu_is_refused():
    with pytest.raises(AirsideError, match="expected a CUDA GPU"):
        OccupancyTrainer(SPEC, TrainingOptions(pool="", out="", device="cuda"))


def test_learning_rate_rises_then_falls():
    assert one_cycle(0.0, 0) == pytest.approx(0.01)
    assert one_cycle(0.0, 99) == pytest.approx(1.0)
    assert one_cycle(0.5, 5000) == pytest.approx(0.505)
    assert one_cycle(1.0, 9999) == pytest.approx(0.01)


def test_class_balance_lifts_the_rare():
    balance = ClassBalance(3, power=0.5, limit=4.0, momentum=0.0)
    weight = balance.update(torch.tensor([0] * 90 + [1] * 10))
    assert weight.tolist() == pytest.approx([(1 / 2.7) ** 0.5, (10 / 3) ** 0.5, 4.0], rel=1e-4)


def test_dice_of_perfect_and_wrong_answers():
    target = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    assert float(dice_loss(target, target)) == pytest.approx(0.0)
    assert float(dice_loss(1.0 - target, target)) == pytest.approx(1 - 1 / 4)  # one class present, no overlap


def test_heatmap_loss_by_hand():
    target = torch.tensor([1.0, 0.5, 0.0]).reshape(1, 1, 1, 3)
    mask = torch.tensor([True, True, False]).reshape(1, 1, 1, 3)
    logits = torch.zeros(1, 1, 1, 3)
    # Positive: 0.25 ln 2; softened negative: 0.5^4 0.25 ln 2; the masked cell counts nothing.
    assert float(heatmap_loss(logits, target, mask)) == pytest.approx(0.25 * np.log(2) * (1 + 1 / 16), rel=1e-5)


def test_box_loss_counts_only_weighted_cells():
    target = torch.zeros(1, 1, 8, 2, 2)
    predicted = torch.full((1, 1, 8, 2, 2), 7.0)
    predicted[..., 0, 1] = 1.05
    weight = torch.zeros(1, 1, 2, 2)
    weight[0, 0, 0, 1] = 0.5
    # Smooth L1 with beta 0.1: |1.05| - 0.05 = 1 for each of six numbers; 1.5 x 1.05 squared for the two of the heading.
    expected = 0.5 * (6 + 2 * 1.5 * 1.05**2)
    assert float(box_loss(predicted, target, weight, slice(6, 8))) == pytest.approx(expected)
