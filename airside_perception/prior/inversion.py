"""Inversion against images: the codes that explain masks and colours of an object in a box that is known.

Starts at the typical object whose silhouettes agree best, and goes from coarse to fine: first the leading entries of
the code, which move the surface most, on few rays; then all of them on many. Each step is a damped Gauss-Newton step
on the least signed distances along the viewing rays (see `silhouette_rays`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from airside_perception.prior.fitting import fit_texture, gauss_newton
from airside_perception.prior.object_prior import ClassPrior, ObjectPrior, Prototype
from airside_perception.prior.silhouette_rays import ObjectView, SilhouetteRays, silhouette_rays

STAGES = ((0.2, 2500, 6), (0.5, 5000, 6), (1.0, 10000, 8))
"""Share of the leading code entries that move, most rays, and Gauss-Newton steps of each stage."""
START_RAYS, TRIED_STARTS = 2000, 24
"""Rays and typical objects (those of the nearest sizes) among which the start is chosen."""
PRIOR_WEIGHT = 3e-4
"""Of the squared distance from the start, in standard deviations of the class, beside the mean squared residual of one
view; more views share it, since together they know more."""

TEXTURE_WEIGHT = 1e-5
"""The same for colours, which pixels tell directly."""


@dataclass(frozen=True)
class Inversion:
    """Codes found from images.

    Attributes:
        shape: (S,) float32.
        texture: (T,) float32; the start's where no view had an image.
        start: name of the typical object that the search began with; "" for the class mean.
        error: mean absolute violation of the silhouettes by the least distance on a ray, cells.
        fallback: True where no pixel showed the object: the codes are the start's.
    """

    shape: Tensor
    texture: Tensor
    start: str
    error: float
    fallback: bool = False


@torch.no_grad()
def invert_views(
    prior: ObjectPrior, class_name: str, views: Sequence[ObjectView], size: np.ndarray, seed: int = 0
) -> Inversion:
    """Find the codes of an object from one or more images.

    Args:
        prior: the prior.
        class_name: one of its classes.
        views: masks, cameras and, for the texture, images.
        size: (3,) length, width, height of the object's box, metres.
        seed: of the choice of rays.

    Returns:
        `Inversion`.

    Raises:
        ValueError: unknown class, no views, or a size that isn't positive.
    """
    part = prior.class_prior(class_name)
    size = np.asarray(size, np.float64)
    if not len(views):
        raise ValueError("views: expected at least one, got none")
    if size.shape != (3,) or not (np.isfinite(size).all() and (size > 0).all()):
        raise ValueError(f"size: expected three lengths > 0 in metres, got {size.tolist()}")
    rays = silhouette_rays(part.shape, views, size)
    generator = torch.Generator().manual_seed(seed)
    known = _by_size(prior, class_name, size)[:TRIED_STARTS]
    if not bool(rays.inside.any()):
        return Inversion(known[0].shape, known[0].texture, known[0].name, float("nan"), fallback=True)
    few = rays.select(_draw(rays, START_RAYS, generator))
    start = min(known, key=lambda each: float(_residuals(part, few, each.shape)[0].square().sum()))
    shape = start.shape
    for share, count, steps in STAGES:
        chosen = rays.select(_draw(rays, count, generator))
        moving = torch.arange(len(shape), device=shape.device) < max(1, round(share * len(shape)))

        def residuals(code: Tensor, chosen: SilhouetteRays = chosen, moving: Tensor = moving) -> tuple[Tensor, Tensor]:
            values, rows = _residuals(part, chosen, code)
            return values, rows * moving

        weight = PRIOR_WEIGHT / len(views)
        shape = gauss_newton(residuals, start.shape, part.shape_covariance, steps, weight, shape)
    error = float(_residuals(part, rays, shape)[0].abs().mean())
    return Inversion(shape, _texture(prior, class_name, rays, shape, start), start.name, error)


def _by_size(prior: ObjectPrior, class_name: str, size: np.ndarray) -> list[Prototype]:
    """Typical objects, those of the most similar size first; the class mean where there are none."""
    known = list(prior.prototypes(class_name))
    if not known:
        return [Prototype("", *prior.mean_codes(class_name), torch.from_numpy(size).float())]
    return sorted(known, key=lambda each: float(np.abs(np.log(each.size.cpu().numpy() / size)).sum()))


def _draw(rays: SilhouetteRays, count: int, generator: torch.Generator) -> Tensor:
    """At most `count` rays, half of them beside the outline: there is most to learn."""
    near = (rays.wanted > -0.2) & (rays.wanted < 0.9)
    chosen = []
    for rows in (near.nonzero().squeeze(1), (~near).nonzero().squeeze(1)):
        order = torch.randperm(len(rows), generator=generator)[: count // 2].to(rows.device)
        chosen.append(rows[order])
    return torch.cat(chosen)


def _residuals(part: ClassPrior, rays: SilhouetteRays, code: Tensor) -> tuple[Tensor, Tensor]:
    """Violations (N,) of the rays' conditions, cells, and their derivative (N, S)."""
    distances = rays.distances(part.shape(code[None])[0])
    least, place = distances.min(dim=1)
    violated = torch.where(rays.inside, least > rays.wanted, least < rays.wanted)
    rows = violated.nonzero().squeeze(1)
    jacobian = code.new_zeros((len(least), len(code)))
    jacobian[rows] = part.shape.interpolation_rows(rays.points[rows, place[rows]])[1]
    return torch.where(violated, least - rays.wanted, 0.0), jacobian


def _texture(prior: ObjectPrior, class_name: str, rays: SilhouetteRays, shape: Tensor, start: Prototype) -> Tensor:
    """Texture code of what the rays see on the surface."""
    part = prior.class_prior(class_name)
    distances = rays.distances(part.shape(shape[None])[0])
    below = distances < 0
    first = below.int().argmax(dim=1)
    seen = (below.any(dim=1) & rays.inside & (first > 0) & rays.colors.isfinite().all(dim=1)).nonzero().squeeze(1)
    if not len(seen):
        return start.texture
    ahead, behind = distances[seen, first[seen] - 1], distances[seen, first[seen]]
    share = (ahead / (ahead - behind))[:, None]
    points = torch.lerp(rays.points[seen, first[seen] - 1], rays.points[seen, first[seen]], share)
    return fit_texture(prior, class_name, points, rays.colors[seen], 20, TEXTURE_WEIGHT)[0]
