"""Colours of the prior against those of the image, light, exposure and shade solved for and left out.

Silhouettes say where an object ends; colours say where its parts are. What the surface reflects comes from the prior
(with the texture code of the track, once there is one). How it is lit does not: for each view, a grey shading that is
linear in the surface normal and a colour offset are fitted in closed form at every step, and the Jacobian keeps only
what these can't explain (variable projection). So neither exposure nor shade can bend pose or shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as functional

from airside_perception.refine.inside_residuals import InsideResiduals, InsideTerms, central_differences, inner
from airside_perception.refine.shape_library import LinearShape
from airside_perception.refine.views import View

COLOR_HUBER = 0.08
"""Residuals of colours (0..1) above this count linearly: decals, windows and reflections that no code holds."""

LIGHT_TERMS = 7
"""Shading by (1, nx, ny, nz) times albedo, and an offset for each colour."""

LEAST_WEIGHT = 40.0
"""Pixels of the crop (their trust summed) without which a view's colours say nothing."""

_LIGHT_RIDGE = 0.3


class ColorResiduals(InsideResiduals):
    """Colour residuals of the views of a batch.

    Args:
        views: with images and weights.
        shapes: one LinearShape per object.
        textures: (N, T) float32, offsets of the objects' texture codes from those of their shapes.
    """

    def __init__(self, views: Sequence[View], shapes: Sequence[LinearShape], textures: np.ndarray) -> None:
        images = torch.from_numpy(np.stack([view.image for view in views]).astype(np.float32))
        owners = [view.object_index for view in views]
        albedo = {i: _albedo(shapes[i], textures[i]) for i in set(owners)}
        carried = np.concatenate([np.concatenate([albedo[i], shapes[i].normals], axis=1) for i in owners])
        unknown = torch.full((len(views),), torch.nan)
        super().__init__(carried, images=images.permute(0, 3, 1, 2).contiguous(), pixels=unknown)

    def evaluate(
        self, carried: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, flow: torch.Tensor | None
    ) -> InsideTerms:
        """Compare; arguments as of `InsideResiduals.evaluate`.

        The energy is the mean Huber loss of a pixel times the pixels that the view had at the start.
        """
        # Only pixels whose neighbours are inside, too: at the outline a colour is half the background's.
        trust = inner(mask) * weight
        images, pixels = self._of_views["images"], self._of_views["pixels"]
        count = trust.sum(dim=(1, 2))
        basis = _light_basis(carried)
        residual, predicted, projector = _fit_light(basis, images, trust)
        huber = functional.huber_loss(predicted, images, reduction="none", delta=COLOR_HUBER)
        mean = (huber * trust[:, None]).sum(dim=(1, 2, 3)) / count.clamp_min(1.0)
        # The pixels of the first look: else an object could lower its energy by growing smaller.
        pixels.copy_(torch.where(pixels.isnan(), count, pixels))
        told = (pixels > LEAST_WEIGHT) & (count > LEAST_WEIGHT)
        energy = torch.where(told, mean * pixels, torch.zeros_like(mean)).double().numpy()
        if flow is None:
            return InsideTerms(np.zeros(0), np.zeros(0), energy)
        hessian, gradient = self._equations(residual, predicted, projector, trust * told[:, None, None], flow)
        return InsideTerms(hessian, gradient, energy)

    def _equations(
        self,
        residual: torch.Tensor,
        predicted: torch.Tensor,
        projector: tuple[torch.Tensor, torch.Tensor],
        trust: torch.Tensor,
        flow: torch.Tensor,
    ) -> tuple[np.ndarray, np.ndarray]:
        columns = flow.shape[1] // 2
        gradient_x, gradient_y = central_differences(predicted)
        slope = -(gradient_x[:, None] * flow[:, :columns, None] + gradient_y[:, None] * flow[:, columns:, None])
        slope, weight = slope.flatten(2), _per_color(trust)
        # What a change of light could do as well says nothing of the pose.
        basis, inverse = projector
        slope = slope - (slope @ (basis * weight[:, None]).transpose(1, 2) @ inverse) @ basis
        flat = residual.flatten(1)
        robust = weight * (COLOR_HUBER / flat.abs().clamp_min(COLOR_HUBER))
        weighted = slope * robust[:, None]
        hessian = torch.bmm(weighted, slope.transpose(1, 2)).double().numpy()
        gradient = torch.bmm(weighted, flat[:, :, None])[:, :, 0].double().numpy()
        return hessian, gradient


def _albedo(shape: LinearShape, texture: np.ndarray) -> np.ndarray:
    return np.clip(shape.colors + shape.texture_columns @ texture, 0.02, 1.0).astype(np.float32)


def _light_basis(maps: torch.Tensor) -> torch.Tensor:
    """(C, LIGHT_TERMS, 3, P, P): what each unknown of the light does to each colour."""
    albedo, normal = maps[:, :3], functional.normalize(maps[:, 3:], dim=1, eps=1e-6)
    light = torch.cat([torch.ones_like(normal[:, :1]), normal], dim=1)
    shaded = light[:, :, None] * albedo[:, None]
    offset = torch.eye(3)[None, :, :, None, None].expand(len(maps), 3, 3, *maps.shape[2:])
    return torch.cat([shaded, offset], dim=1)


def _fit_light(
    basis: torch.Tensor, images: torch.Tensor, trust: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Weighted least squares for the light of each view.

    Returns:
        residual (C, 3, P, P), prediction (C, 3, P, P), and what projects: basis (C, L, 3 P P), inverse (C, L, L).
    """
    flat = basis.flatten(2)
    weighted = flat * _per_color(trust)[:, None]
    inverse = torch.linalg.inv(weighted @ flat.transpose(1, 2) + _LIGHT_RIDGE * torch.eye(LIGHT_TERMS))
    light = inverse @ (weighted @ images.flatten(1)[:, :, None])
    predicted = (flat.transpose(1, 2) @ light)[:, :, 0].reshape(images.shape)
    return predicted - images, predicted, (flat, inverse)


def _per_color(values: torch.Tensor) -> torch.Tensor:
    """(C, P, P) -> (C, 3 P P), the same for each colour."""
    return values[:, None].expand(-1, 3, -1, -1).flatten(1)
