"""Where the image says that objects have their centres, as maps of the ground.

Depth puts what an image shows at its surface, but detections are asked for at centres, which nothing shows: a cell of
the image knows only how far away the centre of its object is and how far beside its own ray. Both are compared here
with the lifting points that the cell's ray passes, so that the decoder gets the votes of the image where they point to.
The comparison holds no weights and passes no gradients: votes learn from boxes alone, and stay honest of their errors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from airside_perception.classes import SEMANTIC_OF_CLASS
from airside_perception.geometry.object_range import (
    LARGEST_SPREAD,
    LEAST_DEPRESSION,
    LEAST_HEIGHT,
    LOG_DISTANCE_RANGE,
    LOG_GROUND_SPREAD,
    LOG_RANGE_SPREAD,
)
from airside_perception.occupancy.network_spec import DEPTH_STRIDE, LIFT_STRIDE, NetworkSpec
from airside_perception.occupancy.pixel_geometry import USUAL_HEIGHT, USUAL_PIXELS_PER_RADIAN

LEAST_SPREAD = 0.04
"""Relative error of a distance below which no vote counts as sure: cells of the ground are no finer far away."""

LATERAL_REACH = (0.6, 0.02)
"""Metres beside its ray, and the same per metre of distance, over which a vote for a centre fades."""

_LATERAL = 5  # in network_spec.OBJECT_CHANNELS


def vote_channels(spec: NetworkSpec) -> int:
    """Channels of `lift_votes`."""
    return len(spec.lift_heights) * len(spec.object_classes)


@torch.no_grad()
def image_votes(spec: NetworkSpec, semantics: Tensor, objects: Tensor, ranges: Tensor, geometry: Tensor) -> Tensor:
    """What every image cell has to say of the centre of its object.

    Args:
        spec: of the network.
        semantics: (N, 7, H/4, W/4) logits.
        objects, ranges: (N, OBJECT_CHANNELS and RANGE_CHANNELS, H/8, W/8).
        geometry: (N, 5, H/8, W/8), see pixel_geometry.

    Returns:
        (N * H/8 * W/8, 2 + classes) float32: log of the centre's depth along the optical axis, one over its error, and
        for each class the probability that the ray meets the centre of such an object, at whatever depth.
    """
    classes = [SEMANTIC_OF_CLASS[name] for name in spec.object_classes]
    shares = functional.avg_pool2d(semantics.float().softmax(1)[:, classes], DEPTH_STRIDE // LIFT_STRIDE)
    log_distance, spread = _told_range(ranges.float(), geometry.float())
    upward, cosine = geometry[:, 2].float(), geometry[:, 4].float()
    level = (1.0 - upward * upward).clamp_min(1e-4).sqrt()
    log_depth = log_distance + (cosine.clamp_min(0.05) / level).log()
    constant, slope = LATERAL_REACH
    reach = constant + slope * log_distance.exp()
    beside = torch.exp(-0.5 * (objects[:, _LATERAL].float() / reach) ** 2)
    votes = torch.cat([log_depth[:, None], (1.0 / spread)[:, None], shares * beside[:, None]], dim=1)
    return votes.permute(0, 2, 3, 1).reshape(-1, votes.shape[1])


@torch.no_grad()
def lift_votes(spec: NetworkSpec, votes: Tensor, depth_index: Tensor, fraction: Tensor, slot_weight: Tensor) -> Tensor:
    """Votes at the lifting points.

    Args:
        spec: of the network.
        votes: of `image_votes`.
        depth_index, fraction, slot_weight: (B, slots, V), see OccupancyNetwork.forward.

    Returns:
        (B, planes * classes, X, Y) float32, about 1 where a sure vote for a class points to.
    """
    near, far = (math.log(value) for value in spec.depth_range)
    index = depth_index.reshape(-1).long()
    cell = torch.div(index, spec.depth_bins, rounding_mode="floor")
    position = (index - cell * spec.depth_bins).float() + fraction.reshape(-1)
    log_depth = near + position * ((far - near) / (spec.depth_bins - 1))
    pulled = votes.index_select(0, cell)
    gate = torch.exp(-0.5 * ((log_depth - pulled[:, 0]) * pulled[:, 1]) ** 2) * slot_weight.reshape(-1)
    batch, slots, points = depth_index.shape
    lifted = (pulled[:, 2:] * gate[:, None]).reshape(batch, slots, points, -1).sum(1)
    size_x, size_y = spec.grid.shape[:2]
    return lifted.reshape(batch, size_x, size_y, -1).permute(0, 3, 1, 2)


def _told_range(ranges: Tensor, geometry: Tensor) -> tuple[Tensor, Tensor]:
    """(N, H/8, W/8) log distance and its relative error: object_range.decode_range on tensors.

    Shares instead of inverse variances: those of sure answers exceed what half floats hold.
    """
    pixels_per_radian = USUAL_PIXELS_PER_RADIAN * geometry[:, 1].exp()
    span = DEPTH_STRIDE / pixels_per_radian
    height = (USUAL_HEIGHT + 2.0 * geometry[:, 3]).clamp_min(LEAST_HEIGHT)
    below = torch.asin(-geometry[:, 2].clamp(-1.0, 1.0)) + ranges[:, 2] * span
    below = torch.minimum(torch.maximum(below, LEAST_DEPRESSION * span), torch.full_like(below, math.pi / 2 - 1e-3))
    sine, cosine = torch.sin(below), torch.cos(below)
    spread = ranges[:, 1].clamp(*LOG_RANGE_SPREAD).exp()
    ground_spread = (ranges[:, 3].clamp(*LOG_GROUND_SPREAD).exp() * span / (sine * cosine)).clamp_max(LARGEST_SPREAD)
    both = (spread * spread + ground_spread * ground_spread).sqrt()
    share = (spread / both) ** 2
    log_ground = (height * cosine / sine).log()
    log_distance = (1.0 - share) * ranges[:, 0] + share * log_ground
    return log_distance.clamp(*LOG_DISTANCE_RANGE), (spread * ground_spread / both).clamp_min(LEAST_SPREAD)
