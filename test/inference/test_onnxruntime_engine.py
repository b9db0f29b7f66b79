import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from airside_perception.errors import AirsideError
from airside_perception.inference import load_engine
from airside_perception.inference.engine import EngineError


@pytest.fixture
def doubling_network(tmp_path):
    """A network of one node: y = x + x, for any number of rows."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 3])
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "doubling", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"note": "hello"})
    path = tmp_path / "doubling.onnx"
    onnx.save(model, str(path))
    return path


def test_runs_and_describes_itself(doubling_network):
    engine = load_engine(doubling_network, runtime="onnxruntime", threads=1)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(engine.run({"x": x})["y"], 2 * x)
    assert engine.input_specs[0].shape == ("rows", 3)
    assert engine.input_specs[0].dtype == "float32"
    assert engine.metadata["note"] == "hello"
    assert engine.runtime.startswith("onnxruntime")


def test_wrong_inputs_are_named(doubling_network):
    engine = load_engine(doubling_network, threads=1)
    with pytest.raises(AirsideError, match=r"expected input 'x', got \['z'\]"):
        engine.run({"z": np.zeros((1, 3), np.float32)})
    with pytest.raises(AirsideError, match=r"expected float32 \('rows', 3\), got float32 \(1, 4\)"):
        engine.run({"x": np.zeros((1, 4), np.float32)})
    with pytest.raises(AirsideError, match="got float64"):
        engine.run({"x": np.zeros((1, 3))})


def test_files_that_are_no_networks_are_refused(tmp_path):
    with pytest.raises(AirsideError, match="found no such file"):
        load_engine(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(AirsideError, match="ONNX Runtime can't load it"):
        load_engine(tmp_path / "text.onnx", runtime="onnxruntime")


def test_unknown_and_missing_runtimes_are_refused(doubling_network):
    with pytest.raises(AirsideError, match="expected one of auto, onnxruntime, tensorrt, got 'openvino'"):
        load_engine(doubling_network, runtime="openvino")


def test_a_failure_while_running_is_an_engine_error(tmp_path):
    """Looking up row 9 of two: the runtime finds out only when it runs, as with memory that runs out."""
    index = helper.make_tensor_value_info("index", TensorProto.INT64, [1])
    row = helper.make_tensor_value_info("row", TensorProto.FLOAT, [1, 2])
    table = helper.make_tensor("table", TensorProto.FLOAT, [2, 2], [1.0, 2.0, 3.0, 4.0])
    graph = helper.make_graph([helper.make_node("Gather", ["table", "index"], ["row"])], "g", [index], [row], [table])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "g.onnx")
    engine = load_engine(tmp_path / "g.onnx", runtime="onnxruntime", threads=1)
    assert np.array_equal(engine.run({"index": np.array([1])})["row"], [[3.0, 4.0]])
    with pytest.raises(EngineError, match=r"g\.onnx: "):
        engine.run({"index": np.array([9])})


def test_nobody_is_told_about_the_vehicle(doubling_network, tmp_path):
    """Since version 1.29 the runtime keeps a device id and events below the user's home, and sends them."""
    home = tmp_path / "home"
    home.mkdir()
    # Where CI is set the runtime keeps quiet of its own accord, and this would show nothing.
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    code = f"from airside_perception.inference import load_engine; load_engine({str(doubling_network)!r}, threads=1)"
    subprocess.run([sys.executable, "-c", code], env={**environment, "HOME": str(home)}, check=True, timeout=120)
    assert [each for each in home.rglob("*") if "icrosoft" in each.name or "onnxruntime" in each.name] == []
