"""Weights that a training run starts from: an earlier checkpoint, or a file as the package ships it."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from airside_perception.errors import AirsideError
from airside_perception.inference.onnxruntime_engine import OnnxRuntimeEngine
from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.occupancy.network_io import METADATA_KEY
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.training.occupancy_batches import Batch
from airside_perception.training.plane_weights import moved_to_planes

FoldedWeights = dict[str, tuple[Tensor, Tensor | None]]
"""Layer -> kernel and bias, batch norms folded in."""

_FRESH_SIZE = (1.0 / 3.0) ** 0.5
"""Norm of what leads to one output of a fresh convolution: PyTorch draws from +-1 / sqrt(inputs)."""


def is_exported(path: str | Path) -> bool:
    """Whether `path` names an exported network rather than a checkpoint."""
    return Path(path).suffix.lower() == ".onnx"


def load_initial(network: OccupancyNetwork, path: str | Path) -> tuple[str, ...]:
    """Copy averaged weights of a checkpoint, or those of an exported file, wherever names and shapes agree.

    Lifting planes may lie at other heights, see plane_weights.

    An exported file answers as before at once, but has its batch norms folded into convolutions: call
    `settle_norms` with batches before a step is taken.

    Returns:
        Names of the network's tensors that the file doesn't have.

    Raises:
        AirsideError: missing file, or neither a checkpoint nor an exported network.
    """
    theirs, spec = _exported_weights(network, path) if is_exported(path) else _averaged_weights(path)
    theirs = moved_to_planes(theirs, spec, network)
    ours = network.state_dict()
    matching = {name: each for name, each in theirs.items() if name in ours and each.shape == ours[name].shape}
    network.load_state_dict(matching, strict=False)
    return tuple(name for name in ours if name not in matching and not name.endswith("num_batches_tracked"))


def load_initial_loss(loss: nn.Module, path: str | Path) -> bool:
    """Copy what the losses of a checkpoint learned beside its network; returns whether that is all they learn.

    Exported files hold nothing of it.

    Raises:
        AirsideError: as `load_initial`.
    """
    if is_exported(path):
        return False
    theirs, ours = _read_checkpoint(path).get("loss", {}), loss.state_dict()
    if any(name not in theirs or theirs[name].shape != each.shape for name, each in ours.items()):
        return False
    loss.load_state_dict({name: theirs[name] for name in ours})
    return True


def _read_checkpoint(path: str | Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if missing := {"average", "spec"} - set(state):
            raise KeyError(f"no {' and no '.join(sorted(missing))}")
    except (OSError, KeyError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        raise AirsideError(f"--initial {path}: expected a training checkpoint, cannot read it ({error})") from error
    return state


def _averaged_weights(path: str | Path) -> tuple[dict[str, Tensor], NetworkSpec]:
    state = _read_checkpoint(path)
    return state["average"], NetworkSpec.from_json(state["spec"])


def _exported_weights(network: OccupancyNetwork, path: str | Path) -> tuple[dict[str, Tensor], NetworkSpec]:
    return unfolded_state(network, folded_weights(network, path)), exported_spec(path)


def exported_spec(path: str | Path) -> NetworkSpec:
    """What an exported network was built for.

    Raises:
        AirsideError: not an exported network of this version.
    """
    return NetworkSpec.from_json(OnnxRuntimeEngine(path, device="cpu").metadata.get(METADATA_KEY, ""))


def folded_weights(network: OccupancyNetwork, path: str | Path) -> FoldedWeights:
    """Kernels and biases of an exported file by the name of the layer in `network`, batch norms folded in.

    Raises:
        AirsideError: missing file, or not an exported network.
    """
    try:
        graph = onnx.load(str(path)).graph
    except (OSError, DecodeError) as error:
        raise AirsideError(f"{path}: expected an exported network, cannot read it ({error})") from error
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    # Weights that are stored as halves reach their convolution through a cast, equal ones by a second name.
    for node in graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    layers = folded_layers(network)
    found: FoldedWeights = {}
    for node in graph.node:
        name = _module_name(node.name)
        if node.op_type != "Conv" or name not in layers:
            continue
        arrays = [values.get(each) for each in node.input[1:]]
        if any(each is None for each in arrays):
            raise AirsideError(f"{path}: the weights of {name} are not in the file; was it quantised?")
        kernel, *rest = (torch.from_numpy(each.astype(np.float32)) for each in arrays if each is not None)
        found[name] = kernel, rest[0] if rest else None
    if not found:
        raise AirsideError(f"{path}: expected a network that `airside export` wrote, none of its layers found")
    return found


def check_complete(network: OccupancyNetwork, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Refuse a checkpoint of an earlier version, whose network had fewer layers.

    Raises:
        AirsideError: `weights` lack tensors of `network`.
    """
    missing = sorted({name.split(".")[0] for name in network.state_dict() if name not in weights})
    if missing:
        raise AirsideError(
            f"{path}: made by an earlier version, without {', '.join(missing)}; start from it with --initial instead"
        )


def folded_layers(network: OccupancyNetwork) -> list[str]:
    """Names of the layers of `network` that an exported file holds."""
    return [name for name, _ in _convolutions_and_norms(network)]


def unfolded_state(network: OccupancyNetwork, weights: FoldedWeights) -> dict[str, Tensor]:
    """Tensors of `network` by name that answer as `weights` do; norms hold no statistics, see `settle_norms`."""
    followers = dict(_convolutions_and_norms(network))
    growth = [_size(kernel).mean() / _FRESH_SIZE for name, (kernel, _) in weights.items() if not followers[name]]
    size = _FRESH_SIZE * float(torch.stack(growth).median() if growth else 1.0)
    state: dict[str, Tensor] = {}
    for name, (kernel, bias) in weights.items():
        state |= _unfolded(name, followers[name], kernel, bias, size)
    return state


def _module_name(node: str) -> str:
    """Where the layer of a node is in the network: `/network/decoder/up2/reduce/Conv` -> `decoder.up2.reduce`."""
    parts = node.strip("/").split("/")[1:-1]
    name = ""
    for part in parts:
        # The exporter names members of a sequence with the sequence: "enter/enter.0/enter.0.0" is enter.0.0.
        last = name.rsplit("/", 1)[-1]
        name = name[: len(name) - len(last)] + part if part.startswith(f"{last}.") and last else f"{name}/{part}"
    return name.strip("/").replace("/", ".")


def _convolutions_and_norms(network: nn.Module) -> Iterator[tuple[str, str]]:
    """(name of a convolution, name of the batch norm that directly follows it, or "")."""
    for prefix, module in network.named_modules():
        children = list(module.named_children())
        for index, (name, child) in enumerate(children):
            if not isinstance(child, nn.Conv2d):
                continue
            path = f"{prefix}.{name}".strip(".")
            following = children[index + 1] if isinstance(module, nn.Sequential) and index + 1 < len(children) else None
            norm = following is not None and isinstance(following[1], _BatchNorm)
            yield path, f"{prefix}.{following[0]}".strip(".") if norm and following is not None else ""


def _size(kernel: Tensor) -> Tensor:
    """(outputs,) norm of what leads to each output."""
    return kernel.flatten(1).norm(dim=1)


def _unfolded(name: str, norm: str, kernel: Tensor, bias: Tensor | None, size: float) -> dict[str, Tensor]:
    """State of a convolution, and of the batch norm that was folded into it.

    A norm doesn't care for the scale of the kernel before it, but an optimiser does: the smaller the kernel, the
    farther a step turns it. How large it was is lost, so each kernel gets the norm `size`, the growth in training of
    those that no norm was folded into, and the batch norm what that takes away. (With kernels as small as fresh ones,
    the shipped weights lost a twentieth of their accuracy in the first third of a tuning run.)
    """
    if not norm:
        return {f"{name}.weight": kernel} | ({} if bias is None else {f"{name}.bias": bias})
    scale = _size(kernel)
    scale = torch.where(scale > 1e-6, scale / size, torch.ones_like(scale))
    return {
        f"{name}.weight": kernel / scale[:, None, None, None],
        f"{norm}.weight": scale,
        f"{norm}.bias": torch.zeros_like(scale) if bias is None else bias,
        f"{norm}.running_mean": torch.zeros_like(scale),
        f"{norm}.running_var": torch.ones_like(scale) - 1e-5,
    }


@torch.no_grad()
def settle_norms(network: OccupancyNetwork, batches: Iterable[Batch]) -> None:
    """Measure the statistics of every batch norm on `batches`, and leave what the network answers as it is.

    Args:
        network: gets the measured means and variances; scales and offsets of the norms make up for them.
        batches: whole images; some dozens of frames are enough.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    sums: dict[nn.Module, tuple[int, Tensor, Tensor]] = {}

    def add(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].double()
        count, total, squares = sums.get(module, (0, torch.zeros(()), torch.zeros(())))
        sums[module] = (
            count + x.numel() // x.shape[1],
            total + x.sum((0, 2, 3)).cpu(),
            squares + (x * x).sum((0, 2, 3)).cpu(),
        )

    handles = [norm.register_forward_pre_hook(add) for norm in norms]
    training = network.training
    network.eval()
    device = next(network.parameters()).device
    for batch in batches:
        network(*batch.to(device).network_inputs())
    for handle in handles:
        handle.remove()
    network.train(training)
    for norm in norms:
        if norm in sums:
            count, total, squares = sums[norm]
            mean = total / count
            _restate(norm, mean, squares / count - mean * mean)


def _restate(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Give `norm` other statistics and the same answers."""
    old_mean, old_variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    old_slope = norm.weight / (old_variance + norm.eps).sqrt()
    mean = mean.to(old_mean)
    # A channel that is dead on all batches must not get a scale that its first spark would blow up.
    variance = variance.to(old_variance).clamp_min(1e-6)
    norm.bias.add_(old_slope * (mean - old_mean))
    norm.weight.copy_(old_slope * (variance + norm.eps).sqrt())
    old_mean.copy_(mean)
    old_variance.copy_(variance)
