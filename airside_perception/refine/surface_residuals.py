"""Where on the object a pixel lies: what the network's features say of it against the rendering.

An outline says where an object ends, not which part of it is where. The network says for every image cell that shows an
object where on it the shown point lies (dense correspondences as of normalised object coordinates, Wang et al. 2019,
arXiv 1901.02970); the rendering knows the same of every pixel. Both are smooth over the object, so the solver finds its
way from far off, and no render has to pass through the network, as a comparison of feature maps would ask for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from airside_perception.refine.inside_residuals import InsideResiduals, InsideTerms, central_differences, inner
from airside_perception.refine.shape_library import LinearShape
from airside_perception.refine.views import View

DEGREES = 2.0
"""Of freedom of Student's t: now and then the network takes front for back."""

SPREAD_RANGE = (0.02, 1.0)
"""Expected errors, in lengths of the object's sides, are taken as within this."""

FARTHEST = 2.0
"""Places are taken as within so many lengths of the object's sides from its middle; what is farther is no answer."""

STEEPEST = 0.1
"""Change of the place per crop pixel above which it is the edge of one part before another, not a slope."""

LEAST_WEIGHT = 30.0
"""Pixels of the crop (their trust summed) without which a view says nothing."""

EVERY = 2
"""Rows and columns of the crop of which one is compared: a cell of the network covers several."""


class SurfaceResiduals(InsideResiduals):
    """Residuals of the places on their objects that the pixels of a batch show.

    Args:
        views: those of the batch; each with `surface`.
        shapes: one LinearShape per object.

    Pixels of which a diverged or foreign network says nothing sensible (NaN, far off the object) don't count.
    """

    def __init__(self, views: Sequence[View], shapes: Sequence[LinearShape]) -> None:
        maps = _thinned(torch.from_numpy(np.array([view.surface for view in views], np.float32)))
        places, spread = maps[:, :3], maps[:, 3].exp().clamp(*SPREAD_RANGE)
        # A comparison with NaN is false.
        sound = (places.abs() < FARTHEST).all(dim=1) & (spread > 0)
        super().__init__(
            np.concatenate([shapes[view.object_index].vertices for view in views]),
            places=torch.where(sound[:, None], places, 0.0),
            precision=torch.where(sound, 1.0 / spread, 0.0),
        )

    def evaluate(
        self, carried: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, flow: torch.Tensor | None
    ) -> InsideTerms:
        """Compare; arguments as of `InsideResiduals.evaluate`.

        Each view counts as one measurement, however many pixels it has: neighbours err alike.
        """
        slope_x, slope_y = central_differences(carried)
        steep = torch.maximum(slope_x.abs(), slope_y.abs()).amax(dim=1) > STEEPEST
        places, precision = self._of_views["places"], self._of_views["precision"]
        trust = _thinned(inner(mask) * weight * ~steep) * (precision > 0)
        carried, slope_x, slope_y = _thinned(carried), _thinned(slope_x), _thinned(slope_y)
        count = trust.sum(dim=(1, 2))
        share = trust * (count > LEAST_WEIGHT / EVERY**2)[:, None, None] / count.clamp_min(1.0)[:, None, None]
        residual = (carried - places) * precision[:, None]
        size = residual.square().sum(dim=1)
        energy = (share * 0.5 * DEGREES * torch.log1p(size / DEGREES)).sum(dim=(1, 2)).double().numpy()
        if flow is None:
            return InsideTerms(np.zeros(0), np.zeros(0), energy)
        flow = _thinned(flow)
        columns = flow.shape[1] // 2
        slope = -(slope_x[:, None] * flow[:, :columns, None] + slope_y[:, None] * flow[:, columns:, None])
        slope = (slope * precision[:, None, None]).flatten(2)
        robust = share / (1.0 + size / DEGREES)
        weighted = slope * robust[:, None].expand(-1, 3, -1, -1).flatten(1)[:, None]
        hessian = torch.bmm(weighted, slope.transpose(1, 2)).double().numpy()
        gradient = torch.bmm(weighted, residual.flatten(1)[:, :, None])[:, :, 0].double().numpy()
        return InsideTerms(hessian, gradient, energy)


def _thinned(images: torch.Tensor) -> torch.Tensor:
    return images[..., ::EVERY, ::EVERY]
