"""Inversion against images: the codes that explain masks and colours of an object in a box that is known.

Starts at the typical objects whose silhouettes agree best, and goes from coarse to fine: first the leading entries of
the code, which move the surface most, on few rays and from several starts; then all of them on many from the best one.
Each step is a damped Gauss-Newton step on the least signed distances along the viewing rays (see `silhouette_rays`) and
on the distances of places where depths put the surface. What codes can't express can be kept as the object's own
`Detail`: offsets of distances (see `free_form`) and colours where they were seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from airside_perception.prior.detail import Detail, SeenColors
from airside_perception.prior.fitting import fit_texture, gauss_newton
from airside_perception.prior.free_form import free_form_offsets
from airside_perception.prior.object_prior import ClassPrior, ObjectPrior, Prototype
from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.prior.silhouette_rays import ObjectView, SilhouetteRays, silhouette_rays

STAGES = ((0.2, 2500, 6), (0.5, 5000, 6), (1.0, 10000, 8))
"""Share of the leading code entries that move, most rays, and Gauss-Newton steps of each stage."""
START_RAYS, TRIED_STARTS, FOLLOWED_STARTS = 2000, 24, 3
"""Rays and typical objects (those of the nearest sizes) among which starts are chosen, and how many enter stage one."""
PRIOR_WEIGHT = 1e-4
"""Of the squared distance from the start, in standard deviations of the class, beside the mean squared residual of one
view; more views share it, since together they know more."""

TEXTURE_WEIGHT = 1e-5
"""The same for colours, which pixels tell directly."""
SYMMETRY = {"aircraft": 0.6, "gse": 0.6}
"""Weight of the mirror image of a view by class, where there is but one: the side that no camera saw looks like the
one that it did."""
_DEPTH_RANGE = 1.5
"""Cells beyond which a depth that disagrees with the surface pulls no harder."""
_DEPTH_WEIGHT = 4.0
"""Of a squared distance at a measured place, beside that of a ray: silhouettes bound the surface, depths give it."""
DETAIL_RAYS = 30000
"""Most rays that the object's own offsets are found with."""


@dataclass(frozen=True)
class Inversion:
    """Codes found from images.

    Attributes:
        shape: (S,) float32.
        texture: (T,) float32; the start's where no view had an image.
        start: name of the typical object that the search began with; "" for the class mean.
        error: mean absolute violation of the silhouettes by the least distance on a ray, cells.
        fallback: True where no pixel showed the object: the codes are the start's.
        detail: the object beyond its codes, for `ObjectPrior.decode`; None unless asked for.
    """

    shape: Tensor
    texture: Tensor
    start: str
    error: float
    fallback: bool = False
    detail: Detail | None = None


@torch.no_grad()
def invert_views(
    prior: ObjectPrior,
    class_name: str,
    views: Sequence[ObjectView],
    size: np.ndarray,
    seed: int = 0,
    detail: bool = False,
) -> Inversion:
    """Find the codes of an object from one or more images.

    Args:
        prior: the prior.
        class_name: one of its classes.
        views: masks, cameras and, where known, images (for the texture) and depths.
        size: (3,) length, width, height of the object's box, metres.
        seed: of the choice of rays.
        detail: also find what the codes can't express; takes another second, and views from all round to be worth it.

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
    rays = silhouette_rays(part.shape, views, size, SYMMETRY.get(class_name, 0.0) if len(views) == 1 else 0.0)
    known = _by_size(prior, class_name, size)[:TRIED_STARTS]
    if not bool(rays.inside.any()):
        return Inversion(known[0].shape, known[0].texture, known[0].name, float("nan"), fallback=True)
    shape, start = _search(part, rays, known, PRIOR_WEIGHT / len(views), torch.Generator().manual_seed(seed))
    error = float(_violations(part, rays, shape)[0].abs().mean())
    points, colors, weights = _seen_surface(rays, part.shape(shape[None])[0])
    texture = start.texture
    if len(points):
        texture = fit_texture(prior, class_name, points, colors, 20, TEXTURE_WEIGHT, weights)[0]
    found = Inversion(shape, texture, start.name, error)
    return replace(found, detail=_detail(part, rays, found, size, seed)) if detail else found


def _search(
    part: ClassPrior, rays: SilhouetteRays, known: list[Prototype], weight: float, generator: torch.Generator
) -> tuple[Tensor, Prototype]:
    """Shape code, and the start that led to it."""
    few = rays.select(_draw(rays, START_RAYS, generator))
    ranked = sorted(known, key=lambda each: _cost(part, few, each.shape))[:FOLLOWED_STARTS]
    candidates = [(each.shape, each) for each in ranked]
    for share, count, steps in STAGES:
        chosen = rays.select(_draw(rays, count, generator))
        # The mean of all conditions is what the code's prior is weighed against; mirror images add to an object's own.
        own_weight = weight * float((chosen.weight >= 1.0).float().mean())
        moving = torch.arange(len(candidates[0][0]), device=chosen.points.device) < max(
            1, round(share * len(candidates[0][0]))
        )

        def residuals(code: Tensor, chosen: SilhouetteRays = chosen, moving: Tensor = moving) -> tuple[Tensor, Tensor]:
            values, rows = _residuals(part, chosen, code)
            return values, rows * moving

        moved = [
            (gauss_newton(residuals, start.shape, part.shape_covariance, steps, own_weight, shape), start)
            for shape, start in candidates
        ]
        candidates = [min(moved, key=lambda each: _cost(part, chosen, each[0]))]
    return candidates[0]


def _cost(part: ClassPrior, rays: SilhouetteRays, code: Tensor) -> float:
    return float(_residuals(part, rays, code, slopes=False)[0].square().mean())


def _by_size(prior: ObjectPrior, class_name: str, size: np.ndarray) -> list[Prototype]:
    """Typical objects, those of the most similar size first; the class mean where there are none."""
    known = list(prior.prototypes(class_name))
    if not known:
        return [Prototype("", *prior.mean_codes(class_name), torch.from_numpy(size).float())]
    return sorted(known, key=lambda each: float(np.abs(np.log(each.size.cpu().numpy() / size)).sum()))


def _draw(rays: SilhouetteRays, count: int, generator: torch.Generator) -> Tensor:
    """At most `count` rays, half of them beside the outline, where there is most to learn; and their mirror images."""
    own = int((rays.weight >= 1.0).sum())
    near = (rays.wanted[:own] > -0.2) & (rays.wanted[:own] < 0.9)
    chosen = []
    for rows in (near.nonzero().squeeze(1), (~near).nonzero().squeeze(1)):
        order = torch.randperm(len(rows), generator=generator)[: count // 2].to(rows.device)
        chosen.append(rows[order])
    drawn = torch.cat(chosen)
    return drawn if own == len(rays.weight) else torch.cat([drawn, own + drawn])


def _residuals(part: ClassPrior, rays: SilhouetteRays, code: Tensor, slopes: bool = True) -> tuple[Tensor, Tensor]:
    """Weighted residuals (M,) of the rays' conditions and of their depths, cells, and their derivative (M, S)."""
    violations, places = _violations(part, rays, code)
    residuals = [violations]
    bent = violations.nonzero().squeeze(1)
    jacobian = [code.new_zeros((len(violations) if slopes else 0, len(code)))]
    if slopes:
        jacobian[0][bent] = part.shape.interpolation_rows(places[bent])[1]
    weights = [rays.weight]
    measured = rays.surface.isfinite().all(dim=1).nonzero().squeeze(1)
    if len(measured):
        constants, rows = part.shape.interpolation_rows(rays.surface[measured])
        distance = constants + rows @ code
        residuals.append(distance.clamp(-_DEPTH_RANGE, _DEPTH_RANGE))
        jacobian.append(rows * (distance.abs() < _DEPTH_RANGE)[:, None])
        weights.append(_DEPTH_WEIGHT * rays.weight[measured])
    root = torch.cat(weights).sqrt()
    return root * torch.cat(residuals), root[:, None] * torch.cat(jacobian) if slopes else jacobian[0]


def _violations(part: ClassPrior, rays: SilhouetteRays, code: Tensor) -> tuple[Tensor, Tensor]:
    """How far the least distance on each ray is off (N,), cells, zero where it is fine, and its place (N, 3)."""
    least, place = rays.distances(part.shape(code[None])[0]).min(dim=1)
    violated = torch.where(rays.inside, least > rays.wanted, least < rays.wanted)
    places = rays.points[torch.arange(len(place), device=place.device), place]
    return torch.where(violated, least - rays.wanted, 0.0), places


def _seen_surface(rays: SilhouetteRays, sdf: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays with colours meet the surface (N, 3), box-normalised, those colours (N, 3), and weights (N,)."""
    distances = rays.distances(sdf)
    below = distances < 0
    first = below.int().argmax(dim=1)
    seen = (below.any(dim=1) & rays.inside & (first > 0) & rays.colors.isfinite().all(dim=1)).nonzero().squeeze(1)
    ahead, behind = distances[seen, first[seen] - 1], distances[seen, first[seen]]
    share = (ahead / (ahead - behind))[:, None]
    points = torch.lerp(rays.points[seen, first[seen] - 1], rays.points[seen, first[seen]], share)
    return points, rays.colors[seen], rays.weight[seen]


def _detail(part: ClassPrior, rays: SilhouetteRays, found: Inversion, size: np.ndarray, seed: int) -> Detail:
    """What the pixels say beyond the codes; a mirror image says nothing of an object's own."""
    own = rays.select((rays.weight >= 1.0).nonzero().squeeze(1))
    chosen = own.select(_draw(own, DETAIL_RAYS, torch.Generator().manual_seed(seed)))
    offsets = free_form_offsets(part.shape, chosen, found.shape)
    sdf = part.shape(found.shape[None])[0] + offsets
    points, colors, _ = _seen_surface(own, sdf)
    if not len(points):
        return Detail(offsets)
    proportions = torch.as_tensor(size / np.linalg.norm(size), dtype=torch.float32, device=sdf.device)
    normals = _gradient(part.shape, sdf, points) / proportions
    normals = normals / normals.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return Detail(offsets, SeenColors(points, normals, colors - part.texture(points, found.texture), proportions))


def _gradient(decoder: ShapeDecoder, sdf: Tensor, points: Tensor) -> Tensor:
    """(N, 3) derivative of trilinear distances in the box-normalised position, over half a cell to either side."""
    flat, columns = sdf.reshape(-1), []
    for axis, nodes in enumerate((decoder.axis_x, decoder.axis_y, decoder.axis_z)):
        step = torch.zeros(3, device=points.device)
        step[axis] = 0.5 * float(nodes[-1] - nodes[0]) / (len(nodes) - 1)
        ends = []
        for sign in (1.0, -1.0):
            index, weights = decoder.trilinear(points + sign * step)
            ends.append((flat[index] * weights).sum(dim=1))
        columns.append((ends[0] - ends[1]) / (2 * step[axis]))
    return torch.stack(columns, dim=1)
