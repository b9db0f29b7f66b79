"""Two real processes on the CPU, as torchrun would start them on two GPUs."""

import os
import socket

import numpy as np
import pytest
import torch
from occupancy_samples import SPEC, drawn_sample

from airside_perception.errors import AirsideError
from airside_perception.training import train_occupancy
from airside_perception.training.occupancy_data import save_sample
from airside_perception.training.occupancy_trainer import OccupancyTrainer
from airside_perception.training.training_options import TrainingOptions
from airside_perception.training.workers import Workers

STEPS = 9


def work(rank, port, root, sync_steps):
    """One process: gradients of its own, then a short training run, then what it ended with."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), LOCAL_RANK="0")
    workers = Workers(torch.device("cpu"))
    parameters = [torch.zeros(length, requires_grad=True) for length in (2, 3, 1, 2)]
    parameters[0].grad = torch.tensor([1.0, 2.0]) * (rank + 1)
    parameters[1].grad = torch.tensor([0.0, rank, 4.0])
    parameters[2].grad = torch.tensor([6.0]) if rank else None
    workers.average_gradients(parameters)
    assert parameters[0].grad.tolist() == [1.5, 3.0]
    assert parameters[1].grad.tolist() == [0.0, 0.5, 4.0]
    assert parameters[2].grad.tolist() == [3.0], "one process's batch asked nothing of it"
    assert parameters[3].grad is None
    weights = [torch.tensor([1.0, 3.0]) * rank, torch.tensor([7])]
    workers.average_tensors(weights)
    assert weights[0].tolist() == [0.5, 1.5]
    assert weights[1].tolist() == [7], "counters are nobody's mean"
    assert workers.of_first(float(rank + 5)) == 5.0
    trainers, seen = [], []

    class Watched(OccupancyTrainer):
        def step(self, batch):
            trainers[:] = [self]
            seen.append(float(batch.images.float().sum()))
            return super().step(batch)

    train_occupancy.OccupancyTrainer = Watched
    options = TrainingOptions(
        pool=f"{root}/pool",
        out=f"{root}/run",
        max_steps=STEPS,
        threads=1,
        device="cpu",
        least_samples=2,
        val_samples=1,
        crop_share=0.3,
        sync_steps=sync_steps,
    )
    train_occupancy.train(SPEC, options)
    last = torch.cat([each.detach().reshape(-1) for each in trainers[0].network.parameters()])
    np.savez(f"{root}/end_{rank}.npz", seen=np.array(seen), last=last.numpy())


@pytest.mark.parametrize("sync_steps", [1, 4])  # 9 steps: the last ones after the second meeting count, too
def test_two_processes_learn_one_network_from_different_samples(tmp_path, sync_steps):
    for split, seeds in (("train", (0, 1, 2, 3)), ("val", (0,))):
        (tmp_path / "pool" / split).mkdir(parents=True)
        for seed in seeds:
            save_sample(tmp_path / "pool" / split / f"{seed}.npz", drawn_sample(seed))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(work, (port, str(tmp_path), sync_steps), nprocs=2)
    ends = [np.load(tmp_path / f"end_{rank}.npz") for rank in (0, 1)]
    assert len(ends[0]["seen"]) == len(ends[1]["seen"]) == STEPS
    assert not np.array_equal(ends[0]["seen"], ends[1]["seen"]), "each process draws samples of its own"
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert state["steps"] == STEPS
    assert np.array_equal(ends[0]["last"], ends[1]["last"]), "all end with the same weights"
    assert (tmp_path / "run" / "log.csv").read_text().count("train,9") > 3


def test_alone_nothing_changes(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    workers = Workers(torch.device("cpu"))
    parameter = torch.zeros(2, requires_grad=True)
    parameter.grad = torch.ones(2)
    workers.average_gradients([parameter])
    assert parameter.grad.tolist() == [1.0, 1.0]
    assert workers.of_first(3.0) == 3.0
    assert workers.first
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(AirsideError, match="as torchrun sets them"):
        Workers(torch.device("cpu"))


def test_a_run_that_never_meets_is_refused_in_one_line(tmp_path, capsys):
    assert train_occupancy.main(["--pool", str(tmp_path), "--out", str(tmp_path), "--sync-steps", "0"]) == 2
    error = capsys.readouterr().err.strip()
    assert error == "train_occupancy: error: sync_steps: expected a whole number of at least 1, got 0"
