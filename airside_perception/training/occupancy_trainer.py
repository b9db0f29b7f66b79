"""One training run of the occupancy network: its weights, their average, the optimiser and the clock."""

from __future__ import annotations

import copy
import itertools
import logging
import math
import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from airside_perception.errors import AirsideError
from airside_perception.occupancy.bev_decoder import moved_volume
from airside_perception.occupancy.network import LATER_HEADS, ImageOutput, OccupancyNetwork, RawOutput
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.training.initial_weights import (
    check_complete,
    load_initial,
    load_initial_loss,
    settle_norms,
)
from airside_perception.training.object_kinds import object_kinds
from airside_perception.training.occupancy_batches import Batch, remembered, stream_batches
from airside_perception.training.occupancy_crops import CropBatch
from airside_perception.training.occupancy_data import SamplePool
from airside_perception.training.occupancy_losses import OccupancyLoss
from airside_perception.training.optimizers import NetworkOptimizer
from airside_perception.training.supervision import current_name
from airside_perception.training.training_options import TrainingOptions
from airside_perception.training.workers import Workers

logger = logging.getLogger(__name__)

NORM_BATCHES = 24
"""Batches of whole images that tell batch norms of an exported network what they see."""

HEAD_STEPS = 150
"""Steps in which only heads learn that exported files may lack, when a run starts from trained weights: what a fresh
head asks for at first would undo some of what they know."""

HEAD_SHARE = 0.1
"""The most of the budget that may go into that."""

_Output = TypeVar("_Output", RawOutput, ImageOutput)


class OccupancyTrainer:
    """Network, its averaged twin, optimiser and clock of one run."""

    def __init__(self, spec: NetworkSpec, options: TrainingOptions) -> None:
        self.options = options
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        # Each camera count is another tensor shape, and oneDNN compiles its kernels per shape: with the
        # default of 1024 entries they push each other out and are compiled again at every step.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
        self.device = torch.device(Workers.device_of(_pick_device(options.device)))
        self.workers = Workers(self.device)
        network = OccupancyNetwork(spec).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: OccupancyNetwork = network
        anew = load_initial(network, options.initial) if options.initial else ()
        if options.initial:
            logger.info("started from %s: %d tensors anew", options.initial, len(anew))
        self.workers.start_alike([*network.parameters(), *network.buffers()])
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.supervision = options.supervision
        self.loss = OccupancyLoss(spec, supervision=self.supervision).to(self.device)
        self._heads_anew = bool(options.initial) and not load_initial_loss(self.loss, options.initial)
        self._heads_anew |= any(name.startswith(LATER_HEADS) for name in anew)
        self.workers.start_alike([*self.loss.parameters(), *self.loss.buffers()])
        self._learned = [*network.parameters(), *self.loss.parameters()]
        self.optimizer = NetworkOptimizer(self._learned, options.optimizer, options.learning_rate, options.weight_decay)
        self._norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        self._draws = random.Random(options.seed)
        self.steps = self._waited = 0
        self.elapsed_s = 0.0
        self._ends = False

    @property
    def progress(self) -> float:
        """Used share of the budget (time, or steps where they are limited), 0..1."""
        by_time = self.elapsed_s / (60.0 * self.options.minutes)
        by_steps = self.steps / self.options.max_steps if self.options.max_steps else 0.0
        return min(1.0, max(by_time, by_steps))

    def goes_on(self) -> bool:
        """Whether the budget lasts for another step; when processes meet, the first one's clock counts for all."""
        if self.meets:
            self.elapsed_s = self.workers.of_first(self.elapsed_s)
            self._ends = self.progress >= 1.0
        return not self._ends

    @property
    def meets(self) -> bool:
        """Whether the processes meet after the steps so far."""
        return self.steps % self.options.sync_steps == 0 or self.steps == self.options.max_steps

    def settle_norms(self, pool: SamplePool) -> None:
        """Measure what batch norms see, which an exported network has no record of; answers stay the same."""
        options, spec = self.options, self.network.spec
        batches = stream_batches(pool, spec, options.batch_size, options.seed, supervision=self.supervision)
        whole = (batch for batch in batches if isinstance(batch, Batch))
        settle_norms(self.network, itertools.islice(whole, NORM_BATCHES))
        self.workers.start_alike([*self.network.parameters(), *self.network.buffers()])
        self.average.load_state_dict(self.network.state_dict())

    def image_size(self) -> tuple[int, int] | None:
        """(width, height) of the images to train on now; None: crops around objects."""
        if self.progress < self.options.crop_share or self._draws.random() < self.options.crop_mix:
            return None
        width, height = self.network.spec.image_size
        halves = width % 64 == 0 and height % 64 == 0 and min(width, height) >= 128
        halves = halves and self.progress < self.options.crop_share + self.options.small_share
        return (width // 2, height // 2) if halves else (width, height)

    def step(self, batch: Batch | CropBatch) -> dict[str, float]:
        """One optimiser step; returns the loss terms, "total", "lr" and "grad"."""
        start = time.monotonic()
        self.network.train()
        waits = self.network_waits
        cycle = 1.0 if waits else one_cycle(self.progress, self.steps - self._waited)
        rate = self.options.learning_rate * cycle
        batch = batch.to(self.device)
        total, terms = self._losses(batch)
        if not torch.isfinite(total):
            raise AirsideError(f"training diverged at step {self.steps}: loss {terms}; lower the learning rate")
        self.optimizer.zero_grad()
        total.backward()
        if self.options.sync_steps == 1:
            self.workers.average_gradients(self._learned)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0, foreach=True)
        self.optimizer.step(rate)
        self.steps += 1
        self._waited += waits
        if self.options.sync_steps > 1 and self.meets:
            self.workers.average_tensors([*self.network.state_dict().values(), *self.loss.parameters()])
        self._update_average()
        self.elapsed_s += time.monotonic() - start
        return {"total": float(total.detach()), **terms, "lr": rate, "grad": float(norm)}

    @property
    def network_waits(self) -> bool:
        """Whether only heads learn that exported files may lack."""
        return self._heads_anew and self.steps < HEAD_STEPS and self.progress < HEAD_SHARE

    def _losses(self, batch: Batch | CropBatch) -> tuple[torch.Tensor, dict[str, float]]:
        if isinstance(batch, CropBatch):
            # Between whole images, crops must not colour the statistics that whole images will be judged by.
            self._set_norm_momentum(0.1 if self.progress < self.options.crop_share else 0.0)
            with self._look():
                seen, _ = self.network.look(batch.images, batch.geometry)
            return self.loss.of_images(self._with_own_heads(seen), batch)
        self._set_norm_momentum(0.1)
        # The average remembers as the exported network will: its norms don't follow the batch.
        with torch.autocast(self.device.type, torch.bfloat16), torch.no_grad():
            previous = remembered(self.average, batch)
        with self._look():
            output = self.network(*batch.network_inputs(), *previous)
        output = self._with_own_heads(output)
        if self.network_waits and previous:
            with torch.autocast(self.device.type, torch.bfloat16):
                moved = moved_volume(*previous)
                output = output._replace(displacement=self.network.decoder.displacement(output.volume, moved))
        return self.loss(output, batch)

    def _with_own_heads(self, output: _Output) -> _Output:
        """While the network waits: with what the heads that older files lack can learn from."""
        if not self.network_waits:
            return output
        with torch.autocast(self.device.type, torch.bfloat16):
            features = output.object_features
            return output._replace(
                surface=self.network.surface_head(features), ranges=self.network.range_head(features)
            )

    @contextmanager
    def _look(self) -> Iterator[None]:
        with torch.autocast(self.device.type, torch.bfloat16), torch.set_grad_enabled(not self.network_waits):
            yield

    def _set_norm_momentum(self, momentum: float) -> None:
        for module in self._norms:
            module.momentum = momentum

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential average of weights and batch-norm statistics; short memory at first."""
        keep = min(0.998, (1.0 + self.steps) / (10.0 + self.steps))
        ours = [tensor for tensor in self.average.state_dict().values() if tensor.is_floating_point()]
        theirs = [tensor for tensor in self.network.state_dict().values() if tensor.is_floating_point()]
        torch._foreach_lerp_(ours, theirs, 1.0 - keep)

    def save(self, path: Path, scores: Mapping[str, float]) -> None:
        """Write a checkpoint (atomically); `average` holds the weights to export."""
        state = {
            "spec": self.network.spec.to_json(),
            "contract": self.supervision.contract,
            "supervision": self.supervision.describe(),
            "kinds": list(object_kinds()),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "loss": self.loss.state_dict(),
            "steps": self.steps,
            "elapsed_s": self.elapsed_s,
            "options": asdict(self.options),
            "scores": dict(scores),
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def restore(self, path: Path) -> None:
        """Continue from a checkpoint of the same network spec."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["spec"] != self.network.spec.to_json():
            raise AirsideError(f"{path}: checkpoint of another network spec; choose another --out or pass --no-resume")
        if state.get("kinds") != list(object_kinds()):
            raise AirsideError(f"{path}: made with other kinds of objects; start from it with --initial instead")
        contract = current_name(state.get("contract", ""))
        if contract != self.supervision.contract:
            raise AirsideError(
                f"{path}: trained under contract {contract!r}, expected {self.supervision.contract!r}; "
                f"pass --contract {contract}, or start from it with --initial"
            )
        check_complete(self.network, state["network"], path)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.loss.load_state_dict(state["loss"])
        self.steps, self.elapsed_s = state["steps"], state["elapsed_s"]


def one_cycle(progress: float, steps: int, warmup: int = 100) -> float:
    """Learning rate factor: linear warm-up over steps, then a cosine to 1 % at the end of the budget."""
    fall = 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress))
    return fall * min(1.0, (steps + 1) / warmup)


def _pick_device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise AirsideError("train.device: expected a CUDA GPU for 'cuda', found none; use 'cpu' or 'auto'")
    return name
