"""Losses of the occupancy network: voxels under a supervision contract, depth and semantic images, boxes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from airside_perception.geometry.object_range import LOG_GROUND_SPREAD, LOG_RANGE_SPREAD
from airside_perception.occupancy.network import ImageOutput, RawOutput
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.training.object_kinds import object_kinds
from airside_perception.training.occupancy_batches import Batch
from airside_perception.training.occupancy_crops import CropBatch
from airside_perception.training.rendering_losses import RENDER_WEIGHTS, rendering_terms
from airside_perception.training.supervision import Supervision

LOSS_WEIGHTS = {
    "voxel": 1.0,
    "class": 0.5,
    "dice": 1.0,
    "semantic": 1.0,
    "depth": 1.0,
    "heatmap": 1.0,
    "box": 0.5,
    "displacement": 1.0,
    "object": 0.5,
    "surface": 0.2,
    "range": 0.5,
    "kind": 0.5,
    **RENDER_WEIGHTS,
}


BOX_HEADING, OBJECT_HEADING = slice(6, 10), slice(0, 4)
"""Where BOX_CHANNELS and OBJECT_CHANNELS hold the heading."""

LOG_SURFACE_SPREAD = (-4.5, 0.5)
"""Range of the logarithm of the error of a place on an object, in lengths of its sides: 1 % to more than all of it."""

HEADING_WEIGHT = 1.5
"""Of a squared error of the heading against an absolute error of a metre."""


class ClassBalance(nn.Module):
    """Class weights from running frequencies: (mean frequency / frequency) ** power, within [1/limit, limit]."""

    frequency: Tensor

    def __init__(self, classes: int, power: float, limit: float, momentum: float = 0.98) -> None:
        super().__init__()
        self.power, self.limit, self.momentum = power, limit, momentum
        self.register_buffer("frequency", torch.full((classes,), 1.0 / classes))

    def update(self, labels: Tensor) -> Tensor:
        """Take (n,) integer labels into account; returns the (classes,) weights."""
        counts = torch.bincount(labels, minlength=len(self.frequency)).float()
        self.frequency.mul_(self.momentum).add_(counts / counts.sum().clamp(min=1), alpha=1 - self.momentum)
        weight = (1.0 / len(self.frequency) / self.frequency.clamp(min=1e-6)) ** self.power
        return weight.clamp(1.0 / self.limit, self.limit)


class OccupancyLoss(nn.Module):
    """All terms at once; weights in LOSS_WEIGHTS.

    Args:
        spec: network spec.
        weights: replaces entries of LOSS_WEIGHTS.
        supervision: what voxels learn from; None: their labels.
    """

    def __init__(
        self, spec: NetworkSpec, weights: dict[str, float] | None = None, supervision: Supervision | None = None
    ) -> None:
        super().__init__()
        self.spec = spec
        self.supervision = supervision or Supervision()
        self.weights = {**LOSS_WEIGHTS, **(weights or {})}
        classes = len(spec.semantic_names)
        self.voxel_balance = ClassBalance(classes, power=0.4, limit=6.0)
        self.semantic_balance = ClassBalance(classes, power=0.33, limit=4.0)
        self.kind_head = nn.Linear(spec.encoder_channels[1], len(object_kinds()))

    def forward(self, output: RawOutput, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Returns: the weighted sum (scalar) and each unweighted term as a float."""
        voxels, balance = output.voxels.float(), self.supervision.class_balance
        asked = self.supervision.uses_voxel_labels or self.supervision.queries
        terms = {
            **(self._voxel_terms(voxels, batch) if asked else {}),
            **(rendering_terms(voxels, batch.rays, self.spec.grid, balance) if self.supervision.renders else {}),
            **self._image_terms(output, batch),
            "heatmap": heatmap_loss(output.heatmap.float(), batch.heatmap, batch.heatmap_mask),
            "box": box_loss(output.boxes.float(), batch.boxes, batch.box_weight, BOX_HEADING),
        }
        # One frame shows no motion: nothing is asked of velocities without earlier ones.
        if output.displacement is not None and batch.earlier:
            terms["displacement"] = displacement_loss(output.displacement.float(), batch.displacement, batch.box_weight)
        return self._weighted(terms)

    def of_images(self, output: ImageOutput, batch: CropBatch) -> tuple[Tensor, dict[str, float]]:
        """The terms of the image part alone; returns as `forward`."""
        return self._weighted(self._image_terms(output, batch))

    def _image_terms(self, output: RawOutput | ImageOutput, batch: Batch | CropBatch) -> dict[str, Tensor]:
        return {
            "semantic": self._semantic_term(output.semantics.float(), batch.semantic.long()),
            "depth": self._depth_term(output.depth.float(), batch),
            "object": box_loss(
                output.objects.float()[:, None], batch.objects[:, None], batch.object_weight[:, None], OBJECT_HEADING
            ),
            "surface": surface_loss(output.surface.float(), batch.surface, batch.object_weight),
            "range": range_loss(output.ranges.float(), batch.ranges, batch.object_weight),
            "kind": self._kind_term(output.object_features, batch),
        }

    def _weighted(self, terms: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        total = torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()
        return total, {name: float(value.detach()) for name, value in terms.items()}

    def _voxel_terms(self, logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Density cross-entropy, class cross-entropy of occupied voxels, Dice; all on observed voxels only."""
        # (B, 7, Z, X, Y) -> rows of observed voxels; everything after works on those alone.
        observed = batch.observed.reshape(-1).nonzero()[:, 0]
        rows = logits.permute(0, 3, 4, 2, 1).reshape(-1, logits.shape[1]).index_select(0, observed)
        labels = batch.occupancy[batch.observed].long()
        weight = self.voxel_balance.update(labels)[labels] if self._balanced() else torch.ones_like(rows[:, 0])
        occupied = labels > 0
        density = functional.binary_cross_entropy_with_logits(rows[:, 0], occupied.float(), reduction="none")
        log_class = functional.log_softmax(rows[:, 1:], dim=1)
        picked = -log_class[occupied].gather(1, labels[occupied, None] - 1)[:, 0]
        class_weight = weight[occupied]
        joint = torch.sigmoid(rows[:, :1]) * log_class.exp()
        return {
            "voxel": (density * weight).sum() / weight.sum().clamp(min=1),
            "class": (picked * class_weight).sum() / class_weight.sum().clamp(min=1),
            "dice": dice_loss(joint, functional.one_hot(labels, rows.shape[1])[:, 1:].float()),
        }

    def _balanced(self) -> bool:
        """Voxel labels are always balanced; votes of rays unless the contract says otherwise."""
        return self.supervision.uses_voxel_labels or self.supervision.class_balance

    def _semantic_term(self, logits: Tensor, labels: Tensor) -> Tensor:
        weight = self.semantic_balance.update(labels.reshape(-1))
        return functional.cross_entropy(logits, labels, weight=weight)

    def _kind_term(self, features: Tensor, batch: Batch | CropBatch) -> Tensor:
        """Cross-entropy of the kinds of the cells that show an object of known kind."""
        known = batch.kinds >= 0
        logits = self.kind_head(features.permute(0, 2, 3, 1)[known].float())
        each = functional.cross_entropy(logits, batch.kinds[known], reduction="none")
        weight = batch.object_weight[known]
        return (each * weight).sum() / weight.sum().clamp(min=1.0)

    def _depth_term(self, logits: Tensor, batch: Batch | CropBatch) -> Tensor:
        """Cross-entropy with the two neighbouring bins; things weigh three times as much as ground and sky."""
        near, far = (math.log(value) for value in self.spec.depth_range)
        bins = self.spec.depth_bins
        position = ((batch.depth.log() - near) * ((bins - 1) / (far - near))).clamp(0.0, bins - 1.001)
        lower = position.long()
        share = position - lower
        log_probability = functional.log_softmax(logits, dim=1)
        lower_term = log_probability.gather(1, lower[:, None])[:, 0]
        upper_term = log_probability.gather(1, lower[:, None] + 1)[:, 0]
        things = (batch.semantic[:, ::2, ::2] > 1).float()
        weight = 1.0 + 2.0 * things
        return -((lower_term * (1 - share) + upper_term * share) * weight).sum() / weight.sum()


def dice_loss(probability: Tensor, target: Tensor) -> Tensor:
    """One minus the soft Dice overlap, averaged over the classes present.

    Args:
        probability, target: (n, classes).
    """
    overlap = (probability * target).sum(0)
    size = probability.sum(0) + target.sum(0)
    present = target.sum(0) > 0
    score = (2.0 * overlap + 1.0) / (size + 1.0)
    return ((1.0 - score) * present).sum() / present.sum().clamp(min=1)


def heatmap_loss(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Focal loss with softened negatives (CornerNet, arXiv 1808.01244, equation 1; alpha 2, beta 4).

    Args:
        logits, target, mask: (B, classes, X, Y); mask False: left out.
    """
    probability = torch.sigmoid(logits)
    positive = (target == 1.0) & mask
    log_positive = functional.logsigmoid(logits)
    log_negative = functional.logsigmoid(-logits)
    hit = -((1 - probability) ** 2) * log_positive
    miss = -((1 - target) ** 4) * probability**2 * log_negative
    # Each class by its own count: a few aircraft must not drown among dozens of vehicles and people.
    total = (hit * positive).sum(dim=(0, 2, 3)) + (miss * (mask & ~positive)).sum(dim=(0, 2, 3))
    return (total / positive.sum(dim=(0, 2, 3)).clamp(min=1)).mean()


def box_loss(predicted: Tensor, target: Tensor, weight: Tensor, heading: slice) -> Tensor:
    """Smooth absolute error of the box numbers (cells, metres, log metres), squared error of sines and cosines.

    The squared error makes the heading's numbers a mean vector: short where the image leaves front and back
    open, which an absolute error would hide behind a median.

    Args:
        predicted, target: (B, classes, channels, X, Y).
        weight: (B, classes, X, Y), above 0 where there is a truth.
        heading: the channels of encode_heading.
    """
    # Rows first: only a few hundred of the cells carry a box.
    chosen = weight > 0
    rows = predicted.permute(0, 1, 3, 4, 2)[chosen]
    truth = target.permute(0, 1, 3, 4, 2)[chosen]
    row_weight = weight[chosen]
    error = functional.smooth_l1_loss(rows, truth, reduction="none", beta=0.1)
    turned = HEADING_WEIGHT * (rows[:, heading] - truth[:, heading]) ** 2
    error = torch.cat([error[:, : heading.start], turned, error[:, heading.stop :]], dim=1).sum(1)
    return (error * row_weight).sum() / row_weight.sum().clamp(min=1.0)


def displacement_loss(predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Smooth absolute error of what objects moved, metres.

    Args:
        predicted, target: (B, classes, 2, X, Y); targets that are NaN ask for nothing.
        weight: (B, classes, X, Y), above 0 where there is a truth.
    """
    chosen = (weight > 0) & torch.isfinite(target).all(dim=2)
    rows, truth = (each.permute(0, 1, 3, 4, 2)[chosen] for each in (predicted, target))
    error = functional.smooth_l1_loss(rows, truth, reduction="none", beta=0.1).sum(1)
    return (error * weight[chosen]).sum() / weight[chosen].sum().clamp(min=1.0)


def surface_loss(predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """How unlikely the true places on the objects are, for Laplace distributions of the predicted spread.

    Args:
        predicted: (N, 4, H, W), see network_spec.SURFACE_CHANNELS.
        target: (N, 3, H, W).
        weight: (N, H, W), above 0 where there is a truth.
    """
    chosen = weight > 0
    rows = predicted.permute(0, 2, 3, 1)[chosen]
    truth, row_weight = target.permute(0, 2, 3, 1)[chosen], weight[chosen]
    log_spread = rows[:, 3].clamp(*LOG_SURFACE_SPREAD)
    each = (rows[:, :3] - truth).abs().sum(1) * torch.exp(-log_spread) + 3.0 * log_spread
    return (each * row_weight).sum() / row_weight.sum().clamp(min=1.0)


FARTHEST_GROUND = 60.0
"""Cells; ground that lies farther below a cell than its image is high is not to be told more exactly than this."""


def range_loss(predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """How unlikely both answers to the distance of an object are, as `surface_loss`.

    Args:
        predicted: (N, 4, H, W), see network_spec.RANGE_CHANNELS.
        target: (N, 2, H, W), see object_range.encode_range.
        weight: (N, H, W), above 0 where there is a truth.
    """
    chosen = weight > 0
    rows = predicted.permute(0, 2, 3, 1)[chosen]
    truth, row_weight = target.permute(0, 2, 3, 1)[chosen], weight[chosen]
    truth = torch.stack([truth[:, 0], truth[:, 1].clamp(-FARTHEST_GROUND, FARTHEST_GROUND)], dim=1)
    log_spread = torch.stack([rows[:, 1].clamp(*LOG_RANGE_SPREAD), rows[:, 3].clamp(*LOG_GROUND_SPREAD)], dim=1)
    each = (rows[:, [0, 2]] - truth).abs() * torch.exp(-log_spread) + log_spread
    return (each.sum(1) * row_weight).sum() / row_weight.sum().clamp(min=1.0)
