"""What residuals inside of outlines have in common: they compare what the surface carries with what the pixels say."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional


@dataclass(frozen=True)
class InsideTerms:
    """What a comparison adds to the silhouettes' normal equations, per view.

    Attributes:
        hessian: (C, D, D) float64.
        gradient: (C, D) float64.
        energy: (C,) float64.
    """

    hessian: np.ndarray
    gradient: np.ndarray
    energy: np.ndarray


class InsideResiduals(ABC):
    """A comparison inside of the outlines of the views of a batch.

    Args:
        attributes: (V, A) float32 of every vertex, to be carried to the pixels.
        of_views: tensors (C, ...) of the views by name.
    """

    def __init__(self, attributes: np.ndarray, **of_views: torch.Tensor) -> None:
        self.attributes, self._of_views = attributes, of_views

    def only(self, views: np.ndarray, vertices: np.ndarray) -> InsideResiduals:
        """The same with some of the views (indices) and their vertices (bool)."""
        part = copy.copy(self)
        part.attributes = self.attributes[vertices]
        part._of_views = {name: tensor[views] for name, tensor in self._of_views.items()}
        return part

    @abstractmethod
    def evaluate(
        self, carried: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, flow: torch.Tensor | None
    ) -> InsideTerms:
        """Compare.

        Args:
            carried: (C, A, P, P) attributes where the surface is, zeros elsewhere.
            mask: (C, P, P) rendered silhouette.
            weight: (C, P, P) trust in 0..1.
            flow: (C, 2 D, P, P) image motion of the surface, x of all parameters, then y; None: only the energy.
        """


def inner(mask: torch.Tensor) -> torch.Tensor:
    """(C, P, P) mask without the pixels that have a neighbour outside."""
    return -functional.max_pool2d(-mask[:, None], 3, 1, 1)[:, 0]


def central_differences(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Central differences of (C, A, P, P) along x and y, per pixel."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2, (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
