"""Weights stored at half size keep the answers, and what float16 can't hold stays whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from airside_perception.training.onnx_weights import halve_weights


def product_model(weight: np.ndarray) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, weight.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, weight.shape[1]])],
        [numpy_helper.from_array(weight, "weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answer(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


def test_halved_weights_answer_the_same_up_to_their_rounding(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    weight, x = random.normal(size=(64, 32)).astype(np.float32), random.normal(size=(1, 64)).astype(np.float32)
    model = product_model(weight)
    whole = len(model.SerializeToString())
    assert halve_weights(model) == 1
    onnx.checker.check_model(model)
    assert len(model.SerializeToString()) < 0.6 * whole
    np.testing.assert_allclose(answer(model, x), x @ weight.astype(np.float16).astype(np.float32), rtol=1e-5, atol=1e-5)


def test_small_and_unstorable_weights_stay() -> None:
    for weight in (np.ones((4, 4)), np.full((64, 32), 1e6), np.full((64, 32), np.nan)):
        model = product_model(weight.astype(np.float32))
        assert halve_weights(model) == 0
        assert [node.op_type for node in model.graph.node] == ["MatMul"]
