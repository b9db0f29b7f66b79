import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from occupancy_samples import SPEC, drawn_sample

from airside_perception.cli import main
from airside_perception.errors import AirsideError
from airside_perception.inference import load_engine
from airside_perception.inference.engine_cache import EngineMismatchError
from airside_perception.occupancy.detector import OccupancyNetworkRunner
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.training import quantization
from airside_perception.training.export import export_network
from airside_perception.training.occupancy_data import save_sample
from airside_perception.training.onnx_weights import halve_weights


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    torch.manual_seed(0)
    network = OccupancyNetwork(SPEC).eval()
    path = tmp_path_factory.mktemp("network") / "network.onnx"
    export_network(network, path, {"voxel_temperature": "1.5"})
    return path


@pytest.fixture(scope="module")
def frames():
    return [quantization.network_inputs(drawn_sample(seed), SPEC) for seed in range(4)]


def test_a_quantised_network_answers_alike(network_file, frames, tmp_path):
    out = tmp_path / "small.onnx"
    differences = quantization.quantize_network(network_file, out, frames)
    assert max(differences.values()) < 0.05
    engine = load_engine(out, "onnxruntime", threads=1)
    assert engine.metadata["precision"] == "int8"
    assert engine.metadata["voxel_temperature"] == "1.5"
    assert OccupancyNetworkRunner(engine).spec == SPEC
    model = onnx.load(str(out))
    quantised = {n.output[0] for n in model.graph.node if n.op_type == "DequantizeLinear"}
    convolutions = [n for n in model.graph.node if n.op_type == "Conv"]
    of_bytes = [n.name for n in convolutions if n.input[1] in quantised]
    assert len(of_bytes) > 0.6 * len(convolutions)
    assert not [name for name in of_bytes if any(part in name for part in quantization.SENSITIVE_LAYERS)]


def test_a_memory_keeps_its_range(tmp_path):
    """Ranges of first frames alone would clip what the frame before brings in."""
    spec = replace(SPEC, previous_volume=True)
    torch.manual_seed(1)
    network = OccupancyNetwork(spec).eval()
    network.decoder.previous.weight.data.normal_(0.0, 0.3)
    export_network(network, tmp_path / "memory.onnx")
    (tmp_path / "pool").mkdir()
    for seed in range(4):
        save_sample(tmp_path / "pool" / f"{seed}.npz", drawn_sample(seed))
    quantization.build_quantized(tmp_path / "memory.onnx", tmp_path / "small.onnx", tmp_path / "pool")
    whole, small = (load_engine(tmp_path / f"{name}.onnx", "onnxruntime", threads=1) for name in ("memory", "small"))
    inputs = quantization.network_inputs(drawn_sample(0), spec)
    second = quantization.with_memory(inputs, whole, spec)
    reference, answer, first = whole.run(second), small.run(second), whole.run(inputs)
    for name in ("volume", "displacement"):
        brought = np.abs(reference[name] - first[name]).mean()
        assert brought > 0.01, "the memory matters"
        assert np.abs(answer[name] - reference[name]).mean() < 0.25 * brought


def test_symmetric_activations_have_no_zero_point(network_file, frames, tmp_path):
    quantization.quantize_network(network_file, tmp_path / "symmetric.onnx", frames, symmetric=True)
    model = onnx.load(str(tmp_path / "symmetric.onnx"))
    points = {n.input[2] for n in model.graph.node if n.op_type == "QuantizeLinear"}
    values = [onnx.numpy_helper.to_array(each) for each in model.graph.initializer if each.name in points]
    assert values
    assert all((value == 0).all() and value.dtype == np.int8 for value in values)


def test_one_that_answers_differently_is_refused_and_removed(network_file, frames, tmp_path, monkeypatch):
    monkeypatch.setattr(quantization, "PARITY", {"probability": (1e-7, 0.0)})
    with pytest.raises(EngineMismatchError, match="output 'probability'"):
        quantization.quantize_network(network_file, tmp_path / "small.onnx", frames)
    assert not (tmp_path / "small.onnx").exists()


def test_too_few_frames_are_refused(network_file, frames, tmp_path):
    with pytest.raises(AirsideError, match="at least 2 calibration frames, got 1"):
        quantization.quantize_network(network_file, tmp_path / "small.onnx", frames[:1])


def test_restored_weights_are_those_that_were_halved(network_file):
    model = onnx.load(str(network_file))
    before = {each.name for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT16}
    count = quantization.restore_weights(model)
    assert count == len(before) > 5
    onnx.checker.check_model(model)
    assert not [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT16]
    assert halve_weights(model) == count


def test_the_command_builds_from_samples_and_refuses_in_one_line(network_file, tmp_path, capsys):
    for seed in range(3):
        save_sample(tmp_path / f"{seed}.npz", drawn_sample(seed))
    out = tmp_path / "small.onnx"
    command = ["build-engine", str(network_file), "--runtime", "onnxruntime"]
    assert main([*command, "--precision", "int8", "--calibration", str(tmp_path), "--out", str(out)]) == 0
    assert "network.engine=" in capsys.readouterr().out
    assert json.loads(load_engine(out, "onnxruntime").metadata["airside_perception.network_spec"])["depth_bins"] == 12
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (["--precision", "int8", "--calibration", str(tmp_path / "empty")], "at least 2 training samples"),
        (["--precision", "fp16"], "expected fp32 or int8 for onnxruntime"),
        (["--precision", "fp32", "--out", str(out)], "expected with --precision int8"),
    ):
        assert main([*command, *arguments]) != 0
        assert message in capsys.readouterr().err
