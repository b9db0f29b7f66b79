import importlib.util

import numpy as np
import pytest

from airside_perception.errors import AirsideError
from airside_perception.inference.engine import TensorSpec
from airside_perception.inference.tensorrt_engine import TensorRTEngine, profile_shapes, random_inputs

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
    with pytest.raises(AirsideError, match="expected one of fp32, fp16, got 'int4'"):
        TensorRTEngine(tmp_path / "any.onnx", precision="int4")
