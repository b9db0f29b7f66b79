"""A network small enough for tests, and a file of it: what it says means nothing, but every stage runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from airside_perception.occupancy.network import OccupancyNetwork
from airside_perception.occupancy.network_spec import NetworkSpec
from airside_perception.records import GridSpec
from airside_perception.training.export import export_network

SMALL_SPEC = NetworkSpec(
    grid=GridSpec((-8.0, -8.0, -1.0), (1.0, 1.0, 1.0), (16, 16, 4)),
    image_size=(128, 64),
    lift_heights=(0.0, 1.0),
    depth_bins=12,
    depth_range=(1.0, 20.0),
    lift_channels=8,
    encoder_channels=(8, 16, 16, 16),
    encoder_blocks=(1, 1, 1, 1),
    bev_channels=(16, 16, 16),
)


def write_untrained_network(path: Path, image_size: tuple[int, int]) -> Path:
    """Export SMALL_SPEC for images of (width, height), with coarse random weights."""
    torch.manual_seed(0)
    network = OccupancyNetwork(replace(SMALL_SPEC, image_size=image_size)).eval()
    # Fresh weights say "free" everywhere; coarse ones give voxels of every class.
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if weights.dim() > 1:
                weights.normal_(0.0, 1.5 / weights[0].numel() ** 0.5)
            elif name.endswith("bias"):
                weights.zero_()
    export_network(network, path)
    return path
