"""Whether a decoded object is in one piece: distances of very different objects cancel, and limbs come off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import generate_binary_structure, label

from airside_perception.prior.shape_decoder import ShapeDecoder

KEPT_SURFACE = 0.9
"""Least surface of a plausible object, over what those that it lies between let expect."""
LOOSE_SHARE = 0.004
"""Most of an object's volume that may float beside it, beyond what floats beside those."""


@dataclass(frozen=True)
class Wholeness:
    """Of a decoded shape.

    Attributes:
        surface: lattice edges that cross it: its area in cells, thin parts with both of their sides.
        loose: share of the nodes inside that don't belong to the largest piece.
    """

    surface: float
    loose: float

    def suffices(self, surface: float, loose: float) -> bool:
        """Compared with what is expected."""
        return self.surface >= KEPT_SURFACE * surface and self.loose <= loose + LOOSE_SHARE


@torch.no_grad()
def wholeness(decoder: ShapeDecoder, code: torch.Tensor) -> Wholeness:
    """Measure the shape of a code (S,)."""
    inside = (decoder(code[None])[0] < 0).cpu().numpy()
    surface = sum(np.count_nonzero(np.diff(inside, axis=axis)) for axis in range(3))
    pieces, count = label(inside, generate_binary_structure(3, 3))
    if not count:
        return Wholeness(0.0, 1.0)
    sizes = np.bincount(pieces.reshape(-1))[1:]
    return Wholeness(float(surface), float(1.0 - sizes.max() / sizes.sum()))
