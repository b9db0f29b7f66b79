"""The occupancy network: images of any rig to voxels, detections and 2D semantics."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from airside_perception.occupancy.bev_decoder import BevDecoder
from airside_perception.occupancy.center_votes import image_votes, lift_votes, vote_channels
from airside_perception.occupancy.image_encoder import ConvUnit, ImageEncoder, normalise_images
from airside_perception.occupancy.network_spec import OBJECT_CHANNELS, RANGE_CHANNELS, SURFACE_CHANNELS, NetworkSpec
from airside_perception.occupancy.pixel_geometry import GEOMETRY_CHANNELS


class ImageOutput(NamedTuple):
    """Logits of the image part, see RawOutput."""

    semantics: Tensor
    depth: Tensor
    objects: Tensor
    surface: Tensor
    ranges: Tensor
    object_features: Tensor


class RawOutput(NamedTuple):
    """Logits of the network, as losses need them.

    Attributes:
        voxels: (B, 7, Z, X, Y) density logit, then class logits from "ground" on.
        heatmap: (B, classes, X, Y) logits.
        boxes: (B, classes, 10, X, Y), see network_spec.BOX_CHANNELS.
        semantics: (N, 7, H/4, W/4) logits.
        depth: (N, bins, H/8, W/8) logits.
        objects: (N, 9, H/8, W/8), see network_spec.OBJECT_CHANNELS; meaningful where an object is seen.
        surface: (N, 4, H/8, W/8), see network_spec.SURFACE_CHANNELS; meaningful where an object is seen.
        ranges: (N, 4, H/8, W/8), see network_spec.RANGE_CHANNELS; meaningful where an object is seen.
        object_features: (N, C, H/8, W/8), what the three before are read from; training asks it more.
        displacement: (B, classes, 2, X, Y), see network_spec.DISPLACEMENT_CHANNELS; None without a previous volume.
        volume: (B, C, X, Y), what a network with a previous volume wants to be given with the next frame.
    """

    voxels: Tensor
    heatmap: Tensor
    boxes: Tensor
    semantics: Tensor
    depth: Tensor
    objects: Tensor
    surface: Tensor
    ranges: Tensor
    object_features: Tensor
    displacement: Tensor | None
    volume: Tensor

    def on_cpu(self) -> RawOutput:
        """The same in float32 on the CPU."""
        parts = {name: each.float().cpu() for name, each in self._asdict().items() if each is not None}
        return self._replace(**parts)


LATER_HEADS = ("surface_head", "range_head", "decoder.motion")
"""Beginnings of the names of weights that files of earlier networks lack."""


class OccupancyNetwork(nn.Module):
    """Shared image encoder, pull lifting through tables, bird's-eye-view decoder.

    The tables (lifting.build_lifting_tables) and the geometry of the pixels are inputs, so one network
    serves any rig and any number of cameras. What every image cell says of the object that it shows
    (heading, distance and size of the whole) is supervised in the image, where evidence is dense, and
    lifted with the features (perspective supervision of BEVFormer v2, arXiv 2211.10439, made an input of the map).
    """

    cumulate: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        stride4, stride8 = spec.encoder_channels[0], spec.encoder_channels[1]
        self.encoder = ImageEncoder(spec.encoder_channels, spec.encoder_blocks)
        self.semantic_head = nn.Conv2d(stride4, len(spec.semantic_names), 1)
        self.lift_head = nn.Conv2d(stride4 + OBJECT_CHANNELS, spec.lift_channels, 1)
        self.depth_head = _geometric_head(stride8, spec.depth_bins)
        self.object_head = _geometric_head(stride8, OBJECT_CHANNELS)
        self.surface_head = _small_head(stride8, SURFACE_CHANNELS)
        self.range_head = _small_head(stride8, RANGE_CHANNELS, first_guess=_RANGE_GUESS)
        lifted = len(spec.lift_heights) * (spec.lift_channels + 2)
        self.decoder = BevDecoder(spec, lifted, vote_channels(spec))
        bins = spec.depth_bins
        # Row b sums the probabilities of bins 0..b: how likely the ray has met a surface by bin b.
        self.register_buffer("cumulate", torch.tril(torch.ones(bins, bins)), persistent=False)

    def forward(
        self,
        images: Tensor,
        geometry: Tensor,
        feature_index: Tensor,
        depth_index: Tensor,
        depth_fraction: Tensor,
        slot_weight: Tensor,
        previous_volume: Tensor | None = None,
        previous_index: Tensor | None = None,
        previous_weight: Tensor | None = None,
    ) -> RawOutput:
        """Run the network.

        Args:
            images: (N, 3, H, W) uint8 or float 0..255, RGB; the cameras of all B samples in a row.
            geometry: (N, 5, H/4, W/4) float, pixel_geometry of the same cameras.
            feature_index: (B, slots, V) int, cell in the lift features of all N images
                (image * h * w + row * w + column).
            depth_index: (B, slots, V) int, (cell in the depth maps) * bins + lower bin.
            depth_fraction: (B, slots, V) float, share of the upper bin (0..1).
            slot_weight: (B, slots, V) float, 0 where no camera; sums to 1 over slots elsewhere.
            previous_volume: (B, C, X, Y) float, `RawOutput.volume` of the frame before; the last three arguments
                mean something where the spec has a previous volume, and None is a first frame.
            previous_index, previous_weight: (B, 4, X*Y) int and float, see previous_volume.volume_table.
        """
        answer, stride4 = self.look(images, geometry)
        votes = functional.interpolate(answer.objects, scale_factor=2.0, mode="nearest").to(stride4.dtype)
        features = self.lift_head(torch.cat([stride4, votes], dim=1))
        bev = self.lift(features, answer.depth, feature_index, depth_index, depth_fraction, slot_weight)
        told = image_votes(
            self.spec, answer.semantics, answer.objects, answer.ranges, functional.avg_pool2d(geometry, 2)
        )
        centers = lift_votes(self.spec, told, depth_index, depth_fraction, slot_weight)
        previous = None
        if previous_volume is not None and previous_index is not None and previous_weight is not None:
            previous = previous_volume.to(bev.dtype), previous_index, previous_weight.to(bev.dtype)
        voxels, heatmap, boxes, displacement, volume = self.decoder(bev, centers, previous)
        return RawOutput(voxels, heatmap, boxes, *answer, displacement, volume)

    def look(self, images: Tensor, geometry: Tensor) -> tuple[ImageOutput, Tensor]:
        """The image part alone; arguments as in `forward`. Returns its logits and the features at stride 4."""
        x = normalise_images(images).contiguous(memory_format=torch.channels_last)
        stride4, stride8 = self.encoder(x, geometry)
        aware = torch.cat([stride8, functional.avg_pool2d(geometry, 2).to(stride8.dtype)], dim=1)
        hidden, read_out = self.object_head
        features = hidden(aware)
        semantics, depth = self.semantic_head(stride4), self.depth_head(aware)
        surface, ranges = self.surface_head(features), self.range_head(features)
        return ImageOutput(semantics, depth, read_out(features), surface, ranges, features), stride4

    def lift(
        self,
        features: Tensor,
        depth_logits: Tensor,
        feature_index: Tensor,
        depth_index: Tensor,
        depth_fraction: Tensor,
        slot_weight: Tensor,
    ) -> Tensor:
        """Pull features into the lifting points; arguments as in `forward`.

        Half of the features is weighted by the probability that the surface is at the point's
        depth, the other half is not (a network that errs in depth can still see what is on the
        ray). Gather and sums only: no scatter and no 5-D sampling, so every runtime takes it.

        Returns:
            (B, planes * (C + 2), X, Y): per plane C features, probability of the surface and of
            free sight up to the point.
        """
        batch, slots, points = feature_index.shape
        channels = features.shape[1]
        rows = features.permute(0, 2, 3, 1).reshape(-1, channels)
        # index_select: its gradient is summed several times faster than that of [] indexing.
        pulled = rows.index_select(0, feature_index.reshape(-1).long()).reshape(batch, slots, points, channels)
        surface, open_sight = self._depth_gates(depth_logits, depth_index, depth_fraction)
        weight = slot_weight.to(pulled.dtype)
        gate = (surface.to(pulled.dtype) * weight).unsqueeze(-1)
        half = channels // 2
        lifted = torch.cat(
            [
                (pulled[..., :half] * gate).sum(1),
                (pulled[..., half:] * weight.unsqueeze(-1)).sum(1),
                gate.sum(1),
                (open_sight.to(pulled.dtype) * weight).sum(1).unsqueeze(-1),
            ],
            dim=-1,
        )
        size_x, size_y = self.spec.grid.shape[:2]
        return lifted.reshape(batch, size_x, size_y, -1).permute(0, 3, 1, 2)

    def _depth_gates(self, logits: Tensor, index: Tensor, fraction: Tensor) -> tuple[Tensor, Tensor]:
        """Surface probability (scaled to about 1 for a sure surface) and free sight at each lifting point."""
        bins = self.spec.depth_bins
        probability = logits.permute(0, 2, 3, 1).reshape(-1, bins).float().softmax(-1)
        met = probability @ self.cumulate.T
        lower = index.reshape(-1).long()
        upper = torch.clamp(lower + 1, max=probability.numel() - 1)
        share = fraction.reshape(-1)
        flat = probability.reshape(-1)
        surface = flat.index_select(0, lower) * (1 - share) + flat.index_select(0, upper) * share
        flat_met = met.reshape(-1)
        blocked = flat_met.index_select(0, lower) * (1 - share) + flat_met.index_select(0, upper) * share
        return (4.0 * surface).reshape(index.shape), (1.0 - blocked).reshape(index.shape)


_RANGE_GUESS = (2.5, -1.0, 2.0, 0.7)
"""Where RANGE_CHANNELS begin to learn: 12 m, give or take a third; two cells, give or take as much."""


def _small_head(channels: int, outputs: int, first_guess: tuple[float, ...] = ()) -> nn.Sequential:
    """Features -> predictions that are no linear function of them: a place on an object turns with its heading."""
    read_out = nn.Conv2d(channels, outputs, 1)
    if first_guess and read_out.bias is not None:
        read_out.bias.data.copy_(torch.tensor(first_guess))
    return nn.Sequential(nn.Conv2d(channels, channels, 1), nn.ReLU(), read_out)


def _geometric_head(channels: int, outputs: int) -> nn.Sequential:
    """Features with the geometry of their pixels -> predictions."""
    return nn.Sequential(ConvUnit(channels + GEOMETRY_CHANNELS, channels), nn.Conv2d(channels, outputs, 1))
