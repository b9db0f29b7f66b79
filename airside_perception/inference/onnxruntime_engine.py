"""ONNX Runtime: the default engine on CPUs, and on CUDA where its provider is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from airside_perception.errors import AirsideError
from airside_perception.inference.engine import EngineError, TensorSpec, check_inputs

_NUMPY_NAMES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


class OnnxRuntimeEngine:
    """An ONNX file in ONNX Runtime.

    Args:
        path: .onnx file.
        threads: CPU threads; 0 lets ONNX Runtime choose.
        device: "auto" (CUDA if its provider is there), "cpu" or "cuda".

    Raises:
        AirsideError: the file is no ONNX network this runtime can run, or CUDA was asked for in vain.
    """

    def __init__(self, path: str | Path, threads: int = 0, device: str = "auto") -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Spinning workers win a few percent on an idle machine and ruin the latency of everything
        # else on a shared one: the refiner and the middleware run beside the network.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = _providers(device)
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime raises a family of types without a common base
            reason = str(error).strip().splitlines()[0]
            raise AirsideError(f"{path}: ONNX Runtime can't load it ({reason}); export the network again") from error
        self._path = Path(path)
        self._inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self._outputs = tuple(_spec(node) for node in self._session.get_outputs())
        self._metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    @property
    def runtime(self) -> str:
        provider = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        return f"onnxruntime {onnxruntime.__version__} {provider}"

    @property
    def input_specs(self) -> tuple[TensorSpec, ...]:
        return self._inputs

    @property
    def output_specs(self) -> tuple[TensorSpec, ...]:
        return self._outputs

    @property
    def metadata(self) -> Mapping[str, str]:
        return self._metadata

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Engine.run."""
        check_inputs(self._path.name, self._inputs, inputs)
        feed = {spec.name: inputs[spec.name] for spec in self._inputs}
        names = [spec.name for spec in self._outputs]
        try:
            outputs = self._session.run(names, feed)
        except Exception as error:  # as above: a family without a common base
            raise EngineError(f"{self._path.name}: {' '.join(str(error).split())}") from error
        return dict(zip(names, outputs, strict=True))


def _providers(device: str) -> list[str]:
    available = onnxruntime.get_available_providers()
    if device == "cuda" and "CUDAExecutionProvider" not in available:
        raise AirsideError(
            "network.device: expected the CUDA provider of ONNX Runtime, found none; install onnxruntime-gpu"
        )
    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"] if device != "cpu" else ["CPUExecutionProvider"]
    return [name for name in wanted if name in available]


def _spec(node: onnxruntime.NodeArg) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else str(size) for size in node.shape)
    return TensorSpec(node.name, shape, _NUMPY_NAMES.get(node.type, node.type))
