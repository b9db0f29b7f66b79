"""Training in several processes, one per GPU: gradients or weights are averaged, the first process keeps the books.

Start with `torchrun --nproc_per_node 4 -m airside_perception.training.train_occupancy --pool POOL --out DIR`; without
torchrun there is one process and nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, distributed

from airside_perception.errors import AirsideError


class Workers:
    """This process and those beside it.

    All of them step on samples of their own, of the same kind (crops or whole images), since all draw kinds from the
    same seed and the clock of the first one counts for all. They share gradients at every step or weights at times.

    Attributes:
        rank: number of this process, 0 for the first.
        count: number of processes.
    """

    def __init__(self, device: torch.device) -> None:
        try:
            self.rank, self.count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        except ValueError as error:
            raise AirsideError(f"RANK, WORLD_SIZE: expected numbers as torchrun sets them ({error})") from error
        self._device = device
        if self.count > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")

    @property
    def first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    @staticmethod
    def device_of(name: str) -> str:
        """The device of this process: with several GPUs, its own one."""
        return f"cuda:{int(os.environ.get('LOCAL_RANK', 0))}" if name == "cuda" else name

    def start_alike(self, tensors: Iterable[Tensor]) -> None:
        """Copy the first process's tensors to all."""
        if self.count > 1:
            for tensor in tensors:
                distributed.broadcast(tensor.data, 0)

    def average_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace each gradient by its mean over the processes (in place).

        What a process's batch asked nothing of has no gradient there: it counts as zero where others have one.
        """
        if self.count == 1:
            return
        asked = torch.tensor([float(each.grad is not None) for each in parameters], device=self._device)
        distributed.all_reduce(asked)
        chosen = [each for each, processes in zip(parameters, asked.tolist(), strict=True) if processes]
        for each in chosen:
            each.grad = torch.zeros_like(each) if each.grad is None else each.grad
        self.average_tensors([each.grad for each in chosen if each.grad is not None])

    def average_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Replace each floating-point tensor by its mean over the processes (in place, one message for all)."""
        tensors = [tensor for tensor in tensors if tensor.is_floating_point()]
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= self.count
        with torch.no_grad():
            for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(mean.reshape(tensor.shape))

    def of_first(self, value: float) -> float:
        """The first process's value, on all."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self._device)
        distributed.broadcast(shared, 0)
        return float(shared)

    def close(self) -> None:
        """Leave the group; the others need not wait."""
        if self.count > 1 and distributed.is_initialized():
            distributed.destroy_process_group()
