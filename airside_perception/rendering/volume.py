"""Differentiable volume rendering along rays: the quadrature of Max (1995), as NeRF and RenderOcc use it."""

from __future__ import annotations

from typing import NamedTuple

import torch


class VolumeRender(NamedTuple):
    """What rays see of a volume.

    Attributes:
        weights: (..., samples), probability that the ray ends at each sample.
        depth: (...,), expected distance of the end; transmitted rays count at the last sample's end.
        features: (..., C), expected features (background contributes zero).
        transmittance: (...,), probability that the ray passes through everything.
    """

    weights: torch.Tensor
    depth: torch.Tensor
    features: torch.Tensor
    transmittance: torch.Tensor


def ray_weights(density: torch.Tensor, spacing: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights and final transmittance: alpha_k = 1 - exp(-sigma_k delta_k), w_k = alpha_k prod_{j<k} (1 - alpha_j).

    Args:
        density: (..., samples) float >= 0, per metre.
        spacing: (..., samples) float, metres of ray that each sample stands for.

    Returns:
        weights (..., samples), which sum with the transmittance (...,) to 1.
    """
    optical_depth = density * spacing
    through = torch.cumsum(optical_depth, dim=-1)
    before = through - optical_depth
    # exp(-before) (1 - exp(-optical_depth)); expm1 keeps thin samples exact.
    return -torch.exp(-before) * torch.expm1(-optical_depth), torch.exp(-through[..., -1])


def render_rays(
    density: torch.Tensor, features: torch.Tensor, edges: torch.Tensor, cosine: torch.Tensor | None = None
) -> VolumeRender:
    """Expected depth and features of rays through sampled volumes.

    Args:
        density: (..., samples) float >= 0, per metre.
        features: (..., samples, C) float, such as class probabilities.
        edges: (..., samples + 1) float, increasing distances along the ray between which each
            sample holds, metres.
        cosine: (...,) float, cosine between each ray and the optical axis: depth is then measured
            along the axis, as depth images are. None: along the ray.

    Returns:
        Differentiable in density and features.

    Raises:
        ValueError: shapes disagree.
    """
    samples = density.shape[-1]
    if edges.shape[-1] != samples + 1 or features.shape[-2] != samples:
        raise ValueError(
            f"edges, features: expected {samples + 1} edges and {samples} samples, "
            f"got {edges.shape[-1]} and {features.shape[-2]}"
        )
    weights, transmittance = ray_weights(density, edges.diff(dim=-1))
    middles = 0.5 * (edges[..., 1:] + edges[..., :-1])
    depth = (weights * middles).sum(dim=-1) + transmittance * edges[..., -1]
    if cosine is not None:
        depth = depth * cosine
    return VolumeRender(weights, depth, (weights.unsqueeze(-1) * features).sum(dim=-2), transmittance)
