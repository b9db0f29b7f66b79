"""The mean of networks: of the folded weights, with thresholds of its own."""

import numpy as np
import onnx
import onnx.utils
import pytest
import torch
from occupancy_samples import SPEC, drawn_sample

from airside_perception.cli import main
from airside_perception.errors import AirsideError
from airside_perception.inference import load_engine
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.training.export import ExportedNetwork, example_inputs, export_checkpoint, export_network
from airside_perception.training.initial_weights import folded_weights
from airside_perception.training.mean_weights import export_mean, mean_network
from airside_perception.training.occupancy_data import save_sample
from airside_perception.training.occupancy_trainer import OccupancyTrainer
from airside_perception.training.training_options import TrainingOptions


def network(seed):
    """Fresh weights with norms that have seen something."""
    torch.manual_seed(seed)
    made = OccupancyNetwork(SPEC)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                tensor.data.uniform_(0.5, 2.0)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mean")
    for seed in (1, 2):
        export_network(network(seed), folder / f"{seed}.onnx", {"steps": str(seed), "contract": "2d"})
    return [folder / "1.onnx", folder / "2.onnx"]


def answers(made):
    inputs = example_inputs(SPEC, cameras=2, seed=3)
    with torch.no_grad():
        return [each.numpy() for each in ExportedNetwork(made).eval()(*map(torch.from_numpy, inputs.values()))]


def test_mean_is_that_of_folded_weights(files, tmp_path):
    export_network(mean_network(files, [3.0, 1.0]), tmp_path / "mean.onnx", half_weights=False)
    first, second, mean = (folded_weights(OccupancyNetwork(SPEC), each) for each in (*files, tmp_path / "mean.onnx"))
    assert first.keys() == mean.keys()
    for name, (kernel, bias) in mean.items():
        wanted = 0.75 * first[name][0] + 0.25 * second[name][0]
        np.testing.assert_allclose(kernel, wanted, atol=1e-5, err_msg=name)
        if bias is not None:
            np.testing.assert_allclose(bias, 0.75 * first[name][1] + 0.25 * second[name][1], atol=1e-5, err_msg=name)


def test_a_share_of_nothing_leaves_the_other(files):
    alone = mean_network(files, [1.0, 0.0])
    expected = load_engine(files[0], "onnxruntime", threads=1).run(example_inputs(SPEC, cameras=2, seed=3))
    np.testing.assert_allclose(answers(alone)[0], expected["probability"], rtol=1e-4, atol=1e-4)


def test_thresholds_are_fitted_to_the_mean(files, tmp_path):
    (tmp_path / "pool" / "val").mkdir(parents=True)
    for seed in (0, 1):
        save_sample(tmp_path / "pool" / "val" / f"{seed}.npz", drawn_sample(seed))
    trainer = OccupancyTrainer(SPEC, TrainingOptions(pool="", out="", threads=1, device="cpu"))
    trainer.steps = 5
    trainer.save(tmp_path / "checkpoint.pt", {"threshold": 0.123})
    scores = export_mean([tmp_path / "checkpoint.pt", files[1]], [1, 1], tmp_path / "mean.onnx", tmp_path / "pool")
    metadata = load_engine(tmp_path / "mean.onnx", "onnxruntime", threads=1).metadata
    assert {"miou", "voxel_temperature"} <= scores.keys()
    assert scores["threshold"] != 0.123
    assert metadata["steps"] == "7"
    assert metadata["contract"] == "dense3d"


def test_thresholds_of_one_exported_network_are_fitted_anew(files, tmp_path):
    (tmp_path / "pool" / "val").mkdir(parents=True)
    save_sample(tmp_path / "pool" / "val" / "0.npz", drawn_sample(0))
    out = tmp_path / "out.onnx"
    assert main(["export", str(files[0]), "--pool", str(tmp_path / "pool"), "--out", str(out)]) == 0
    before, after = (load_engine(file, "onnxruntime", threads=1) for file in (files[0], out))
    assert "miou" in after.metadata["validation"]
    assert "miou" not in before.metadata.get("validation", "")
    inputs = example_inputs(SPEC, cameras=2, seed=3)
    np.testing.assert_allclose(after.run(inputs)["boxes"], before.run(inputs)["boxes"], atol=5e-3)


def test_without_samples_thresholds_are_the_first_ones(files, tmp_path, caplog):
    trainer = OccupancyTrainer(SPEC, TrainingOptions(pool="", out="", threads=1, device="cpu"))
    trainer.save(tmp_path / "checkpoint.pt", {"threshold": 0.123})
    export_checkpoint(tmp_path / "checkpoint.pt", tmp_path / "first.onnx")
    scores = export_mean([tmp_path / "first.onnx", files[1]], [1, 1], tmp_path / "mean.onnx")
    assert scores["threshold"] == 0.123
    assert "--pool POOL fits them" in caplog.text


def without_surface(path, folder):
    """The file as exports were before networks told places on surfaces."""
    model = onnx.load(str(path))
    names = [each.name for each in model.graph.output if each.name != "surface"]
    old = folder / f"old_{path.name}"
    onnx.utils.extract_model(str(path), str(old), [each.name for each in model.graph.input], names)
    kept = onnx.load(str(old))
    onnx.helper.set_model_props(kept, {each.key: each.value for each in model.metadata_props})
    onnx.save(kept, str(old))
    return old


def test_heads_that_came_later_are_those_of_the_files_that_have_them(files, tmp_path):
    old = without_surface(files[0], tmp_path)
    mean = folded_weights(OccupancyNetwork(SPEC), files[1])
    export_network(mean_network([old, files[1]], [3.0, 1.0]), tmp_path / "mean.onnx", half_weights=False)
    made = folded_weights(OccupancyNetwork(SPEC), tmp_path / "mean.onnx")
    np.testing.assert_allclose(made["surface_head.2"][0], mean["surface_head.2"][0], atol=1e-5)
    assert not np.allclose(made["semantic_head"][0], mean["semantic_head"][0], atol=1e-3)
    with pytest.raises(AirsideError, match="has no surface_head"):
        mean_network([old, without_surface(files[1], tmp_path)], [1.0, 1.0])


@pytest.mark.parametrize(("shares", "told"), [([1.0], "2 numbers"), ([1.0, -1.0], "1 -1"), ([0.0, 0.0], "not all 0")])
def test_shares_that_make_no_mean_are_refused(files, shares, told):
    with pytest.raises(AirsideError, match=told):
        mean_network(files, shares)


def test_the_command_says_in_one_line_what_it_needs(files, tmp_path, capsys):
    for arguments, told in (
        ([str(files[0])], "expected a checkpoint, --pool or several networks"),
        ([str(files[0]), "--pool", str(tmp_path), "--shares", "1"], "--shares: expected with several networks"),
        ([str(files[0]), str(files[1]), "--shares", "1"], "--shares: expected 2 numbers"),
        ([str(files[0]), str(tmp_path / "missing.onnx")], "missing.onnx"),
        ([str(files[0]), str(files[1]), "--pool", str(tmp_path)], "expected samples in its folder val"),
    ):
        assert main(["export", *arguments, "--out", str(tmp_path / "out.onnx")]) != 0
        error = capsys.readouterr().err.strip()
        assert told in error
        assert "Traceback" not in error
    assert main(["export", *map(str, files), "--out", str(tmp_path / "out.onnx"), "--json"]) == 0
    assert (tmp_path / "out.onnx").is_file()
