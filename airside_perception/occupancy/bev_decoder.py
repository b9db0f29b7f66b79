"""Bird's-eye-view decoder: lifted features to voxels and detections."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from airside_perception.occupancy.image_encoder import ConvUnit, ResidualBlock, TopDown, residual_stage
from airside_perception.occupancy.network_spec import BOX_CHANNELS, DISPLACEMENT_CHANNELS, NetworkSpec

TYPICAL_LOG_SIZE = {"aircraft": (30.0, 28.0, 9.5), "gse": (4.5, 2.0, 2.0), "person": (0.55, 0.55, 1.75)}
"""Start of the size regression (metres): medians of the apron, see config docs; unknown classes start at 1 m."""

CONTEXT_DILATIONS = (2, 4)
"""Of the residual blocks at the coarse level."""

MOTION_CHANNELS, MOTION_DILATIONS = 32, (1, 2, 4)
"""Of the head that compares a volume with the one before: it finds again what went up to a dozen cells."""


class DecodedVolume(NamedTuple):
    """What the decoder answers.

    Attributes:
        voxels: (B, 7, Z, X, Y) logits: channel 0 density, then the classes from "ground" on.
        heatmap: (B, classes, X, Y) logits.
        boxes: (B, classes, 10, X, Y), see network_spec.BOX_CHANNELS.
        displacement: (B, classes, 2, X, Y), see network_spec.DISPLACEMENT_CHANNELS; None without a previous volume.
        volume: (B, C, X, Y) features that all of these are read from; the next frame's previous volume.
    """

    voxels: Tensor
    heatmap: Tensor
    boxes: Tensor
    displacement: Tensor | None
    volume: Tensor


def moved_volume(volume: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """The previous frame's volume, drawn to where its cells are now.

    Args:
        volume: (B, C, X, Y).
        index, weight: (B, 4, X*Y), see previous_volume.volume_table.

    Returns:
        (B, C + 1, X, Y); the last channel is the sum of the weights: where something of the past is known.
    """
    batch, channels, size_x, size_y = volume.shape
    cells = size_x * size_y
    rows = volume.permute(0, 2, 3, 1).reshape(batch * cells, channels)
    first = torch.arange(batch, device=index.device).reshape(-1, 1, 1) * cells
    drawn = rows.index_select(0, (index.long() + first).reshape(-1)).reshape(batch, -1, cells, channels)
    moved = (drawn * weight.unsqueeze(-1)).sum(dim=1)
    moved = torch.cat([moved, weight.sum(dim=1).unsqueeze(-1)], dim=-1)
    return moved.reshape(batch, size_x, size_y, channels + 1).permute(0, 3, 1, 2)


def _silent(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with weights of zero: it adds nothing yet."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.get_parameter("bias"))
    return layer


class MotionHead(nn.Module):
    """How far things went, from what the volume shows around a cell now and showed there before.

    Measured: a head on this frame's features alone, although these hold the past, learned no motion in an hour.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        width = MOTION_CHANNELS
        blocks = (ResidualBlock(width, width, dilation=step) for step in MOTION_DILATIONS)
        self.compare = nn.Sequential(ConvUnit(2 * channels + 1, width, kernel=1), *blocks)
        self.tell = nn.Conv2d(width, outputs, 1)

    def forward(self, volume: Tensor, moved: Tensor) -> Tensor:
        """(B, C, X, Y) and its predecessor as of `moved_volume` -> (B, outputs, X, Y)."""
        return self.tell(self.compare(torch.cat([volume, moved.to(volume.dtype)], dim=1)))


def cell_positions(spec: NetworkSpec) -> np.ndarray:
    """(5, X, Y) float32: x, y and distance of each cell over the grid's half extent, cosine and sine of its bearing."""
    x, y = (spec.grid.origin[i] + (np.arange(spec.grid.shape[i]) + 0.5) * spec.grid.voxel_size[i] for i in range(2))
    x, y = np.meshgrid(x, y, indexing="ij")
    extent = 0.5 * spec.grid.shape[0] * spec.grid.voxel_size[0]
    distance = np.hypot(x, y)
    unit = np.maximum(distance, 1e-6)
    return np.stack([x / extent, y / extent, distance / extent, x / unit, y / unit]).astype(np.float32)


class BevDecoder(nn.Module):
    """U-Net over the ground plane (cell, 2 cells, 4 cells) with a voxel head and a centre head.

    Heights are folded into channels: 2D convolutions are what every runtime does best. Dilated blocks at the
    coarse level reach as far as an aircraft is long, and every cell is told where it lies: what the images say
    (headings, offsets) is relative to the line of sight, what is asked for is relative to the vehicle.
    """

    position: Tensor

    def __init__(self, spec: NetworkSpec, inputs: int, votes: int) -> None:
        super().__init__()
        fine, middle, coarse = spec.bev_channels
        self.depth_of_grid = spec.grid.shape[2]
        self.register_buffer("position", torch.from_numpy(cell_positions(spec))[None], persistent=False)
        inputs += self.position.shape[1]
        self.enter = nn.Sequential(ConvUnit(inputs, fine, kernel=1), ConvUnit(fine, fine))
        # Weights that were trained without votes, or on single frames, answer as before until they learn their worth.
        self.votes = _silent(nn.Conv2d(votes, fine, 1))
        self.previous = _silent(nn.Conv2d(fine + 1, fine, 3, padding=1)) if spec.previous_volume else None
        self.down2 = residual_stage(fine, middle, 2, stride=2)
        self.down4 = residual_stage(middle, coarse, 2, stride=2)
        self.context = nn.Sequential(*(ResidualBlock(coarse, coarse, dilation=step) for step in CONTEXT_DILATIONS))
        self.up2 = TopDown(coarse, middle, middle)
        self.up1 = TopDown(middle, fine, fine)
        self.classes = len(spec.object_classes)
        semantic = len(spec.semantic_names)  # density takes the place of "free"
        self.voxel_head = nn.Sequential(ConvUnit(fine, fine), nn.Conv2d(fine, semantic * self.depth_of_grid, 1))
        self.center_head = nn.Sequential(ConvUnit(fine, fine), nn.Conv2d(fine, self.classes * (1 + BOX_CHANNELS), 1))
        self.motion = MotionHead(fine, self.classes * DISPLACEMENT_CHANNELS) if spec.previous_volume else None
        self._start_at_priors(spec, semantic)

    def _start_at_priors(self, spec: NetworkSpec, semantic: int) -> None:
        """Biases that say 'rare' and 'of usual size' before the first step (focal loss, arXiv 1708.02002)."""
        with torch.no_grad():
            voxel_bias = self.voxel_head.get_parameter("1.bias").view(semantic, self.depth_of_grid)
            voxel_bias.zero_()
            voxel_bias[0] = -2.0
            center_bias = self.center_head.get_parameter("1.bias").view(self.classes, 1 + BOX_CHANNELS)
            center_bias.zero_()
            center_bias[:, 0] = -4.0
            for index, name in enumerate(spec.object_classes):
                size = TYPICAL_LOG_SIZE.get(name, (1.0, 1.0, 1.0))
                center_bias[index, 3] = size[2] / 2
                center_bias[index, 4:7] = torch.tensor([math.log(value) for value in size])

    def forward(
        self, bev: Tensor, votes: Tensor, previous: tuple[Tensor, Tensor, Tensor] | None = None
    ) -> DecodedVolume:
        """Decode.

        Args:
            bev: (B, C, X, Y) float lifted features.
            votes: (B, C, X, Y) float lifted votes for centres, see center_votes.
            previous: volume, index and weight as of `moved_volume`, where the spec has a previous volume.
        """
        position = self.position.to(bev.dtype).expand(bev.shape[0], -1, -1, -1)
        pulled, joined = self.enter
        entered = pulled(torch.cat([bev, position], dim=1)) + self.votes(votes.to(bev.dtype))
        moved = None
        if self.previous is not None:
            if previous is None:
                moved = entered.new_zeros(entered.shape[0], entered.shape[1] + 1, *entered.shape[2:])
            else:
                moved = moved_volume(*previous)
            entered = entered + self.previous(moved)
        level1 = joined(entered)
        level2 = self.down2(level1)
        level4 = self.context(self.down4(level2))
        x = self.up1(self.up2(level4, level2), level1)
        batch, _, size_x, size_y = x.shape
        voxels = self.voxel_head(x).reshape(batch, -1, self.depth_of_grid, size_x, size_y)
        centers = self.center_head(x).reshape(batch, self.classes, 1 + BOX_CHANNELS, size_x, size_y)
        displacement = None if moved is None else self.displacement(x, moved)
        return DecodedVolume(voxels, centers[:, :, 0], centers[:, :, 1:], displacement, x)

    def displacement(self, volume: Tensor, moved: Tensor) -> Tensor | None:
        """`DecodedVolume.displacement` from `DecodedVolume.volume` and the volume before, see `moved_volume`."""
        if self.motion is None:
            return None
        batch, _, size_x, size_y = volume.shape
        return self.motion(volume, moved).reshape(batch, self.classes, DISPLACEMENT_CHANNELS, size_x, size_y)
