"""Volume rendering of the network's voxels along rays, compared with depth and semantic labels.

RenderOcc (arXiv 2309.09502) done in metres: depth along the optical axis is compared with depth along the optical
axis, and rays are cut exactly at the faces of the voxels, so that no number of samples per ray decides about the
outcome (GSRender, arXiv 2412.14579, found 5 to 10 mIoU between such numbers).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from airside_perception.records import GridSpec
from airside_perception.rendering.volume import render_rays

VARIANCE_FOCUS = 0.85
"""Of the scale-invariant logarithmic depth error (Eigen et al. 2014; RenderOcc's value)."""

RENDER_WEIGHTS = {"render_depth": 1.0, "render_class": 1.0, "render_pass": 0.5, "render_spread": 0.01}


@dataclass(frozen=True)
class RayBatch:
    """R rays of a batch.

    Attributes:
        sample: (R,) int64 index of the sample in the batch.
        origins, directions: (R, 3) float32 base_link, metres and unit vectors.
        distance: (R,) float32 metres along the ray, inf where it met nothing.
        cosine: (R,) float32, depth = distance * cosine.
        label: (R,) int64 semantic id of the surface, 0 unlabelled.
    """

    sample: Tensor
    origins: Tensor
    directions: Tensor
    distance: Tensor
    cosine: Tensor
    label: Tensor

    def to(self, device: torch.device | str) -> RayBatch:
        return RayBatch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def voxel_opacity_density(logits: Tensor, voxel_size: float) -> Tensor:
    """Density per metre with which a voxel crossed along its side ends a ray with probability sigmoid(logit).

    softplus(x) / size: 1 - exp(-softplus(x)) = sigmoid(x). So rendering trains the very number that is exported
    as the voxel's probability, and no threshold has to be found for densities.
    """
    return functional.softplus(logits) / voxel_size


@torch.no_grad()
def voxel_segments(origins: Tensor, directions: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Cut rays at the faces of a grid's voxels.

    Args:
        origins: (R, 3) float in voxel units, (0, 0, 0) is the lowest corner.
        directions: (R, 3) unit vectors.
        shape: (X, Y, Z).

    Returns:
        (R, S + 1) float distances of the cuts in voxels, increasing from where the ray enters (0 inside) to where it
        leaves; S = X + Y + Z + 2, most pieces are empty. All alike where the ray misses the grid;
        (R, S) int64 flat index of the voxel of each piece.
    """
    size = origins.new_tensor(shape)
    # Axes that a ray runs along: a tiny slope keeps the arithmetic finite and moves nothing.
    slope = torch.where(directions.abs() < 1e-7, torch.full_like(directions, 1e-7), directions)
    first, second = -origins / slope, (size - origins) / slope
    enter = torch.minimum(first, second).amax(1).clamp(min=0.0)
    leave = torch.maximum(torch.maximum(first, second).amin(1), enter)
    cuts = [
        (torch.arange(count + 1, device=origins.device, dtype=origins.dtype) - origins[:, axis, None])
        / slope[:, axis, None]
        for axis, count in enumerate(shape)
    ]
    edges = torch.cat(cuts, dim=1).clamp(min=enter[:, None], max=leave[:, None]).sort(dim=1).values
    middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
    cells = (origins[:, None] + middles[..., None] * directions[:, None]).floor().long()
    cells = torch.minimum(cells.clamp(min=0), size.long() - 1)
    return edges, (cells[..., 0] * shape[1] + cells[..., 1]) * shape[2] + cells[..., 2]


def rendering_terms(logits: Tensor, rays: RayBatch, grid: GridSpec, class_balance: bool = True) -> dict[str, Tensor]:
    """Terms of the rendered rays; weights in RENDER_WEIGHTS.

    Args:
        logits: (B, 7, Z, X, Y) as RawOutput.voxels.
        rays: R rays; their pieces are rendered through the sample they belong to.
        grid: geometry of the voxels, cubes.
        class_balance: weight rare classes up.

    Returns:
        render_depth: scale-invariant logarithmic error of rays that end in the grid;
        render_class: cross-entropy of their rendered classes;
        render_pass: cross-entropy of passing through the grid, against whether the label says so;
        render_spread: distortion (mip-NeRF 360, arXiv 2111.12077, equation 15): the end of a ray is one place.
    """
    zero = logits.sum() * 0.0
    if not len(rays.label):
        return dict.fromkeys(RENDER_WEIGHTS, zero)
    size = float(grid.voxel_size[0])
    origins = (rays.origins - rays.origins.new_tensor(grid.origin)) / size
    edges, cells = voxel_segments(origins, rays.directions, grid.shape)
    index = cells + (rays.sample * (grid.shape[0] * grid.shape[1] * grid.shape[2]))[:, None]
    volume = logits.permute(0, 3, 4, 2, 1).reshape(-1, logits.shape[1])
    # Softmax of the voxels, not of their many appearances on rays.
    table = torch.cat([voxel_opacity_density(volume[:, :1], size), volume[:, 1:].softmax(1)], dim=1)
    pulled = table.index_select(0, index.reshape(-1)).reshape(*index.shape, -1)
    edges = edges * size
    leave = edges[:, -1]
    seen = render_rays(pulled[..., 0], pulled[..., 1:], edges, rays.cosine)
    crosses = leave - edges[:, 0] > 1e-3
    ends = crosses & (rays.distance < leave) & (rays.distance > edges[:, 0])
    passes = crosses & (rays.distance >= leave)
    return {
        "render_depth": silog(seen.depth[ends], (rays.distance * rays.cosine)[ends]) if ends.any() else zero,
        "render_class": rendered_class_loss(seen.features[ends], rays.label[ends], class_balance),
        "render_pass": passing_loss(seen.transmittance, ends, passes) if crosses.any() else zero,
        "render_spread": distortion(seen.weights[ends], edges[ends] / size).mean() / 100.0 if ends.any() else zero,
    }


def silog(rendered: Tensor, measured: Tensor) -> Tensor:
    """Scale-invariant logarithmic error: sqrt(mean(g^2) - VARIANCE_FOCUS mean(g)^2), g = log(rendered / measured).

    Args:
        rendered, measured: (R,) metres along the optical axis, > 0.
    """
    error = rendered.clamp(min=1e-3).log() - measured.clamp(min=1e-3).log()
    return ((error**2).mean() - VARIANCE_FOCUS * error.mean() ** 2).clamp(min=1e-8).sqrt()


def rendered_class_loss(probability: Tensor, label: Tensor, class_balance: bool) -> Tensor:
    """Cross-entropy of rendered class probabilities; rays without a class are left out.

    Args:
        probability: (R, 6) expected probability of each class from "ground" on; what is missing to 1 passed through.
        label: (R,) ids, 0 unlabelled.
        class_balance: weight classes by 1 / ln(1.02 + share of the rays) (ENet, arXiv 1606.02147, section 5.1).
    """
    labelled = label > 0
    if not bool(labelled.any()):
        return probability.sum() * 0.0
    target = label[labelled] - 1
    picked = probability[labelled].gather(1, target[:, None])[:, 0]
    weight = torch.ones_like(picked)
    if class_balance:
        share = torch.bincount(target, minlength=probability.shape[1]).to(picked.dtype) / len(target)
        weight = (1.0 / torch.log(1.02 + share))[target]
    return -(picked.clamp(min=1e-6).log() * weight).sum() / weight.sum()


def passing_loss(transmittance: Tensor, ends: Tensor, passes: Tensor) -> Tensor:
    """Cross-entropy of reaching the far side of the grid; masks (R,) say which rays end inside and which don't.

    RenderOcc asks only that each ray be sure about it (entropy); the label says which it is.
    """
    clear = transmittance.clamp(1e-6, 1.0 - 1e-6)
    total = -(clear[passes].log().sum() + (1.0 - clear[ends]).log().sum())
    return total / (ends | passes).sum().clamp(min=1)


def distortion(weights: Tensor, edges: Tensor) -> Tensor:
    """(R,) sum_ij w_i w_j |m_i - m_j| + 1/3 sum_i w_i^2 d_i, in the unit of `edges`.

    Pieces are sorted along the ray, so that prefix sums replace the double sum.

    Args:
        weights: (R, S) probability that the ray ends in each piece.
        edges: (R, S + 1) increasing.
    """
    middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
    before = weights.cumsum(1) - weights
    moment_before = (weights * middles).cumsum(1) - weights * middles
    between = 2.0 * (weights * (middles * before - moment_before)).sum(1)
    return between + (weights**2 * edges.diff(dim=1)).sum(1) / 3.0
