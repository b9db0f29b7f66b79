"""One protocol for every inference runtime, and the door through which networks are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from airside_perception.errors import AirsideError

RUNTIMES = ("auto", "onnxruntime", "tensorrt")


@dataclass(frozen=True)
class TensorSpec:
    """Name, shape and type of an engine's input or output.

    Attributes:
        name: tensor name.
        shape: sizes; a name (str) stands for a size that is free at run time.
        dtype: numpy dtype name.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str


class EngineError(RuntimeError):
    """The runtime failed on good inputs; the next frame may go well."""


class Engine(Protocol):
    """A loaded network."""

    @property
    def runtime(self) -> str:
        """What runs it, for people: "onnxruntime CPU", "tensorrt 10.7 FP16"."""
        ...

    @property
    def input_specs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def output_specs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """Text that the exporter put into the file."""
        ...

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs by name (contiguous arrays of the specs' types) to outputs by name.

        Raises:
            AirsideError: a missing input, a wrong shape or type.
            EngineError: the runtime failed (out of memory, a lost device).
        """
        ...


def load_engine(
    path: str | Path,
    runtime: str = "auto",
    threads: int = 0,
    precision: str = "fp32",
    cache_dir: str | Path | None = None,
    max_cameras: int = 8,
) -> Engine:
    """Load an ONNX file with the runtime asked for.

    Args:
        path: .onnx file.
        runtime: "onnxruntime" (CPU, or CUDA where its provider is installed), "tensorrt", or "auto"
            (TensorRT where it and a GPU are at hand, else ONNX Runtime).
        threads: CPU threads of ONNX Runtime; 0 lets it choose.
        precision: "fp32", "fp16" or "int8"; TensorRT only, ONNX Runtime computes as the file says.
        cache_dir: where built TensorRT plans are kept; None: ~/.cache/airside_perception/engines.
        max_cameras: largest camera count of a TensorRT plan; ONNX Runtime takes any.

    Raises:
        AirsideError: missing or unreadable file, unknown or missing runtime.
    """
    path = Path(path)
    if runtime not in RUNTIMES:
        raise AirsideError(f"network.runtime: expected one of {', '.join(RUNTIMES)}, got {runtime!r}")
    if not path.is_file():
        raise AirsideError(
            f"{path}: expected an ONNX network, found no such file; train and export one, or mend network.engine"
        )
    if runtime == "tensorrt" or (runtime == "auto" and _tensorrt_at_hand()):
        from airside_perception.inference.tensorrt_engine import TensorRTEngine

        return TensorRTEngine(path, precision=precision, cache_dir=cache_dir, max_cameras=max_cameras)
    from airside_perception.inference.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(path, threads=threads)


def _tensorrt_at_hand() -> bool:
    from airside_perception.inference.tensorrt_engine import tensorrt_available

    return tensorrt_available()


def check_inputs(owner: str, specs: tuple[TensorSpec, ...], inputs: Mapping[str, np.ndarray]) -> None:
    """Refuse inputs that don't fit `specs`.

    Raises:
        AirsideError: names the input, what was expected and what came.
    """
    for spec in specs:
        if spec.name not in inputs:
            raise AirsideError(f"{owner}: expected input {spec.name!r}, got {sorted(inputs)}")
        array = inputs[spec.name]
        fits = len(array.shape) == len(spec.shape) and all(
            isinstance(want, str) or want == got for want, got in zip(spec.shape, array.shape, strict=True)
        )
        if not fits or array.dtype != np.dtype(spec.dtype):
            raise AirsideError(
                f"{owner}: input {spec.name!r}: expected {spec.dtype} {spec.shape}, got {array.dtype} {array.shape}"
            )
