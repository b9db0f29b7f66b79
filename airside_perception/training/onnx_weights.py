"""ONNX weights stored at half their size: float16 in the file, float32 in the graph."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LEAST_VALUES = 256
"""Smaller tensors (biases, shapes) stay as they are: halving them would save nothing."""

LARGEST = float(np.finfo(np.float16).max)


def halve_weights(model: onnx.ModelProto) -> int:
    """Store the large float32 weights of `model` as float16, each followed by a cast to float32 (in place).

    Runtimes fold the casts when they load the file, so that nothing but the rounding (relative 5e-4) is left of it.

    Returns:
        How many weights are now halves; weights that float16 can't hold stay.
    """
    graph, casts, count = model.graph, [], 0
    for index, weight in enumerate(graph.initializer):
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        if values.size < LEAST_VALUES or not np.abs(values).max() < LARGEST:
            continue
        name = weight.name
        graph.initializer[index].CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_cast", to=TensorProto.FLOAT))
        count += 1
    # A node must come after those that it reads from: the casts read weights alone, so they go first.
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return count
