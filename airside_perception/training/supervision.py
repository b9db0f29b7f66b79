"""Supervision contracts: what the voxels of the network learn from.

The heads that look at images (2D semantics, depth, what a cell shows of an object) learn from label images
under every contract, the detection head from boxes wherever a sample has them. A contract decides about the
voxels alone; it is written into checkpoints, ONNX metadata and the model card, because figures of different
contracts are no match for each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from airside_perception.errors import AirsideError

CONTRACTS = ("2d", "lidar", "dense3d", "mixed")
"""`2d`: depth and semantic images; `lidar`: sparse rays as a scanner gives; `dense3d`: voxel labels;
`mixed`: voxel labels where there are some, and the rays of `2d` beside them."""

RAY_TERMS = ("render", "query", "both")
"""How rays teach: by volume rendering, by point queries (free before the surface, class at it), or by both."""

EVERY_RAY = 10**7
"""More rays than any rig has label pixels. A vote is cheap, and thin things are met by few rays."""

FORMER_NAMES = {"dense3d+2d": "dense3d"}
"""Names in checkpoints of earlier versions: their image heads learned from 2D labels as all do now."""


@dataclass(frozen=True)
class Supervision:
    """How voxels are supervised.

    Attributes:
        contract: one of CONTRACTS.
        ray_terms: one of RAY_TERMS; means nothing under `dense3d`.
        auxiliary_rays: also take the rays of adjacent frames, moved by the ego motion, where samples have them.
        dynamic_masks: leave out rays of adjacent frames that meet, or pass through, objects that move.
        class_balance: draw rays of rare classes more often and weight them more.
        rays: rays per sample that vote in queries, drawn without replacement where there are more.
        rendered_rays: rays per sample that are rendered (the dear part), drawn likewise.
    """

    contract: str = "dense3d"
    ray_terms: str = "query"
    auxiliary_rays: bool = True
    dynamic_masks: bool = True
    class_balance: bool = True
    rays: int = EVERY_RAY
    rendered_rays: int = 2048

    def __post_init__(self) -> None:
        if self.contract not in CONTRACTS:
            raise AirsideError(f"contract: expected one of {', '.join(CONTRACTS)}, got {self.contract!r}")
        if self.ray_terms not in RAY_TERMS:
            raise AirsideError(f"ray_terms: expected one of {', '.join(RAY_TERMS)}, got {self.ray_terms!r}")
        if self.rays < 1 or self.rendered_rays < 1:
            raise AirsideError(f"rays, rendered_rays: expected at least 1, got {self.rays} and {self.rendered_rays}")

    @property
    def uses_voxel_labels(self) -> bool:
        return self.contract in ("dense3d", "mixed")

    @property
    def uses_rays(self) -> bool:
        return self.contract != "dense3d"

    @property
    def queries(self) -> bool:
        """Rays say which voxels are free and which hold what."""
        return self.uses_rays and self.ray_terms in ("query", "both")

    @property
    def renders(self) -> bool:
        """Rays are rendered through the voxels."""
        return self.uses_rays and self.ray_terms in ("render", "both")

    def describe(self) -> str:
        """One line for model cards: the contract and everything that differs from its usual form."""
        if not self.uses_rays:
            return self.contract
        parts = [f"{self.contract} ({'rendering and queries' if self.ray_terms == 'both' else self.ray_terms}"]
        left_out = {
            "auxiliary rays": self.auxiliary_rays,
            "dynamic masks": self.dynamic_masks,
            "class balance": self.class_balance,
        }
        parts += [f"without {name}" for name, used in left_out.items() if not used]
        return ", ".join(parts) + ")"


def current_name(contract: str) -> str:
    """The present name of a contract that a checkpoint was written under."""
    return FORMER_NAMES.get(contract, contract)
