"""The mean of several networks' weights: one network that often answers better than any of them.

Networks that were tuned from the same weights lie in one valley of the loss; their mean lies lower in it, and a mean
of tuned and original weights keeps what the original knew of other places ("model soups", Wortsman et al. 2022,
arXiv 2203.05482; "robust fine-tuning", arXiv 2109.01903). Batch norms are folded before, so that their statistics
need no care.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from airside_perception.errors import AirsideError
from airside_perception.inference.onnxruntime_engine import OnnxRuntimeEngine
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.occupancy.network_io import METADATA_KEY
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.training.export import OPSET, export_checkpoint, export_with_scores
from airside_perception.training.initial_weights import (
    FoldedWeights,
    folded_layers,
    folded_weights,
    is_exported,
    unfolded_state,
)
from airside_perception.training.occupancy_data import SamplePool, load_sample
from airside_perception.training.occupancy_validation import validate

logger = logging.getLogger(__name__)


def export_mean(
    networks: Sequence[str | Path],
    shares: Sequence[float],
    path: str | Path,
    pool: str | Path | None = None,
    model_card: str | Path | None = None,
    opset: int = OPSET,
    single_frame: bool = False,
) -> dict[str, float]:
    """Export the mean of several networks, or one network with scores and thresholds of another pool.

    Args:
        networks: checkpoints or exported files of one spec.
        shares: how much each counts.
        path: .onnx file to write.
        pool: sample pool whose `val` gives scores and thresholds; None: those of the first network, which may not
            suit the mean.
        model_card: Markdown file to write, too.
        opset: version of the ONNX operators.
        single_frame: leave out the memories of networks that have one.

    Returns:
        Scores and "parity", as of `export_checkpoint`.

    Raises:
        AirsideError: shares that are negative or sum to nothing, other specs, files that are no networks, a pool
            without `val`.
    """
    samples = SamplePool(Path(pool) / "val").paths() if pool else []
    if pool and not samples:
        raise AirsideError(f"--pool {pool}: expected samples in its folder val, found none")
    with tempfile.TemporaryDirectory() as scratch:
        files = [
            _as_exported(each, Path(scratch) / f"{k}.onnx", opset, single_frame) for k, each in enumerate(networks)
        ]
        network = mean_network(files, shares)
        told = [OnnxRuntimeEngine(file, device="cpu").metadata for file in files]
    if samples:
        scores = validate(network, [load_sample(sample) for sample in samples], torch.device("cpu"))
    else:
        logger.warning("thresholds are those of %s; --pool POOL fits them to the mean", networks[0])
        scores = json.loads(told[0].get("validation", "{}"))
    about = {name: told[0].get(name, "") for name in ("contract", "supervision")}
    about["steps"] = str(sum(int(each.get("steps", "0")) for each in told))
    return export_with_scores(network, path, scores, about, model_card, opset)


def _as_exported(network: str | Path, path: Path, opset: int, single_frame: bool) -> Path:
    if is_exported(network):
        if single_frame:
            raise AirsideError(f"--single-frame: expected checkpoints, got {network}, which is exported already")
        return Path(network)
    export_checkpoint(network, path, opset=opset, single_frame=single_frame)
    return path


def mean_network(files: Sequence[Path], shares: Sequence[float]) -> OccupancyNetwork:
    """The network whose folded weights are the mean of those of exported files, in eval mode.

    Args:
        files: exported networks of one spec.
        shares: how much each counts.

    Raises:
        AirsideError: shares that are negative or sum to nothing, other specs, files that are no networks.
    """
    if len(shares) != len(files) or min(shares) < 0 or sum(shares) <= 0:
        wanted = f"{len(files)} numbers of 0 or more, not all 0"
        raise AirsideError(f"--shares: expected {wanted}, got {' '.join(f'{each:g}' for each in shares)}")
    specs = [OnnxRuntimeEngine(file, device="cpu").metadata.get(METADATA_KEY, "") for file in files]
    for file, spec in zip(files, specs, strict=True):
        if not spec or spec != specs[0]:
            raise AirsideError(f"{file}: expected a network of the same spec as {files[0]}, got another")
    network = OccupancyNetwork(NetworkSpec.from_json(specs[0]))
    parts = [(share / sum(shares), folded_weights(network, file)) for share, file in zip(shares, files, strict=True)]
    mean: FoldedWeights = {}
    for name in folded_layers(network):
        # Earlier exports lack heads that came later: the mean is over those that have them.
        having = [(share, weights[name]) for share, weights in parts if share > 0 and name in weights]
        if not having:
            raise AirsideError(
                f"{files[0]}: has no {name}, nor have the others; give one that was trained since it came"
            )
        whole = sum(share for share, _ in having)
        kernels = [share / whole * kernel for share, (kernel, _) in having]
        biases = [share / whole * bias for share, (_, bias) in having if bias is not None]
        mean[name] = torch.stack(kernels).sum(0), torch.stack(biases).sum(0) if biases else None
    network.load_state_dict(unfolded_state(network, mean), strict=False)
    return network.eval()
