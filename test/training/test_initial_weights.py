"""Training that starts from a file as users have it: an exported network, its batch norms folded away."""

import copy
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from occupancy_samples import SPEC, drawn_sample
from onnx import numpy_helper

from airside_perception.errors import AirsideError
from airside_perception.inference import load_engine
from airside_perception.occupancy.network import LATER_HEADS, OccupancyNetwork
from airside_perception.occupancy.network_io import OUTPUT_NAMES
from airside_perception.training.export import ExportedNetwork, example_inputs, export_network, load_checkpoint
from airside_perception.training.initial_weights import load_initial, settle_norms
from airside_perception.training.occupancy_batches import make_batch
from airside_perception.training.occupancy_data import save_sample
from airside_perception.training.occupancy_trainer import OccupancyTrainer
from airside_perception.training.train_occupancy import train
from airside_perception.training.training_options import TrainingOptions


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network whose norms are far from fresh, as a file."""
    torch.manual_seed(3)
    network = OccupancyNetwork(SPEC)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                tensor.data.uniform_(0.5, 2.0)
    path = tmp_path_factory.mktemp("exported") / "network.onnx"
    export_network(network, path)
    return path


def answers(network):
    inputs = example_inputs(SPEC, cameras=3, seed=5)
    with torch.no_grad():
        tensors = ExportedNetwork(network).eval()(*(torch.from_numpy(each) for each in inputs.values()))
    return dict(zip(OUTPUT_NAMES, (each.numpy() for each in tensors), strict=True))


def test_network_answers_as_the_file_it_started_from(exported):
    network = OccupancyNetwork(SPEC)
    assert load_initial(network, exported) == ()
    expected = load_engine(exported, "onnxruntime", threads=1).run(example_inputs(SPEC, cameras=3, seed=5))
    for name, answer in answers(network).items():
        np.testing.assert_allclose(answer, expected[name], rtol=1e-4, atol=1e-4, err_msg=name)


def test_further_lifting_planes_change_nothing_at_first(exported):
    """A finer network starts from a coarser one's weights: planes at known heights are read as they were."""
    finer = replace(SPEC, lift_heights=(0.0, 0.5, 1.0, 2.0))
    coarse, fine, moved = OccupancyNetwork(SPEC), OccupancyNetwork(finer), OccupancyNetwork(finer)
    load_initial(coarse, exported)
    assert load_initial(fine, exported) == ()
    with torch.no_grad():
        expected, found, other = (
            network.eval()(*make_batch([drawn_sample(0)], network.spec).network_inputs())
            for network in (coarse, fine, moved)
        )
    assert torch.allclose(found.voxels, expected.voxels, atol=1e-4)
    assert torch.allclose(found.boxes, expected.boxes, atol=1e-4)
    assert not torch.allclose(other.voxels, expected.voxels, atol=1e-2)
    # A decoder of another width, too, starts anew, and whatever fits is taken over.
    wider = OccupancyNetwork(replace(finer, bev_channels=(24, 16, 16)))
    assert load_initial(wider, exported)
    assert torch.equal(wider.encoder.stem[0].weight, fine.encoder.stem[0].weight)
    # A plane that is gone takes its share with it.
    swapped = OccupancyNetwork(replace(SPEC, lift_heights=(1.0, 3.0)))
    load_initial(swapped, exported)
    kernel, original = (each.decoder.enter[0][0].weight for each in (swapped, coarse))
    each = SPEC.lift_channels + 2
    assert torch.equal(kernel[:, :each], original[:, each : 2 * each])
    assert not kernel[:, each : 2 * each].any()
    assert torch.equal(kernel[:, 2 * each :], original[:, 2 * each :])


def test_settled_norms_know_what_they_see_and_answers_stay(exported):
    network = OccupancyNetwork(SPEC)
    load_initial(network, exported)
    before = answers(network)
    batch = make_batch([drawn_sample(0), drawn_sample(1)], SPEC)
    training = copy.deepcopy(network).train()
    with torch.no_grad():
        meant = network.eval()(*batch.network_inputs()).voxels
        unsettled = (training(*batch.network_inputs()).voxels - meant).abs().mean()
        settle_norms(network, [batch])
        settled = (network.train()(*batch.network_inputs()).voxels - meant).abs().mean()
    # Seen in training mode, which uses the batch's own statistics: they are now those the norms hold.
    assert settled < 1e-3 * unsettled
    for name, answer in answers(network).items():
        np.testing.assert_allclose(answer, before[name], rtol=1e-3, atol=1e-3, err_msg=name)


def test_kernels_are_as_large_as_those_that_training_left(tmp_path):
    # What the norms of folded kernels were is lost; those of the others tell how far training had enlarged them.
    torch.manual_seed(3)
    grown, fresh, network = (OccupancyNetwork(SPEC) for _ in range(3))
    for module in grown.modules():
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (1, 1):
            module.weight.data *= 3.0
        elif isinstance(module, torch.nn.BatchNorm2d):  # the last ones of residual blocks begin at nothing
            torch.nn.init.ones_(module.weight)
    export_network(grown, tmp_path / "grown.onnx")
    load_initial(network, tmp_path / "grown.onnx")
    for ours, theirs in zip(network.encoder.stages.parameters(), fresh.encoder.stages.parameters(), strict=True):
        if ours.dim() == 4:
            assert float(ours.detach().std() / theirs.detach().std()) == pytest.approx(3.0, rel=0.2)


def test_heads_learn_alone_before_trained_weights_move(exported):
    options = TrainingOptions(
        pool="", out="", max_steps=40, crop_share=0.0, crop_mix=0.0, small_share=0.0, threads=1, device="cpu",
        learning_rate=5e-3, initial=str(exported),
    )  # fmt: skip
    trainer = OccupancyTrainer(SPEC, options)
    batch = make_batch([drawn_sample(0)], SPEC)
    start = copy.deepcopy(dict(trainer.network.named_parameters()))
    terms = [trainer.step(batch) for _ in range(4)]
    for name, weight in trainer.network.named_parameters():
        if not name.startswith(LATER_HEADS):
            torch.testing.assert_close(weight, start[name], rtol=0, atol=0, msg=name)
    assert terms[-1]["kind"] < terms[0]["kind"] - 0.2
    assert terms[-1]["surface"] < terms[0]["surface"] - 0.05
    assert terms[-1]["range"] < terms[0]["range"] - 0.05
    assert not trainer.network_waits, "a tenth of the budget is the most"
    rate = trainer.step(batch)["lr"]
    assert rate < 0.05 * options.learning_rate, "the network's own warm-up begins now"
    moved = [float((w - start[n]).detach().abs().max()) for n, w in trainer.network.named_parameters() if w.dim() == 4]
    assert min(moved) > 0


def test_a_checkpoint_that_knows_all_heads_goes_on_at_once(tmp_path):
    options = TrainingOptions(pool="", out="", threads=1, device="cpu", max_steps=40, crop_share=0.0)
    first = OccupancyTrainer(SPEC, options)
    first.step(make_batch([drawn_sample(0)], SPEC))
    first.save(tmp_path / "checkpoint.pt", {})
    second = OccupancyTrainer(SPEC, replace(options, initial=str(tmp_path / "checkpoint.pt"), seed=1))
    assert not second.network_waits
    for name, each in second.loss.state_dict().items():
        torch.testing.assert_close(each, first.loss.state_dict()[name], msg=name)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    torch.save({**state, "loss": {}}, tmp_path / "older.pt")
    assert OccupancyTrainer(SPEC, replace(options, initial=str(tmp_path / "older.pt"))).network_waits


def test_training_from_an_exported_file_settles_its_norms(exported, tmp_path):
    for split in ("train", "val"):
        (tmp_path / "pool" / split).mkdir(parents=True)
        save_sample(tmp_path / "pool" / split / "0.npz", drawn_sample(0))
    options = TrainingOptions(
        pool=str(tmp_path / "pool"), out=str(tmp_path / "run"), max_steps=1, crop_share=0.0, crop_mix=0.0,
        small_share=0.0, batch_size=1, threads=1, device="cpu", least_samples=1, initial=str(exported),
    )  # fmt: skip
    train(SPEC, options)
    weights = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["network"]
    variance = weights["encoder.stem.1.running_var"]
    assert (variance - 1.0).abs().min() > 1e-3


def test_files_that_are_no_network_are_refused_with_the_reason(exported, tmp_path):
    network = OccupancyNetwork(SPEC)
    with pytest.raises(AirsideError, match="cannot read it"):
        load_initial(network, tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(AirsideError, match=r"text\.onnx"):
        load_initial(network, tmp_path / "text.onnx")
    (tmp_path / "text.pt").write_text("not a checkpoint")
    with pytest.raises(AirsideError, match="expected a training checkpoint"):
        load_initial(network, tmp_path / "text.pt")
    model = onnx.load(str(exported))
    kernels = [each for each in model.graph.initializer if len(each.dims) == 4]
    for index, kernel in enumerate(kernels):  # as after quantisation: weights behind other names
        kernel.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(kernel), f"quantised_{index}"))
    onnx.save(model, str(tmp_path / "quantised.onnx"))
    with pytest.raises(AirsideError, match="quantised"):
        load_initial(network, tmp_path / "quantised.onnx")


def test_a_checkpoint_of_a_smaller_network_says_what_to_do(tmp_path):
    """Made before a head was added: neither exported nor continued, but a new run may start from it."""
    options = TrainingOptions(pool="", out="", threads=1, device="cpu")
    trainer = OccupancyTrainer(SPEC, options)
    path = tmp_path / "checkpoint.pt"
    trainer.save(path, {})
    state = torch.load(path, weights_only=True)
    for part in ("network", "average"):
        state[part] = {name: each for name, each in state[part].items() if not name.startswith(LATER_HEADS)}
    torch.save(state, path)
    for refuses in (lambda: trainer.restore(path), lambda: load_checkpoint(path)):
        with pytest.raises(AirsideError, match=r"without range_head, surface_head; start from it with --initial"):
            refuses()
    assert len(load_initial(OccupancyNetwork(SPEC), path)) == 8
