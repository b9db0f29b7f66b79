"""TensorRT 10 and 11 with PyCUDA: plans are built on the user's machine and cached.

Nothing of NVIDIA is imported until an engine is asked for. Written against the documented Python
API (named tensors, `execute_async_v3`); the plan's answers are compared with ONNX Runtime before
it is kept.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from airside_perception.errors import AirsideError
from airside_perception.inference.engine import TensorSpec, check_inputs
from airside_perception.inference.engine_cache import CacheKey, EngineCache, check_parity
from airside_perception.inference.onnxruntime_engine import OnnxRuntimeEngine
from airside_perception.resources import file_digest

logger = logging.getLogger(__name__)

USUAL_CAMERAS, MOST_CAMERAS = 6, 8
"""Camera counts that plans are made fastest for, and made for at most unless told otherwise."""

PARITY = {"fp32": (1e-2, 1e-2, 0.002), "fp16": (5e-2, 5e-2, 0.02), "int8": (5e-2, 5e-2, 0.05)}
"""Absolute and relative tolerance and allowed share of outliers, see engine_cache.check_parity."""


def tensorrt_available() -> bool:
    """TensorRT and PyCUDA are installed and a GPU answers."""
    if importlib.util.find_spec("tensorrt") is None or importlib.util.find_spec("pycuda") is None:
        return False
    try:
        driver = importlib.import_module("pycuda.driver")
        driver.init()
        return bool(driver.Device.count() > 0)
    except Exception:  # any driver error means: no usable GPU
        return False


def import_runtime() -> tuple[Any, Any]:
    """The modules tensorrt and pycuda.driver with a current context.

    Raises:
        AirsideError: one of them is missing, or there is no GPU.
    """
    try:
        tensorrt = importlib.import_module("tensorrt")
        driver = importlib.import_module("pycuda.driver")
        # The primary context is the one that torch and Warp use; pycuda.autoinit would make a second one.
        importlib.import_module("pycuda.autoprimaryctx")
    except Exception as error:
        raise AirsideError(
            f"network.runtime: TensorRT needs the packages tensorrt and pycuda and a GPU ({error}); "
            "install them or use network.runtime=onnxruntime"
        ) from error
    return tensorrt, driver


class TensorRTEngine:
    """An ONNX file as a TensorRT plan.

    Args:
        path: .onnx file.
        precision: "fp32", "fp16", or "int8" for a file with Q/DQ nodes (`airside build-engine --precision int8`).
        cache_dir: folder of the plans, None for the default.
        max_cameras: largest camera count that the plan takes.

    Raises:
        AirsideError: no TensorRT, a network it can't build, or (EngineMismatchError) a plan that answers wrongly.
    """

    def __init__(
        self,
        path: str | Path,
        precision: str = "fp32",
        cache_dir: str | Path | None = None,
        max_cameras: int = MOST_CAMERAS,
    ) -> None:
        if precision not in PARITY:
            raise AirsideError(f"network.precision: expected one of {', '.join(PARITY)}, got {precision!r}")
        self._path, self._precision = Path(path), precision
        self._tensorrt, self._driver = import_runtime()
        self._logger = self._tensorrt.Logger(self._tensorrt.Logger.WARNING)
        self._reference = OnnxRuntimeEngine(path, device="cpu")
        if precision == "int8" and self._reference.metadata.get("precision") != "int8":
            raise AirsideError(
                f"{path}: int8 needs a quantised ONNX file, this one isn't; make it with "
                "`airside build-engine --precision int8`"
            )
        self._cache = EngineCache(cache_dir)
        self._shapes = profile_shapes(self._reference.input_specs, max_cameras)
        self._engine = self._cache.get(self._key(), self._build, self._deserialize, self._verify)
        self._open(self._engine)

    @property
    def runtime(self) -> str:
        return f"tensorrt {self._tensorrt.__version__} {self._precision.upper()}"

    @property
    def input_specs(self) -> tuple[TensorSpec, ...]:
        return self._reference.input_specs

    @property
    def output_specs(self) -> tuple[TensorSpec, ...]:
        return self._reference.output_specs

    @property
    def metadata(self) -> Mapping[str, str]:
        return self._reference.metadata

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See Engine.run."""
        check_inputs(self._path.name, self.input_specs, inputs)
        for spec in self.input_specs:
            array = np.ascontiguousarray(inputs[spec.name])
            self._check_size(spec.name, array.shape)
            self._context.set_input_shape(spec.name, tuple(array.shape))
            host, device = self._buffer(spec.name, array.nbytes)
            np.copyto(host[: array.nbytes], array.reshape(-1).view(np.uint8))
            self._driver.memcpy_htod_async(device, host[: array.nbytes], self._stream)
            self._context.set_tensor_address(spec.name, int(device))
        shapes = {spec.name: tuple(self._context.get_tensor_shape(spec.name)) for spec in self.output_specs}
        sizes: dict[str, int] = {}
        for spec in self.output_specs:
            sizes[spec.name] = int(np.prod(shapes[spec.name])) * np.dtype(spec.dtype).itemsize
            _, device = self._buffer(spec.name, sizes[spec.name])
            self._context.set_tensor_address(spec.name, int(device))
        if not self._context.execute_async_v3(self._stream.handle):
            raise AirsideError(f"{self._path.name}: TensorRT failed to run the network; see its log above")
        for name, size in sizes.items():
            host, device = self._buffers[name]
            self._driver.memcpy_dtoh_async(host[:size], device, self._stream)
        self._stream.synchronize()
        return {
            spec.name: self._buffers[spec.name][0][: sizes[spec.name]]
            .view(spec.dtype)
            .reshape(shapes[spec.name])
            .copy()
            for spec in self.output_specs
        }

    def _check_size(self, name: str, shape: tuple[int, ...]) -> None:
        largest = self._shapes[name][-1]
        if any(have > most for have, most in zip(shape, largest, strict=True)):
            raise AirsideError(
                f"{self._path.name}: input {name!r}: this engine was built for at most {largest[0]} cameras, got "
                f"{shape[0]}; set network.max_cameras={shape[0]} and build it again with "
                f"`airside build-engine --max-cameras {shape[0]}`"
            )

    def _open(self, engine: Any) -> None:
        self._context = engine.create_execution_context()
        self._stream = self._driver.Stream()
        self._buffers: dict[str, tuple[np.ndarray, Any]] = {}

    def _buffer(self, name: str, size: int) -> tuple[np.ndarray, Any]:
        """Pinned host and device memory of at least `size` bytes, kept between frames."""
        held = self._buffers.get(name)
        if held is None or held[0].nbytes < size:
            held = (self._driver.pagelocked_empty(size, np.uint8), self._driver.mem_alloc(size))
            self._buffers[name] = held
        return held

    def _key(self) -> CacheKey:
        device = self._driver.Context.get_device()
        capability = ".".join(str(part) for part in device.compute_capability())
        return CacheKey(
            model_hash=file_digest(self._path),
            shapes=self._shapes,
            precision=self._precision,
            device=f"{device.name()} sm{capability}",
            runtime_version=str(self._tensorrt.__version__),
        )

    def _build(self) -> bytes:
        trt = self._tensorrt
        major = int(str(trt.__version__).split(".")[0])
        # Version 11 types strongly: precision comes from the ONNX file and there are no builder flags for it.
        typed_fp16 = self._precision == "fp16" and major >= 11
        content = half_typed(self._path) if typed_fp16 else self._path.read_bytes()
        builder = trt.Builder(self._logger)
        strongly = self._precision == "int8" and major == 10
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED) if strongly else 0)
        parser = trt.OnnxParser(network, self._logger)
        if not parser.parse(content):
            reason = parser.get_error(0) if parser.num_errors else "unknown reason"
            raise AirsideError(f"{self._path}: TensorRT can't parse it ({reason}); use network.runtime=onnxruntime")
        config = builder.create_builder_config()
        if self._precision == "fp16" and not typed_fp16:
            config.set_flag(trt.BuilderFlag.FP16)
        profile = builder.create_optimization_profile()
        for name, shapes in self._shapes.items():
            profile.set_shape(name, *shapes)
        config.add_optimization_profile(profile)
        timing = self._load_timings(config)
        logger.info("building a TensorRT plan of %s (%s); this takes minutes, once", self._path.name, self._precision)
        start = time.monotonic()
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise AirsideError(
                f"{self._path}: TensorRT could not build it; see its log, or use network.runtime=onnxruntime"
            )
        logger.info("built in %.0f s", time.monotonic() - start)
        if timing is not None:
            self._cache.write(self._cache.timing_path, bytes(config.get_timing_cache().serialize()))
        return bytes(plan)

    def _load_timings(self, config: Any) -> Any:
        path = self._cache.timing_path
        timing = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
        config.set_timing_cache(timing, ignore_mismatch=False)
        return timing

    def _deserialize(self, plan: bytes) -> Any | None:
        return self._tensorrt.Runtime(self._logger).deserialize_cuda_engine(plan)

    def _verify(self, engine: Any) -> None:
        """Run both runtimes on one set of random inputs; see engine_cache.check_parity."""
        self._open(engine)
        inputs = random_inputs(self.input_specs, self._shapes)
        absolute, relative, share = PARITY[self._precision]
        check_parity(self._reference.run(inputs), self.run(inputs), absolute, relative, share)


def half_typed(path: Path) -> bytes:
    """An ONNX file whose arithmetic is float16, with inputs and outputs as they were.

    Raises:
        AirsideError: the converter's packages are missing.
    """
    try:
        onnx = importlib.import_module("onnx")
        converter = importlib.import_module("onnxruntime.transformers.float16")
    except ImportError as error:
        raise AirsideError(
            f"network.precision: TensorRT 11 takes fp16 only from an fp16 ONNX file, and making one needs the package "
            f"onnx ({error}); install it, use fp32 or TensorRT 10"
        ) from error
    model = converter.convert_float_to_float16(onnx.load(str(path)), keep_io_types=True)
    return bytes(model.SerializeToString())


def profile_shapes(
    specs: tuple[TensorSpec, ...], max_cameras: int = MOST_CAMERAS
) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Input name -> (smallest, usual, largest) shape; the free size is the camera count."""
    counts = (1, min(USUAL_CAMERAS, max_cameras), max_cameras)
    return {
        spec.name: tuple(tuple(free if isinstance(size, str) else size for size in spec.shape) for free in counts)
        for spec in specs
    }


def random_inputs(
    specs: tuple[TensorSpec, ...], shapes: Mapping[str, tuple[tuple[int, ...], ...]], seed: int = 0
) -> dict[str, np.ndarray]:
    """Inputs of the usual shape: bytes 0..255, small indices, floats 0..1."""
    random = np.random.default_rng(seed)
    inputs: dict[str, np.ndarray] = {}
    for spec in specs:
        shape = shapes[spec.name][1]
        if spec.dtype == "uint8":
            inputs[spec.name] = random.integers(0, 256, shape, dtype=np.uint8)
        elif spec.dtype.startswith("int"):
            inputs[spec.name] = random.integers(0, 1000, shape).astype(spec.dtype)
        else:
            inputs[spec.name] = random.random(shape).astype(spec.dtype)
    return inputs
