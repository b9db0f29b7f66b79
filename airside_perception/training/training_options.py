"""What a training run of the occupancy network may be told."""

from __future__ import annotations

from dataclasses import dataclass, fields

from airside_perception.errors import AirsideError
from airside_perception.training.supervision import EVERY_RAY, Supervision


@dataclass(frozen=True)
class TrainingOptions:
    """What a training run may be told.

    Attributes:
        pool: folder with `train/` and `val/` sample pools.
        out: folder for checkpoints, log and curves.
        minutes: time budget; the learning rate falls to zero at its end, however many steps fit.
        max_steps: stop earlier after this many steps (0: no limit).
        batch_size: samples (rig frames) per step.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of all weights but norms and biases.
        optimizer: "adamw", or "muon" (kernels by orthogonal momentum, in smaller steps) for tuning trained weights.
        threads: CPU threads of torch.
        sync_steps: steps between meetings of several processes. 1: they share every gradient; more: each steps by
            itself and they average their weights when they meet (local SGD, Stich 2019), for cores that take unequal
            times for a step and networks that are slow.
        device: "cpu", "cuda" or "auto".
        checkpoint_minutes: interval between checkpoints and validations.
        val_samples: held-out samples per validation.
        least_samples: wait until the train pool holds this many.
        seed: of weights, draws and augmentation.
        resume: continue from `out/checkpoint.pt` if it exists.
        generators: processes that fill the pool while the network trains (0: somebody else does).
        pool_limit: samples at which the generators stop.
        assets: folder with own meshes that join the generated scenes; "": none.
        crop_share: first part of the budget, spent on crops around objects: the image part alone learns.
        crop_mix: share of the batches after it that are crops still.
        small_share: part of the budget after it, spent on images of half the size, which cost a quarter.
        initial: checkpoint of an earlier run, or an exported network such as the one that ships, whose weights
            start this one, wherever names and shapes agree (a changed head starts anew); "": random weights.
        previous_volume: train a network that takes the previous frame's volume and says velocities; its samples hold
            earlier frames.
        contract, ray_terms, auxiliary_rays, dynamic_masks, class_balance, rays, rendered_rays: see
            supervision.Supervision.
    """

    pool: str
    out: str
    minutes: float = 60.0
    max_steps: int = 0
    batch_size: int = 2
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.02
    optimizer: str = "adamw"
    threads: int = 2
    sync_steps: int = 1
    device: str = "auto"
    checkpoint_minutes: float = 5.0
    val_samples: int = 24
    least_samples: int = 8
    seed: int = 0
    resume: bool = True
    generators: int = 0
    pool_limit: int = 4000
    assets: str = ""
    crop_share: float = 0.25
    crop_mix: float = 0.3
    small_share: float = 0.25
    initial: str = ""
    previous_volume: bool = False
    contract: str = "dense3d"
    ray_terms: str = "query"
    auxiliary_rays: bool = True
    dynamic_masks: bool = True
    class_balance: bool = True
    rays: int = EVERY_RAY
    rendered_rays: int = 2048

    def __post_init__(self) -> None:
        if self.sync_steps < 1:
            raise AirsideError(f"sync_steps: expected a whole number of at least 1, got {self.sync_steps}")

    @property
    def supervision(self) -> Supervision:
        """What the voxels learn from.

        Raises:
            AirsideError: an unknown contract.
        """
        return Supervision(**{field.name: getattr(self, field.name) for field in fields(Supervision)})
