"""Random objects of a class, and objects between two others.

A class of very different shapes is no Gaussian: its mean is a blob, and so is most of what a Gaussian draws. Plausible
objects lie near typical ones, so a draw starts at a prototype, goes some way towards one that resembles it, and
adds a little of the class's own variation. Where that tears limbs off, it is drawn again, nearer to the typical one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from airside_perception.errors import AirsideError
from airside_perception.prior.object_prior import ObjectPrior
from airside_perception.prior.wholeness import wholeness

NEIGHBOURS = 3
"""Prototypes that count as resembling one."""
FARTHEST_SHARE = 0.2
"""Of the way towards a neighbour."""
OWN_VARIATION = 0.08
"""Standard deviations of the class's Gaussian that are added."""
_TRIES, _NEARER = 6, 0.7
"""Draws before the last is taken as it is, and how far from the typical object each goes, over the one before."""


@dataclass(frozen=True)
class PriorObject:
    """An object that the prior can decode.

    Attributes:
        shape: (S,) float32 code.
        texture: (T,) float32 code.
        size: (3,) float32 length, width, height, metres.
    """

    shape: Tensor
    texture: Tensor
    size: Tensor

    def towards(self, other: PriorObject, share: float) -> PriorObject:
        """The object at `share` 0..1 of the way to `other`; sizes are mixed as ratios."""
        return PriorObject(
            torch.lerp(self.shape, other.shape, share),
            torch.lerp(self.texture, other.texture, share),
            torch.exp(torch.lerp(self.size.log(), other.size.log(), share)),
        )


def typical_objects(prior: ObjectPrior, class_name: str) -> list[PriorObject]:
    """The prototypes of a class.

    Raises:
        AirsideError: the class has none (weights of an unfinished training).
        ValueError: unknown class.
    """
    found = [PriorObject(each.shape, each.texture, each.size) for each in prior.prototypes(class_name)]
    if not found:
        raise AirsideError(f"prior: expected typical objects of class {class_name!r}, found none; train it again")
    return found


def sample_object(prior: ObjectPrior, class_name: str, generator: torch.Generator) -> PriorObject:
    """Draw an object; its texture comes from another typical object than its shape.

    Args:
        prior: weights.
        class_name: one of `prior.class_names`.
        generator: random source.

    Raises:
        AirsideError: see `typical_objects`.
    """
    known = typical_objects(prior, class_name)

    def integer(limit: int) -> int:
        return int(torch.randint(limit, (1,), generator=generator))

    start = integer(len(known))
    near = nearest(known, start)
    decoder = prior.class_prior(class_name).shape
    typical = wholeness(decoder, known[start].shape)
    texture = known[integer(len(known))].texture
    shape, off_texture = known[start], torch.zeros_like(texture)
    for attempt in range(_TRIES):
        reach = _NEARER**attempt
        shape = known[start]
        if near:
            share = reach * FARTHEST_SHARE * float(torch.rand(1, generator=generator))
            shape = shape.towards(known[near[integer(len(near))]], share)
        drawn = prior.sample_codes(class_name, generator, reach * OWN_VARIATION)
        off_shape, off_texture = (code - mean for code, mean in zip(drawn, prior.mean_codes(class_name), strict=True))
        shape = PriorObject(shape.shape + off_shape, texture, shape.size)
        if wholeness(decoder, shape.shape).suffices(typical.surface, typical.loose):
            break
    return PriorObject(shape.shape, texture + off_texture, shape.size)


def nearest(known: list[PriorObject], index: int) -> list[int]:
    """Indices of the objects whose shape and proportions are most like those of one, most alike first."""
    codes = torch.stack([torch.cat([each.shape, each.size.log()]) for each in known])
    spread = codes.std(dim=0, correction=0).clamp_min(1e-6) if len(known) > 1 else torch.ones(codes.shape[1])
    distance = ((codes - codes[index]) / spread).norm(dim=1)
    distance[index] = torch.inf
    return distance.argsort()[: min(NEIGHBOURS, len(known) - 1)].tolist()
