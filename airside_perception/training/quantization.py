"""INT8 networks: static quantisation with Q/DQ nodes, which ONNX Runtime and TensorRT both take.

Convolutions do the work, so they are what is quantised; the first layers (their inputs span whole images and whole
metres) and the last ones (their outputs are regressed numbers) stay in floating point. Ranges of activations come
from frames of the generator's training split.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from airside_perception.errors import AirsideError
from airside_perception.inference.engine_cache import EngineMismatchError, check_parity
from airside_perception.inference.onnxruntime_engine import OnnxRuntimeEngine
from airside_perception.occupancy.lifting import build_lifting_tables
from airside_perception.occupancy.network_io import read_network_spec
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.occupancy.pixel_geometry import pixel_geometry
from airside_perception.occupancy.previous_volume import PreviousVolume
from airside_perception.training.occupancy_data import TrainingSample, load_sample, resize_sample

logger = logging.getLogger(__name__)

CALIBRATION_FRAMES = 12
CALIBRATION_CAMERAS = 4

SENSITIVE_LAYERS = (
    "encoder/stem",
    "encoder/geometry",
    "to_stride8",
    "to_stride4",
    "semantic_head",
    "depth_head",
    "object_head",
    "surface_head",
    "range_head",
    "lift_head",
    "voxel_head.1",
    "center_head.1",
    "motion/tell",
)
"""Parts of node names; such convolutions stay in floating point. What leads to depth and to the object votes matters
most, as small errors there lift features to other places: with to_stride8, to_stride4, depth_head.0 and object_head.0
in bytes, `val` frames lost 1.3 mIoU, without them none. In the decoder bytes cost nothing that shows."""

_GAP_S = 0.2
"""Seconds between the two frames of a calibration with a memory."""

PARITY = {"probability": (0.1, 0.03), "semantics": (0.1, 0.05), "heatmap": (0.1, 0.01)}
"""Output: largest difference from the original and share of the values that may differ more. They are probabilities
that are thresholded or compared; a network that differs in more of them is another network."""


def network_inputs(sample: TrainingSample, spec: NetworkSpec) -> dict[str, np.ndarray]:
    """What an engine is asked for one sample as a first frame, by input name."""
    sized = resize_sample(sample, spec.image_size)
    tables = build_lifting_tables(sized.cameras, spec)
    inputs = {"images": sized.images, "geometry": pixel_geometry(sized.cameras, spec), **vars(tables)}
    return inputs | (PreviousVolume(spec).inputs(0, np.eye(4)) if spec.previous_volume else {})


def with_memory(
    inputs: Mapping[str, np.ndarray], engine: OnnxRuntimeEngine, spec: NetworkSpec
) -> dict[str, np.ndarray]:
    """The inputs as a second frame of a vehicle that stands; first frames don't show what memories bring in."""
    memory = PreviousVolume(spec)
    memory.keep(engine.run(inputs)["volume"], 0, np.eye(4))
    return {**inputs, **memory.inputs(round(_GAP_S * 1e9), np.eye(4))}


def generated_frames(
    spec: NetworkSpec, count: int = CALIBRATION_FRAMES, first_seed: int = 4000, cameras: int = CALIBRATION_CAMERAS
) -> Iterator[TrainingSample]:
    """Frames of the training split, each of another scene, rig and light."""
    from airside_perception.training.stream import training_samples

    for seed in range(first_seed, first_seed + count):
        yield from training_samples(seed, "train", spec.grid, spec.image_size, 1, cameras)


def build_quantized(path: Path, out: Path, samples: Path | None, symmetric: bool = False) -> Path:
    """Quantise with samples of a pool folder, or with frames of the generator; returns `out`.

    Raises:
        AirsideError: an empty folder, a network of another version, or a quantised one that answers differently.
    """
    engine = OnnxRuntimeEngine(path, device="cpu")
    spec = read_network_spec(engine)
    if samples is None:
        logger.info("rendering %d calibration frames; --calibration DIR would reuse samples", CALIBRATION_FRAMES)
        frames = [network_inputs(sample, spec) for sample in generated_frames(spec)]
    else:
        files = sorted(samples.glob("*.npz"))
        if len(files) < 2:
            raise AirsideError(f"{samples}: expected at least 2 training samples (*.npz), found {len(files)}")
        chosen = np.linspace(0, len(files) - 1, min(CALIBRATION_FRAMES, len(files))).round().astype(int)
        frames = [network_inputs(load_sample(files[index]), spec) for index in chosen]
    if spec.previous_volume:
        frames[1::2] = [with_memory(inputs, engine, spec) for inputs in frames[1::2]]
    differences = quantize_network(path, out, frames, symmetric=symmetric)
    logger.info("%s: mean difference %s", out, " ".join(f"{k} {v:.4f}" for k, v in differences.items()))
    return out


def quantize_network(
    path: str | Path,
    out: str | Path,
    frames: Sequence[Mapping[str, np.ndarray]],
    sensitive: Sequence[str] = SENSITIVE_LAYERS,
    symmetric: bool = False,
) -> dict[str, float]:
    """Write an INT8 twin of an occupancy network, with the same inputs, outputs and metadata.

    Args:
        path: ONNX file of the network.
        out: file to write.
        frames: inputs that calibrate the ranges of activations; the last one is kept back for the comparison.
        sensitive: parts of the names of convolutions that stay in floating point.
        symmetric: activations around zero, as TensorRT wants; unsigned bytes with a zero point suit CPUs better.

    Returns:
        Mean absolute difference from the original per output of PARITY, on the frame kept back.

    Raises:
        AirsideError: fewer than two frames, or not an occupancy network.
        EngineMismatchError: the quantised network answers differently; the file is removed.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    if len(frames) < 2:
        raise AirsideError(f"quantisation: expected at least 2 calibration frames, got {len(frames)}")
    path, out = Path(path), Path(out)
    original = OnnxRuntimeEngine(path, device="cpu")
    read_network_spec(original)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "float32.onnx"
        model = onnx.load(str(path))
        restore_weights(model)
        onnx.save(model, str(whole))
        names = [node.name for node in model.graph.node if node.op_type == "Conv"]
        excluded = [name for name in names if any(part in name for part in sensitive)]
        logger.info("%s: quantising %d of %d convolutions", path.name, len(names) - len(excluded), len(names))
        quantize_static(
            str(whole),
            str(out),
            _Frames(frames[:-1]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=excluded,
            per_channel=True,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            # True extremes: ONNX Runtime's moving average nearly stays at the first frame's, and clips the others.
            extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True},
        )
    quantized = onnx.load(str(out))
    onnx.helper.set_model_props(quantized, {**original.metadata, "precision": "int8"})
    onnx.save(quantized, str(out))
    reference, answer = original.run(frames[-1]), OnnxRuntimeEngine(out, device="cpu").run(frames[-1])
    try:
        for name, (tolerance, share) in PARITY.items():
            check_parity({name: reference[name]}, answer, tolerance, 0.0, share)
    except EngineMismatchError:
        out.unlink()
        raise
    return {name: float(np.abs(reference[name] - answer[name]).mean()) for name in PARITY}


class _Frames:
    """ONNX Runtime's calibration reader over frames in memory."""

    def __init__(self, frames: Sequence[Mapping[str, np.ndarray]]) -> None:
        self._frames = iter(frames)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self._frames, None)

    def __iter__(self) -> Iterator[Mapping[str, np.ndarray]]:
        return self._frames

    def __next__(self) -> Mapping[str, np.ndarray]:
        return next(self._frames)


def restore_weights(model: onnx.ModelProto) -> int:
    """Undo onnx_weights.halve_weights (in place): float16 weights with a cast become float32 weights again.

    Returns:
        How many weights were restored.
    """
    graph = model.graph
    halves = {each.name: each for each in graph.initializer if each.data_type == TensorProto.FLOAT16}
    casts = [n for n in graph.node if n.op_type == "Cast" and n.input[0] in halves]
    for node in casts:
        weight = halves[node.input[0]]
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float32), node.output[0]))
        graph.node.remove(node)
    return len(casts)
