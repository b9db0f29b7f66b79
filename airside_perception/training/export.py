"""Checkpoint -> ONNX file that carries its own spec and agrees with torch."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from airside_perception.errors import AirsideError
from airside_perception.inference.engine_cache import EngineMismatchError, check_parity
from airside_perception.inference.onnxruntime_engine import OnnxRuntimeEngine
from airside_perception.occupancy.calibration import Calibration
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.occupancy.network_io import METADATA_KEY, input_names, output_names
from airside_perception.occupancy.network_spec import CAMERA_SLOTS, NetworkSpec
from airside_perception.occupancy.pixel_geometry import GEOMETRY_CHANNELS
from airside_perception.occupancy.previous_volume import volume_table
from airside_perception.training.initial_weights import check_complete
from airside_perception.training.onnx_weights import halve_weights
from airside_perception.training.single_frame import single_frame_network
from airside_perception.training.supervision import current_name

logger = logging.getLogger(__name__)

OPSET = 17
"""Old enough for the TensorRT of JetPack, new enough for everything used here."""

OPSETS = range(16, 21)
"""What the exporter writes and ONNX Runtime and TensorRT read; older ones lack operators that are used here."""

PER_CAMERA = ("images", "geometry", "semantics", "objects", "surface", "ranges")
"""Inputs and outputs whose first axis is the cameras."""

HALF_TOLERANCE = 2e-2
"""Largest difference from torch once the weights are rounded to float16 (relative above 1)."""

HALF_SHARE = 1e-3
"""Part of the values that may differ more: a random image drives a few of them far."""


class ExportedNetwork(nn.Module):
    """The network with finished answers: probabilities and labels instead of logits, bytes as images."""

    def __init__(self, network: OccupancyNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        images: Tensor,
        geometry: Tensor,
        feature_index: Tensor,
        depth_index: Tensor,
        depth_fraction: Tensor,
        slot_weight: Tensor,
        *previous: Tensor,
    ) -> tuple[Tensor, ...]:
        """The network on one sample.

        Args:
            images: (N, H, W, 3) uint8.
            geometry: (N, 5, H/4, W/4) float.
            feature_index, depth_index, depth_fraction, slot_weight: (slots, V) tables.
            previous: (C, X, Y) volume, (4, X*Y) index and weight, where the spec has a previous volume.

        Returns:
            What network_io.output_names lists.
        """
        rest = (each[None] for each in (feature_index, depth_index, depth_fraction, slot_weight, *previous))
        raw = self.network(images.permute(0, 3, 1, 2), geometry, *rest)
        voxels = raw.voxels[0]
        probability = torch.sigmoid(voxels[0]).permute(1, 2, 0)
        class_id = (voxels[1:].argmax(0) + 1).permute(1, 2, 0).to(torch.int32)
        heatmap, semantics = torch.sigmoid(raw.heatmap[0]), raw.semantics.softmax(1)
        answers = (probability, class_id, heatmap, raw.boxes[0], semantics, raw.objects, raw.surface, raw.ranges)
        return answers if raw.displacement is None else (*answers, raw.displacement[0], raw.volume[0])


def load_checkpoint(path: str | Path) -> tuple[OccupancyNetwork, dict[str, float]]:
    """The averaged network of a checkpoint, in eval mode, and its last validation scores.

    Raises:
        AirsideError: missing file, no checkpoint, weights of another shape.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network = OccupancyNetwork(NetworkSpec.from_json(state["spec"]))
        check_complete(network, state["average"], path)
        network.load_state_dict(state["average"])
    except AirsideError:
        raise
    except Exception as error:  # torch raises pickle, zip, key and runtime errors alike
        reason = str(error).strip().splitlines()[0]
        raise AirsideError(f"{path}: expected a checkpoint of train occupancy ({reason})") from error
    return network.eval(), dict(state.get("scores", {}))


def export_network(
    network: OccupancyNetwork,
    path: str | Path,
    extra: Mapping[str, str] | None = None,
    tolerance: float = 1e-3,
    half_weights: bool = True,
    opset: int = OPSET,
) -> float:
    """Write `network` as ONNX, check it against torch, embed the metadata.

    Args:
        network: trained network.
        path: .onnx file to write.
        extra: further metadata (text).
        tolerance: largest difference of ONNX Runtime from torch (relative above 1).
        half_weights: store the weights as float16, which halves the file, unless answers then differ by more than
            HALF_TOLERANCE.
        opset: version of the ONNX operators, one of OPSETS.

    Returns:
        The occupancy-probability difference that was measured on the file as written.

    Raises:
        AirsideError: an opset that isn't supported.
        EngineMismatchError: (AirsideError) ONNX Runtime answers differently; the file is removed.
    """
    if opset not in OPSETS:
        raise AirsideError(f"opset: expected {OPSETS[0]} to {OPSETS[-1]}, got {opset}")
    path = Path(path)
    exported = ExportedNetwork(network).eval()
    example = example_inputs(network.spec, cameras=2)
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated, but its graphs need no extra package and stay plain.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            exported,
            tuple(torch.from_numpy(array) for array in example.values()),
            str(path),
            input_names=list(input_names(network.spec)),
            output_names=list(output_names(network.spec)),
            dynamic_axes={name: {0: "cameras"} for name in PER_CAMERA},
            opset_version=opset,
            dynamo=False,
        )
    try:
        difference = _check(exported, path, tolerance)
    except AirsideError:
        path.unlink()
        raise
    _embed_metadata(path, network.spec, extra or {})
    return _shrink(exported, path, extra or {}, difference) if half_weights else difference


def _shrink(exported: ExportedNetwork, path: Path, extra: Mapping[str, str], difference: float) -> float:
    """Replace a file by one of half the size, if that answers alike; returns the difference of the one that stays."""
    smaller = path.with_suffix(".half.onnx")
    model = onnx.load(str(path))
    halve_weights(model)
    onnx.save(model, str(smaller))
    _embed_metadata(smaller, exported.network.spec, extra)
    try:
        difference = _check(exported, smaller, HALF_TOLERANCE, HALF_SHARE)
    except EngineMismatchError as error:
        logger.warning("%s: weights stay float32, as float16 they answer differently (%s)", path, error)
        smaller.unlink()
    else:
        smaller.replace(path)
    return difference


def _embed_metadata(path: Path, spec: NetworkSpec, extra: Mapping[str, str]) -> None:
    model = onnx.load(str(path))
    weights = hashlib.sha256(model.graph.SerializeToString()).hexdigest()
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json(), "model_hash": weights, **extra})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _check(exported: ExportedNetwork, path: Path, tolerance: float, allowed_share: float = 0.0) -> float:
    """Compare with torch on another camera count than the one that was traced; see check_parity."""
    inputs = example_inputs(exported.network.spec, cameras=3, seed=1)
    with torch.no_grad():
        expected = exported(*(torch.from_numpy(array) for array in inputs.values()))
    names = output_names(exported.network.spec)
    reference = {name: tensor.numpy() for name, tensor in zip(names, expected, strict=True)}
    answer = OnnxRuntimeEngine(path, device="cpu").run(inputs)
    continuous = {name: array for name, array in reference.items() if name != "class_id"}
    check_parity(continuous, answer, tolerance, tolerance, allowed_share)
    # Labels may flip where two classes tie: to the last bit, or to the last one that a half weight keeps.
    check_parity({"class_id": reference["class_id"]}, answer, 0.0, 0.0, allowed_share=max(1e-3, 10 * allowed_share))
    return float(np.abs(reference["probability"] - answer["probability"]).max())


def example_inputs(spec: NetworkSpec, cameras: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs with valid indices for `cameras` cameras, in the order of network_io.input_names."""
    random = np.random.default_rng(seed)
    shape = (CAMERA_SLOTS, spec.lift_point_count)
    cells = cameras * spec.lift_size[0] * spec.lift_size[1]
    depth_cells = cameras * spec.depth_size[0] * spec.depth_size[1]
    # Smooth images: white noise would drive the network far outside of what it was trained on.
    coarse = random.integers(0, 256, (cameras, spec.image_size[1] // 32, spec.image_size[0] // 32, 3), dtype=np.uint8)
    inputs: dict[str, np.ndarray] = {
        "images": coarse.repeat(32, axis=1).repeat(32, axis=2),
        "geometry": random.uniform(-1, 1, (cameras, GEOMETRY_CHANNELS, *spec.lift_size[::-1])).astype(np.float32),
        "feature_index": random.integers(0, cells, shape).astype(np.int32),
        "depth_index": (
            random.integers(0, depth_cells, shape) * spec.depth_bins + random.integers(0, spec.depth_bins - 1, shape)
        ).astype(np.int32),
        "depth_fraction": random.random(shape).astype(np.float32),
        "slot_weight": (random.random(shape) < 0.7).astype(np.float32) / CAMERA_SLOTS,
    }
    return inputs | (_example_of_previous(spec, random) if spec.previous_volume else {})


def _example_of_previous(spec: NetworkSpec, random: np.random.Generator) -> dict[str, np.ndarray]:
    """A vehicle that moved a metre and turned a little."""
    previous_from_now = np.eye(4)
    previous_from_now[:2, :2] = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
    previous_from_now[0, 3] = 1.0
    index, weight = volume_table(spec.grid, previous_from_now)
    volume = np.abs(random.normal(0.0, 0.5, spec.volume_shape)).astype(np.float32)
    return {"previous_volume": volume, "previous_index": index, "previous_weight": weight}


def export_checkpoint(
    checkpoint: str | Path,
    path: str | Path,
    model_card: str | Path | None = None,
    opset: int = OPSET,
    single_frame: bool = False,
) -> dict[str, float]:
    """Export a checkpoint; scores and options go into the metadata and, if asked for, a model card.

    Args:
        checkpoint: of training.
        path: .onnx file to write.
        model_card: Markdown file to write, too.
        opset: version of the ONNX operators.
        single_frame: leave out its memory; the scores are those that it had with it.

    Returns:
        Validation scores of the checkpoint and "parity", the largest difference from torch.
    """
    network, scores = load_checkpoint(checkpoint)
    network = single_frame_network(network) if single_frame else network
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    about = {
        "contract": current_name(str(state.get("contract", ""))),
        "supervision": str(state.get("supervision", state.get("contract", ""))),
        "steps": str(state.get("steps", 0)),
    }
    return export_with_scores(network, path, scores, about, model_card, opset)


def export_with_scores(
    network: OccupancyNetwork,
    path: str | Path,
    scores: Mapping[str, float],
    about: Mapping[str, str],
    model_card: str | Path | None = None,
    opset: int = OPSET,
) -> dict[str, float]:
    """Export a network with its validation scores and the thresholds that come from them.

    Args:
        network: in eval mode.
        path: .onnx file to write.
        scores: of `occupancy_validation.validate`.
        about: "contract", "supervision" and "steps" of its training, as text.
        model_card: Markdown file to write, too.
        opset: version of the ONNX operators.

    Returns:
        The scores and "parity", the largest difference from torch.
    """
    finite = {name: value for name, value in scores.items() if np.isfinite(value)}
    extra = {**about, **_thresholds(finite), "validation": json.dumps(finite, sort_keys=True)}
    parity = export_network(network, path, extra, opset=opset)
    if model_card is not None:
        write_model_card(model_card, Path(path), network, {**extra, "opset": str(opset)}, finite)
    logger.info("%s: %.1f MB, parity %.1e", path, Path(path).stat().st_size / 1e6, parity)
    return {**scores, "parity": parity}


def _thresholds(scores: Mapping[str, float]) -> dict[str, str]:
    """Metadata that the runner decodes voxels by; validation scores may lack any of it."""
    calibration = Calibration(scores.get("voxel_temperature", 1.0), scores.get("voxel_bias", 0.0))
    occupied = float(calibration.apply(np.array([scores.get("threshold", 0.5)]))[0])
    return {
        **calibration.to_metadata("voxel"),
        "occupancy_threshold": f"{occupied:.4g}",
        "free_threshold": f"{min(scores.get('free_threshold', 1.0), occupied):.4g}",
    }


def write_model_card(
    card: str | Path, model: Path, network: OccupancyNetwork, extra: Mapping[str, str], scores: Mapping[str, float]
) -> None:
    """Markdown beside the weights: what they were trained on and what they scored."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    spec = network.spec
    lines = [
        "# occupancy.onnx",
        "",
        "Images of any surround rig to semantic voxels, 3D detections and 2D semantics of an airport apron.",
        "",
        f"- Parameters: {parameters / 1e6:.2f} million; file {model.stat().st_size / 1e6:.1f} MB; "
        f"ONNX opset {extra['opset']}.",
        f"- Images: {spec.image_size[0]}x{spec.image_size[1]} per camera, any number of cameras.",
        f"- Grid: origin {spec.grid.origin} m, voxel {spec.grid.voxel_size} m, shape {spec.grid.shape}, base_link.",
        f"- Supervision contract: `{extra['supervision']}`: what the voxels learned from; image heads learned from",
        "  depth and semantic images, the detection head from boxes.",
        f"- Training: {extra['steps']} steps.",
        f"- Voxels count as occupied above probability {extra['occupancy_threshold']} and as free below "
        f"{extra['free_threshold']}, between them as unknown; probabilities are calibrated with temperature "
        f"{extra['voxel_temperature']} and bias {extra['voxel_bias']} (all chosen on validation samples).",
        "",
        "Validation (held-out seeds of the validation asset families; voxels that a camera observes):",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value:.3f} |" for name, value in sorted(scores.items())),
        "",
        "Trained on synthetic images alone: expect worse on real cameras until it has been tuned on real logs.",
        "Never use it as the only means to certify clearance.",
        "",
    ]
    Path(card).write_text("\n".join(lines))


def main(arguments: list[str] | None = None) -> int:
    """`python -m airside_perception.training.export CHECKPOINT MODEL.onnx [--model-card FILE]`."""
    import argparse

    parser = argparse.ArgumentParser(description="Export a checkpoint of the occupancy network to ONNX.")
    parser.add_argument("checkpoint")
    parser.add_argument("model")
    parser.add_argument("--model-card")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    export_checkpoint(options.checkpoint, options.model, options.model_card)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
