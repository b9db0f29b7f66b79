import importlib.util

import numpy as np
import onnx
import pytest
import standin_tensorrt
from onnx import TensorProto, helper, numpy_helper

from airside_perception.errors import AirsideError
from airside_perception.inference.engine import TensorSpec
from airside_perception.inference.engine_cache import EngineMismatchError
from airside_perception.inference.tensorrt_engine import (
    TensorRTEngine,
    profile_shapes,
    random_inputs,
    tensorrt_available,
)

SPECS = (
    TensorSpec("images", ("cameras", 4, 6, 3), "uint8"),
    TensorSpec("feature_index", (2, 10), "int32"),
    TensorSpec("slot_weight", (2, 10), "float32"),
)


def test_free_sizes_span_one_to_eight_cameras():
    shapes = profile_shapes(SPECS)
    assert shapes["images"] == ((1, 4, 6, 3), (6, 4, 6, 3), (8, 4, 6, 3))
    assert set(shapes["feature_index"]) == {(2, 10)}


def test_random_inputs_fit_the_specs():
    inputs = random_inputs(SPECS, profile_shapes(SPECS))
    assert inputs["images"].shape == (6, 4, 6, 3)
    assert inputs["images"].dtype == np.uint8
    assert inputs["feature_index"].dtype == np.int32
    assert inputs["feature_index"].min() >= 0
    assert inputs["slot_weight"].dtype == np.float32


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed here")
def test_without_tensorrt_the_error_says_what_to_do(tmp_path):
    with pytest.raises(AirsideError, match=r"needs the packages tensorrt and pycuda.*network.runtime=onnxruntime"):
        TensorRTEngine(tmp_path / "any.onnx")


def test_unknown_precision_is_refused(tmp_path):
    with pytest.raises(AirsideError, match="expected one of fp32, fp16, int8, got 'int4'"):
        TensorRTEngine(tmp_path / "any.onnx", precision="int4")


@pytest.fixture
def scaling_network(tmp_path):
    """y = 2 x, for any number of rows; the factor is a weight that a build may spoil."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 300])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 300])
    factor = numpy_helper.from_array(np.full((1, 300), 2.0, np.float32), "factor")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "factor"], ["y"])], "scaling", [x], [y], [factor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "scaling.onnx"
    onnx.save(model, str(path))
    return path


def spoil_factor(content):
    model = onnx.load_from_string(content)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((1, 300), 3.0, np.float32), "factor"))
    return model.SerializeToString()


def builds(log):
    return [entry for entry in log if entry[0] == "build"]


@pytest.mark.parametrize("version", ["10.7.0", "11.2.0"])
def test_built_verified_cached_and_run(scaling_network, tmp_path, monkeypatch, version):
    log = standin_tensorrt.install(monkeypatch, version)
    engine = TensorRTEngine(scaling_network, cache_dir=tmp_path / "cache")
    assert engine.runtime == f"tensorrt {version} FP32"
    for rows in (1, 5, 2):  # buffers grow and are used again
        x = np.random.default_rng(rows).random((rows, 300), np.float32)
        assert np.array_equal(engine.run({"x": x})["y"], 2 * x)
    assert ("profile", {"x": ((1, 300), (6, 300), (8, 300))}) in log
    assert (tmp_path / "cache" / "timing.cache").read_bytes() == b"t"
    TensorRTEngine(scaling_network, cache_dir=tmp_path / "cache")
    assert len(builds(log)) == 1
    with pytest.raises(AirsideError, match="expected input 'x'"):
        engine.run({})


def test_another_version_or_network_builds_again(scaling_network, tmp_path, monkeypatch):
    log = standin_tensorrt.install(monkeypatch, "10.7.0")
    TensorRTEngine(scaling_network, cache_dir=tmp_path)
    newer = standin_tensorrt.install(monkeypatch, "10.8.0")
    TensorRTEngine(scaling_network, cache_dir=tmp_path)
    assert (len(builds(log)), len(builds(newer))) == (1, 1)
    changed = onnx.load(str(scaling_network))
    changed.graph.name = "another"
    onnx.save(changed, str(scaling_network))
    TensorRTEngine(scaling_network, cache_dir=tmp_path)
    assert len(builds(newer)) == 2


def test_a_cached_plan_that_does_not_load_is_rebuilt(scaling_network, tmp_path, monkeypatch, caplog):
    log = standin_tensorrt.install(monkeypatch)
    TensorRTEngine(scaling_network, cache_dir=tmp_path)
    (plan,) = tmp_path.glob("*.plan")
    plan.write_bytes(b"9.0.0|" + scaling_network.read_bytes())
    x = np.ones((2, 300), np.float32)
    assert TensorRTEngine(scaling_network, cache_dir=tmp_path).run({"x": x})["y"].max() == 2.0
    assert len(builds(log)) == 2
    assert "does not load" in caplog.text


def test_an_engine_that_answers_differently_is_refused_and_not_kept(scaling_network, tmp_path, monkeypatch):
    standin_tensorrt.install(monkeypatch, spoil=spoil_factor)
    with pytest.raises(EngineMismatchError, match=r"output 'y': 100.00 % of the values differ|output 'y'"):
        TensorRTEngine(scaling_network, cache_dir=tmp_path)
    assert not list(tmp_path.glob("*.plan"))


def test_no_space_for_the_cache_runs_without(scaling_network, tmp_path, monkeypatch, caplog):
    standin_tensorrt.install(monkeypatch)
    (tmp_path / "file").write_text("in the way")
    engine = TensorRTEngine(scaling_network, cache_dir=tmp_path / "file" / "cache")
    assert engine.run({"x": np.ones((1, 300), np.float32)})["y"].max() == 2.0
    assert "running without a cache" in caplog.text


@pytest.mark.parametrize(("fail", "message"), [("parse", "unsupported operator Zzz"), ("build", "could not build it")])
def test_networks_that_it_does_not_take_are_named(scaling_network, tmp_path, monkeypatch, fail, message):
    standin_tensorrt.install(monkeypatch, fail=fail)
    with pytest.raises(AirsideError, match=message):
        TensorRTEngine(scaling_network, cache_dir=tmp_path)


def test_half_precision_is_a_flag_before_11_and_a_typed_file_from_then_on(scaling_network, tmp_path, monkeypatch):
    log = standin_tensorrt.install(monkeypatch, "10.7.0")
    TensorRTEngine(scaling_network, "fp16", tmp_path)
    assert ("flag", "FP16") in log
    log = standin_tensorrt.install(monkeypatch, "11.0.0")
    engine = TensorRTEngine(scaling_network, "fp16", tmp_path)
    assert not [entry for entry in log if entry[0] == "flag"]
    (parsed,) = [onnx.load_from_string(content) for kind, content in log if kind == "parsed"]
    assert {each.data_type for each in parsed.graph.initializer} == {TensorProto.FLOAT16}
    x = np.full((1, 300), 0.25, np.float32)  # inputs and outputs stay as they were
    assert np.array_equal(engine.run({"x": x})["y"], 2 * x)


def test_int8_takes_quantised_files_alone_and_types_them_strongly_on_10(scaling_network, tmp_path, monkeypatch):
    log = standin_tensorrt.install(monkeypatch, "10.7.0")
    with pytest.raises(AirsideError, match="build-engine --precision int8"):
        TensorRTEngine(scaling_network, "int8", tmp_path)
    model = onnx.load(str(scaling_network))
    helper.set_model_props(model, {"precision": "int8"})
    onnx.save(model, str(scaling_network))
    TensorRTEngine(scaling_network, "int8", tmp_path)
    assert ("network", 2) in log, "1 << STRONGLY_TYPED"
    newer = standin_tensorrt.install(monkeypatch, "11.0.0")
    TensorRTEngine(scaling_network, "int8", tmp_path)
    assert ("network", 0) in newer


def test_more_cameras_than_it_was_built_for(scaling_network, tmp_path, monkeypatch):
    standin_tensorrt.install(monkeypatch)
    engine = TensorRTEngine(scaling_network, cache_dir=tmp_path)
    nine = {"x": np.ones((9, 300), np.float32)}
    with pytest.raises(AirsideError, match=r"at most 8 cameras, got 9; .*build-engine --max-cameras 9"):
        engine.run(nine)
    assert TensorRTEngine(scaling_network, cache_dir=tmp_path, max_cameras=9).run(nine)["y"].shape == (9, 300)


def test_it_is_found_where_a_gpu_answers(monkeypatch):
    standin_tensorrt.install(monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert tensorrt_available()
