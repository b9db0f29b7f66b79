"""Ways from one object to another that stay plausible.

Half way between a high-winged and a low-winged aircraft distances cancel and the wings are gone, and so are the legs
between two strides. A way therefore leads over typical objects in small steps, and where even a small step would lose
surface or pieces it is taken at once.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.csgraph import dijkstra

from airside_perception.prior.object_prior import ObjectPrior
from airside_perception.prior.sampling import PriorObject, typical_objects
from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.prior.wholeness import wholeness

_TRIED = 25
"""Shares of a step at which the surface is measured."""


@torch.no_grad()
def plausible_path(
    prior: ObjectPrior, class_name: str, first: PriorObject, last: PriorObject, count: int
) -> list[PriorObject]:
    """`count` objects from `first` to `last`, both included, evenly spaced along the way.

    Args:
        prior: weights.
        class_name: one of `prior.class_names`.
        first, last: the ends.
        count: at least 2.

    Raises:
        ValueError: unknown class, or a count below 2.
        AirsideError: the class has no typical objects.
    """
    if count < 2:
        raise ValueError(f"count: expected at least 2 objects, got {count}")
    stations = _stations(first, last, typical_objects(prior, class_name))
    lengths = [float((b.shape - a.shape).norm()) for a, b in zip(stations, stations[1:], strict=False)]
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    decoder = prior.class_prior(class_name).shape
    shares = [_kept_shares(decoder, a, b) for a, b in zip(stations, stations[1:], strict=False)]
    path = []
    for place in np.linspace(0.0, ends[-1], count):
        step = int(np.clip(np.searchsorted(ends, place, side="right") - 1, 0, len(lengths) - 1))
        share = (place - ends[step]) / max(lengths[step], 1e-9)
        kept = shares[step][np.abs(shares[step] - share).argmin()]
        # Where all shares near this one are plausible the way is smooth.
        exact = share if abs(kept - share) <= 0.5 / (_TRIED - 1) else kept
        path.append(stations[step].towards(stations[step + 1], float(exact)))
    return path


def _stations(first: PriorObject, last: PriorObject, known: list[PriorObject]) -> list[PriorObject]:
    """The ends and the typical objects between them: many small steps instead of few large ones."""
    stops = [first, *known, last]
    codes = torch.stack([torch.cat([each.shape, each.size.log()]) for each in stops]).double().cpu()
    # Zero would mean "no way" to the graph, and equal objects are the best of ways.
    cost = np.maximum(torch.cdist(codes, codes).square().numpy(), 1e-9)
    _, before = dijkstra(cost, indices=0, return_predecessors=True)
    order, stop = [len(stops) - 1], len(stops) - 1
    while stop != 0:
        stop = int(before[stop])
        order.append(stop)
    return [stops[index] for index in reversed(order)]


def _kept_shares(decoder: ShapeDecoder, start: PriorObject, end: PriorObject) -> np.ndarray:
    """Shares 0..1 of the way from `start` to `end` at which the object is about as whole as at the ends."""
    shares = np.linspace(0.0, 1.0, _TRIED)
    found = [wholeness(decoder, torch.lerp(start.shape, end.shape, float(share))) for share in shares]
    expected = np.interp(shares, [0.0, 1.0], [found[0].surface, found[-1].surface])
    loose = max(found[0].loose, found[-1].loose)
    kept = [each.suffices(surface, loose) for each, surface in zip(found, expected, strict=True)]
    return shares[np.array(kept) | (shares == 0.0) | (shares == 1.0)]
